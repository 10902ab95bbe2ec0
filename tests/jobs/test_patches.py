"""The border: what crosses it is understood, in its place, regular, small, and no secret."""

from __future__ import annotations

import base64
import posixpath
import subprocess
import unicodedata
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import init_policy, judge, parse_patch, policy_for
from tests.jobs.git_server import GIT, git

AGENT_POLICY = policy_for(Phase.SPECKIT_SPECIFY, project="", feature_directory="", integration="codex")
ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def quote(path: str) -> str:
    """A path as git writes it in a header."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return path
    names = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
    return "".join(
        f"\\{names[byte]}" if byte in names else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in raw
    )


def header(path: str) -> tuple[str, str]:
    plain = quote(path)
    mark = '"' if plain != path else ""
    return f"{mark}a/{plain}{mark}", f"{mark}b/{plain}{mark}"


def added(path: str, content: str = "text\n", mode: str = "100644") -> bytes:
    """A patch that adds one file."""
    old, new = header(path)
    lines = content.split("\n")
    end = "" if lines[-1] == "" else "\\ No newline at end of file\n"
    lines = lines[:-1] if lines[-1] == "" else lines
    head = f"diff --git {old} {new}\nnew file mode {mode}\nindex {ZERO}..{ONE}\n"
    if not content:
        return head.encode()
    body = "".join(f"+{line}\n" for line in lines)
    tab = "\t" if " " in path and not new.startswith('"') else ""
    return f"{head}--- /dev/null\n+++ {new}{tab}\n@@ -0,0 +1,{len(lines)} @@\n{body}{end}".encode(
        "utf-8", "surrogateescape"
    )


def modified(path: str, mode: str = "100644") -> bytes:
    old, new = header(path)
    return (
        f"diff --git {old} {new}\nindex {ONE}..{TWO} {mode}\n--- {old}\n+++ {new}\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
    ).encode()


def deleted(path: str, mode: str = "100644") -> bytes:
    old, new = header(path)
    head = f"diff --git {old} {new}\ndeleted file mode {mode}\nindex {ONE}..{ZERO}\n"
    return f"{head}--- {old}\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n".encode()


def chmod(path: str, old_mode: str, new_mode: str) -> bytes:
    old, new = header(path)
    return f"diff --git {old} {new}\nold mode {old_mode}\nnew mode {new_mode}\n".encode()


def binary(path: str, content: bytes, size: int | None = None) -> bytes:
    """A patch that adds a binary file, in git's base 85."""
    packed = zlib.compress(content)
    lines = []
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        letter = chr(len(piece) + (64 if len(piece) <= 26 else 70))
        lines.append(letter + base64.b85encode(piece + b"\0" * (-len(piece) % 4)).decode())
    old, new = header(path)
    head = f"diff --git {old} {new}\nnew file mode 100644\nindex {ZERO}..{ONE}\nGIT binary patch\n"
    data = "\n".join(lines)
    return f"{head}literal {size if size is not None else len(content)}\n{data}\n\nliteral 0\nHcmV?d00001\n\n".encode()


def test_an_ordinary_patch_is_understood_and_accepted() -> None:
    patch = parse_patch(
        added("specs/001-x/spec.md", "# Title\n\ntext")
        + modified(".specify/feature.json")
        + deleted("specs/old.md")
        + chmod("specs/001-x/check.sh", "100644", "100755")
        + added("AGENTS.md")
        + added("specs/empty.md", "")
        + added("specs/with space.md")
        + added("specs/größe.md")
        + binary("specs/001-x/picture.png", b"\x89PNG\0\1" * 20)
    )
    judge(patch, AGENT_POLICY)
    spec = patch.changes[0]
    assert (spec.path, spec.kind, spec.new_content, spec.added_lines) == (
        "specs/001-x/spec.md",
        "added",
        b"# Title\n\ntext",
        3,
    )
    assert [change.kind for change in patch.changes[1:4]] == ["modified", "deleted", "modified"]
    assert patch.changes[1].old_mode == "100644"
    assert patch.changes[5].new_content == b""
    assert patch.changes[6].path == "specs/with space.md"
    assert patch.changes[7].path == "specs/größe.md"
    assert patch.changes[8].new_content is None
    assert patch.changes[8].added_bytes == b"\x89PNG\0\1" * 20


PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\n"
CODE = ErrorCode
HOSTILE: list[tuple[str, bytes, ErrorCode]] = [
    ("parent", added("specs/../x"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("parent first", added("../specs/x"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("absolute", added("/etc/passwd"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("absolute inside", added("specs//etc"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("dot", added("specs/./x"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("folder end", added("specs/x/"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git", added("specs/.git/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git top", added(".git/hooks/post-commit"), CODE.PUBLISH_PROTECTED_PATH),
    ("git upper", added("specs/.GIT/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git mixed", added("specs/.gIt/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git dot", added("specs/.git./config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git space", added("specs/.git /config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git stream", added("specs/.git::$INDEX_ALLOCATION/config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git short name", added("specs/git~1/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git short name 2", added("specs/GIT~2/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git hfs", added("specs/.g\u200cit/config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git hfs bom", added("specs/.git\ufeff/config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("git full width", added("specs/.ｇｉｔ/config"), CODE.PUBLISH_PROTECTED_PATH),
    ("git backslash", added("specs\\.git\\config"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("gitmodules", added("specs/.gitmodules"), CODE.PUBLISH_PROTECTED_PATH),
    ("gitmodules top", added(".gitmodules"), CODE.PUBLISH_PROTECTED_PATH),
    ("gitattributes", added("specs/.gitattributes"), CODE.PUBLISH_PROTECTED_PATH),
    ("workflow", added(".github/workflows/ci.yml"), CODE.PUBLISH_PROTECTED_PATH),
    ("workflow changed", modified(".github/workflows/ci.yml"), CODE.PUBLISH_PROTECTED_PATH),
    ("workflow deleted", deleted(".github/workflows/ci.yml"), CODE.PUBLISH_PROTECTED_PATH),
    ("workflow chmod", chmod(".github/workflows/x.sh", "100644", "100755"), CODE.PUBLISH_PROTECTED_PATH),
    ("owners", added("CODEOWNERS"), CODE.PUBLISH_PROTECTED_PATH),
    ("owners in specs", added("specs/codeowners"), CODE.PUBLISH_PROTECTED_PATH),
    ("owners in docs", added("docs/CODEOWNERS"), CODE.PUBLISH_PROTECTED_PATH),
    ("source", added("src/main.py"), CODE.PUBLISH_PROTECTED_PATH),
    ("manifest", modified("package.json"), CODE.PUBLISH_PROTECTED_PATH),
    ("lookalike folder", added("specsx/a.md"), CODE.PUBLISH_PROTECTED_PATH),
    ("upper folder", added("Specs/a.md"), CODE.PUBLISH_PROTECTED_PATH),
    ("the folder itself", added("specs"), CODE.PUBLISH_PROTECTED_PATH),
    ("context file elsewhere", added("docs/AGENTS.md"), CODE.PUBLISH_PROTECTED_PATH),
    ("agent settings", added(".codex/config.toml"), CODE.PUBLISH_PROTECTED_PATH),
    ("skills by an agent", added(".agents/skills/x/SKILL.md"), CODE.PUBLISH_PROTECTED_PATH),
    ("link", added("specs/l", "/etc/passwd", "120000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("link deleted", deleted("specs/l", "120000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("link changed", modified("specs/l", "120000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("file becomes link", chmod("specs/l", "100644", "120000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("nested repository", added("specs/sub", f"Subproject commit {ONE}\n", "160000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("file replaced by a link", deleted("specs/l") + added("specs/l", "/etc/passwd", "120000"),
     CODE.PUBLISH_FORBIDDEN_FILE),
    ("setuid", added("specs/s", mode="104755"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("world writable", added("specs/s", mode="100666"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("device", added("specs/s", mode="020666"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("folder mode", added("specs/s", mode="040000"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("newline", added("specs/a\nb"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("carriage return", added("specs/a\rb"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("tab", added("specs/a\tb"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("escape", added("specs/a\x1b[31mb"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("nul", b'diff --git "a/specs/a\\000b" "b/specs/a\\000b"\n' + added("specs/a").split(b"\n", 1)[1].split(b"---")[0],
     CODE.PUBLISH_FORBIDDEN_FILE),
    ("right to left", added("specs/a\u202egnp.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("tag characters", added("specs/a\U000e0041.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("no utf-8", added("specs/\udcff.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("decomposed", added("specs/u\u0308.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("colon", added("specs/a:b"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("leading space", added("specs/ a"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("long name", added("specs/" + "a" * 256), CODE.PUBLISH_FORBIDDEN_FILE),
    ("long path", added("specs/" + "a/" * 500 + "b"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("case collision", added("specs/A.md") + added("specs/a.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("width collision", added("specs/ａ.md") + added("specs/a.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("sharp s collision", added("specs/ß.md") + added("specs/SS.md"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("file and folder", added("specs/a") + added("specs/a/b"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("file and folder by case", added("specs/A") + added("specs/a/b"), CODE.PUBLISH_FORBIDDEN_FILE),
    ("many files", b"".join(added(f"specs/{n}.md") for n in range(101)), CODE.PUBLISH_TOO_LARGE),
    ("many bytes", added("specs/a.md", "x" * (5 << 20)), CODE.PUBLISH_TOO_LARGE),
    ("many bytes packed", binary("specs/a.bin", b"\0" * (5 << 20)), CODE.PUBLISH_TOO_LARGE),
    ("github token", added("specs/a.md", "ghs_" + "aB3.-_" * 90), CODE.PUBLISH_SECRET),
    ("personal token", added("specs/a.md", "my ghp_" + "a1B2" * 9 + " here\n"), CODE.PUBLISH_SECRET),
    ("fine grained token", added("specs/a.md", "github_pat_" + "1A" * 20), CODE.PUBLISH_SECRET),
    ("model key", added("specs/a.md", "sk-proj-" + "a1B2" * 10), CODE.PUBLISH_SECRET),
    ("aws key", added("specs/a.md", "AKIA" + "ABCD1234" * 2), CODE.PUBLISH_SECRET),
    ("private key", added("specs/a.md", PEM), CODE.PUBLISH_SECRET),
    ("key in binary", binary("specs/a.bin", b"\0\1" + PEM.encode()), CODE.PUBLISH_SECRET),
    ("token in a name", added("specs/ghp_" + "a1B2" * 9 + ".md"), CODE.PUBLISH_SECRET),
    ("known secret", added("specs/a.md", "say hunter2hunter2\n"), CODE.PUBLISH_SECRET),
    ("known secret in base64", added("specs/a.md", base64.b64encode(b"x hunter2hunter2 y").decode()),
     CODE.PUBLISH_SECRET),
    ("known secret in hex", added("specs/a.md", b"hunter2hunter2".hex()), CODE.PUBLISH_SECRET),
]  # fmt: skip

GOOD = added("specs/a.md").decode()
UNREADABLE: list[tuple[str, str]] = [
    ("no newline at the end", GOOD[:-1]),
    ("prose before", "hello\n" + GOOD),
    ("prose after", GOOD + "hello\n"),
    ("an empty line after", GOOD + "\n"),
    ("rename", "diff --git a/specs/a b/specs/b\nsimilarity index 100%\nrename from specs/a\nrename to specs/b\n"),
    ("two names", GOOD.replace("b/specs/a.md\nnew", "b/specs/b.md\nnew")),
    ("other name below", GOOD.replace("+++ b/specs/a.md", "+++ b/.github/x")),
    ("old name for an added file", GOOD.replace("--- /dev/null", "--- a/specs/a.md")),
    ("traditional", "--- a/specs/a.md\n+++ b/specs/a.md\n@@ -0,0 +1 @@\n+x\n"),
    ("short hash", GOOD.replace(ONE, "1111111")),
    ("too few lines", GOOD.replace("+1,1", "+1,2")),
    ("too many lines", GOOD + "+more\n"),
    ("odd line in a hunk", GOOD.replace("+text", "*text")),
    ("removal in an added file", GOOD.replace("@@ -0,0 +1,1 @@\n", "@@ -1 +1,1 @@\n-x\n")),
    ("mode missing", GOOD.replace("new file mode 100644\n", "")),
    ("no hash line", GOOD.replace(f"index {ZERO}..{ONE}\n", "")),
    ("twice the same file", GOOD + GOOD),
    ("deleted and added", deleted("specs/a.md").decode() + GOOD),
    ("no prefix", "diff --git specs/a.md specs/a.md\nnew file mode 100644\n" + f"index {ZERO}..{ONE}\n"),
    ("bad quoting", 'diff --git "a/sp\\999" "b/sp\\999"\nnew file mode 100644\n' + f"index {ZERO}..{ONE}\n"),
    ("combined", "diff --cc specs/a.md\n"),
    ("binary without data", f"diff --git a/specs/a b/specs/a\nindex {ONE}..{TWO} 100644\nBinary files differ\n"),
    ("binary of another size", binary("specs/a", b"hello", size=4).decode()),
    ("binary bomb", binary("specs/a", b"\0" * 2_000_000, size=10).decode()),
    ("binary garbage", binary("specs/a", b"hello").decode().replace("literal 5\n", "literal 5\n~~~\n")),
    ("not a patch", "\x00\x01\x02\n"),
]  # fmt: skip


@pytest.mark.parametrize(("patch", "code"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_hostile_patch_is_refused_by_name(patch: bytes, code: ErrorCode) -> None:
    with pytest.raises(UserError) as refused:
        judge(parse_patch(patch), AGENT_POLICY, secrets=["hunter2hunter2"])
    assert refused.value.code is code
    assert all(character.isprintable() for character in refused.value.message)
    if code is ErrorCode.PUBLISH_SECRET:
        assert "hunter2" not in refused.value.message
        assert "a1B2" not in refused.value.message


def test_a_password_that_is_an_everyday_word_refuses_no_honest_work() -> None:
    judge(parse_patch(added("specs/a.md", "Made by /speckit.plan\n")), AGENT_POLICY, secrets=["speckit"])


@pytest.mark.parametrize("patch", [case[1] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_what_is_not_understood_is_refused_whole(patch: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_patch(patch.encode())
    assert refused.value.code is ErrorCode.PUBLISH_PATCH_UNREADABLE


def test_there_are_enough_hostile_patches() -> None:
    assert len(HOSTILE) + len(UNREADABLE) >= 60


def test_the_refusal_shows_a_hidden_name_openly() -> None:
    with pytest.raises(UserError, match=r"specs/a\\u202egnp\.md"):
        judge(parse_patch(added("specs/a\u202egnp.md")), AGENT_POLICY)


def test_what_specify_init_writes_needs_its_own_policy() -> None:
    skills = parse_patch(added(".agents/skills/speckit-plan/SKILL.md") + added(".specify/templates/a.md"))
    judge(skills, init_policy("", "codex"))
    with pytest.raises(UserError):
        judge(parse_patch(added("specs/a.md")), init_policy("", "codex"))


NAMES = st.text(
    st.one_of(st.sampled_from(list("aA.gGiItT~1 /\\:\u200c\u0308ß\n")), st.characters(exclude_categories=[])),
    max_size=30,
)


@given(st.one_of(NAMES, NAMES.map("specs/".__add__), NAMES.map("specs/001-x/".__add__)))
def test_an_accepted_path_is_plain_and_inside(path: str) -> None:
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return
    try:
        patch = parse_patch(added(raw.decode("utf-8", "surrogateescape")))
        judge(patch, AGENT_POLICY)
    except UserError:
        return
    (change,) = patch.changes
    assert posixpath.normpath(change.path) == change.path == unicodedata.normalize("NFC", change.path)
    assert change.path in {"AGENTS.md", ".specify/feature.json"} or change.path.startswith("specs/")
    assert ".." not in change.path.split("/")
    assert ".git" not in change.path.casefold().split("/")
    assert change.new_mode == "100644"
    assert all(unicodedata.category(character)[0] != "C" for character in change.path)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_understood(data: bytes) -> None:
    try:
        changes = parse_patch(data).changes
    except UserError as refused:
        code: ErrorCode | None = refused.code
    else:
        code = None
        assert bool(changes) == bool(data)
    assert code in {None, ErrorCode.PUBLISH_PATCH_UNREADABLE}


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(["specs/a.md", "specs/b c.md", "specs/ü.md", ".specify/x.sh", 'specs/q".md']),
        st.tuples(st.one_of(st.none(), st.binary(max_size=200)), st.one_of(st.none(), st.binary(max_size=200))),
        min_size=1,
    )
)
def test_what_git_writes_is_understood_as_git_means_it(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes | None, bytes | None]]
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    git(folder, "init", "-q")
    trees = []
    for side in (0, 1):
        for name, contents in files.items():
            path = folder / name
            path.unlink(missing_ok=True)
            if (content := contents[side]) is not None:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        git(folder, "add", "--all", "--force", ".")
        trees.append(git(folder, "write-tree"))
    patch = parse_patch(_diff(folder, *trees))
    expected = {name: contents for name, contents in files.items() if contents[0] != contents[1]}
    assert {change.path for change in patch.changes} == set(expected)
    for change in patch.changes:
        before, after = expected[change.path]
        assert change.kind == ("added" if before is None else "deleted" if after is None else "modified")
        if before is None and change.new_content is not None:
            assert change.new_content == after


def _diff(folder: Path, before: str, after: str) -> bytes:
    return subprocess.run(
        ["git", "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", before, after],
        cwd=folder,
        env=GIT,
        capture_output=True,
        check=True,
    ).stdout
