"""The comment with the questions of a pull request, their choices and their answers. Pure.

A person must act on it, so it is a comment of its own, and as long as nobody answers it is all there is of the matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.reporting import sanitize
from bot.reporting.agent_facts import Answer, Question, read_answers, read_questions
from bot.reporting.file_links import FilesAt
from bot.reporting.next_commands import answer_example
from bot.reporting.sections import count, first_rows, within
from db.records import Clarification

LONGEST_QUESTION = 500
LONGEST_CHOICE = 300
TABLE_CHARACTERS = 50_000


def clarification_comment(asked: Clarification, *, prefix: str, marker: str, at: FilesAt | None = None) -> str:
    """The whole comment, at most 65,536 characters, with ``marker`` as its last line.

    ``at``: where the files can be seen that the questions are about; without it they are named and not linked.
    """
    questions = read_questions(asked.questions.get("questions"))
    answers = {answer.number: answer for answer in read_answers((asked.answers or {}).get("answers"))}
    left = [question for question in questions if question.number not in answers]
    replaced = asked.closed_at is not None and bool(left)
    parts = [_headline(questions, left, asked.answered_by, replaced)]
    parts.append(_table(questions, answers, at or FilesAt(), is_open=not replaced))
    if left and not replaced:
        parts.append(_how_to_answer(left, prefix))
    return within(parts, marker)


def _headline(questions: Sequence[Question], left: Sequence[Question], by: str | None, replaced: bool) -> str:
    who = (
        f", the last by {sanitize.code(by)}" if by and len(questions) > 1 else f" by {sanitize.code(by)}" if by else ""
    )
    if replaced:
        return "➖ **These questions are closed:** newer ones took their place."
    if not left:
        every = "The question is" if len(questions) == 1 else f"All {len(questions)} questions are"
        return f"✅ **{every} answered**{who}. A run of its own works the answers into the specification."
    verb = "needs" if len(left) == 1 else "need"
    if len(left) < len(questions):
        return f"❓ **{len(left)} of {len(questions)} questions still {verb} an answer.** The others are answered{who}."
    return f"❓ **{count(len(left), 'question')} {verb} an answer.** Nothing runs until somebody answers."


def _table(questions: Sequence[Question], answers: Mapping[int, Answer], at: FilesAt, *, is_open: bool) -> str:
    rows = (
        f"| **{question.number}** | {_question(question, at)} | {_choices(question, answers, is_open=is_open)} |"
        for question in questions
    )
    kept = first_rows(rows, len(questions), TABLE_CHARACTERS)
    left_out = len(questions) - len(kept)
    more = [f"\nAnd {left_out} more, which do not fit here."] if left_out else []
    head = ["| # | question | choices |" if not answers else "| # | question | answer or choices |", "|---|---|---|"]
    return "\n".join([*head, *kept, *more])


def _question(question: Question, at: FilesAt) -> str:
    lines = [sanitize.table_cell(question.text, LONGEST_QUESTION) or "(no words)"]
    if question.why.strip():
        lines.append(f"*Why it matters:* {sanitize.table_cell(question.why, LONGEST_QUESTION)}")
    if question.path:
        lines.append(at.link(question.path, question.line))
    return "<br>".join(lines)


def _choices(question: Question, answers: Mapping[int, Answer], *, is_open: bool) -> str:
    given = answers.get(question.number)
    if given is not None:
        return f"✅ {sanitize.table_cell(given.answer, LONGEST_QUESTION)}"
    if not question.options:
        return "*answer in your own words*" if is_open else "*not answered*"
    lines = []
    for option in question.options:
        words = f"{sanitize.table_cell(option.letter, 10)}: {sanitize.table_cell(option.text, LONGEST_CHOICE)}"
        recommended = option.letter == question.recommended
        lines.append(f"**{words}** (recommended)" if recommended else words)
    return "<br>".join(lines)


def _how_to_answer(left: Sequence[Question], prefix: str) -> str:
    example = answer_example(left)
    lines = [
        f"- `{prefix} clarify {example}` at the start of a line: the number of a question and the letter of a choice,"
        " or the number, a colon and your own words",
        f"- or quote this comment and reply `{example}`",
    ]
    if any(question.recommended for question in left):
        lines.append(f"- or `{prefix} clarify --accept-recommended` for every recommended choice")
    return "\n".join(["**To answer:**", "", *lines])
