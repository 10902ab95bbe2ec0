"""From the body of a comment to what is asked for. Pure: no request, no clock, no settings.

    PREFIX VERB [--flag value] [text...]

at the start of a line of plain text (bot/commands/markdown.py); or Spec Kit's own spelling ``PREFIX.VERB`` and
``PREFIX-VERB``; or the App's name, ``@NAME VERB``. The text runs to the next command or to the end of the comment.
A mistake is a ParseProblem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from bot.commands.answers import ANSWERS_EXAMPLE, NoAnswers, read_answers
from bot.commands.flags import read_flags, without_last_switch
from bot.commands.markdown import Comment, cleaned, lines_of, says_something
from bot.commands.mistakes import Mistake, closest, mistake, unknown_verb
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
from bot.commands.starts import Start, possible_starts
from bot.commands.table import COMMANDS, COMMANDS_BY_VERB, RETRY_PHASES, UNTIL_PHASES, CommandSpec
from bot.commands.values import is_run_reference
from db.vocabulary import Phase, Verb

DEFAULT_PREFIX = "/speckit"


def parse(body: str, prefix: str = DEFAULT_PREFIX, mention: str | None = None) -> list[Parsed]:
    """All commands of a comment, in order; mistakes among them as ParseProblem. Never raises.

    ``body`` is what GitHub sent: any line ends, at most 65,536 characters. ``prefix`` is the setting
    ``SPECKIT_COMMAND_PREFIX``: commands that begin otherwise belong to somebody else. ``mention`` is the slug of the
    App: its mention and a verb are a command too. Texts come without what HTML hides, NUL and surrounding blank lines,
    with LF line ends, else as written. Takes a few milliseconds for what people write and up to a second of CPU for
    hostile comments: off the event loop with it.
    """
    lines, possible = _possible_commands(body, prefix, mention)
    if not possible:
        return []
    comment = Comment(lines)
    starts = [possible[line] for line in comment.plain_lines(list(possible))]
    bounds = [*(start.line for start in starts), len(lines)]
    return [
        Parsed(_read(comment, lines[start.line], start, end), start.mentioned)
        for start, end in zip(starts, bounds[1:], strict=True)
    ]


def mentions_command(body: str, prefix: str = DEFAULT_PREFIX, mention: str | None = None) -> bool:
    """True exactly if parse() would return anything.

    Reads Markdown only where it must: not without a line that could be a command, nor if that is the first line, since
    nothing stands before it. Else as slow as parse().
    """
    lines, possible = _possible_commands(body, prefix, mention)
    if not possible:
        return False
    comment = Comment(lines)
    return comment.begins_with(next(iter(possible))) or bool(comment.plain_lines(list(possible)))


def _possible_commands(body: str, prefix: str, mention: str | None) -> tuple[list[str], dict[int, Start]]:
    """The lines of the comment, and those that would be commands if they stand in plain text, by line number."""
    if prefix not in body and not (mention and "@" in body):
        return [], {}
    lines = lines_of(body)
    return lines, {start.line: start for start in possible_starts(lines, prefix, mention)}


def _read(comment: Comment, line: str, start: Start, end: int) -> ParsedCommand:
    """Read the one command that begins at ``start`` on ``line`` and whose text ends before line number ``end``."""
    if not start.verb:
        return ParseProblem(ProblemKind.MISSING_VERB, None, "", allowed=tuple(spec.verb for spec in COMMANDS))
    spec = COMMANDS_BY_VERB.get(start.verb)
    if spec is None:
        return unknown_verb(None, start.verb)
    try:
        flags, column = read_flags(spec, line, start.column)
        # What stands below a verb that takes no text is talk.
        seen = comment.visible_text(start.line, column, start.line + 1 if spec.text == "none" else end)
        text = cleaned(seen.text)
        if spec.verb in set(Verb):
            return replace(_run_command(spec, flags, text), hidden_comments=seen.hidden)
        return _command_about_runs(spec, _argument(spec, text))
    except Mistake as found:
        return found.problem


def _run_command(spec: CommandSpec, flags: Mapping[str, str], text: str) -> RunCommand:
    answers: tuple[Answer, ...] = ()
    accept_recommended = "--accept-recommended" in flags
    match spec.text:
        case "required" | "optional":
            text = text if says_something(text) else ""
            if spec.text == "required" and not text:
                raise mistake(ProblemKind.MISSING_TEXT, spec, "", example=spec.examples[0])
        case "answers":
            text, switch = without_last_switch(spec, text)
            if switch is not None and accept_recommended:
                raise mistake(ProblemKind.REPEATED_FLAG, spec, switch)
            accept_recommended = accept_recommended or switch is not None
            answers, text = _answers(spec, text), ""
        case "none":
            text = _argument(spec, text)
        case _:
            assert_never(spec.text)
    return RunCommand(
        verb=Verb(spec.verb),
        text=text,
        base=flags.get("--base"),
        until=UNTIL_PHASES[flags["--until"]] if "--until" in flags else None,
        agent=flags.get("--agent"),
        model=flags.get("--model"),
        dry_run="--dry-run" in flags,
        project=flags.get("--project"),
        answers=answers,
        accept_recommended=accept_recommended,
    )


def _answers(spec: CommandSpec, text: str) -> tuple[Answer, ...]:
    if not says_something(text):
        return ()
    answers = read_answers(text)
    if isinstance(answers, NoAnswers):
        raise mistake(ProblemKind.INVALID_VALUE, spec, answers.found, example=f"{spec.verb} {ANSWERS_EXAMPLE}")
    return answers


def _command_about_runs(spec: CommandSpec, word: str) -> ParsedCommand:
    """A command that opens no run. ``word`` is its argument, empty if it has none."""
    match spec.verb:
        case "retry":
            return Retry(_phase(spec, word) if word else None)
        case "cancel":
            run = word.lower()
            if run and not is_run_reference(run):
                raise mistake(ProblemKind.INVALID_VALUE, spec, word, example=spec.examples[-1])
            return Cancel(run or None)
        case "help":
            return unknown_verb("help", word) if word and word not in COMMANDS_BY_VERB else Help(word or None)
        case "config":
            return Config()
        case "status":
            return Status()
        case _:
            raise LookupError(f"{spec.verb} is in the table and nobody reads it")


def _phase(spec: CommandSpec, word: str) -> Phase:
    by_any_name = {**RETRY_PHASES, **{phase.value: phase for phase in RETRY_PHASES.values()}}
    if word in by_any_name:
        return by_any_name[word]
    near = closest(word, by_any_name)
    raise mistake(ProblemKind.INVALID_VALUE, spec, word, did_you_mean=near, allowed=tuple(RETRY_PHASES))


def _argument(spec: CommandSpec, rest: str) -> str:
    """The one word a verb without a text may take, or nothing."""
    words = rest.split()
    if words and spec.argument is None:
        raise mistake(ProblemKind.UNEXPECTED_TEXT, spec, " ".join(words))
    if len(words) > 1:
        raise mistake(ProblemKind.UNEXPECTED_TEXT, spec, " ".join(words[1:]))
    return words[0] if words else ""
