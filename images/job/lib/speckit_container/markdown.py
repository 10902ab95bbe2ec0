"""Just enough of Markdown to fill a template: headings, what is under them, and sentences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_TITLE = 80
LONGEST_SENTENCE = 300

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*$")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_LIST_MARK = re.compile(r"^\s*(?:[-*+]\s+(?:\[[ xX]\]\s+)?|\d{1,3}[.)]\s+|#{1,6}\s+|>\s*)+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


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


def sections(document: str) -> list[Section]:
    """Split a document at its headings; a ``#`` in a code block or a comment is no heading."""
    found = [Section(0, "")]
    in_code = in_comment = False
    for line in document.split("\n"):
        if _FENCE.match(line) and not in_comment:
            in_code = not in_code
        heading = _HEADING.match(line)
        if heading and not in_code and not in_comment:
            found.append(Section(len(heading.group(1)), heading.group(2)))
        else:
            found[-1].lines.append(line)
        if not in_code:
            in_comment = (in_comment or "<!--" in line) and line.rfind("-->") <= line.rfind("<!--")
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


def without_comments(text: str) -> str:
    """Drop HTML comments: in a template they are advice to whoever fills it in."""
    return _COMMENT.sub("", text)


def plain(text: str) -> str:
    """The request as people see it: composed letters, no control or hidden characters, line ends as ``\\n``."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in composed if c in "\n\t" or unicodedata.category(c) not in _HIDDEN).strip()


def sentences(text: str) -> list[str]:
    """The sentences and list items of a request, each on one line and of bounded length, without repeats."""
    found: dict[str, None] = {}
    for piece in _SENTENCE_END.split(text):
        line = shorten(" ".join(_LIST_MARK.sub("", piece).split()), LONGEST_SENTENCE)
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
    first = next(iter(sentences(text)), "")
    words = re.sub(r"[`*_\[\]<>|#]+", " ", first).rstrip(".!?。！？ ")
    return shorten(" ".join(words.split()), LONGEST_TITLE) or "Untitled feature"


def in_line(text: str) -> str:
    """A sentence of the request where Markdown would otherwise act on it."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def quoted(text: str) -> str:
    """A block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
