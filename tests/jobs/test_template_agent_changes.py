"""The agent without a model changes what is there: the constitution, one section of a file; and implements nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs.template_tree import FOLDER, Stuck, Tree, library, make_tree

CONSTITUTION = ".specify/memory/constitution.md"
REFINE = library("refine_section")
PLACE = library("template_request").Place
SPEC = """# Feature Specification: Invoices

Intro text.

### Functional Requirements

- **FR-001**: System MUST send an invoice.
- **FR-002**: System MUST remind

### Edge Cases

- Expired cards
- Lost mail

---

## Assumptions

1. One
2. Two
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = make_tree(tmp_path)
    made.write("spec.md", SPEC)
    return made


def constitution(tree: Tree) -> str:
    return (tree.root / CONSTITUTION).read_text("utf-8")


def titles(document: str) -> list[str]:
    return re.findall(r"^#+ (.*)", document, re.MULTILINE)


def refined(tree: Tree, wish: str, first: int, last: int) -> list[tuple[int, str]]:
    """The lines, with their numbers, that the file did not have before."""
    before = tree.read("spec.md").split("\n")
    section = {"path": f"{FOLDER}/spec.md", "heading": "x", "first_line": first, "last_line": last}
    tree.work("refine", text=wish, section=section)
    after = tree.read("spec.md").split("\n")
    assert after[: first - 1] == before[: first - 1]
    assert after[len(after) - len(before) + last :] == before[last:]
    return [(number, line) for number, line in enumerate(after, start=1) if line not in before]


def test_a_constitution_is_made_from_the_template(tree: Tree) -> None:
    (tree.root / "README.md").write_text("# The *Shop*\n")
    done = tree.ask(
        "constitution", text="Test first: no change without a test.\n- Keep it simple", feature_directory=""
    )
    assert done.stdout == f"wrote {CONSTITUTION}, version 1.0.0: 2 principles added, 0 changed, 0 removed\n"
    made = constitution(tree)
    assert titles(made) == [
        "The Shop Constitution",
        "Core Principles",
        "I. Test first",
        "II. Keep it simple",
        "Governance",
    ]
    assert "### I. Test first\n\nno change without a test.\n" in made
    assert made.endswith("**Version**: 1.0.0 | **Ratified**: 2026-11-22 | **Last Amended**: 2026-11-22\n")
    assert made.startswith(
        "<!--\nSync Impact Report\n- Version change: none → 1.0.0 (first version)\n"
        "- Added principles: Test first; Keep it simple\n"
    )
    assert not re.search(r"\[[A-Z_0-9]+\]", made)


def test_the_template_that_specify_init_leaves_there_is_no_constitution(tree: Tree) -> None:
    (tree.root / CONSTITUTION).parent.mkdir()
    (tree.root / CONSTITUTION).write_bytes((tree.root / ".specify/templates/constitution-template.md").read_bytes())
    tree.work("constitution", text="Keep it simple")
    assert "Version**: 1.0.0" in constitution(tree)


def test_many_principles_become_constraints(tree: Tree) -> None:
    tree.work("constitution", text="\n".join(f"- rule number {number}" for number in range(300)))
    made = constitution(tree)
    assert made.count("\n### ") == 20
    assert "### XX. rule number 19\n" in made
    assert made.count("\n- rule number") == 100
    assert "180 further sentences of the request were left out" in made
    assert "## Additional Constraints\n\n- rule number 20\n" in made


@pytest.mark.parametrize(
    ("wish", "version", "names"),
    [
        ("Log everything: what happens is logged.", "1.1.0", ["Test first", "Keep it simple", "Log everything"]),
        ("keep it SIMPLE: keep it simple.", "1.0.1", ["Test first", "Keep it simple"]),
        ("Keep it simple: Keep it simple, and small.", "1.1.0", ["Test first", "Keep it simple"]),
        ("Keep it simple: Complexity is welcome.", "2.0.0", ["Test first", "Keep it simple"]),
        ("Remove the principle Test first.", "2.0.0", ["Keep it simple"]),
        ("Kind: be. Kind: be kind.", "1.1.0", ["Test first", "Keep it simple", "Kind"]),
        ("Drop test FIRST. Be kind.", "2.0.0", ["Keep it simple", "Be kind"]),
    ],
)
def test_an_amendment_moves_the_version(tree: Tree, wish: str, version: str, names: list[str]) -> None:
    tree.work("constitution", text="Test first: no change without a test. Keep it simple")
    tree.work("constitution", text=wish, date="2027-01-02")
    made = constitution(tree)
    assert f"**Version**: {version} | **Ratified**: 2026-11-22 | **Last Amended**: 2027-01-02" in made
    assert [title.partition(". ")[2] for title in titles(made)[2:-1]] == names
    assert made.count("Sync Impact Report") == 1
    assert f"- Version change: 1.0.0 → {version} (" in made


def test_an_amendment_leaves_the_rest(tree: Tree) -> None:
    own = (
        "# Ours\n\n## Core Principles\n\n### First\n\nText.\n\n- a list\n\n## Money\n\nNone.\n\n"
        "## Governance\n\nUs.\n\n"
        "**Version**: 2.4.6 | **Ratified**: 2020-01-01 | **Last Amended**: 2021-01-01\n"
    )
    (tree.root / CONSTITUTION).parent.mkdir()
    (tree.root / CONSTITUTION).write_text(own)
    tree.work("constitution", text="Second: more")
    body = constitution(tree).split("-->\n\n")[1]
    expected = own.replace("- a list\n", "- a list\n\n### Second\n\nmore\n")
    assert body == expected.replace("2.4.6", "2.5.0").replace("2021-01-01", "2026-11-22")


def test_a_constitution_without_version_and_principles_gets_both(tree: Tree) -> None:
    (tree.root / CONSTITUTION).parent.mkdir()
    (tree.root / CONSTITUTION).write_text("# Ours\n\nBe kind.\n")
    tree.work("constitution", text="Second: more")
    assert constitution(tree).split("-->\n\n")[1] == (
        "# Ours\n\nBe kind.\n\n## Core Principles\n\n### I. Second\n\nmore\n\n"
        "**Version**: 1.0.0 | **Ratified**: TODO(RATIFICATION_DATE) | **Last Amended**: 2026-11-22\n"
    )
    assert "RATIFICATION_DATE is not known" in constitution(tree)


def test_numbers_of_principles_go_on(tree: Tree) -> None:
    tree.work("constitution", text="- a\n- b\n- c\n- d")
    tree.work("constitution", text="remove b. remove c. e: f")
    assert titles(constitution(tree))[2:-1] == ["I. a", "IV. d", "V. e"]


def test_the_same_principles_again_change_nothing(tree: Tree) -> None:
    text = "Test first: no change without a test. # Keep --> it <simple> | 1. x"
    tree.work("constitution", text=text)
    before = tree.files()
    assert "says all of this already" in tree.work("constitution", text=text, date="2027-01-01")
    assert tree.files() == before


def test_what_no_constitution_can_be_made_of(tree: Tree) -> None:
    with pytest.raises(Stuck, match="the request is empty"):
        tree.work("constitution", text=" 🚀 ")
    tree.work("constitution", text="Keep it simple")
    with pytest.raises(Stuck, match="there is no principle called “moon”; nothing was changed"):
        tree.work("constitution", text="remove the moon")


@pytest.mark.parametrize(
    ("wish", "lines", "made"),
    [
        ("FR-002: Staff can remind", (5, 9), [(8, "- **FR-002**: Staff can remind")]),
        ("fr-002 after 30 days", (5, 9), [(8, "- **FR-002**: System MUST remind. after 30 days")]),
        ("As PDF. And as text.", (7, 7), [(7, "- **FR-001**: System MUST send an invoice. As PDF. And as text.")]),
        ("Let staff see it.", (5, 9), [(9, "- **FR-003**: System MUST meet this wish: Let staff see it.")]),
        ('replace "an invoice" with "a **bill**"', (5, 9), [(7, "- **FR-001**: System MUST send a \\*\\*bill\\*\\*.")]),
        ('Remove "System MUST "', (7, 7), [(7, "- **FR-001**: send an invoice.")]),
        ("# Wrong pin\n- No net", (10, 16), [(14, "- Wrong pin"), (15, "- No net")]),
        ("Three.", (17, 20), [(21, "3. Three.")]),
        ("More. And more.", (1, 4), [(5, "More. And more.")]),
        ("Why?", (3, 3), [(5, "Why?")]),
        ("Also a heading", (1, 1), [(3, "Also a heading")]),
    ],
)
def test_a_wish_changes_its_section_only(
    tree: Tree, wish: str, lines: tuple[int, int], made: list[tuple[int, str]]
) -> None:
    assert refined(tree, wish, *lines) == made


def test_the_summary_says_where(tree: Tree) -> None:
    section = {"path": f"{FOLDER}/spec.md", "heading": "", "first_line": 5, "last_line": 9}
    done = tree.ask("refine", text="FR-002: x", section=section)
    assert done.stdout == f"wrote {FOLDER}/spec.md, line 8: FR-002 has a new text\n"


@pytest.mark.parametrize(
    ("wish", "lines", "reason"),
    [
        ("", (5, 9), "the wish is empty"),
        ("\0\n🚀", (5, 9), "the wish is empty"),
        ("System MUST remind", (8, 8), "says that already"),
        ('replace "nothing" with "x"', (5, 9), "does not say “nothing”"),
        ('replace "FR-001" with "FR-009"', (7, 7), "does not say “FR-001”"),
        ("FR-009: x", (5, 9), "FR-009 is not in the section"),
        ("x", (0, 3), "has no lines 0 to 3"),
        ("x", (9, 5), "has no lines"),
        ("x", (500, 600), "has no lines"),
    ],
)
def test_what_would_change_nothing_is_told(tree: Tree, wish: str, lines: tuple[int, int], reason: str) -> None:
    with pytest.raises(Stuck, match=reason):
        refined(tree, wish, *lines)
    assert tree.read("spec.md") == SPEC


@pytest.mark.parametrize("path", ["../x.md", "/etc/hosts", "", "specs/none.md", "link.md"])
def test_only_a_file_of_the_project_is_refined(tree: Tree, path: str) -> None:
    outside = tree.root.parent / "outside.md"
    outside.write_text("text\n")
    (tree.root / "link.md").symlink_to(outside)
    done = tree.ask("refine", text="x", section={"path": path, "heading": "", "first_line": 1, "last_line": 1})
    assert done.returncode == 1
    assert outside.read_text() == "text\n"


@given(
    lines=st.lists(
        st.sampled_from(["- a", "1. b", "text", "", "- **FR-003**: c", "## H", "```", "---", "| a |", "é\r"])
    ),
    wish=st.text(max_size=60),
    first=st.integers(-1, 12),
    length=st.integers(-1, 12),
)
@settings(max_examples=400, deadline=None)
def test_no_wish_reaches_beyond_its_lines(lines: list[str], wish: str, first: int, length: int) -> None:
    document = "\n".join(lines)
    all_lines = document.split("\n")
    try:
        made = REFINE.refine(document, PLACE("x.md", "", first, first + length), wish).content.split("\n")
    except Stuck:
        return
    assert made != all_lines
    assert made[: first - 1] == all_lines[: first - 1]
    rest = all_lines[first + length :]
    assert made[len(made) - len(rest) :] == rest


def test_an_implementation_is_a_list_of_what_is_to_be_done(tree: Tree) -> None:
    tree.write(
        "tasks.md",
        "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 One\n- [X] T002 Two\n\n## Phase 2: More\n\n- [ ] T003 x\n",
    )
    before = tree.read("tasks.md")
    done = tree.ask("implement", text="Begin with <b>.", paths=["README.md", "src/", "lib/"])
    assert done.stdout == (
        "wrote src/IMPLEMENTATION-NOTES.md: 1 of 3 tasks done; this agent has no model and implemented none\n"
    )
    notes = (tree.root / "src/IMPLEMENTATION-NOTES.md").read_text()
    assert notes.startswith("# Implementation notes: Invoices\n")
    assert "has no language model, so it implemented nothing" in notes
    assert notes.endswith(
        "## Asked for\n\n- Begin with \\<b\\>.\n\n## Phase 1: Setup\n\n- open: T001 One\n- done: T002 Two\n\n"
        "## Phase 2: More\n\n- open: T003 x\n"
    )
    assert tree.read("tasks.md") == before
    assert not (tree.root / "lib").exists()


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ([], "no path is allowed"),
        (["src/a.py"], "none of the allowed paths is a folder"),
        (["../x/"], "no file"),
        (["/tmp/"], "no file"),
        (["out/"], "no file"),
    ],
)
def test_notes_go_only_where_they_may(tree: Tree, paths: list[str], reason: str) -> None:
    tree.write("tasks.md", "- [ ] T001 One\n")
    (tree.root.parent / "outside").mkdir()
    (tree.root / "out").symlink_to(tree.root.parent / "outside")
    before = tree.files()
    with pytest.raises(Stuck, match=reason):
        tree.work("implement", paths=paths)
    assert tree.files() == before
    assert not list((tree.root.parent / "outside").iterdir())


def test_an_implementation_needs_tasks(tree: Tree) -> None:
    with pytest.raises(Stuck, match=r"tasks.md is not there; the command `tasks` makes it"):
        tree.work("implement", paths=["src/"])
