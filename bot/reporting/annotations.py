"""Notes on the lines of the specification's files, as a check run shows them. Pure.

https://docs.github.com/en/rest/checks/runs: plain text, not Markdown; ``message`` 64 KB, ``title`` 255 characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bot.reporting import agent_facts, sanitize
from bot.reporting.agent_facts import Finding
from db.base import relative_path
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus

MOST = 200
LONGEST_MESSAGE = 2000
FILES = frozenset({"spec.md", "plan.md", "tasks.md"})


@dataclass(frozen=True, slots=True)
class _Note:
    """A note on one line. ``path`` and ``message`` are raw."""

    path: str | None
    line: int | None
    title: str
    message: str
    level: Literal["notice", "warning"] = "notice"


def annotations_of(run: SpecAutomationRun) -> list[dict[str, Any]]:
    """GitHub's fields, once the files are where the check run is; nothing before the run ended, nor of a dry run."""
    if run.status not in {RunStatus.SUCCEEDED, RunStatus.NO_CHANGES} or run.dry_run:
        return []
    written = {file.path for file in agent_facts.changed_files(run)}
    return [_annotation(note) for note in _notes(run) if _can_be_shown(note, written)][:MOST]


def _notes(run: SpecAutomationRun) -> Iterator[_Note]:
    for finding in agent_facts.findings(run):
        title = " ".join(part for part in (finding.id, finding.category) if part) or "Finding"
        level: Literal["notice", "warning"] = "warning" if finding.severity in agent_facts.GRAVE else "notice"
        yield _Note(finding.path, finding.line, f"{finding.severity}: {title}", _words(finding), level)
    for mark in agent_facts.open_questions(run):
        yield _Note(mark.path, mark.line, "Needs clarification", mark.text or "Something is to be clarified here.")
    for question in agent_facts.asked_questions(run):
        yield _Note(question.path, question.line, f"Question {question.number}", question.text)
    for path in agent_facts.stale_files(run):
        yield _Note(path, 1, "Out of date", "What this file builds on changed after it was written.")


def _words(finding: Finding) -> str:
    return " → ".join(part for part in (finding.summary, finding.recommendation) if part.strip())


def _can_be_shown(note: _Note, written: set[str]) -> bool:
    """An agent names the path: nothing but the files of a specification, and what the run wrote, gets a note."""
    if note.path is None or not note.message.strip():
        return False
    try:
        relative_path(note.path)
    except ValueError:
        return False
    return note.path in written or note.path.rpartition("/")[2] in FILES


def _annotation(note: _Note) -> dict[str, Any]:
    return {
        "path": note.path,
        "start_line": note.line or 1,
        "end_line": note.line or 1,
        "annotation_level": note.level,
        "title": sanitize.clip(sanitize.plain(note.title), 120),
        "message": sanitize.clip(sanitize.plain(note.message), LONGEST_MESSAGE) or "See the file.",
    }
