"""Deliveries that arrive together share a transaction, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bot.inbox import Inbox
from db.deliveries import NewDelivery
from db.records import Delivery
from db.session import Database


def delivery(delivery_id: str, said: str) -> NewDelivery:
    return {
        "delivery_id": delivery_id,
        "event": "issue_comment",
        "action": "created",
        "said_key": said,
        "payload": {"body": "\ud800\x00 text"},
    }


async def written(database: Database) -> set[str]:
    async with database.transaction() as session:
        return set(await session.scalars(select(Delivery.delivery_id)))


async def test_each_caller_learns_about_its_own_row(database: Database) -> None:
    inbox = Inbox(database)
    assert await inbox.record(delivery("a", "one"))
    together = [("a", "one"), ("b", "two"), ("b", "two"), ("c", "two"), ("d", "one"), ("e", "three")]
    answers = await asyncio.gather(*(inbox.record(delivery(*given)) for given in together))
    assert answers[0] is False
    assert sorted(answers[1:4]) == [False, False, True]
    assert answers[4:] == [False, True]
    assert len(await written(database)) == 3


async def test_many_at_once_are_all_written(database: Database) -> None:
    inbox = Inbox(database)
    answers = await asyncio.gather(*(inbox.record(delivery(f"d{number}", f"s{number}")) for number in range(300)))
    assert all(answers)
    assert len(await written(database)) == 300


async def test_one_that_cannot_be_written_does_not_take_the_others_with_it(database: Database) -> None:
    inbox = Inbox(database)
    ids = ["a", "far too long " * 20, "b"]
    answers = await asyncio.gather(*(inbox.record(delivery(given, given[:5])) for given in ids), return_exceptions=True)
    assert answers[0] is True
    assert isinstance(answers[1], SQLAlchemyError)
    assert answers[2] is True
    assert await written(database) == {"a", "b"}


async def test_a_caller_that_gives_up_changes_nothing_for_the_others(database: Database) -> None:
    inbox = Inbox(database)
    impatient = asyncio.create_task(inbox.record(delivery("a", "one")))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await inbox.record(delivery("b", "two"))
    assert "b" in await written(database)
