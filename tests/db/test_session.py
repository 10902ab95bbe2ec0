"""Transactions and column types: the same on both databases, whatever is put in."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import InvalidRequestError, OperationalError, SQLAlchemyError, StatementError

from db import deliveries, runs
from db import session as session_module
from db.models import SpecAutomationRun
from db.records import Delivery
from db.session import Database
from db.types import clean_json, clean_text
from tests.db.rows import begun_run, count, new_run, queued_run, read_run, record_delivery


async def test_writers_wait_for_each_other_and_lose_nothing(database_url: str) -> None:
    """Eight processes' worth of writers, each reading before it writes: no update is lost, none is refused."""
    writers = [Database.open(database_url) for _ in range(8)]
    run_id = await queued_run(writers[0])

    async def count_up(database: Database) -> None:
        for _ in range(10):
            async with database.transaction() as session:
                question = select(SpecAutomationRun.comment_id).where(SpecAutomationRun.run_id == run_id)
                before = await session.scalar(question.with_for_update())
                await session.execute(
                    update(SpecAutomationRun)
                    .where(SpecAutomationRun.run_id == run_id)
                    .values(comment_id=(before or 0) + 1)
                )

    try:
        await asyncio.gather(*(count_up(database) for database in writers))
        assert (await read_run(writers[0], run_id)).comment_id == 1 + 8 * 10
    finally:
        for database in writers:
            await database.close()


async def test_transactions_of_one_process_queue_up(database: Database) -> None:
    async def open_one() -> None:
        async with database.transaction() as session:
            await runs.open_run(session, new_run())

    await asyncio.gather(*(open_one() for _ in range(40)))
    async with database.transaction() as session:
        assert await count(session, "spec_automation_run") == 40
        assert await count(session, "spec_automation_task_state") == 40 * 9


async def test_an_error_rolls_everything_back(database: Database) -> None:
    async def open_and_fail() -> None:
        async with database.transaction() as session:
            await runs.open_run(session, new_run())
            raise EOFError

    with pytest.raises(EOFError):
        await open_and_fail()
    async with database.transaction() as session:
        assert await count(session, "spec_automation_run") == 0


async def test_a_cancelled_transaction_rolls_back_and_blocks_nobody(database: Database) -> None:
    written = asyncio.Event()

    async def write_for_ever() -> None:
        async with database.transaction() as session:
            await runs.open_run(session, new_run())
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_for_ever())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await queued_run(database)
    async with database.transaction() as session:
        assert await count(session, "spec_automation_run") == 1


async def test_objects_outlive_their_transaction_but_load_nothing_behind_our_back(database: Database) -> None:
    run_id = await queued_run(database)
    run = await read_run(database, run_id)
    assert (run.repository, len(run.task_states), run.report.comment_id) == ("acme/shop", 9, None)
    async with database.transaction() as session:
        bare = await session.scalar(select(SpecAutomationRun).where(SpecAutomationRun.run_id == run_id))
        assert bare is not None
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            bare.task_states  # noqa: B018


async def test_sqlite_is_opened_as_promised(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    assert database.dialect == "sqlite"
    async with database.transaction() as session:
        pragmas = [
            (await session.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        ]
    await database.close()
    assert pragmas == ["wal", 15_000, 1, 1]


async def test_a_writer_waits_for_another_process(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(queued_run(database))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        other.execute("COMMIT")
        await waiting
    finally:
        other.close()
        await database.close()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql+aiomysql://host/name"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        Database.open(url)


async def test_closing_leaves_no_sqlite_side_files(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    await queued_run(database)
    await database.close()
    path = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))
    assert [file.name for file in path.parent.glob(f"{path.name}*")] == [path.name]


async def test_the_database_clock_is_aware_and_moves_within_a_transaction(database: Database) -> None:
    async with database.transaction() as session:
        first = await runs.database_now(session)
        await asyncio.sleep(0.01)
        second = await runs.database_now(session)
    assert first.tzinfo is UTC
    assert timedelta(0) < second - first < timedelta(seconds=30)
    assert abs(datetime.now(UTC) - second) < timedelta(seconds=30)


async def test_timestamps_come_back_as_utc(database: Database) -> None:
    tokyo = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.note_report(session, held.lease, held.run_id, comment_intended_at=tokyo)
    kept = (await read_run(database, held.run_id)).report.comment_intended_at
    assert kept == tokyo
    assert kept is not None
    assert kept.tzinfo is UTC


async def test_a_timestamp_without_a_zone_is_refused(database: Database) -> None:
    run_id = await queued_run(database)
    naive = datetime(2026, 11, 22)  # noqa: DTZ001
    with pytest.raises(StatementError, match="without a time zone"):
        async with database.transaction() as session:
            await runs.note_report(session, None, run_id, final_reported_at=naive)


HOSTILE = "nul:\x00 lone:\ud800 low:\udfff pair:😀 rtl:\u202e line:\u2028 quote:' percent:%s colon::name"
TAMED = "nul: lone:\ufffd low:\ufffd pair:😀 rtl:\u202e line:\u2028 quote:' percent:%s colon::name"


async def test_any_text_can_be_stored(database: Database) -> None:
    run_id = await queued_run(
        database, issue_title=HOSTILE, requested_spec_input=HOSTILE, base_branch=HOSTILE, requested_by=HOSTILE[:90]
    )
    run = await read_run(database, run_id)
    assert (run.issue_title, run.requested_spec_input, run.base_branch) == (TAMED, TAMED, TAMED)


async def test_any_json_can_be_stored(database: Database) -> None:
    payload = {HOSTILE: [HOSTILE, {"nan": float("nan"), "inf": float("-inf"), "n": 1, "b": True, "none": None}]}
    async with database.transaction() as session:
        assert await record_delivery(session, "d", "said", payload)
    async with database.transaction() as session:
        delivery = await deliveries.get_delivery(session, "d")
    assert delivery is not None
    assert delivery.payload == {TAMED: [TAMED, {"nan": None, "inf": None, "n": 1, "b": True, "none": None}]}


async def test_long_prose_is_cut_and_long_names_are_refused(database: Database) -> None:
    run_id = await queued_run(database, requested_spec_input="é" * 70_000, issue_title="t" * 5_000)
    run = await read_run(database, run_id)
    assert (len(run.requested_spec_input), run.requested_spec_input[-2:]) == (65_536, "é…")
    assert len(run.issue_title) == 1024
    assert (
        len(
            (
                await read_run(database, await queued_run(database, requested_spec_input="x" * 65_536))
            ).requested_spec_input
        )
        == 65_536
    )
    with pytest.raises(StatementError, match="text of 100000 characters where at most 100 are allowed"):
        await queued_run(database, requested_by="l" * 100_000)


async def test_json_is_bounded(database: Database) -> None:
    with pytest.raises(StatementError, match="are allowed"):
        async with database.transaction() as session:
            await record_delivery(session, "d", "s", {"body": "x" * 3_000_000})


async def test_the_longest_comment_of_emoji_fits_a_delivery(database: Database) -> None:
    async with database.transaction() as session:
        session.add(
            Delivery(
                delivery_id="d",
                event="issue_comment",
                action="created",
                said_key="s",
                payload={"body": "😀" * 65_536},
                received_at=await runs.database_now(session),
            )
        )


quickly = settings(deadline=None, max_examples=50)


@quickly
@given(st.text(st.characters()))
def test_cleaned_text_is_what_any_database_takes(value: str) -> None:
    cleaned = clean_text(value)
    cleaned.encode()
    assert "\x00" not in cleaned
    assert clean_text(cleaned) == cleaned


@quickly
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.floats() | st.lists(st.text() | st.floats())))
def test_cleaning_json_twice_is_cleaning_it_once(value: object) -> None:
    cleaned = clean_json(value)
    json.dumps(cleaned, allow_nan=False).encode()
    assert clean_json(cleaned) == cleaned


async def test_a_host_that_is_nowhere_is_a_database_that_is_away() -> None:
    database = Database.open("postgresql+asyncpg://speckit@nowhere.invalid/speckit")
    with pytest.raises(OperationalError):
        async with database.transaction():
            pass
    await database.close()


async def test_a_transaction_that_keeps_sqlite_is_a_database_that_is_away(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "SQLITE_BUSY_SECONDS", 0.05)
    database = Database.open(sqlite_url)
    async with database.transaction():
        with pytest.raises(SQLAlchemyError):
            async with database.transaction():
                pass
    await database.close()


async def test_cancelled_transactions_leave_the_database_to_others(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE heap (grain INTEGER)"))

    async def work() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO heap VALUES (1)"))
            await session.execute(text("SELECT count(*) FROM heap"))

    rounds = random.Random(7)
    ended: list[asyncio.Task[None]] = []
    for _ in range(60):
        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await asyncio.sleep(rounds.random() * 0.006)
        for task in tasks:
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ended += tasks  # their tracebacks keep whatever they hold alive
        await asyncio.wait_for(work(), 5)
