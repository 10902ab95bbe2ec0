"""What stands in a specification: requirements, user stories, marks, words that say nothing exact.

The forms are those of Spec Kit's template: ``- **FR-001**: TEXT``, ``### User Story 1 - TITLE (Priority: P1)``,
``[NEEDS CLARIFICATION: QUESTION]``. Lines count from 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speckit_container.markdown import MARK, Line, mark_words, one_line, scan, shorten, unescaped

LONGEST_TITLE = 500
VAGUE: Mapping[str, str] = {
    "performance": "fast faster quick quickly rapid rapidly responsive performant instantly promptly",
    "security": "secure securely safe safely protected",
    "scale": "scalable scalably large-scale high-volume",
    "errors": "robust robustly reliable reliably resilient stable gracefully",
    "usability": "intuitive intuitively easy easily user-friendly friendly convenient seamless seamlessly modern nice",
    "wording": "efficient efficiently flexible appropriate adequate reasonable sufficient suitable soon",
}
"""Words without a measure, by what they are about."""

CLARIFIED = re.compile(r"(?: \(clarified: [^\n]*\))+$")
"""What answers added to the end of a requirement."""

_REQUIREMENT = re.compile(
    r"^\s*(?:[-*+]\s+)?(?:\*\*((?:FR|SC)-\d{1,6}[a-z]?)(?::\*\*|\*\*:?)|((?:FR|SC)-\d{1,6}[a-z]?):)\s*(\S.*)$"
)
_STORY = re.compile(r"^User Story\s+(\d{1,4})\s*[-–—:]\s*(.+?)(?:\s*\(Priority:\s*([^)]*)\))?\s*$", re.IGNORECASE)
_NAME = re.compile(r"^#[ \t]+(?:Feature Specification:[ \t]*)?(.*\S)", re.MULTILINE)
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A line ``FR-001`` or ``SC-001``, its text without the number."""

    id: str
    text: str
    line: int

    @property
    def kind(self) -> str:
        """``FR`` or ``SC``."""
        return self.id[:2]

    @property
    def number(self) -> int:
        """1 for ``FR-001``, and for ``FR-001a``."""
        return int(self.id[3:].rstrip("abcdefghijklmnopqrstuvwxyz"))


@dataclass(frozen=True, slots=True)
class Story:
    """A user story. ``has_scenario``: an acceptance scenario is written under it."""

    number: int
    title: str
    priority: str
    line: int
    has_scenario: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """One ``[NEEDS CLARIFICATION: ...]``, as a question."""

    question: str
    line: int


def feature_name(document: str) -> str:
    """The name in the first heading of a spec.md."""
    found = _NAME.search(document)
    return found.group(1) if found else "Untitled feature"


def requirements(spec: str, kind: str = "") -> list[Requirement]:
    """The requirements (``FR``) and success criteria (``SC``) in their order, or those of one kind."""
    found = []
    for line in scan(spec):
        match = _REQUIREMENT.match(line.text) if line.kind == "text" else None
        if match and (match.group(1) or match.group(2)).startswith(kind):
            found.append(Requirement(match.group(1) or match.group(2), match.group(3).rstrip(), line.number))
    return found


def stories(spec: str) -> list[Story]:
    """The user stories in their order."""
    lines = scan(spec)
    found = []
    for place, line in enumerate(lines):
        match = _STORY.match(line.title[:LONGEST_TITLE]) if line.heading else None
        if match is None:
            continue
        number, title, priority = match.groups()
        has_scenario = any("**given**" in under.text.lower() for under in _under(lines, place))
        found.append(Story(int(number), title, priority or f"P{number}", line.number, has_scenario))
    return found


def marks(document: str) -> list[Mark]:
    """Every mark outside comments, in its order; the same question may be asked at several places."""
    return [
        Mark(question_of(mark, line.text), line.number)
        for line in scan(document)
        if line.kind != "comment"
        for mark in MARK.finditer(line.text)
    ]


def question_of(mark: re.Match[str], line: str) -> str:
    """A mark's own words; what its line says where it has none."""
    own = mark_words(mark)
    if question_key(own):
        return own
    rest = re.sub(r"^(?:[-*+>] )+", "", one_line(unescaped(MARK.sub("…", line)))).replace("**", "")
    return f"What is to be decided here: {shorten(rest, 120)}"


def question_key(question: str) -> str:
    """What two spellings of one question have in common: letters and signs, without space, case and escapes."""
    seen = "".join(c for c in question if c.isprintable() and not c.isspace() and c != "\\").replace("→", "->")
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold())
    return folded.strip("?.!…:-,;") if any(c.isalnum() for c in folded) else ""


def same_question(one: str, other: str) -> bool:
    """Whether both ask the same; one of them may have been cut short, which ends with ``…``."""
    first, second = question_key(one), question_key(other)
    if not first or not second:
        return False
    cut_first = one.rstrip().endswith("…") and second.startswith(first)
    cut_second = other.rstrip().endswith("…") and first.startswith(second)
    return first == second or cut_first or cut_second


def vague_words(text: str) -> list[tuple[str, str]]:
    """(word, what it is about) for the words without a measure, of a text that has no figure; answers do not count."""
    bare = MARK.sub(" ", CLARIFIED.sub("", text))
    if re.search(r"\d", bare):
        return []
    words = dict.fromkeys(_WORD.findall(bare.lower()))
    return [(word, about) for word in words for about, vague in VAGUE.items() if word in vague.split()]


def heading_line(document: str, pattern: str) -> int | None:
    """The line of the first heading that begins with ``pattern``, a regular expression without regard to case."""
    begins = re.compile(pattern, re.IGNORECASE)
    return next((line.number for line in scan(document) if line.heading and begins.match(line.title)), None)


def text_under(document: str, pattern: str) -> str | None:
    """What stands under that heading and its subheadings, without comments; None where there is no such heading."""
    lines = scan(document)
    number = heading_line(document, pattern)
    if number is None:
        return None
    return "\n".join(line.text for line in _under(lines, number - 1) if line.kind != "comment")


def _under(lines: Sequence[Line], place: int) -> list[Line]:
    """The lines after the heading at ``place``, up to the next one of its level or above."""
    level = lines[place].heading
    found = []
    for line in lines[place + 1 :]:
        if line.heading and line.heading <= level:
            break
        found.append(line)
    return found
