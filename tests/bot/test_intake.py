"""From a recorded delivery to a run, a reply, or silence; whatever breaks on the way, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import pytest
from redis import asyncio as redis_asyncio
from sqlalchemy import select, update

from bot.commands.parser import parse
from bot.events import CommentPosted, event_to_json, parse_event
from bot.intake import UNHANDLED_AFTER_SECONDS, IntakeService, drain_unhandled
from bot.queue import QueueUnavailable, RunQueue
from bot.settings import Settings
from db.deliveries import get_delivery, next_unhandled
from db.leases import claim
from db.models import Delivery, SpecAutomationRun
from db.run_queries import runs_of_issue, runs_to_clean, runs_to_report
from db.session import Database
from db.vocabulary import DeliveryOutcome, ErrorCode, Phase, RunStatus
from tests.bot.deliveries import comment_payload
from tests.bot.fake_repos import FakeRepo, FakeRepos
from tests.db.rows import record_delivery


class Door:
    """Records deliveries and hands them to intake."""

    def __init__(self, settings: Settings, database: Database, redis_url: str) -> None:
        self.database = database
        self.github = FakeRepos(roles={"mona": "write", "reader": "read", "triager": "triage"})
        self.redis_url = redis_url
        self.queue = RunQueue(redis_url)
        self.settings = settings
        self.intake = IntakeService(settings, database, self.github, self.queue)
        self._count = 0

    async def record(self, body: str, author: str = "mona", **paths: object) -> str:
        """A delivery that was recorded and not handled; returns its id."""
        payload = comment_payload(body, comment__user__login=author, sender__login=author, **paths)
        event = parse_event("issue_comment", payload)
        assert isinstance(event, CommentPosted)
        self._count += 1
        delivery = f"d-{self._count}"
        async with self.database.transaction() as session:
            kept = event_to_json(event)
            assert await record_delivery(session, delivery, event.said_key, kept)
        return delivery

    async def say(self, body: str, author: str = "mona", **paths: object) -> DeliveryOutcome | None:
        """Somebody comments, and the delivery is handled."""
        return await self.intake.handle(await self.record(body, author, **paths))

    async def as_sweeper(self, delivery: str) -> DeliveryOutcome | None:
        """What the sweeper does with a delivery that lies about."""
        async with self.database.transaction() as session:
            handed_out = await next_unhandled(session, -1)
        assert handed_out is None or handed_out.delivery_id == delivery
        return await self.intake.handle(delivery)

    async def age(self, by: timedelta) -> None:
        """Let the deliveries so far have arrived earlier."""
        async with self.database.transaction() as session:
            for delivery in await session.scalars(select(Delivery)):
                delivery.received_at -= by

    async def runs(self) -> Sequence[SpecAutomationRun]:
        async with self.database.transaction() as session:
            return (await session.scalars(select(SpecAutomationRun).order_by(SpecAutomationRun.command_key))).all()

    async def only_run(self) -> SpecAutomationRun:
        (run,) = await self.runs()
        return run

    async def jobs(self) -> list[str]:
        """The ids that wait in Redis."""
        socket = self.redis_url.removeprefix("unix://")
        async with redis_asyncio.Redis(unix_socket_path=socket, decode_responses=True) as redis:
            waiting = await redis.zrange("arq:queue", 0, -1)
        return sorted(str(job) for job in waiting)

    @property
    def replies(self) -> list[str]:
        return [body for _, body in self.github.comments]


@pytest.fixture
async def door(given: dict[str, object], database: Database, redis_url: str) -> AsyncIterator[Door]:
    settings = Settings.model_validate({**given, "SPECKIT_PUBLIC_URL": "https://speckit.example"})
    opened = Door(settings, database, redis_url)
    yield opened
    await opened.queue.close()


# What is asked for


async def test_specify_opens_a_run_wakes_a_worker_and_looks(door: Door) -> None:
    body = "/speckit specify --base dev --until plan --dry-run Pay by invoice.\n\nNet 30."
    assert await door.say(body, comment__id=77) is DeliveryOutcome.ACCEPTED
    run = await door.only_run()
    assert run.status is RunStatus.QUEUED
    assert run.requested_spec_input == "Pay by invoice.\n\nNet 30."
    assert (run.base_branch, run.until_phase, run.dry_run) == ("dev", Phase.SPECKIT_PLAN, True)
    assert (run.repository, run.issue_number, run.requested_by, run.comment_id) == ("acme/shop", 7, "mona", 77)
    assert run.command_key == "4711:77:0"
    assert await door.jobs() == [f"run:{run.run_id}:1"]
    assert door.github.reactions == [(77, "eyes")]
    assert door.replies == []


async def test_the_job_is_json_and_holds_nothing_but_the_id(door: Door) -> None:
    await door.say("/speckit specify secret words")
    run = await door.only_run()
    async with redis_asyncio.Redis(unix_socket_path=door.redis_url.removeprefix("unix://")) as redis:
        raw = await redis.get(f"arq:job:run:{run.run_id}:1")
        lives = await redis.pttl(f"arq:job:run:{run.run_id}:1")
    job = json.loads(raw)
    assert (job["f"], job["a"], job["k"]) == ("run_pipeline", [str(run.run_id)], {})
    assert lives > timedelta(days=6).total_seconds() * 1000


async def test_several_commands_run_in_order_and_get_one_reply(door: Door) -> None:
    body = "/speckit specify One\n/speckit help\n/speckit specify Two\n/speckit status\n/speckit help"
    assert await door.say(body, comment__id=5) is DeliveryOutcome.ACCEPTED
    assert [(run.command_key, run.requested_spec_input) for run in await door.runs()] == [
        ("4711:5:0", "One"),
        ("4711:5:2", "Two"),
    ]
    (reply,) = door.replies
    assert reply.count("<!-- speckit-bot:reply=") == 1
    assert reply.count("Write a specification") == 1
    assert len(door.github.reactions) == 1


async def test_a_reader_may_ask(door: Door) -> None:
    assert await door.say("/speckit help", "reader") is DeliveryOutcome.ANSWERED
    assert await door.say("/speckit status", "triager") is DeliveryOutcome.ANSWERED
    assert len(door.replies) == 2
    assert await door.runs() == []


@pytest.mark.parametrize("author", ["reader", "triager", "stranger"])
async def test_who_may_not_start_a_run_is_told_once(door: Door, author: str) -> None:
    body = "/speckit specify Invoices\n/speckit specify More"
    assert await door.say(body, author) is DeliveryOutcome.REFUSED
    assert await door.runs() == []
    assert await door.jobs() == []
    (reply,) = door.replies
    assert "write" in reply
    assert reply.count("specify") == 1
    assert door.github.reactions == []


@pytest.mark.parametrize("body", ["/speckit help", "/speckit status", "/speckit spezify x", "/speckit"])
async def test_a_stranger_who_only_looks_around_gets_silence(door: Door, body: str) -> None:
    assert await door.say(body, "stranger") is DeliveryOutcome.IGNORED
    assert door.github.comments == []
    assert door.github.reactions == []


async def test_a_mistake_is_explained_to_whoever_may_give_the_command(door: Door) -> None:
    assert await door.say("/speckit spezify Invoices") is DeliveryOutcome.REFUSED
    assert await door.say("/speckit specify") is DeliveryOutcome.REFUSED
    assert await door.say("/speckit") is DeliveryOutcome.REFUSED
    first, second, _ = door.replies
    assert "specify" in first
    assert "specify" in second
    assert await door.runs() == []


async def test_an_agent_that_is_not_allowed_is_refused(door: Door) -> None:
    assert await door.say("/speckit specify --agent codex_cli Invoices") is DeliveryOutcome.REFUSED
    assert "template" in door.replies[0]
    assert await door.runs() == []


async def test_an_archived_repository_is_refused_and_a_closed_mouth_is_no_loop(door: Door) -> None:
    door.github.fail("comment", transient=False)
    outcome = await door.say("/speckit specify Invoices", repository__archived=True)
    assert outcome is DeliveryOutcome.REFUSED
    assert await door.runs() == []


async def test_a_flood_in_one_comment_is_bounded_and_said(door: Door) -> None:
    assert await door.say("/speckit specify More\n" * 500) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 10
    (reply,) = door.replies
    assert "500" in reply


async def test_no_reply_of_ours_is_a_command(door: Door) -> None:
    body = "/speckit help\n/speckit status\n/speckit cancel\n/speckit specify --foo x\n/speckit nope\n/speckit"
    await door.say(body)
    await door.say("/speckit specify x", "reader")
    for reply in door.replies:
        assert parse(reply, "/speckit") == []


# Cancel


async def test_cancel_stops_the_newest_run_that_is_alive(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    assert await door.say("/speckit cancel", comment__id=3) is DeliveryOutcome.ANSWERED
    one, two = await door.runs()
    assert one.cancel_requested_by is None
    assert two.cancel_requested_by == "mona"
    assert str(two.run_id)[:8] in door.replies[-1]


async def test_cancel_by_id_and_by_a_wrong_one(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    one, two = await door.runs()
    await door.say(f"/speckit cancel {str(one.run_id)[:8]}")
    await door.say("/speckit cancel 00000000")
    one, two = await door.runs()
    assert one.cancel_requested_by == "mona"
    assert two.cancel_requested_by is None
    assert len(door.replies) == 2


async def test_cancel_with_nothing_alive_says_so(door: Door) -> None:
    assert await door.say("/speckit cancel") is DeliveryOutcome.ANSWERED
    assert len(door.replies) == 1


async def test_a_cancel_that_is_handled_late_spares_what_was_asked_for_after_it(door: Door) -> None:
    late = await door.record("/speckit cancel", comment__id=10)
    await door.say("/speckit specify Asked for later", comment__id=11)
    await door.intake.handle(late)
    assert (await door.only_run()).cancel_requested_by is None


async def test_a_reader_cancels_nothing(door: Door) -> None:
    await door.say("/speckit specify One")
    assert await door.say("/speckit cancel", "reader") is DeliveryOutcome.REFUSED
    assert (await door.only_run()).cancel_requested_by is None


async def test_a_run_nobody_took_is_over_at_once(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit cancel", comment__id=2)
    run = await door.only_run()
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CANCELLED)
    assert run.result_summary == "Cancelled by mona before it began."
    assert (run.lease_owner, run.cleanup_succeeded, run.crash_count) == (None, True, 0)
    assert "had not begun" in door.replies[-1]
    async with door.database.transaction() as session:
        assert await claim(session, run.run_id, "worker", 45) is None
        assert await runs_to_report(session) == [run.run_id]
        assert await runs_to_clean(session) == []


async def test_a_run_a_worker_took_is_its_to_stop(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    async with door.database.transaction() as session:
        assert await claim(session, (await runs_of_issue(session, 1296269, 7))[0].run_id, "worker", 45)
    await door.say("/speckit cancel", comment__id=2)
    run = await door.only_run()
    assert (run.status, run.cancel_requested_by, run.lease_owner) == (RunStatus.QUEUED, "mona", "worker")
    assert "is being stopped" in door.replies[-1]


async def test_a_cancel_that_is_handled_twice_stops_one_run(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    door.github.fail("comment", transient=True)
    cancel = await door.record("/speckit cancel", comment__id=3)
    assert await door.intake.handle(cancel, first_try=True) is None
    door.github.failing.clear()
    assert await door.as_sweeper(cancel) is DeliveryOutcome.ANSWERED
    assert [run.status for run in await door.runs()] == [RunStatus.QUEUED, RunStatus.FAILED]


# Who may see


async def test_what_a_delivery_says_of_the_repository_goes_for_all_its_runs(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit status", "stranger", repository__private=True)
    assert (await door.only_run()).private
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await door.say("/speckit status", comment__created_at=old)
    assert (await door.only_run()).private, "what was said an hour ago opens nothing"
    await door.say("/speckit status")
    assert not (await door.only_run()).private


# When something is away


@pytest.mark.parametrize("verb", ["permission_of", "comment"])
async def test_while_github_is_away_the_delivery_waits_and_is_not_lost(door: Door, verb: str) -> None:
    delivery = await door.record("/speckit specify One\n/speckit help")
    door.github.fail(verb, transient=True)
    for _ in range(10):
        assert await door.as_sweeper(delivery) is None
    door.github.failing.clear()
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 1
    assert len(door.replies) == 1


async def test_after_a_day_a_delivery_is_given_up(door: Door) -> None:
    delivery = await door.record("/speckit specify One")
    await door.age(timedelta(hours=25))
    door.github.fail("permission_of", transient=True)
    assert await door.intake.handle(delivery) is DeliveryOutcome.FAILED


async def test_an_error_about_the_role_means_no(door: Door) -> None:
    door.github.fail("permission_of", transient=False)
    assert await door.say("/speckit specify One") is DeliveryOutcome.FAILED
    assert await door.runs() == []
    assert door.github.comments == []


async def test_a_run_does_not_wait_for_a_reaction(door: Door) -> None:
    door.github.fail("react", transient=True)
    assert await door.say("/speckit specify One") is DeliveryOutcome.ACCEPTED
    assert len(await door.jobs()) == 1


async def test_a_reply_whose_answer_was_lost_is_not_posted_twice(door: Door) -> None:
    delivery = await door.record("/speckit help")
    door.github.loses_answer_of_comment = True
    assert await door.intake.handle(delivery, first_try=True) is None
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ANSWERED
    assert len(door.replies) == 1


async def test_what_was_handled_is_not_handled_again(door: Door) -> None:
    delivery = await door.record("/speckit specify One\n/speckit help")
    assert await door.intake.handle(delivery) is DeliveryOutcome.ACCEPTED
    assert await door.intake.handle(delivery) is None
    assert await door.intake.handle("unknown") is None
    assert len(await door.runs()) == 1
    assert len(door.replies) == 1


async def test_the_web_process_leaves_to_the_sweeper_what_the_sweeper_took(door: Door) -> None:
    delivery = await door.record("/speckit help")
    async with door.database.transaction() as session:
        await next_unhandled(session, -1)
    assert await door.intake.handle(delivery, first_try=True) is None
    assert door.replies == []


async def test_a_run_that_a_worker_has_already_is_not_woken_again(door: Door) -> None:
    delivery = await door.record("/speckit specify One")
    await door.intake.handle(delivery)
    run = await door.only_run()
    async with door.database.transaction() as session:
        assert await claim(session, run.run_id, "worker", 45) is not None
        await session.execute(update(Delivery).values(handled_at=None, outcome=None))
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 1


async def test_the_sweeper_drains_what_is_old_and_leaves_what_is_new(door: Door) -> None:
    old = [await door.record("/speckit specify One"), await door.record("/speckit help")]
    await door.age(timedelta(seconds=UNHANDLED_AFTER_SECONDS + 1))
    new = await door.record("/speckit specify Two")
    assert await drain_unhandled(door.database, door.intake) == 2
    assert await drain_unhandled(door.database, door.intake) == 0
    async with door.database.transaction() as session:
        for delivery in old:
            row = await get_delivery(session, delivery)
            assert row is not None
            assert row.handled_at is not None
        waiting = await get_delivery(session, new)
        assert waiting is not None
        assert waiting.handled_at is None


async def test_a_delivery_that_cannot_be_read_ends_and_is_no_loop(door: Door) -> None:
    async with door.database.transaction() as session:
        await record_delivery(session, "bad", "key", {"from": "another version"})
    assert await door.intake.handle("bad") is DeliveryOutcome.FAILED


class PowerCut(BaseException):
    """The process dies."""


class Fuse:
    """Blows at the nth call that leaves the process."""

    def __init__(self, at: int) -> None:
        self._left = at

    def step(self) -> None:
        if self._left == 0:
            raise PowerCut
        self._left -= 1


class DyingRepo(FakeRepo):
    """Dies right before or right after it did something."""

    def __init__(self, memory: FakeRepos, fuse: Fuse) -> None:
        super().__init__(memory)
        self._fuse = fuse

    async def permission_of(self, login: str) -> str:
        self._fuse.step()
        return await super().permission_of(login)

    async def comment(self, issue_number: int, body: str) -> object:
        self._fuse.step()
        posted = await super().comment(issue_number, body)
        self._fuse.step()
        return posted

    async def react(self, comment_id: int, content: Literal["eyes"]) -> None:
        self._fuse.step()
        await super().react(comment_id, content)
        self._fuse.step()


class DyingWorld:
    """GitHub and the queue of a process that dies."""

    def __init__(self, door: Door, fuse: Fuse) -> None:
        self._door = door
        self._fuse = fuse

    def repo(self, installation_id: int, repository_id: int, slug: str) -> DyingRepo:
        return DyingRepo(self._door.github, self._fuse)

    async def enqueue_run(self, run_id: UUID, epoch: int) -> bool:
        self._fuse.step()
        enqueued = await self._door.queue.enqueue_run(run_id, epoch)
        self._fuse.step()
        return enqueued


@pytest.mark.parametrize("calls", range(9))
async def test_wherever_the_process_dies_the_next_one_finishes_and_repeats_nothing(door: Door, calls: int) -> None:
    delivery = await door.record("/speckit specify One\n/speckit specify Two\n/speckit help", comment__id=9)
    world = DyingWorld(door, Fuse(calls))
    with pytest.raises(PowerCut):
        await IntakeService(door.settings, door.database, world, world).handle(delivery, first_try=True)
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
    runs = await door.runs()
    assert [run.requested_spec_input for run in runs] == ["One", "Two"]
    assert await door.jobs() == sorted(f"run:{run.run_id}:1" for run in runs)
    assert len(door.replies) == 1
    assert set(door.github.reactions) == {(9, "eyes")}


async def test_the_queue_tells_when_it_is_away(tmp_path: object) -> None:
    queue = RunQueue(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(QueueUnavailable):
        await queue.enqueue_run(UUID(int=1), 1)
    await queue.close()
