"""A real coding agent: codex through the gateway of its run, with a scripted model behind it."""

from __future__ import annotations

import pytest

from tests.jobs.scripted_model import REAL_KEY, scripted_model
from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage
from tests.scenarios.looking import container_of, found_in, look_inside, plan_is_running

pytestmark = pytest.mark.engine

WRITES_WHAT_IS_NEXT = """
folder=$SPECIFY_FEATURE_DIRECTORY
if [ ! -e "$folder/spec.md" ]; then
    mkdir -p "$folder"
    spec='# Feature Specification: Pay by invoice\\n\\n### User Story 1 - Pay later\\n\\nWithin 30 days.\\n'
    printf "$spec" > "$folder/spec.md"
elif [ ! -e "$folder/plan.md" ]; then
    sleep 3
    printf '# Implementation Plan: Pay by invoice\\n\\nA table of invoices.\\n' > "$folder/plan.md"
else
    printf '# Tasks: Pay by invoice\\n\\n- [ ] T001 Make the table\\n' > "$folder/tasks.md"
fi
"""


async def test_the_job_container_holds_no_secret_while_codex_works(open_stage: OpenStage, codex_image: str) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT) as model:
        s = await open_stage(
            SPECKIT_JOB_IMAGE=codex_image,
            SPECKIT_AGENT_BACKENDS="codex_cli",
            OPENAI_API_KEY=REAL_KEY,
            OPENAI_BASE_URL=model.url,
        )
        await s.comment(f"/speckit specify --until plan {INVOICE}")
        await s.until(lambda: plan_is_running(s))
        container = container_of(s, (await s.runs())[0], "job")
        inside: dict[str, bytes] = {}

        async def a_command_of_codex_is_seen() -> bool:
            inside.update(await look_inside(container))
            return b"sleep\x003\x00" in inside["processes and files"]

        await s.until(a_command_of_codex_is_seen, 30)
        run = await s.finish()

        assert run.status == "succeeded", run.result_summary
        assert s.hub.state.tokens, "no token was minted, so none could be found"
        looked = inside["processes and files"]
        assert b"codex\x00exec\x00" in looked, "the look did not reach codex"
        assert b"SPECKIT_GATEWAY_KEY=speckit-run-" in looked, "the look did not reach the environment of codex"
        for place, content in inside.items():
            assert not found_in(s, content), place
        assert set(model.authorizations) == {f"Bearer {REAL_KEY}"}


async def test_codex_says_it_is_done_and_wrote_nothing(open_stage: OpenStage, codex_image: str) -> None:
    async with scripted_model() as model:
        s = await open_stage(
            SPECKIT_JOB_IMAGE=codex_image,
            SPECKIT_AGENT_BACKENDS="codex_cli",
            OPENAI_API_KEY=REAL_KEY,
            OPENAI_BASE_URL=model.url,
        )
        await s.comment(f"/speckit specify {INVOICE}")
        run = await s.finish()

        assert (run.status, run.error_code) == ("failed", "agent.no_output"), run.result_summary
        assert "spec.md" in s.reply().body
        assert not s.pull_requests()
