"""What a run works on: a pull request it was asked for on, the one of an earlier run, or one of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from db.models import SpecAutomationRun
from db.vocabulary import ErrorCode, Phase, RunStatus, Verb
from jobs.phases import prepare_job
from jobs.run_context import Prepared
from tests.jobs.fake_tree import FEATURE, writes
from tests.jobs.fakes import FakeAgent
from tests.jobs.rig import PULL, Rig

KEY = "issue:3"


@pytest.fixture
def rig(sqlite_rig: Rig) -> Rig:
    return sqlite_rig


async def again(rig: Rig, words: bytes = b"# Once more\n", **differences: Any) -> SpecAutomationRun:
    """A further run for the same issue; its agent writes something else."""
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", words)
    return await rig.finished(**{"writer_key": KEY, "until_phase": Phase.SPECKIT_SPECIFY, **differences})


# Asked for on a pull request


async def test_a_run_on_a_pull_request_continues_its_branch(rig: Rig) -> None:
    run = await rig.finished_on_pull_request(Verb.CHECKLIST)
    prepared = (await rig.state(run.run_id, Phase.PREPARE_JOB)).details
    assert prepared["pull_request_number"] == 1
    assert (prepared["branch"], prepared["base_branch"]) == (PULL["branch"], "main")
    assert prepared["feature_directory"] == FEATURE
    assert (run.pull_request_number, run.branch_name) == (1, PULL["branch"])


async def test_the_branch_is_the_one_github_names_now(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)
    head = rig.world.branches.pop(str(PULL["branch"]))
    rig.world.branches["renamed"] = head
    rig.world.on_github[1] = replace(rig.world.on_github[1], branch="renamed", base_branch="develop")
    run = await rig.worked_on(run_id)
    assert (run.branch_name, run.base_branch) == ("renamed", "develop")
    assert rig.world.branches == {"renamed": run.head_sha}


@pytest.mark.parametrize("change", [{"open": False}, {"branch": None}], ids=["closed", "fork"])
async def test_a_pull_request_that_cannot_be_continued(rig: Rig, change: dict[str, Any]) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)
    rig.world.on_github[1] = replace(rig.world.on_github[1], **change)
    run = await rig.worked_on(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.REQUEST_PULL_REQUEST_CLOSED)
    assert run.result_summary == "Pull request 1 is closed, or its branch is gone. Reopen it, or start anew."
    assert rig.world.containers_made == 0


async def test_a_new_round_of_the_specification_on_its_pull_request(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", b"# Feature Specification: Pay later\n")
    run = await rig.finished_on_pull_request(Verb.SPECIFY, "Net 60.", until_phase=Phase.SPECKIT_SPECIFY)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert (run.feature_directory, run.branch_name) == (FEATURE, PULL["branch"])
    details = (await rig.state(run.run_id, Phase.SPECKIT_SPECIFY)).details
    assert [one["id"] for one in details["requirements_before"]] == ["FR-001", "FR-002"]
    assert details["stale"] == [f"{FEATURE}/plan.md", f"{FEATURE}/tasks.md"]
    assert not rig.world.sources[0].want_branches


async def test_a_specification_on_a_pull_request_without_one_gets_a_directory(rig: Rig) -> None:
    rig.world.feature_directories = ["006-other"]
    run = await rig.finished_on_pull_request(Verb.SPECIFY, "Let customers pay by invoice.", feature_directory=None)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert (run.feature_directory, run.branch_name) == ("specs/007-customers-pay-invoice", PULL["branch"])


# The issue has a pull request already


async def test_a_second_run_for_an_issue_updates_its_pull_request(rig: Rig) -> None:
    first = await rig.finished(writer_key=KEY)
    second = await again(rig)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert second.result_summary == first.result_summary
    assert (second.branch_name, second.feature_directory) == (first.branch_name, FEATURE)
    assert (second.pull_request_number, second.base_sha) == (1, first.head_sha)
    assert rig.world.branches == {first.branch_name: second.head_sha}
    assert rig.world.requests[-1].feature_directory == FEATURE
    assert len(rig.world.on_github) == 1


@pytest.mark.parametrize("step", ["start", "clone", "agent:speckit_specify", "pushed"])
async def test_the_next_worker_updates_the_same_one(rig: Rig, step: str) -> None:
    first = await rig.finished(writer_key=KEY)
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", b"# Once more\n")
    run_id = await rig.open(writer_key=KEY, until_phase=Phase.SPECKIT_SPECIFY)
    await rig.worker_dies(run_id, step)
    second = await rig.worked_on(run_id)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert rig.world.branches == {first.branch_name: second.head_sha}
    assert second.feature_directory == FEATURE


class Elsewhere(NamedTuple):
    """Why the earlier pull request is not the one to go on with."""

    github: dict[str, Any]
    run: dict[str, Any]


@pytest.mark.parametrize(
    "why",
    [
        Elsewhere({"open": False}, {}),
        Elsewhere({"branch": None}, {}),
        Elsewhere({"base_branch": "develop"}, {"base_branch": "main"}),
        Elsewhere({}, {"base_branch": "develop"}),
        Elsewhere({}, {"project": "packages/api"}),
        Elsewhere({}, {"writer_key": "issue:4"}),
        Elsewhere({}, {"repository_id": 2}),
        Elsewhere({}, {"verb": Verb.CONSTITUTION, "writer_key": "issue:3:constitution", "until_phase": None}),
    ],
)
async def test_another_one_is_opened_where_the_earlier_does_not_fit(rig: Rig, why: Elsewhere) -> None:
    first = await rig.finished(writer_key=KEY)
    rig.world.on_github[1] = replace(rig.world.on_github[1], **why.github)
    second = await again(rig, **why.run)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert second.branch_name != first.branch_name
    assert second.pull_request_number is None
    assert len(rig.world.on_github) == 2
    assert rig.world.branches[first.branch_name or ""] == first.head_sha


async def test_the_base_that_was_asked_for_is_that_of_the_earlier_one(rig: Rig) -> None:
    await rig.finished(writer_key=KEY, base_branch="develop")
    second = await again(rig, base_branch="develop")
    assert (second.pull_request_number, second.base_branch) == (1, "develop")


async def test_an_earlier_run_without_a_pull_request_does_not_count(rig: Rig) -> None:
    await rig.finished(writer_key=KEY, dry_run=True)
    assert (await again(rig)).pull_request_number is None


async def test_a_retry_of_what_was_pushed_looks_for_no_other_pull_request(rig: Rig) -> None:
    await rig.finished(writer_key=KEY)
    pushed: dict[str, Any] = {"branch_name": "speckit/x/1", "head_sha": "e" * 40, "base_sha": "a" * 40}
    details = {"head_sha": "e" * 40, "taken_over": {"run_id": "0" * 32, "attempt": 1}}
    taken_over = dict.fromkeys((Phase.SPECKIT_SPECIFY, Phase.COMMIT_PUSH), details)
    second = await again(rig, taken_over=taken_over, **pushed)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert (second.branch_name, second.pull_request_number) == ("speckit/x/1", None)
    assert rig.world.times("pull_request") == 0


# What is kept of it


async def test_the_names_of_all_agents_are_kept(rig: Rig) -> None:
    rig.agents["other"] = FakeAgent("other")
    run = await rig.finished(arguments={"agents": {"speckit_plan": "other", "speckit_tasks": None}})
    assert json.loads(rig.read(run, "environment.json"))["agent_backend"] == "other, template"
    prepared = (await rig.state(run.run_id, Phase.PREPARE_JOB)).details
    assert prepared["agents"] == {
        "speckit_specify": "template",
        "speckit_plan": "other",
        "speckit_tasks": "template",
    }


@pytest.mark.parametrize("agents", [{"speckit_tasks": "gone"}, {"speckit_specify": "gone"}])
async def test_an_agent_of_one_phase_that_is_not_allowed(rig: Rig, agents: dict[str, str]) -> None:
    run = await rig.finished(arguments={"agents": agents})
    assert run.error_code == ErrorCode.AGENT_NOT_ALLOWED
    assert run.result_summary == "The agent gone is not allowed here. Choose from: template"
    assert rig.world.containers_made == 0


def test_what_was_prepared_is_recalled() -> None:
    whole = Prepared({Phase.SPECKIT_PLAN: "template"}, "main", "http://x/y.git", 4, "speckit/x/1", FEATURE)
    alone = Prepared({}, "main", "http://x/y.git")
    for prepared in (whole, alone):
        assert prepare_job.recall(json.loads(json.dumps(prepare_job._details(prepared)))) == prepared
