"""What was lost, left behind or forgotten is found again, and what is somebody's is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from bot.github.app_deliveries import FailedAttempt
from bot.intake import IntakeService
from bot.queue import QueueUnavailable
from bot.redelivering import Redelivery
from db.deliveries import get_delivery
from db.models import AutomationArtifact, SpecAutomationRun
from db.records import Delivery
from db.runs import begin, claim, claim_finished, finish_run, note_report, release
from db.session import Database
from db.turns import Limits
from db.vocabulary import DeliveryOutcome, ErrorCode, Phase, RunStatus, TaskStatus
from jobs.errors import TransientError
from jobs.sweeper import Rhythm, Sweeper, SweptParts
from tests.db.rows import record_delivery
from tests.jobs.fakes import fails
from tests.jobs.rig import FAST, Rig


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


class Doorbell:
    """A queue that remembers what it was asked, and knows an id only once."""

    def __init__(self) -> None:
        self.known: list[tuple[UUID, int]] = []
        self.is_away = False

    async def enqueue_run(self, run_id: UUID, epoch: int) -> bool:
        if self.is_away:
            raise QueueUnavailable("asking Redis: refused")
        if (run_id, epoch) in self.known:
            return False
        self.known.append((run_id, epoch))
        return True


class Intake:
    def __init__(self) -> None:
        self.handled: list[str] = []

    async def handle(self, delivery_id: str, *, first_try: bool = False) -> DeliveryOutcome | None:
        self.handled.append(delivery_id)
        return None


class NothingMissed:
    async def failed_since(self, moment: datetime) -> Sequence[FailedAttempt]:
        return ()

    async def deliver_again(self, attempt: FailedAttempt) -> None:
        raise AssertionError("nothing was missed")


@pytest.fixture
def doorbell() -> Doorbell:
    return Doorbell()


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def sweeper(rig: Rig, doorbell: Doorbell, intake: Intake) -> Sweeper:
    return make_sweeper(rig, doorbell, intake, Limits())


def make_sweeper(rig: Rig, doorbell: Doorbell, intake: Intake, limits: Limits) -> Sweeper:
    parts = SweptParts(
        database=rig.database,
        queue=doorbell,
        intake=cast(IntakeService, intake),
        redelivery=Redelivery(NothingMissed()),
        reporter=rig.reporter,
        engine=rig.containers,
        clock=rig.clock,
        artifact_root=rig.root,
        owner="sweeper",
        limits=limits,
    )
    return Sweeper(parts, Rhythm(urgent=0.05, tidy=0.05), FAST)


async def age(rig: Rig, run_id: UUID, seconds: int = 60) -> None:
    async with rig.database.transaction() as session:
        await session.execute(
            update(SpecAutomationRun)
            .where(SpecAutomationRun.run_id == run_id)
            .values(created_at=datetime.now(UTC) - timedelta(seconds=seconds))
        )


# Lost runs


async def test_a_run_that_is_not_in_redis_is_enqueued(rig: Rig, sweeper: Sweeper, doorbell: Doorbell) -> None:
    lost, fresh = await rig.open(), await rig.open()
    await age(rig, lost)
    await sweeper.wake_runs()
    await sweeper.wake_runs()
    assert doorbell.known == [(lost, 1)]
    assert fresh not in dict(doorbell.known)


async def test_a_dead_workers_run_is_enqueued_under_its_next_epoch(
    rig: Rig, sweeper: Sweeper, doorbell: Doorbell
) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "agent:speckit_plan")
    epoch = (await rig.run(run_id)).lease_epoch
    await sweeper.wake_runs()
    assert doorbell.known == [(run_id, epoch + 1)]


async def test_a_run_somebody_works_on_is_not_enqueued(rig: Rig, sweeper: Sweeper, doorbell: Doorbell) -> None:
    run_id = await rig.open()
    await age(rig, run_id)
    async with rig.database.transaction() as session:
        assert await claim(session, run_id, "a worker", 45)
    await sweeper.wake_runs()
    assert doorbell.known == []


async def test_it_goes_on_while_redis_is_away(rig: Rig, sweeper: Sweeper, doorbell: Doorbell) -> None:
    run_id = await rig.open()
    await age(rig, run_id)
    doorbell.is_away = True
    sweeping = asyncio.create_task(sweeper.run())
    await asyncio.sleep(0.2)
    assert not sweeping.done()
    doorbell.is_away = False
    async with asyncio.timeout(30):
        while not doorbell.known:
            await asyncio.sleep(0.02)
    sweeping.cancel()
    await asyncio.wait({sweeping})
    assert sweeping.cancelled()


# Runs that wait for their turn


async def test_waiting_runs_are_told_their_place(rig: Rig, sweeper: Sweeper) -> None:
    long, fresh, held, over = [await rig.open() for _ in range(4)]
    for run_id in (long, held, over):
        await age(rig, run_id)
    async with rig.database.transaction() as session:
        assert await claim(session, held, "a worker", 45)
        lease = await claim(session, over, "a worker", 45)
        assert lease is not None
        await begin(session, lease, "tests", datetime.now(UTC) + timedelta(hours=1))
        await finish_run(session, lease, RunStatus.FAILED, "It ended.")
    await sweeper.tell_waiting()
    assert rig.world.waits_told == [long]
    assert fresh not in rig.world.waits_told


async def test_a_run_in_progress_that_nobody_holds_is_not_waiting(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await rig.open()
    await age(rig, run_id)
    await rig.worker_dies(run_id, "clone")
    await sweeper.tell_waiting()
    assert rig.world.waits_told == []


async def test_only_so_many_are_told_in_one_round(rig: Rig, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.sweeper.MOST_TOLD", 2)
    run_ids = [await rig.open() for _ in range(3)]
    for place, run_id in enumerate(run_ids):
        await age(rig, run_id, 600 - place)
    await sweeper.tell_waiting()
    assert rig.world.waits_told == run_ids[:2]


async def test_a_place_that_cannot_be_told_is_told_in_the_next_round(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await rig.open()
    await age(rig, run_id)
    rig.world.at["waiting"].append(fails(RuntimeError("a bug")))
    sweeping = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(20):
        while not rig.world.waits_told:
            await asyncio.sleep(0.02)
    sweeping.cancel()
    await asyncio.wait({sweeping})
    assert set(rig.world.waits_told) == {run_id}


async def test_what_a_limit_holds_back_is_not_enqueued(rig: Rig, doorbell: Doorbell, intake: Intake) -> None:
    begun, waiting = [await rig.open(writer_key="issue:3") for _ in range(2)]
    for run_id in (begun, waiting):
        await age(rig, run_id)
    async with rig.database.transaction() as session:
        assert await claim(session, begun, "a worker", 45)
    other = await rig.open()
    await age(rig, other)
    for limits, woken in ((Limits(repository=1), []), (Limits(), [(other, 1)])):
        await make_sweeper(rig, doorbell, intake, limits).wake_runs()
        assert doorbell.known == woken


# Deliveries


async def test_a_delivery_nobody_handled_is_handled(rig: Rig, sweeper: Sweeper, intake: Intake) -> None:
    async with rig.database.transaction() as session:
        for name in ("old", "new"):
            assert await record_delivery(session, name, f"said {name}", {"body": "hello"})
        await session.execute(
            update(Delivery)
            .where(Delivery.delivery_id == "old")
            .values(received_at=datetime.now(UTC) - timedelta(minutes=5))
        )
    await sweeper.handle_deliveries()
    assert intake.handled == ["old"]
    async with rig.database.transaction() as session:
        assert await get_delivery(session, "new")


# Ends that were not told, and leftovers


async def untold(rig: Rig) -> UUID:
    run = await rig.finished()
    async with rig.database.transaction() as session:
        await note_report(session, None, run.run_id, final_reported_at=None)
    rig.world.ends_told.clear()
    return run.run_id


async def test_an_end_github_was_not_told_is_told(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await untold(rig)
    await sweeper.report_runs()
    await sweeper.report_runs()
    assert rig.world.ends_told == [RunStatus.SUCCEEDED]
    assert (await rig.run(run_id)).report.final_reported_at is not None


async def test_an_end_that_is_being_told_is_left_alone(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await untold(rig)
    async with rig.database.transaction() as session:
        assert await claim_finished(session, run_id, "a worker", 45)
    await sweeper.report_runs()
    assert rig.world.ends_told == []


async def uncleaned(rig: Rig) -> UUID:
    for _ in range(9):
        rig.world.at["remove"].append(fails(TransientError(ErrorCode.ENGINE_UNREACHABLE, "asking the engine: no")))
    run = await rig.finished()
    rig.world.at["remove"].clear()
    assert run.cleanup_succeeded is False
    assert rig.world.alive
    return run.run_id


async def test_what_cleanup_could_not_remove_is_removed_later(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await uncleaned(rig)
    await sweeper.clean_runs()
    run = await rig.run(run_id)
    assert (run.cleanup_succeeded, run.job_container_id, run.lease_owner) == (True, None, None)
    assert (await rig.state(run_id, Phase.CLEANUP)).status is TaskStatus.SUCCEEDED
    assert rig.world.alive == {}
    assert run.status is RunStatus.SUCCEEDED


async def test_an_engine_that_stays_away_is_not_asked_without_end(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await uncleaned(rig)
    rig.world.at["remove"].append(fails(TransientError(ErrorCode.ENGINE_UNREACHABLE, "asking the engine: no")))
    epoch = (await rig.run(run_id)).lease_epoch
    for _ in range(5):
        await sweeper.clean_runs()
    run = await rig.run(run_id)
    assert (run.cleanup_succeeded, run.lease_epoch, run.lease_owner) == (False, epoch + 1, None)
    assert rig.world.alive


async def test_those_that_keep_failing_do_not_keep_the_others_waiting(
    rig: Rig, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.sweeper.MOST_AT_ONCE", 1)
    run_ids = [await uncleaned(rig) for _ in range(2)]
    rig.world.at["remove"].append(fails(TransientError(ErrorCode.ENGINE_UNREACHABLE, "asking the engine: no")))
    await sweeper.clean_runs()
    await sweeper.clean_runs()
    assert sorted([bool((await rig.run(run_id)).cleanup_succeeded) for run_id in run_ids]) == [False, True]


async def test_containers_of_finished_runs_are_removed_and_no_others(rig: Rig, sweeper: Sweeper) -> None:
    over = (await rig.finished()).run_id
    alive = await rig.open()
    stranger = uuid4()
    rig.world.alive.update({over: "left", alive: "in use", stranger: "another installation's"})
    await sweeper.remove_orphans()
    assert rig.world.alive == {alive: "in use", stranger: "another installation's"}


# Artifacts


async def expire(rig: Rig, run_id: UUID) -> None:
    """As if the run had been long ago."""
    now = datetime.now(UTC)
    then = now - timedelta(days=60)
    async with rig.database.transaction() as session:
        await session.execute(
            update(SpecAutomationRun)
            .where(SpecAutomationRun.run_id == run_id)
            .values(created_at=then, started_at=then, completed_at=then)
        )
        await session.execute(
            update(AutomationArtifact)
            .where(AutomationArtifact.run_id == run_id)
            .values(created_at=then, expires_at=now - timedelta(seconds=1))
        )


async def test_expired_artifacts_go_and_others_stay(rig: Rig, sweeper: Sweeper) -> None:
    old, young = await rig.finished(), await rig.finished()
    await expire(rig, old.run_id)
    (rig.root / str(old.run_id) / "artifacts" / "left-by-a-dead-worker.stdout").write_bytes(b"x")
    files = set((rig.root / str(young.run_id)).rglob("*"))
    await sweeper.expire_artifacts()
    assert (await rig.run(old.run_id)).artifacts == []
    assert not (rig.root / str(old.run_id)).exists()
    assert set((rig.root / str(young.run_id)).rglob("*")) == files
    assert len((await rig.run(young.run_id)).artifacts) == len(young.artifacts)


async def test_an_expired_artifact_whose_file_is_gone_is_forgotten(rig: Rig, sweeper: Sweeper) -> None:
    run = await rig.finished()
    for one in run.artifacts:
        (rig.root / one.storage_path).unlink()
    await expire(rig, run.run_id)
    await sweeper.expire_artifacts()
    assert (await rig.run(run.run_id)).artifacts == []


async def test_one_chore_that_breaks_does_not_stop_the_others(rig: Rig, sweeper: Sweeper, doorbell: Doorbell) -> None:
    async def broken() -> list[UUID]:
        raise RuntimeError("a bug")

    rig.containers.runs_present = broken  # type: ignore[method-assign]
    run_id = await rig.open()
    await age(rig, run_id)
    sweeping = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(30):
        while not doorbell.known:
            await asyncio.sleep(0.02)
    sweeping.cancel()
    await asyncio.wait({sweeping})


async def test_a_lease_of_the_sweeper_is_given_back(rig: Rig, sweeper: Sweeper) -> None:
    run_id = await uncleaned(rig)
    await sweeper.clean_runs()
    async with rig.database.transaction() as session:
        lease = await claim_finished(session, run_id, "somebody", 45)
        assert lease is not None
        await release(session, lease)
