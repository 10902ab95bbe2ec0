"""Why something is not done, and what would help. Pure.

Every refusal of a command is one sentence or two: what stands in the way, and where to turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.mistakes import closest
from bot.commands.model import Place
from bot.commands.table import COMMANDS_BY_VERB
from bot.reporting import run_facts
from bot.reporting.sanitize import clip, code, inline
from bot.reporting.sections import joined
from db.models import SpecAutomationRun
from db.vocabulary import Phase, Trigger

LONGEST_FOUND = 120

_PLACES = {
    Place.ISSUE: "an issue",
    Place.PULL_REQUEST: "a pull request",
    Place.REVIEW_COMMENT: "a review comment on a line",
}


def not_allowed(
    login: str, verb: str, role_needed: str, role_held: str, repository: str, *, because: str | None = None
) -> str:
    """Nothing is done for somebody who may not. ``because``: the mistake that leaves the command to admins, if any."""
    held = f"you have the *{role_held}* role" if role_held != "none" else "you have no role there"
    why = f" (because of {inline(because)})" if because else ""
    return (
        f"{code(login)}: `{verb}` needs the *{role_needed}* role on {code(repository)}{why}, and {held}. "
        f"An admin of {code(repository)} can grant it under Settings → Collaborators; "
        "or somebody who has it gives the command for you."
    )


def command_off(verb: str, why: str) -> str:
    """The configuration switches the command off; ``why`` follows "is" and names the file."""
    return f"`{verb}` is {inline(why)}. Nothing was started."


def wrong_place(verb: str, prefix: str, *, here: Place, pull_request_url: str | None = None) -> str:
    """The command is not for where it was given. ``pull_request_url``: that of this issue, if it has one of ours."""
    wanted = [_PLACES[place] for place in COMMANDS_BY_VERB[verb].places]
    is_there = pull_request_url is not None and Place.PULL_REQUEST in COMMANDS_BY_VERB[verb].places
    there = f" Give it on [the pull request of this issue]({pull_request_url})." if is_there else ""
    return f"`{prefix} {verb}` is for {' or '.join(wanted)}, and this is {_PLACES[here]}. Nothing was started.{there}"


def not_our_pull_request(verb: str, prefix: str) -> str:
    """Only branches that this App made are continued."""
    return (
        f"`{prefix} {verb}` continues a pull request that I opened, and this is not one of them. "
        f"`{prefix} specify TEXT` here opens one."
    )


def pull_request_closed(verb: str, prefix: str) -> str:
    """Nothing is pushed to a pull request that is over."""
    return f"This pull request is closed. Reopen it and give `{prefix} {verb}` again, or begin anew on an issue."


def repository_archived(slug: str) -> str:
    """Nothing can be pushed to an archived repository."""
    return f"{code(slug)} is archived, so nothing can be pushed to it. Unarchive it and give the command again."


def agent_not_allowed(name: str, allowed: Sequence[str]) -> str:
    """The agent somebody asked for is not one the operator allows."""
    return _not_among("agent", name, allowed)


def model_not_allowed(name: str, agent: str, allowed: Sequence[str]) -> str:
    """The model somebody asked for is not one that ``agent``, which would work, may use."""
    return _not_among("model", name, allowed, f"for the agent {code(clip(agent, LONGEST_FOUND))}")


def too_many_commands(most: int, found: int) -> str:
    """A comment held more commands than are carried out."""
    return (
        f"This comment holds {found} commands; the first {most} were carried out. "
        "Put the others in a comment of their own."
    )


def no_questions_open(prefix: str) -> str:
    """Answers where nothing was asked, or all is answered."""
    return f"No question is open on this pull request. `{prefix} clarify` without answers asks what is left open."


def unknown_questions(asked: Sequence[int], numbers: Sequence[int]) -> str:
    """Answers to questions that do not exist. ``numbers`` are those of the open questions."""
    none = f"No question {' or '.join(str(number) for number in asked)} is open"
    known = f"question {numbers[0]} is" if len(numbers) == 1 else f"{joined([str(n) for n in numbers])} are"
    return f"{none}; {known}. No answer was taken: give them all again."


def unknown_choice(number: int, choice: str, letters: Sequence[str]) -> str:
    """An answer names a choice that its question does not have."""
    named = f"Question {number} has no choice {code(clip(choice, 10))}"
    if not letters:
        return f"{named}: it is answered in words, as in `{number}: YOUR ANSWER`. No answer was taken."
    return f"{named}. Possible: {_listed(letters)}, or `{number}: YOUR ANSWER`. No answer was taken."


def nothing_recommended(numbers: Sequence[int], prefix: str) -> str:
    """``--accept-recommended`` where no choice is recommended for any open question."""
    example = " ".join(f"{number}: YOUR ANSWER" for number in numbers[:2])
    return f"No choice is recommended for what is open. Answer with `{prefix} clarify {example}`."


def nothing_to_retry(prefix: str) -> str:
    """``retry`` where no run ended badly."""
    return f"No run here failed or was cancelled, so there is nothing to retry. `{prefix} status` lists the runs."


def retry_too_early(run: SpecAutomationRun, prefix: str) -> str:
    """``retry`` of a run that is still alive."""
    short = run_facts.short_id(run)
    return f"Run `{short}` is not over yet. `{prefix} cancel {short}` stops it; then `{prefix} retry` goes on."


def phase_not_in_run(phase: Phase, run: SpecAutomationRun) -> str:
    """``retry PHASE`` with a phase that the run does not have."""
    has = _listed([state.phase.value for state in run_facts.states(run)])
    return f"Run `{run_facts.short_id(run)}` has no phase `{phase.value}`. It has: {has}."


def not_a_section(path: str, prefix: str) -> str:
    """``refine`` in a review comment on a file that is no specification."""
    return (
        f"`{prefix} refine` changes a section of `spec.md`, and this comment stands on {code(clip(path, 200))}. "
        "Comment on a line of the section that is to change."
    )


def trigger_without_text(trigger: Trigger, verb: str, prefix: str) -> str:
    """A label or an assignment on an issue that says nothing."""
    by = {Trigger.LABEL: "The label", Trigger.ASSIGNMENT: "The assignment"}.get(trigger, "The request")
    return (
        f"{by} asks for `{verb}`, and this issue says nothing that it could work from. "
        f"Describe in the issue what you want and do it again, or comment `{prefix} {verb} TEXT`."
    )


def _not_among(what: str, name: str, allowed: Sequence[str], where: str = "here") -> str:
    near = closest(name, allowed)
    meant = f" Did you mean {code(near)}?" if near else ""
    possible = f" Possible: {_listed(allowed)}." if allowed else ""
    return f"The {what} {code(clip(name, LONGEST_FOUND))} is not allowed {where}.{meant}{possible} Nothing was started."


def _listed(words: Sequence[str]) -> str:
    return ", ".join(code(word) for word in words)
