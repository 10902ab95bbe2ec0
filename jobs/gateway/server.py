"""The sockets of the runs, and what is served on them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import aiohttp
from aiohttp import web

from db.budgets import SpendingRules
from db.runs import Lease
from jobs.clock import SystemClock
from jobs.gateway.accounts import Account, Ledger, MemoryLedger
from jobs.gateway.forwarding import LARGEST_REQUEST, Forwarder, model_session
from jobs.gateway.refusals import refusal
from jobs.gateway.sockets import listen
from jobs.gateway.turns import LAST_WORDS_SECONDS, OpenTurn, Turn
from jobs.model_apis import ModelEndpoint
from jobs.ports import Clock, ModelApi

GATEWAY_PORT = 8377
"""Where the forwarder in the container listens, on the container's own loopback."""


log = logging.getLogger(__name__)


def _unheard() -> logging.Logger:
    """For aiohttp, which logs with a traceback and word for word what it could not read: an agent could fill the log
    with that, and choose what stands there."""
    logger = logging.Logger("requests of an agent")
    logger.addHandler(logging.NullHandler())
    return logger


@dataclass(slots=True)
class _OpenRun:
    runner: web.AppRunner
    session: aiohttp.ClientSession
    folder: Path
    turn: OpenTurn | None = None


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """What one run's job container gets: the folder to mount, and the key its agent presents."""

    folder: Path
    key: str
    _gateway: Gateway = field(repr=False)
    _run_id: UUID

    @asynccontextmanager
    async def turn(self, turn: Turn) -> AsyncIterator[OpenTurn]:
        """Serve in the block, and write what it spent at its end. Raises UserError before it begins where nothing may
        be spent any more; SQLAlchemyError and OSError when the database is away."""
        async with self._gateway.turn(self._run_id, turn) as opened:
            yield opened


class Gateway:
    """One per worker; ``endpoints`` are those the operator has a key for, one an API. Without a ledger it remembers in
    memory what was spent. ``prefix`` is that of commands."""

    def __init__(
        self,
        endpoints: Sequence[ModelEndpoint],
        *,
        ledger: Ledger | None = None,
        rules: SpendingRules | None = None,
        prefix: str = "/speckit",
        clock: Clock | None = None,
        last_words_seconds: float = LAST_WORDS_SECONDS,
    ) -> None:
        self._forwarder = Forwarder(endpoints)
        self._ledger = ledger or MemoryLedger()
        self._rules = rules or SpendingRules()
        self._prefix = prefix
        self._clock = clock or SystemClock()
        self._last_words_seconds = last_words_seconds
        self._open: dict[UUID, _OpenRun] = {}

    def serves(self, api: ModelApi) -> bool:
        """Whether the operator has a key for it."""
        return self._forwarder.knows(api)

    async def open_run(self, lease: Lease, root: Path) -> GatewayAccess:
        """Listen for one run. ``root`` is private to this user; a folder in it, which belongs to this epoch of the run
        only, is mounted into the container. What older epochs left goes.

        Raises OSError when the socket cannot be made.
        """
        await self.close_run(lease.run_id)
        key = self._forwarder.new_key()
        folder, listener = await asyncio.to_thread(listen, root, lease)
        app = web.Application(client_max_size=LARGEST_REQUEST)
        runner = web.AppRunner(app, access_log=None, logger=_unheard(), shutdown_timeout=1)
        opened = _OpenRun(runner, model_session(), folder)

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._forwarder.handle(request, key, opened.session, opened.turn)
            except web.HTTPException:
                raise
            except Exception:
                log.exception("gateway_failed", extra={"run": str(lease.run_id)})
                return refusal(500, "the gateway could not serve this")

        app.router.add_route("*", "/{path:.*}", handle)
        self._open[lease.run_id] = opened
        await runner.setup()
        await web.SockSite(runner, listener).start()
        return GatewayAccess(folder, key, self, lease.run_id)

    @asynccontextmanager
    async def turn(self, run_id: UUID, turn: Turn) -> AsyncIterator[OpenTurn]:
        """See ``GatewayAccess.turn``. One at a time."""
        run = self._open[run_id]
        account = Account(run_id, turn.phase, turn.attempt, self._rules, self._ledger, self._clock)
        opened = OpenTurn(turn, account, self._prefix, self._last_words_seconds)
        await opened.begin(self._rules)
        run.turn = opened
        ended = False
        try:
            yield opened
            ended = True
        finally:
            run.turn = None
            await asyncio.shield(opened.end(at_once=not ended))

    async def close_run(self, run_id: UUID) -> None:
        """Stop listening for a run; its key is good for nothing afterwards. What another process opened for the run
        stays: a worker that lost its lease may come here late."""
        found = self._open.pop(run_id, None)
        if found is None:
            return
        await found.session.close()
        await found.runner.cleanup()
        await asyncio.to_thread(shutil.rmtree, found.folder, ignore_errors=True)

    async def close(self) -> None:
        """Stop listening for every run."""
        for run_id in tuple(self._open):
            await self.close_run(run_id)
