"""The agent without a model asks what a specification leaves open, and puts answers where the questions came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.jobs.template_tree import DATE, FOLDER, Stuck, Tree, library, make_tree

CLARIFY = library("fill_clarify")
TOPICS = library("clarify_topics")
PARTS = library("spec_parts")
REQUEST = library("template_request")
SPEC = """# Feature Specification: Invoices

**Created**: 2026-11-01

## User Scenarios & Testing *(mandatory)*

### User Story 1 - Pay (Priority: P1)

1. **Given** an order, **When** it is paid, **Then** customers see it

### Edge Cases

- [NEEDS CLARIFICATION: what happens to expired cards?]

## Requirements *(mandatory)*

### Functional Requirements

- **FR-001**: System MUST authenticate users via [NEEDS CLARIFICATION: auth method - email/password, SSO, OAuth?]
- **FR-002**: System MUST answer fast, kept for [NEEDS CLARIFICATION: retention period not specified]
- **FR-003**: System MUST refuse a wrong card

## Success Criteria *(mandatory)*

- **SC-001**: 9 of 10 customers pay at the first try
"""
AUTH = "auth method - email/password, SSO, OAuth?"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = make_tree(tmp_path)
    made.write("spec.md", SPEC)
    return made


def asked(tree: Tree, spec: str = SPEC, text: str = "") -> list[dict[str, object]]:
    tree.write("spec.md", spec)
    tree.work("clarify", text=text)
    found: list[dict[str, object]] = tree.result()["questions"]
    return found


def answered(tree: Tree, *answers: tuple[str, str], date: str = DATE) -> str:
    tree.work("clarify", answers=[{"question": q, "answer": a} for q, a in answers], date=date)
    return tree.read("spec.md")


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    """(old, new) of the lines that differ, without those that came in."""
    came, kept = after.split("\n"), []
    for line in before.split("\n"):
        if line in came:
            came = came[came.index(line) + 1 :]
        else:
            kept.append((line, came.pop(0)))
    return kept


def test_marks_become_questions_with_their_own_choices(tree: Tree) -> None:
    done = tree.ask("clarify")
    assert done.stdout == f"wrote 4 questions about {FOLDER}/spec.md; no file was changed\n"
    first, second, third, fourth = tree.result()["questions"]
    assert first["question"] == "what happens to expired cards?"
    assert second == {
        "question": AUTH,
        "why": "It decides how people prove who they are, which touches every other part. "
        "A is recommended because the specification names it first.",
        "options": [
            {"letter": "A", "text": "email/password"},
            {"letter": "B", "text": "SSO"},
            {"letter": "C", "text": "OAuth"},
        ],
        "recommended": "A",
        "path": f"{FOLDER}/spec.md",
        "line": 19,
    }
    assert [option["text"] for option in third["options"]] == [
        "Until the account is deleted",
        "30 days",
        "1 year",
        "As long as the law asks, and no longer",
    ]
    assert fourth["question"] == 'What does "fast" mean in FR-002, so that it can be tested?'


def test_asking_changes_no_file(tree: Tree) -> None:
    before = tree.files()
    tree.work("clarify")
    assert tree.files() == before


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("auth method not specified - email/password, SSO, OAuth?", ("email/password", "SSO", "OAuth")),
        ("Is it billed monthly or yearly?", ("billed monthly", "yearly")),
        ("the export: CSV, JSON or PDF", ("CSV", "JSON", "PDF")),
        ("which region (e.g. EU, US)?", ("EU", "US")),
        ("should we use `Stripe`, Adyen, or Mollie?", ("Stripe", "Adyen", "Mollie")),
        ("a - 1, 2, 3, 4, 5, 6", ("1", "2", "3", "4")),
        ("one - the same, The Same", ()),
        ("retention period not specified", ()),
        ("who?", ()),
        ("", ()),
    ],
)
def test_alternatives_that_a_mark_lists(question: str, choices: tuple[str, ...]) -> None:
    assert TOPICS.alternatives(question) == choices


def test_gaps_are_asked_where_no_mark_is(tree: Tree) -> None:
    spec = (
        "# Feature Specification: X\n\n## Requirements\n\n- **FR-001**: System MUST be secure and intuitive\n\n"
        "## Success Criteria\n\n- **SC-001**: It is good\n"
    )
    found = {question["question"]: question["line"] for question in asked(tree, spec)}
    assert found == {
        'What does "secure" mean in FR-001, so that it can be tested?': 5,
        'What does "intuitive" mean in FR-001, so that it can be tested?': 5,
        "By which figure is the success of this feature measured?": 7,
        "Who uses this feature?": None,
        "What happens when something goes wrong?": 3,
    }


def test_nothing_to_ask_is_no_failure(tree: Tree) -> None:
    spec = SPEC.replace("fast, ", "")
    spec = re.sub(r"\[NEEDS[^\]]*\]", "a card that is refused", spec)
    assert asked(tree, spec) == []
    done = tree.ask("clarify")
    assert (done.returncode, done.stdout) == (0, f"wrote 0 questions about {FOLDER}/spec.md; no file was changed\n")


def test_at_most_five_and_what_matters_to_people_first(tree: Tree) -> None:
    marks = "".join(f"- [NEEDS CLARIFICATION: point {number}]\n" for number in range(9))
    spec = f"# F\n\n{marks}- [NEEDS CLARIFICATION: how long are invoices kept?]\n"
    assert [question["question"] for question in asked(tree, spec)] == [f"point {number}" for number in range(5)]
    first = asked(tree, spec, text="the invoices, please")[0]
    assert first["question"] == "how long are invoices kept?"


def test_options_are_lettered_and_the_recommended_one_is_among_them(tree: Tree) -> None:
    for topic in (*TOPICS.TOPICS, TOPICS.OTHER):
        assert 2 <= len(topic.options) <= 4
    for question in asked(tree):
        letters = [option["letter"] for option in question["options"]]  # type: ignore[attr-defined]
        assert letters == ["A", "B", "C", "D"][: len(letters)]
        assert question["recommended"] in letters
        assert question["why"]


def test_answers_are_recorded_and_take_the_marks_places(tree: Tree) -> None:
    spec = answered(tree, (AUTH, "SSO"), ("what happens to expired cards?", "They are refused"))
    assert changed_lines(SPEC, spec) == [
        ("- [NEEDS CLARIFICATION: what happens to expired cards?]", "- They are refused"),
        (
            f"- **FR-001**: System MUST authenticate users via [NEEDS CLARIFICATION: {AUTH}]",
            "- **FR-001**: System MUST authenticate users via SSO",
        ),
    ]
    assert (
        "**Created**: 2026-11-01\n\n## Clarifications\n\n### Session 2026-11-22\n\n"
        f"- Q: {AUTH} → A: SSO\n- Q: what happens to expired cards? → A: They are refused\n\n## User Scenarios"
    ) in spec


def test_a_requirement_that_a_question_names_gets_the_answer(tree: Tree) -> None:
    question = 'What does "fast" mean in FR-002, so that it can be tested?'
    spec = answered(tree, (question, "within 1 second"))
    ((_, line),) = changed_lines(SPEC, spec)
    assert line.endswith("[NEEDS CLARIFICATION: retention period not specified] (clarified: within 1 second)")
    assert question not in [other["question"] for other in asked(tree, spec)]
    again = answered(tree, (question, "within 2 seconds"))
    assert again.count("(clarified: ") == 1
    assert "(clarified: within 2 seconds)" in again


def test_a_second_session_appends_and_the_first_stays(tree: Tree) -> None:
    answered(tree, (AUTH, "SSO"))
    same_day = answered(tree, ("what happens to expired cards?", "Refused"))
    assert same_day.count("### Session") == same_day.count("## Clarifications") == 1
    assert f"- Q: {AUTH} → A: SSO\n- Q: what happens to expired cards? → A: Refused\n\n" in same_day
    later = answered(tree, ("retention period not specified", "30 days"), date="2026-12-01")
    assert (
        "→ A: Refused\n\n### Session 2026-12-01\n\n- Q: retention period not specified → A: 30 days\n\n## User" in later
    )
    assert "[NEEDS CLARIFICATION" not in later


def test_the_same_answers_again_change_nothing(tree: Tree) -> None:
    answers = [{"question": AUTH, "answer": "SSO"}, {"question": "Who uses it?", "answer": "Staff"}]
    tree.work("clarify", answers=answers)
    before = tree.files()
    done = tree.ask("clarify", answers=answers, date="2027-01-01")
    assert (done.returncode, done.stdout) == (0, f"wrote nothing: {FOLDER}/spec.md has these answers already\n")
    assert tree.files() == before


def test_the_section_comes_after_an_overview(tree: Tree) -> None:
    tree.write("spec.md", "# F\n\n## Overview\n\n### Why\n\nx\n\n## Requirements\n\n- **FR-001**: y\n")
    spec = answered(tree, ("Who?", "All"))
    assert re.findall(r"^#+ .*", spec, re.MULTILINE) == [
        "# F",
        "## Overview",
        "### Why",
        "## Clarifications",
        "### Session 2026-11-22",
        "## Requirements",
    ]


@pytest.mark.parametrize("spec", ["", "x", "x\n", "# F\n", "```\n## Code\n", "<!-- \n## C\n", "## Clarifications"])
def test_any_file_takes_an_answer_once(tree: Tree, spec: str) -> None:
    tree.write("spec.md", spec)
    first = answered(tree, ("Who?", "All"))
    assert first.count("- Q: Who? → A: All") == 1
    assert "".join(line for line in first.split("\n") if line in spec.split("\n")) == spec.replace("\n", "")
    assert answered(tree, ("Who?", "All"), ("what?", "it")).count("## Clarifications") == 1


def test_line_ends_and_bytes_that_are_no_text_stay(tree: Tree) -> None:
    path = tree.root / FOLDER / "spec.md"
    path.write_bytes(b"# F\r\n\r\n\xff\xfe raw\r\n\r\n## R\r\n\r\n- [NEEDS CLARIFICATION: who?]\r\n")
    tree.work("clarify", answers=[{"question": "who?", "answer": "staff"}])
    assert path.read_bytes() == (
        b"# F\r\n\r\n\xff\xfe raw\r\n\r\n## Clarifications\r\n\r\n### Session 2026-11-22\r\n\r\n"
        b"- Q: who? \xe2\x86\x92 A: staff\r\n\r\n## R\r\n\r\n- staff\r\n"
    )


def test_a_question_that_was_cut_short_finds_its_mark(tree: Tree) -> None:
    long = "which of the many ways " + "and ways " * 60 + "is it?"
    tree.write("spec.md", f"# F\n\n- [NEEDS CLARIFICATION: {long}]\n")
    assert "- this one\n" in answered(tree, (long[:299] + "…", "this one"))


def test_a_mark_without_words_is_asked_by_its_line(tree: Tree) -> None:
    first = "- **FR-001**: Users pay [NEEDS CLARIFICATION] by card"
    spec = f"# F\n\n{first}\n- **FR-002**: 1 customer [NEEDS CLARIFICATION: ?]\n"
    questions = [str(question["question"]) for question in asked(tree, spec)]
    assert questions[0] == "What is to be decided here: FR-001: Users pay … by card"
    spec = answered(tree, (questions[0], "only"), (questions[1], "at most"))
    assert "- **FR-001**: Users pay only by card\n- **FR-002**: 1 customer at most\n" in spec


def test_the_checklist_of_the_specification_follows(tree: Tree) -> None:
    tree.write("checklists/requirements.md", "- [ ] No [NEEDS CLARIFICATION] markers remain\n- [x] Ours\n- [ ] Open\n")
    answered(tree, (AUTH, "SSO"), ("what happens to expired cards?", "Refused"))
    assert tree.read("checklists/requirements.md").startswith("- [ ] No")
    answered(tree, ("retention period not specified", "30 days"))
    assert tree.read("checklists/requirements.md") == (
        "- [x] No [NEEDS CLARIFICATION] markers remain\n- [x] Ours\n- [ ] Open\n"
    )


def test_what_cannot_be_done_is_told(tree: Tree) -> None:
    with pytest.raises(Stuck, match="none of the answers has a word"):
        tree.work("clarify", answers=[{"question": "who?", "answer": " \n"}])
    with pytest.raises(Stuck, match="`result_file`"):
        tree.work("clarify", result_file="")
    (tree.root / FOLDER / "spec.md").unlink()
    with pytest.raises(Stuck, match=r"spec.md is not there; the command `specify` makes it"):
        tree.work("clarify")


@pytest.mark.parametrize(
    "answer",
    [
        "# Heading",
        "[NEEDS CLARIFICATION: again?]",
        "a\n\n## Clarifications\n\n- Q: x → A: y",
        "<!-- gone",
        "--> </div>",
        "``` code",
        "~~~",
        "| a | b |",
        "---",
        "===",
        "1. one",
        "[x](javascript:y) ![i](http://z)",
        "דרך SSO \u202eevil\u202c",
        "🚀\u200d🚀",
        "a\0b",
        "\\[ \\\\ \\",
        "x" * 65_536,
    ],
)
def test_an_answer_cannot_act(tree: Tree, answer: str) -> None:
    questions = (AUTH, "what happens to expired cards?", "retention period not specified")
    spec = answered(tree, *((question, answer) for question in questions))
    tokens = MarkdownIt("commonmark").parse(spec)
    kinds = {token.type for token in tokens}
    assert not kinds & {"fence", "code_block", "html_block", "hr"}
    headings = [line for line in spec.split("\n") if line.startswith("#")]
    assert len(headings) == len(re.findall(r"^#", SPEC, re.MULTILINE)) + 2
    assert sum(token.type == "heading_open" for token in tokens) == len(headings)
    inline = {child.type for token in tokens for child in token.children or ()}
    before = {child.type for token in MarkdownIt("commonmark").parse(SPEC) for child in token.children or ()}
    assert inline <= before | {"softbreak", "text_special"}
    assert "[NEEDS CLARIFICATION" not in spec
    assert not set(spec) & set("\0\u202e\u202c")
    assert len(spec) < 20_000


WORDS = st.text(
    st.one_of(st.sampled_from("abc XYZ?.,:;()[]\\`*_<>|#-~=→…é"), st.characters(codec="utf-8")), max_size=40
)


@given(
    questions=st.lists(WORDS, max_size=6),
    others=st.lists(WORDS, max_size=4),
    answers=st.lists(st.tuples(st.integers(0, 9), WORDS), max_size=6),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_answers_of_any_kind(questions: list[str], others: list[str], answers: list[tuple[int, str]]) -> None:
    """What was answered is gone and recorded once; what was not stays; again changes nothing; no other line moves."""
    flat = [re.sub(r"[\]\n]", "", question) for question in questions]
    lines = [f"- **FR-{number:03}**: it is [NEEDS CLARIFICATION: {text}] so" for number, text in enumerate(flat)]
    kept = [f"- line {text}".replace("\n", " ").replace("[NEEDS", "") for text in others]
    spec = "\n".join(["# F", "", "## Requirements", "", *lines, *kept, ""])
    known = [mark.question for mark in PARTS.marks(spec)]
    said = [REQUEST.Answer(known[place], answer) for place, answer in answers if place < len(known)]
    made = CLARIFY.clarify(spec, said, DATE)
    again = CLARIFY.clarify(made.content, said, "2027-01-01")
    assert again.content == made.content
    counted = CLARIFY.usable(said)
    keys = {PARTS.question_key(answer.question) for answer in counted}
    left = {PARTS.question_key(mark.question) for mark in PARTS.marks(made.content)}
    assert left == {PARTS.question_key(question) for question in known} - keys
    records = CLARIFY.recorded(made.content)
    assert sorted(PARTS.question_key(record.question) for record in records) == sorted(keys)
    assert all(line in made.content.split("\n") for line in kept)
    assert len(made.content.split("\n")) == len(spec.split("\n")) + (len(counted) + 5 if counted else 0)


def blocks(spec: str) -> list[tuple[str, str]]:
    """The block structure, without the words."""
    return [(token.type, token.tag) for token in MarkdownIt("commonmark").parse(spec)]


@given(answers=st.lists(WORDS, min_size=3, max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_answer_changes_how_the_rest_is_read(answers: list[str]) -> None:
    questions = [mark.question for mark in PARTS.marks(SPEC)]
    said = [REQUEST.Answer(question, answer) for question, answer in zip(questions, answers, strict=True)]
    plain = [REQUEST.Answer(answer.question, "x") for answer in CLARIFY.usable(said)]
    assert blocks(CLARIFY.clarify(SPEC, said, DATE).content) == blocks(CLARIFY.clarify(SPEC, plain, DATE).content)
