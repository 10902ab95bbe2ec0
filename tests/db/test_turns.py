"""Whose turn it is: first come first served in a repository, round robin between installations, one writer a branch."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import runs
from db.leases import Lease
from db.session import Database
from db.turns import Candidate, Limits, claim_in_turn, in_turn, place_in_queue, runs_in_turn
from db.vocabulary import RunStatus
from tests.db.rows import DEADLINE, TTL, begun_run, queued_run, read_run, run_that_is

MANY = Limits(installation=100, repository=100, person=100)
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def candidate(installation: int = 1, repository: int = 1, person: int = 1, key: str | None = None) -> Candidate:
    run_id = uuid4()
    return Candidate(run_id, installation, repository, person, key or str(run_id))


def names(chosen: list[UUID], waiting: list[Candidate]) -> list[int]:
    return [[each.run_id for each in waiting].index(run_id) for run_id in chosen]


def test_first_come_first_served() -> None:
    waiting = [candidate() for _ in range(3)]
    assert names(in_turn(waiting, [], {}, MANY), waiting) == [0, 1, 2]


def test_one_who_asks_for_fifty_keeps_nobody_waiting() -> None:
    waiting = [*(candidate(installation=1) for _ in range(50)), candidate(installation=2, repository=2)]
    assert names(in_turn(waiting, [], {}, MANY), waiting)[:3] == [0, 50, 1]


def test_whoever_was_served_last_is_served_last() -> None:
    waiting = [candidate(installation=1), candidate(installation=2, repository=2)]
    served = {1: NOW, 2: NOW - timedelta(minutes=1)}
    assert names(in_turn(waiting, [], served, MANY), waiting) == [1, 0]


def test_one_writer_per_branch() -> None:
    working = [candidate(key="issue:7")]
    waiting = [candidate(key="issue:7"), candidate(key="issue:8"), candidate(key="issue:8")]
    assert names(in_turn(waiting, working, {}, MANY), waiting) == [1]
    elsewhere = [candidate(repository=2, key="issue:7")]
    assert names(in_turn(elsewhere, working, {}, MANY), elsewhere) == [0]


@pytest.mark.parametrize(
    ("limits", "begin"),
    [
        (Limits(installation=2, repository=100, person=100), 2),
        (Limits(installation=100, repository=3, person=100), 3),
        (Limits(installation=100, repository=100, person=1), 1),
    ],
)
def test_no_more_at_once_than_the_limits_allow(limits: Limits, begin: int) -> None:
    waiting = [candidate() for _ in range(5)]
    assert names(in_turn(waiting, [], {}, limits), waiting) == list(range(begin))


def test_a_repository_may_ask_for_less_and_never_for_more() -> None:
    def of(most: int) -> list[Candidate]:
        return [Candidate(uuid4(), 1, 1, 1, str(uuid4()), most, None) for _ in range(9)]

    assert len(in_turn(of(1), [], {}, Limits(repository=3, person=9))) == 1
    assert len(in_turn(of(64), [], {}, Limits(repository=3, person=9))) == 3


def test_what_a_limit_holds_back_keeps_its_place_on_its_branch() -> None:
    held = Candidate(uuid4(), 1, 1, 1, "issue:7", None, 1)
    waiting = [held, Candidate(uuid4(), 1, 1, 2, "issue:7")]
    assert in_turn(waiting, [candidate(person=1)], {}, MANY) == []


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 4)), max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_the_limits_hold_whatever_waits(
    asked: list[tuple[int, int, int, int]], installation: int, repository: int, person: int
) -> None:
    limits = Limits(installation, repository, person)
    waiting = [Candidate(uuid4(), who, where, by, f"issue:{issue}") for who, where, by, issue in asked]
    by_id = {each.run_id: each for each in waiting}
    chosen = [by_id[run_id] for run_id in in_turn(waiting, [], {}, limits)]
    for one in chosen:
        assert sum(other.installation_id == one.installation_id for other in chosen) <= installation
        assert sum(other.repository_id == one.repository_id for other in chosen) <= repository
        assert (
            sum(
                (other.repository_id, other.requested_by_id) == (one.repository_id, one.requested_by_id)
                for other in chosen
            )
            <= person
        )
        assert sum((other.repository_id, other.key) == (one.repository_id, one.key) for other in chosen) == 1
    assert bool(chosen) == bool(waiting), "where nobody works, somebody begins"


async def test_a_worker_takes_the_run_whose_turn_it_is(database: Database) -> None:
    first, second = [await queued_run(database) for _ in range(2)]
    lease = await _claim(database, second)
    assert lease is not None
    assert lease.run_id == first, "the job is a doorbell, not the run"


async def test_a_run_that_was_begun_goes_on_before_others(database: Database) -> None:
    await queued_run(database)
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.release(session, held.lease)
    lease = await _claim(database, held.run_id)
    assert lease is not None
    assert lease.run_id == held.run_id


async def test_workers_that_claim_at_once_keep_to_the_limits(database: Database) -> None:
    ids = [await queued_run(database) for _ in range(6)]
    limits = Limits(installation=100, repository=3, person=100)
    leases = await asyncio.gather(*(_claim(database, run_id, limits) for run_id in ids))
    taken = [lease.run_id for lease in leases if lease is not None]
    assert sorted(taken, key=ids.index) == ids[:3]


async def test_the_second_on_a_branch_waits_for_the_first(database: Database) -> None:
    first = await queued_run(database, writer_key="issue:1")
    second = await queued_run(database, writer_key="issue:1")
    lease = await _claim(database, first)
    assert lease is not None
    assert await _claim(database, second) is None
    async with database.transaction() as session:
        await runs.begin(session, lease, "host", DEADLINE)
        await runs.finish_run(session, lease, RunStatus.SUCCEEDED, "done")
        await runs.release(session, lease)
    following = await _claim(database, second)
    assert following is not None
    assert following.run_id == second


async def test_a_waiting_run_knows_its_place(database: Database) -> None:
    await run_that_is(database, RunStatus.SUCCEEDED)
    first = await queued_run(database, writer_key="issue:1")
    await queued_run(database, writer_key="issue:2")
    third = await queued_run(database, writer_key="issue:1")
    async with database.transaction() as session:
        place = await place_in_queue(session, await runs.get_run(session, third))
    assert place is not None
    assert (place.place, place.behind) == (3, (str(first)[:8],))
    assert place.usual_seconds is not None
    held = await begun_run(database)
    async with database.transaction() as session:
        assert await place_in_queue(session, await runs.get_run(session, held.run_id)) is None


async def test_nobody_waits_where_nothing_is_queued(database: Database) -> None:
    async with database.transaction() as session:
        assert await runs_in_turn(session, MANY) == []
    over = await run_that_is(database, RunStatus.FAILED)
    assert await _claim(database, over.run_id) is None
    assert (await read_run(database, over.run_id)).status is RunStatus.FAILED


async def _claim(database: Database, woken: UUID, limits: Limits = MANY) -> Lease | None:
    async with database.transaction() as session:
        return await claim_in_turn(session, woken, f"worker {uuid4()}", TTL, limits)
