"""What GitHub could not hand over is asked for once more: all of it, once for each failure, and not for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.github.app_auth import AppAuth
from bot.github.app_deliveries import AppDeliveries, FailedAttempt
from bot.github.errors import Unavailable
from bot.redelivering import MOST_AT_ONCE, MOST_ATTEMPTS, Redelivery
from cli.manifest import manifest
from localhub import Issue, LocalHub
from tests.bot.github_world import PRIVATE_KEY, PUBLIC_KEY

NOW = datetime.now(UTC)


@dataclass
class Memory:
    """GitHub's list, as a test writes it, and what it was asked to send."""

    failed: list[FailedAttempt] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    is_away: bool = False

    async def failed_since(self, moment: datetime) -> Sequence[FailedAttempt]:
        if self.is_away:
            raise Unavailable("listing: away")
        return [attempt for attempt in self.failed if attempt.delivered_at > moment]

    async def deliver_again(self, attempt: FailedAttempt) -> None:
        self.again.append(f"{attempt.guid} {attempt.id}")


async def no_pause(_seconds: float) -> None:
    return


def attempt(number: int, guid: str = "a", *, days: float = 0) -> FailedAttempt:
    return FailedAttempt(number, guid, NOW - timedelta(days=days))


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def redelivery(memory: Memory) -> Redelivery:
    return Redelivery(memory, pause=no_pause)


async def test_each_failure_is_asked_for_once_the_oldest_first(memory: Memory, redelivery: Redelivery) -> None:
    memory.failed = [attempt(3, "b"), attempt(1, "a")]
    await redelivery.ask()
    await redelivery.ask()
    assert memory.again == ["a 1", "b 3"]


async def test_what_fails_again_is_asked_for_again_but_not_for_ever(memory: Memory, redelivery: Redelivery) -> None:
    for number in range(1, 10):
        memory.failed.insert(0, attempt(number))
        await redelivery.ask()
    assert memory.again == [f"a {number}" for number in range(1, MOST_ATTEMPTS)]


async def test_what_github_has_forgotten_is_left_alone(memory: Memory, redelivery: Redelivery) -> None:
    memory.failed = [attempt(1, days=3.1)]
    await redelivery.ask()
    assert memory.again == []


async def test_a_long_outage_is_made_good_in_pieces(memory: Memory, redelivery: Redelivery) -> None:
    memory.failed = [attempt(number, f"d{number}") for number in range(250, 0, -1)]
    await redelivery.ask()
    assert len(memory.again) == MOST_AT_ONCE
    await redelivery.ask()
    await redelivery.ask()
    assert memory.again == [f"d{number} {number}" for number in range(1, 251)]


async def test_github_being_away_is_no_error(memory: Memory, redelivery: Redelivery) -> None:
    memory.failed, memory.is_away = [attempt(1)], True
    await redelivery.ask()
    memory.is_away = False
    await redelivery.ask()
    assert memory.again == ["a 1"]


@dataclass
class Ear:
    """Somebody who takes webhooks, or not."""

    url: str = ""
    status: int = 202
    heard: list[str] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        if self.status == 202:
            self.heard.append((await request.json())["comment"]["body"])
        return web.Response(status=self.status)


@dataclass
class Town:
    hub: LocalHub
    issue: Issue
    ear: Ear
    deliveries: AppDeliveries


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    ear = Ear()
    app = web.Application()
    app.router.add_post("/", ear.hear)
    async with LocalHub(tmp_path / "hub") as hub, aiohttp.ClientSession() as http, TestServer(app) as server:
        hub.create_user("grace")
        shop = hub.create_repository("acme/shop", {"README.md": "# Shop\n"}, permissions={"grace": "write"})
        known = hub.register_app(
            "speckit-bot",
            manifest(),
            webhook_url=str(server.make_url("/")),
            webhook_secret="a secret of the webhook",
            public_key_pem=PUBLIC_KEY,
        )
        hub.install(known, [shop])
        auth = AppAuth(http, app_id=known.id, private_key=PRIVATE_KEY, api_url=hub.api_url)
        yield Town(hub, hub.create_issue(shop, "Wish", "", author="grace"), ear, AppDeliveries(auth))


async def test_nothing_said_while_nobody_listened_is_lost(town: Town) -> None:
    town.ear.status = 503
    for number in range(130):
        await town.hub.comment(town.issue, f"word {number}", author="grace")
        await town.hub.settle()
    town.ear.status = 202
    await town.hub.comment(town.issue, "heard at once", author="grace")
    await town.hub.settle()
    redelivery = Redelivery(town.deliveries, pause=no_pause)
    for _ in range(3):
        await redelivery.ask()
        await town.hub.settle()
    assert sorted(town.ear.heard) == sorted(["heard at once", *(f"word {number}" for number in range(130))])


@pytest.mark.parametrize("answer", [{"message": "Sorry"}, [{"id": 1}], [{"id": "x", "guid": "g", "delivered_at": "y"}]])
async def test_an_answer_that_is_no_list_of_deliveries_is_told(answer: object) -> None:
    async def broken(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/app/hook/deliveries", broken)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        auth = AppAuth(http, app_id=1, private_key=PRIVATE_KEY, api_url=str(server.make_url("")).rstrip("/"))
        with pytest.raises(Unavailable, match="listing the deliveries"):
            await AppDeliveries(auth).failed_since(NOW - timedelta(days=1))
