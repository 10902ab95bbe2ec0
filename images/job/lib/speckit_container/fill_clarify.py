"""Answers in spec.md: recorded under ``## Clarifications``, and put where each question came from, nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speckit_container.markdown import MARK, Line, at_line_start, escaped, one_line, scan, shorten, unescaped
from speckit_container.spec_parts import question_key, question_of, same_question
from speckit_container.template_request import Answer

LONGEST_QUESTION = 500
LONGEST_ANSWER = 1000
OVERVIEW = re.compile(r"(overview|summary|context|background|introduction)\b", re.IGNORECASE)

_RECORD = re.compile(r"^\s*[-*+] Q: (.*?) → A: (.*)$")
_LINE_BEGINS = re.compile(r"[\s>*+\-\d.)]*")
_REQUIREMENT_ID = re.compile(r"\b((?:FR|SC)-\d{1,6}[a-z]?)\b")


@dataclass(frozen=True, slots=True)
class Clarified:
    """The new text; how many answers are new on record, and how many places got one."""

    content: str
    recorded: int
    placed: int


def clarify(spec: str, answers: Sequence[Answer], date: str) -> Clarified:
    """Put the answers in. The same answers again change nothing; the last answer to a question counts."""
    said = usable(answers)
    before = recorded(spec)
    lines = spec.split("\n")
    placed, asked = _settle_marks(lines, said)
    new = [answer for answer in said if not _is_known(answer, before)]
    placed += _settle_requirements(lines, [answer for answer in new if answer not in asked], before)
    own_words = [Answer(asked.get(answer, answer.question), answer.answer) for answer in new]
    if own_words:
        _record(lines, own_words, date)
    return Clarified("\n".join(lines), len(own_words), placed)


def recorded(spec: str) -> list[Answer]:
    """The answers under ``## Clarifications``, oldest first."""
    first, end = _section(scan(spec), 2, "clarifications", 0)
    found = [_RECORD.match(line) for line in spec.split("\n")[first:end]]
    return [Answer(unescaped(match.group(1)), unescaped(match.group(2).rstrip())) for match in found if match]


def settled(line: str, answers: Sequence[Answer]) -> str:
    """A line in which the marks that were answered are the answers."""

    def answer_to(mark: re.Match[str]) -> str:
        for answer in reversed(answers):
            if same_question(question_of(mark, line), answer.question):
                begins = _LINE_BEGINS.fullmatch(line[: mark.start()])
                return at_line_start(_safe(answer.answer)) if begins else _safe(answer.answer)
        return mark.group(0)

    return MARK.sub(answer_to, line)


def usable(answers: Sequence[Answer]) -> list[Answer]:
    """One line each, one answer to a question, none that is empty."""
    kept: list[Answer] = []
    for answer in answers:
        one = Answer(one_line(answer.question), shorten(one_line(answer.answer), LONGEST_ANSWER))
        if question_key(one.question) and one.answer:
            kept = [other for other in kept if not same_question(other.question, one.question)]
            kept.append(one)
    return kept


def _is_known(answer: Answer, before: Sequence[Answer]) -> bool:
    """Whether the last record of the question has this answer."""
    same = [other.answer for other in before if same_question(other.question, answer.question)]
    return bool(same) and _safe(same[-1]) == _safe(answer.answer)


def _settle_marks(lines: list[str], said: Sequence[Answer]) -> tuple[int, dict[Answer, str]]:
    """Replace the marks. Returns how many, and the marks' own words for the answers that had one."""
    placed = 0
    asked: dict[Answer, str] = {}
    for place, line in enumerate(lines):
        for mark in MARK.finditer(line):
            question = question_of(mark, line)
            for answer in said:
                if same_question(question, answer.question):
                    asked.setdefault(answer, question)
                    placed += 1
        lines[place] = settled(line, said)
    return placed, asked


def _settle_requirements(lines: list[str], said: Sequence[Answer], before: Sequence[Answer]) -> int:
    """Add the answers to the requirements that their questions name; an earlier answer gives way."""
    placed = 0
    for answer in said:
        named = _REQUIREMENT_ID.search(answer.question)
        place = _line_of(lines, named.group(1)) if named else None
        if place is None:
            continue
        line = lines[place].rstrip()
        end = lines[place][len(line) :]
        for other in before:
            if same_question(other.question, answer.question):
                line = line.replace(f" (clarified: {_safe(other.answer)})", "")
        lines[place] = f"{line} (clarified: {_safe(answer.answer)}){end}"
        placed += 1
    return placed


def _line_of(lines: list[str], requirement: str) -> int | None:
    begins = re.compile(rf"^\s*(?:[-*+]\s+)?(?:\*\*)?{requirement}(?:\*\*|:)")
    return next((place for place, line in enumerate(lines) if begins.match(line)), None)


def _record(lines: list[str], answers: Sequence[Answer], date: str) -> None:
    """Append to today's session, which is made where it is missing, as is the section."""
    end = "\r" if lines[0].endswith("\r") else ""
    bullets = [f"- Q: {_as_record(answer.question)} → A: {_safe(answer.answer)}" for answer in answers]
    found = scan("\n".join(lines))
    first, last = _section(found, 2, "clarifications", 0)
    if first < 0:
        place = _after_overview(found)
        made = ["## Clarifications", "", f"### Session {date}", "", *bullets, ""]
        made = ["", *made] if place and lines[place - 1].strip() else made
        made = made[:-1] if place == len(lines) - 1 else made
    else:
        day, day_end = _section(found[:last], 3, f"session {date}", first)
        begin, stop = (day, day_end) if day >= 0 else (first, last)
        place = max(number for number in range(begin, stop) if lines[number].strip()) + 1
        has_bullets = day >= 0 and _RECORD.match(lines[place - 1]) is not None
        made = bullets if has_bullets else ["", *bullets] if day >= 0 else ["", f"### Session {date}", "", *bullets]
        made = [*made, ""] if place == len(lines) or lines[place].strip() else made
    lines[place:place] = [line + end for line in made]


def _section(lines: Sequence[Line], level: int, title: str, start: int) -> tuple[int, int]:
    """The place of that heading and of the line after its section; (-1, -1) where there is none."""
    for line in lines[start:]:
        if line.heading == level and line.title.lower().split(" *(")[0].strip() == title:
            rest = [other for other in lines[line.number :] if 0 < other.heading <= level]
            return line.number - 1, rest[0].number - 1 if rest else len(lines)
    return -1, -1


def _after_overview(lines: Sequence[Line]) -> int:
    """Where a section that follows the overview begins: at the first section, or after one that is an overview."""
    tops = [line for line in lines if line.heading == 2]
    if tops and OVERVIEW.match(tops[0].title):
        tops = [line for line in lines[tops[0].number :] if 0 < line.heading <= 2]
    last = len(lines) - 1 if lines and not lines[-1].text.strip() else len(lines)
    return tops[0].number - 1 if tops else last


def _as_record(question: str) -> str:
    return _safe(shorten(question, LONGEST_QUESTION).replace("→", "->"))


def _safe(text: str) -> str:
    """Text that people wrote, where it neither acts as Markdown nor reads as a mark."""
    return escaped(one_line(text).replace("NEEDS CLARIFICATION", "needs clarification"))
