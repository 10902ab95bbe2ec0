"""Accepted patches become commits on a branch: whose, how many, on top of what, and which belongs to which phase."""

from __future__ import annotations

import json

import pytest

from db.vocabulary import ErrorCode, Phase, RunStatus, Verb
from jobs.phases.commit_push import SUBJECT_LENGTH, branch_for, named_patches, subject_title
from jobs.run_context import Checkpoint, Source
from tests.jobs.fake_tree import FEATURE, added, does_nothing
from tests.jobs.rig import PULL, Rig
from tests.jobs.test_assignment import request_for
from tests.jobs.test_pipeline_verbs import ANSWERS, renewed

INIT = added(".specify/init.json", b"installed\n")
CLONE = Source("a" * 40, "1.2.3", b"", {})


@pytest.fixture
def rig(sqlite_rig: Rig) -> Rig:
    return sqlite_rig


# Which commit belongs to which phase


async def test_each_phase_has_its_commit(rig: Rig) -> None:
    rig.world.init_patch = INIT
    run = await rig.finished()
    details = (await rig.state(run.run_id, Phase.COMMIT_PUSH)).details
    assert details["commits"] == [
        "Set up Spec Kit 1.2.3",
        "Specify: Pay by invoice",
        "Plan: Pay by invoice",
        "Tasks: Pay by invoice",
    ]
    commit_of = details["commit_of"]
    assert list(commit_of) == ["speckit_specify", "speckit_plan", "speckit_tasks"]
    assert len(set(commit_of.values())) == 3
    assert commit_of["speckit_tasks"] == details["head_sha"] == run.head_sha
    assert json.loads(rig.read(run, "commit.json")) == details


async def test_a_phase_that_changed_nothing_has_none(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_PLAN] = does_nothing
    rig.world.deeds[Phase.SPECKIT_TASKS] = renewed("tasks.md")
    run = await rig.finished_on_pull_request(Verb.PLAN)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    details = (await rig.state(run.run_id, Phase.COMMIT_PUSH)).details
    assert details["commit_of"] == {"speckit_tasks": run.head_sha}
    assert details["commits"] == ["Tasks: Invoices"]


async def test_only_spec_kits_own_files_are_no_change(rig: Rig) -> None:
    rig.world.init_patch = INIT
    rig.world.deeds[Phase.SPECKIT_CLARIFY] = does_nothing
    run = await rig.finished_on_pull_request(Verb.CLARIFY, arguments=ANSWERS)
    assert run.status is RunStatus.NO_CHANGES
    assert rig.world.commits == []
    assert json.loads(rig.read(run, "commit.json"))["head_sha"] is None


# On top of what


async def test_the_branch_moves_from_exactly_where_it_was_read(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)

    async def somebody_pushes() -> None:
        rig.world.branches[str(PULL["branch"])] = "f" * 40

    rig.world.at["push"].append(somebody_pushes)
    run = await rig.worked_on(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.PUBLISH_BRANCH_MOVED)
    assert rig.world.branches == {PULL["branch"]: "f" * 40}
    assert run.head_sha is None
    assert rig.read(run, "phase-speckit_checklist.patch")


@pytest.mark.parametrize("step", ["push", "pushed", "open_pull_request"])
async def test_our_own_earlier_push_is_no_stranger(rig: Rig, step: str) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)
    await rig.worker_dies(run_id, step)
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert rig.world.branches == {PULL["branch"]: run.head_sha}
    assert {source.commit for source in rig.world.sources} <= {None, PULL["head"]}


async def test_a_branch_of_its_own_is_only_made(rig: Rig) -> None:
    run_id = await rig.open()
    request = request_for(Verb.SPECIFY, run_id=run_id)

    async def somebody_was_first() -> None:
        branch = rig.world.commits[-1][0]
        rig.world.branches[branch] = "f" * 40

    rig.world.at["push"].append(somebody_was_first)
    run = await rig.worked_on(run_id)
    assert run.error_code == ErrorCode.PUBLISH_BRANCH_TAKEN
    assert run.branch_name is not None
    assert run.branch_name.rpartition("/")[2] == branch_for(request).rpartition("/")[2]


async def test_who_may_not_ask_any_more_pushes_nothing(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)
    rig.world.requester_may_write = False
    run = await rig.worked_on(run_id)
    assert run.error_code == ErrorCode.GITHUB_ACCESS_LOST
    assert rig.world.branches == {PULL["branch"]: PULL["head"]}


# Words


def checkpoint(phase: Phase, heading: str = "", patch: bytes = b"x") -> Checkpoint:
    return Checkpoint(phase, patch, FEATURE, heading)


def test_the_heading_of_the_first_phase_names_every_commit() -> None:
    request = request_for(Verb.SPECIFY)
    steps = [
        checkpoint(Phase.SPECKIT_SPECIFY, "Pay by invoice"),
        checkpoint(Phase.SPECKIT_PLAN, "Else", patch=b""),
        checkpoint(Phase.SPECKIT_TASKS),
    ]
    assert [named.subject for named in named_patches(request, CLONE, steps)] == [
        "Specify: Pay by invoice",
        "Tasks: Pay by invoice",
    ]


@pytest.mark.parametrize(
    ("heading", "title", "subject"),
    [
        ("", "Invoices", "Checklist: Invoices"),
        ("", "", "Checklist"),
        ("@ada", "#7 [skip ci] GH-12", "Checklist: ada"),
        ("", "#7 [skip ci] GH-12", "Checklist: 7 skip ci"),
        ("x" * 200, "", f"Checklist: {'x' * (SUBJECT_LENGTH - 11)}"),
        ("a\nb\u202ec", "", "Checklist: a b c"),
    ],
)
def test_a_subject_is_one_line_that_does_nothing(heading: str, title: str, subject: str) -> None:
    request = request_for(Verb.CHECKLIST, issue_title=title)
    (named,) = named_patches(request, CLONE, [checkpoint(Phase.SPECKIT_CHECKLIST, heading)])
    assert named.subject == subject


def test_a_title_of_signs_only_is_none() -> None:
    assert subject_title("[]#@<>`\\|") == ""
