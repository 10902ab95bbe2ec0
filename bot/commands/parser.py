"""From the body of a comment to what is asked for. Pure: no request, no clock, no settings.

    PREFIX VERB [--flag value] [text...]

at the start of a line of plain text (bot/commands/markdown.py), or Spec Kit's own spelling ``PREFIX.VERB`` and
``PREFIX-VERB``. The text runs to the next command or to the end of the comment. A mistake is a ParseProblem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from unicodedata import category

from bot.commands.markdown import Comment
from bot.commands.model import (
    COMMANDS,
    COMMANDS_BY_VERB,
    SPEC_KIT_VERBS,
    UNTIL_PHASES,
    Cancel,
    CommandSpec,
    FlagSpec,
    Help,
    ParsedCommand,
    ParseProblem,
    ProblemKind,
    Specify,
    Status,
)
from bot.commands.values import QUOTES, accepts, is_run_reference
from db.vocabulary import AGENT_PHASES

DEFAULT_PREFIX = "/speckit"

# The line ends of CommonMark; str.splitlines() knows more.
_LINE_END = re.compile(r"\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[A-Za-z]+")
_FLAG = re.compile(r"(--[A-Za-z][A-Za-z0-9_-]*)(?:(=)|(?=\s|\Z))")
# Keyboards and editors make one dash of two.
_MISTYPED_FLAG = re.compile(r"[-\u2012-\u2015\u2212]([A-Za-z][A-Za-z0-9_-]*)(?==|\s|\Z)")

# Near enough to guess what was meant; and near enough to believe that `/speckit-x` was meant for us at all.
_SIMILAR = 0.6
_ALMOST_SAME = 0.82
_LONGEST_VERB = 24
_LONGEST_FOUND = 80

_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class _Start:
    """A line that may begin a command: where it is, its verb (empty if it has none), where the rest begins."""

    line: int
    verb: str
    column: int


class _Mistake(Exception):  # noqa: N818 - carries the problem out of the reading of one command, never leaves this file
    def __init__(self, problem: ParseProblem) -> None:
        super().__init__(problem.kind)
        self.problem = problem


def parse(body: str, prefix: str = DEFAULT_PREFIX) -> list[ParsedCommand]:
    """All commands of a comment, in order; mistakes among them as ParseProblem. Never raises.

    ``body`` is what GitHub sent: any line ends, at most 65,536 characters. ``prefix`` is the setting
    ``SPECKIT_COMMAND_PREFIX``: commands that begin otherwise belong to somebody else. Texts come without HTML comments,
    NUL and surrounding blank lines, with LF line ends, else as written. Takes a few milliseconds for what people write
    and up to a second of CPU for hostile comments: off the event loop with it.
    """
    lines, possible = _possible_commands(body, prefix)
    if not possible:
        return []
    comment = Comment(lines)
    starts = [possible[line] for line in comment.plain_lines(list(possible))]
    bounds = [*(start.line for start in starts), len(lines)]
    return [_read(comment, lines, start, end) for start, end in zip(starts, bounds[1:], strict=True)]


def mentions_command(body: str, prefix: str = DEFAULT_PREFIX) -> bool:
    """True exactly if parse() would return anything.

    Reads Markdown only where it must: not without a line that could be a command, nor if that is the first line, since
    nothing stands before it. Else as slow as parse().
    """
    lines, possible = _possible_commands(body, prefix)
    if not possible:
        return False
    first = next(iter(possible))
    return not any(line.strip(" \t") for line in lines[:first]) or bool(Comment(lines).plain_lines(list(possible)))


def _possible_commands(body: str, prefix: str) -> tuple[list[str], dict[int, _Start]]:
    """The lines of the comment, and those that would be commands if they stand in plain text, by line number."""
    if prefix not in body:
        return [], {}
    lines = _LINE_END.split(_SURROGATE.sub("\ufffd", body))
    return lines, {start.line: start for start in _possible_starts(lines, prefix)}


def closest(word: str, choices: Iterable[str], cutoff: float = _SIMILAR) -> str | None:
    """The choice most like ``word``, whatever its case, if any is like it."""
    matches = get_close_matches(word[:_LONGEST_FOUND].lower(), list(choices), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def _possible_starts(lines: Sequence[str], prefix: str) -> Iterable[_Start]:
    for number, line in enumerate(lines):
        if not line.startswith(prefix):
            continue
        following = line[len(prefix) : len(prefix) + 1]
        if following in {".", "-"}:
            word = _WORD.match(line, len(prefix) + 1)
            if word is not None and _is_ours(word[0]):
                yield _Start(number, word[0], word.end())
        elif not following or following.isspace():
            word = _WORD.search(line, len(prefix))
            yield _Start(number, word[0] if word else "", word.end() if word else len(line))


def _is_ours(word: str) -> bool:
    """True if a word joined to the prefix is a verb or a misspelt one; all else may be the prefix of another App."""
    if len(word) > _LONGEST_VERB or _LETTERS.fullmatch(word) is None:
        return False
    return closest(word, {*COMMANDS_BY_VERB, *SPEC_KIT_VERBS}, _ALMOST_SAME) is not None


def _read(comment: Comment, lines: Sequence[str], start: _Start, end: int) -> ParsedCommand:
    """Read the one command that begins at ``start`` and whose text ends before line ``end``."""
    verbs = tuple(spec.verb for spec in COMMANDS)
    if not start.verb:
        return ParseProblem(ProblemKind.MISSING_VERB, None, "", allowed=verbs)
    spec = COMMANDS_BY_VERB.get(start.verb)
    if spec is None:
        return _unknown_verb(None, start.verb)
    line = lines[start.line]
    try:
        flags, column = _read_flags(spec, line, start.column)
        if spec.text == "none":
            rest = comment.visible_text(start.line, column, start.line + 1)
            return _BUILDERS[spec.verb](flags, _read_argument(spec, rest))
        text = _clean(comment.visible_text(start.line, column, end))
        if spec.text == "required" and not _says_something(text):
            raise _mistake(ProblemKind.MISSING_TEXT, spec, "")
        return _BUILDERS[spec.verb](flags, text)
    except _Mistake as mistake:
        return mistake.problem


def _read_flags(spec: CommandSpec, line: str, column: int) -> tuple[Mapping[str, str], int]:
    """The flags from ``column`` on, by name, and the column where the text begins."""
    flags: dict[str, str] = {}
    while True:
        column = _skip_space(line, column)
        if _word_at(line, column) == "--":
            return flags, _skip_space(line, column + 2)
        found = _FLAG.match(line, column)
        if found is None:
            _refuse_mistyped_flag(spec, line, column)
            return flags, column
        flag = _known_flag(spec, found[1])
        if flag.name in flags:
            raise _mistake(ProblemKind.REPEATED_FLAG, spec, flag.name)
        column = found.end()
        if flag.rule == "switch":
            if found[2]:
                value = _word_at(line, column)
                raise _mistake(ProblemKind.INVALID_VALUE, spec, f"{flag.name}={value}", did_you_mean=flag.name)
            flags[flag.name] = ""
        else:
            flags[flag.name], column = _read_value(spec, flag, line, column, joined=bool(found[2]))


def _read_value(spec: CommandSpec, flag: FlagSpec, line: str, column: int, *, joined: bool) -> tuple[str, int]:
    """The value of ``flag``, perhaps in quotes, and the column after it."""
    if not joined:
        column = _skip_space(line, column)
    value = _word_at(line, column)
    if not value or (not joined and _FLAG.match(value)) or (not joined and value == "--"):
        raise _mistake(ProblemKind.MISSING_VALUE, spec, flag.name, allowed=flag.allowed)
    end = column + len(value)
    closing = QUOTES.get(value[0])
    if closing is not None:
        end = line.find(closing, column + 1) + 1
        if not end or _word_at(line, end):
            raise _mistake(ProblemKind.INVALID_VALUE, spec, f"{flag.name} {value}", allowed=flag.allowed)
        value = line[column + 1 : end - 1]
    if not value:
        raise _mistake(ProblemKind.MISSING_VALUE, spec, flag.name, allowed=flag.allowed)
    if not accepts(flag, value):
        near = closest(value, flag.allowed)
        raise _mistake(
            ProblemKind.INVALID_VALUE,
            spec,
            f"{flag.name} {value}",
            did_you_mean=f"{flag.name} {near}" if near else None,
            allowed=flag.allowed,
        )
    return value, end


def _read_argument(spec: CommandSpec, rest: str) -> str:
    """The one word a verb without a text may take, or nothing. What stands on the lines below is not for us."""
    words = rest.split()
    if words and spec.argument is None:
        raise _mistake(ProblemKind.UNEXPECTED_TEXT, spec, " ".join(words))
    if len(words) > 1:
        raise _mistake(ProblemKind.UNEXPECTED_TEXT, spec, " ".join(words[1:]))
    return words[0] if words else ""


def _known_flag(spec: CommandSpec, name: str) -> FlagSpec:
    for flag in spec.flags:
        if flag.name == name:
            return flag
    names = tuple(flag.name for flag in spec.flags)
    raise _mistake(ProblemKind.UNKNOWN_FLAG, spec, name, did_you_mean=closest(name, names), allowed=names)


def _refuse_mistyped_flag(spec: CommandSpec, line: str, column: int) -> None:
    """Refuse a text that begins with a flag of this verb whose two dashes became one."""
    mistyped = _MISTYPED_FLAG.match(line, column)
    names = tuple(flag.name for flag in spec.flags)
    if mistyped is not None and f"--{mistyped[1]}" in names:
        raise _mistake(ProblemKind.UNKNOWN_FLAG, spec, mistyped[0], did_you_mean=f"--{mistyped[1]}", allowed=names)


def _specify(flags: Mapping[str, str], text: str) -> ParsedCommand:
    return Specify(
        text=text,
        base=flags.get("--base"),
        until=UNTIL_PHASES[flags["--until"]] if "--until" in flags else AGENT_PHASES[-1],
        agent=flags.get("--agent"),
        dry_run="--dry-run" in flags,
    )


def _status(_flags: Mapping[str, str], _argument: str) -> ParsedCommand:
    return Status()


def _cancel(_flags: Mapping[str, str], argument: str) -> ParsedCommand:
    run = argument.lower()
    if run and not is_run_reference(run):
        return ParseProblem(ProblemKind.INVALID_VALUE, "cancel", _shortened(argument))
    return Cancel(run or None)


def _help(_flags: Mapping[str, str], argument: str) -> ParsedCommand:
    if argument and argument not in COMMANDS_BY_VERB:
        return _unknown_verb("help", argument)
    return Help(argument or None)


_BUILDERS: Mapping[str, Callable[[Mapping[str, str], str], ParsedCommand]] = {
    "specify": _specify,
    "status": _status,
    "cancel": _cancel,
    "help": _help,
}


def _unknown_verb(verb: str | None, found: str) -> ParseProblem:
    verbs = tuple(spec.verb for spec in COMMANDS)
    near = closest(found.lstrip("-"), verbs)
    return ParseProblem(ProblemKind.UNKNOWN_VERB, verb, _shortened(found), near, verbs)


def _mistake(
    kind: ProblemKind, spec: CommandSpec, found: str, *, did_you_mean: str | None = None, allowed: Sequence[str] = ()
) -> _Mistake:
    return _Mistake(ParseProblem(kind, spec.verb, _shortened(found), did_you_mean, tuple(allowed)))


def _shortened(found: str) -> str:
    """What was found, fit for a sentence: one line, without NUL, of bounded length."""
    text = found.replace("\0", "")
    return text if len(text) <= _LONGEST_FOUND else text[: _LONGEST_FOUND - 1] + "…"


def _clean(text: str) -> str:
    """The text without NUL, blank lines around it, and spaces after the verb; indentation of a later line is kept."""
    first, line_end, later = text.replace("\0", "").partition("\n")
    return _BLANK_LINES.sub("", first.lstrip() + line_end + later).rstrip()


def _says_something(text: str) -> bool:
    """True if any character can be seen."""
    return any(category(character) not in _INVISIBLE for character in text)


def _skip_space(line: str, column: int) -> int:
    while column < len(line) and line[column].isspace():
        column += 1
    return column


def _word_at(line: str, column: int) -> str:
    """The word that begins exactly at ``column``; empty at a space or at the end."""
    word = _WORD.match(line, column)
    return word[0] if word else ""
