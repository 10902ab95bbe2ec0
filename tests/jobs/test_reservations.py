"""Feature directories at the clone: reserved before anybody can see the branch, and never the same for two runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.records import FeatureReservation
from db.session import Database
from db.turns import Limits
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs.errors import TransientError, UserError
from jobs.phases.git_clone import feature_name
from tests.jobs.fake_tree import FEATURE, does_nothing
from tests.jobs.fakes import fails
from tests.jobs.rig import Rig

UNTIL = {"until_phase": Phase.SPECKIT_SPECIFY}


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


async def reserved(rig: Rig) -> list[tuple[str, str]]:
    async with rig.database.transaction() as session:
        rows = await session.scalars(select(FeatureReservation).order_by(FeatureReservation.directory))
        return [(row.project, row.directory) for row in rows]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Let customers pay by invoice.", "customers-pay-invoice"),
        ("Pay by invoice. Net 30, EU only.", "pay-invoice"),
        ("\n\n  Réminders, bitte!\nand more", "reminders-bitte"),
        ("one two three four five six", "one-two-three-four"),
        ("發票付款", "feature"),
        ("", "feature"),
        ("the of and", "feature"),
        ("../../etc/passwd", "etc-passwd"),
        ("a" * 300, "a" * 20),
        ("`rm -rf $HOME`; echo", "rm-rf-home"),
        ("v1.2: faster start", "v1-2"),
    ],
)
def test_a_name_of_a_few_words(text: str, name: str) -> None:
    assert feature_name(text) == name


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_plain_name(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", feature_name(text))
    assert len(feature_name(text)) <= 60


async def test_the_first_one_of_a_repository(rig: Rig) -> None:
    run = await rig.finished(**UNTIL)
    assert run.feature_directory == FEATURE
    clone = await rig.state(run.run_id, Phase.GIT_CLONE)
    assert clone.details["feature_directory"] == FEATURE
    assert await reserved(rig) == [("", "001-customers-pay-invoice")]
    assert rig.world.sources[0].want_branches


async def test_without_text_the_issue_gives_the_name(rig: Rig) -> None:
    assert (await rig.finished(requested_spec_input="", **UNTIL)).feature_directory == "specs/001-invoices"


async def test_folders_branches_and_other_runs_are_counted(rig: Rig) -> None:
    rig.world.feature_directories = ["002-old", "notes", "20261122-101010-stamped"]
    rig.world.branches["004-somebodys"] = "c" * 40
    first = await rig.finished(**UNTIL)
    assert first.feature_directory == "specs/005-customers-pay-invoice"
    rig.world.branches.clear()
    rig.world.trees.clear()
    second = await rig.finished(**UNTIL)
    assert second.feature_directory == "specs/006-customers-pay-invoice"


async def test_repositories_with_timestamps_keep_them(rig: Rig) -> None:
    rig.world.numbering = "timestamp"
    first, second = await rig.finished(**UNTIL), await rig.finished(**UNTIL)
    for run in (first, second):
        assert run.status is RunStatus.SUCCEEDED, run.result_summary
        assert run.feature_directory is not None
        assert re.fullmatch(r"specs/\d{8}-\d{6}-customers-pay-invoice(-2)?", run.feature_directory)
    assert first.feature_directory != second.feature_directory


async def test_projects_count_for_themselves(rig: Rig) -> None:
    await rig.finished(**UNTIL)
    run = await rig.finished(project="packages/api", **UNTIL)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert run.feature_directory == f"packages/api/{FEATURE}"
    assert rig.world.requests[-1].feature_directory == FEATURE
    assert await reserved(rig) == [("", FEATURE[6:]), ("packages/api", FEATURE[6:])]


async def test_many_at_once_never_meet(rig: Rig) -> None:
    limits = Limits(installation=12, repository=12, person=12)
    run_ids = [await rig.open(**UNTIL) for _ in range(8)]
    await asyncio.gather(*(rig.pipeline(limits=limits).run(run_id) for run_id in run_ids))
    runs = [await rig.run(run_id) for run_id in run_ids]
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
    assert sorted(str(run.feature_directory) for run in runs) == [
        f"specs/{number:03}-customers-pay-invoice" for number in range(1, 9)
    ]
    assert len(rig.world.branches) == len(rig.world.on_github) == 8


@pytest.mark.parametrize("step", ["prepare_tree", "agent:speckit_specify", "agent:speckit_plan", "pushed"])
async def test_the_next_worker_keeps_the_directory(rig: Rig, step: str) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, step)
    other = await rig.open(**UNTIL)
    await rig.pipeline().run(other)
    # The one that was begun came first, whichever was asked for.
    for each in (run_id, other):
        await rig.pipeline().run(each)
    first, second = await rig.run(run_id), await rig.run(other)
    assert (first.status, second.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
    names = {first.feature_directory, second.feature_directory}
    assert names == {FEATURE, FEATURE.replace("001", "002")}
    if step != "prepare_tree":
        assert first.feature_directory == FEATURE


async def test_a_second_try_keeps_the_directory(rig: Rig) -> None:
    rig.world.at["agent:speckit_specify"].append(fails(TransientError(ErrorCode.ENGINE_CONTAINER_LOST, "gone")))
    run = await rig.finished(**UNTIL)
    assert (run.status, run.feature_directory) == (RunStatus.SUCCEEDED, FEATURE)
    assert len(await reserved(rig)) == 1


async def test_what_nobody_will_publish_is_given_back(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = does_nothing
    assert (await rig.finished(**UNTIL)).status is RunStatus.FAILED
    assert await reserved(rig) == []


async def test_what_a_retry_may_publish_is_kept(rig: Rig) -> None:
    rig.world.at["push"].append(fails(UserError(ErrorCode.PUBLISH_REFUSED, "No.")))
    first = await rig.finished(**UNTIL)
    assert first.status is RunStatus.FAILED
    assert (await rig.finished(**UNTIL)).feature_directory == FEATURE.replace("001", "002")
    again = await rig.worked_on(await rig.retry(first.run_id))
    assert (again.status, again.feature_directory) == (RunStatus.SUCCEEDED, FEATURE)
