"""The border: what crosses it is understood, in its place, regular, small, and no secret."""

from __future__ import annotations

import posixpath
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import init_policy, judge, parse_patch, policy_for
from jobs.patches.policy import show
from jobs.redaction import encodings
from tests.jobs.git_server import GIT, git
from tests.jobs.hostile_patches import HOSTILE, KNOWN_SECRET, SECRET, TOO_MANY, Hostile
from tests.jobs.patch_builders import ONE, TWO, ZERO, added, binary, chmod, deleted, delta, modified

AGENT_POLICY = policy_for(Phase.SPECKIT_SPECIFY, project="", feature_directory="", integration="codex")


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


GOOD = added("specs/a.md").decode()
ADDED = f"new file mode 100644\nindex {ZERO}..{ONE}"
DATA = delta("specs/a", 9).decode().split("\n")[4]
EMPTY = binary("specs/a", b"").decode().split("\n")[5]
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
    ("binary added by a delta", delta("specs/a", 9).decode().replace(f"index {ONE}..{TWO} 100644", ADDED)),
    ("delta without sizes", delta("specs/a", 9).decode().replace("delta 4", "delta 0").replace(DATA, EMPTY)),
    ("copy", "diff --git a/specs/a b/specs/b\nsimilarity index 100%\ncopy from specs/a\ncopy to specs/b\n"),
    ("rename to the same", "diff --git a/specs/a b/specs/a\nrename from src/x\nrename to specs/a\n"),
    ("a second name behind a tab", GOOD.replace("+++ b/specs/a.md", "+++ b/specs/a.md\t.github/x")),
    ("a time behind the name", GOOD.replace("+++ b/specs/a.md", "+++ b/specs/a.md 2026-11-22")),
    ("quoted in one place, other in the next", GOOD.replace("+++ b/specs/a.md", '+++ "b/specs/b.md"')),
    ("line ends of another system", GOOD.replace("\n", "\r\n")),
    ("modes of two kinds", GOOD.replace("new file mode", "old mode 100644\nnew mode 120000\nnew file mode")),
    ("text behind binary data", binary("specs/a", b"x").decode() + "+++ b/.github/x\n@@ -0,0 +1 @@\n+x\n"),
    ("a whole mail", "From 1 Mon Sep 17\nSubject: x\n\n---\n" + GOOD),
    ("not a patch", "\x00\x01\x02\n"),
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=[hostile.name for hostile in HOSTILE])
def test_a_hostile_patch_is_refused_by_name(hostile: Hostile) -> None:
    patch = parse_patch(hostile.patch)
    with pytest.raises(UserError) as refused:
        judge(patch, AGENT_POLICY, secrets=[KNOWN_SECRET])
    message = refused.value.message
    assert refused.value.code is hostile.rule.code
    assert hostile.rule.words in message
    assert all(character.isprintable() for character in message)
    if hostile.rule is SECRET:
        assert not any(word in message for word in ("hunter2", "2retnuh", "a1B2", "aB3", "speckit-run-", "MIIE"))
        assert "`specs/a." in message or "a file whose name holds it" in message
    elif hostile.rule is not TOO_MANY:
        assert any(f"`{show(change.path)}`" in message for change in patch.changes), "the file is not named"


def test_a_password_that_is_an_everyday_word_refuses_no_honest_work() -> None:
    judge(parse_patch(added("specs/a.md", "Made by /speckit.plan\n")), AGENT_POLICY, secrets=["speckit"])


@pytest.mark.parametrize("patch", [case[1] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_what_is_not_understood_is_refused_whole(patch: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_patch(patch.encode())
    assert refused.value.code is ErrorCode.PUBLISH_PATCH_UNREADABLE


def test_there_are_enough_hostile_patches() -> None:
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE) >= 60
    assert len({hostile.patch for hostile in HOSTILE}) == len(HOSTILE)


def test_a_delta_counts_with_what_it_makes() -> None:
    (change,) = parse_patch(delta("specs/a.bin", 5 << 20)).changes
    assert (len(change.added_bytes), change.size_bytes, change.kind) == (7, 5 << 20, "modified")
    judge(parse_patch(delta("specs/a.bin", 4 << 20)), AGENT_POLICY)


@pytest.mark.parametrize("form", sorted(encodings(KNOWN_SECRET)))
def test_a_known_secret_is_found_in_each_of_its_forms(form: bytes) -> None:
    for patch in (added("specs/a.md", f"so {form.decode()}, then\n"), binary("specs/a.bin", b"\0" + form + b"\0")):
        with pytest.raises(UserError, match="seem to hold a secret of this installation in `specs/a") as refused:
            judge(parse_patch(patch), AGENT_POLICY, secrets=[KNOWN_SECRET])
        assert form.decode() not in refused.value.message


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
