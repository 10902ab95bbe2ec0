"""What runs spent on models, as the gateway counted it. All functions work inside the caller's transaction.

A row is written by whoever paid, also without the lease: an answer that was paid for is a fact whoever holds the run by
now. Rows are added to and never set, so that nothing is lost and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, func, literal, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.budgets import NOTHING, NOTHING_SPENT, BudgetState, Prices, SpendingRules, Spent, Tokens, asked_for
from db.models import ModelUsage
from db.models import SpecAutomationRun as Run
from db.vocabulary import Phase

NO_MODEL = ""
"""The model of requests that were refused because they named none that was allowed: names of others are not kept."""

_COUNTED = ("requests", "refused_requests", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd")


@dataclass(frozen=True, slots=True)
class NewUsage:
    """What to add for one model in one attempt of a phase. ``day`` is UTC's; ``cost_usd`` None: no price is known."""

    run_id: UUID
    repository_id: int
    phase: Phase
    attempt: int
    model: str
    day: date
    requests: int = 0
    refused_requests: int = 0
    tokens: Tokens = NOTHING
    cost_usd: float | None = None


async def add_usage(session: AsyncSession, usage: Sequence[NewUsage]) -> None:
    """Add to the rows, or write them. Raises IntegrityError for a run that is not there."""
    if not usage:
        return
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    added = dialect.insert(ModelUsage).values([_values(one) for one in usage])
    await session.execute(
        added.on_conflict_do_update(
            index_elements=["run_id", "phase", "attempt", "model", "day"],
            # What has no price makes the sum one without.
            set_={name: getattr(ModelUsage, name) + getattr(added.excluded, name) for name in _COUNTED},
        )
    )


def _values(usage: NewUsage) -> dict[str, Any]:
    return {
        "run_id": usage.run_id,
        "repository_id": usage.repository_id,
        "phase": usage.phase,
        "attempt": usage.attempt,
        "model": usage.model,
        "day": usage.day,
        "requests": usage.requests,
        "refused_requests": usage.refused_requests,
        "input_tokens": usage.tokens.read,
        "cached_input_tokens": usage.tokens.cached,
        "output_tokens": usage.tokens.written,
        "cost_usd": usage.cost_usd,
    }


async def spent_so_far(
    session: AsyncSession, run_id: UUID, repository_id: int, day: date, prices: Prices
) -> tuple[Spent, Spent]:
    """What the run spent, and every run whose work it took over: a retry does not begin with a new budget. And what all
    runs of the repository spent on that day of UTC."""
    chain = select(Run.run_id, Run.retry_of).where(Run.run_id == run_id).cte("chain", recursive=True)
    # UNION, not UNION ALL: should runs ever name each other, it ends.
    chain = chain.union(select(Run.run_id, Run.retry_of).join(chain, Run.run_id == chain.c.retry_of))
    by_run = ModelUsage.run_id.in_(select(chain.c.run_id))
    by_day = (ModelUsage.repository_id == repository_id) & (ModelUsage.day == day)
    # One question, because it is asked after every answer of a model.
    rows = await session.execute(union_all(_sums(by_run, 0), _sums(by_day, 1)))
    spent = [NOTHING_SPENT, NOTHING_SPENT]
    for which, model, without_price, requests, read, cached, written, known in rows:
        tokens = Tokens(int(read), int(cached), int(written))
        # Where no price was known then, today's counts.
        price = prices.get(model) if without_price else None
        cost = price.of(tokens) if price is not None else float(known)
        spent[which] += Spent(tokens.total, cost, int(requests))
    return spent[0], spent[1]


def _sums(where: ColumnElement[bool], which: int) -> Select[*tuple[Any, ...]]:
    unpriced = ModelUsage.cost_usd.is_(None).label("unpriced")
    sums = (func.coalesce(func.sum(getattr(ModelUsage, name)), 0) for name in _COUNTED if name != "refused_requests")
    return select(literal(which, Integer), ModelUsage.model, unpriced, *sums).where(where).group_by("model", unpriced)


async def budget_state(session: AsyncSession, run: Run, rules: SpendingRules, today: date) -> BudgetState | None:
    """How far a run is; None where no budget holds for it."""
    budget = rules.run.at_most(asked_for(run.arguments))
    if not budget and not rules.repository_day:
        return None
    spent, spent_today = await spent_so_far(session, run.run_id, run.repository_id, today, rules.prices)
    return BudgetState(budget, spent, rules.repository_day, spent_today)
