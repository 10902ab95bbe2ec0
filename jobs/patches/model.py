"""What a patch says, once it is understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["added", "modified", "deleted"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one file.

    ``path`` may hold anything git can name, undecodable bytes as surrogates; modes are git's six octal digits.
    ``new_content`` is the whole content of an added text file, else None. ``added_bytes`` is every byte the change
    brings in (added lines, or the inflated binary data), ``added_lines`` their number in a text file. ``size_bytes`` is
    what counts against a limit: that many bytes, or all that a binary delta makes of a few.
    """

    path: str
    old_mode: str | None
    new_mode: str | None
    kind: Kind
    new_content: bytes | None
    added_lines: int
    added_bytes: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Patch:
    """All changes, in the patch's order. ``size_bytes`` is the size of the patch itself."""

    changes: Sequence[Change]
    size_bytes: int
