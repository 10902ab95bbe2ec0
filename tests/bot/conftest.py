"""A web process to send requests to, and the GitHub it talks to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import func, select

from bot.app import create_app
from bot.settings import Settings
from db.models import SpecAutomationRun
from db.records import Delivery
from db.session import Database
from tests.bot.deliveries import SECRET, encoded, headers
from tests.bot.github_server import APP_ID, GitHubServer
from tests.bot.github_world import PRIVATE_KEY, PUBLIC_KEY
from tests.bot.intake_door import Door

Client = TestClient[web.Request, web.Application]


@pytest.fixture(scope="session")
def app_key() -> str:
    """An RSA key, PEM, as GitHub gives one to an App."""
    return PRIVATE_KEY


@pytest.fixture
def given(app_key: str, database_url: str, tmp_path: Path) -> dict[str, object]:
    """The variables of a web process; a test may change them before it asks for ``web_process``."""
    return {
        "GITHUB_APP_ID": APP_ID,
        "GITHUB_APP_PRIVATE_KEY": app_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": database_url,
        "SPECKIT_DATA_DIR": tmp_path / "var",
    }


@dataclass
class WebProcess:
    """The process, its database, and its GitHub."""

    client: Client
    database: Database
    github: GitHubServer
    settings: Settings

    async def deliver(self, payload: dict[str, Any], event: str = "issue_comment", **changes: str | None) -> int:
        """POST a signed delivery; the status of the answer."""
        response = await self.post(encoded(payload), event, **changes)
        return response.status

    async def post(self, body: bytes, event: str = "issue_comment", **changes: str | None) -> ClientResponse:
        """POST a body with the headers of a delivery."""
        return await self.client.post("/webhooks/github", data=BytesIO(body), headers=headers(body, event, **changes))

    async def deliveries(self) -> int:
        """Rows in the table of deliveries."""
        return await self._count(Delivery)

    async def runs(self) -> int:
        """Rows in the table of runs."""
        return await self._count(SpecAutomationRun)

    async def _count(self, table: type[Delivery] | type[SpecAutomationRun]) -> int:
        async with self.database.transaction() as session:
            return await session.scalar(select(func.count()).select_from(table)) or 0


StartWeb = Callable[..., Awaitable[WebProcess]]


@pytest.fixture
async def start_web(given: dict[str, object], database: Database, redis_url: str) -> AsyncIterator[StartWeb]:
    """Start a web process: ``await start_web(redis=url, SPECKIT_PUBLIC_URL="https://x.example")``."""
    async with AsyncExitStack() as started:

        async def start(redis: str = redis_url, **variables: object) -> WebProcess:
            github = GitHubServer(PUBLIC_KEY, time.time)
            github.permissions["mona"] = ("write", "write")
            behind = await started.enter_async_context(TestServer(github.application()))
            github.url = str(behind.make_url("")).rstrip("/")
            settings = Settings.model_validate({**given, "GITHUB_API_URL": github.url, **variables})
            app = create_app(settings, database=database, redis_url=redis)
            client = await started.enter_async_context(TestClient(TestServer(app)))
            return WebProcess(client, database, github, settings)

        yield start


@pytest.fixture
async def web_process(start_web: StartWeb) -> WebProcess:
    """A web process with the usual settings."""
    return await start_web()


@pytest.fixture
async def door(given: dict[str, object], database: Database, redis_url: str) -> AsyncIterator[Door]:
    """Intake behind its door."""
    settings = Settings.model_validate({**given, "SPECKIT_PUBLIC_URL": "https://speckit.example"})
    opened = Door(settings, database, redis_url)
    yield opened
    await opened.queue.close()
