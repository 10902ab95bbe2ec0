"""The logs of one attempt of one phase: redacted, bounded, and on the disk while the phase still runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from jobs.ports import PhaseOutput
from jobs.redaction import END_OF_KEY, Redactor

TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class LogFile:
    """A finished log. ``name`` is the artifact's (``phase-git_clone.stdout``), ``path`` carries the attempt too."""

    name: str
    path: Path
    size_bytes: int
    sha256: str


class LogSink:
    """A ByteSink that appends to a file: the head as it comes, and at the end the tail of what was too much.

    Only what is kept is checked for secrets: a flood costs no more than the log that stays of it.
    """

    def __init__(self, path: Path, redactor: Redactor, limit_bytes: int) -> None:
        self._path = path
        self._redactor = redactor
        self._stream = redactor.stream()
        self._room = max(0, limit_bytes - TAIL_BYTES)
        self._tail = bytearray()
        self._tail_bytes = TAIL_BYTES + redactor.held_back
        self._after_head = 0
        self._hash = hashlib.sha256()
        self._size = 0
        self._file: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        """Keep ``chunk``, or the part there is room for. Raises OSError when the disk takes nothing more."""
        head, rest = chunk[: self._room], chunk[self._room :]
        self._room -= len(head)
        if head:
            self._append(self._stream.feed(head))
        if rest:
            self._after_head += len(rest)
            self._tail += rest
            if len(self._tail) > 2 * self._tail_bytes:
                del self._tail[: -self._tail_bytes]

    def close(self) -> tuple[int, str]:
        """Write what was held back and close. Returns (size in bytes, SHA-256 in hex).

        Raises OSError when the disk takes nothing more; the file is closed all the same.
        """
        try:
            if self._after_head <= TAIL_BYTES:
                self._append(self._stream.feed(bytes(self._tail)) + self._stream.finish())
            else:
                self._append_tail()
            if self._file is None:
                self._path.touch()
        finally:
            if self._file is not None:
                self._file.close()
        return self._size, self._hash.hexdigest()

    def _append_tail(self) -> None:
        """The end of the flood, from a place where no secret is cut in two and none of several lines has begun.

        The unfinished last line of the head is left out: it may be the beginning of one.
        """
        tail = bytes(self._tail[-self._tail_bytes :])
        start = max(tail.find(b"\n", 0, self._redactor.held_back) + 1, len(tail) - TAIL_BYTES)
        line_end = tail.find(b"\n", start)
        kept = tail[line_end + 1 if line_end >= 0 else len(tail) :]
        for end_of_key in END_OF_KEY.finditer(kept):
            if b"-----BEGIN" not in kept[: end_of_key.start()]:
                kept = kept[end_of_key.end() :]
            break
        left_out = self._stream.held + self._after_head - len(kept)
        self._append(f"\n[{left_out} bytes left out here: this log is at its limit]\n".encode())
        self._append(self._redactor.redact(kept))

    def _append(self, data: bytes) -> None:
        if not data:
            return
        if self._file is None:
            self._file = self._path.open("wb", buffering=0)
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)


class PhaseLogs:
    """Both logs of one attempt. A context manager: afterwards ``files`` says what is there.

    ``folder`` exists. The name of a file of a later attempt carries its number: ``phase-git_clone.2.stdout``.
    """

    def __init__(self, folder: Path, phase: str, attempt: int, redactor: Redactor, limit_bytes: int) -> None:
        middle = "" if attempt == 1 else f".{attempt}"
        self._sinks = {
            f"phase-{phase}.{stream}": (path, LogSink(path, redactor, limit_bytes))
            for stream in ("stdout", "stderr")
            for path in (folder / f"phase-{phase}{middle}.{stream}",)
        }
        stdout, stderr = (sink for _, sink in self._sinks.values())
        self.output = PhaseOutput(stdout, stderr)
        self.files: Sequence[LogFile] = ()

    def __enter__(self) -> PhaseLogs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        files = []
        failures = []
        for name, (path, sink) in self._sinks.items():
            try:
                size, digest = sink.close()
            except OSError as failure:
                failures.append(failure)
            else:
                files.append(LogFile(name, path, size, digest))
        self.files = tuple(files)
        if failures:
            raise failures[0]
