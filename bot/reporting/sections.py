"""Text made of parts, kept within GitHub's limits by leaving out whole parts and whole rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

MAX_COMMENT = 65_536
LEFT_OUT = "*More did not fit here.*"


def within(parts: Sequence[str], last: str, limit: int = MAX_COMMENT) -> str:
    """The parts with blank lines between them, then ``last``; parts that do not fit are left out whole."""
    kept, room = [], limit - len(last) - len(LEFT_OUT) - 4
    for part in parts:
        if len(part) + 2 <= room:
            kept.append(part)
            room -= len(part) + 2
        elif LEFT_OUT not in kept:
            kept.append(LEFT_OUT)
    return "\n\n".join([*kept, last])


def first_rows(rows: Iterable[str], most: int, characters: int) -> list[str]:
    """The rows from the first on: at most so many of them, of so many characters together. Asks for no more of them
    than it needs to, since to make a row harmless takes time."""
    kept: list[str] = []
    for row in islice(rows, most):
        characters -= len(row) + 1
        if characters < 0:
            break
        kept.append(row)
    return kept


def listing(items: Iterable[str], total: int, most: int, characters: int = 20_000) -> list[str]:
    """The items as lines of a list, and how many of the ``total`` are left out."""
    lines = first_rows((f"- {item}" for item in items), most, characters)
    return lines if len(lines) == total else [*lines, f"- … and {total - len(lines)} more"]


def count(number: int, one: str, many: str = "") -> str:
    """``1 question``, ``2 questions``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def joined(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
