"""Which lines of a comment could begin a command, judged by the line alone: by the prefix, or by the App's name.

Whether such a line stands in plain text is for bot/commands/markdown.py to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.commands.mistakes import closest
from bot.commands.table import COMMANDS_BY_VERB, SPEC_KIT_VERBS

_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[A-Za-z]+")

# Near enough to believe that `/speckit-x` or `@name x` was meant for us at all.
_ALMOST_SAME = 0.82
_LONGEST_VERB = 24
_KNOWN_VERBS = frozenset({*COMMANDS_BY_VERB, *SPEC_KIT_VERBS})


@dataclass(frozen=True, slots=True)
class Start:
    """A line that may begin a command: where it is, its verb (empty if it has none), where the rest begins."""

    line: int
    verb: str
    column: int
    mentioned: bool = False


def possible_starts(lines: Sequence[str], prefix: str, mention: str | None) -> Iterator[Start]:
    """The lines that would be commands if they stand in plain text, from the first to the last."""
    pattern = _mention_pattern(mention) if mention else None
    for number, line in enumerate(lines):
        if line.startswith(prefix):
            start = _after_prefix(number, line, len(prefix))
        elif pattern is not None and line.startswith("@"):
            start = _after_mention(number, line, pattern)
        else:
            continue
        if start is not None:
            yield start


def _after_prefix(number: int, line: str, column: int) -> Start | None:
    following = line[column : column + 1]
    if following in {".", "-"}:
        word = _WORD.match(line, column + 1)
        return Start(number, word[0], word.end()) if word is not None and _is_ours(word[0]) else None
    if following and not following.isspace():
        return None
    word = _WORD.search(line, column)
    return Start(number, word[0] if word else "", word.end() if word else len(line))


def _after_mention(number: int, line: str, pattern: re.Pattern[str]) -> Start | None:
    """A mention is talk unless a verb follows, perhaps misspelt. ``plans`` and ``helped`` are English, no verbs."""
    found = pattern.match(line)
    if found is None:
        return None
    word = found[1].rstrip(".,:;!?")
    is_verb = word in _KNOWN_VERBS or (_is_ours(word) and not _is_inflected(word.lower()))
    return Start(number, found[1], found.end(), mentioned=True) if is_verb else None


def _is_inflected(word: str) -> bool:
    return any(word.startswith(verb) and word != verb for verb in _KNOWN_VERBS)


@lru_cache(maxsize=8)
def _mention_pattern(login: str) -> re.Pattern[str]:
    """A line that begins with the mention of an App, by its slug or as ``slug[bot]``, and a word. Logins have no case,
    and none but ASCII letters."""
    return re.compile(rf"(?ai:@{re.escape(login)}(?:\[bot\])?)[,:]?\s+(\S+)")


def _is_ours(word: str) -> bool:
    """True if a word is a verb or a misspelt one; joined to the prefix, all else may be the prefix of another App."""
    if len(word) > _LONGEST_VERB or _LETTERS.fullmatch(word) is None:
        return False
    return word in _KNOWN_VERBS or closest(word, _KNOWN_VERBS, _ALMOST_SAME) is not None
