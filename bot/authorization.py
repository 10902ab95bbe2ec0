"""May they? Decides from the role GitHub told us a moment ago; never asks, never posts.

GitHub's permission API gives ``permission`` (admin, write, read, none) and ``role_name`` (also maintain, triage, or
the name of a custom role). A custom role arrives here as the permission it includes; what we cannot place is none.
https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from bot.commands.model import (
    Cancel,
    Config,
    Help,
    ParsedCommand,
    ParseProblem,
    Retry,
    Role,
    RunCommand,
    Status,
)
from bot.commands.table import COMMANDS_BY_VERB, DEFAULT_ROLES

ROLE_ORDER = ("none", *(role.value for role in Role))
"""GitHub's repository roles, each including the ones before it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """They may."""


@dataclass(frozen=True, slots=True)
class Denied:
    """They may not. ``told`` is False when an answer would only be noise: they get silence."""

    verb: str
    role_needed: str
    role_held: str
    told: bool


Decision = Allowed | Denied


def authorize(
    command: ParsedCommand,
    role_held: str,
    *,
    roles_needed: Mapping[str, str] = DEFAULT_ROLES,
    author_is_person: bool = True,
) -> Decision:
    """Decide about one command of somebody who holds ``role_held`` in the repository right now.

    ``roles_needed`` is the least role for each verb, as the repository's configuration has it; a verb it leaves out
    keeps its own. A mistyped command is decided like the verb it names, so that its writer learns what is wrong with
    it only if they could have given it; one that names no verb of ours like ``help``.
    """
    verb = verb_of(command)
    if author_is_person and may(verb, role_held, roles_needed):
        return Allowed()
    # Whoever tries to start or stop a run learns why nothing happens, and so does everybody who has a role here. A
    # person without any who only looks around is not somebody this App talks to, and neither is a bot: two that answer
    # each other never stop.
    only_looks = rank(role_held) < rank(Role.READ) and DEFAULT_ROLES[verb] == Role.READ
    return Denied(verb, role_needed(verb, roles_needed), role_held, told=author_is_person and not only_looks)


def may(verb: str, role_held: str, roles_needed: Mapping[str, str] = DEFAULT_ROLES) -> bool:
    """Tell whether the role is enough for the verb."""
    return rank(role_held) >= rank(role_needed(verb, roles_needed))


def role_needed(verb: str, roles_needed: Mapping[str, str] = DEFAULT_ROLES) -> str:
    """The least role for a verb. A word that is no role is taken for the highest: it never lets anybody in."""
    role = roles_needed.get(verb, DEFAULT_ROLES[verb])
    return role if rank(role) else Role.ADMIN.value


def verb_of(command: ParsedCommand) -> str:
    """The verb a command is judged and answered by."""
    match command:
        case RunCommand(verb=verb):
            return verb.value
        case Retry():
            return "retry"
        case Cancel():
            return "cancel"
        case Status():
            return "status"
        case Config():
            return "config"
        case Help():
            return "help"
        case ParseProblem(verb=named):
            return named if named is not None and named in COMMANDS_BY_VERB else "help"
        case _:
            assert_never(command)


def rank(role: str) -> int:
    """Where a role stands in ROLE_ORDER; an unknown one stands lowest."""
    return ROLE_ORDER.index(role) if role in ROLE_ORDER else 0
