"""What models cost a run: counted up, never set, and summed over retries and days."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from db.budgets import Budget, Measure, Price, Prices, Spent, Tokens, asked_for, used_up
from db.models import ModelUsage
from db.session import Database
from db.usage import NO_MODEL, NewUsage, add_usage, spent_so_far
from db.vocabulary import Phase
from tests.db.rows import count, execute, queued_run, read_run

DAY = date(2026, 11, 22)
REPOSITORY = 11
PRICES = {"gpt": Price(1.25, 0.125, 10.0)}


def usage(run_id: UUID, tokens: Tokens | None = None, **changes: object) -> NewUsage:
    values: dict[str, object] = {
        "run_id": run_id,
        "repository_id": REPOSITORY,
        "phase": Phase.SPECKIT_PLAN,
        "attempt": 1,
        "model": "gpt",
        "day": DAY,
        "requests": 1,
        "refused_requests": 0,
        "tokens": tokens or Tokens(100, 10, 20),
        "cost_usd": 0.5,
        **changes,
    }
    return NewUsage(**values)  # type: ignore[arg-type]


async def add(database: Database, *rows: NewUsage) -> None:
    async with database.transaction() as session:
        await add_usage(session, rows)


async def run_spent(database: Database, run_id: UUID, prices: Prices | None = None) -> Spent:
    async with database.transaction() as session:
        return (await spent_so_far(session, run_id, REPOSITORY, DAY, prices or {}))[0]


async def rows(database: Database, run_id: UUID) -> list[ModelUsage]:
    return list((await read_run(database, run_id)).model_usage)


async def test_answers_are_counted_up_by_phase_attempt_model_and_day(database: Database) -> None:
    run_id = await queued_run(database)
    await add(database, usage(run_id))
    await add(database, usage(run_id), usage(run_id, attempt=2), usage(run_id, model="mini"))
    await add(database, usage(run_id, day=date(2026, 11, 23)), usage(run_id, phase=Phase.SPECKIT_TASKS))
    await add(database)
    found = {(row.phase, row.attempt, row.model, row.day.day): row for row in await rows(database, run_id)}
    assert {key: row.requests for key, row in found.items()} == {
        (Phase.SPECKIT_PLAN, 1, "gpt", 22): 2,
        (Phase.SPECKIT_PLAN, 2, "gpt", 22): 1,
        (Phase.SPECKIT_PLAN, 1, "mini", 22): 1,
        (Phase.SPECKIT_PLAN, 1, "gpt", 23): 1,
        (Phase.SPECKIT_TASKS, 1, "gpt", 22): 1,
    }
    twice = found[Phase.SPECKIT_PLAN, 1, "gpt", 22]
    assert (twice.input_tokens, twice.cached_input_tokens, twice.output_tokens) == (200, 20, 40)
    assert (twice.cost_usd, twice.refused_requests, twice.repository_id) == (1.0, 0, REPOSITORY)


async def test_a_sum_that_holds_an_unknown_price_has_none(database: Database) -> None:
    run_id = await queued_run(database)
    await add(database, usage(run_id))
    await add(database, usage(run_id, cost_usd=None))
    await add(database, usage(run_id))
    (row,) = await rows(database, run_id)
    assert (row.requests, row.cost_usd) == (3, None)


async def test_what_no_price_was_known_for_counts_at_the_price_of_today(database: Database) -> None:
    run_id = await queued_run(database)
    await add(
        database, usage(run_id, Tokens(1_000_000, 200_000, 100_000), cost_usd=None), usage(run_id, model="priced")
    )
    assert await run_spent(database, run_id) == Spent(1_100_120, 0.5, 2)
    spent = await run_spent(database, run_id, PRICES)
    assert spent.cost == pytest.approx(0.5 + 1.0 + 0.025 + 1.0)


async def test_a_retry_goes_on_with_what_the_runs_before_it_spent(database: Database) -> None:
    first = await queued_run(database)
    second = await queued_run(database, retry_of=first)
    third = await queued_run(database, retry_of=second)
    other = await queued_run(database)
    for run_id in (first, second, third, other):
        await add(database, usage(run_id))
    assert [(await run_spent(database, run_id)).tokens for run_id in (first, second, third, other)] == [
        120,
        240,
        360,
        120,
    ]
    assert await run_spent(database, uuid4()) == Spent()


async def test_a_circle_of_retries_ends(database: Database) -> None:
    first = await queued_run(database)
    second = await queued_run(database, retry_of=first)
    await add(database, usage(first), usage(second))
    bare = first.hex if database.dialect == "sqlite" else str(first)
    other = second.hex if database.dialect == "sqlite" else str(second)
    await execute(database, f"UPDATE spec_automation_run SET retry_of = '{other}' WHERE run_id = '{bare}'")
    assert (await run_spent(database, second)).requests == 2


async def test_a_repositorys_day_is_what_all_its_runs_spent(database: Database) -> None:
    one, two, elsewhere = [await queued_run(database) for _ in range(3)]
    await add(database, usage(one), usage(two), usage(two, day=date(2026, 11, 21)), usage(elsewhere, repository_id=12))
    async with database.transaction() as session:
        assert await spent_so_far(session, one, REPOSITORY, DAY, {}) == (Spent(120, 0.5, 1), Spent(240, 1.0, 2))
        assert await spent_so_far(session, uuid4(), REPOSITORY, date(2026, 11, 20), {}) == (Spent(), Spent())


async def test_usage_is_there_as_long_as_its_run(database: Database) -> None:
    run_id = await queued_run(database)
    await add(database, usage(run_id), usage(run_id, model=NO_MODEL, requests=0, refused_requests=7, tokens=Tokens()))
    bare = run_id.hex if database.dialect == "sqlite" else str(run_id)
    await execute(database, f"DELETE FROM spec_automation_run WHERE run_id = '{bare}'")
    async with database.transaction() as session:
        assert await count(session, "model_usage") == 0


async def test_what_cannot_be_is_refused(database: Database) -> None:
    run_id = await queued_run(database)
    for wrong in (
        usage(uuid4()),
        usage(run_id, Tokens(1, 2, 0)),
        usage(run_id, Tokens(-1, -1, 0)),
        usage(run_id, requests=-1),
        usage(run_id, cost_usd=-0.1),
        usage(run_id, attempt=0),
    ):
        with pytest.raises(IntegrityError):
            await add(database, wrong)
    assert await rows(database, run_id) == []


def test_cached_tokens_cost_less() -> None:
    assert Price(1.25, 0.125, 10.0).of(Tokens(1_000_000, 400_000, 50_000)) == pytest.approx(0.75 + 0.05 + 0.5)


def test_a_budget_is_used_up_when_nothing_is_left() -> None:
    budget = Budget(tokens=100, cost=0.5, requests=3)
    assert used_up(budget, Spent(99, 0.49, 2)) is None
    assert used_up(budget, Spent(100, 0.0, 0)) is Measure.TOKENS
    assert used_up(budget, Spent(0, 0.5, 3)) is Measure.COST
    assert used_up(budget, Spent(0, 0.0, 3)) is Measure.REQUESTS
    assert used_up(Budget(), Spent(10**12, 1e9, 10**9)) is None


def test_the_lower_of_two_budgets_holds() -> None:
    operator, repository = Budget(tokens=100, cost=2.0), Budget(tokens=50, cost=3.0, requests=7)
    assert operator.at_most(repository) == Budget(50, 2.0, 7)
    assert (bool(Budget()), bool(Budget(requests=1))) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "budget"),
    [
        (None, Budget()),
        ({}, Budget()),
        ({"budget": {"tokens": 5, "cost": 1, "requests": 2}}, Budget(5, 1.0, 2)),
        ({"budget": {"tokens": True, "cost": "1", "requests": 0}}, Budget()),
        ({"budget": [1]}, Budget()),
    ],
)
def test_what_a_run_may_spend_is_read_from_its_arguments(arguments: dict[str, object] | None, budget: Budget) -> None:
    assert asked_for(arguments) == budget
