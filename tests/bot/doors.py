"""The webhook's door alone, behind real HTTP: a real database, and in intake's place somebody who only listens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select

from bot.draining import DrainedTasks
from bot.relevance import Relevance
from bot.webhook import WebhookDoor
from db.records import Delivery
from db.session import Database
from tests.bot.deliveries import APP, SECRET, encoded, headers


@dataclass
class Listener:
    """It only hears what it is given."""

    heard: list[str] = field(default_factory=list)

    async def handle(self, delivery_id: str, *, first_try: bool = False) -> None:
        assert first_try
        self.heard.append(delivery_id)


@dataclass
class Door:
    """A door to send deliveries to."""

    client: TestClient[web.Request, web.Application]
    database: Database
    listener: Listener
    tasks: DrainedTasks

    async def deliver(self, payload: Mapping[str, Any], event: str = "issue_comment", **changes: str | None) -> int:
        """POST a signed delivery; the status of the answer."""
        return (await self.post(encoded(payload), event, **changes)).status

    async def post(self, body: bytes, event: str = "issue_comment", **changes: str | None) -> ClientResponse:
        """POST a body with the headers of a delivery."""
        return await self.client.post("/webhooks/github", data=BytesIO(body), headers=headers(body, event, **changes))

    async def rows(self) -> list[Delivery]:
        """The table of deliveries."""
        async with self.database.transaction() as session:
            return list(await session.scalars(select(Delivery)))

    async def deliveries(self) -> int:
        """How many rows it has."""
        return len(await self.rows())

    async def heard(self) -> list[str]:
        """What was handed on, once the door has come to rest. It takes nothing after that."""
        await self.tasks.drain(5)
        return self.listener.heard


@asynccontextmanager
async def open_door(database: Database) -> AsyncIterator[Door]:
    """Open it; ``GET /healthz`` answers as long as the process can."""
    listener, tasks = Listener(), DrainedTasks()
    relevance = Relevance("/speckit", int(str(APP["id"])), lambda: str(APP["slug"]))
    door = WebhookDoor(secret=SECRET, relevance=relevance, database=database, intake=listener, tasks=tasks)

    async def alive(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhooks/github", door.receive)
    app.router.add_get("/healthz", alive)
    async with TestClient(TestServer(app)) as client:
        yield Door(client, database, listener, tasks)
        await tasks.drain(5)
