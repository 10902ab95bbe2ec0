"""May they? Decides from the role GitHub told us a moment ago; never asks, never posts.

GitHub's permission API gives ``permission`` (admin, write, read, none) and ``role_name`` (also maintain, triage, or
the name of a custom role). A custom role arrives here as the permission it includes; what we cannot place is none.
https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.commands.model import (
    COMMANDS_BY_VERB,
    Cancel,
    Command,
    Help,
    ParsedCommand,
    ParseProblem,
    Role,
    Specify,
    Status,
)

ROLE_ORDER = ("none", "read", "triage", "write", "maintain", "admin")
"""GitHub's repository roles, each including the ones before it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """They may."""


@dataclass(frozen=True, slots=True)
class Denied:
    """They may not. ``told`` is False when an answer would only be noise: they get silence."""

    verb: str
    role_needed: Role
    role_held: str
    told: bool


Decision = Allowed | Denied


def authorize(command: ParsedCommand, role_held: str, *, author_is_person: bool = True) -> Decision:
    """Decide about one command of somebody who holds ``role_held`` in the repository right now.

    A mistyped command is decided like the verb it names, so that its writer learns what is wrong with it only if they
    could have given it; one that names no verb of ours like ``help``.
    """
    verb = verb_of(command)
    needed = COMMANDS_BY_VERB[verb].role
    if author_is_person and may(verb, role_held):
        return Allowed()
    # Whoever tries to start or stop a run learns why nothing happens; a person without any role who only looks
    # around is not somebody this App talks to, and neither is a bot: two that answer each other never stop.
    return Denied(verb, needed, role_held, told=author_is_person and needed is not Role.READ)


def may(verb: str, role_held: str) -> bool:
    """Tell whether the role is enough for the verb."""
    return rank(role_held) >= rank(COMMANDS_BY_VERB[verb].role)


def verb_of(command: ParsedCommand) -> str:
    """The verb a command is judged and answered by."""
    if isinstance(command, ParseProblem):
        return command.verb if command.verb is not None and command.verb in COMMANDS_BY_VERB else "help"
    return _VERBS[type(command)]


def rank(role: str) -> int:
    """Where a role stands in ROLE_ORDER; an unknown one stands lowest."""
    return ROLE_ORDER.index(role) if role in ROLE_ORDER else 0


_VERBS: Mapping[type[Command], str] = {Specify: "specify", Status: "status", Cancel: "cancel", Help: "help"}
