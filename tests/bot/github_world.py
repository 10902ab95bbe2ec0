"""A GitHub server, a clock that only moves when somebody sleeps, and the client between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bot.github.app_auth import AppAuth
from bot.github.rate_gate import Timing
from bot.github.repo_client import GitHub, RepoClient
from tests.bot.github_server import APP_ID, GitHubServer

_KEY = generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE_KEY = _KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PUBLIC_KEY = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass
class Clock:
    """Seconds that pass by sleeping only; what was slept is remembered."""

    seconds: float = 1_795_000_000.0
    slept: list[float] = field(default_factory=list)
    held: asyncio.Event | None = None
    """Nobody's sleep ends before it is set."""

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.held is not None:
            await self.held.wait()
        self.seconds += seconds
        await asyncio.sleep(0)

    @property
    def timing(self) -> Timing:
        return Timing(wall=self.now, monotonic=self.now, sleep=self.sleep, jitter=lambda: 0.0)


@dataclass
class World:
    """Everything a test of the client needs."""

    server: GitHubServer
    clock: Clock
    http: aiohttp.ClientSession
    auth: AppAuth
    github: GitHub

    @property
    def repo(self) -> RepoClient:
        return self.github.repo(1, 2, "acme/shop")


@asynccontextmanager
async def github_world(timing: Timing | None = None) -> AsyncIterator[World]:
    """Start it; with ``timing`` the client lives in that time instead of the test's own clock."""
    clock = Clock()
    used = timing or clock.timing
    hub = GitHubServer(PUBLIC_KEY, used.wall)
    running = TestServer(hub.application())
    await running.start_server()
    hub.url = str(running.make_url("")).rstrip("/")
    async with aiohttp.ClientSession() as http:
        auth = AppAuth(http, app_id=APP_ID, private_key=PRIVATE_KEY, api_url=hub.url, timing=used)
        yield World(hub, clock, http, auth, GitHub(http, auth, hub.url, timing=used))
    await running.close()
