"""The comment with the questions of a pull request."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

from bot.github.markers import marker_in, questions_marker
from bot.reporting.clarification_comment import clarification_comment
from bot.reporting.file_links import FilesAt
from db.records import Clarification
from tests.bot.example_runs import HEAD, NOW, QUESTIONS, REPOSITORY, RUN_ID, example_questions

MARKER = questions_marker(RUN_ID)


def told(asked: Clarification) -> str:
    return clarification_comment(asked, prefix="/speckit", marker=MARKER)


def answered(*numbers: int, **changes: Any) -> Clarification:
    """The questions with some of them answered by bob."""
    given = {1: "EUR only", 2: "After 60 days", 3: "Ask @carol; see #4 | maybe"}
    answers = [{"number": number, "question": "?", "answer": given[number]} for number in numbers]
    return example_questions(answers={"answers": answers}, answered_by="bob", answered_at=NOW, **changes)


def test_questions_that_wait() -> None:
    assert told(example_questions()) == snapshot("""\
❓ **3 questions need an answer.** Nothing runs until somebody answers.

| # | question | choices |
|---|---|---|
| **1** | Which currencies can an invoice have?<br>*Why it matters:* Rounding and tax differ \\| ask `@alice`.<br>`specs/001-pay-by-invoice/spec.md:12` | **A: EUR only** (recommended)<br>B: EUR and USD |
| **2** | When is an invoice late? | A: After 30 days<br>B: After 60 days |
| **3** | Who is told?<br>`specs/001-pay-by-invoice/spec.md:30` | *answer in your own words* |

**To answer:**

- `/speckit clarify 1A 2A 3: YOUR ANSWER` at the start of a line: the number of a question and the letter of a choice, or the number, a colon and your own words
- or quote this comment and reply `1A 2A 3: YOUR ANSWER`
- or `/speckit clarify --accept-recommended` for every recommended choice

<!-- speckit-bot:questions=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_some_are_answered() -> None:
    assert told(answered(1, 3)) == snapshot("""\
❓ **1 of 3 questions still needs an answer.** The others are answered, the last by `bob`.

| # | question | answer or choices |
|---|---|---|
| **1** | Which currencies can an invoice have?<br>*Why it matters:* Rounding and tax differ \\| ask `@alice`.<br>`specs/001-pay-by-invoice/spec.md:12` | ✅ EUR only |
| **2** | When is an invoice late? | A: After 30 days<br>B: After 60 days |
| **3** | Who is told?<br>`specs/001-pay-by-invoice/spec.md:30` | ✅ Ask `@carol`; see `#4` \\| maybe |

**To answer:**

- `/speckit clarify 2A` at the start of a line: the number of a question and the letter of a choice, or the number, a colon and your own words
- or quote this comment and reply `2A`

<!-- speckit-bot:questions=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_all_are_answered() -> None:
    assert told(answered(1, 2, 3, closed_at=NOW)) == snapshot("""\
✅ **All 3 questions are answered**, the last by `bob`. A run of its own works the answers into the specification.

| # | question | answer or choices |
|---|---|---|
| **1** | Which currencies can an invoice have?<br>*Why it matters:* Rounding and tax differ \\| ask `@alice`.<br>`specs/001-pay-by-invoice/spec.md:12` | ✅ EUR only |
| **2** | When is an invoice late? | ✅ After 60 days |
| **3** | Who is told?<br>`specs/001-pay-by-invoice/spec.md:30` | ✅ Ask `@carol`; see `#4` \\| maybe |

<!-- speckit-bot:questions=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_newer_questions_took_their_place() -> None:
    text = told(answered(1, closed_at=NOW))
    assert text.split("\n\n")[0] == snapshot("➖ **These questions are closed:** newer ones took their place.")
    assert "/speckit clarify" not in text
    assert "✅ EUR only" in text
    assert "*not answered*" in text


def test_one_question() -> None:
    one = {"questions": {"questions": QUESTIONS[2:]}}
    assert told(example_questions(**one)).split("\n\n")[0] == snapshot(
        "❓ **1 question needs an answer.** Nothing runs until somebody answers."
    )
    closed = answered(3, closed_at=NOW)
    closed.questions = {"questions": QUESTIONS[2:]}
    assert told(closed).split("\n\n")[0] == snapshot(
        "✅ **The question is answered** by `bob`. A run of its own works the answers into the specification."
    )
    assert "--accept-recommended" not in told(example_questions(**one)), "nothing is recommended"


def test_where_a_question_stands_is_a_link_when_the_commit_is_known() -> None:
    text = clarification_comment(example_questions(), prefix="/speckit", marker=MARKER, at=FilesAt(REPOSITORY, HEAD))
    assert f"/blob/{HEAD}/specs/001-pay-by-invoice/spec.md?plain=1#L12)" in text


def test_whatever_was_asked_it_fits() -> None:
    huge = [
        {
            "number": number,
            "text": "[" * 10_000,
            "why": "|" * 10_000,
            "options": [{"letter": letter, "text": "`" * 10_000} for letter in "ABCDEF"],
            "recommended": "F",
            "path": "x" * 300,
            "line": 1,
        }
        for number in range(1, 21)
    ]
    text = told(example_questions(questions={"questions": huge}))
    assert len(text) <= 65_536
    assert marker_in(text) == MARKER
    assert "clarify --accept-recommended" in text


def test_questions_that_are_none() -> None:
    odd: list[Any] = [None, {"number": "1"}, {"number": 2, "options": "x"}, {"number": 3, "options": [{"text": "y"}]}]
    assert "**2** | (no words) | *answer in your own words* |" in told(example_questions(questions={"questions": odd}))
    told(example_questions(questions={}))
