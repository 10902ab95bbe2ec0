"""What the agent phases of a run left in the details of their task states. Pure.

The agent chose most of this text: it is raw here, and whoever shows it sanitizes it. Whatever is missing or has another
shape counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.models import SpecAutomationRun
from db.vocabulary import AGENT_PHASES, Phase, TaskStatus

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
GRAVE = frozenset(SEVERITIES[:2])


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A ``[NEEDS CLARIFICATION]`` mark: where it stands and what it asks."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file a phase wrote."""

    path: str
    added_lines: int


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a question."""

    letter: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question put to people. Without options it is answered in words; ``recommended`` is the letter of one."""

    number: int
    text: str
    why: str = ""
    options: tuple[Option, ...] = ()
    recommended: str | None = None
    path: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What people answered to the question of this number."""

    number: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What ``speckit_analyze`` found. ``severity`` is one of SEVERITIES, or the agent's own word."""

    id: str
    category: str
    severity: str
    path: str | None
    line: int | None
    summary: str
    recommendation: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """A functional requirement (``FR-001``) or a success criterion (``SC-001``) of the specification."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a file that ``refine`` points at."""

    path: str
    heading: str
    line: int | None


def tells(run: SpecAutomationRun, key: str) -> bool:
    """True if any agent phase of the run says something about it, be it that there is none."""
    return any(isinstance(_details(run, phase).get(key), list) for phase in AGENT_PHASES)


def heading(run: SpecAutomationRun) -> str:
    """The heading of what was written, or an empty string."""
    return next((found for phase in AGENT_PHASES if (found := _text(_details(run, phase), "heading"))), "")


def user_stories(run: SpecAutomationRun) -> list[str]:
    """The titles of the user stories."""
    return [story for story in _values(run, "user_stories") if isinstance(story, str)]


def open_questions(run: SpecAutomationRun) -> list[OpenQuestion]:
    """The questions that were open when the last agent phase was done, each once."""
    told = [found for phase in AGENT_PHASES if isinstance(found := _details(run, phase).get("open_questions"), list)]
    questions = [
        OpenQuestion(path, _line(item) or 1, text)
        for item in _mappings(told[-1] if told else None)
        if isinstance(path := item.get("path"), str) and isinstance(text := item.get("text"), str)
    ]
    return list(dict.fromkeys(questions))


def changed_files(run: SpecAutomationRun) -> list[ChangedFile]:
    """Every file the agent phases wrote; one that several wrote counts with the lines of all of them."""
    lines: dict[str, int] = {}
    for item in _items(run, "files"):
        path, added = item.get("path"), item.get("added_lines")
        if isinstance(path, str):
            lines[path] = lines.get(path, 0) + (added if isinstance(added, int) else 0)
    return [ChangedFile(path, added) for path, added in sorted(lines.items())]


def stale_files(run: SpecAutomationRun) -> list[str]:
    """Files that no longer fit, because what they build on changed in this run."""
    return sorted({path for path in _values(run, "stale") if isinstance(path, str)})


def findings(run: SpecAutomationRun) -> list[Finding]:
    """What the analysis found, the gravest first."""
    found = [
        Finding(
            id=_text(item, "id"),
            category=_text(item, "category"),
            severity=_text(item, "severity").strip().upper() or "LOW",
            path=_text(item, "path") or None,
            line=_line(item),
            summary=_text(item, "summary"),
            recommendation=_text(item, "recommendation"),
        )
        for item in _items(run, "findings")
    ]
    return sorted(
        found, key=lambda finding: SEVERITIES.index(finding.severity) if finding.severity in SEVERITIES else 9
    )


def requirements(run: SpecAutomationRun) -> list[Requirement]:
    """The requirements as they are now."""
    return _requirements(_items(run, "requirements"))


def requirements_before(run: SpecAutomationRun) -> list[Requirement] | None:
    """The requirements as they were in the last round; None in the first."""
    return _requirements(_items(run, "requirements_before")) if tells(run, "requirements_before") else None


def asked_questions(run: SpecAutomationRun) -> list[Question]:
    """The questions that the run put to people."""
    return read_questions(list(_values(run, "questions")))


def given_answers(run: SpecAutomationRun) -> list[Answer]:
    """The answers that the run worked into the specification."""
    return read_answers(list(_values(run, "answered")))


def refined_section(run: SpecAutomationRun) -> Section | None:
    """The section a ``refine`` run is about."""
    for found in (_details(run, Phase.SPECKIT_REFINE).get("section"), (run.arguments or {}).get("section")):
        if isinstance(found, Mapping) and (path := _text(found, "path")):
            return Section(path, _text(found, "heading"), _line(found))
    return None


def summaries(run: SpecAutomationRun) -> list[tuple[Phase, str]]:
    """What the agent says of its own work, phase by phase."""
    # The details of a phase that failed or waits hold a summary too, of what went wrong and in our words.
    done = {state.phase for state in run.task_states if state.status == TaskStatus.SUCCEEDED}
    told = [(phase, _text(_details(run, phase), "summary").strip()) for phase in AGENT_PHASES if phase in done]
    return [(phase, text) for phase, text in told if text]


def commit_of(run: SpecAutomationRun, phase: Phase) -> str | None:
    """The commit with the work of a phase, or None while nothing of it is pushed."""
    commits = _details(run, Phase.COMMIT_PUSH).get("commit_of")
    found = commits.get(phase.value) if isinstance(commits, Mapping) else None
    return found if isinstance(found, str) and found else run.head_sha


def read_questions(found: object) -> list[Question]:
    """Questions from their JSON: ``[{number, text, why, options: [{letter, text}], recommended, path, line}]``."""
    return [
        Question(
            number=number,
            text=_text(item, "text") or _text(item, "question"),
            why=_text(item, "why"),
            options=_options(item.get("options")),
            recommended=_text(item, "recommended") or None,
            path=_text(item, "path") or None,
            line=_line(item),
        )
        for item in _mappings(found)
        if isinstance(number := item.get("number"), int)
    ]


def read_answers(found: object) -> list[Answer]:
    """Answers from their JSON: ``[{number, question, answer}]``."""
    return [
        Answer(number, _text(item, "question"), _text(item, "answer"))
        for item in _mappings(found)
        if isinstance(number := item.get("number"), int)
    ]


def _options(found: object) -> tuple[Option, ...]:
    return tuple(
        Option(letter, _text(item, "text")) for item in _mappings(found) if (letter := _text(item, "letter").strip())
    )


def _requirements(items: Iterator[Mapping[str, Any]]) -> list[Requirement]:
    return [Requirement(name, _text(item, "text")) for item in items if (name := _text(item, "id").strip())]


def _items(run: SpecAutomationRun, key: str) -> Iterator[Mapping[str, Any]]:
    return (item for item in _values(run, key) if isinstance(item, Mapping))


def _values(run: SpecAutomationRun, key: str) -> Iterator[object]:
    for phase in AGENT_PHASES:
        found = _details(run, phase).get(key)
        if isinstance(found, list):
            yield from found


def _mappings(found: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in found if isinstance(item, Mapping)) if isinstance(found, Sequence) else iter(())


def _text(item: Mapping[str, Any], key: str) -> str:
    found = item.get(key)
    return found if isinstance(found, str) else ""


def _line(item: Mapping[str, Any]) -> int | None:
    found = item.get("line")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _details(run: SpecAutomationRun, phase: Phase) -> Mapping[str, Any]:
    for state in run.task_states:
        if state.phase == phase:
            return state.details or {}
    return {}
