"""Writes deliveries down, those that arrive together in one transaction.

A transaction costs several times what a row costs, and SQLite takes one at a time, so the deliveries that arrive while
one is being written wait for the next and share it. Each caller learns about its own row only, after the commit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from db.deliveries import NewDelivery, record_deliveries
from db.session import Database

MOST_AT_ONCE = 50
_BUSY_SECONDS = 0.05
_GATHER_SECONDS = 0.01


@dataclass(slots=True)
class _Waiting:
    delivery: NewDelivery
    is_new: asyncio.Future[bool]


class Inbox:
    """The way of a delivery into the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._wrote_at = -_BUSY_SECONDS

    async def record(self, delivery: NewDelivery) -> bool:
        """Write a delivery down and commit. False when it, or what it says, is known already.

        Raises SQLAlchemyError or OSError when the database did not take it. A caller that gives up waiting has no say
        any more in whether it is written.
        """
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="inbox")
        return await waiting.is_new

    async def _write_all(self) -> None:
        while self._waiting:
            if time.monotonic() - self._wrote_at < _BUSY_SECONDS:
                # Where one follows the other so fast, more are on their way.
                await asyncio.sleep(_GATHER_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
            if not await self._write(batch) and len(batch) > 1:
                # One that cannot be written must not take the others with it.
                for waiting in batch:
                    await self._write([waiting])
            self._wrote_at = time.monotonic()

    async def _write(self, batch: list[_Waiting]) -> bool:
        try:
            async with self._database.transaction() as session:
                new = await record_deliveries(session, [waiting.delivery for waiting in batch])
        except (SQLAlchemyError, OSError) as error:
            if len(batch) == 1 and not batch[0].is_new.done():
                batch[0].is_new.set_exception(error)
            return False
        for waiting in batch:
            if not waiting.is_new.done():
                # Of one id that stands twice in a batch, only the first was written.
                waiting.is_new.set_result(waiting.delivery["delivery_id"] in new)
                new.discard(waiting.delivery["delivery_id"])
        return True
