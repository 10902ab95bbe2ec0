"""The inbox: deliveries that held a command, written before anything is done about them.

A delivery is known by its id and by what was said, since GitHub signs the body and not the headers: the same comment
under a new delivery id is the same delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import database_now
from db.records import Delivery
from db.types import JsonObject
from db.vocabulary import DeliveryOutcome

MAX_TRIES = 5
"""How often a delivery is handed out again before it counts as failed: one that kills its reader must not do so for
ever."""


class NewDelivery(TypedDict):
    """What record_deliveries needs to know."""

    delivery_id: str
    event: str
    action: str
    said_key: str
    payload: JsonObject


class DeliveryNotFound(Exception):  # noqa: N818 - named after what happened
    """There is no delivery with that id."""


async def record_deliveries(session: AsyncSession, deliveries: Sequence[NewDelivery]) -> set[str]:
    """Write several deliveries down with one statement. Returns the ids of those that were not known already."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    now = await database_now(session)
    table = Delivery.__table__
    written = await (await session.connection()).execute(
        dialect.insert(table).on_conflict_do_nothing().returning(table.c.delivery_id),
        [{**delivery, "received_at": now, "tries": 0} for delivery in deliveries],
    )
    return set(written.scalars())


async def get_delivery(session: AsyncSession, delivery_id: str) -> Delivery | None:
    """The delivery, or None."""
    return await session.scalar(
        select(Delivery).where(Delivery.delivery_id == delivery_id).execution_options(populate_existing=True)
    )


async def next_unhandled(session: AsyncSession, older_than_seconds: float) -> Delivery | None:
    """Hand out the oldest delivery nobody finished, if that, and the last try, are ``older_than_seconds`` ago.

    The try is counted now, so two sweepers get different deliveries. One that was tried five times is finished as
    failed and not handed out again.
    """
    now = await database_now(session)
    before = now - timedelta(seconds=older_than_seconds)
    unhandled = (
        Delivery.handled_at.is_(None),
        Delivery.received_at <= before,
        or_(Delivery.tried_at.is_(None), Delivery.tried_at <= before),
    )
    await session.execute(
        update(Delivery)
        .where(*unhandled, Delivery.tries >= MAX_TRIES)
        .values(handled_at=now, outcome=DeliveryOutcome.FAILED)
        .execution_options(synchronize_session=False)
    )
    delivery = await session.scalar(
        select(Delivery)
        .where(*unhandled)
        .order_by(Delivery.received_at, Delivery.delivery_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if delivery is not None:
        delivery.tries += 1
        delivery.tried_at = now
        await session.flush()
    return delivery


async def finish_delivery(session: AsyncSession, delivery_id: str, outcome: DeliveryOutcome) -> None:
    """Note what became of a delivery; the first outcome stays. Raises DeliveryNotFound."""
    finished = await session.execute(
        update(Delivery)
        .where(Delivery.delivery_id == delivery_id, Delivery.handled_at.is_(None))
        .values(handled_at=await database_now(session), outcome=outcome)
        .returning(Delivery.delivery_id)
        .execution_options(synchronize_session=False)
    )
    if finished.scalar_one_or_none() is None and await get_delivery(session, delivery_id) is None:
        raise DeliveryNotFound(f"delivery {delivery_id} is unknown")
