"""Questions are there when the phase that raised them has ended, and wait without a run, a job or a container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from db.clarifications import of_run, open_questions
from db.records import Clarification
from db.session import Database
from db.vocabulary import Phase, RunStatus, Verb
from tests.jobs.fake_tree import FEATURE, SPEC, does_nothing, writes
from tests.jobs.rig import Rig
from tests.jobs.test_pipeline_verbs import ANSWERS, QUESTIONS

UNTIL = {"until_phase": Phase.SPECKIT_SPECIFY}


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


async def waiting(rig: Rig, number: int = 1) -> Clarification | None:
    async with rig.database.transaction() as session:
        return await open_questions(session, 1, number)


def texts(asked: Clarification | None) -> list[tuple[int, str]]:
    assert asked is not None
    return [(question["number"], question["text"]) for question in asked.questions["questions"]]


async def test_questions_of_clarify_are_put_on_the_pull_request(rig: Rig) -> None:
    rig.world.results[Phase.SPECKIT_CLARIFY] = QUESTIONS
    run = await rig.finished_on_pull_request(Verb.CLARIFY)
    asked = await waiting(rig)
    assert texts(asked) == [(1, "Which countries?"), (2, "how many days?")]
    assert asked is not None
    assert (asked.run_id, asked.pull_request_number) == (run.run_id, 1)
    assert asked.questions["questions"] == (await rig.state(run.run_id, Phase.SPECKIT_CLARIFY)).details["questions"]
    assert rig.world.alive == {}


@pytest.mark.parametrize("step", ["remove", "finish_report"])
async def test_they_are_put_once_whatever_dies(rig: Rig, step: str) -> None:
    rig.world.results[Phase.SPECKIT_CLARIFY] = QUESTIONS
    run_id = await rig.open_on_pull_request(Verb.CLARIFY)
    await rig.worker_dies(run_id, step)
    asked = await waiting(rig)
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED
    again = await waiting(rig)
    assert asked is not None
    assert again is not None
    assert (again.run_id, again.asked_at) == (asked.run_id, asked.asked_at)


async def test_nothing_to_ask_puts_nothing(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.CLARIFY)
    for tree in rig.world.trees.values():
        tree[f"{FEATURE}/spec.md"] = b"# All is clear\n"
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.NO_CHANGES
    assert await waiting(rig) is None


async def test_marks_of_a_new_specification_are_questions(rig: Rig) -> None:
    run = await rig.finished(**UNTIL)
    asked = await waiting(rig)
    assert texts(asked) == [(1, "how many days?")]
    assert asked is not None
    assert asked.run_id == run.run_id
    assert asked.questions["questions"][0]["line"] == 9


@pytest.mark.parametrize("step", ["open_pull_request", "pull_request_opened", "remove"])
async def test_marks_are_asked_once_whatever_dies(rig: Rig, step: str) -> None:
    run_id = await rig.open(**UNTIL)
    await rig.worker_dies(run_id, step)
    await rig.worked_on(run_id)
    assert texts(await waiting(rig)) == [(1, "how many days?")]


async def test_a_new_round_without_marks_closes_the_questions(rig: Rig) -> None:
    first = await rig.finished(writer_key="issue:3", **UNTIL)
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", b"# All is clear\n")
    await rig.finished(writer_key="issue:3", **UNTIL)
    assert await waiting(rig) is None
    async with rig.database.transaction() as session:
        asked = await of_run(session, first.run_id)
    assert asked is not None
    assert asked.closed_at is not None


async def test_a_new_round_with_marks_takes_their_place(rig: Rig) -> None:
    await rig.finished(writer_key="issue:3", **UNTIL)
    spec = SPEC.replace(b"how many days?", b"which currency: EUR or USD?")
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", spec)
    await rig.finished(writer_key="issue:3", **UNTIL)
    asked = await waiting(rig)
    assert texts(asked) == [(1, "which currency: EUR or USD?")]
    assert asked is not None
    assert [option["text"] for option in asked.questions["questions"][0]["options"]] == ["EUR", "USD"]


@pytest.mark.parametrize(
    ("verb", "changes"),
    [(Verb.CHECKLIST, {}), (Verb.CLARIFY, {"arguments": ANSWERS}), (Verb.REFINE, {"text": "FR-002: more"})],
)
async def test_other_verbs_leave_the_questions_as_they_are(rig: Rig, verb: Verb, changes: dict[str, Any]) -> None:
    asking = await rig.finished_on_pull_request(Verb.CLARIFY)
    before = await waiting(rig)
    assert before is not None
    run = await rig.finished_on_pull_request(verb, **changes)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    after = await waiting(rig)
    assert after is not None
    assert (after.run_id, after.questions) == (asking.run_id, before.questions)


async def test_more_questions_than_can_be_asked_are_cut_and_the_run_goes_well(rig: Rig) -> None:
    marks = b"".join(b"- [NEEDS CLARIFICATION: %s %d?]\n" % ("💶".encode() * 280, number) for number in range(60))
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", b"# Much is open\n" + marks)
    run = await rig.finished(**UNTIL)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert 1 < len(texts(await waiting(rig))) <= 20
    many = [{"question": f"{number}" + "é" * 499, "why": "é" * 500} for number in range(100)]
    rig.world.results[Phase.SPECKIT_CLARIFY] = json.dumps({"questions": many}).encode()
    rig.world.deeds[Phase.SPECKIT_CLARIFY] = does_nothing
    run = await rig.finished_on_pull_request(Verb.CLARIFY)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary


async def test_a_dry_run_asks_nobody(rig: Rig) -> None:
    await rig.finished(dry_run=True, **UNTIL)
    assert await waiting(rig) is None
