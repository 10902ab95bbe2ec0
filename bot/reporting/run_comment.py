"""The one comment of a run: how it stands, in plain words. Pure."""

from __future__ import annotations

from datetime import datetime

from bot.github.markers import run_marker
from bot.reporting import run_facts, sanitize
from bot.reporting.failure_advice import advice
from db.models import SpecAutomationRun
from db.vocabulary import PHASES, Phase, RunStatus, TaskStatus

MAX_COMMENT = 65_536
MOST_QUESTIONS = 10
MOST_FILES = 30


def run_comment(run: SpecAutomationRun, now: datetime, run_page_base: str | None, prefix: str) -> str:
    """The whole comment, at most 65,536 characters; ``run`` with everything loaded. Ends with the run's marker."""
    parts = [*summary_parts(run, now, run_page_base, prefix), _next_steps(run, prefix)]
    return within(parts, run_marker(run.run_id))


def summary_parts(run: SpecAutomationRun, now: datetime, run_page_base: str | None, prefix: str) -> list[str]:
    """How the run stands, part by part: headline, who asked for what, what this state adds, phases, small print."""
    parts = [
        headline(run),
        _asked(run),
        *_particulars(run, prefix),
        run_facts.phase_table(run),
        _small_print(run, now, run_page_base),
    ]
    return [part for part in parts if part]


def within(parts: list[str], last: str, limit: int = MAX_COMMENT) -> str:
    """The parts with blank lines between them, then ``last``; parts that do not fit are left out whole."""
    left_out = "*More did not fit here.*"
    kept, room = [], limit - len(last) - len(left_out) - 4
    for part in parts:
        if len(part) + 2 <= room:
            kept.append(part)
            room -= len(part) + 2
        elif left_out not in kept:
            kept.append(left_out)
    return "\n\n".join([*kept, last])


def headline(run: SpecAutomationRun) -> str:
    """One sentence that tells the state."""
    match RunStatus(run.status):
        case RunStatus.QUEUED:
            return "⏳ **Waiting for a worker.**" if run.cancel_requested_at is None else _stopping(run)
        case RunStatus.IN_PROGRESS:
            return _working(run) if run.cancel_requested_at is None else _stopping(run)
        case RunStatus.SUCCEEDED if run.dry_run:
            return "✅ **Dry run done.** Nothing was pushed; the changes are kept with the run."
        case RunStatus.SUCCEEDED:
            return f"✅ **Done.** {_pull_request(run)} is open as a draft."
        case RunStatus.NO_CHANGES:
            return "➖ **Nothing changed.** The agent wrote nothing that the base branch does not hold already."
        case RunStatus.FAILED if run_facts.was_cancelled(run):
            by = f" by {sanitize.code(run.cancel_requested_by)}" if run.cancel_requested_by else ""
            return f"🛑 **Cancelled{by}.** Nothing more happens in this run."
        case RunStatus.FAILED:
            state = run_facts.current_state(run)
            where = f" while {run_facts.PHASE_WORDS[Phase(state.phase)]}" if state is not None else ""
            return f"❌ **Not done: the run stopped{where}.**"


def _working(run: SpecAutomationRun) -> str:
    state = run_facts.current_state(run)
    if state is None or state.status == TaskStatus.FAILED:
        return "🔄 **Working.**"
    phase = Phase(state.phase)
    if state.status == TaskStatus.RETRYING:
        return f"🔁 **A hitch while {run_facts.PHASE_WORDS[phase]};** it is tried again."
    words = run_facts.PHASE_WORDS[phase]
    return f"🔄 **{words[0].upper()}{words[1:]}** (phase {PHASES.index(phase) + 1} of {len(PHASES)})."


def _stopping(run: SpecAutomationRun) -> str:
    return f"🛑 **Stopping:** {sanitize.code(run.cancel_requested_by or 'somebody')} asked for it."


def _pull_request(run: SpecAutomationRun) -> str:
    number, url = run.report.pull_request_number, run.report.pull_request_url
    return "The pull request" if number is None or not url else f"[Pull request {number}]({url})"


def _asked(run: SpecAutomationRun) -> str:
    asked = f"Asked for by {sanitize.code(run.requested_by)}"
    request = run_facts.one_line(run.requested_spec_input)
    return f"{asked}: {request}" if request else f"{asked}."


def _particulars(run: SpecAutomationRun, prefix: str) -> list[str]:
    """What this state makes worth telling."""
    if run.status == RunStatus.FAILED and not run_facts.was_cancelled(run):
        return [run_facts.one_line(run.result_summary or "", 2000), advice(run.error_code, prefix)]
    if run.status == RunStatus.IN_PROGRESS:
        return [_hitch(run)]
    if run.status == RunStatus.SUCCEEDED:
        return [*([_files(run)] if run.dry_run else []), _questions(run)]
    return []


def _hitch(run: SpecAutomationRun) -> str:
    state = run_facts.current_state(run)
    summary = (
        (state.details or {}).get("summary") if state is not None and state.status == TaskStatus.RETRYING else None
    )
    return run_facts.one_line(summary, 500) if isinstance(summary, str) else ""


def _files(run: SpecAutomationRun) -> str:
    files = run_facts.changed_files(run)
    if not files:
        return ""
    lines = [f"- {sanitize.code(file.path)} ({file.added_lines} lines)" for file in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        lines.append(f"- … and {len(files) - MOST_FILES} more")
    return "\n".join(["Files it would have pushed:", "", *lines])


def _questions(run: SpecAutomationRun) -> str:
    questions = run_facts.open_questions(run)
    if not questions:
        return ""
    ask = "**One question is open:**" if len(questions) == 1 else f"**{len(questions)} questions are open:**"
    return "\n".join([ask, "", *run_facts.question_lines(questions, MOST_QUESTIONS)])


def _small_print(run: SpecAutomationRun, now: datetime, run_page_base: str | None) -> str:
    page = run_facts.run_page(run, run_page_base)
    verb = "took" if run.completed_at is not None else "so far"
    time = run_facts.elapsed(run, now)
    parts = [
        f"{verb} {time}" if verb == "took" else f"{time} {verb}",
        run_facts.versions_line(run),
        f"[logs and artifacts]({page})" if page else "",
        f"branch {sanitize.code(run.branch_name)}" if run.branch_name and run.head_sha else "",
        f"error `{run.error_code}`" if run.error_code and not run_facts.was_cancelled(run) else "",
        f"run `{run.run_id}`",
    ]
    return " · ".join(part for part in parts if part)


def _next_steps(run: SpecAutomationRun, prefix: str) -> str:
    again = f"`{prefix} specify TEXT`"
    match RunStatus(run.status):
        case RunStatus.QUEUED | RunStatus.IN_PROGRESS:
            return (
                f"`{prefix} cancel {run_facts.short_id(run)}` stops it · `{prefix} status` tells how every run stands"
            )
        case RunStatus.SUCCEEDED if run.dry_run:
            return f"The same without `--dry-run` opens the pull request · `{prefix} help specify` tells more"
        case RunStatus.SUCCEEDED:
            return f"Review it and take it from there · {again} writes another"
        case RunStatus.NO_CHANGES | RunStatus.FAILED:
            return f"{again} starts anew · `{prefix} help specify` shows what can be asked"
