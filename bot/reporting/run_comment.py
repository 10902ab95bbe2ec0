"""The one comment of a run: how it stands, in plain words. Pure."""

from __future__ import annotations

from bot.github.markers import run_marker
from bot.reporting import run_facts, sanitize
from bot.reporting.failure_advice import advice
from bot.reporting.headline import headline
from bot.reporting.hidden_text import hidden_sentence
from bot.reporting.network_report import network_report
from bot.reporting.next_commands import next_steps
from bot.reporting.phase_report import phase_table, small_print, summaries
from bot.reporting.restored import restored_sentence
from bot.reporting.run_results import results
from bot.reporting.run_view import RunView
from bot.reporting.sections import within
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus, TaskStatus, Trigger


def run_comment(run: SpecAutomationRun, view: RunView) -> str:
    """The whole comment, at most 65,536 characters; ``run`` with everything loaded. Ends with the run's marker."""
    return within(summary_parts(run, view), f"{next_steps(run, view)}\n\n{run_marker(run.run_id)}")


def summary_parts(run: SpecAutomationRun, view: RunView) -> list[str]:
    """How the run stands, part by part: headline, who asked for what, what came of it, phases, small print."""
    parts = [
        headline(run, view),
        _asked(run),
        hidden_sentence(run),
        restored_sentence(run),
        *_particulars(run, view),
        phase_table(run),
        network_report(run),
        small_print(run, view),
        *summaries(run),
    ]
    return [part for part in parts if part]


def _asked(run: SpecAutomationRun) -> str:
    by = run_facts.TRIGGER_WORDS[Trigger(run.trigger)]
    asked = f"{sanitize.code(run.requested_by)} asked for {run_facts.asked_for(run)}{by}"
    request = run_facts.one_line(run.requested_spec_input)
    sentence = f"{asked}: {request}" if request else f"{asked}."
    again = f" It takes over what run `{str(run.retry_of)[:8]}` had finished." if run.retry_of is not None else ""
    return f"{sentence}{again}"


def _particulars(run: SpecAutomationRun, view: RunView) -> list[str]:
    """What this state makes worth telling."""
    match RunStatus(run.status):
        case RunStatus.FAILED if not run_facts.was_cancelled(run):
            return [run_facts.one_line(run.result_summary or "", 2000), advice(run.error_code, view.prefix)]
        case RunStatus.IN_PROGRESS:
            return [_hitch(run)]
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES:
            return results(run, view)
        case _:
            return []


def _hitch(run: SpecAutomationRun) -> str:
    state = run_facts.current_state(run)
    summary = (
        (state.details or {}).get("summary") if state is not None and state.status == TaskStatus.RETRYING else None
    )
    return run_facts.one_line(summary, 500) if isinstance(summary, str) else ""
