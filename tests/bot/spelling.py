"""How a command is typed: the opposite of the parser, so that what is parsed can be held against what was meant."""

from __future__ import annotations

from bot.commands.model import UNTIL_PHASES, Cancel, Command, Help, Specify, Status
from bot.commands.values import QUOTES
from db.vocabulary import AGENT_PHASES

_DASHES = ("-", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212")


def spell(command: Command, prefix: str) -> str:
    """The command as a person would type it; ``parse(spell(command, prefix), prefix)`` gives it back."""
    match command:
        case Specify():
            return " ".join([prefix, "specify", *_flags(command), command.text])
        case Status():
            return f"{prefix} status"
        case Cancel():
            return f"{prefix} cancel {command.run}" if command.run else f"{prefix} cancel"
        case Help():
            return f"{prefix} help {command.verb}" if command.verb else f"{prefix} help"


def _flags(command: Specify) -> list[str]:
    parts: list[str] = []
    if command.base is not None:
        parts += ["--base", _quoted(command.base)]
    if command.until is not AGENT_PHASES[-1]:
        parts += ["--until", next(name for name, phase in UNTIL_PHASES.items() if phase is command.until)]
    if command.agent is not None:
        parts += ["--agent", command.agent]
    if command.dry_run:
        parts.append("--dry-run")
    if command.text.startswith(_DASHES):
        parts.append("--")
    return parts


def _quoted(value: str) -> str:
    """The value, in quotes where it begins with one itself."""
    if not value.startswith(tuple(QUOTES)):
        return value
    return next((f"{opening}{value}{closing}" for opening, closing in QUOTES.items() if closing not in value), value)
