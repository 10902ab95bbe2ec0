"""The answers of ``clarify``, as people write them: ``1A 2C 3: only EU``. Pure.

An answer is either
* the number of its question and the letter of a choice: ``1A``, ``1 A``, ``1) a``, ``1. A``, ``1=A``, ``Q1: A``; or
* its number, a colon and a text, which runs to the next answer or to the end. A text that is only the letter of a
  choice is that choice.

Spaces, commas, semicolons and line ends stand between answers; a list may be made of them. Within a text the next
answer begins at a ``4:`` after a space, at a ``4B`` with nothing but answers after it, or on a new line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.commands.markdown import Comment, cleaned, lines_of, says_something
from bot.commands.model import Answer

ANSWERS_EXAMPLE = "1A 2C 3: only EU"

_NUMBER = r"[Qq]?(?P<number>[1-9][0-9]?)"
_LETTER = r"(?P<letter>[A-Fa-f])[.)]?(?=[\s,;]|\Z)"
_MARK = r"[:.)=\u2013\u2014-]?"
# How many spaces stand between the parts is bounded: two unbounded runs side by side would take quadratic time.
_CHOICE = re.compile(rf"{_NUMBER}[^\S\n]{{0,3}}{_MARK}[^\S\n]{{0,3}}{_LETTER}")
_CLOSE_CHOICE = re.compile(rf"{_NUMBER}{_MARK}{_LETTER}")
# Not the colon of a time, a ratio or a URL.
_TEXT_OPENING = re.compile(rf"{_NUMBER}[^\S\n]{{0,3}}[:\uff1a](?!\d|//)")

_NUMBER_IN_TEXT = re.compile(r"(?<=\s)[Qq]?[1-9]")
_LINE_LEAD = re.compile(r"\n[ \t]*(?:[-*+][ \t]+)?\Z")
_LONGEST_LEAD = 16
_SEPARATORS = re.compile(r"(?:^[ \t]*[-*+][ \t]|[\s,;])*", re.MULTILINE)
_SAME_LINE_SEPARATORS = re.compile(r"[^\S\n]*[,;]?[^\S\n]*")
_ANSWER_LINE = re.compile(r"^[ \t]*(?:[-*+][ \t]+)?[Qq]?[1-9]", re.MULTILINE)

# What people put around the letter of a choice.
_ORNAMENTS = "*_`()[].,; \t\n"
_LETTERS = frozenset("ABCDEF")


@dataclass(frozen=True, slots=True)
class NoAnswers:
    """A text holds something else than answers, or an answer twice, or nothing; ``found`` is the first such part."""

    found: str


@dataclass(frozen=True, slots=True)
class _Item:
    """One answer, and where it was read."""

    answer: Answer
    start: int
    end: int


def parse_answers(text: str) -> tuple[Answer, ...] | None:
    """All answers of ``text`` in order, each question at most once; None if it holds none, or anything else."""
    answers = read_answers(text)
    return None if isinstance(answers, NoAnswers) else answers


def reply_answers(body: str) -> tuple[Answer, ...] | None:
    """The answers of a comment that begins with a quote and says nothing else outside its quotes; None if it does not.

    Meant for comments in which parse() finds no command; whether it is *our* question that is quoted, the caller must
    see to. Takes as long as parse().
    """
    if not body.lstrip().startswith(">") or _ANSWER_LINE.search("\n".join(lines_of(body))) is None:
        return None
    text = Comment(lines_of(body)).reply_to_quote()
    return None if text is None else parse_answers(cleaned(text))


def read_answers(text: str) -> tuple[Answer, ...] | NoAnswers:
    """As parse_answers(), but says what is no answer."""
    items: dict[int, _Item] = {}
    position = _after_separators(text, 0)
    while position < len(text):
        item = _item_at(text, position)
        if isinstance(item, NoAnswers):
            return item
        earlier = items.setdefault(item.answer.question, item)
        if earlier is not item:
            return NoAnswers(f"{_written(text, earlier)} {_written(text, item)}")
        position = _after_separators(text, item.end)
    return tuple(item.answer for item in items.values()) or NoAnswers("")


def _item_at(text: str, start: int) -> _Item | NoAnswers:
    """The answer that begins at ``start``."""
    choice = _CHOICE.match(text, start)
    if choice is not None and _is_alone(text, choice.end()):
        return _Item(Answer(int(choice["number"]), choice=choice["letter"].upper()), start, choice.end())
    opening = _TEXT_OPENING.match(text, start)
    if opening is None:
        return NoAnswers(text[start:].partition("\n")[0].rstrip())
    end = _next_item(text, opening.end())
    said = text[opening.end() : end].strip()
    if end < len(text):
        said = said.rstrip(",; \t\n")
    if not says_something(said):
        return NoAnswers(opening[0])
    letter = said.strip(_ORNAMENTS).upper()
    answer = Answer(int(opening["number"]), choice=letter) if letter in _LETTERS else None
    return _Item(answer or Answer(int(opening["number"]), text=said), start, end)


def _next_item(text: str, start: int) -> int:
    """Where the answer after the one whose text begins at ``start`` begins, with the bullet of its line; or the end."""
    for number in _NUMBER_IN_TEXT.finditer(text, start):
        lead = _LINE_LEAD.search(text, max(start, number.start() - _LONGEST_LEAD), number.start())
        choice = (_CHOICE if lead else _CLOSE_CHOICE).match(text, number.start())
        if (choice and _is_alone(text, choice.end())) or _TEXT_OPENING.match(text, number.start()):
            return lead.start() if lead else number.start()
    return len(text)


def _is_alone(text: str, end: int) -> bool:
    """True if nothing but another answer follows on the line of a choice that ends at ``end``."""
    following = _after(_SAME_LINE_SEPARATORS, text, end)
    return (
        text[following : following + 1] in {"", "\n"}
        or _CHOICE.match(text, following) is not None
        or _TEXT_OPENING.match(text, following) is not None
    )


def _after_separators(text: str, position: int) -> int:
    return _after(_SEPARATORS, text, position)


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a match of ``pattern`` at ``position``, which may be empty, ends."""
    found = pattern.match(text, position)
    return found.end() if found else position


def _written(text: str, item: _Item) -> str:
    return " ".join(text[item.start : item.end].split())
