"""Answers held against the questions, and quotes of them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.answering import matched_answers, quotes_questions
from bot.commands.model import Answer
from bot.github.markers import questions_marker
from bot.reporting.clarification_comment import clarification_comment
from bot.reporting.file_links import FilesAt
from db.records import Clarification
from tests.bot.example_runs import HEAD, QUESTIONS, REPOSITORY, RUN_ID, START, example_questions

CURRENCIES, LATE, WHO = (str(question["text"]) for question in QUESTIONS)


def answer(number: int, text: str) -> dict[str, Any]:
    return {"number": number, "question": (CURRENCIES, LATE, WHO)[number - 1], "answer": text}


def matched(
    *answers: Answer, asked: Clarification | None = None, accept: bool = False, nothing: bool = False
) -> list[dict[str, Any]] | str:
    open_questions = None if nothing else asked or example_questions()
    return matched_answers(open_questions, answers, accept_recommended=accept, prefix="/speckit")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ((Answer(1, "A"),), [answer(1, "EUR only")]),
        ((Answer(2, "B"), Answer(1, "B")), [answer(1, "EUR and USD"), answer(2, "After 60 days")]),
        ((Answer(3, text="The accountant"),), [answer(3, "The accountant")]),
        ((Answer(1, text="Only pounds"),), [answer(1, "Only pounds")]),
    ],
    ids=["a letter", "in the order of the questions", "own words", "own words where there are choices"],
)
def test_answers_that_fit(answers: tuple[Answer, ...], found: list[dict[str, Any]]) -> None:
    assert matched(*answers) == found


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((Answer(7, "A"),), "No question 7 is open; 1, 2 and 3 are."),
        ((Answer(1, "A"), Answer(9, "A"), Answer(8, "A")), "No question 8 or 9 is open"),
        ((Answer(1, "F"),), "Question 1 has no choice `F`. Possible: `A`, `B`"),
        ((Answer(3, "A"),), "it is answered in words"),
    ],
    ids=["no such question", "several", "no such choice", "no choices at all"],
)
def test_one_that_does_not_fit_takes_none(answers: tuple[Answer, ...], words: str) -> None:
    told = matched(*answers)
    assert isinstance(told, str)
    assert words in told


def test_where_nothing_is_open_nothing_is_taken() -> None:
    for accept in (False, True):
        told = matched(Answer(1, "A"), nothing=True, accept=accept)
        assert isinstance(told, str)
        assert "No question is open" in told


def test_the_recommended_choice_is_taken_where_nobody_answered() -> None:
    assert matched(accept=True) == [answer(1, "EUR only")]
    assert matched(Answer(1, "B"), accept=True) == [answer(1, "EUR and USD")]
    assert matched(Answer(2, "A"), accept=True) == [answer(1, "EUR only"), answer(2, "After 30 days")]


def test_an_answer_of_before_is_not_replaced_by_what_is_recommended_but_by_another_answer() -> None:
    before = example_questions(answers={"answers": [answer(1, "EUR and USD")]})
    assert matched(Answer(2, "A"), asked=before, accept=True) == [answer(2, "After 30 days")]
    assert matched(Answer(1, "A"), asked=before) == [answer(1, "EUR only")]


def test_where_nothing_is_recommended_it_is_said() -> None:
    open_ones = example_questions(questions={"questions": QUESTIONS[1:]})
    told = matched(asked=open_ones, accept=True)
    assert isinstance(told, str)
    assert "No choice is recommended" in told
    assert "/speckit clarify 2: YOUR ANSWER 3: YOUR ANSWER" in told


# Quotes


def posted(asked: Clarification) -> list[str]:
    """The lines of the comment as it stands on GitHub."""
    at = FilesAt(REPOSITORY, HEAD)
    return clarification_comment(asked, prefix="/speckit", marker=questions_marker(RUN_ID), at=at).splitlines()


def answered_in_part() -> Clarification:
    return example_questions(answers={"answers": [answer(1, "EUR only")]}, answered_by="bob", answered_at=START)


@pytest.mark.parametrize("asked", [example_questions(), answered_in_part()], ids=["open", "answered in part"])
def test_every_way_to_quote_the_comment_is_known_again(asked: Clarification) -> None:
    lines = posted(asked)
    whole = "\n".join(f"> {line}" for line in lines)
    assert quotes_questions(f"{whole}\n\n2A", asked)
    assert quotes_questions(f"> {lines[0]}\n\n2A", asked)
    assert quotes_questions(f">{CURRENCIES}\n2A", asked)
    assert quotes_questions(f"> > {CURRENCIES}\n\n2A", asked)
    for line in lines:
        if line.startswith("| **"):
            assert quotes_questions(f"> {line}\n\n2A", asked), line


def test_a_quote_from_before_somebody_answered_counts() -> None:
    before = "\n".join(f"> {line}" for line in posted(example_questions()))
    assert quotes_questions(f"{before}\n\n2A", answered_in_part())


@pytest.mark.parametrize(
    "body",
    [
        "> Shall we meet at 1 or at 2?\n\n1A",
        "> 1\n\n1A",
        "> question\n\n1A",
        "> \n\n1A",
        f"{CURRENCIES}\n\n> no\n\n1A",
        "1A",
    ],
)
def test_what_people_quote_otherwise_is_not_ours(body: str) -> None:
    assert not quotes_questions(body, example_questions())
