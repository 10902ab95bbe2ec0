"""The lines of a file's patch, numbered: what review comments and annotations hang on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_HUNK_LINES_KEPT = 4
"""How many lines before the commented one a ``diff_hunk`` keeps on the pages."""

Kind = Literal["hunk", "same", "added", "removed", "remark"]


@dataclass(frozen=True, slots=True)
class PatchLine:
    """One line. ``old`` and ``new`` are its numbers before and after (from 1), None where it does not exist there."""

    kind: Kind
    text: str
    """As the patch has it, with its first column."""
    old: int | None = None
    new: int | None = None


def lines_of(patch: str) -> list[PatchLine]:
    """The lines of the hunks of one file (``ChangedFile.patch``), in order."""
    found: list[PatchLine] = []
    old = new = 0
    for text in patch.split("\n") if patch else []:
        begins = _HUNK.match(text)
        if begins is not None:
            old, new = int(begins[1]), int(begins[2])
            found.append(PatchLine("hunk", text))
        elif text.startswith("+"):
            found.append(PatchLine("added", text, None, new))
            new += 1
        elif text.startswith("-"):
            found.append(PatchLine("removed", text, old, None))
            old += 1
        elif text.startswith("\\"):
            found.append(PatchLine("remark", text))
        else:
            found.append(PatchLine("same", text, old, new))
            old, new = old + 1, new + 1
    return found


def hunk_up_to(patch: str, side: str, line: int) -> str:
    """The hunk that holds a line of one side (``LEFT``, ``RIGHT``), cut after it; empty when no hunk does."""
    hunk: list[str] = []
    for each in lines_of(patch):
        hunk = [each.text] if each.kind == "hunk" else [*hunk, each.text]
        if line == (each.old if side == "LEFT" else each.new):
            return "\n".join(hunk)
    return ""


def end_of(hunk: str) -> list[PatchLine]:
    """The last lines of a ``diff_hunk``: as much as a thread shows of its place."""
    return lines_of(hunk)[-_HUNK_LINES_KEPT:]


def text_lines(text: str) -> list[str]:
    """The lines of a file as git counts them: only a line feed ends one."""
    return text.removesuffix("\n").split("\n") if text else []


def follow(before: str, after: str, line: int) -> int | None:
    """The number a line of ``before`` has in ``after``, or None when it was changed or removed."""
    old, new = text_lines(before), text_lines(after)
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        if block.a < line <= block.a + block.size:
            return block.b + line - block.a
    return None
