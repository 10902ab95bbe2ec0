"""What the reports say about a specification, read from the files in a patch. Bounded: an agent wrote them.

Spec Kit's template gives the forms: ``# Feature Specification: NAME``, ``### User Story 1 - TITLE (Priority: P1)`` and
``[NEEDS CLARIFICATION: QUESTION]``.
"""

from __future__ import annotations

import re

from jobs.patches import Patch

MOST_FILES = 100
MOST_STORIES = 20
MOST_QUESTIONS = 50
LONGEST_TITLE = 120
LONGEST_QUESTION = 300

_HEADING = re.compile(r"^# +(?:Feature Specification: *)?(.+)$", re.MULTILINE)
_STORY = re.compile(r"^### +User Story +\d+ *[-–—:] *(.+?)(?: *\(Priority:[^)]*\))?(?: *🎯.*)?$", re.MULTILINE)
_QUESTION = re.compile(r"\[NEEDS CLARIFICATION:? *([^\]]*)\]")


def files_of(patch: Patch) -> list[dict[str, object]]:
    """Path and number of added lines of each file that the patch writes."""
    return [
        {"path": change.path, "added_lines": change.added_lines}
        for change in patch.changes[:MOST_FILES]
        if change.kind != "deleted"
    ]


def spec_heading(text: str) -> str:
    """The name of the feature, or an empty string."""
    found = _HEADING.search(text)
    return _bounded(found.group(1), LONGEST_TITLE) if found else ""


def user_stories(text: str) -> list[str]:
    """The titles of the user stories, in their order."""
    titles = (_bounded(match.group(1), LONGEST_TITLE) for match in _STORY.finditer(text))
    return [title for title in titles if title][:MOST_STORIES]


def open_questions(patch: Patch, directory: str) -> list[dict[str, object]]:
    """Every mark for a clarification in the feature's new Markdown files, with its line (from 1)."""
    questions: list[dict[str, object]] = []
    for change in patch.changes:
        if change.new_content is None or not change.path.startswith(f"{directory}/") or not change.path.endswith(".md"):
            continue
        lines = change.new_content.decode(errors="replace").split("\n")
        for number, line in enumerate(lines, start=1):
            for match in _QUESTION.finditer(line):
                if len(questions) == MOST_QUESTIONS:
                    return questions
                text = _bounded(match.group(1), LONGEST_QUESTION)
                questions.append({"path": change.path, "line": number, "text": text})
    return questions


def _bounded(text: str, length: int) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
