"""What is said in reply to a command that was understood or mistyped. Pure: no clock, no database, no network.

Text of others passes ``sanitize`` first. Commands stand in code, and no line begins with a slash, so nothing here is
ever taken for a command, by us or by another bot. The run's own comment is worded in run_comment.py, refusals in
refusals.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from bot.commands.model import ParseProblem, ProblemKind
from bot.configuration.effective import Row
from bot.github.markers import reply_marker
from bot.reporting import agent_facts, run_facts
from bot.reporting.failure_advice import advice, retry_helps
from bot.reporting.headline import headline, queue_words, section_words
from bot.reporting.run_results import files_at, refined, stale_part
from bot.reporting.run_view import RunView
from bot.reporting.sanitize import clip, code, table_cell
from bot.reporting.sections import first_rows, within
from bot.reporting.spending import budget_words
from db.budgets import BudgetState
from db.models import SpecAutomationRun
from db.turns import QueuePlace
from db.vocabulary import RunStatus, TaskStatus, Verb

MOST_RUNS_TOLD = 10
LONGEST_FOUND = 120
SETTINGS_CHARACTERS = 40_000


def reply(delivery_id: str, parts: Sequence[str]) -> str:
    """The one answer to a delivery: every part, and the marker by which it is known again."""
    return within([part.strip() for part in parts if part.strip()], reply_marker(delivery_id))


def parse_problem(problem: ParseProblem, prefix: str) -> str:
    """What is wrong with a command, the nearest right spelling, and what is allowed."""
    found = code(clip(problem.found, LONGEST_FOUND))
    command = f"`{prefix} {problem.verb}`" if problem.verb else f"`{prefix}`"
    sentences = [_mistake(problem, command, found)]
    if problem.did_you_mean:
        sentences.append(f"Did you mean {code(problem.did_you_mean)}?")
    if problem.allowed and problem.kind is not ProblemKind.REPEATED_FLAG:
        sentences.append(f"Possible: {', '.join(code(word) for word in problem.allowed)}.")
    if problem.example:
        sentences.append(f"Such as {code(problem.example)}.")
    sentences.append(f"Nothing was started; `{prefix} help{f' {problem.verb}' if problem.verb else ''}` tells more.")
    return " ".join(sentences)


def _mistake(problem: ParseProblem, command: str, found: str) -> str:
    match problem.kind:
        case ProblemKind.MISSING_VERB:
            return f"{command} alone does nothing: say what you want."
        case ProblemKind.UNKNOWN_VERB:
            return f"There is no command {found}."
        case ProblemKind.UNKNOWN_FLAG:
            return f"{command} has no flag {found}."
        case ProblemKind.MISSING_VALUE:
            return f"{found} of {command} needs a value after it."
        case ProblemKind.INVALID_VALUE:
            return f"{command} cannot take {found}."
        case ProblemKind.REPEATED_FLAG:
            return f"{found} stands twice in {command}; give it once."
        case ProblemKind.MISSING_TEXT:
            return f"{command} needs a text: say after it what you want, over as many lines as you like."
        case ProblemKind.UNEXPECTED_TEXT:
            return f"{command} takes no {found}."


def same_command(run: SpecAutomationRun, view: RunView) -> str:
    """The same was asked for twice: there is one run for it."""
    told = f" Its [comment]({run.report.comment_url}) tells more." if run.report.comment_url else ""
    name = f"That is run `{run_facts.short_id(run)}` already"
    if view.place is not None and run.status == RunStatus.QUEUED:
        return f"{name}, {queue_words(view.place)}.{told}"
    return f"{name}. {headline(run, view)}{told}"


def status_reply(
    runs: Sequence[SpecAutomationRun],
    view: RunView,
    places: Mapping[UUID, QueuePlace],
    budgets: Mapping[UUID, BudgetState] | None = None,
) -> str:
    """How the runs of an issue stand, newest first. ``places``: of those that wait; ``budgets``: where one holds."""
    if not runs:
        return "No run was asked for here yet."
    lines = ["The one run here:" if len(runs) == 1 else "The runs here, newest first:", ""]
    lines += [
        _status_line(run, replace(view, place=places.get(run.run_id), budget=(budgets or {}).get(run.run_id)))
        for run in runs[:MOST_RUNS_TOLD]
    ]
    if len(runs) > MOST_RUNS_TOLD:
        lines.append(f"- … and {len(runs) - MOST_RUNS_TOLD} older ones")
    return "\n".join(lines)


def _status_line(run: SpecAutomationRun, view: RunView) -> str:
    page = run_facts.run_page(run, view.run_page_base)
    asked = run_facts.one_line(run.requested_spec_input, 100)
    words = f"{run_facts.asked_for(run)}{f' “{asked}”' if asked else ''} for {code(run.requested_by)}"
    links = [
        f"[comment]({run.report.comment_url})" if run.report.comment_url else "",
        f"[logs]({page})" if page else "",
    ]
    # A run without a model spends nothing, whatever the budget.
    spent = f"spent {budget_words(view.budget)}" if view.budget is not None and run.model_usage else ""
    parts = [f"`{run_facts.short_id(run)}`", headline(run, view), words, spent, *links]
    return "- " + " · ".join(part for part in parts if part)


def cancel_reply(run: SpecAutomationRun | None, asked: str | None, view: RunView) -> str:
    """What ``cancel`` found. ``asked`` is the run id the person gave, if any."""
    if run is None and asked is not None:
        found = code(clip(asked, LONGEST_FOUND))
        return f"No run here has an id that begins with {found}, or more than one has."
    if run is None:
        return "Nothing is running here, so there is nothing to cancel."
    name = f"Run `{run_facts.short_id(run)}`"
    if run_facts.was_cancelled(run) and all(state.status == TaskStatus.SKIPPED for state in run_facts.states(run)):
        return f"{name} is cancelled: it had not begun."
    if RunStatus(run.status).is_terminal:
        return f"{name} is over already. {headline(run, view)}"
    return f"{name} is being stopped. Its comment tells when it has ended."


def refine_thread_reply(run: SpecAutomationRun, view: RunView) -> str:
    """What is said in the thread of the review comment that asked for a change, once the run is over."""
    match RunStatus(run.status):
        case RunStatus.SUCCEEDED if not run.dry_run and run.verb == Verb.REFINE:
            stale = stale_part(agent_facts.stale_files(run), files_at(run, view))
            parts = [f"✅ {section_words(run)} is changed.", refined(run, view), stale]
            return " ".join(part for part in parts if part)
        case RunStatus.FAILED if not run_facts.was_cancelled(run):
            why = run_facts.one_line(run.result_summary or "", 1000)
            where = "Give that command in the conversation, not in this thread." if retry_helps(run.error_code) else ""
            parts = [headline(run, view), why, advice(run.error_code, view.prefix), where]
            return " ".join(part for part in parts if part)
        case _:
            return headline(run, view)


def config_reply(rows: Sequence[Row], repository: str) -> str:
    """The settings in force, and where each comes from."""
    cells = ((code(row.key), *(table_cell(text) for text in (row.value, row.origin, row.note))) for row in rows)
    kept = first_rows((f"| {' | '.join(row)} |" for row in cells), len(rows), SETTINGS_CHARACTERS)
    more = [f"\nAnd {len(rows) - len(kept)} more."] if len(rows) > len(kept) else []
    head = [f"What holds for {code(repository)}:", "", "| setting | value | from | |", "|---|---|---|---|"]
    return "\n".join([*head, *kept, *more])
