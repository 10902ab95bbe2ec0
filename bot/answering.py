"""What people answered, held against what was asked. Pure: every mistake is a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.commands.model import Answer
from bot.reporting import refusals
from bot.reporting.clarification_comment import clarification_comment
from db.records import Clarification
from db.types import JsonObject

_UNSEEN = re.compile(r"<[^<>]*>|(?<=\])\([^()\s]*\)")
"""Tags, and where links lead."""
_LEAST_QUOTED = 12
"""Characters of at least two words: less is said anywhere."""


def quotes_questions(body: str, asked: Clarification) -> bool:
    """Whether a comment quotes a line or more of the comment with these questions, as it is or as it was at first."""
    at_first = Clarification(questions=asked.questions, answers={}, answered_by=None, closed_at=None)
    ours = [_words(clarification_comment(each, prefix="", marker="")) for each in (asked, at_first)]
    quoted = (_words(line) for line in body.splitlines() if line.lstrip().startswith(">"))
    return any(line in text for line in quoted if len(line) >= _LEAST_QUOTED and " " in line for text in ours)


def _words(markdown: str) -> str:
    """The bare words, so that marks that got lost or were added by quoting do not matter."""
    return " ".join(re.findall(r"\w+", _UNSEEN.sub(" ", markdown).lower()))


def matched_answers(
    asked: Clarification | None, answers: Sequence[Answer], *, accept_recommended: bool, prefix: str
) -> list[JsonObject] | str:
    """The answers as ``{number, question, answer}``, or why none is taken.

    ``asked``: the open questions of the pull request, None where there are none. With ``accept_recommended`` questions
    that nobody answered get the choice that was recommended, where one was.
    """
    if asked is None:
        return refusals.no_questions_open(prefix)
    questions: dict[int, Mapping[str, Any]] = {item["number"]: item for item in asked.questions.get("questions", [])}
    unknown = sorted({answer.question for answer in answers} - questions.keys())
    if unknown:
        return refusals.unknown_questions(unknown, sorted(questions))
    given: dict[int, str] = {}
    for answer in answers:
        question = questions[answer.question]
        text = answer.text if answer.text is not None else _choice(question, str(answer.choice))
        if text is None:
            letters = [str(option["letter"]) for option in question.get("options", [])]
            return refusals.unknown_choice(answer.question, str(answer.choice), letters)
        given[answer.question] = text
    if accept_recommended:
        known = {item["number"] for item in asked.answers.get("answers", [])}
        for number, question in questions.items():
            recommended = _choice(question, str(question.get("recommended")))
            if number not in given and number not in known and recommended is not None:
                given[number] = recommended
    if not given:
        return refusals.nothing_recommended(sorted(questions), prefix)
    return [
        {"number": number, "question": questions[number]["text"], "answer": given[number]} for number in sorted(given)
    ]


def _choice(question: Mapping[str, Any], letter: str) -> str | None:
    return next((str(option["text"]) for option in question.get("options", []) if option["letter"] == letter), None)
