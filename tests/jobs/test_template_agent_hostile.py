"""The agent without a model takes any words for any phase: it stays in its tree, in time, and says the same twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.jobs.template_tree import FOLDER, Stuck, Tree, make_tree

LONGEST = 65_536
HOSTILE = {
    "empty": "",
    "spaces": " \t\r\n\u2028 ",
    "right to left": "دفع بالفاتورة للعملاء. \u202eevil\u202c דרך SSO?",
    "emoji": "🚀👩\u200d💻 🇪🇺! ❤\ufe0f",
    "NUL": "a\0b. \x1b[31mred\x07",
    "half of a pair": "pay \ud800 now. \udfff",
    "headings": "# One\n## Requirements\n- **FR-001**: mine\n### User Story 9 - mine (Priority: P1)\n---\n===",
    "comments": "<!-- a. b\nc --> d <!-- e. f",
    "fences": "```\n# a\n~~~\n- **FR-007**: b\n``` c",
    "markup": "<script>alert(1)</script> [x](javascript:y) ![z](http://w) | a | b | @ada #1 $(id) `id` \\",
    "marks": "[NEEDS CLARIFICATION: a or b?] [NEEDS CLARIFICATION] [NEEDS CLARIFICATION: [x]] [NEEDS CLARIFICATION: y",
    "template": "[FEATURE NAME] $ARGUMENTS [DATE] [###-feature-name] [PROJECT_NAME] [GOVERNANCE_RULES] %s \\g<0>",
    "records": "## Clarifications\n### Session 2026-11-22\n- Q: a → A: b\n- Q: a → A: c",
    "tasks": "- [ ] T001 [US1] FR-001\n- [x] CHK001 x\n**Version**: 9.9.9 | **Last Amended**: never",
    "one word": "a" * LONGEST,
    "many sentences": "Pay by invoice. Now! " * (LONGEST // 21),
    "different sentences": "".join(f"Users must see {number}. " for number in range(LONGEST // 24))[:LONGEST],
    "many marks": "[NEEDS CLARIFICATION: a, b or c?] " * (LONGEST // 34),
    "many open marks": "[NEEDS CLARIFICATION: " * (LONGEST // 22),
    "many openings": "[" * LONGEST,
    "many escapes": "\\" * LONGEST,
    "many fences": "```x\n~~~y\n" * (LONGEST // 10),
    "many comments": "<!--\n" * (LONGEST // 5),
    "many lists": "- " * (LONGEST // 2),
    "many quotes": "> " * (LONGEST // 2),
    "many spaces": "a" + " " * (LONGEST - 2) + "b",
    "many lines": "a\n" * (LONGEST // 2),
    "many colons": "a: " * (LONGEST // 3),
    "many ids": "FR-001 to FR-999999, " * (LONGEST // 21),
    "many stars": "*_" * (LONGEST // 2),
}
PLACE = {"path": f"{FOLDER}/spec.md", "heading": "", "first_line": 1, "last_line": 10}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


def attempt(tree: Tree, phase: str, **fields: object) -> str:
    """In time. Returns why it was not done, or nothing."""
    began = time.monotonic()
    try:
        tree.work(phase, **fields)
        reason = ""
    except Stuck as error:
        reason = str(error)
    assert time.monotonic() - began < 30
    return reason


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_words_for_any_phase(tree: Tree, text: str) -> None:
    tree.work("specify", text="Customers pay by invoice, fast. Via [NEEDS CLARIFICATION: card or bill?].")
    tree.work("clarify")
    questions = [question["question"] for question in tree.result()["questions"]]
    requests: list[tuple[str, dict[str, object]]] = [
        ("clarify", {"answers": [{"question": question, "answer": text} for question in [*questions, text]]}),
        ("plan", {"text": text}),
        ("tasks", {"text": text}),
        ("checklist", {"text": text}),
        ("constitution", {"text": text}),
        ("analyze", {"text": text}),
        ("clarify", {"text": text}),
        ("implement", {"text": text, "paths": ["src/"]}),
    ]
    for phase, fields in requests:
        reason = attempt(tree, phase, **fields)
        after = tree.files()
        assert attempt(tree, phase, **fields) == reason
        assert tree.files() == after
    attempt(tree, "refine", text=text, section=PLACE)
    allowed = {f"{FOLDER}/{name}.md" for name in ("spec", "plan", "tasks", "checklists/requirements")}
    allowed |= {".specify/feature.json", ".specify/memory/constitution.md", "src/IMPLEMENTATION-NOTES.md"}
    for name, content in tree.files().items():
        assert name in allowed or name.startswith((".specify/templates/", f"{FOLDER}/checklists/"))
        assert not set(content.decode()) & set("\0\x1b\x07\u202e\u2028")
        assert len(content) < 1_000_000


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_words_become_a_specification_that_the_next_phases_take(tree: Tree, text: str) -> None:
    reason = attempt(tree, "specify", text=text)
    if reason:
        assert reason == "the request is empty; say what to specify"
        return
    first = tree.files()
    assert attempt(tree, "specify", text=text) == ""
    assert tree.files() == first
    spec = tree.read("spec.md")
    if len(text) < 1000:
        tokens = MarkdownIt("commonmark").parse(spec)
        headings = [token for token in tokens if token.type == "heading_open" and token.level == 0]
        assert len(headings) == sum(line.startswith("#") for line in spec.split("\n"))
    assert "\n### Functional Requirements\n" in spec
    for phase in ("clarify", "plan", "tasks", "analyze", "checklist"):
        assert attempt(tree, phase) == ""
    assert len(tree.result_file.read_bytes()) < 256 * 1024


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "the request is no JSON object"),
        ("{}", "the request's `date` is not YYYY-MM-DD"),
        ('{"date": "2026-11-22", "phase": "speckit_dance"}', "no phase speckit_dance"),
        ('{"date": "2026-11-22", "text": 7}', "the request's `text` is no text"),
        ('{"date": "2026-11-22", "answers": "x"}', "the request's `answers` is no list"),
        ('{"date": "2026-11-22", "answers": ["x"]}', "the request's `answers` holds something else than objects"),
        ('{"date": "2026-11-22", "section": {"path": "x"}}', "the request's `section` has no line numbers"),
        ('{"date": "2026-11-22", "phase": "speckit_plan", "feature_directory": "a\\u0000b"}', "null byte"),
        ("{", "Expecting property name"),
    ],
)
def test_what_is_no_request_is_told_in_one_line(tree: Tree, content: str, reason: str) -> None:
    done = tree.ask_in_words(content)
    assert done.returncode == 1
    assert done.stdout == ""
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("folder", ["", "/tmp/x", "../x", "specs/../../x", ".", "specs/link/x", "loop/x"])
@pytest.mark.parametrize("phase", ["specify", "plan", "tasks", "clarify", "checklist", "analyze", "implement"])
def test_no_folder_leads_out_of_the_tree(tree: Tree, phase: str, folder: str) -> None:
    outside = tree.root.parent / "x"
    outside.mkdir()
    (tree.root / "specs").mkdir()
    (tree.root / "specs/link").symlink_to(outside)
    (tree.root / "loop").symlink_to("loop")
    if phase == "specify" and not folder:
        return
    fields = {"text": "Pay", "paths": ["src/"], "answers": [{"question": "q", "answer": "a"}]}
    with pytest.raises((Stuck, OSError, RuntimeError)):
        tree.work(phase, feature_directory=folder, **fields)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("phase", "name"),
    [("specify", "spec.md"), ("plan", "plan.md"), ("tasks", "tasks.md"), ("checklist", "checklists/ux.md")],
)
def test_no_file_is_written_through_a_link(tree: Tree, phase: str, name: str) -> None:
    tree.work("specify", text="Pay by invoice.")
    tree.work("plan")
    outside = tree.root.parent / "outside.md"
    outside.write_text("# Not yours\n")
    path = tree.root / FOLDER / name
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    with pytest.raises(Stuck, match="reached through a link"):
        tree.work(phase, text="UX")
    assert outside.read_text() == "# Not yours\n"
