"""What a run's rows tell about its course, read once and in one place: for the comment, the check run and the pull
request. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.reporting import sanitize
from bot.reporting.run_view import RunView
from bot.reporting.spending import spending_in_all, tokens_words, usd
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import AGENT_PHASES, AGENT_PHASES_OF, PHASES, ErrorCode, Phase, RunStatus, TaskStatus, Trigger, Verb

PHASE_WORDS: Mapping[Phase, str] = {
    Phase.PREPARE_JOB: "preparing the job",
    Phase.START_JOB_CONTAINER: "starting the container",
    Phase.GIT_CLONE: "cloning the repository",
    Phase.SPECKIT_CONSTITUTION: "writing the constitution",
    Phase.SPECKIT_SPECIFY: "writing the specification",
    Phase.SPECKIT_CLARIFY: "clarifying the specification",
    Phase.SPECKIT_REFINE: "changing the section",
    Phase.SPECKIT_PLAN: "writing the plan",
    Phase.SPECKIT_TASKS: "writing the tasks",
    Phase.SPECKIT_CHECKLIST: "writing the checklist",
    Phase.SPECKIT_ANALYZE: "analyzing what is written",
    Phase.SPECKIT_IMPLEMENT: "carrying out the tasks",
    Phase.COMMIT_PUSH: "committing and pushing",
    Phase.OPEN_PR: "opening the pull request",
    Phase.CLEANUP: "cleaning up",
}

TRIGGER_WORDS: Mapping[Trigger, str] = {
    Trigger.COMMENT: "",
    Trigger.MENTION: " by mention",
    Trigger.LABEL: " by label",
    Trigger.ASSIGNMENT: " by assignment",
    Trigger.CHECK_RUN: " with a button of a check",
    Trigger.REVIEW_COMMENT: " in a review comment",
}

AGENT_WORDS: Mapping[str, str] = {"template": "no model: Spec Kit's templates filled from the request"}
"""What an agent is, where its name alone would promise too much."""

LONGEST_LINE = 300


def short_id(run: SpecAutomationRun) -> str:
    """The first 8 characters of the run id: enough for ``cancel``."""
    return str(run.run_id)[:8]


def run_page(run: SpecAutomationRun, run_page_base: str | None) -> str | None:
    """Where people see the run, or None: runs of private repositories have no page for everybody."""
    return None if run_page_base is None or run.private else f"{run_page_base}/runs/{run.run_id}"


def was_cancelled(run: SpecAutomationRun) -> bool:
    """True for a run that ended because somebody asked for it."""
    return run.status == RunStatus.FAILED and run.error_code == ErrorCode.RUN_CANCELLED


def did_its_work(run: SpecAutomationRun) -> bool:
    """True for a run that ended well and with what it was for. To ask and to look need no change."""
    return run.status == RunStatus.SUCCEEDED or (
        run.status == RunStatus.NO_CHANGES and run.verb in {Verb.CLARIFY, Verb.ANALYZE}
    )


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


def done_agent_phases(run: SpecAutomationRun) -> list[Phase]:
    """The agent phases that succeeded, in their order."""
    done = {state.phase for state in run.task_states if state.status == TaskStatus.SUCCEEDED}
    return [phase for phase in AGENT_PHASES if phase in done]


def pull_request_number(run: SpecAutomationRun) -> int | None:
    """The pull request that the run opened, or whose branch it continues."""
    return run.report.pull_request_number or run.pull_request_number


def pull_request_link(run: SpecAutomationRun, view: RunView) -> str:
    """``[pull request 12](...)``."""
    number = pull_request_number(run)
    if number is None:
        return "the pull request"
    return f"[pull request {number}]({run.report.pull_request_url or f'{view.repository_url}/pull/{number}'})"


def asked_for(run: SpecAutomationRun) -> str:
    """The verb and those flags that tell from what it would otherwise have done, such as ``specify --until plan``."""
    phases = AGENT_PHASES_OF[Verb(run.verb)]
    words = [Verb(run.verb).value]
    if run.until_phase is not None and len(phases) > 1 and run.until_phase != phases[-1]:
        words.append(f"--until {run.until_phase.value.removeprefix('speckit_')}")
    named = (("--agent", run.requested_agent), ("--model", run.requested_model), ("--project", run.project))
    words += [f"{flag} {value}" for flag, value in named if value]
    if (run.arguments or {}).get("accept_recommended") is True:
        words.append("--accept-recommended")
    return sanitize.code(" ".join([*words, "--dry-run"] if run.dry_run else words))


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


def about(seconds: float) -> str:
    """An estimate in words that promise no more than it can hold: ``less than a minute``, ``about 3 min``."""
    minutes = round(max(0.0, seconds) / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60:02d} min"


def elapsed_seconds(run: SpecAutomationRun, now: datetime) -> float:
    """From the start to the end, or to ``now``."""
    return max(0.0, ((run.completed_at or now) - (run.started_at or run.created_at)).total_seconds())


def versions_line(run: SpecAutomationRun) -> str:
    """Who worked, with which Spec Kit, and what it took where the agent tells; empty until that is known."""
    used = run.agent_configuration
    if used is None:
        return ""
    what = AGENT_WORDS.get(used.agent_backend)
    agent = f"agent {sanitize.code(used.agent_backend)} {sanitize.inline(used.agent_version)}".rstrip()
    parts = [f"{agent}{f' ({what})' if what else ''}", f"Spec Kit {sanitize.inline(used.prompt_pack_version)}"]
    spent = spending_in_all(run)
    if spent.tokens is not None:
        parts.append(tokens_words(spent.tokens))
    if spent.cost is not None:
        parts.append(usd(spent.cost))
    return " · ".join(parts)


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Somebody's text as one harmless line of Markdown, clipped."""
    return sanitize.inline(" ".join(text.split()), limit)
