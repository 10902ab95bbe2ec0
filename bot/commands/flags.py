"""The flags of one command, from its line. A mistake ends the reading."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands.mistakes import closest, mistake
from bot.commands.model import ProblemKind
from bot.commands.table import CommandSpec, FlagSpec
from bot.commands.values import QUOTES, value_of

_WORD = re.compile(r"\S+")
_FLAG = re.compile(r"(--[A-Za-z][A-Za-z0-9_-]*)(?:(=)|(?=\s|\Z))")
# Keyboards and editors make one dash of two.
_MISTYPED_FLAG = re.compile(r"[-\u2012-\u2015\u2212]([A-Za-z][A-Za-z0-9_-]*)(?==|\s|\Z)")


def read_flags(spec: CommandSpec, line: str, column: int) -> tuple[Mapping[str, str], int]:
    """The flags from ``column`` of ``line`` on, by name, and the column where the text begins. Raises Mistake."""
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
            raise mistake(ProblemKind.REPEATED_FLAG, spec, flag.name)
        column = found.end()
        if flag.rule == "switch":
            if found[2]:
                value = _word_at(line, column)
                raise mistake(ProblemKind.INVALID_VALUE, spec, f"{flag.name}={value}", did_you_mean=flag.name)
            flags[flag.name] = ""
        else:
            flags[flag.name], column = _read_value(spec, flag, line, column, joined=bool(found[2]))


def without_last_switch(spec: CommandSpec, text: str) -> tuple[str, str | None]:
    """``text`` without the switch of this verb that its first line ends with, and that switch, if any."""
    line, line_end, later = text.partition("\n")
    for flag in spec.flags:
        if flag.rule == "switch" and (line == flag.name or re.search(rf"\s{flag.name}\s*\Z", line)):
            return line.rstrip().removesuffix(flag.name).rstrip() + line_end + later, flag.name
    return text, None


def _read_value(spec: CommandSpec, flag: FlagSpec, line: str, column: int, *, joined: bool) -> tuple[str, int]:
    """The value of ``flag``, perhaps in quotes, and the column after it."""
    if not joined:
        column = _skip_space(line, column)
    written = _word_at(line, column)
    missing = mistake(ProblemKind.MISSING_VALUE, spec, flag.name, allowed=flag.allowed, example=_example(flag))
    if not written or (not joined and (_FLAG.match(written) or written == "--")):
        raise missing
    end = column + len(written)
    closing = QUOTES.get(written[0])
    if closing is not None:
        end = line.find(closing, column + 1) + 1
        if not end or _word_at(line, end):
            raise _invalid(spec, flag, written)
        written = line[column + 1 : end - 1]
    if not written:
        raise missing
    value = value_of(flag, written)
    if value is None:
        raise _invalid(spec, flag, written)
    return value, end


def _invalid(spec: CommandSpec, flag: FlagSpec, written: str) -> Exception:
    near = closest(written, flag.allowed)
    return mistake(
        ProblemKind.INVALID_VALUE,
        spec,
        f"{flag.name} {written}",
        did_you_mean=f"{flag.name} {near}" if near else None,
        allowed=flag.allowed,
        example=_example(flag),
    )


def _example(flag: FlagSpec) -> str | None:
    return f"{flag.name} {flag.example}" if flag.example else None


def _known_flag(spec: CommandSpec, name: str) -> FlagSpec:
    for flag in spec.flags:
        if flag.name == name:
            return flag
    names = tuple(flag.name for flag in spec.flags)
    # Without the dashes, which would make any two short names alike.
    near = closest(name.removeprefix("--"), [known.removeprefix("--") for known in names])
    raise mistake(ProblemKind.UNKNOWN_FLAG, spec, name, did_you_mean=f"--{near}" if near else None, allowed=names)


def _refuse_mistyped_flag(spec: CommandSpec, line: str, column: int) -> None:
    """Refuse a text that begins with a flag of this verb whose two dashes became one."""
    mistyped = _MISTYPED_FLAG.match(line, column)
    names = tuple(flag.name for flag in spec.flags)
    if mistyped is not None and f"--{mistyped[1]}" in names:
        raise mistake(ProblemKind.UNKNOWN_FLAG, spec, mistyped[0], did_you_mean=f"--{mistyped[1]}", allowed=names)


def _skip_space(line: str, column: int) -> int:
    while column < len(line) and line[column].isspace():
        column += 1
    return column


def _word_at(line: str, column: int) -> str:
    """The word that begins exactly at ``column``; empty at a space or at the end."""
    word = _WORD.match(line, column)
    return word[0] if word else ""
