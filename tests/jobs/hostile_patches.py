"""What an agent that is not on our side might leave: as patches, and where a file system can hold it, as what makes it.

Every one of them must be refused by its rule, before anything is pushed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from db.vocabulary import ErrorCode
from tests.jobs.patch_builders import ONE, added, binary, chmod, deleted, delta, modified

KNOWN_SECRET = "hunter2hunter2"


@dataclass(frozen=True)
class Rule:
    """What refuses a patch: its code, and words of its sentence."""

    code: ErrorCode
    words: str


@dataclass(frozen=True)
class Hostile:
    """``script`` makes it in a tree with README.md, src/shop.py, specs/old.md and Spec Kit; empty where none can."""

    name: str
    patch: bytes
    rule: Rule
    script: str = ""


NOT_PLAIN = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "its path is not a plain one")
CANNOT_BE_SHOWN = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "its name holds characters that cannot be shown")
NOT_EVERYWHERE = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "its name cannot be checked out on every system")
NOT_COMPOSED = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "composed form (NFC)")
LONG_PATH = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "its path is too long")
LONG_NAME = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "its name is too long")
LINK = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "it is a symbolic link")
NESTED = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "it is a nested repository")
MODE = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "it is of mode")
SAME_FILE = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "on some systems it is the same file as")
FILE_AND_FOLDER = Rule(ErrorCode.PUBLISH_FORBIDDEN_FILE, "it needs a folder where the patch puts a file")
GIT_READS_IT = Rule(ErrorCode.PUBLISH_PROTECTED_PATH, "git and GitHub take their own settings from such a file")
ELSEWHERE = Rule(ErrorCode.PUBLISH_PROTECTED_PATH, "this phase may change only")
TOO_MANY = Rule(ErrorCode.PUBLISH_TOO_LARGE, "files, and at most 100")
TOO_LARGE = Rule(ErrorCode.PUBLISH_TOO_LARGE, "bytes, and at most")
SECRET = Rule(ErrorCode.PUBLISH_SECRET, "seem to hold")

PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\n"

HOSTILE = [
    Hostile('parent', added("specs/../x"), NOT_PLAIN),
    Hostile('parent first', added("../specs/x"), NOT_PLAIN),
    Hostile('absolute', added("/etc/passwd"), NOT_PLAIN),
    Hostile('absolute inside', added("specs//etc"), NOT_PLAIN),
    Hostile('dot', added("specs/./x"), NOT_PLAIN),
    Hostile('folder end', added("specs/x/"), NOT_PLAIN),
    Hostile('git', added("specs/.git/config"), GIT_READS_IT),
    Hostile('git top', added(".git/hooks/post-commit"), GIT_READS_IT),
    Hostile('git upper', added("specs/.GIT/config"), GIT_READS_IT),
    Hostile('git mixed', added("specs/.gIt/config"), GIT_READS_IT),
    Hostile('git dot', added("specs/.git./config"), NOT_PLAIN),
    Hostile('git space', added("specs/.git /config"), NOT_PLAIN),
    Hostile('git stream', added("specs/.git::$INDEX_ALLOCATION/config"), NOT_EVERYWHERE),
    Hostile('git short name', added("specs/git~1/config"), GIT_READS_IT),
    Hostile('git short name 2', added("specs/GIT~2/config"), GIT_READS_IT),
    Hostile('git hfs', added("specs/.g\u200cit/config"), CANNOT_BE_SHOWN),
    Hostile('git hfs bom', added("specs/.git\ufeff/config"), CANNOT_BE_SHOWN),
    Hostile('git full width', added("specs/.ｇｉｔ/config"), GIT_READS_IT),
    Hostile('git backslash', added("specs\\.git\\config"), NOT_EVERYWHERE),
    Hostile('gitmodules', added("specs/.gitmodules"), GIT_READS_IT, 'echo x > specs/.gitmodules'),
    Hostile('gitmodules top', added(".gitmodules"), GIT_READS_IT),
    Hostile('gitattributes', added("specs/.gitattributes"), GIT_READS_IT, "echo '* filter=x' > specs/.gitattributes"),
    Hostile('workflow', added(".github/workflows/ci.yml"), GIT_READS_IT, "mkdir -p .github/workflows; echo 'on: push' > .github/workflows/ci.yml"),
    Hostile('workflow changed', modified(".github/workflows/ci.yml"), GIT_READS_IT),
    Hostile('workflow deleted', deleted(".github/workflows/ci.yml"), GIT_READS_IT),
    Hostile('workflow chmod', chmod(".github/workflows/x.sh", "100644", "100755"), GIT_READS_IT),
    Hostile('owners', added("CODEOWNERS"), GIT_READS_IT, "echo '* @eve' > CODEOWNERS"),
    Hostile('owners in specs', added("specs/codeowners"), GIT_READS_IT, "echo '* @eve' > specs/codeowners"),
    Hostile('owners in docs', added("docs/CODEOWNERS"), GIT_READS_IT, "mkdir docs; echo '* @eve' > docs/CODEOWNERS"),
    Hostile('source', added("src/main.py"), ELSEWHERE, 'echo x > src/main.py'),
    Hostile('manifest', modified("package.json"), ELSEWHERE, "echo '{}' > package.json"),
    Hostile('lookalike folder', added("specsx/a.md"), ELSEWHERE, 'mkdir specsx; echo x > specsx/a.md'),
    Hostile('upper folder', added("Specs/a.md"), ELSEWHERE, 'mkdir Specs; echo x > Specs/a.md'),
    Hostile('the folder itself', added("specs"), ELSEWHERE),
    Hostile('context file elsewhere', added("docs/AGENTS.md"), ELSEWHERE, 'mkdir docs; echo x > docs/AGENTS.md'),
    Hostile('agent settings', added(".codex/config.toml"), ELSEWHERE, 'mkdir .codex; echo x > .codex/config.toml'),
    Hostile('skills by an agent', added(".agents/skills/x/SKILL.md"), ELSEWHERE, 'mkdir -p .agents/skills/x; echo x > .agents/skills/x/SKILL.md'),
    Hostile('link', added("specs/l", "/etc/passwd", "120000"), LINK, 'ln -s /etc/passwd specs/l'),
    Hostile('link deleted', deleted("specs/l", "120000"), LINK),
    Hostile('link changed', modified("specs/l", "120000"), LINK),
    Hostile('file becomes link', chmod("specs/l", "100644", "120000"), LINK),
    Hostile('nested repository', added("specs/sub", f"Subproject commit {ONE}\n", "160000"), NESTED, 'git init -q specs/sub; cd specs/sub; git -c user.name=a -c user.email=a commit -q --allow-empty -m x'),
    Hostile('file replaced by a link', deleted("specs/l") + added("specs/l", "/etc/passwd", "120000"), LINK, 'rm specs/old.md; ln -s /etc/passwd specs/old.md'),
    Hostile('setuid', added("specs/s", mode="104755"), MODE),
    Hostile('world writable', added("specs/s", mode="100666"), MODE),
    Hostile('device', added("specs/s", mode="020666"), MODE),
    Hostile('folder mode', added("specs/s", mode="040000"), MODE),
    Hostile('newline', added("specs/a\nb"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\nb'"),
    Hostile('carriage return', added("specs/a\rb"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\rb'"),
    Hostile('tab', added("specs/a\tb"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\tb'"),
    Hostile('escape', added("specs/a\x1b[31mb"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\e[31mb'"),
    Hostile('nul', b'diff --git "a/specs/a\\000b" "b/specs/a\\000b"\n' + added("specs/a").split(b"\n", 1)[1].split(b"---")[0], CANNOT_BE_SHOWN),
    Hostile('right to left', added("specs/a\u202egnp.md"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\u202egnp.md'"),
    Hostile('tag characters', added("specs/a\U000e0041.md"), CANNOT_BE_SHOWN, "echo x > $'specs/a\\U000e0041.md'"),
    Hostile('no utf-8', added("specs/\udcff.md"), CANNOT_BE_SHOWN, "echo x > $'specs/\\xff.md'"),
    Hostile('decomposed', added("specs/u\u0308.md"), NOT_COMPOSED, "echo x > $'specs/u\\u0308.md'"),
    Hostile('colon', added("specs/a:b"), NOT_EVERYWHERE, 'echo x > specs/a:b'),
    Hostile('leading space', added("specs/ a"), NOT_PLAIN, "echo x > 'specs/ a'"),
    Hostile('long name', added("specs/" + "a" * 256), LONG_NAME),
    Hostile('long path', added("specs/" + "a/" * 500 + "b"), LONG_PATH, "mkdir -p specs/$(printf 'a/%.0s' $(seq 501)); echo x > specs/$(printf 'a/%.0s' $(seq 501))b"),
    Hostile('case collision', added("specs/A.md") + added("specs/a.md"), SAME_FILE, 'echo x > specs/A.md; echo x > specs/a.md'),
    Hostile('width collision', added("specs/ａ.md") + added("specs/a.md"), SAME_FILE, "echo x > $'specs/\\uff41.md'; echo x > specs/a.md"),
    Hostile('sharp s collision', added("specs/ß.md") + added("specs/SS.md"), SAME_FILE, "echo x > $'specs/\\u00df.md'; echo x > specs/SS.md"),
    Hostile('file and folder', added("specs/a") + added("specs/a/b"), FILE_AND_FOLDER),
    Hostile('file and folder by case', added("specs/A") + added("specs/a/b"), FILE_AND_FOLDER, 'echo x > specs/A; mkdir specs/a; echo x > specs/a/b'),
    Hostile('many files', b"".join(added(f"specs/{n}.md") for n in range(101)), TOO_MANY, 'for i in $(seq 101); do echo x > specs/$i.md; done'),
    Hostile('many bytes', added("specs/a.md", "x" * (5 << 20)), TOO_LARGE, 'yes | head -c 5M > specs/a.md'),
    Hostile('many bytes packed', binary("specs/a.bin", b"\0" * (5 << 20)), TOO_LARGE, 'head -c 5M /dev/zero > specs/a.bin'),
    Hostile('github token', added("specs/a.md", "ghs_" + "aB3.-_" * 90), SECRET),
    Hostile('personal token', added("specs/a.md", "my ghp_" + "a1B2" * 9 + " here\n"), SECRET, 'echo "my ghp_$(printf \'a1B2%.0s\' 1 2 3 4 5 6 7 8 9) here" > specs/a.md'),
    Hostile('fine grained token', added("specs/a.md", "github_pat_" + "1A" * 20), SECRET),
    Hostile('model key', added("specs/a.md", "sk-proj-" + "a1B2" * 10), SECRET),
    Hostile('aws key', added("specs/a.md", "AKIA" + "ABCD1234" * 2), SECRET),
    Hostile('private key', added("specs/a.md", PEM), SECRET, "printf -- '-----BEGIN RSA PRIVATE ''KEY-----\\nMIIEow\\n' > specs/a.md"),
    Hostile('key in binary', binary("specs/a.bin", b"\0\1" + PEM.encode()), SECRET),
    Hostile('token in a name', added("specs/ghp_" + "a1B2" * 9 + ".md"), SECRET, 'echo x > "specs/ghp_$(printf \'a1B2%.0s\' 1 2 3 4 5 6 7 8 9).md"'),
    Hostile('known secret', added("specs/a.md", "say hunter2hunter2\n"), SECRET, "echo 'say hunter2hunter2' > specs/a.md"),
    Hostile('known secret in base64', added("specs/a.md", base64.b64encode(b"x hunter2hunter2 y").decode()), SECRET, "echo -n 'x hunter2hunter2 y' | base64 > specs/a.md"),
    Hostile('known secret in hex', added("specs/a.md", b"hunter2hunter2".hex()), SECRET, "echo -n hunter2hunter2 | od -An -tx1 | tr -d ' \\n' > specs/a.md"),
    Hostile("quoted slash", added("specs/a").replace(b"a/specs/a b/specs/a", b'"a/.github\\057x" "b/.github\\057x"')
            .replace(b"+++ b/specs/a", b'+++ "b/.github\\057x"'), GIT_READS_IT),
    Hostile("quoted dots", added("specs/a").replace(b"a/specs/a b/specs/a", b'"a/specs/\\056\\056/x" "b/specs/\\056\\056/x"')
            .replace(b"+++ b/specs/a", b'+++ "b/specs/\\056\\056/x"'), NOT_PLAIN),
    Hostile("binary elsewhere", binary("src/logo.png", b"\x89PNG"), ELSEWHERE),
    Hostile("binary workflow", binary(".github/workflows/x.yml", b"\0on: push"), GIT_READS_IT),
    Hostile("a delta that makes much of little", delta("specs/a.bin", 5 << 20), TOO_LARGE),
    Hostile("known secret reversed", added("specs/a.md", "2retnuh2retnuh"), SECRET, "echo 2retnuh2retnuh > specs/a.md"),
    Hostile("known secret in a name", added("specs/hunter2hunter2.md"), SECRET, "echo x > specs/hunter2hunter2.md"),
    Hostile("known secret in a name elsewhere", added("src/hunter2hunter2.md"), SECRET, "echo x > src/hunter2hunter2.md"),
    Hostile("key of a run", added("specs/a.md", "speckit-run-" + "aB3_" * 11), SECRET,
            "echo speckit-run-$(printf 'aB3_%.0s' 1 2 3 4 5 6 7 8 9 10 11) > specs/a.md"),
    Hostile("trailing dot", added("specs/a."), NOT_PLAIN, "echo x > specs/a."),
    Hostile("trailing space", added("specs/a "), NOT_PLAIN, "echo x > 'specs/a '"),
    Hostile("backslash", added("specs/a\\b"), NOT_EVERYWHERE, "echo x > 'specs/a\\b'"),
    Hostile("question mark", added("specs/a?"), NOT_EVERYWHERE, "echo x > 'specs/a?'"),
    Hostile("constitution by a plan", modified(".specify/memory/constitution.md"), ELSEWHERE,
            "echo x > .specify/memory/constitution.md"),
    Hostile("template of the next run", modified(".specify/templates/spec-template.md"), ELSEWHERE,
            "echo x > .specify/templates/spec-template.md"),
    Hostile("script of the next run", added(".specify/scripts/bash/common.sh", mode="100755"), ELSEWHERE,
            "mkdir -p .specify/scripts/bash; echo x > .specify/scripts/bash/common.sh; chmod +x .specify/scripts/bash/common.sh"),
    Hostile("settings of Spec Kit", added(".specify/init-options.json"), ELSEWHERE, "echo '{}' > .specify/init-options.json"),
    Hostile("lookalike of the feature file", added(".specify/feature.json.sh"), ELSEWHERE, "echo x > .specify/feature.json.sh"),
    Hostile("context of another agent", added("CLAUDE.md"), ELSEWHERE, "echo x > CLAUDE.md"),
    Hostile("hooks of another agent", added(".claude/settings.json"), ELSEWHERE,
            "mkdir .claude; echo '{}' > .claude/settings.json"),
    Hostile("servers of an agent", added(".mcp.json"), ELSEWHERE, "echo '{}' > .mcp.json"),
    Hostile("environment", added(".env"), ELSEWHERE, "echo OPENAI_BASE_URL=x > .env"),
    Hostile("everything deleted", deleted("README.md"), ELSEWHERE, "rm -rf /work/* /work/.[a-z]*"),
    Hostile("a folder replaced by a link", deleted("specs/old.md") + added("specs", "src", "120000"), ELSEWHERE,
            "rm -r specs; ln -s src specs"),
]  # fmt: skip
