"""The way from an agent to its model: a unix socket per run, a key that is good for that run only, and the few
paths that models are asked by.

The job container has no network. A forwarder in it hands the agent's requests to this socket; the gateway checks the
run's throw-away key, puts the operator's real key in its place and forwards to the model's endpoint, nothing else.
Metering and budgets will find their place in ``_forward``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp
from aiohttp import web

from db.runs import Lease
from jobs.model_apis import RULES, ModelCall, ModelEndpoint, call_of, key_presented

GATEWAY_PORT = 8377
"""Where the forwarder in the container listens, on the container's own loopback."""

PASSED_TO_AGENT = ("content-type", "retry-after", "x-request-id", "cache-control")
LARGEST_REQUEST = 32 << 20
CONNECT_SECONDS = 20
SILENCE_SECONDS = 600

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """What one run's job container gets: the folder to mount, and the key its agent presents."""

    folder: Path
    key: str


@dataclass(frozen=True, slots=True)
class _OpenRun:
    runner: web.AppRunner
    session: aiohttp.ClientSession
    folder: Path


class Gateway:
    """One per worker; ``endpoints`` are those the operator has a key for, one an API."""

    def __init__(self, endpoints: Sequence[ModelEndpoint]) -> None:
        self._endpoints = {endpoint.api: endpoint for endpoint in endpoints}
        self._open: dict[UUID, _OpenRun] = {}

    async def open_run(self, lease: Lease, root: Path) -> GatewayAccess:
        """Listen for one run. ``root`` is private to this user; a folder in it, which belongs to this epoch of the run
        only, is mounted into the container. What older epochs left goes.

        Raises OSError when the socket cannot be made.
        """
        await self.close_run(lease.run_id)
        key = f"speckit-run-{secrets.token_urlsafe(32)}"
        folder, listener = await asyncio.to_thread(_listen, root, lease)
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=LARGEST_REQUEST)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(request, key, session)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._open[lease.run_id] = _OpenRun(runner, session, folder)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        return GatewayAccess(folder, key)

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

    async def _handle(self, request: web.Request, key: str, session: aiohttp.ClientSession) -> web.StreamResponse:
        call = call_of(request.method, request.rel_url.raw_path)
        endpoint = self._endpoints.get(call.api) if call is not None else None
        if call is None or endpoint is None:
            return _error(404, "this gateway forwards what models are asked by, and nothing else")
        if not hmac.compare_digest(key_presented(request.headers).encode(), key.encode()):
            return _error(401, "this is not the key of this run")
        return await self._forward(request, session, call, endpoint)

    async def _forward(
        self, request: web.Request, session: aiohttp.ClientSession, call: ModelCall, endpoint: ModelEndpoint
    ) -> web.StreamResponse:
        rules = RULES[call.api]
        headers = {name: request.headers[name] for name in rules.passed if name in request.headers}
        headers[rules.key_header] = rules.key_prefix + endpoint.key
        headers["Accept-Encoding"] = "identity"
        body = await request.read()
        try:
            async with session.request(
                request.method,
                f"{endpoint.base_url.rstrip('/').removesuffix('/v1')}{call.path}{_query(request)}",
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                return await _stream(request, answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("model endpoint did not answer", extra={"error": type(error).__name__})
            return _error(502, "the model's endpoint did not answer")


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(
        status=answer.status,
        headers={name: answer.headers[name] for name in PASSED_TO_AGENT if name in answer.headers},
    )
    await response.prepare(request)
    # Once it has begun, the answer can only be cut: an agent must see a broken stream as broken.
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    except (aiohttp.ClientError, TimeoutError, ConnectionResetError):
        if request.transport is not None:
            request.transport.close()
        return response
    with contextlib.suppress(ConnectionResetError):
        await response.write_eof()
    return response


def _query(request: web.Request) -> str:
    """Gemini's one parameter; nothing else passes."""
    return "?alt=sse" if request.query.get("alt") == "sse" else ""


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "gateway"}}, status=status)


def _listen(root: Path, lease: Lease) -> tuple[Path, socket.socket]:
    """Make the run's folder and the socket in it. Who else is on this machine cannot reach it: ``root`` is closed to
    them; the container's user can, because the folder is mounted into the container by itself."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    short_id = lease.run_id.hex[:12]
    for left in root.glob(f"{short_id}-*"):
        if int(left.name.rpartition("-")[2]) <= lease.epoch:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{short_id}-{lease.epoch}"
    folder.mkdir()
    folder.chmod(0o711)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A socket's path may have about 100 bytes; through the folder's descriptor any folder will do.
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/socket")
        (folder / "socket").chmod(0o666)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(descriptor)
    listener.listen(64)
    listener.setblocking(False)
    return folder, listener
