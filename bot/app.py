"""The web process: one aiohttp application with one HTTP session, one queue and one database.

GET  /healthz   200 while the process lives
GET  /readyz    200 when database and Redis answer, else 503 naming what is down
POST /webhooks/github
GET  /runs, /runs/{run_id}, /runs/{run_id}/artifacts/{artifact_id}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from bot.draining import DrainedTasks
from bot.github.errors import GitHubError
from bot.pages.views import Pages
from bot.parts import WEB_PACE, bot_parts
from bot.queue import QueueUnavailable, RunQueue
from bot.relevance import Relevance
from bot.settings import Settings
from bot.webhook import WebhookDoor
from db.deliveries import get_delivery
from db.migrate import require_current
from db.runs import database_now, runs_of_issue
from db.session import Database

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 25.0
"""How long a stopping process waits for deliveries it already answered."""

_PROBE_SECONDS = 3.0
_GITHUB_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)

_HEADERS = {
    "Server": "speckit-bot",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}
_STRICTEST_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _WebProcess:
    """The parts of one process, and the order in which they come up and go down."""

    def __init__(self, settings: Settings, database: Database, queue: RunQueue) -> None:
        self.settings = settings
        self.database = database
        self.queue = queue
        self.tasks = DrainedTasks()
        self.pages = Pages(settings, database)
        self._slug: str | None = None
        self._door: WebhookDoor | None = None

    async def life(self, app: web.Application) -> AsyncIterator[None]:
        """Everything that has to be opened before the first request and closed after the last."""
        await require_current(self.settings.database_url)
        await self._warm_up()
        async with aiohttp.ClientSession(timeout=_GITHUB_TIMEOUT) as http:
            parts = bot_parts(self.settings, self.database, http, self.queue, pace=WEB_PACE)
            self._door = WebhookDoor(
                secret=self.settings.github_webhook_secret.get_secret_value(),
                relevance=Relevance(self.settings.command_prefix, self.settings.github_app_id, lambda: self._slug),
                database=self.database,
                intake=parts.intake,
                tasks=self.tasks,
            )
            learning = asyncio.create_task(self._learn_name(parts.github.app_slug), name="learn the App's name")
            yield
            learning.cancel()
            await self.tasks.drain(DRAIN_SECONDS)
            await parts.reporter.close()
        await self.queue.close()

    async def _learn_name(self, ask: Callable[[], Awaitable[str]]) -> None:
        """Only once it is known what people call the App, can they call it by its name."""
        pause = 1.0
        while self._slug is None:
            try:
                self._slug = await ask()
            except GitHubError as error:
                logger.warning("app_name_unknown", extra={"reason": str(error)})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 300.0)

    async def webhook(self, request: web.Request) -> web.StreamResponse:
        """POST /webhooks/github."""
        if self._door is None:
            raise web.HTTPServiceUnavailable
        return await self._door.receive(request)

    async def alive(self, request: web.Request) -> web.StreamResponse:
        """GET /healthz."""
        return web.json_response({"status": "alive"})

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """GET /readyz."""
        database, redis = await asyncio.gather(self._database_answers(), self._redis_answers())
        down = [name for name, answers in (("database", database), ("redis", redis)) if not answers]
        if down:
            return web.json_response({"status": "not ready", "down": down}, status=503)
        return web.json_response({"status": "ready"})

    @web.middleware
    async def catch_all(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """No traceback and no framework page in a body; one 404 for everything that is not there."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return self.pages.not_found()
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:  # the last place: what arrives here is told to the log, and to nobody else
            logger.exception("request_broke", extra={"method": request.method, "path": request.path[:200]})
            return self.pages.broken()

    async def _warm_up(self) -> None:
        """The first question to the database costs some tenths of a second of thinking: not at GitHub's expense."""
        configure_mappers()
        async with self.database.transaction() as session:
            await get_delivery(session, "")
            await runs_of_issue(session, 0, 0)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS), self.database.transaction() as session:
                await database_now(session)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("database_down", extra={"reason": type(error).__name__})
            return False
        return True

    async def _redis_answers(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self.queue.ping()
        except (QueueUnavailable, TimeoutError) as error:
            logger.warning("redis_down", extra={"reason": str(error) or "timeout"})
            return False
        return True


def create_app(settings: Settings, *, database: Database, redis_url: str) -> web.Application:
    """The web process as an application.

    ``database`` is opened and closed by the caller; ``redis_url`` is ``redis://``, ``rediss://`` or ``unix://`` and
    need not answer yet. At the start it raises ``db.errors.SchemaOutdated`` when the database was not migrated.
    """
    process = _WebProcess(settings, database, RunQueue(redis_url))
    app = web.Application(middlewares=[process.catch_all])
    app.cleanup_ctx.append(process.life)
    app.on_response_prepare.append(_add_headers)
    app.router.add_post("/webhooks/github", process.webhook)
    app.router.add_get("/healthz", process.alive)
    app.router.add_get("/readyz", process.ready)
    process.pages.add_routes(app.router)
    return app


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", _STRICTEST_POLICY)
