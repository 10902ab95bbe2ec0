"""What the reports say about a specification, read from its files. Bounded, and in time that grows with the length of
the text only: an agent wrote them.

Spec Kit's template gives the forms: ``# Feature Specification: NAME``, ``### User Story 1 - TITLE (Priority: P1)``,
``- **FR-001**: TEXT``, ``- **SC-001**: TEXT`` and ``[NEEDS CLARIFICATION: QUESTION]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from jobs.patches import Patch

MOST_FILES = 100
MOST_STORIES = 20
MOST_QUESTIONS = 50
LONGEST_TITLE = 120
LONGEST_QUESTION = 300
MOST_REQUIREMENTS = 200
LONGEST_REQUIREMENT = 400

_MARK = "[NEEDS CLARIFICATION"
_HEADING = re.compile(r"# +(?:Feature Specification:)? *(.*)")
_STORY = re.compile(r"### +User Story +\d+ *[-–—:](.*)")
# Invisible, though Python calls them printable: fillers and what chooses the form of a character.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0\ufe00-\ufe0e\U000e0100-\U000e01ef]"
)
_REQUIREMENT = re.compile(r"[ \t]*[-*][ \t]+\*\*((?:FR|SC)-\d{1,6}[a-z]?):?\*\*:?(.*)", re.IGNORECASE)


def files_of(patch: Patch) -> list[dict[str, object]]:
    """Path and number of added lines of each file that the patch writes."""
    return [
        {"path": change.path, "added_lines": change.added_lines}
        for change in patch.changes[:MOST_FILES]
        if change.kind != "deleted"
    ]


def spec_heading(text: str) -> str:
    """The name of the feature, or an empty string."""
    names = (one_line(match[1], LONGEST_TITLE) for line in text.split("\n") if (match := _HEADING.match(line)))
    return next((name for name in names if name), "")


def user_stories(text: str) -> list[str]:
    """The titles of the user stories, in their order."""
    found = (_title(match[1]) for line in text.split("\n") if (match := _STORY.match(line)))
    return list(islice((title for title in found if title), MOST_STORIES))


def _title(written: str) -> str:
    """Without the priority and the sign of the smallest product."""
    bare = written.partition("🎯")[0].rstrip()
    head, priority, _ = bare.rpartition("(Priority:")
    return one_line(head if priority and bare.endswith(")") else bare, LONGEST_TITLE)


def open_questions(documents: Mapping[str, bytes]) -> list[dict[str, object]]:
    """Every mark for a clarification in the feature's documents (path -> content), with its line (from 1)."""
    marks = (
        {"path": path, "line": number, "text": question}
        for path, content in documents.items()
        for number, line in enumerate(content.decode(errors="replace").split("\n"), start=1)
        for question in _marks(line)
    )
    return list(islice(marks, MOST_QUESTIONS))


def _marks(line: str) -> Iterator[str]:
    start = line.find(_MARK)
    while start >= 0:
        end = line.find("]", start)
        if end < 0:
            return
        inside = line[start + len(_MARK) : min(end, start + len(_MARK) + 4 * LONGEST_QUESTION)]
        yield one_line(inside.removeprefix(":"), LONGEST_QUESTION)
        start = line.find(_MARK, end)


def requirements(text: str) -> list[dict[str, str]]:
    """The functional requirements and success criteria, ``{id, text}``, in their order; the first of each id."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if (match := _REQUIREMENT.match(line)) is None or match[1].upper() in found:
            continue
        if said := one_line(match[2].lstrip(": \t"), LONGEST_REQUIREMENT):
            found[match[1].upper()] = said
        if len(found) == MOST_REQUIREMENTS:
            break
    return [{"id": name, "text": said} for name, said in found.items()]


def one_line(text: str, length: int) -> str:
    """The text without what cannot be shown, on one line of at most ``length`` characters."""
    # Nobody needs more than the beginning, and not all of it may be kept.
    seen = _UNSEEN.sub("", text[: 8 * length])
    line = " ".join("".join(c if c.isprintable() else " " for c in seen).split())
    return line if len(line) <= length else line[: length - 1] + "…"
