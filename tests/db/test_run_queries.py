"""Questions about runs: what people look up, and what the sweeper looks for."""

from __future__ import annotations

from uuid import uuid4

from db import runs
from db.session import Database
from db.turns import Limits
from db.vocabulary import RunStatus
from tests.db.rows import TTL, begun_run, claimed_run, let_lease_lapse, queued_run, run_that_is


async def test_runs_are_found_by_the_beginning_of_their_id(database: Database) -> None:
    mine, other = await queued_run(database), await queued_run(database, issue_number=8)
    async with database.transaction() as session:
        for prefix in (mine.hex, mine.hex[:12], str(mine), str(mine).upper()[:14]):
            found = await runs.find_run(session, 11, 7, prefix)
            assert found is not None
            assert found.run_id == mine
            assert len(found.task_states) == 9
        for prefix in ("", "zz", other.hex, "%", f"{mine.hex}0"):
            assert await runs.find_run(session, 11, 7, prefix) is None
        assert await runs.find_run(session, 12, 7, mine.hex) is None


async def test_an_ambiguous_beginning_finds_nothing(database: Database) -> None:
    for _ in range(17):  # 16 hex digits, so two of them begin alike
        await queued_run(database)
    async with database.transaction() as session:
        newest = await runs.runs_of_issue(session, 11, 7)
        first = [run.run_id.hex[0] for run in newest]
        shared = next(digit for digit in first if first.count(digit) > 1)
        assert await runs.find_run(session, 11, 7, shared) is None


async def test_runs_are_listed_newest_first_page_by_page(database: Database) -> None:
    opened = [await queued_run(database, private=number == 2) for number in range(5)]
    async with database.transaction() as session:
        first = await runs.list_runs(session, public_only=False, limit=3)
        second = await runs.list_runs(session, public_only=False, limit=3, before=first[-1].run_id)
        public = await runs.list_runs(session, public_only=True, limit=10)
        unknown = await runs.list_runs(session, public_only=False, limit=3, before=uuid4())
    assert [run.run_id for run in first + second] == opened[::-1]
    assert [run.run_id for run in public] == [opened[4], opened[3], opened[1], opened[0]]
    assert unknown == []
    assert len(first[0].task_states) == 9


async def test_the_runs_of_an_issue(database: Database) -> None:
    over = await run_that_is(database, RunStatus.SUCCEEDED)
    alive = await queued_run(database)
    await queued_run(database, issue_number=8)
    await queued_run(database, repository_id=12)
    async with database.transaction() as session:
        everything = await runs.runs_of_issue(session, 11, 7)
        only_alive = await runs.runs_of_issue(session, 11, 7, alive_only=True)
    assert [run.run_id for run in everything] == [alive, over.run_id]
    assert [run.run_id for run in only_alive] == [alive]


MANY = Limits(installation=100, repository=100, person=100)


async def test_the_sweeper_finds_what_waits(database: Database) -> None:
    queued = await queued_run(database)
    held = await begun_run(database)
    lapsed = await begun_run(database)
    await let_lease_lapse(database, lapsed.run_id)
    handed_back = await begun_run(database)
    claimed = await claimed_run(database)
    over = await run_that_is(database, RunStatus.FAILED)
    async with database.transaction() as session:
        await runs.release(session, handed_back.lease)
        await runs.release(session, over.lease)
        assert await runs.runs_to_wake(session, MANY, queued_for_seconds=0) == [
            (lapsed.run_id, 2),
            (handed_back.run_id, 2),
            (queued, 1),
        ], "who began goes on first"
        assert (queued, 1) not in await runs.runs_to_wake(session, MANY)
        for run_id, epoch in await runs.runs_to_wake(session, MANY, queued_for_seconds=0):
            lease = await runs.claim(session, run_id, "worker-9", TTL)
            assert lease is not None
            assert lease.epoch == epoch
        assert await runs.runs_to_wake(session, MANY, queued_for_seconds=0) == []
        await runs.guard(session, held.lease)
        await runs.guard(session, claimed.lease)


async def test_the_sweeper_finds_ends_nobody_told(database: Database) -> None:
    over = await run_that_is(database, RunStatus.SUCCEEDED)
    await begun_run(database)
    async with database.transaction() as session:
        assert await runs.runs_to_report(session) == [], "its worker is at it"
        await runs.release(session, over.lease)
        assert await runs.runs_to_report(session) == [over.run_id]
        await runs.note_report(session, None, over.run_id, final_reported_at=await runs.database_now(session))
        assert await runs.runs_to_report(session) == []


async def test_the_sweeper_finds_what_was_not_cleaned(database: Database) -> None:
    over = await run_that_is(database, RunStatus.FAILED)
    await begun_run(database)
    async with database.transaction() as session:
        await runs.release(session, over.lease)
        assert await runs.runs_to_clean(session) == [over.run_id]
        lease = await runs.claim_finished(session, over.run_id, "sweeper", TTL)
        assert lease is not None
        assert await runs.runs_to_clean(session) == []
        await runs.record_cleanup(session, lease, False)
        await runs.release(session, lease)
        assert await runs.runs_to_clean(session) == [over.run_id]
        lease = await runs.claim_finished(session, over.run_id, "sweeper", TTL)
        assert lease is not None
        await runs.record_cleanup(session, lease, True)
        await runs.release(session, lease)
        assert await runs.runs_to_clean(session) == []
