"""What a task state keeps of an agent phase: read from the feature's documents before and after, for the reports."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.vocabulary import Phase
from jobs.patches import Patch
from jobs.phases.agent_results import MOST_OPTIONS, findings_of, numbered, questions_of
from jobs.phases.assignment import Assignment
from jobs.phases.spec_reading import files_of, open_questions, requirements, spec_heading, user_stories
from jobs.phases.steps import DOCUMENTS, SPEC
from jobs.ports import AgentReport
from jobs.run_context import RunRequest

LARGEST_DETAILS = 200_000
"""Bytes of JSON: a task state holds no more than 256 KiB."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one phase: the feature's documents around it (path in the repository -> content), and the patch
    between them, which is empty where nothing of it is kept."""

    directory: str
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    patch: Patch
    content: bytes

    def text(self, name: str, *, before: bool = False) -> str:
        """A document's text, empty where it is not there."""
        return (self.before if before else self.after).get(f"{self.directory}/{name}", b"").decode(errors="replace")


def details_of(request: RunRequest, assignment: Assignment, report: AgentReport, made: Made) -> dict[str, object]:
    """The structured payload of the phase. Raises UserError ``agent.no_output`` for a result that cannot be read."""
    details: dict[str, object] = {
        "feature_directory": made.directory,
        "files": files_of(made.patch),
        "input_tokens": report.input_tokens,
        "output_tokens": report.output_tokens,
        "cost_usd": report.cost_usd,
        "summary": report.message,
    }
    marks = open_questions(made.after)
    if made.directory:
        details["open_questions"] = marks
    if assignment.step.changes == SPEC:
        spec = made.text(SPEC)
        details["heading"] = spec_heading(spec)
        details["user_stories"] = user_stories(spec)
        details["requirements"] = requirements(spec)
        if f"{made.directory}/{SPEC}" in made.before:
            details["requirements_before"] = requirements(made.text(SPEC, before=True))
    if stale := _stale(request, assignment, made):
        details["stale"] = stale
    if (section := assignment.command.section) is not None:
        path = request.in_project(section.path)
        details["section"] = {"path": path, "heading": section.heading, "line": section.first_line}
    match assignment.step.phase:
        case Phase.SPECKIT_CLARIFY if assignment.asks:
            asked = questions_of(report.result, in_project=request.project)
            details["questions"] = numbered([*asked, *questions_of_marks(marks, besides=asked)])
        case Phase.SPECKIT_CLARIFY:
            details["answered"] = request.arguments["answers"]
        case Phase.SPECKIT_ANALYZE:
            details["findings"] = findings_of(report.result, in_project=request.project)
    return _bounded(details)


def _bounded(details: dict[str, object]) -> dict[str, object]:
    """The longest list loses its end, again and again, until all of it can be kept."""
    while len(json.dumps(details)) > LARGEST_DETAILS:
        lists = {name: value for name, value in details.items() if isinstance(value, list) and value}
        if not lists:
            break
        longest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        details[longest] = lists[longest][: len(lists[longest]) // 2]
    return details


def questions_of_marks(
    marks: Sequence[Mapping[str, object]], *, besides: Sequence[Mapping[str, object]] = ()
) -> list[dict[str, object]]:
    """A question for each ``[NEEDS CLARIFICATION]`` mark that is not asked already, by ``besides`` or another mark."""
    known = {_plain(str(question["text"])) for question in besides}
    found: list[dict[str, object]] = []
    for mark in marks:
        words = _plain(str(mark["text"]))
        if not words or words not in known:
            found.append(_question_of_mark(mark))
            known.add(words)
    return found


def _question_of_mark(mark: Mapping[str, object]) -> dict[str, object]:
    """Where the mark offers nothing, it is answered in one's own words."""
    text = str(mark["text"]) or "Something is to be clarified here."
    options = [{"letter": chr(ord("A") + index), "text": said} for index, said in enumerate(alternatives(text))]
    return {
        "text": text,
        "why": "",
        "options": options,
        "recommended": None,
        "path": mark["path"],
        "line": mark["line"],
    }


def alternatives(question: str) -> list[str]:
    """What a question offers by itself: ``auth method - email/password, SSO, or OAuth?`` offers three. Else nothing."""
    offered = re.search(r"(?: [-–—] |: )([^:?]+)\??$", question)
    parts = [part.strip(" .") for part in re.split(r",\s*(?:or\s+)?|\s+or\s+", offered[1])] if offered else []
    fits = 2 <= len(parts) <= MOST_OPTIONS and all(0 < len(part) <= 60 for part in parts)
    return parts if fits else []


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _stale(request: RunRequest, assignment: Assignment, made: Made) -> list[str]:
    """The documents that build on one this phase changed, and that this run does not make anew."""
    written = {change.path for change in made.patch.changes}
    changed = [name for name in DOCUMENTS if f"{made.directory}/{name}" in written]
    if not assignment.step.changes or not changed:
        return []
    made_later = {Phase.SPECKIT_PLAN: "plan.md", Phase.SPECKIT_TASKS: "tasks.md"}
    renewed = {made_later[phase] for phase in request.agent_phases if phase in made_later}
    behind = DOCUMENTS[DOCUMENTS.index(changed[0]) + 1 :]
    return [
        f"{made.directory}/{name}"
        for name in behind
        if name not in renewed and name not in changed and f"{made.directory}/{name}" in made.after
    ]
