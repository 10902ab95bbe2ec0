"""One worker at a time, and a worker that lost its run writes nothing about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from db import artifacts, leases, runs
from db.runs import Lease, LeaseLost, RunNotFound
from db.session import Database
from db.vocabulary import Phase, RunStatus, TaskStatus
from tests.db.rows import (
    DEADLINE,
    TTL,
    begun_run,
    claimed_run,
    let_lease_lapse,
    log_of,
    queued_run,
    read_phase,
    read_run,
    run_that_is,
)

Write = Callable[[AsyncSession, Lease], Awaitable[object]]

WRITES: dict[str, Write] = {
    "guard": leases.guard,
    "renew": lambda session, lease: runs.renew(session, lease, TTL),
    "begin": lambda session, lease: runs.begin(session, lease, "host", DEADLINE),
    "start_phase": lambda session, lease: runs.start_phase(session, lease, Phase.GIT_CLONE),
    "finish_phase": lambda session, lease: runs.finish_phase(session, lease, Phase.PREPARE_JOB, TaskStatus.FAILED),
    "retry_phase": lambda session, lease: runs.retry_phase(session, lease, Phase.PREPARE_JOB, {}),
    "record_source": lambda session, lease: runs.record_source(session, lease, "main", "a" * 40),
    "record_container": lambda session, lease: runs.record_container(session, lease, "c1"),
    "record_branch": lambda session, lease: runs.record_branch(session, lease, "speckit/20261122/7f3a9c"),
    "record_head": lambda session, lease: runs.record_head(session, lease, "b" * 40),
    "record_feature_directory": lambda session, lease: runs.record_feature_directory(session, lease, "specs/001-x"),
    "record_agent": lambda session, lease: runs.record_agent(
        session, lease, "template", "1", "1", {}, allowed=("template",)
    ),
    "finish_run": lambda session, lease: runs.finish_run(session, lease, RunStatus.FAILED, "No."),
    "record_cleanup": lambda session, lease: runs.record_cleanup(session, lease, True),
    "note_report": lambda session, lease: runs.note_report(session, lease, lease.run_id, comment_id=5),
    "record_artifact": lambda session, lease: artifacts.record_artifact(
        session, lease, **log_of(lease.run_id, Phase.PREPARE_JOB)
    ),
}


async def test_of_twenty_claimers_one_wins(database_url: str) -> None:
    processes = [Database.open(database_url) for _ in range(4)]
    run_id = await queued_run(processes[0])

    async def take(number: int) -> Lease | None:
        async with processes[number % 4].transaction() as session:
            return await runs.claim(session, run_id, f"worker-{number}", TTL)

    try:
        taken = [lease for lease in await asyncio.gather(*map(take, range(20))) if lease is not None]
        run = await read_run(processes[0], run_id)
    finally:
        for process in processes:
            await process.close()
    assert len(taken) == 1
    assert (run.lease_owner, run.lease_epoch, run.crash_count) == (taken[0].owner, 1, 0)


async def test_of_twenty_claimers_of_a_lapsed_lease_one_wins(database: Database) -> None:
    held = await begun_run(database)
    await let_lease_lapse(database, held.run_id)

    async def take(number: int) -> Lease | None:
        async with database.transaction() as session:
            return await runs.claim(session, held.run_id, f"worker-{number}", TTL)

    taken = [lease for lease in await asyncio.gather(*map(take, range(20))) if lease is not None]
    assert [lease.epoch for lease in taken] == [held.lease.epoch + 1]


async def test_a_lease_lasts_its_time_by_the_databases_clock(database: Database) -> None:
    held = await claimed_run(database)
    async with database.transaction() as session:
        now = await runs.database_now(session)
    expires = (await read_run(database, held.run_id)).lease_expires_at
    assert expires is not None
    assert timedelta(seconds=TTL - 20) < expires - now <= timedelta(seconds=TTL)
    async with database.transaction() as session:
        await runs.renew(session, held.lease, 1000)
    renewed = (await read_run(database, held.run_id)).lease_expires_at
    assert renewed is not None
    assert renewed - expires > timedelta(seconds=900)


async def test_a_held_run_cannot_be_taken_a_lapsed_one_can(database: Database) -> None:
    held = await begun_run(database)
    assert await _claim(database, held.run_id) is None
    await let_lease_lapse(database, held.run_id)
    assert await _claim(database, held.run_id) == Lease(held.run_id, 2, "worker-2")
    run = await read_run(database, held.run_id)
    assert (run.status, run.lease_epoch, run.crash_count) == (RunStatus.IN_PROGRESS, 2, 1)


async def test_the_same_owner_gets_no_second_lease(database: Database) -> None:
    held = await claimed_run(database)
    assert await _claim(database, held.run_id, held.lease.owner) is None


@pytest.mark.parametrize("write", WRITES)
async def test_a_worker_that_lost_its_run_writes_nothing(database: Database, write: str) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.start_phase(session, held.lease, Phase.PREPARE_JOB)
    await let_lease_lapse(database, held.run_id)
    successor = await _claim(database, held.run_id)
    assert successor is not None
    before = _columns(await read_run(database, held.run_id))
    with pytest.raises(LeaseLost):
        async with database.transaction() as session:
            await WRITES[write](session, held.lease)
    run = await read_run(database, held.run_id)
    assert _columns(run) == before
    assert (run.artifacts, run.agent_configuration, run.report.comment_id) == ([], None, None)
    assert (await read_phase(database, held.run_id, Phase.PREPARE_JOB)).status is TaskStatus.RUNNING
    async with database.transaction() as session:
        await WRITES[write](session, successor)


@pytest.mark.parametrize("write", sorted(WRITES.keys() - {"renew"}))
async def test_a_lease_given_back_is_no_lease(sqlite_url: str, write: str) -> None:
    database = Database.open(sqlite_url)
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.start_phase(session, held.lease, Phase.PREPARE_JOB)
        await runs.release(session, held.lease)
    with pytest.raises(LeaseLost):
        async with database.transaction() as session:
            await WRITES[write](session, held.lease)
    await database.close()


async def test_a_lapsed_lease_nobody_took_is_still_good(database: Database) -> None:
    held = await begun_run(database)
    await let_lease_lapse(database, held.run_id)
    async with database.transaction() as session:
        await runs.record_branch(session, held.lease, "speckit/20261122/7f3a9c")
        await runs.renew(session, held.lease, TTL)
    assert await _claim(database, held.run_id) is None


async def test_another_owner_of_the_same_epoch_is_refused(database: Database) -> None:
    held = await begun_run(database)
    forged = Lease(held.run_id, held.lease.epoch, "somebody else")
    with pytest.raises(LeaseLost):
        async with database.transaction() as session:
            await runs.guard(session, forged)


async def test_giving_a_run_back_costs_no_crash_and_frees_it_at_once(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.release(session, held.lease)
    assert await _claim(database, held.run_id) == Lease(held.run_id, 2, "worker-2")
    assert (await read_run(database, held.run_id)).crash_count == 0


async def test_giving_back_what_another_took_changes_nothing(database: Database) -> None:
    held = await begun_run(database)
    await let_lease_lapse(database, held.run_id)
    successor = await _claim(database, held.run_id)
    assert successor is not None
    async with database.transaction() as session:
        await runs.release(session, held.lease)
        await runs.guard(session, successor)


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_terminal])
async def test_a_run_that_is_over_is_taken_only_to_tidy_up(database: Database, status: RunStatus) -> None:
    held = await run_that_is(database, status)
    assert await _claim_finished(database, held.run_id) is None, "its worker is still at it"
    async with database.transaction() as session:
        await runs.release(session, held.lease)
    assert await _claim(database, held.run_id) is None
    tidier = await _claim_finished(database, held.run_id)
    assert tidier is not None
    async with database.transaction() as session:
        await runs.record_cleanup(session, tidier, True)
    assert (await read_run(database, held.run_id)).cleanup_succeeded is True


async def test_a_living_run_is_not_taken_to_tidy_up(database: Database) -> None:
    assert await _claim_finished(database, await queued_run(database)) is None


async def test_an_unknown_run(database: Database) -> None:
    assert await _claim(database, uuid4()) is None
    with pytest.raises(RunNotFound):
        async with database.transaction() as session:
            await runs.guard(session, Lease(uuid4(), 1, "worker-1"))
    async with database.transaction() as session:
        await runs.release(session, Lease(uuid4(), 1, "worker-1"))


@pytest.mark.postgres
async def test_on_postgres_a_proven_lease_holds_until_the_transaction_ends(postgres_url: str) -> None:
    """Between the proof and the commit nobody can take the run: the claim waits, then finds the lease renewed."""
    ours, theirs = Database.open(postgres_url), Database.open(postgres_url)
    held = await begun_run(ours)
    await let_lease_lapse(ours, held.run_id)
    async with ours.transaction() as session:
        await runs.guard(session, held.lease)
        claim = asyncio.create_task(_claim(theirs, held.run_id))
        await asyncio.sleep(0.2)
        assert not claim.done()
        await runs.renew(session, held.lease, TTL)
    assert await claim is None
    await ours.close()
    await theirs.close()


async def _claim(database: Database, run_id: UUID, owner: str = "worker-2") -> Lease | None:
    async with database.transaction() as session:
        return await runs.claim(session, run_id, owner, TTL)


async def _claim_finished(database: Database, run_id: UUID) -> Lease | None:
    async with database.transaction() as session:
        return await runs.claim_finished(session, run_id, "sweeper-1", TTL)


def _columns(run: object) -> dict[str, object]:
    table = type(run).__table__  # type: ignore[attr-defined]
    return {column.name: getattr(run, column.name) for column in table.columns}
