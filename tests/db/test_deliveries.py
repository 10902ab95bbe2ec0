"""The inbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from db import deliveries
from db.deliveries import DeliveryNotFound
from db.records import Delivery
from db.session import Database
from db.vocabulary import DeliveryOutcome
from tests.db.rows import count, record_delivery

PAYLOAD = {"body": "/speckit specify x"}


async def _record(database: Database, delivery_id: str = "d-1", said_key: str = "22:1:created:0") -> bool:
    async with database.transaction() as session:
        return await record_delivery(session, delivery_id, said_key, dict(PAYLOAD))


async def _next(database: Database, older_than_seconds: float = 0) -> str | None:
    async with database.transaction() as session:
        delivery = await deliveries.next_unhandled(session, older_than_seconds)
        return None if delivery is None else delivery.delivery_id


async def test_a_delivery_is_kept_as_it_came(database: Database) -> None:
    assert await _record(database)
    async with database.transaction() as session:
        delivery = await deliveries.get_delivery(session, "d-1")
        assert await deliveries.get_delivery(session, "d-2") is None
    assert delivery is not None
    assert (delivery.event, delivery.action, delivery.payload) == ("issue_comment", "created", PAYLOAD)
    assert (delivery.handled_at, delivery.outcome, delivery.tries) == (None, None, 0)


async def test_the_same_id_or_the_same_words_are_one_delivery(database: Database) -> None:
    assert await _record(database)
    for _ in range(5):
        assert not await _record(database)
    assert not await _record(database, delivery_id="d-2"), "replayed under a new id: headers are not signed"
    assert not await _record(database, said_key="22:2:created:0"), "its id with other words"
    assert await _record(database, delivery_id="d-2", said_key="22:2:created:0")
    async with database.transaction() as session:
        assert await count(session, "delivery") == 2


async def test_of_many_at_once_one_is_new(database: Database) -> None:
    results = await asyncio.gather(*(_record(database, delivery_id=f"d-{number % 3}") for number in range(15)))
    assert sorted(results) == [False] * 14 + [True]


async def test_what_was_not_handled_is_handed_out_oldest_first(database: Database) -> None:
    await _record(database, "d-1", "one")
    await _record(database, "d-2", "two")
    assert await _next(database, older_than_seconds=60) is None, "its first reader is still at it"
    await _receive_earlier(database, timedelta(minutes=2))
    assert await _next(database, older_than_seconds=60) == "d-1"
    assert await _next(database, older_than_seconds=60) == "d-2"
    assert await _next(database, older_than_seconds=60) is None, "each was handed out just now"


async def test_two_sweepers_get_different_deliveries(database: Database) -> None:
    for number in range(6):
        await _record(database, f"d-{number}", f"said-{number}")
    await _receive_earlier(database, timedelta(minutes=2))
    handed_out = await asyncio.gather(*(_next(database, older_than_seconds=60) for _ in range(6)))
    assert len({delivery_id for delivery_id in handed_out if delivery_id is not None}) == sum(
        delivery_id is not None for delivery_id in handed_out
    )


async def test_a_delivery_that_kills_its_readers_is_given_up(database: Database) -> None:
    await _record(database)
    for _ in range(deliveries.MAX_TRIES):
        assert await _next(database) == "d-1"
    assert await _next(database) is None
    async with database.transaction() as session:
        delivery = await deliveries.get_delivery(session, "d-1")
    assert delivery is not None
    assert (delivery.outcome, delivery.tries) == (DeliveryOutcome.FAILED, deliveries.MAX_TRIES)


@pytest.mark.parametrize("outcome", DeliveryOutcome)
async def test_what_was_handled_rests(database: Database, outcome: DeliveryOutcome) -> None:
    await _record(database)
    async with database.transaction() as session:
        await deliveries.finish_delivery(session, "d-1", outcome)
        await deliveries.finish_delivery(session, "d-1", DeliveryOutcome.IGNORED)
    assert await _next(database) is None
    async with database.transaction() as session:
        delivery = await deliveries.get_delivery(session, "d-1")
    assert delivery is not None
    assert delivery.outcome is outcome, "the first outcome stays"
    assert delivery.handled_at is not None


async def test_finishing_an_unknown_delivery_is_an_error(database: Database) -> None:
    with pytest.raises(DeliveryNotFound):
        async with database.transaction() as session:
            await deliveries.finish_delivery(session, "d-9", DeliveryOutcome.IGNORED)


async def _receive_earlier(database: Database, by: timedelta) -> None:
    async with database.transaction() as session:
        received = await session.scalars(select(Delivery).order_by(Delivery.received_at))
        for delivery in received:
            delivery.received_at -= by
