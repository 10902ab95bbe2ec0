"""Doing it again: from where it ended, without paying for anything twice."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.hostile_agents import ImageWith
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import DIRECTORY, say, specified
from tests.seen import seen

pytestmark = pytest.mark.engine

FAILS_AT_PLAN = (
    'grep -q speckit_plan "$1" && { echo no plan today; exit 9; }\n'
    'exec /usr/bin/python3 -IS -c \'import sys; sys.path.insert(0, "/opt/speckit/lib"); '
    'from speckit_container.template_agent import main; main()\' "$@"'
)


async def test_retry_goes_on_where_it_ended(open_stage: OpenStage, image_with: ImageWith, job_image: str) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(FAILS_AT_PLAN))
    await s.comment(f"/speckit specify {INVOICE}")
    first = await s.finish()
    assert (first.status, first.error_code) == ("failed", "agent.failed")
    assert "/speckit retry" in s.reply().body

    await s.stop_worker()
    await s.start_worker(job_image=job_image)
    await s.comment("/speckit retry")
    await s.rest()
    second, _ = await s.runs()
    assert second.status == "succeeded", second.result_summary
    assert second.retry_of == first.run_id
    phases = s.phases(second)
    assert phases["speckit_specify"] == "skipped", "the specification was not written twice"
    assert phases["speckit_plan"] == phases["speckit_tasks"] == "succeeded"
    pull = s.pull_request()
    for name in ("spec.md", "plan.md", "tasks.md"):
        assert f"{DIRECTORY}/{name}" in pull.files
    assert "Let customers pay by invoice" in pull.text_of(f"{DIRECTORY}/spec.md")
    assert seen(s.replies()[-1].body) == snapshot("""\
✅ **Done.** [Pull request 2](HUB/acme/shop/pull/2) is open as a draft.

`grace` asked for `specify`: Let customers pay by invoice. Net 30, EU only. It takes over what run `RUN` had finished.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/checklists/requirements.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/checklists/requirements.md) 34 lines
- [`specs/001-customers-pay-invoice/plan.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md) 64 lines
- [`specs/001-customers-pay-invoice/spec.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md) 55 lines
- [`specs/001-customers-pay-invoice/tasks.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/tasks.md) 151 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ⏭️ | `speckit_specify` writing the specification |  |  |
| ✅ | `speckit_plan` writing the plan | T | 1 |
| ✅ | `speckit_tasks` writing the tasks | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the plan:** wrote specs/001-customers-pay-invoice/plan.md from specs/001-customers-pay-invoice/spec.md: 9 technical decisions still to be made

**The agent on writing the tasks:** wrote specs/001-customers-pay-invoice/tasks.md: 9 tasks for 1 user story

**Next**, on [pull request 2](HUB/acme/shop/pull/2):

- `/speckit clarify 1: YOUR ANSWER` answers the first question
- `/speckit analyze` checks the specification, the plan and the tasks against each other
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert "### User stories" in pull.body, "what was taken over is told too"


async def test_retry_of_a_lost_push_pushes_and_works_for_nothing_again(open_stage: OpenStage) -> None:
    s = await open_stage()
    s.hub.faults.add("POST", "/repos/{owner}/{repo}/pulls", status=422, times=None)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    first = await s.finish()
    assert first.status == "failed"
    s.hub.faults.clear()
    await s.comment("/speckit retry")
    await s.rest()
    second, _ = await s.runs()
    assert second.status == "succeeded", second.result_summary
    assert s.phases(second)["commit_push"] == "skipped"
    assert s.pull_request().head_branch == first.branch_name
    assert len(s.bot_branches()) == 1


async def test_retry_of_a_cancelled_run_begins_it(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    await s.until(lambda: _runs_alive(s, 1))
    await s.comment("/speckit cancel")
    await s.until(lambda: _runs_alive(s, 0))
    await s.comment("/speckit retry")
    await s.until(lambda: _runs_alive(s, 1))
    await s.start_worker()
    await s.rest()
    second, first = await s.runs()
    assert (first.error_code, second.status) == ("run.cancelled", "succeeded")


async def test_the_retry_button_is_the_same_as_the_command(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(FAILS_AT_PLAN))
    issue = await specified(s, "--until specify")
    await say(s, "/speckit plan", issue)
    check = s.check_run_at(s.pull_request().head_sha)
    assert check.conclusion == "failure"
    assert check.buttons["retry"] == "Retry"
    await s.hub.press_button(check, "retry", author="grace")
    await s.rest()
    again, first = await s.runs(issue)
    assert (again.trigger, again.retry_of) == ("check_run", first.run_id)
    assert s.check_run_at(s.pull_request().head_sha).id != check.id, "a retried check is a new check run"


async def test_nothing_to_retry_is_told(open_stage: OpenStage) -> None:
    s = await open_stage()
    said = await say(s, "/speckit retry", s.issue)
    assert seen(said) == snapshot("""\
No run here failed or was cancelled, so there is nothing to retry. `/speckit status` lists the runs.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    issue = await specified(s, "--until specify")
    said = await say(s, "/speckit retry", issue)
    assert seen(said) == snapshot("""\
No run here failed or was cancelled, so there is nothing to retry. `/speckit status` lists the runs.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert len(await s.runs()) == 1


async def test_retry_of_a_phase_does_it_anew(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s)
    await say(s, "/speckit retry tasks", issue)
    (run,) = await s.runs(issue)
    assert run.verb == "tasks"
    assert run.status in {"succeeded", "no_changes"}, run.result_summary


async def _runs_alive(s: Scenario, number: int) -> bool:
    runs = await s.runs()
    return bool(runs) and len([run for run in runs if run.completed_at is None]) == number
