"""The ledger in the database: one short transaction adds what was spent and reads what everybody spent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select

from db.budgets import Prices, asked_for
from db.errors import RunNotFound
from db.models import SpecAutomationRun
from db.session import Database
from db.usage import NewUsage, add_usage, spent_so_far
from jobs.gateway.accounts import Standing


class DatabaseLedger:
    """Implements ``Ledger``. ``prices`` are for what was spent while none were known."""

    def __init__(self, database: Database, prices: Prices) -> None:
        self._database = database
        self._prices = prices

    async def record(self, run_id: UUID, day: date, usage: Sequence[NewUsage]) -> Standing:
        """See ``Ledger.record``. Raises RunNotFound too."""
        async with self._database.transaction() as session:
            await add_usage(session, usage)
            run = (
                await session.execute(
                    select(SpecAutomationRun.repository_id, SpecAutomationRun.arguments).where(
                        SpecAutomationRun.run_id == run_id
                    )
                )
            ).one_or_none()
            if run is None:
                raise RunNotFound(run_id)
            spent, spent_today = await spent_so_far(session, run_id, run.repository_id, day, self._prices)
            return Standing(run.repository_id, day, asked_for(run.arguments), spent, spent_today)
