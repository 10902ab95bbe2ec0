"""How a container and the worker talk over one exec: typed frames on standard input and output.

A frame is one byte of kind, four bytes of length (big endian) and the payload. From the worker: ``Q`` a request (JSON),
``D`` a piece of its data, ``E`` the end of its data. To the worker: ``o`` and ``e`` output of a program to keep as the
phase's log, ``d`` a piece of data, ``r`` the result of the request (JSON). One request at a time.

One exec for the whole life of a container, because each exec costs more than most of what it would run.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

MAX_FRAME = 1 << 20
HEADER = struct.Struct(">cI")


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request cannot be done. ``facts`` go to the worker, which words them for people."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.facts = {"refused": reason, **facts}


class Channel:
    """The container's end of the conversation, on file descriptors 0 and 1."""

    def __init__(self) -> None:
        self._input = os.fdopen(os.dup(0), "rb", buffering=1 << 18)
        self._output = os.dup(1)
        # A program started here must neither read requests nor write into the frames.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield one request after the other until the worker hangs up."""
        while True:
            kind, payload = self._read()
            if kind == b"":
                return
            if kind == b"Q":
                yield json.loads(payload)

    def data(self) -> Iterator[bytes]:
        """Yield the pieces that follow the present request. Must be read to its end."""
        while True:
            kind, payload = self._read()
            if kind == b"D":
                yield payload
            elif kind == b"E":
                return
            else:
                sys.exit(1)

    def send(self, kind: bytes, payload: bytes) -> None:
        """Write one frame, or several where the payload is longer than one may be."""
        view = memoryview(payload)
        while True:
            piece, view = view[:MAX_FRAME], view[MAX_FRAME:]
            self._write(HEADER.pack(kind, len(piece)) + bytes(piece))
            if not view:
                return

    def result(self, **fields: Any) -> None:
        """End the present request."""
        payload = json.dumps(fields).encode()
        self._write(HEADER.pack(b"r", len(payload)) + payload)

    def _read(self) -> tuple[bytes, bytes]:
        header = self._input.read(HEADER.size)
        if len(header) < HEADER.size:
            return b"", b""
        kind, length = HEADER.unpack(header)
        payload = self._input.read(length)
        return (kind, payload) if len(payload) == length else (b"", b"")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._output, view) :]
