"""For the tests of the gateway: a model's endpoint on loopback, a run's open socket, and an agent's turn on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import aiohttp
from aiohttp import web

from db.runs import Lease
from db.vocabulary import Phase
from jobs.gateway import GatewayAccess, Turn

REAL_KEY = "sk-real-key-of-the-operator"
TURN = Turn(Phase.SPECKIT_PLAN, 1, "codex_cli", ["m", "mini"])


@dataclass
class Model:
    """A model's endpoint: keeps what it was asked, answers as a stream of ``pieces``, the rest after ``release``."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: Sequence[bytes] = (b"data: one\n\n", b"data: two\n\n")
    content_type: str = "text/event-stream"
    status: int = 200
    cut: bool = False
    at_once: int = 0
    most_at_once: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        if self.status != 200:
            headers = {"Location": "http://elsewhere.invalid/", "Retry-After": "7", "Set-Cookie": "a=b"}
            return web.json_response({"error": "x"}, status=self.status, headers=headers)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._stream(request)
        finally:
            self.at_once -= 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": self.content_type, "Set-Cookie": "a=b"})
        await response.prepare(request)
        await response.write(self.pieces[0])
        await self.release.wait()
        if self.cut and request.transport is not None:
            request.transport.abort()
            return response
        for piece in self.pieces[1:]:
            await response.write(piece)
        return response


@asynccontextmanager
async def served(model: Model) -> AsyncIterator[Model]:
    """Serve until the block ends."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", model.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield model
    finally:
        model.release.set()
        await runner.cleanup()


def lease(run_id: UUID | None = None, epoch: int = 1) -> Lease:
    return Lease(run_id=run_id or uuid4(), epoch=epoch, owner="test")


def client(access: GatewayAccess) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(access.folder / "socket")))


def key(access: GatewayAccess) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.key}"}


async def ask(access: GatewayAccess, body: bytes = b'{"model":"m"}', path: str = "/v1/responses") -> tuple[int, bytes]:
    """One request to its end: status and body."""
    async with client(access) as session, session.post(f"http://x{path}", data=body, headers=key(access)) as answer:
        return answer.status, await answer.read()
