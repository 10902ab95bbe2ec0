"""Reads what git writes, strictly: a line that is not understood makes the whole patch unreadable.

The form is that of git-diff(1), "Generating patch text with -p", and of git's own diff.c for binary data. The patch
comes from a container the agent controlled, so these bytes may be anything.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field, replace

from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.patches.model import Change, Kind, Patch

MOST_BYTES = 64 << 20
MOST_CHANGES = 20_000

_INDEX = re.compile(rb"index ([0-9a-f]{40}|[0-9a-f]{64})\.\.([0-9a-f]{40}|[0-9a-f]{64})(?: ([0-7]{6}))?")
_MODE = re.compile(rb"(new file|deleted file|old|new) mode ([0-7]{6})")
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: .*)?", re.DOTALL)
_BINARY = re.compile(rb"(literal|delta) (\d{1,10})")
_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}
_BASE85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_DIGITS = {byte: number for number, byte in enumerate(_BASE85)}


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    pass


@dataclass
class _Draft:
    path: bytes
    old_mode: str | None = None
    new_mode: str | None = None
    kind: Kind = "modified"
    added: bytearray = field(default_factory=bytearray)
    removed_lines: int = 0
    added_lines: int = 0
    kept_lines: int = 0
    binary: bool = False
    delta_makes: int = 0


def parse_patch(data: bytes) -> Patch:
    """Understand a patch. Raises UserError ``publish.patch_unreadable`` or ``publish.too_large``."""
    if len(data) > MOST_BYTES:
        raise UserError(
            ErrorCode.PUBLISH_TOO_LARGE,
            f"The agent's changes are larger than {MOST_BYTES >> 20} MiB; nothing was kept.",
        )
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise _unreadable(len(lines) + 1)
    reader = _Reader(lines)
    changes: list[Change] = []
    try:
        while not reader.at_end():
            changes.append(_finish(_read_change(reader)))
            if len(changes) > MOST_CHANGES:
                raise UserError(
                    ErrorCode.PUBLISH_TOO_LARGE, f"The agent changed more than {MOST_CHANGES} files; nothing was kept."
                )
    except _Unreadable:
        raise _unreadable(reader.number) from None
    merged = _with_type_changes(changes)
    if len({change.path for change in merged}) != len(merged):
        raise _unreadable(reader.number)
    return Patch(tuple(merged), len(data))


def _with_type_changes(changes: list[Change]) -> list[Change]:
    """git writes a file that became a link, or the other way round, as a deletion and an addition of the same path."""
    merged: list[Change] = []
    for change in changes:
        before = merged[-1] if merged else None
        if before and (before.path, before.kind, change.kind) == (change.path, "deleted", "added"):
            same_type = (before.old_mode or "")[:3] == (change.new_mode or "")[:3]
            if not same_type:
                merged[-1] = replace(change, kind="modified", old_mode=before.old_mode, new_content=None)
                continue
        merged.append(change)
    return merged


def _unreadable(line: int) -> UserError:
    return UserError(
        ErrorCode.PUBLISH_PATCH_UNREADABLE,
        f"The agent's changes came as a patch that is not understood (near line {line}), so none of it was used.",
    )


class _Reader:
    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self.number = 0

    def at_end(self) -> bool:
        return self.number >= len(self._lines)

    def peek(self) -> bytes:
        return b"" if self.at_end() else self._lines[self.number]

    def next(self) -> bytes:
        if self.at_end():
            raise _Unreadable
        self.number += 1
        return self._lines[self.number - 1]


def _read_change(reader: _Reader) -> _Draft:
    draft = _Draft(_path_of_header(reader.next()))
    _read_modes(reader, draft)
    if reader.peek().startswith(b"index "):
        _read_index(reader.next(), draft)
        if reader.peek() == b"GIT binary patch":
            reader.next()
            _read_binary(reader, draft)
        elif reader.peek().startswith(b"--- "):
            _read_names(reader, draft)
            _read_hunks(reader, draft)
        elif draft.kind == "modified":
            raise _Unreadable
    elif draft.kind != "modified" or draft.old_mode == draft.new_mode:
        raise _Unreadable
    return draft


def _path_of_header(line: bytes) -> bytes:
    if not line.startswith(b"diff --git "):
        raise _Unreadable
    rest = line[len(b"diff --git ") :]
    if rest.startswith(b'"'):
        old, after = _unquote(rest)
        if not after.startswith(b" "):
            raise _Unreadable
        new, after = _unquote(after[1:])
        if after:
            raise _Unreadable
    else:
        # No renames, so both names are the same and the line is `a/NAME b/NAME`.
        middle = len(rest) // 2
        old, new = rest[:middle], rest[middle + 1 :]
        if rest[middle : middle + 1] != b" ":
            raise _Unreadable
    if old[:2] != b"a/" or new[:2] != b"b/" or old[2:] != new[2:] or not new[2:]:
        raise _Unreadable
    return new[2:]


def _unquote(text: bytes) -> tuple[bytes, bytes]:
    """Undo git's C-style quoting. Returns (name, what follows the closing quote)."""
    if text[:1] != b'"':
        raise _Unreadable
    made = bytearray()
    position = 1
    while True:
        byte = text[position : position + 1]
        if byte == b'"':
            return bytes(made), text[position + 1 :]
        if not byte:
            raise _Unreadable
        if byte != b"\\":
            made += byte
            position += 1
            continue
        escape = text[position + 1 : position + 2]
        if escape in _ESCAPES:
            made.append(_ESCAPES[escape])
            position += 2
        elif re.fullmatch(rb"[0-3][0-7]{2}", digits := text[position + 1 : position + 4]):
            made.append(int(digits, 8))
            position += 4
        else:
            raise _Unreadable


def _read_modes(reader: _Reader, draft: _Draft) -> None:
    found = _MODE.fullmatch(reader.peek())
    if found is None:
        return
    reader.next()
    what, mode = found.group(1), found.group(2).decode()
    if what == b"new file":
        draft.kind, draft.new_mode = "added", mode
    elif what == b"deleted file":
        draft.kind, draft.old_mode = "deleted", mode
    elif what == b"old":
        second = _MODE.fullmatch(reader.next())
        if second is None or second.group(1) != b"new":
            raise _Unreadable
        draft.old_mode, draft.new_mode = mode, second.group(2).decode()
    else:
        raise _Unreadable


def _read_index(line: bytes, draft: _Draft) -> None:
    found = _INDEX.fullmatch(line)
    if found is None:
        raise _Unreadable
    old, new, mode = found.groups()
    absent = set(b"0")
    if (set(old) == absent) != (draft.kind == "added") or (set(new) == absent) != (draft.kind == "deleted"):
        raise _Unreadable
    if mode is not None:
        if draft.kind != "modified" or draft.old_mode is not None:
            raise _Unreadable
        draft.old_mode = draft.new_mode = mode.decode()
    elif draft.old_mode is None and draft.new_mode is None:
        raise _Unreadable


def _read_names(reader: _Reader, draft: _Draft) -> None:
    old = b"/dev/null" if draft.kind == "added" else b"a/" + draft.path
    new = b"/dev/null" if draft.kind == "deleted" else b"b/" + draft.path
    if _name(reader.next(), b"--- ") != old or _name(reader.next(), b"+++ ") != new:
        raise _Unreadable


def _name(line: bytes, marker: bytes) -> bytes:
    if not line.startswith(marker):
        raise _Unreadable
    rest = line[len(marker) :]
    if rest.startswith(b'"'):
        name, after = _unquote(rest)
        if after not in (b"", b"\t"):
            raise _Unreadable
        return name
    return rest.removesuffix(b"\t")


def _read_hunks(reader: _Reader, draft: _Draft) -> None:
    if not reader.peek().startswith(b"@@ "):
        raise _Unreadable
    while reader.peek().startswith(b"@@ "):
        found = _HUNK.fullmatch(reader.next())
        if found is None:
            raise _Unreadable
        old_left = int(found.group(2)) if found.group(2) is not None else 1
        new_left = int(found.group(4)) if found.group(4) is not None else 1
        while old_left or new_left:
            line = reader.next()
            kind, text = line[:1], line[1:]
            old_left -= kind in (b" ", b"-")
            new_left -= kind in (b" ", b"+")
            if kind not in (b" ", b"-", b"+") or old_left < 0 or new_left < 0:
                raise _Unreadable
            _take_line(reader, draft, kind, text)


def _take_line(reader: _Reader, draft: _Draft, kind: bytes, text: bytes) -> None:
    end = b"\n"
    if reader.peek() == b"\\ No newline at end of file":
        reader.next()
        end = b""
    if kind == b"+":
        draft.added += text + end
        draft.added_lines += 1
    elif kind == b"-":
        draft.removed_lines += 1
    else:
        draft.kept_lines += 1


def _read_binary(reader: _Reader, draft: _Draft) -> None:
    """The forward data, then the reverse data, which is read for its form only."""
    draft.binary = True
    is_delta, data = _read_binary_data(reader)
    draft.added += data
    if is_delta:
        draft.delta_makes = _size_made_by(data)
    if _BINARY.fullmatch(reader.peek()):
        _read_binary_data(reader)


def _size_made_by(delta: bytes) -> int:
    """The size of the file that a delta makes: its second number, each of 7 bits a byte, the lowest first.

    https://git-scm.com/docs/pack-format, "Deltified representation"; git apply refuses a delta that makes another size.
    """
    position = size = 0
    for _ in ("of the old file", "of the new file"):
        size = shift = 0
        while True:
            byte = delta[position : position + 1]
            if not byte or shift > 35:
                raise _Unreadable
            size |= (byte[0] & 0x7F) << shift
            shift += 7
            position += 1
            if byte[0] < 0x80:
                break
    return size


def _read_binary_data(reader: _Reader) -> tuple[bool, bytes]:
    """Whether it is a delta, and the data, inflated."""
    found = _BINARY.fullmatch(reader.next())
    if found is None:
        raise _Unreadable
    size = int(found.group(2))
    if size > MOST_BYTES:
        raise _Unreadable
    packed = bytearray()
    while line := reader.next():
        packed += _decode85(line)
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(bytes(packed), size + 1)
    except zlib.error:
        raise _Unreadable from None
    if len(plain) != size or not inflater.eof or inflater.unused_data:
        raise _Unreadable
    return found.group(1) == b"delta", plain


def _decode85(line: bytes) -> bytes:
    """One line of git's base 85: a letter for the number of bytes, then groups of five digits."""
    length = line[0]
    if 65 <= length <= 90:
        length -= 64
    elif 97 <= length <= 122:
        length -= 70
    else:
        raise _Unreadable
    digits = line[1:]
    if len(digits) != (length + 3) // 4 * 5:
        raise _Unreadable
    made = bytearray()
    for start in range(0, len(digits), 5):
        value = 0
        for digit in digits[start : start + 5]:
            if digit not in _DIGITS:
                raise _Unreadable
            value = value * 85 + _DIGITS[digit]
        if value > 0xFFFFFFFF:
            raise _Unreadable
        made += value.to_bytes(4, "big")
    return bytes(made[:length])


def _finish(draft: _Draft) -> Change:
    if draft.kind == "added" and (draft.removed_lines or draft.kept_lines or draft.delta_makes):
        raise _Unreadable
    if draft.kind == "deleted" and not draft.binary and (draft.added_lines or draft.kept_lines):
        raise _Unreadable
    whole = draft.kind == "added" and not draft.binary
    return Change(
        path=draft.path.decode("utf-8", "surrogateescape"),
        old_mode=draft.old_mode,
        new_mode=draft.new_mode,
        kind=draft.kind,
        new_content=bytes(draft.added) if whole else None,
        added_lines=draft.added_lines,
        added_bytes=bytes(draft.added),
        size_bytes=max(len(draft.added), draft.delta_makes),
    )
