"""Which lines of a document somebody means, and whether a change stayed within them. Pure.

In time that grows with the length of the text only: an agent wrote it, and anybody who may comment points at it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.phases.spec_reading import one_line

LONGEST_HEADING = 80
LONGEST_WISH = 4000
MOST_HEADINGS = 500
SHORTEST_TITLE = 4
"""Characters. A shorter heading is a word that any wish may hold."""

_NAMED = re.compile(r"(?<![\w-])(FR|SC|CHK|T)-?(\d{1,6})([a-z]?)(?![\w-])", re.IGNORECASE)
_ITEM = re.compile(r" *(?:[-*]|\d{1,9}[.)]) ")
_ITEM_BEGINS = re.compile(r" *(?:[-*]|\d{1,9}[.)]) +(?:\[[ xX]\] +)?(?:\*\*)?")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_STORY_NUMBER = re.compile(r"\buser {1,3}story {1,3}(\d{1,6})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a file: lines count from 1, both ends belong to it."""

    heading: str
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class _Heading:
    line: int
    rank: int
    title: str


def section_at(text: str, line: int) -> Place | None:
    """What a comment on ``line`` points at: the list item it stands in, else the section around it. None beyond the
    end."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return None
    first = _item_around(lines, line)
    return _item(lines, first) if first else _section_around(lines, line)


def section_named(text: str, wish: str) -> Place | None:
    """The part of the text that a wish names: a requirement or a task by its id, a user story by its number, a section
    by its heading."""
    lines, wish = text.split("\n"), wish[:LONGEST_WISH]
    items: dict[tuple[str, int, str], int] = {}
    for number, line in enumerate(lines, start=1):
        if (begins := _ITEM_BEGINS.match(line)) and (match := _NAMED.match(line, begins.end())):
            items.setdefault(_id(match), number)
    for match in _NAMED.finditer(wish):
        if (found := items.get(_id(match))) is not None:
            return _item(lines, found)
    headings = _headings(lines)
    if story := _STORY_NUMBER.search(wish):
        is_story = re.compile(rf"user +story +0*{int(story[1])}\b", re.IGNORECASE)
        for heading in headings:
            if is_story.match(heading.title):
                return _section_around(lines, heading.line)
    said = wish.lower()
    for heading in headings[:MOST_HEADINGS]:
        title = re.sub(r"\*\([^()]*\)\*", "", heading.title).strip().lower()
        if len(title) >= SHORTEST_TITLE and title in said:
            return _section_around(lines, heading.line)
    return None


def stays_within(before: bytes, after: bytes, first_line: int, last_line: int) -> bool:
    """Whether all lines but those from ``first_line`` to ``last_line`` are as they were; what comes after them may have
    moved. Whether the file's last line has an end does not count."""
    old, new = (content.removesuffix(b"\n").split(b"\n") for content in (before, after))
    head, tail = old[: first_line - 1], old[last_line:]
    rest = len(new) - len(tail)
    return rest >= len(head) and new[: len(head)] == head and new[rest:] == tail


def _id(match: re.Match[str]) -> tuple[str, int, str]:
    """People write FR-3 for FR-003."""
    return match[1].upper(), int(match[2]), match[3].lower()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _item_around(lines: Sequence[str], line: int) -> int:
    """The line where the list item begins that ``line`` belongs to; 0 where it is in none."""
    if _ITEM.match(lines[line - 1]):
        return line
    least = _indent(lines[line - 1])
    for number in range(line - 1, 0, -1):
        above = lines[number - 1]
        if least < 2 or not above.strip():
            break
        if _ITEM.match(above) and _indent(above) + 2 <= least:
            return number
        least = min(least, _indent(above))
    return 0


def _item(lines: Sequence[str], first: int) -> Place:
    last, indent = first, _indent(lines[first - 1])
    while last < len(lines) and lines[last].strip() and _indent(lines[last]) >= indent + 2:
        last += 1
    words = lines[first - 1].lstrip("-* ").replace("**", "").replace("`", "")
    return Place(one_line(words, LONGEST_HEADING), first, last)


def _section_around(lines: Sequence[str], line: int) -> Place:
    """From the heading above ``line`` to the line before the next heading of the same or a higher rank."""
    first, last, rank, title = 1, len(lines), 0, ""
    for heading in _headings(lines):
        if heading.line <= line:
            first, rank, title = heading.line, heading.rank, heading.title
        elif rank == 0 or heading.rank <= rank:
            last = heading.line - 1
            break
    while last > first and not lines[last - 1].strip():
        last -= 1
    return Place(one_line(title, LONGEST_HEADING), first, max(last, line))


def _headings(lines: Sequence[str]) -> list[_Heading]:
    """The headings in their order; what looks like one in a block of code is none."""
    found: list[_Heading] = []
    fence = ""
    for number, line in enumerate(lines, start=1):
        if match := _FENCE.match(line):
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence) and not line[match.end() :].strip():
                fence = ""
        elif not fence and (match := _HEADING.match(line)):
            title = match[2].rstrip()
            bare = title.rstrip("#")
            found.append(_Heading(number, len(match[1]), bare.rstrip() if bare.endswith((" ", "\t")) else title))
    return found
