"""Just enough of Markdown to fill a template and to edit what was filled: lines, headings, sentences, marks."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

LONGEST_TITLE = 80
LONGEST_SENTENCE = 300

MARK = re.compile(r"\\?\[NEEDS CLARIFICATION:?([^\]\n]{0,1000}+)\]")
"""Spec Kit's mark for what is still to be decided, also where a request's own was escaped."""

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
_COMMENT_BEGINS = re.compile(r"(?<!\\)<!--")
_HEADING = re.compile(r"^(#{1,6})\s+(.*)$")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_LIST_MARK = re.compile(r"^\s*(?:[-*+]\s+(?:\[[ xX]\]\s+)?|\d{1,3}[.)]\s+|#{1,6}\s+|>\s*)+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
_HELD = re.compile("\0(\\d+)\0")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document. ``number`` counts from 1; ``heading`` is its level, 0 for a line that is none."""

    number: int
    text: str
    kind: Literal["text", "code", "comment"]
    heading: int = 0

    @property
    def title(self) -> str:
        """The words of a heading."""
        found = _HEADING.match(self.text)
        return found.group(2).rstrip() if found else ""


@dataclass
class Section:
    """A heading and the lines under it, up to the next heading. The text before the first heading has level 0."""

    level: int
    title: str
    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """As it stands in the file."""
        heading = [f"{'#' * self.level} {self.title}"] if self.level else []
        return "\n".join(heading + self.lines)


@lru_cache(maxsize=32)
def scan(document: str) -> tuple[Line, ...]:
    """Every line and what it is. A fence or a comment that never ends is text: it must not hide the rest of a file."""
    lines = document.split("\n")
    fences = _closing_fences(lines)
    ends = [place for place, line in enumerate(lines) if "-->" in line]
    found: list[Line] = []
    while (place := len(found)) < len(lines):
        line = lines[place]
        code = _code_end(line, place, fences) if fences else None
        comment = _comment_end(line, place, ends) if code is None and ends else None
        if code is not None:
            found += [Line(n + 1, lines[n], "code") for n in range(place, code + 1)]
        elif comment is not None:
            found += [Line(n + 1, lines[n], "comment") for n in range(place, comment + 1)]
        else:
            heading = _HEADING.match(line) if line.startswith("#") else None
            found.append(Line(place + 1, line, "text", len(heading.group(1)) if heading else 0))
    return tuple(found)


def _closing_fences(lines: list[str]) -> dict[tuple[str, int], list[int]]:
    """Where a line is nothing but a fence, by its character and length."""
    closing: dict[tuple[str, int], list[int]] = {}
    for place, line in enumerate(lines):
        found = _FENCE.match(line)
        if found and not found.group(2).strip():
            closing.setdefault((found.group(1)[0], len(found.group(1))), []).append(place)
    return closing


def _code_end(line: str, place: int, closing: dict[tuple[str, int], list[int]]) -> int | None:
    """The place of the fence that ends the code which begins here."""
    found = _FENCE.match(line)
    if found is None or (found.group(1)[0] == "`" and "`" in found.group(2)):
        return None
    ends = []
    for (character, length), places in closing.items():
        if character == found.group(1)[0] and length >= len(found.group(1)):
            after = bisect_right(places, place)
            ends += places[after : after + 1]
    return min(ends, default=None)


def _comment_end(line: str, place: int, ends: list[int]) -> int | None:
    """The place of the line that ends the comment: this one if it holds nothing else, a later one if it begins here."""
    if "<!--" not in line:
        return None
    rest = _COMMENT.sub("", line)
    if not rest.strip() and line.strip():
        return place
    if line.lstrip().startswith(">") or not _COMMENT_BEGINS.search(rest):
        return None
    after = bisect_right(ends, place)
    return ends[after] if after < len(ends) else None


def sections(document: str) -> list[Section]:
    """Split a document at its headings; a ``#`` in a code block or a comment is no heading."""
    found = [Section(0, "")]
    for line in scan(document):
        if line.heading:
            found.append(Section(line.heading, line.title))
        else:
            found[-1].lines.append(line.text)
    return found


def joined(parts: list[Section]) -> str:
    """The document again, with one empty line at most between things and one line end at its end."""
    text = "\n".join(part.text() for part in parts)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def replace(parts: list[Section], matches: Callable[[Section], bool], made: list[Section]) -> bool:
    """Put ``made`` in the place of the first section that ``matches`` and drop the others that do."""
    places = [number for number, part in enumerate(parts) if matches(part)]
    for number in reversed(places[1:]):
        del parts[number]
    if places:
        parts[places[0] : places[0] + 1] = made
    return bool(places)


def fill(parts: list[Section], title: str, lines: list[str]) -> bool:
    """Give the sections whose title begins with ``title`` these lines. False where there is none."""
    filled = [part for part in parts if part.title.startswith(title)]
    for part in filled:
        part.lines = list(lines)
    return bool(filled)


def without_comments(text: str) -> str:
    """Drop HTML comments: in a template they are advice to whoever fills it in."""
    return _COMMENT.sub("", text) if "-->" in text else text


def plain(text: str) -> str:
    """The request as people see it: composed letters, no control or hidden characters, line ends as ``\\n``."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in composed if c in "\n\t" or unicodedata.category(c) not in _HIDDEN).strip()


def one_line(text: str) -> str:
    """The text as people see it, on one line."""
    return " ".join(plain(text).split())


def sentences(text: str) -> list[str]:
    """The sentences and list items of a request, each on one line and of bounded length, without repeats."""
    text = text.replace("\0", "")
    marks = [mark.group(0) for mark in MARK.finditer(text)]
    numbers = iter(range(len(marks)))
    # A mark may hold several sentences, and is one thing all the same.
    held = MARK.sub(lambda _: f"\0{next(numbers)}\0", text)
    found: dict[str, None] = {}
    for piece in _SENTENCE_END.split(held):
        whole = _HELD.sub(lambda place: marks[int(place.group(1))], piece)
        line = shorten(" ".join(_LIST_MARK.sub("", whole).split()), LONGEST_SENTENCE)
        if any(character.isalnum() for character in line):
            found.setdefault(line)
    return list(found)


def shorten(text: str, length: int) -> str:
    """At most ``length`` characters, cut at a word where there is one."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    at_word = cut.rsplit(" ", 1)[0]
    return (at_word if len(at_word) > length // 2 else cut).rstrip(" ,;:-") + "…"


def title_of(text: str) -> str:
    """A name for the feature: the request's first sentence, short and without Markdown."""
    first = MARK.sub(" ", next(iter(sentences(text)), ""))
    words = re.sub(r"[`*_\[\]<>|#]+", " ", first).rstrip(".!?。！？ ")
    return shorten(" ".join(words.split()), LONGEST_TITLE) or "Untitled feature"


def escaped(text: str) -> str:
    """Text in which Markdown acts on nothing, as long as it does not begin a line."""
    return _SPECIAL.sub(r"\\\1", text)


def unescaped(text: str) -> str:
    """The text that ``escaped`` was given."""
    return re.sub(r"\\([\\`*_\[\]<>|])", r"\1", text)


def mark_words(mark: re.Match[str]) -> str:
    """What a ``MARK`` says, on one line."""
    return one_line(unescaped(mark.group(1).strip(" \t\\")))


def in_line(text: str) -> str:
    """A sentence of the request where Markdown would otherwise act on it. Marks for a clarification stay marks."""
    made, last = "", 0
    for mark in MARK.finditer(text):
        made += f"{escaped(text[last : mark.start()])}[NEEDS CLARIFICATION: {escaped(mark_words(mark))}]"
        last = mark.end()
        if text[last : last + 1] == "(":
            made += "\\"
    return made + escaped(text[last:])


def at_line_start(text: str) -> str:
    """Escaped text where a line's content begins: no heading, list, fence or underline comes of it."""
    return re.sub(r"^(\d{1,9})([.)])", r"\1\\\2", re.sub(r"^([#~=+:-])", r"\\\1", text))


def without_marks(text: str) -> str:
    """The text with the marks for a clarification told in words, where they would be told twice."""
    return MARK.sub("(an open question)", text)


def quoted(text: str) -> str:
    """A block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
