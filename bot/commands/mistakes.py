"""How the reading of one command ends when it cannot be carried out, and which right spelling was nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from bot.commands.model import ParseProblem, ProblemKind
from bot.commands.table import COMMANDS, CommandSpec

# Near enough to guess what was meant.
_SIMILAR = 0.6
_LONGEST_FOUND = 80


class Mistake(Exception):  # noqa: N818 - it names what the person did
    """Carries the problem out of the reading of one command; parse() catches it."""

    def __init__(self, problem: ParseProblem) -> None:
        super().__init__(problem.kind)
        self.problem = problem


def mistake(
    kind: ProblemKind,
    spec: CommandSpec,
    found: str,
    *,
    did_you_mean: str | None = None,
    allowed: Sequence[str] = (),
    example: str | None = None,
) -> Mistake:
    """A mistake in a command whose verb is known."""
    return Mistake(ParseProblem(kind, spec.verb, shortened(found), did_you_mean, tuple(allowed), example))


def unknown_verb(verb: str | None, found: str) -> ParseProblem:
    """A word that is no verb, after the prefix (``verb`` is None) or after the verb that takes one."""
    verbs = tuple(spec.verb for spec in COMMANDS)
    return ParseProblem(ProblemKind.UNKNOWN_VERB, verb, shortened(found), closest(found.lstrip("-"), verbs), verbs)


def closest(word: str, choices: Iterable[str], cutoff: float = _SIMILAR) -> str | None:
    """The choice most like ``word``, whatever its case, if any is like it."""
    matches = get_close_matches(word[:_LONGEST_FOUND].lower(), list(choices), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def shortened(found: str) -> str:
    """What was found, fit for a sentence: one line, without NUL, of bounded length."""
    text = found.replace("\0", "")
    return text if len(text) <= _LONGEST_FOUND else text[: _LONGEST_FOUND - 1] + "…"
