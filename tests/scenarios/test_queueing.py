"""Many who ask at once: nothing is dropped, nothing is done twice, and everybody knows their place."""

from __future__ import annotations

import asyncio

import pytest
from inline_snapshot import snapshot

from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import specified
from tests.seen import seen

pytestmark = pytest.mark.engine


async def test_a_second_command_on_a_branch_is_told_its_place(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s, "--until specify")
    await s.stop_worker()
    await s.comment("/speckit plan --until plan", issue=issue)
    await s.hub.settle()
    await s.until(lambda: _count(s, 1, issue))
    await s.comment("/speckit checklist", issue=issue)
    await s.hub.settle()
    await s.until(lambda: _replied(s, issue, 1))
    waiting = s.replies(issue)[-1]
    assert seen(waiting.body) == snapshot("""\
⏳ **Waiting:** place 2 in the queue of this repository, behind run `RUN`, which works on the same branch.

`grace` asked for `checklist`.

| | phase | took | attempt |
|---|---|---:|---:|
| ▫️ | `prepare_job` preparing the job |  |  |
| ▫️ | `start_job_container` starting the container |  |  |
| ▫️ | `git_clone` cloning the repository |  |  |
| ▫️ | `speckit_checklist` writing the checklist |  |  |
| ▫️ | `commit_push` committing and pushing |  |  |
| ▫️ | `open_pr` opening the pull request |  |  |
| ▫️ | `cleanup` cleaning up |  |  |

waiting for T · [logs and artifacts](HUB/runs/RUN-ID) · run `RUN-ID`

`/speckit cancel RUN` stops it · `/speckit status` tells how every run stands

<!-- speckit-bot:run=RUN-ID -->\
""")
    await s.start_worker()
    await s.rest()
    assert [(run.verb, run.status) for run in await s.runs(issue)] == [
        ("checklist", "succeeded"), ("plan", "succeeded"),
    ]  # fmt: skip
    assert "Done" in waiting.body
    second, first = await s.runs(issue)
    assert first.completed_at is not None
    assert second.started_at is not None
    assert second.started_at >= first.completed_at, "one writer per branch"


async def test_the_same_command_twice_is_one_run(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    await s.hub.settle()
    await s.until(lambda: _count(s, 1))
    again = await s.comment(f"/speckit specify --until specify {INVOICE}")
    await s.hub.settle()
    await s.until(lambda: _replied(s, s.issue, 1))
    assert seen(s.replies()[-1].body) == snapshot("""\
That is run `RUN` already, next in the queue of this repository.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    await s.start_worker()
    run = await s.finish()
    assert len(await s.runs()) == 1
    assert run.status == "succeeded"
    assert s.reactions(again) == ["eyes"]


async def test_the_bots_own_comments_cancel_nothing(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --until specify {INVOICE}\n\n/speckit status\n\n/speckit help")
    run = await s.finish()
    assert run.status == "succeeded"
    assert run.cancel_requested_at is None


@pytest.mark.timeout(600)
async def test_thirty_commands_on_one_issue_within_seconds(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    texts = [f"/speckit specify --until specify --dry-run Wish number {number} of thirty." for number in range(20)]
    texts += ["/speckit status"] * 4 + ["/speckit help"] * 4 + ["/speckit config"] * 2
    await asyncio.gather(*(s.comment(text) for text in texts))
    await s.hub.settle()
    await s.until(lambda: _count(s, 20))
    await s.start_worker(max_runs=4)
    await s.rest(500)
    runs = await s.runs()
    assert len(runs) == 20
    assert {run.status for run in runs} == {"succeeded"}
    bodies = [reply.body for reply in s.replies()]
    for run in runs:
        assert sum(f"run={run.run_id}" in body for body in bodies) == 1, "one comment per run"
    assert sum("speckit-bot:reply=" in body for body in bodies) == 10, "one answer per question"
    assert len(bodies) == 30


@pytest.mark.timeout(1200)
async def test_fifty_at_the_same_moment_get_fifty_of_everything(open_stage: OpenStage) -> None:
    s = await open_stage(
        SPECKIT_MAX_RUNS=6,
        SPECKIT_MAX_RUNS_PER_INSTALLATION=50,
        SPECKIT_MAX_RUNS_PER_REPOSITORY=50,
        SPECKIT_MAX_RUNS_PER_PERSON=50,
    )
    issues = [s.hub.create_issue(s.repository, f"Wish {number}", "Please.", "ada") for number in range(50)]
    await asyncio.gather(
        *(s.comment("/speckit specify --until specify Let customers pay by invoice.", issue=issue) for issue in issues)
    )
    # GitHub lets an App create so much a minute, and each run creates a comment, a check run and a pull request.
    await s.rest(1000)
    runs = [run for issue in issues for run in await s.runs(issue)]
    assert len(runs) == 50
    assert {run.status for run in runs} == {"succeeded"}, [run.result_summary for run in runs]
    assert len({run.feature_directory for run in runs}) == 50
    numbers = sorted(int(str(run.feature_directory).removeprefix("specs/").split("-")[0]) for run in runs)
    assert numbers == list(range(1, 51))
    assert len(set(s.bot_branches())) == 50
    pulls = s.pull_requests()
    assert len(pulls) == 50
    assert {pull.head_branch for pull in pulls} == set(s.bot_branches())


async def test_what_somebody_else_numbered_is_not_taken_again(open_stage: OpenStage) -> None:
    s = await open_stage(files={"README.md": "# Shop\n", "specs/003-old/spec.md": "# Old\n"})
    s.hub.commit_files(s.repository, "007-by-hand", {"x": "1"})
    await specified(s, "--until specify")
    (run,) = await s.runs()
    assert run.feature_directory == "specs/008-customers-pay-invoice"


async def _count(s: Scenario, number: int, issue: object = None) -> bool:
    return len(await s.runs(issue)) == number  # type: ignore[arg-type]


async def _replied(s: Scenario, issue: object, more: int) -> bool:
    return len([reply for reply in s.replies(issue) if "questions=" not in reply.body]) >= more  # type: ignore[arg-type]
