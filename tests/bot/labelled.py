"""The labelled comments in tests/bot/corpus: what people write, what it asks for, and why.

A label is a verb alone (``status``), a verb and what it is given (``cancel: RUN``, ``plan: TEXT``,
``specify: {text, base, until, agent, model, dry_run, project}``, ``clarify: {answers: {1: A, 3: only EU}}``),
``problem: [kind, verb, found, did you mean]``, or ``mentioned: LABEL`` where the App's name asked for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bot.commands.model import (
    Answer,
    Cancel,
    Config,
    Help,
    Parsed,
    ParsedCommand,
    ParseProblem,
    ProblemKind,
    Retry,
    RunCommand,
    Status,
)
from bot.commands.table import RETRY_PHASES, UNTIL_PHASES
from db.vocabulary import Verb

MENTION = "speckit-bot"
_CORPUS = Path(__file__).parent / "corpus"


class Labelled(NamedTuple):
    """A comment, the commands in it, and why."""

    body: str
    expected: list[Parsed]
    why: str


def entries(name: str) -> list[list[Any]]:
    """The raw entries of one file of the corpus."""
    loaded: list[list[Any]] = yaml.safe_load((_CORPUS / f"{name}.yml").read_text("utf-8"))
    return loaded


def labelled(*names: str) -> list[Labelled]:
    """The comments of some files of the corpus."""
    return [
        Labelled(body, [_parsed(label) for label in labels], why)
        for name in names
        for body, labels, why in entries(name)
    ]


def answers_of(answers: dict[int, str]) -> tuple[Answer, ...]:
    """``{1: A, 3: only EU}`` as answers: a capital letter alone is a choice."""
    return tuple(
        Answer(number, choice=said) if said in {*"ABCDEF"} else Answer(number, text=said)
        for number, said in answers.items()
    )


def without_advice(parsed: list[Parsed]) -> list[Parsed]:
    """The same, with problems as they are labelled: without what would have been allowed, and without an example."""
    return [
        Parsed(
            ParseProblem(problem.kind, problem.verb, problem.found, problem.did_you_mean)
            if isinstance(problem := one.command, ParseProblem)
            else problem,
            one.mentioned,
        )
        for one in parsed
    ]


def _parsed(label: Any) -> Parsed:
    if isinstance(label, dict) and "mentioned" in label:
        return Parsed(_command(label["mentioned"]), mentioned=True)
    return Parsed(_command(label))


def _command(label: Any) -> ParsedCommand:
    entry: dict[str, Any] = label if isinstance(label, dict) else {label: None}
    ((name, given),) = entry.items()
    match name:
        case "retry":
            return Retry(RETRY_PHASES[given] if given else None)
        case "cancel":
            return Cancel(given)
        case "status":
            return Status()
        case "config":
            return Config()
        case "help":
            return Help(given)
        case "problem":
            kind, verb, found, near = given
            return ParseProblem(ProblemKind(kind), verb, found, near)
    if not isinstance(given, dict):
        return RunCommand(Verb(name), given or "")
    until, answers = given.pop("until", None), given.pop("answers", {})
    return RunCommand(Verb(name), until=UNTIL_PHASES[until] if until else None, answers=answers_of(answers), **given)
