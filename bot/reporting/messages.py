"""Every sentence people read in a comment. Pure: no clock, no database, no network.

Text of others passes ``sanitize`` first. Commands stand in code, and no line begins with a slash, so nothing here is
ever taken for a command, by us or by another bot. The run's own comment is worded in run_comment.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.help import help_text
from bot.commands.model import ParseProblem, ProblemKind, Role
from bot.github.markers import reply_marker
from bot.reporting import run_facts
from bot.reporting.run_comment import headline, run_comment, within
from bot.reporting.sanitize import clip, code
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus, TaskStatus

MOST_RUNS_TOLD = 10
LONGEST_FOUND = 120

__all__ = [
    "agent_not_allowed",
    "cancel_reply",
    "help_reply",
    "not_allowed",
    "parse_problem",
    "reply",
    "repository_archived",
    "run_comment",
    "status_reply",
    "too_many_commands",
]


def reply(delivery_id: str, parts: Sequence[str]) -> str:
    """The one answer to a delivery: every part, and the marker by which it is known again."""
    return within([part.strip() for part in parts if part.strip()], reply_marker(delivery_id))


def not_allowed(login: str, verb: str, role_needed: str, role_held: str) -> str:
    """Why nothing was done for somebody who may not."""
    held = f"you have the *{role_held}* role" if role_held != "none" else "you have no role here"
    return (
        f"{code(login)}: `{verb}` needs the *{role_needed}* role on this repository, and {held}. "
        "Somebody who has it can give the command for you."
    )


def parse_problem(problem: ParseProblem, prefix: str) -> str:
    """What is wrong with a command, the nearest right spelling, and what is allowed."""
    found = code(clip(problem.found, LONGEST_FOUND))
    command = f"`{prefix} {problem.verb}`" if problem.verb else f"`{prefix}`"
    sentences = [_mistake(problem, command, found)]
    if problem.did_you_mean:
        sentences.append(f"Did you mean {code(problem.did_you_mean)}?")
    if problem.allowed and problem.kind is not ProblemKind.REPEATED_FLAG:
        sentences.append(f"Possible: {_listed(problem.allowed)}.")
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
            return f"{command} needs a text: describe the feature after it, over as many lines as you like."
        case ProblemKind.UNEXPECTED_TEXT:
            return f"{command} takes no {found}."


def _listed(words: Sequence[str]) -> str:
    return ", ".join(code(word) for word in words)


def help_reply(prefix: str, role_held: str, verb: str | None) -> str:
    """What somebody with this role on the repository may ask for, or all about one verb."""
    roles = {"admin": Role.WRITE, "maintain": Role.WRITE, "write": Role.WRITE, "triage": Role.READ, "read": Role.READ}
    return help_text(prefix, roles.get(role_held), verb)


def status_reply(runs: Sequence[SpecAutomationRun], run_page_base: str | None) -> str:
    """How the runs of an issue stand, newest first."""
    if not runs:
        return "No run was asked for here yet."
    lines = ["The one run here:" if len(runs) == 1 else "The runs here, newest first:", ""]
    lines += [_status_line(run, run_page_base) for run in runs[:MOST_RUNS_TOLD]]
    if len(runs) > MOST_RUNS_TOLD:
        lines.append(f"- … and {len(runs) - MOST_RUNS_TOLD} older ones")
    return "\n".join(lines)


def _status_line(run: SpecAutomationRun, run_page_base: str | None) -> str:
    page = run_facts.run_page(run, run_page_base)
    links = [
        f"[comment]({run.report.comment_url})" if run.report.comment_url else "",
        f"[logs]({page})" if page else "",
    ]
    asked = run_facts.one_line(run.requested_spec_input, 100)
    parts = [f"`{run_facts.short_id(run)}`", headline(run), f"“{asked}”" if asked else "", *links]
    return "- " + " · ".join(part for part in parts if part)


def cancel_reply(run: SpecAutomationRun | None, asked: str | None) -> str:
    """What ``cancel`` found. ``asked`` is the run id the person gave, if any."""
    if run is None and asked is not None:
        return (
            f"No run of this issue has an id that begins with {code(clip(asked, LONGEST_FOUND))}, or more than one has."
        )
    if run is None:
        return "Nothing is running here, so there is nothing to cancel."
    name = f"Run `{run_facts.short_id(run)}`"
    if run_facts.was_cancelled(run) and all(state.status == TaskStatus.SKIPPED for state in run_facts.states(run)):
        return f"{name} is cancelled: it had not begun."
    if RunStatus(run.status).is_terminal:
        return f"{name} is over already. {headline(run)}"
    return f"{name} is being stopped. Its comment tells when it has ended."


def agent_not_allowed(name: str, allowed: Sequence[str]) -> str:
    """The agent somebody asked for is not one the operator allows."""
    asked = code(clip(name, LONGEST_FOUND))
    return f"The agent {asked} is not allowed here. Possible: {_listed(allowed)}. Nothing was started."


def repository_archived(slug: str) -> str:
    """Nothing can be pushed to an archived repository."""
    return f"{code(slug)} is archived, so nothing can be pushed to it. Unarchive it and give the command again."


def too_many_commands(most: int, found: int) -> str:
    """A comment held more commands than are carried out."""
    return (
        f"This comment holds {found} commands; the first {most} were carried out. "
        "Put the others in a comment of their own."
    )
