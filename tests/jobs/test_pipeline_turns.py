"""Whose turn it is: a job is a doorbell, limits and branches are respected, and an end wakes whoever waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from db.models import SpecAutomationRun
from db.runs import claim
from db.session import Database
from db.turns import Limits
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs import pipeline
from tests.jobs.fakes import waits
from tests.jobs.rig import Rig

UNTIL = {"until_phase": Phase.SPECKIT_SPECIFY}


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


class Bell:
    """Who was woken."""

    def __init__(self) -> None:
        self.rung: list[tuple[UUID, int]] = []

    async def __call__(self, run_id: UUID, epoch: int) -> None:
        self.rung.append((run_id, epoch))


async def ordered(rig: Rig, run_ids: list[UUID]) -> None:
    """As if each had been asked for a second after the one before it, long ago."""
    for place, run_id in enumerate(run_ids):
        run = await rig.run(run_id)
        async with rig.database.transaction() as session:
            await session.execute(
                update(SpecAutomationRun)
                .where(SpecAutomationRun.run_id == run_id)
                .values(created_at=run.created_at - timedelta(seconds=60 - place))
            )


async def statuses(rig: Rig, run_ids: list[UUID]) -> list[RunStatus]:
    return [(await rig.run(run_id)).status for run_id in run_ids]


# Whose turn it is


async def test_a_worker_takes_the_run_whose_turn_it_is(rig: Rig) -> None:
    run_ids = [await rig.open(**UNTIL) for _ in range(2)]
    await ordered(rig, run_ids)
    await rig.pipeline().run(run_ids[1])
    assert await statuses(rig, run_ids) == [RunStatus.SUCCEEDED, RunStatus.QUEUED]


async def test_a_run_that_was_begun_is_the_one_that_is_meant(rig: Rig) -> None:
    begun, older = await rig.open(**UNTIL), await rig.open(**UNTIL)
    await rig.worker_dies(begun, "agent:speckit_specify")
    await ordered(rig, [older])
    await rig.pipeline().run(begun)
    assert await statuses(rig, [begun, older]) == [RunStatus.SUCCEEDED, RunStatus.QUEUED]


async def test_one_writer_for_a_branch(rig: Rig) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    rig.world.at["agent:speckit_specify"].append(hold)
    first, second = [await rig.open(writer_key="issue:3", **UNTIL) for _ in range(2)]
    other = await rig.open(**UNTIL)
    await ordered(rig, [first, second, other])
    bell = Bell()
    work = asyncio.create_task(rig.pipeline(wake_next=bell).run(first))
    await asyncio.wait_for(reached.wait(), 20)
    await rig.pipeline().run(second)
    assert await statuses(rig, [first, second, other]) == [
        RunStatus.IN_PROGRESS,
        RunStatus.QUEUED,
        RunStatus.SUCCEEDED,
    ]
    assert await rig.pipeline().take(second) is None
    go_on.set()
    await asyncio.wait_for(work, 20)
    assert bell.rung == [(second, 1)], "the end of the first is the turn of the second"
    await rig.pipeline().run(second)
    run = await rig.run(second)
    assert run.base_sha == (await rig.run(first)).head_sha, "it goes on where the first one ended"


@pytest.mark.parametrize(
    ("limits", "difference"),
    [
        (Limits(installation=1), {"repository_id": 2, "requested_by_id": 5}),
        (Limits(repository=1), {"installation_id": 8, "requested_by_id": 5}),
        (Limits(person=1), {"installation_id": 8}),
    ],
    ids=["installation", "repository", "person"],
)
async def test_no_more_at_once_than_the_limits_allow(rig: Rig, limits: Limits, difference: dict[str, Any]) -> None:
    reached = asyncio.Event()
    rig.world.at["agent:speckit_specify"].append(waits(reached))
    held, waiting = await rig.open(**UNTIL), await rig.open(**UNTIL, **difference)
    free = await rig.open(**UNTIL, repository_id=3, installation_id=9, requested_by_id=6)
    await ordered(rig, [held, waiting, free])
    work = asyncio.create_task(rig.pipeline(limits=limits).run(held))
    await asyncio.wait_for(reached.wait(), 20)
    await rig.pipeline(limits=limits).run(waiting)
    assert await statuses(rig, [waiting, free]) == [RunStatus.QUEUED, RunStatus.SUCCEEDED]
    work.cancel()
    await asyncio.wait({work}, timeout=30)


async def test_a_repository_may_ask_for_less(rig: Rig) -> None:
    held, waiting = await rig.open(**UNTIL), await rig.open(**UNTIL, most_in_repository=1)
    async with rig.database.transaction() as session:
        assert await claim(session, held, "a worker", 45)
    assert await rig.pipeline().take(waiting) is None


# An end wakes the next


async def test_an_end_wakes_all_whose_turn_it_is(rig: Rig) -> None:
    left = await rig.open(**UNTIL, requested_by_id=99, repository_id=99)
    await rig.worker_dies(left, "clone")
    ended = await rig.open(**UNTIL)
    await ordered(rig, [ended])
    others = [await rig.open(**UNTIL, requested_by_id=number, repository_id=number) for number in range(100, 103)]
    bell = Bell()
    await rig.pipeline(wake_next=bell).run(ended)
    epoch = (await rig.run(left)).lease_epoch
    assert dict(bell.rung) == {left: epoch + 1, **dict.fromkeys(others, 1)}


async def test_a_failed_run_wakes_the_next_too(rig: Rig) -> None:
    first, second = [await rig.open(writer_key="issue:3", requested_agent="gone") for _ in range(2)]
    await ordered(rig, [first, second])
    bell = Bell()
    await rig.pipeline(wake_next=bell).run(first)
    assert (await rig.run(first)).status is RunStatus.FAILED
    assert bell.rung == [(second, 1)]


async def test_no_more_are_woken_at_once_than_one_round_may(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MOST_WOKEN", 2)
    ended = await rig.open(**UNTIL)
    await ordered(rig, [ended])
    for number in range(100, 104):
        await rig.open(**UNTIL, requested_by_id=number, repository_id=number)
    bell = Bell()
    await rig.pipeline(wake_next=bell).run(ended)
    assert len(bell.rung) == 2


async def test_a_database_that_is_away_at_the_end_costs_no_run(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: object, **named: object) -> list[tuple[UUID, int]]:
        raise OperationalError("asking", None, Exception("the database is away"))

    monkeypatch.setattr(pipeline, "runs_to_wake", away)
    bell = Bell()
    run_id = await rig.open(**UNTIL)
    await rig.pipeline(wake_next=bell).run(run_id)
    assert (await rig.run(run_id)).status is RunStatus.SUCCEEDED
    assert bell.rung == []


async def test_nobody_is_woken_by_a_job_that_found_nothing(rig: Rig) -> None:
    held, waiting = [await rig.open(writer_key="issue:3") for _ in range(2)]
    async with rig.database.transaction() as session:
        assert await claim(session, held, "a worker", 45)
    bell = Bell()
    await rig.pipeline(wake_next=bell).run(waiting)
    assert bell.rung == []


# What the repository's configuration asks for, within what the operator allows


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (60, 60),
        (600, 600),
        (601, 600),
        (10**9, 600),
        (0, 600),
        (-5, 600),
        (None, 600),
        ("60", 600),
        (True, 600),
        (60.5, 600),
    ],
)
async def test_the_time_of_a_run(sqlite_rig: Rig, asked: object, seconds: int) -> None:
    run_id = await sqlite_rig.open(arguments={"run_timeout": asked}, **UNTIL)
    await sqlite_rig.pipeline(run_timeout=600).run(run_id)
    run = await sqlite_rig.run(run_id)
    assert run.started_at is not None
    assert run.deadline_at is not None
    assert abs((run.deadline_at - run.started_at).total_seconds() - seconds) < 1


async def test_a_run_ends_at_the_time_that_the_repository_asked_for(sqlite_rig: Rig) -> None:
    reached = asyncio.Event()
    sqlite_rig.world.at["agent:speckit_specify"].append(waits(reached))
    run_id = await sqlite_rig.open(arguments={"run_timeout": 30}, **UNTIL)
    work = asyncio.create_task(sqlite_rig.pipeline(run_timeout=3600).run(run_id))
    await asyncio.wait_for(reached.wait(), 20)
    sqlite_rig.clock.ahead += 31
    await asyncio.wait_for(work, 20)
    assert (await sqlite_rig.run(run_id)).error_code == ErrorCode.RUN_TIMED_OUT


@pytest.mark.parametrize(
    ("asked", "days"), [(14, 14), (7, 7), (1, 7), (-3, 7), (30, 30), (365, 30), (None, 30), ("14", 30), (True, 30)]
)
async def test_how_long_a_run_is_kept(sqlite_rig: Rig, asked: object, days: int) -> None:
    run_id = await sqlite_rig.open(arguments={"retention_days": asked}, **UNTIL)
    await sqlite_rig.pipeline(retention_days=30).run(run_id)
    run = await sqlite_rig.run(run_id)
    assert run.completed_at is not None
    kept = {round((one.expires_at - run.completed_at).total_seconds() / 86_400, 2) for one in run.artifacts}
    assert kept == {days}
