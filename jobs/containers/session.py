"""The worker's end of the conversation with a container: requests, their data, their output, their result.

The other end is ``speckit_container/frames.py`` in the image, which says how the frames look. The container's words are
not trusted: lengths are bounded, and what does not fit the form ends the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from jobs.containers.engine import Engine
from jobs.errors import PipelineError
from jobs.ports import PhaseOutput

HEADER = struct.Struct(">cI")
DOCKER_HEADER = struct.Struct(">B3xI")
MAX_FRAME = 1 << 20
MOST_OUTPUT = 256 << 20
GREETING_BYTES = 4096

Result = Mapping[str, Any]
OnData = Callable[[bytes], Awaitable[None]]


class SessionLost(Exception):  # noqa: N818 - not an error until somebody says why
    """The program in the container ended, or spoke nonsense."""


class Session:
    """One conversation: one request at a time."""

    def __init__(
        self, engine: Engine, container_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.engine = engine
        self.container_id = container_id
        self._reader = reader
        self._writer = writer
        self._pending = bytearray()
        self._broken = False

    async def ask(
        self,
        request: Mapping[str, Any],
        output: PhaseOutput,
        *,
        data: AsyncIterator[bytes] | None = None,
        on_data: OnData | None = None,
        timeout: float,  # noqa: ASYNC109 - expiry kills the container, so it is ours to time
    ) -> Result:
        """Send a request and return its result. Raises TimeoutError, and the reason when the container is lost.

        After an exception the session is of no more use: start new containers.
        """
        if self._broken:
            raise await self.engine.loss(self.container_id)
        self._broken = True
        try:
            async with asyncio.timeout(timeout):
                result = await self._converse(request, output, data, on_data)
        except (SessionLost, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise await self._why_lost() from error
        self._broken = False
        return result

    async def _converse(
        self, request: Mapping[str, Any], output: PhaseOutput, data: AsyncIterator[bytes] | None, on_data: OnData | None
    ) -> Result:
        await self._send(b"Q", json.dumps(request).encode())
        sending = asyncio.create_task(self._send_all(data)) if data is not None else None
        try:
            result = await self._receive(output, on_data)
            if sending is not None:
                await sending
        finally:
            if sending is not None:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await sending
        return result

    async def _send_all(self, data: AsyncIterator[bytes]) -> None:
        async for chunk in data:
            await self._send(b"D", chunk)
        await self._send(b"E", b"")

    async def _send(self, kind: bytes, payload: bytes) -> None:
        for start in range(0, len(payload) or 1, MAX_FRAME):
            piece = payload[start : start + MAX_FRAME]
            self._writer.write(HEADER.pack(kind, len(piece)) + piece)
            await self._writer.drain()

    async def _receive(self, output: PhaseOutput, on_data: OnData | None) -> Result:
        passed = 0
        while True:
            kind, payload = await self._frame(output)
            if kind == b"r":
                try:
                    result = json.loads(payload)
                except ValueError as error:
                    raise SessionLost("no JSON") from error
                if not isinstance(result, dict):
                    raise SessionLost("no object")
                return result
            passed += len(payload)
            if kind == b"d" and on_data is not None:
                await on_data(payload)
            elif kind in (b"o", b"e") and passed <= MOST_OUTPUT:
                (output.stdout if kind == b"o" else output.stderr).write(payload)
            else:
                raise SessionLost("an unexpected frame")

    async def _frame(self, output: PhaseOutput) -> tuple[bytes, bytes]:
        await self._fill(HEADER.size, output)
        kind, length = HEADER.unpack(self._pending[: HEADER.size])
        if length > 16 * MAX_FRAME or kind not in (b"o", b"e", b"d", b"r"):
            raise SessionLost("no frame")
        await self._fill(HEADER.size + length, output)
        payload = bytes(self._pending[HEADER.size : HEADER.size + length])
        del self._pending[: HEADER.size + length]
        return kind, payload

    async def _fill(self, wanted: int, output: PhaseOutput) -> None:
        """Read Docker's frames until ``wanted`` bytes of stdout are there; stderr is the session's own complaints."""
        while len(self._pending) < wanted:
            try:
                stream, length = DOCKER_HEADER.unpack(await self._reader.readexactly(DOCKER_HEADER.size))
                payload = await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, struct.error) as error:
                raise SessionLost("the stream ended") from error
            if stream == 1:
                self._pending += payload
            else:
                output.stderr.write(payload)

    async def _why_lost(self) -> PipelineError:
        # An exec that could not even start says so in plain words instead of a frame.
        if b"OCI runtime exec failed" in self._pending[:GREETING_BYTES]:
            return self.engine.image_missing()
        return await self.engine.loss(self.container_id)

    def hang_up(self) -> None:
        """Close the stream; the program at the other end then ends."""
        self._broken = True
        self._writer.close()
