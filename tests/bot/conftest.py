"""A web process to send requests to, with a GitHub that only remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from bot.app import create_app
from bot.settings import Settings
from db.models import Delivery, SpecAutomationRun
from db.session import Database
from tests.bot.deliveries import SECRET, encoded, headers
from tests.bot.fake_repos import FakeRepos

Client = TestClient[web.Request, web.Application]


@pytest.fixture(scope="session")
def app_key() -> str:
    """An RSA key, PEM, as GitHub gives one to an App."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture
def given(app_key: str, database_url: str, tmp_path: Path) -> dict[str, object]:
    """The variables of a web process; a test may change them before it asks for ``web_process``."""
    return {
        "GITHUB_APP_ID": 12345,
        "GITHUB_APP_PRIVATE_KEY": app_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": database_url,
        "SPECKIT_DATA_DIR": tmp_path / "var",
    }


@dataclass
class WebProcess:
    """The process, its database, and what it told GitHub."""

    client: Client
    database: Database
    github: FakeRepos
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
            settings = Settings.model_validate({**given, **variables})
            github = FakeRepos()
            app = create_app(settings, database=database, redis_url=redis, github=github)
            client = await started.enter_async_context(TestClient(TestServer(app)))
            return WebProcess(client, database, github, settings)

        yield start


@pytest.fixture
async def web_process(start_web: StartWeb) -> WebProcess:
    """A web process with the usual settings."""
    return await start_web()
