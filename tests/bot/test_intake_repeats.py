"""Whatever breaks on the way: the delivery is finished later, and nothing of it happens twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from redis import asyncio as redis_asyncio
from sqlalchemy import update

from bot.configuration.source import ConfigurationSource
from bot.intake import UNHANDLED_AFTER_SECONDS, IntakeService, drain_unhandled
from db.base import Base
from db.deliveries import get_delivery, next_unhandled
from db.leases import claim
from db.records import Delivery
from db.vocabulary import DeliveryOutcome, Phase, RunStatus
from tests.bot.deliveries import labeled_payload, review_comment_payload
from tests.bot.example_runs import QUESTIONS
from tests.bot.fake_repos import Fuse, PowerCut
from tests.bot.intake_door import Door
from tests.db.rows import record_delivery

READS = ["permission_of", "app_slug", "file", "org_file"]


# GitHub is away


@pytest.mark.parametrize("verb", [*READS, "comment"])
async def test_while_github_is_away_the_delivery_waits_and_is_not_lost(door: Door, verb: str) -> None:
    delivery = await door.record("/speckit specify One\n/speckit help")
    door.github.fail(verb, transient=True)
    for _ in range(10):
        assert await door.as_sweeper(delivery) is None
    door.github.failing.clear()
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 1
    assert len(door.replies) == 1


@pytest.mark.parametrize("verb", READS)
async def test_without_knowing_who_may_nobody_may(door: Door, verb: str) -> None:
    door.github.fail(verb, transient=False)
    assert await door.say("/speckit specify One\n/speckit help", "boss") is DeliveryOutcome.FAILED
    assert await door.runs() == []
    assert door.github.comments == []


async def test_after_a_day_a_delivery_is_given_up(door: Door) -> None:
    delivery = await door.record("/speckit specify One")
    await door.age(timedelta(hours=25))
    door.github.fail("permission_of", transient=True)
    assert await door.intake.handle(delivery) is DeliveryOutcome.FAILED


async def test_a_run_does_not_wait_for_a_reaction(door: Door) -> None:
    await door.our_pull_request()
    for verb in ("react", "react_to_review_comment"):
        door.github.fail(verb, transient=True)
    assert await door.say("/speckit specify One") is DeliveryOutcome.ACCEPTED
    assert await door.say_on_a_line("/speckit refine x") is DeliveryOutcome.ACCEPTED
    assert len(await door.jobs()) == 1
    assert len(door.teller.told) == 1


async def test_a_label_is_taken_off_once_github_is_back(door: Door) -> None:
    delivery = await door.record_event("issues", labeled_payload())
    door.github.fail("remove_label", transient=True)
    assert await door.as_sweeper(delivery) is None
    door.github.failing.clear()
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
    assert door.github.labels_removed == [(7, "speckit:specify")]
    assert len(await door.runs()) == 1


# The same twice


@pytest.mark.parametrize("thread", [False, True], ids=["conversation", "thread"])
async def test_a_reply_whose_answer_was_lost_is_not_posted_twice(door: Door, thread: bool) -> None:
    if thread:
        delivery = await door.record_event("pull_request_review_comment", review_comment_payload("/speckit help"))
        door.github.loses_answer_of = "reply_to_review_comment"
    else:
        delivery = await door.record("/speckit help")
        door.github.loses_answer_of = "comment"
    assert await door.intake.handle(delivery, first_try=True) is None
    assert await door.as_sweeper(delivery) is DeliveryOutcome.ANSWERED
    assert len(door.github.replies) + len(door.replies) == 1


async def test_what_was_handled_is_not_handled_again(door: Door) -> None:
    delivery = await door.record("/speckit specify One\n/speckit help")
    assert await door.intake.handle(delivery) is DeliveryOutcome.ACCEPTED
    assert await door.intake.handle(delivery) is None
    assert await door.intake.handle("unknown") is None
    assert len(await door.runs()) == 1
    assert len(door.replies) == 1


async def test_the_first_try_of_a_reply_looks_for_none(door: Door) -> None:
    await door.say("/speckit help")
    assert door.github.calls("find_comment") == 0


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


async def test_a_run_that_ended_meanwhile_is_not_opened_again(door: Door) -> None:
    delivery = await door.record("/speckit specify One")
    await door.intake.handle(delivery)
    await door.end((await door.only_run()).run_id)
    assert await door.again(delivery) is DeliveryOutcome.ACCEPTED
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


# The process dies


class DyingQueue:
    """The queue of a process that dies."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def enqueue_run(self, run_id: UUID, epoch: int) -> bool:
        self._door.github.fuse.step()
        enqueued = await self._door.queue.enqueue_run(run_id, epoch)
        self._door.github.fuse.step()
        return enqueued


async def several(door: Door) -> str:
    return await door.record("/speckit specify One\n/speckit specify Two\n/speckit help", comment__id=9)


async def answers(door: Door) -> str:
    await door.ask_questions(await door.our_pull_request())
    return await door.record(f"> {QUESTIONS[0]['text']}\n\n1A 2A 3: me", on_pull=True, comment__id=9)


async def retries(door: Door) -> str:
    await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE)
    return await door.record("/speckit retry\n/speckit help", comment__id=9)


async def labelled(door: Door) -> str:
    return await door.record_event("issues", labeled_payload())


async def on_a_line(door: Door) -> str:
    await door.our_pull_request()
    body = "/speckit refine Say which\n/speckit help"
    return await door.record_event("pull_request_review_comment", review_comment_payload(body, comment__id=9))


Story = Callable[[Door], Awaitable[str]]


async def left_behind(door: Door) -> tuple[object, ...]:
    """What there is in the end, whatever happened on the way."""
    runs = await door.runs()
    wanted = [(run.verb, run.requested_spec_input, run.arguments.get("answers"), run.status) for run in runs]
    place = {str(run.run_id): number for number, run in enumerate(runs)}
    jobs = sorted(place[job.split(":")[1]] for job in await door.jobs())
    github = door.github
    said = (len(github.comments), len(github.replies), set(github.reactions), set(github.review_reactions))
    return wanted, jobs, said, set(github.labels_removed), len(set(door.teller.told))


async def anew(door: Door) -> Door:
    """The world as it was before anything happened."""
    async with door.database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            await session.execute(table.delete())
    async with redis_asyncio.Redis(unix_socket_path=door.redis_url.removeprefix("unix://")) as redis:
        await redis.flushall()
    return Door(door.settings, door.database, door.redis_url)


@pytest.mark.parametrize("story", [several, answers, retries, labelled, on_a_line], ids=lambda story: story.__name__)
async def test_wherever_the_process_dies_the_next_one_finishes_and_repeats_nothing(door: Door, story: Story) -> None:
    assert await door.intake.handle(await story(door)) is DeliveryOutcome.ACCEPTED
    wanted = await left_behind(door)
    steps = 0
    while True:
        world = await anew(door)
        delivery = await story(world)
        world.github.fuse = Fuse(steps)
        dying = IntakeService(
            world.settings,
            world.database,
            world.github,
            DyingQueue(world),
            ConfigurationSource(world.github, world.settings),
            world.teller,
        )
        with suppress(PowerCut):
            await dying.handle(delivery, first_try=True)
            await world.queue.close()
            break
        world.github.fuse = Fuse()
        assert await world.as_sweeper(delivery) is DeliveryOutcome.ACCEPTED
        assert await left_behind(world) == wanted, f"died at step {steps}"
        await world.queue.close()
        steps += 1
    assert steps >= len(READS) + 3, "it died before and after everything that leaves the process"
