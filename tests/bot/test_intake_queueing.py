"""Many who ask: the same twice is one run, and who must wait is told."""

from __future__ import annotations

import asyncio

import pytest

from db.leases import claim, database_now
from db.runs import begin, record_source, record_target
from db.vocabulary import DeliveryOutcome, RunStatus, Verb
from tests.bot.conftest import StartWeb
from tests.bot.deliveries import comment_payload
from tests.bot.intake_door import BRANCH, PULL, Door


async def test_the_same_command_twice_is_one_run_and_said(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    run = await door.only_run()
    assert await door.say("/speckit specify One", "boss", comment__id=2) is DeliveryOutcome.ACCEPTED
    assert (await door.only_run()).run_id == run.run_id
    assert len(await door.jobs()) == 1
    (reply,) = door.replies
    assert f"That is run `{str(run.run_id)[:8]}` already" in reply
    assert door.github.reactions == [(1, "eyes"), (2, "eyes")]


async def test_twice_in_one_comment_is_one_run_too(door: Door) -> None:
    assert await door.say("/speckit specify One\n/speckit specify One") is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 1
    assert "already" in door.replies[0]


async def test_while_it_works_it_is_still_the_same(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    run = await door.only_run()
    async with door.database.transaction() as session:
        lease = await claim(session, run.run_id, "worker", 45)
        assert lease is not None
        await begin(session, lease, "host", await database_now(session))
        # What a worker finds out: the default branch, and the pull request an earlier run of the issue opened.
        await record_source(session, lease, "main", "a" * 40)
        await record_target(session, lease, PULL, BRANCH, None)
    assert await door.say("/speckit specify One", comment__id=2) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 1


@pytest.mark.parametrize("ending", ["over", "being stopped"])
async def test_once_it_is_over_or_being_stopped_it_is_asked_anew(door: Door, ending: str) -> None:
    await door.say("/speckit specify One", comment__id=1)
    run = await door.only_run()
    if ending == "over":
        await door.end(run.run_id)
    else:
        async with door.database.transaction() as session:
            assert await claim(session, run.run_id, "worker", 45)
        await door.say("/speckit cancel", comment__id=2)
    assert await door.say("/speckit specify One", comment__id=3) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 2


@pytest.mark.parametrize("other", ["/speckit specify Two", "/speckit specify --dry-run One"])
async def test_what_differs_is_another_run(door: Door, other: str) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say(other, comment__id=2)
    assert len(await door.runs()) == 2


async def test_the_same_on_another_issue_is_another_run(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify One", comment__id=2, issue__number=8)
    assert len(await door.runs()) == 2


async def test_ten_times_at_the_same_moment_is_one_run(door: Door) -> None:
    deliveries = [await door.record("/speckit specify One", comment__id=number) for number in range(1, 11)]
    outcomes = await asyncio.gather(*(door.intake.handle(delivery) for delivery in deliveries))
    assert outcomes == [DeliveryOutcome.ACCEPTED] * 10
    assert len(await door.runs()) == 1
    assert len(door.replies) == 9


async def test_one_delivery_handled_by_two_at_once_is_one_run(door: Door) -> None:
    delivery = await door.record("/speckit specify One\n/speckit specify Two")
    await asyncio.gather(*(door.intake.handle(delivery) for _ in range(5)))
    assert [run.requested_spec_input for run in await door.runs()] == ["One", "Two"]


async def test_a_second_command_on_a_branch_waits_and_is_told(door: Door) -> None:
    await door.our_pull_request()
    await door.say("/speckit plan", on_pull=True)
    plan = await door.newest()
    assert await door.say("/speckit checklist", on_pull=True) is DeliveryOutcome.ACCEPTED
    checklist = await door.newest()
    assert (checklist.verb, checklist.writer_key) == (Verb.CHECKLIST, plan.writer_key)
    assert door.teller.told == [checklist.run_id]
    assert await door.jobs() == [f"run:{plan.run_id}:1"], "nobody is woken for a run that may not begin"


@pytest.mark.parametrize(
    ("config", "at_once"), [("", 3), ("limits: {runs_per_person: 2}", 2), ("limits: {runs: 1}", 1)]
)
async def test_over_a_limit_people_wait(door: Door, config: str, at_once: int) -> None:
    door.github.configure(config)
    for number in range(1, 6):
        await door.say("/speckit specify One", comment__id=number, issue__number=number)
    assert (len(await door.jobs()), len(door.teller.told)) == (at_once, 5 - at_once)
    assert {run.status for run in await door.runs()} == {RunStatus.QUEUED}


async def test_thirty_commands_on_one_issue_are_thirty_runs(door: Door) -> None:
    deliveries = [await door.record(f"/speckit specify Wish {number}") for number in range(30)]
    await asyncio.gather(*(door.intake.handle(delivery) for delivery in deliveries))
    assert sorted(run.requested_spec_input for run in await door.runs()) == sorted(f"Wish {n}" for n in range(30))
    assert len(door.teller.told) == 29
    assert door.replies == [], "each is told in its run's own comment"


async def test_the_place_stands_in_the_runs_own_comment(start_web: StartWeb) -> None:
    process = await start_web()
    for number, wish in enumerate(("One", "Two"), 1):
        assert await process.deliver(comment_payload(f"/speckit specify {wish}", comment__id=number)) == 202
        async with asyncio.timeout(30):
            while await process.runs() < number or (number == 2 and not process.github.comments):
                await asyncio.sleep(0.02)
    (waiting,) = process.github.comments
    assert waiting["issue"] == 7
    assert "place 2 in the queue" in waiting["body"]
    assert "Two" in waiting["body"]
    assert "which works on the same branch" in waiting["body"]
