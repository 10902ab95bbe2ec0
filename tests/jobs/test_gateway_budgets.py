"""What an agent spends is in the table to the token, and stops where the budget ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import pytest
from inline_snapshot import snapshot
from sqlalchemy.exc import OperationalError

from db.budgets import Budget, Price, SpendingRules
from db.errors import RunNotFound
from db.models import ModelUsage
from db.session import Database
from db.usage import NewUsage
from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.gateway import DatabaseLedger, Gateway, GatewayAccess, Standing, Turn
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi
from tests.db.rows import queued_run, read_run
from tests.jobs.gateway_world import REAL_KEY, TURN, Model, ask, client, key, lease, served

PRICES = {"m": Price(1.0, 0.1, 10.0), "mini": Price(0.1, 0.01, 1.0)}


def answer(read: int = 100, cached: int = 10, written: int = 20) -> tuple[bytes, ...]:
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
    }
    event = json.dumps({"type": "response.completed", "response": {"usage": usage}})
    return (b"data: begin\n\n", f"event: response.completed\ndata: {event}\n\n".encode())


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model(pieces=answer())
    made.release.set()
    async with served(made):
        yield made


@pytest.fixture
def root() -> Iterator[Path]:
    with TemporaryDirectory(prefix="gw") as folder:
        yield Path(folder) / "g"


@dataclass
class Calendar:
    """A clock that a test moves."""

    at: datetime = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Bench:
    """A worker's gateway on a real database."""

    database: Database
    model: Model
    root: Path
    clock: Calendar = field(default_factory=Calendar)

    @asynccontextmanager
    async def open(
        self, run_id: UUID, rules: SpendingRules | None = None, ledger: Any = None, **options: Any
    ) -> AsyncIterator[GatewayAccess]:
        rules = rules or SpendingRules(PRICES)
        gateway = Gateway(
            [ModelEndpoint(ModelApi.OPENAI, self.model.url, REAL_KEY)],
            ledger=ledger or DatabaseLedger(self.database, rules.prices),
            rules=rules,
            clock=self.clock,
            **options,
        )
        try:
            yield await gateway.open_run(lease(run_id), self.root)
        finally:
            await gateway.close()

    async def written(self, run_id: UUID, requests: int) -> None:
        """Wait until so many of its requests are in the table."""
        while sum(counted[0] for counted in (await self.rows(run_id)).values()) < requests:
            await asyncio.sleep(0.01)

    async def rows(self, run_id: UUID) -> dict[tuple[str, int, str, str], tuple[int, int, int, int, int, float | None]]:
        def key_of(row: ModelUsage) -> tuple[str, int, str, str]:
            return row.phase.value.removeprefix("speckit_"), row.attempt, row.model, row.day.isoformat()

        run = await read_run(self.database, run_id)
        return {
            key_of(row): (
                row.requests,
                row.refused_requests,
                row.input_tokens,
                row.cached_input_tokens,
                row.output_tokens,
                None if row.cost_usd is None else round(row.cost_usd, 9),
            )
            for row in run.model_usage
        }


@pytest.fixture
def bench(database: Database, model: Model, root: Path) -> Bench:
    return Bench(database, model, root)


async def test_every_answer_is_in_the_table_to_the_token(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    async with bench.open(run_id) as access:
        async with access.turn(TURN):
            for body in (b'{"model":"m"}', b'{"model":"m"}', b'{"model":"mini"}', b'{"model":"other"}', b"{}"):
                await ask(access, body)
            async with client(access) as session, session.get("http://x/v1/models", headers=key(access)) as asked:
                assert asked.status == 200
        bench.model.pieces = answer(7, 0, 1)
        async with access.turn(Turn(Phase.SPECKIT_TASKS, 2, "codex_cli", ["m"])):
            await ask(access)
            bench.model.status = 500
            await ask(access)
    assert await bench.rows(run_id) == {
        ("plan", 1, "", "2026-11-22"): (0, 2, 0, 0, 0, 0.0),
        ("plan", 1, "m", "2026-11-22"): (2, 0, 200, 20, 40, 0.000582),
        ("plan", 1, "mini", "2026-11-22"): (1, 0, 100, 10, 20, 0.0000291),
        ("tasks", 2, "m", "2026-11-22"): (2, 0, 7, 0, 1, 0.000017),
    }


async def test_without_a_price_there_is_no_cost(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    async with bench.open(run_id, SpendingRules()) as access, access.turn(TURN):
        await ask(access)
    assert await bench.rows(run_id) == {("plan", 1, "m", "2026-11-22"): (1, 0, 100, 10, 20, None)}


async def test_an_answer_after_midnight_counts_for_the_new_day(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    async with bench.open(run_id) as access, access.turn(TURN):
        await ask(access)
        bench.clock.at += timedelta(hours=1)
        await ask(access)
    assert {row[3]: counted[0] for row, counted in (await bench.rows(run_id)).items()} == {
        "2026-11-22": 1,
        "2026-11-23": 1,
    }


async def test_the_budget_of_a_run_ends_its_requests(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    rules = SpendingRules(PRICES, run=Budget(tokens=240))
    async with bench.open(run_id, rules) as access:
        async with access.turn(TURN) as opened:
            assert [(await ask(access))[0] for _ in range(2)] == [200, 200]
            assert opened.failure is None, "it was not exceeded before somebody asked for more"
            for _ in range(2):
                status, body = await ask(access)
                assert (status, json.loads(body)["error"]) == (
                    400,
                    {
                        "message": "the budget for tokens is used up: stop working, no request will be answered any more",
                        "type": "invalid_request_error",
                        "param": None,
                        "code": "budget_reached",
                    },
                )
        assert opened.failure is not None
        assert (opened.failure.code, type(opened.failure)) == (ErrorCode.AGENT_BUDGET_REACHED, UserError)
        assert opened.failure.message == snapshot(
            "The budget of this run is used up: 240 of 240 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can raise it; then `/speckit retry` goes on with this phase."
        )
        with pytest.raises(UserError, match="used up: 240 of 240 tokens"):
            async with access.turn(Turn(Phase.SPECKIT_TASKS, 1, "codex_cli", ["m"])):
                pytest.fail("a phase began that nothing is left for")
    assert len(bench.model.asked) == 2
    assert await bench.rows(run_id) == {("plan", 1, "m", "2026-11-22"): (2, 2, 200, 20, 40, 0.000582)}


@pytest.mark.parametrize(
    ("rules", "arguments", "said"),
    [
        (
            SpendingRules(PRICES, run=Budget(requests=1)),
            {},
            snapshot(
                "The budget of this run is used up: 1 of 1 requests (`SPECKIT_RUN_REQUESTS`). Whoever runs this bot can raise it; then `/specs retry` goes on with this phase."
            ),
        ),
        (
            SpendingRules(PRICES, run=Budget(cost=0.0002)),
            {},
            snapshot(
                "The budget of this run is used up: 0.0003 of 0.0002 USD (`SPECKIT_RUN_COST`). Whoever runs this bot can raise it; then `/specs retry` goes on with this phase."
            ),
        ),
        (
            SpendingRules(PRICES, run=Budget(tokens=5000)),
            {"budget": {"tokens": 100}},
            snapshot(
                "The budget of this run is used up: 120 of 100 tokens (`limits.tokens`). Whoever maintains this repository can raise it; then `/specs retry` goes on with this phase."
            ),
        ),
        (
            SpendingRules(PRICES, run=Budget(tokens=100)),
            {"budget": {"tokens": 5000}},
            snapshot(
                "The budget of this run is used up: 120 of 100 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can raise it; then `/specs retry` goes on with this phase."
            ),
        ),
        (
            SpendingRules(PRICES, repository_day=Budget(cost=0.0001, requests=9)),
            {},
            snapshot(
                "This repository's budget for today is used up: 0.0003 of 0.0001 USD (`SPECKIT_REPOSITORY_DAY_COST`). It is new at 00:00 UTC, and whoever runs this bot can raise it; then `/specs retry` goes on with this phase."
            ),
        ),
    ],
)
async def test_each_budget_is_named_with_who_can_raise_it(
    bench: Bench, rules: SpendingRules, arguments: dict[str, Any], said: str
) -> None:
    run_id = await queued_run(bench.database, arguments=arguments)
    async with bench.open(run_id, rules, prefix="/specs") as access, access.turn(TURN) as opened:
        assert [(await ask(access))[0] for _ in range(2)] == [200, 400]
    assert opened.failure is not None
    assert opened.failure.message == said


async def test_a_retry_goes_on_with_what_is_left(bench: Bench) -> None:
    first = await queued_run(bench.database)
    second = await queued_run(bench.database, retry_of=first)
    rules = SpendingRules(PRICES, run=Budget(requests=3))
    async with bench.open(first, rules) as access, access.turn(TURN):
        assert [(await ask(access))[0] for _ in range(2)] == [200, 200]
    async with bench.open(second, rules) as access, access.turn(TURN):
        assert [(await ask(access))[0] for _ in range(2)] == [200, 400]
    raised = SpendingRules(PRICES, run=Budget(requests=4))
    async with bench.open(second, raised) as access, access.turn(TURN):
        assert [(await ask(access))[0] for _ in range(2)] == [200, 400]


async def test_the_day_of_a_repository_is_shared_and_ends(bench: Bench) -> None:
    one, two = [await queued_run(bench.database) for _ in range(2)]
    elsewhere = await queued_run(bench.database, repository_id=12)
    rules = SpendingRules(PRICES, repository_day=Budget(requests=3))
    async with (
        bench.open(one, rules) as first,
        bench.open(two, rules) as second,
        bench.open(elsewhere, rules) as other,
        first.turn(TURN) as here,
        second.turn(TURN) as there,
        other.turn(TURN),
    ):
        # What another run spends is known once it is written, after the next answer of one's own.
        for access, run_id, requests in ((first, one, 1), (second, two, 1), (second, two, 2), (first, one, 2)):
            assert (await ask(access))[0] == 200
            await bench.written(run_id, requests)
        while None in (here.account.reached(), there.account.reached()):
            await asyncio.sleep(0.01)
        assert [(await ask(access))[0] for access in (first, second)] == [400, 400]
        assert (await ask(other))[0] == 200
        bench.clock.at += timedelta(days=1)
        assert (await ask(other))[0] == 200
    async with bench.open(one, rules) as access, access.turn(TURN):
        assert (await ask(access))[0] == 200


async def test_a_budget_in_dollars_without_a_price_lets_nothing_begin(bench: Bench) -> None:
    run_id = await queued_run(bench.database, arguments={"budget": {"cost": 1.0}})
    async with bench.open(run_id, SpendingRules({"m": PRICES["m"]})) as access:
        with pytest.raises(UserError) as refused:
            async with access.turn(TURN):
                pytest.fail("it began")
    assert refused.value.code is ErrorCode.AGENT_NOT_CONFIGURED
    assert refused.value.message == snapshot(
        "`limits.cost` cannot be kept, because no price is known for the model mini. Whoever runs this bot can add it to SPECKIT_MODEL_PRICES; without that, take `limits.cost` out of the repository's configuration."
    )
    assert bench.model.asked == []


async def test_who_hangs_up_before_the_end_pays_all_the_same(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    bench.model.release.clear()
    async with bench.open(run_id, SpendingRules(PRICES, run=Budget(tokens=120))) as access:
        async with access.turn(TURN):
            async with (
                client(access) as session,
                session.post("http://x/v1/responses", data=b'{"model":"m"}', headers=key(access)) as begun,
            ):
                await begun.content.readuntil(b"\n\n")
            bench.model.release.set()
        with pytest.raises(UserError, match="120 of 120 tokens"):
            async with access.turn(TURN):
                pass
    assert await bench.rows(run_id) == {("plan", 1, "m", "2026-11-22"): (1, 0, 100, 10, 20, 0.000291)}


async def test_a_stopped_worker_waits_for_no_answer_and_writes_what_it_knows(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    bench.model.release.clear()
    async with bench.open(run_id) as access:

        async def work() -> None:
            async with access.turn(TURN):
                await ask(access)

        working = asyncio.create_task(work())
        while not bench.model.asked:
            await asyncio.sleep(0.01)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        while not (rows := await bench.rows(run_id)):
            await asyncio.sleep(0.01)
    assert rows == {("plan", 1, "m", "2026-11-22"): (1, 0, 0, 0, 0, 0.0)}


async def test_an_agent_that_goes_on_without_a_budget_is_stopped(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    rules = SpendingRules(PRICES, run=Budget(requests=1))
    async with bench.open(run_id, rules, last_words_seconds=0.1) as access, access.turn(TURN) as opened:

        async def never_stops() -> None:
            async with opened.patience():
                while True:
                    await ask(access)

        with pytest.raises(TimeoutError):
            await never_stops()
        assert opened.failure is not None
    assert len(bench.model.asked) == 1


@dataclass
class Moody:
    """A ledger whose database is away at times."""

    inner: DatabaseLedger
    away: bool = False

    async def record(self, run_id: UUID, day: date, usage: Sequence[NewUsage]) -> Standing:
        if self.away:
            raise OperationalError("insert", None, OSError("gone"))
        return await self.inner.record(run_id, day, usage)


async def test_what_the_database_missed_is_written_when_it_is_back(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    ledger = Moody(DatabaseLedger(bench.database, PRICES))
    async with bench.open(run_id, SpendingRules(PRICES, run=Budget(requests=3)), ledger) as access:
        async with access.turn(TURN):
            ledger.away = True
            assert [(await ask(access))[0] for _ in range(2)] == [200, 200]
            assert await bench.rows(run_id) == {}
            ledger.away = False
            assert [(await ask(access))[0] for _ in range(2)] == [200, 400]
        assert (await bench.rows(run_id))["plan", 1, "m", "2026-11-22"][:3] == (3, 1, 300)


async def test_a_phase_whose_cost_cannot_be_written_does_not_end_well(bench: Bench) -> None:
    run_id = await queued_run(bench.database)
    ledger = Moody(DatabaseLedger(bench.database, PRICES))
    async with bench.open(run_id, ledger=ledger) as access:

        async def works() -> None:
            async with access.turn(TURN):
                ledger.away = True
                await ask(access)

        with pytest.raises(OperationalError):
            await works()
        with pytest.raises(OperationalError):
            async with access.turn(TURN):
                pytest.fail("it began without knowing what was spent")


async def test_a_run_that_is_not_there_spends_nothing(bench: Bench) -> None:
    async with bench.open(uuid4()) as access:
        with pytest.raises(RunNotFound):
            async with access.turn(TURN):
                pytest.fail("it began")
