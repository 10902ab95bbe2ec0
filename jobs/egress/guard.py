"""The other end of the proxy variables in a job container: refuses, counts, and lets through what the operator allows.

A socket of its own beside the gateway's, not the same one: the way to the model stays as it is, and nothing that is
asked for here can be taken for a request to a model. Only while an agent works does anybody get an answer.

Wanted: whatever the agent does here costs bounded memory, little time, and one line in the log for each turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from db.allowed_hosts import HTTPS_PORT, AllowedHost, entry_for
from jobs.egress.forward_proxy import ForwardProxy
from jobs.egress.limits import EgressLimits
from jobs.egress.requests import LARGEST_HEAD, read_request, refusal
from jobs.egress.tally import Tally, shown
from jobs.egress.tunnel import Allowance, Turn, tunnel
from jobs.egress.variables import EGRESS_SOCKET
from jobs.gateway.sockets import listen_in
from jobs.ports import EgressReport

LAST_WORDS_SECONDS = 1.0
MOST_LAST_WORDS = 64

logger = logging.getLogger(__name__)


class EgressGuard:
    """One per worker. Without ``proxy`` nothing is ever let through, whatever a run is allowed."""

    def __init__(self, proxy: ForwardProxy | None = None, limits: EgressLimits | None = None) -> None:
        self._proxy = proxy
        self._limits = limits or EgressLimits()
        self._open: dict[UUID, RunEgress] = {}

    async def open_run(self, run_id: UUID, folder: Path, allowed: Sequence[AllowedHost] = ()) -> RunEgress:
        """Listen for one run, in the folder that is mounted into its container. Raises OSError."""
        await self.close_run(run_id)
        found = RunEgress(run_id, allowed, self._proxy, self._limits)
        self._open[run_id] = found
        await found.listen(await asyncio.to_thread(listen_in, folder, EGRESS_SOCKET))
        return found

    async def close_run(self, run_id: UUID) -> None:
        """Stop listening for a run."""
        if (found := self._open.pop(run_id, None)) is not None:
            await found.close()

    async def close(self) -> None:
        """Stop listening for every run, and end the forward proxy."""
        for run_id in tuple(self._open):
            await self.close_run(run_id)
        if self._proxy is not None:
            await self._proxy.close()


class RunEgress:
    """The guard of one run."""

    def __init__(
        self, run_id: UUID, allowed: Sequence[AllowedHost], proxy: ForwardProxy | None, limits: EgressLimits
    ) -> None:
        self._run_id = run_id
        self._allowed = tuple(allowed)
        self._proxy = proxy
        self._limits = limits
        self._tally: Tally | None = None
        self._allowance = Allowance(limits)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Serve the socket."""
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=2 * LARGEST_HEAD)

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        await self._hang_up()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Tally]:
        """An agent works until the block ends; what is then still connected is cut."""
        tally = self._tally = Tally()
        self._allowance = Allowance(self._limits)
        try:
            yield tally
        finally:
            self._tally = None
            await self._hang_up()
            _log(self._run_id, tally)

    async def _hang_up(self) -> None:
        connections = tuple(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._tally is None:
            writer.close()
            return
        if len(self._connections) >= self._limits.connections:
            self._tally.refuse("")
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer, self._tally))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> None:
        try:
            with contextlib.suppress(ConnectionError, EOFError, TimeoutError):
                await self._answer(reader, writer, tally)
            await _part(reader, writer)
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> None:
        async with asyncio.timeout(self._limits.request_seconds):
            asked = await read_request(reader)
        entry = entry_for(self._allowed, asked.host) if asked.port == HTTPS_PORT else None
        if entry is not None and self._proxy is not None:
            await tunnel(asked, entry, (reader, writer), Turn(tally, self._allowance, self._proxy))
            return
        tally.refuse(asked.label)
        if tally.refusals > self._limits.paced_after:
            await asyncio.sleep(self._limits.pace_seconds)
        writer.write(refusal(shown(asked.label)))


async def _part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that no more comes, and read for a moment what the other side still sends: a socket that is closed over
    unread bytes may take the answer with it."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await writer.drain()
            writer.write_eof()
            for _ in range(MOST_LAST_WORDS):
                if not await reader.read(LARGEST_HEAD):
                    break


def _log(run_id: UUID, tally: Tally) -> None:
    report: EgressReport = tally.report()
    if tally.refusals or report.reached:
        logger.info(
            "egress_counted",
            extra={"run": str(run_id), "refused": tally.refusals, "reached": sum(report.reached.values())},
        )
