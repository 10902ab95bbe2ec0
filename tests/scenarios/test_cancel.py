"""Stopping a run in whatever phase it is: the containers are gone at once, the report is final, nothing is left."""

from __future__ import annotations

import time

import pytest

from db.vocabulary import Phase
from localhub.model import Issue
from tests.hostile_agents import ImageWith
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import specified

pytestmark = pytest.mark.engine

SLOW_AGENT = (
    'for word in {phases}; do grep -q "\\"$word\\"" "$1" && sleep 60; done\n'
    'exec /usr/bin/python3 -IS -c \'import sys; sys.path.insert(0, "/opt/speckit/lib"); '
    'from speckit_container.template_agent import main; main()\' "$@"'
)
SLOW_REQUESTS = {
    Phase.PREPARE_JOB: ("GET", "/repos/{owner}/{repo}"),
    Phase.GIT_CLONE: ("*", "/acme/shop.git/*"),
    Phase.COMMIT_PUSH: ("*", "/acme/shop.git/*receive-pack*"),
    Phase.OPEN_PR: ("POST", "/repos/{owner}/{repo}/pulls"),
}
CONTAINER_GONE, REPORT_FINAL = 10.0, 15.0


async def cancelled_during(s: Scenario, phase: Phase, on: Issue, command: str) -> tuple[float, float]:
    """Cancel the run of ``command`` in ``phase``; return the seconds until nothing was left, and until it was told."""
    await s.comment(command, issue=on)
    await s.hub.settle()
    await s.until(lambda: _in_phase(s, on, phase))
    await s.comment("/speckit cancel", issue=on, by="linus")
    said = time.monotonic()
    await s.until(lambda: _no_container(s), 30)
    gone = time.monotonic() - said
    await s.until(lambda: _told(s, on), 30)
    told = time.monotonic() - said
    s.hub.faults.clear()
    await s.rest()
    return gone, told


@pytest.mark.parametrize(
    "phase",
    [
        Phase.PREPARE_JOB,
        Phase.START_JOB_CONTAINER,
        Phase.GIT_CLONE,
        Phase.SPECKIT_SPECIFY,
        Phase.SPECKIT_PLAN,
        Phase.SPECKIT_TASKS,
        Phase.COMMIT_PUSH,
        Phase.OPEN_PR,
    ],
)
async def test_cancel_stops_a_run_in_any_phase(open_stage: OpenStage, image_with: ImageWith, phase: Phase) -> None:
    image = {}
    if phase in {Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS}:
        image = {"SPECKIT_JOB_IMAGE": image_with(SLOW_AGENT.format(phases=phase.value))}
    s = await open_stage(**image)
    _another_writer(s)
    if phase in SLOW_REQUESTS:
        method, route = SLOW_REQUESTS[phase]
        s.hub.faults.add(method, route, delay=25.0)
    gone, told = await cancelled_during(s, phase, s.issue, f"/speckit specify {INVOICE}")

    (run,) = await s.runs()
    assert (run.status, run.error_code) == ("failed", "run.cancelled"), run.result_summary
    assert run.cancel_requested_by == "linus", "whoever may, whoever started it"
    assert gone < CONTAINER_GONE
    assert told < REPORT_FINAL
    assert run.cleanup_succeeded
    assert "Cancelled by `linus`" in s.replies()[0].body
    assert all(check.conclusion == "cancelled" for check in s.check_runs())
    if phase is not Phase.OPEN_PR:
        assert not s.bot_branches()
        assert not s.pull_requests()


@pytest.mark.parametrize("verb", ["clarify", "checklist", "analyze", "refine FR-001 faster"])
async def test_cancel_stops_what_works_on_a_pull_request(
    open_stage: OpenStage, image_with: ImageWith, verb: str
) -> None:
    phase = Phase(f"speckit_{verb.partition(' ')[0]}")
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(SLOW_AGENT.format(phases=phase.value)))
    _another_writer(s)
    issue = await specified(s, "--until plan" if verb != "analyze" else "")
    head = s.pull_request().head_sha
    gone, told = await cancelled_during(s, phase, issue, f"/speckit {verb}")

    (run,) = await s.runs(issue)
    assert (run.status, run.error_code) == ("failed", "run.cancelled"), run.result_summary
    assert gone < CONTAINER_GONE
    assert told < REPORT_FINAL
    assert s.pull_request().head_sha == head
    assert s.check_run_at(head).conclusion == "cancelled"
    assert "retry" in s.check_run_at(head).buttons


async def test_cancel_takes_a_waiting_run_out_of_the_queue(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment("/speckit specify First.\n\n/speckit specify Second.")
    await s.hub.settle()
    await s.until(lambda: _waiting(s, 2))
    second, _ = await s.runs()
    await s.comment(f"/speckit cancel {str(second.run_id)[:8]}")
    await s.hub.settle()
    await s.until(lambda: _waiting(s, 1))
    await s.start_worker()
    await s.rest()
    assert {run.status for run in await s.runs()} == {"succeeded", "failed"}


async def test_somebody_who_may_not_stops_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    await s.hub.settle()
    await s.until(lambda: _waiting(s, 1))
    await s.comment("/speckit cancel", by="ada")
    await s.hub.settle()
    await s.start_worker()
    run = await s.finish()
    assert run.status == "succeeded"


def _another_writer(s: Scenario) -> None:
    s.hub.create_user("linus")
    s.hub.set_permission(s.repository, "linus", "write")


async def _in_phase(s: Scenario, issue: Issue, phase: Phase) -> bool:
    runs = await s.runs(issue)
    return bool(runs) and s.phases(runs[0]).get(phase.value) in {"running", "succeeded"}


async def _no_container(s: Scenario) -> bool:
    return await s.containers() == []


async def _told(s: Scenario, issue: Issue) -> bool:
    run = (await s.runs(issue))[0]
    return run.report.final_reported_at is not None


async def _waiting(s: Scenario, number: int) -> bool:
    return len([run for run in await s.runs() if run.completed_at is None]) == number
