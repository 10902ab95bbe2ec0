"""How a command is typed: the opposite of the parser, so that what is parsed can be held against what was meant."""

from __future__ import annotations

from typing import assert_never

from bot.commands.model import Answer, Cancel, Command, Config, Help, Retry, RunCommand, Status
from bot.commands.table import RETRY_PHASES, UNTIL_PHASES
from bot.commands.values import QUOTES

_DASHES = ("-", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212")


def spell(command: Command, asked_by: str) -> str:
    """The command as a person would type it; ``parse(spell(command, prefix), prefix)`` gives it back.

    ``asked_by`` is what stands before the verb: the prefix, with a space, a dot or a dash, or a mention and a space.
    """
    if not asked_by.endswith((".", "-", " ")):
        asked_by += " "
    return asked_by + _from_verb_on(command)


def _from_verb_on(command: Command) -> str:
    match command:
        case RunCommand():
            said = " ".join(map(_answer, command.answers)) or command.text
            return " ".join([command.verb.value, *_flags(command), said]).rstrip(" ")
        case Retry(phase=None) | Cancel(run=None) | Help(verb=None):
            return type(command).__name__.lower()
        case Retry():
            return f"retry {next(name for name, phase in RETRY_PHASES.items() if phase is command.phase)}"
        case Cancel():
            return f"cancel {command.run}"
        case Status():
            return "status"
        case Config():
            return "config"
        case Help():
            return f"help {command.verb}"
        case _:
            assert_never(command)


def _answer(answer: Answer) -> str:
    return f"{answer.question}{answer.choice}" if answer.choice else f"{answer.question}: {answer.text}"


def _flags(command: RunCommand) -> list[str]:
    parts: list[str] = []
    if command.base is not None:
        parts += ["--base", _quoted(command.base)]
    if command.until is not None:
        parts += ["--until", next(name for name, phase in UNTIL_PHASES.items() if phase is command.until)]
    if command.agent is not None:
        parts += ["--agent", command.agent]
    if command.model is not None:
        parts += ["--model", command.model]
    if command.project is not None:
        parts += ["--project", _quoted(command.project)]
    if command.dry_run:
        parts.append("--dry-run")
    if command.accept_recommended:
        parts.append("--accept-recommended")
    if command.text.startswith(_DASHES):
        parts.append("--")
    return parts


def _quoted(value: str) -> str:
    """The value, in quotes where it begins with one itself or holds a space."""
    if not value.startswith(tuple(QUOTES)) and " " not in value:
        return value
    return next((f"{opening}{value}{closing}" for opening, closing in QUOTES.items() if closing not in value), value)
