"""Feature directories never collide: not with what is there, not with what is being made."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import pytest

from db import runs
from db.errors import LeaseLost
from db.reservations import next_number, reserve_feature
from db.session import Database
from db.vocabulary import Phase, RunStatus, TaskStatus
from tests.db.rows import Held, begun_run, phase_that_is


async def test_fifty_at_once_get_fifty_directories(database: Database) -> None:
    held = [await begun_run(database) for _ in range(50)]
    found = await asyncio.gather(*(_reserve(database, each) for each in held))
    assert sorted(found) == [f"{number:03}-pay" for number in range(1, 51)]


async def test_what_the_repository_has_is_taken(database: Database) -> None:
    taken = ["004-invoices", "12-too-short", "20260101-101010-stamp", "speckit/20260101/abcdef", "feature/017-cart"]
    assert await _reserve(database, await begun_run(database), taken=taken) == "018-pay"


async def test_other_repositories_and_projects_count_for_themselves(database: Database) -> None:
    assert await _reserve(database, await begun_run(database)) == "001-pay"
    assert await _reserve(database, await begun_run(database, repository_id=99)) == "001-pay"
    assert await _reserve(database, await begun_run(database, project="services/api")) == "001-pay"
    assert await _reserve(database, await begun_run(database)) == "002-pay"


async def test_asking_again_gives_the_same(database: Database) -> None:
    held = await begun_run(database)
    assert await _reserve(database, held) == await _reserve(database, held, taken=["007-other"]) == "001-pay"


async def test_timestamped_repositories_keep_their_form(database: Database) -> None:
    first, second = [await _reserve(database, await begun_run(database), timestamped=True) for _ in range(2)]
    assert re.fullmatch(r"\d{8}-\d{6}-pay", first)
    assert second != first


async def test_a_dry_run_gives_its_number_back(database: Database) -> None:
    held = await begun_run(database, dry_run=True)
    assert await _reserve(database, held) == "001-pay"
    await _finish(database, held, RunStatus.SUCCEEDED)
    assert await _reserve(database, await begun_run(database)) == "001-pay"


async def test_a_run_that_wrote_nothing_gives_its_number_back(database: Database) -> None:
    held = await begun_run(database)
    await _reserve(database, held)
    await _finish(database, held, RunStatus.FAILED)
    assert await _reserve(database, await begun_run(database)) == "001-pay"


async def test_what_may_be_retried_keeps_its_number_and_the_retry_takes_it_over(database: Database) -> None:
    held = await begun_run(database)
    await _reserve(database, held)
    await phase_that_is(database, held, Phase.SPECKIT_SPECIFY, TaskStatus.SUCCEEDED)
    await _finish(database, held, RunStatus.FAILED)
    assert await _reserve(database, await begun_run(database)) == "002-pay"
    retry = await begun_run(database, retry_of=held.run_id)
    assert await _reserve(database, retry) == "001-pay"


async def test_who_lost_the_run_reserves_nothing(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.release(session, held.lease)
    with pytest.raises(LeaseLost):
        await _reserve(database, held)


@pytest.mark.parametrize(
    ("names", "number"),
    [([], 1), (["001-a"], 2), (["010-a", "002-b"], 11), (["1000-a"], 1001), (["20260101-101010-a"], 1), (["12-a"], 1)],
)
def test_the_next_number_is_spec_kits(names: list[str], number: int) -> None:
    assert next_number(names) == number


async def _reserve(database: Database, held: Held, *, taken: list[str] | None = None, timestamped: bool = False) -> str:
    async with database.transaction() as session:
        return await reserve_feature(session, held.lease, name="pay", taken=taken or [], timestamped=timestamped)


async def _finish(database: Database, held: Held, status: RunStatus) -> UUID:
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, status, "It ended.")
    return held.run_id
