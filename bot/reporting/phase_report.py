"""How far a run is: its phases, what they say of their own work, and how long it will take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta

from bot.reporting import agent_facts, run_facts, sanitize
from bot.reporting.run_view import RunView
from bot.reporting.spending import spending_of, tokens_words, usd, was_metered
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import Phase, RunStatus, TaskStatus

STATUS_EMOJI: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "▫️",
    TaskStatus.RUNNING: "🔄",
    TaskStatus.SUCCEEDED: "✅",
    TaskStatus.FAILED: "❌",
    TaskStatus.SKIPPED: "⏭️",
    TaskStatus.RETRYING: "🔁",
}

LONGEST_SUMMARY = 4000
LONGEST_SHOWN_AT_ONCE = 300
"""Characters. A longer summary is folded."""


def phase_table(run: SpecAutomationRun, *, without_ending: bool = False) -> str:
    """One row a phase, of words of ours only. ``without_ending`` leaves out what comes after the push."""
    metered = was_metered(run)
    rows = ["| | phase | took | attempt |", "|---|---|---:|---:|"]
    if metered:
        rows = ["| | phase | took | attempt | spent |", "|---|---|---:|---:|---:|"]
    for state in run_facts.states(run):
        phase, status = Phase(state.phase), TaskStatus(state.status)
        if without_ending and phase in {Phase.OPEN_PR, Phase.CLEANUP}:
            continue
        words = run_facts.PHASE_WORDS[phase]
        row = f"| {STATUS_EMOJI[status]} | `{phase}` {words} | {_took(state)} | {state.attempt or ''} |"
        rows.append(f"{row} {_spent(run, state)} |" if metered else row)
    return "\n".join(rows)


def _spent(run: SpecAutomationRun, state: SpecAutomationTaskState) -> str:
    # As little as how long it runs.
    if state.status == TaskStatus.RUNNING:
        return ""
    found = spending_of(run, Phase(state.phase))
    parts = [
        tokens_words(found.tokens) if found.tokens is not None else "",
        usd(found.cost) if found.cost is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _took(state: SpecAutomationTaskState) -> str:
    if state.started_at is None or state.status == TaskStatus.SKIPPED:
        return ""
    if state.completed_at is not None:
        return run_facts.duration((state.completed_at - state.started_at).total_seconds())
    # Not how long it runs: nobody writes the table again while one phase works.
    return f"since {state.started_at.astimezone(UTC):%H:%M} UTC" if state.status == TaskStatus.RUNNING else ""


def estimate(run: SpecAutomationRun, view: RunView) -> str:
    """How long such a run takes here, before it begins; when it should be done, while it works. Empty when unknown."""
    if run.cancel_requested_at is not None:
        return ""
    usual = view.usual_seconds
    if run.status == RunStatus.QUEUED:
        usual = usual if usual is not None or view.place is None else view.place.usual_seconds
        return "" if usual is None else f"such a run usually takes {run_facts.about(usual)} here"
    if run.status != RunStatus.IN_PROGRESS or usual is None or run.started_at is None:
        return ""
    left = usual - run_facts.elapsed_seconds(run, view.now)
    if left < 0:
        return f"longer than usual here ({run_facts.about(usual)})"
    end = (run.started_at + timedelta(seconds=usual)).astimezone(UTC)
    return f"{run_facts.about(left)} left, going by earlier runs here: done by {end:%H:%M} UTC"


def summaries(run: SpecAutomationRun) -> list[str]:
    """What the agent says of its own work: a short text as it is, a long one folded."""
    parts = []
    for phase, text in agent_facts.summaries(run):
        shown = sanitize.block(text, LONGEST_SUMMARY)
        if not shown.strip():
            continue
        words = f"The agent on {run_facts.PHASE_WORDS[phase]}"
        if len(shown) > LONGEST_SHOWN_AT_ONCE or "\n" in shown.strip():
            parts.append(f"<details><summary>{words}</summary>\n\n{shown.strip()}\n\n</details>")
        else:
            parts.append(f"**{words}:** {shown.strip()}")
    return parts


def small_print(run: SpecAutomationRun, view: RunView) -> str:
    """Time, versions, where to see more, and the names a search would look for."""
    page = run_facts.run_page(run, view.run_page_base)
    time = run_facts.duration(run_facts.elapsed_seconds(run, view.now))
    waits = run.status == RunStatus.QUEUED
    parts = [
        f"took {time}" if run.completed_at is not None else f"waiting for {time}" if waits else f"{time} so far",
        estimate(run, view),
        run_facts.versions_line(run),
        f"[logs and artifacts]({page})" if page else "",
        f"branch {sanitize.code(run.branch_name)}" if run.branch_name and run.head_sha else "",
        f"error `{run.error_code}`" if run.error_code and not run_facts.was_cancelled(run) else "",
        f"run `{run.run_id}`",
    ]
    return " · ".join(part for part in parts if part)
