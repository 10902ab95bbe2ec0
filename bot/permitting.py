"""Whether the command of a delivery may be carried out, by whom and at all; why not is told where telling helps."""

from __future__ import annotations

from bot.authorization import Denied, authorize, rank, verb_of
from bot.commands.model import ParsedCommand, ParseProblem, Role, RunCommand
from bot.commands.table import DEFAULT_ROLES
from bot.handling import Handling
from bot.reporting import refusals
from bot.starting import not_here


def may_give(handling: Handling, command: ParsedCommand, prefix: str) -> bool:
    """True if it may; the reply of the delivery then says nothing of it yet.

    Whether the place and the configuration let it open a run, ``starting`` finds out: it asks more than that.
    """
    if not _may(handling, command):
        return False
    if isinstance(command, RunCommand | ParseProblem):
        return True
    why = not_here(handling.talk.place, handling.config, verb_of(command), prefix)
    if why is not None:
        handling.refuse(why)
    return why is None


def roles_for(handling: Handling) -> dict[str, str]:
    """The least role for each verb as it is for the one who speaks: whoever is named for a verb needs none to speak
    of."""
    talk, config = handling.talk, handling.config
    named = {verb for verb in DEFAULT_ROLES if config.names(verb, talk.actor)}
    return {verb: Role.READ.value if verb in named else config.role_of(verb) for verb in DEFAULT_ROLES}


def role_of(handling: Handling) -> str:
    """The role of the one who speaks, never less than it takes to be spoken to."""
    named = any(handling.config.names(verb, handling.talk.actor) for verb in DEFAULT_ROLES)
    return Role.READ.value if named and not rank(handling.role) else handling.role


def _may(handling: Handling, command: ParsedCommand) -> bool:
    talk, config, verb = handling.talk, handling.config, verb_of(command)
    if config.names(verb, talk.actor):
        return True
    decision = authorize(command, handling.role, roles_needed={name: config.role_of(name) for name in DEFAULT_ROLES})
    if not isinstance(decision, Denied):
        return True
    if decision.told:
        because = config.closed_by_mistake(verb)
        handling.refuse(
            refusals.not_allowed(
                talk.actor, verb, decision.role_needed, decision.role_held, talk.repository, because=because
            )
        )
    return False
