"""What a run spent, where people look: its comment, its check run, its page and the answer to ``status``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html import unescape

from inline_snapshot import snapshot

from bot.reporting import messages
from bot.reporting.check_run import check_run
from bot.reporting.run_comment import run_comment
from bot.reporting.spending import spending_in_all
from db.budgets import Budget, BudgetState, Spent, Tokens
from db.models import ModelUsage, SpecAutomationRun
from db.usage import NewUsage, add_usage
from db.vocabulary import ErrorCode, Phase, RunStatus
from tests.bot.conftest import StartWeb
from tests.bot.example_runs import HEAD, RUN_ID, VIEW, example_run, failed_run, state_of, succeeded_run
from tests.bot.test_pages import Book, harmless

DAY = date(2026, 11, 22)


def usage(phase: Phase, **changes: object) -> ModelUsage:
    values: dict[str, object] = {
        "run_id": RUN_ID,
        "phase": phase,
        "attempt": 1,
        "model": "gpt-5-codex",
        "day": DAY,
        "repository_id": 2,
        "requests": 2,
        "refused_requests": 0,
        "input_tokens": 1200,
        "cached_input_tokens": 800,
        "output_tokens": 300,
        "cost_usd": 0.0123,
        **changes,
    }
    return ModelUsage(**values)


def metered() -> SpecAutomationRun:
    """Specify was counted, plan too but without a price, and tasks only tells of itself."""
    run = succeeded_run()
    run.model_usage = [
        usage(Phase.SPECKIT_SPECIFY),
        usage(Phase.SPECKIT_SPECIFY, attempt=2, cost_usd=0.4),
        usage(Phase.SPECKIT_PLAN, cost_usd=None),
    ]
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"input_tokens": 1, "output_tokens": 1, "cost_usd": 9.0}
    state_of(run, Phase.SPECKIT_TASKS).details = {"input_tokens": 40, "output_tokens": 4}
    return run


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_the_comment_tells_by_phase_what_the_gateway_counted() -> None:
    text = run_comment(metered(), VIEW)
    assert rows(text) == snapshot(
        [
            "| | phase | took | attempt | spent |",
            "|---|---|---:|---:|---:|",
            "| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |  |",
            "| ✅ | `start_job_container` starting the container | 1.0 s | 1 |  |",
            "| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |  |",
            "| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 | 2,400 tokens in, 600 out, 0.41 USD |",
            "| ✅ | `speckit_plan` writing the plan | 1.0 s | 1 | 1,200 tokens in, 300 out |",
            "| ✅ | `speckit_tasks` writing the tasks | 1.0 s | 1 | 40 tokens in, 4 out |",
            "| ✅ | `commit_push` committing and pushing | 1.0 s | 1 |  |",
            "| ✅ | `open_pr` opening the pull request | 1.0 s | 1 |  |",
            "| ✅ | `cleanup` cleaning up | 1.0 s | 1 |  |",
        ]
    )
    (small_print,) = [line for line in text.splitlines() if line.startswith("took ")]
    assert small_print.split(" · ")[3:5] == snapshot(["3,640 tokens in, 904 out", "0.41 USD"])


def test_the_check_run_tells_the_same() -> None:
    run = metered()
    assert rows(str(check_run(run, VIEW, head_sha=HEAD)["output"]["summary"])) == rows(run_comment(run, VIEW))


def test_while_a_phase_works_its_numbers_are_not_told_yet() -> None:
    run = example_run(at=Phase.SPECKIT_PLAN)
    run.model_usage = [usage(Phase.SPECKIT_SPECIFY), usage(Phase.SPECKIT_PLAN)]
    told = rows(run_comment(run, VIEW))
    assert [row.rpartition("| ")[2] for row in told if "speckit_" in row] == snapshot(
        ["1,200 tokens in, 300 out, 0.0123 USD |", " |", " |"]
    )


def test_without_the_gateway_the_agents_own_numbers_count() -> None:
    run = succeeded_run()
    state_of(run, Phase.SPECKIT_PLAN).details = {"input_tokens": 10, "output_tokens": None, "cost_usd": 0.5}
    spent = spending_in_all(run)
    assert (spent.tokens, spent.cost) == (Tokens(10, 0, 0), 0.5)
    assert "spent" not in rows(run_comment(run, VIEW))[0]


def test_half_of_a_cost_is_none() -> None:
    run = succeeded_run()
    run.model_usage = [usage(Phase.SPECKIT_PLAN), usage(Phase.SPECKIT_PLAN, model="mini", cost_usd=None)]
    assert spending_in_all(run).cost is None
    # What was only refused costs nothing, whatever its price.
    run.model_usage = [
        usage(Phase.SPECKIT_PLAN),
        usage(Phase.SPECKIT_PLAN, model="mini", requests=0, input_tokens=0, output_tokens=0, cost_usd=None),
    ]
    assert spending_in_all(run).cost == 0.0123


def test_status_shows_what_is_spent_of_the_budget() -> None:
    state = BudgetState(
        Budget(tokens=50_000, cost=2.5, requests=200), Spent(4544, 0.4123, 6), Budget(requests=1000), Spent(0, 0.0, 70)
    )
    run = metered()
    assert messages.status_reply([run], VIEW, {}, {run.run_id: state}) == snapshot("""\
The one run here:

- `7f3a9c21` · ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft. · `specify` “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” for `alice` · spent 4,544 of 50,000 tokens, 0.41 of 2.50 USD, 6 of 200 requests; in this repository today 70 of 1,000 requests · [comment](https://github.example/acme/shop/issues/7#issuecomment-90) · [logs](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe)\
""")
    assert "spent" not in messages.status_reply([succeeded_run()], VIEW, {}, {RUN_ID: state}), "no model, no spending"
    assert "spent" not in messages.status_reply([run], VIEW, {})


def test_a_budget_that_is_used_up_is_told_with_what_to_do() -> None:
    sentence = "The budget of this run is used up: 240 of 240 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can"
    run = failed_run(ErrorCode.AGENT_BUDGET_REACHED, sentence)
    parts = run_comment(run, VIEW).split("\n\n")
    assert parts[2:4] == snapshot(
        [
            "The budget of this run is used up: 240 of 240 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can",
            "Whoever set the budget can cure this: what was finished is kept, and once the budget is raised `/speckit retry` goes on after it.",
        ]
    )
    assert "retry" in str(check_run(run, VIEW, head_sha=HEAD)["actions"])


async def test_the_page_shows_each_model_and_what_is_left(start_web: StartWeb) -> None:
    web = await start_web(SPECKIT_RUN_TOKENS=50_000, SPECKIT_REPOSITORY_DAY_REQUESTS=9)
    book = Book(web.database, web.settings.artifact_root)
    lease = await book.begun()
    today = datetime.now(UTC).date()
    async with web.database.transaction() as session:
        counted = NewUsage(
            lease.run_id, 1, Phase.SPECKIT_PLAN, 1, "<b>m</b>", today, 3, 1, Tokens(1200, 800, 300), 0.12
        )
        nameless = NewUsage(lease.run_id, 1, Phase.SPECKIT_PLAN, 1, "", today, 0, 7, cost_usd=0.0)
        await add_usage(session, [counted, nameless])
    await book.ended(lease, RunStatus.FAILED, "It ended.")
    page = await (await web.client.get(f"/runs/{lease.run_id}")).text()
    harmless(page)
    told = [unescape(line) for line in re.findall(r'<p class="quiet">([^<]*(?:request|refused)[^<]*)</p>', page)]
    assert told == snapshot(
        [
            "7 refused that asked for no model that is allowed",
            "<b>m</b>: 3 requests, 1 refused, 1,200 tokens in, 300 out (800 of what went in was cached), 0.12 USD",
        ]
    )
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert (facts["Spent"], facts["Of its budget"]) == snapshot(
        ("1,200 tokens in, 300 out, 0.12 USD", "1,500 of 50,000 tokens; in this repository today 3 of 9 requests")
    )
