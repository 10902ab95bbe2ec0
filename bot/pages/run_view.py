"""What the run page shows of a run: plain values, ready for the template, nothing looked up later.

Text that others chose (titles, logins, requests, output) passes ``readable`` here and is escaped by the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from bot.pages.plain_text import readable
from bot.reporting.hidden_text import hidden_by_kind
from bot.reporting.network_report import host_counts
from bot.reporting.restored import restored_paths
from bot.reporting.spending import Spending, budget_words, by_model, spending_in_all, tokens_words, usd
from db.budgets import BudgetState
from db.models import AutomationArtifact, SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import Phase, RunStatus, TaskStatus, Trigger

PHASE_LABELS: Mapping[Phase, str] = {
    Phase.PREPARE_JOB: "Prepare the job",
    Phase.START_JOB_CONTAINER: "Start the containers",
    Phase.GIT_CLONE: "Clone the repository",
    Phase.SPECKIT_CONSTITUTION: "Write the constitution",
    Phase.SPECKIT_SPECIFY: "Write the specification",
    Phase.SPECKIT_CLARIFY: "Clarify",
    Phase.SPECKIT_REFINE: "Change a section",
    Phase.SPECKIT_PLAN: "Plan",
    Phase.SPECKIT_TASKS: "List the tasks",
    Phase.SPECKIT_CHECKLIST: "Write a checklist",
    Phase.SPECKIT_ANALYZE: "Analyze",
    Phase.SPECKIT_IMPLEMENT: "Implement",
    Phase.COMMIT_PUSH: "Commit and push",
    Phase.OPEN_PR: "Pull request",
    Phase.CLEANUP: "Clean up",
}


TRIGGER_WORDS: Mapping[Trigger, str] = {
    Trigger.COMMENT: "",
    Trigger.MENTION: ", by mention",
    Trigger.LABEL: ", with a label",
    Trigger.ASSIGNMENT: ", by assignment",
    Trigger.CHECK_RUN: ", at a check run",
    Trigger.REVIEW_COMMENT: ", in a review",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people and for machines."""

    iso: str
    shown: str


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of one output stream. ``url`` leads to the whole of it, relative to the run page."""

    name: str
    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One line of the phase table, with its logs."""

    name: str
    label: str
    status: str
    attempt: int
    started: Moment | None
    duration: str
    note: str
    logs: tuple[LogTail, ...]
    is_open: bool
    spent: tuple[str, ...] = ()
    """What the gateway counted, a line for each model."""


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host that the agent's programs asked for in one phase, and what became of it."""

    host: str
    times: int
    phase: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """One download. ``url`` is relative to the run page."""

    name: str
    attempt: int
    kind: str
    size: str
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the header: a name, a text, and where it leads."""

    name: str
    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class BoxLine:
    """One check of the self-test of the job container, as the newest container of the run passed it, or did not."""

    name: str
    result: str
    seen: str


@dataclass(frozen=True, slots=True)
class RunView:
    """The run page."""

    run_id: str
    title: str
    repository: str
    status: str
    is_alive: bool
    summary: str
    facts: tuple[Fact, ...]
    phases: tuple[PhaseRow, ...]
    hosts: tuple[HostRow, ...]
    artifacts: tuple[ArtifactRow, ...]
    request: str
    box: tuple[BoxLine, ...] = ()


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line of the list of runs."""

    url: str
    title: str
    repository: str
    issue: int
    status: str
    verb: str
    asked_by: str
    created: Moment
    duration: str


def run_line(run: SpecAutomationRun, now: datetime) -> RunLine:
    """A run in the list."""
    return RunLine(
        url=f"runs/{run.run_id}",
        title=readable(run.issue_title) or f"#{run.issue_number}",
        repository=readable(run.repository),
        issue=run.issue_number,
        status=run.status.value,
        verb=run.verb.value,
        asked_by=readable(run.requested_by),
        created=moment(run.created_at),
        duration=duration(run.started_at, run.completed_at or now),
    )


def run_view(
    run: SpecAutomationRun,
    logs: Mapping[Phase, tuple[LogTail, ...]],
    github_web_url: str,
    now: datetime,
    budget: BudgetState | None = None,
) -> RunView:
    """A run as its page shows it; ``logs`` are the tails by phase, ``budget`` is how far it is, if one holds."""
    return RunView(
        run_id=str(run.run_id),
        title=readable(run.issue_title) or f"#{run.issue_number}",
        repository=readable(run.repository),
        status=run.status.value,
        is_alive=not RunStatus(run.status).is_terminal,
        summary=readable(run.result_summary or ""),
        facts=(*_facts(run, github_web_url, now), *_spending_facts(run, budget)),
        phases=tuple(_phase_row(run, state, logs.get(state.phase, ()), now) for state in run.task_states),
        hosts=tuple(
            HostRow(readable(count.host), count.times, count.phase.value, "refused" if count.refused else "reached")
            for count in host_counts(run)
        ),
        artifacts=tuple(_artifact_row(run, artifact) for artifact in run.artifacts),
        request=readable(run.requested_spec_input),
        box=_box(run),
    )


def _box(run: SpecAutomationRun) -> tuple[BoxLine, ...]:
    kept = [state.details or {} for state in run.task_states if state.phase is Phase.START_JOB_CONTAINER]
    checks = kept[0].get("self_test") if kept else None
    return tuple(
        BoxLine(
            readable(str(check.get("name", ""))),
            "passed" if check.get("passed") is True else "failed",
            readable(str(check.get("seen", ""))),
        )
        for check in (checks if isinstance(checks, list) else ())
        if isinstance(check, dict)
    )


def artifact_url(run: SpecAutomationRun, artifact: AutomationArtifact) -> str:
    """Relative to the run page."""
    return f"{run.run_id}/artifacts/{artifact.artifact_id}"


def moment(at: datetime) -> Moment:
    """A time in UTC."""
    at = at.astimezone(UTC)
    return Moment(at.isoformat(timespec="seconds"), at.strftime("%Y-%m-%d %H:%M:%S"))


def duration(begin: datetime | None, end: datetime) -> str:
    """How long, for people; empty when it did not begin."""
    if begin is None:
        return ""
    seconds = max(0.0, (end - begin).total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _facts(run: SpecAutomationRun, github_web_url: str, now: datetime) -> list[Fact]:
    repository_url = f"{github_web_url}/{quote(run.repository)}"
    where = "pull" if run.on_pull_request else "issues"
    facts = [
        Fact("Repository", readable(run.repository), repository_url),
        Fact(
            "Pull request" if run.on_pull_request else "Issue",
            f"#{run.issue_number}",
            f"{repository_url}/{where}/{run.issue_number}",
        ),
        Fact("Asked for", run.verb.value),
        Fact("Asked by", f"{readable(run.requested_by)}{TRIGGER_WORDS[run.trigger]}"),
        Fact("Asked at", f"{moment(run.created_at).shown} UTC"),
    ]
    if run.started_at is not None:
        facts.append(
            Fact("Took" if run.completed_at else "Runs for", duration(run.started_at, run.completed_at or now))
        )
    if run.report.pull_request_url is not None and not run.on_pull_request:
        number = f"#{run.report.pull_request_number}" if run.report.pull_request_number else "open"
        facts.append(Fact("Pull request", number, _web_url(run.report.pull_request_url)))
    facts += [
        Fact(name, readable(value))
        for name, value in (
            ("Branch", run.branch_name),
            ("Base", run.base_branch),
            ("Feature", run.feature_directory),
            ("Retry of", str(run.retry_of) if run.retry_of else None),
            ("Error code", run.error_code),
            ("Cancelled by", run.cancel_requested_by),
        )
        if value
    ]
    if (agent := run.agent_configuration) is not None:
        facts.append(Fact("Agent", readable(f"{agent.agent_backend} {agent.agent_version}")))
        facts.append(Fact("Spec Kit", readable(agent.prompt_pack_version)))
    if hidden := hidden_by_kind(run):
        facts.append(Fact("Hidden text", f"left out of what the agent read: {hidden}"))
    paths, count = restored_paths(run)
    if paths:
        more = f" and {count - len(paths)} more" if count > len(paths) else ""
        facts.append(Fact("From the base branch", readable(", ".join(paths) + more)))
    if run.dry_run:
        facts.append(Fact("Dry run", "nothing is pushed"))
    if run.worker_hostname:
        facts.append(Fact("Worker", f"{readable(run.worker_hostname)}, epoch {run.lease_epoch}"))
    return facts


def _spending_facts(run: SpecAutomationRun, budget: BudgetState | None) -> list[Fact]:
    spent = spending_in_all(run)
    told = [tokens_words(spent.tokens) if spent.tokens else "", usd(spent.cost) if spent.cost is not None else ""]
    found = [Fact("Spent", ", ".join(part for part in told if part))] if any(told) else []
    # A run without a model spends nothing, whatever the budget.
    return [*found, Fact("Of its budget", budget_words(budget))] if budget is not None and run.model_usage else found


def _phase_row(
    run: SpecAutomationRun, state: SpecAutomationTaskState, logs: tuple[LogTail, ...], now: datetime
) -> PhaseRow:
    return PhaseRow(
        name=state.phase.value,
        label=PHASE_LABELS[state.phase],
        status=state.status.value,
        attempt=state.attempt,
        started=moment(state.started_at) if state.started_at else None,
        duration=duration(state.started_at, state.completed_at or now),
        note=_note(state),
        logs=logs,
        is_open=state.status in {TaskStatus.RUNNING, TaskStatus.FAILED, TaskStatus.RETRYING},
        spent=tuple(_spent(model, found) for model, found in by_model(run, state.phase).items()),
    )


def _spent(model: str, found: Spending) -> str:
    refused = f"{found.refused:,} refused" if found.refused else ""
    if not model:
        return f"{refused} that asked for no model that is allowed"
    parts = [f"{found.requests:,} request{'s' * (found.requests != 1)}", refused]
    if found.tokens is not None and found.requests:
        parts.append(f"{tokens_words(found.tokens)} ({found.tokens.cached:,} of what went in was cached)")
    if found.cost is not None and found.requests:
        parts.append(usd(found.cost))
    return readable(f"{model}: {', '.join(part for part in parts if part)}")


def _note(state: SpecAutomationTaskState) -> str:
    if state.status not in {TaskStatus.FAILED, TaskStatus.RETRYING}:
        return ""
    # Not "message": that one is the operator's, and may name hosts and paths.
    told = [str(state.details[key]) for key in ("summary", "error_code") if state.details.get(key)]
    return readable(" · ".join(told))


def _artifact_row(run: SpecAutomationRun, artifact: AutomationArtifact) -> ArtifactRow:
    return ArtifactRow(
        name=readable(artifact.name),
        attempt=artifact.attempt,
        kind=artifact.artifact_type.value,
        size=_size(artifact.size_bytes),
        sha256=readable(artifact.sha256),
        url=artifact_url(run, artifact),
    )


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _web_url(url: str) -> str | None:
    """A link people may follow: nothing but http and https ever becomes one."""
    return url if urlsplit(url).scheme in {"http", "https"} else None
