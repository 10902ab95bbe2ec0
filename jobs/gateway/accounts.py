"""What one turn of an agent spends, held against the budgets in memory, and written down after each answer.

Wanted: no request waits for the database; what was paid for is counted once, whatever the database does meanwhile; a
worker that dies loses at most the answers it was passing on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from db.budgets import NO_BUDGET, NOTHING, NOTHING_SPENT, Budget, Measure, SpendingRules, Spent, Tokens, used_up
from db.usage import NO_MODEL, NewUsage
from db.vocabulary import Phase
from jobs.ports import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is written about a run: its repository, what that lets it spend, and what was spent by the run (and those
    it took over from) and by all runs of the repository on ``day``."""

    repository_id: int
    day: date
    asked: Budget = NO_BUDGET
    run: Spent = NOTHING_SPENT
    repository_day: Spent = NOTHING_SPENT


class Ledger(Protocol):
    """Where usage is written."""

    async def record(self, run_id: UUID, day: date, usage: Sequence[NewUsage]) -> Standing:
        """Add ``usage``, which may be empty, and tell how the run stands then. Raises SQLAlchemyError and OSError."""
        ...


class MemoryLedger:
    """Remembers as long as it lives, and knows no repository from another: for a gateway without a database."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Spent] = defaultdict(Spent)
        self._days: dict[date, Spent] = defaultdict(Spent)

    async def record(self, run_id: UUID, day: date, usage: Sequence[NewUsage]) -> Standing:
        """See ``Ledger.record``."""
        for one in usage:
            self._runs[run_id] += spent_by(one)
            self._days[one.day] += spent_by(one)
        return Standing(0, day, run=self._runs[run_id], repository_day=self._days[day])


@dataclass(frozen=True, slots=True)
class Reached:
    """A budget that is used up. ``of_repository``: the repository's configuration set it, lower than the operator."""

    measure: Measure
    most: float
    spent: float
    by_day: bool = False
    of_repository: bool = False


@dataclass(slots=True)
class _Counted:
    requests: int = 0
    refused: int = 0
    tokens: Tokens = NOTHING


class Account:
    """One turn's. ``models`` are those it may use."""

    def __init__(
        self, run_id: UUID, phase: Phase, attempt: int, rules: SpendingRules, ledger: Ledger, clock: Clock
    ) -> None:
        self._run_id, self._phase, self._attempt = run_id, phase, attempt
        self._rules, self._ledger, self._clock = rules, ledger, clock
        self._standing = Standing(repository_id=0, day=self._today())
        self._new: dict[tuple[str, date], _Counted] = defaultdict(_Counted)
        self._being_written: dict[tuple[str, date], _Counted] = {}
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Learn how the run stands. Raises SQLAlchemyError and OSError."""
        self._standing = await self._ledger.record(self._run_id, self._today(), ())

    @property
    def counts_cost(self) -> bool:
        """Whether a budget in US dollars holds, so that every model needs a price."""
        return any(budget.cost is not None for budget in (self._run_budget, self._rules.repository_day))

    def reached(self) -> Reached | None:
        """The budget that is used up, if one is."""
        unwritten = self._unwritten()
        budget, spent = self._run_budget, self._standing.run + _sum(unwritten)
        if (measure := used_up(budget, spent)) is not None:
            operators = self._rules.run.most(measure)
            most = budget.most(measure) or 0
            return Reached(measure, most, spent.of(measure), of_repository=operators is None or most < operators)
        today, budget = self._today(), self._rules.repository_day
        before = self._standing.repository_day if self._standing.day == today else Spent()
        spent = before + _sum([one for one in unwritten if one.day == today])
        if (measure := used_up(budget, spent)) is not None:
            return Reached(measure, budget.most(measure) or 0, spent.of(measure), by_day=True)
        return None

    def asked(self, model: str) -> None:
        """A request is passed on."""
        self._new[model, self._today()].requests += 1

    def answered(self, model: str, tokens: Tokens) -> None:
        """What its answer took."""
        self._new[model, self._today()].tokens += tokens

    def refused(self, model: str = NO_MODEL) -> None:
        """A request was not passed on. ``model`` is one that the turn may use."""
        self._new[model, self._today()].refused += 1

    async def write(self) -> None:
        """Write what is not written yet, and learn what others spent. Raises SQLAlchemyError and OSError; what could
        not be written waits for the next time."""
        async with self._writing:
            if not self._new:
                return
            self._being_written, self._new = dict(self._new), defaultdict(_Counted)
            try:
                usage = self._usage(self._being_written)
                self._standing = await self._ledger.record(self._run_id, self._today(), usage)
            except BaseException:
                for key, counted in self._being_written.items():
                    kept = self._new[key]
                    kept.requests += counted.requests
                    kept.refused += counted.refused
                    kept.tokens += counted.tokens
                raise
            finally:
                self._being_written = {}

    async def try_to_write(self) -> None:
        """The same between two requests: a database that is away is no reason to stop an agent."""
        try:
            await self.write()
        except (SQLAlchemyError, OSError) as error:
            log.warning("usage_not_written", extra={"run": str(self._run_id), "error": type(error).__name__})

    @property
    def _run_budget(self) -> Budget:
        return self._rules.run.at_most(self._standing.asked)

    def _unwritten(self) -> list[NewUsage]:
        return [*self._usage(self._being_written), *self._usage(self._new)]

    def _usage(self, counted: dict[tuple[str, date], _Counted]) -> list[NewUsage]:
        return [
            replace(
                NewUsage(self._run_id, self._standing.repository_id, self._phase, self._attempt, model, day),
                requests=one.requests,
                refused_requests=one.refused,
                tokens=one.tokens,
                cost_usd=self._cost(model, one.tokens),
            )
            for (model, day), one in counted.items()
        ]

    def _cost(self, model: str, tokens: Tokens) -> float | None:
        if model == NO_MODEL:
            return 0.0
        price = self._rules.prices.get(model)
        return None if price is None else price.of(tokens)

    def _today(self) -> date:
        return self._clock.now().date()


def _sum(usage: Sequence[NewUsage]) -> Spent:
    return sum(map(spent_by, usage), NOTHING_SPENT)


def spent_by(usage: NewUsage) -> Spent:
    """What is to be added, as one sum. What has no price costs nothing."""
    return Spent(usage.tokens.total, usage.cost_usd or 0.0, usage.requests)
