"""What a run's rows tell, read once and in one place: for the comment, the check run and the pull request. Pure.

Task states keep their findings as JSON in ``details``; whatever is missing or has another shape counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.reporting import sanitize
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import AGENT_PHASES, PHASES, ErrorCode, Phase, RunStatus, TaskStatus

PHASE_WORDS: Mapping[Phase, str] = {
    Phase.PREPARE_JOB: "preparing the job",
    Phase.START_JOB_CONTAINER: "starting the container",
    Phase.GIT_CLONE: "cloning the repository",
    Phase.SPECKIT_SPECIFY: "writing the specification",
    Phase.SPECKIT_PLAN: "writing the plan",
    Phase.SPECKIT_TASKS: "writing the tasks",
    Phase.COMMIT_PUSH: "committing and pushing",
    Phase.OPEN_PR: "opening the pull request",
    Phase.CLEANUP: "cleaning up",
}

STATUS_EMOJI: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "▫️",
    TaskStatus.RUNNING: "🔄",
    TaskStatus.SUCCEEDED: "✅",
    TaskStatus.FAILED: "❌",
    TaskStatus.SKIPPED: "⏭️",
    TaskStatus.RETRYING: "🔁",
}

AGENT_WORDS: Mapping[str, str] = {"template": "no model: Spec Kit's templates filled from the request"}
"""What an agent is, where its name alone would promise too much."""

LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A ``[NEEDS CLARIFICATION]`` mark: where it stands and what it asks, as the agent wrote it."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file a phase wrote."""

    path: str
    added_lines: int


def short_id(run: SpecAutomationRun) -> str:
    """The first 8 characters of the run id: enough for ``cancel``."""
    return str(run.run_id)[:8]


def run_page(run: SpecAutomationRun, run_page_base: str | None) -> str | None:
    """Where people see the run, or None: runs of private repositories have no page for everybody."""
    return None if run_page_base is None or run.private else f"{run_page_base}/runs/{run.run_id}"


def was_cancelled(run: SpecAutomationRun) -> bool:
    """True for a run that ended because somebody asked for it."""
    return run.status == RunStatus.FAILED and run.error_code == ErrorCode.RUN_CANCELLED


def states(run: SpecAutomationRun) -> list[SpecAutomationTaskState]:
    """The task states in the order of the phases."""
    return sorted(run.task_states, key=lambda state: PHASES.index(Phase(state.phase)))


def current_state(run: SpecAutomationRun) -> SpecAutomationTaskState | None:
    """The phase that runs or waits for its next try, or the last that failed."""
    for wanted in ({TaskStatus.RUNNING, TaskStatus.RETRYING}, {TaskStatus.FAILED}):
        found = [state for state in states(run) if state.status in wanted]
        if found:
            return found[-1] if TaskStatus.RUNNING in wanted else found[0]
    return None


def heading(run: SpecAutomationRun) -> str:
    """The specification's own heading, or an empty string."""
    found = _details(run, Phase.SPECKIT_SPECIFY).get("heading")
    return found if isinstance(found, str) else ""


def user_stories(run: SpecAutomationRun) -> list[str]:
    """The titles of the user stories."""
    found = _details(run, Phase.SPECKIT_SPECIFY).get("user_stories")
    return [story for story in found if isinstance(story, str)] if isinstance(found, list) else []


def open_questions(run: SpecAutomationRun) -> list[OpenQuestion]:
    """Every open question of every agent phase, in the order of the phases, each once."""
    questions: dict[OpenQuestion, None] = {}
    for item in _items(run, "open_questions"):
        path, line, text = item.get("path"), item.get("line"), item.get("text")
        if isinstance(path, str) and isinstance(text, str):
            questions[OpenQuestion(path, line if isinstance(line, int) and line > 0 else 1, text)] = None
    return list(questions)


def changed_files(run: SpecAutomationRun) -> list[ChangedFile]:
    """Every file the agent phases wrote; one that several wrote counts with the lines of all of them."""
    lines: dict[str, int] = {}
    for item in _items(run, "files"):
        path, added = item.get("path"), item.get("added_lines")
        if isinstance(path, str):
            lines[path] = lines.get(path, 0) + (added if isinstance(added, int) else 0)
    return [ChangedFile(path, added) for path, added in sorted(lines.items())]


def tokens(run: SpecAutomationRun) -> tuple[int, int] | None:
    """Tokens in and out over all agent phases, or None where no agent counted any."""
    counted = [
        (details.get("input_tokens"), details.get("output_tokens"))
        for details in (_details(run, phase) for phase in AGENT_PHASES)
    ]
    known = [(given or 0, made or 0) for given, made in counted if isinstance(given, int) or isinstance(made, int)]
    return (sum(given for given, _ in known), sum(made for _, made in known)) if known else None


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``, ``1 h 02 min``."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def elapsed(run: SpecAutomationRun, now: datetime) -> str:
    """From the start to the end, or to ``now``."""
    return duration(((run.completed_at or now) - (run.started_at or run.created_at)).total_seconds())


def phase_table(run: SpecAutomationRun, *, without_ending: bool = False) -> str:
    """One row a phase, of words of ours only. ``without_ending`` leaves out what comes after the push."""
    rows = ["| | phase | took | attempt |", "|---|---|---:|---:|"]
    for state in states(run):
        took = ""
        if state.started_at is not None and state.completed_at is not None:
            took = duration((state.completed_at - state.started_at).total_seconds())
        phase, status = Phase(state.phase), TaskStatus(state.status)
        if without_ending and phase in {Phase.OPEN_PR, Phase.CLEANUP}:
            continue
        rows.append(f"| {STATUS_EMOJI[status]} | `{phase}` {PHASE_WORDS[phase]} | {took} | {state.attempt or ''} |")
    return "\n".join(rows)


def versions_line(run: SpecAutomationRun) -> str:
    """Who worked, and with which Spec Kit; empty until that is known."""
    used = run.agent_configuration
    if used is None:
        return ""
    what = AGENT_WORDS.get(used.agent_backend)
    agent = f"agent {sanitize.code(used.agent_backend)} {sanitize.inline(used.agent_version)}".rstrip()
    line = f"{agent}{f' ({what})' if what else ''} · Spec Kit {sanitize.inline(used.prompt_pack_version)}"
    counted = tokens(run)
    return f"{line} · {counted[0]:,} tokens in, {counted[1]:,} out" if counted else line


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Somebody's text as one harmless line of Markdown, clipped."""
    return sanitize.inline(sanitize.clip(" ".join(text.split()), limit))


def question_lines(questions: list[OpenQuestion], most: int) -> list[str]:
    """A list of the questions, at most so many, and how many are left out."""
    lines = [f"- {sanitize.code(f'{asked.path}:{asked.line}')} {one_line(asked.text)}" for asked in questions[:most]]
    if len(questions) > most:
        lines.append(f"- … and {len(questions) - most} more")
    return lines


def _items(run: SpecAutomationRun, key: str) -> Iterator[Mapping[str, Any]]:
    for phase in AGENT_PHASES:
        found = _details(run, phase).get(key)
        if isinstance(found, list):
            yield from (item for item in found if isinstance(item, Mapping))


def _details(run: SpecAutomationRun, phase: Phase) -> Mapping[str, Any]:
    for state in run.task_states:
        if state.phase == phase:
            return state.details or {}
    return {}
