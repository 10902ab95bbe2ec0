"""A budget is reached while a real agent works: it stops there, what is finished is kept, and nothing is paid for twice."""

from __future__ import annotations

import re

import pytest
from inline_snapshot import snapshot

from db.models import SpecAutomationRun
from tests.jobs.scripted_model import REAL_KEY, scripted_model
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.test_codex import WRITES_WHAT_IS_NEXT
from tests.seen import seen

pytestmark = pytest.mark.engine

Counted = tuple[int, int, int, int, float | None]


def spent(run: SpecAutomationRun) -> dict[str, Counted]:
    """What the table has of a run, by phase: requests passed on, tokens in, of those from a cache, out, US dollars."""
    return {
        row.phase.value.removeprefix("speckit_"): (
            row.requests,
            row.input_tokens,
            row.cached_input_tokens,
            row.output_tokens,
            None if row.cost_usd is None else round(row.cost_usd, 9),
        )
        for row in run.model_usage
    }


async def say(s: Scenario, text: str) -> str:
    """Give a command and return what is answered."""
    await s.comment(text)
    await s.rest()
    return s.replies()[-1].body


async def test_a_run_stops_at_its_budget_and_goes_on_when_it_is_raised(open_stage: OpenStage, codex_image: str) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT) as model:
        # Each request of the script takes 100 tokens in (10 of them cached) and 20 out, and a phase is two of them.
        s = await open_stage(
            SPECKIT_JOB_IMAGE=codex_image,
            SPECKIT_AGENT_BACKENDS="codex_cli",
            OPENAI_API_KEY=REAL_KEY,
            OPENAI_BASE_URL=model.url,
            SPECKIT_RUN_TOKENS=300,
            SPECKIT_MODEL_PRICES="gpt-5-codex=1.25/0.125/10",
        )
        await s.comment(f"/speckit specify {INVOICE}")
        first = await s.finish()

        assert (first.status, first.error_code) == ("failed", "agent.budget_reached")
        phases = s.phases(first)
        assert (phases["speckit_specify"], phases["speckit_plan"], phases["speckit_tasks"]) == (
            "succeeded",
            "failed",
            "skipped",
        )
        assert first.result_summary == snapshot(
            "The budget of this run is used up: 360 of 300 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can raise it; then `/speckit retry` goes on with this phase."
        )
        assert not s.pull_requests()
        assert spent(first) == {"specify": (2, 200, 20, 40, 0.0006275), "plan": (1, 100, 10, 20, 0.00031375)}
        assert len(model.asked) == 3, "what is refused never reaches the model"
        assert seen(s.reply().body) == snapshot("""\
❌ **Not done: the run stopped while writing the plan.**

`grace` asked for `specify`: Let customers pay by invoice. Net 30, EU only.

The budget of this run is used up: 360 of 300 tokens (`SPECKIT_RUN_TOKENS`). Whoever runs this bot can raise it; then `/speckit retry` goes on with this phase.

Whoever set the budget can cure this: what was finished is kept, and once the budget is raised `/speckit retry` goes on after it.

| | phase | took | attempt | spent |
|---|---|---:|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |  |
| ✅ | `start_job_container` starting the container | T | 1 |  |
| ✅ | `git_clone` cloning the repository | T | 1 |  |
| ✅ | `speckit_specify` writing the specification | T | 1 | 200 tokens in, 40 out, 0.0006 USD |
| ❌ | `speckit_plan` writing the plan | T | 1 | 100 tokens in, 20 out, 0.0003 USD |
| ⏭️ | `speckit_tasks` writing the tasks |  |  |  |
| ⏭️ | `commit_push` committing and pushing |  |  |  |
| ⏭️ | `open_pr` opening the pull request |  |  |  |
| ✅ | `cleanup` cleaning up | T | 1 |  |

took T · agent `codex_cli` codex-cli 0.163.0 · Spec Kit 1.2.3 · 300 tokens in, 60 out · 0.0009 USD · [logs and artifacts](HUB/runs/RUN-ID) · error `agent.budget_reached` · run `RUN-ID`

**The agent on writing the specification:** The specification is written.

**Next:**

- `/speckit retry` goes on where it stopped
- `/speckit specify TEXT` starts anew

<!-- speckit-bot:run=RUN-ID -->\
""")
        _, page = await s.page(f"/runs/{first.run_id}")
        assert "360 of 300 tokens" in page
        assert re.search(r"gpt-5-codex: 1 request, [1-9]\d* refused, 100 tokens in, 20 out", page)
        assert "360 of 300 tokens" in await say(s, "/speckit status")

        # Nothing was raised, so nothing begins.
        assert "is used up: 360 of 300 tokens" in await say(s, "/speckit retry")
        assert len(model.asked) == 3

        await s.stop_worker()
        await s.start_worker(run_tokens=1000)
        await s.comment("/speckit retry")
        await s.rest()
        last = (await s.runs())[0]
        assert last.status == "succeeded", last.result_summary
        assert s.phases(last)["speckit_specify"] == "skipped"
        assert spent(last) == {"plan": (2, 200, 20, 40, 0.0006275), "tasks": (2, 200, 20, 40, 0.0006275)}
        commands = [re.findall(r"source: .{0,3}templates/commands/(\w+)\.md", model.told(at)) for at in range(7)]
        assert [found[0] for found in commands] == ["specify"] * 2 + ["plan"] * 3 + ["tasks"] * 2
        assert len(model.asked) == 7
        pull = s.pull_request()
        assert "Within 30 days." in pull.text_of(f"{last.feature_directory}/spec.md")
        assert "tokens in" in pull.body
