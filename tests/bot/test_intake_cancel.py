"""Cancel: the run that is meant, on issue and pull request, whoever started it, and no other."""

from __future__ import annotations

from db.leases import claim
from db.run_queries import runs_of_issue, runs_to_clean, runs_to_report
from db.vocabulary import DeliveryOutcome, ErrorCode, RunStatus, Verb
from tests.bot.deliveries import REPOSITORY_ID
from tests.bot.intake_door import PULL, Door


async def test_cancel_stops_the_newest_run_that_is_alive(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    assert await door.say("/speckit cancel", "boss", comment__id=3) is DeliveryOutcome.ANSWERED
    one, two = await door.runs()
    assert one.cancel_requested_by is None
    assert two.cancel_requested_by == "boss"
    assert str(two.run_id)[:8] in door.replies[-1]


async def test_cancel_by_id_and_by_a_wrong_one(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    one, two = await door.runs()
    await door.say(f"/speckit cancel {str(one.run_id)[:8]}")
    await door.say("/speckit cancel 00000000")
    one, two = await door.runs()
    assert one.cancel_requested_by == "mona"
    assert two.cancel_requested_by is None
    assert len(door.replies) == 2


async def test_on_our_pull_request_it_means_the_runs_there(door: Door) -> None:
    await door.our_pull_request()
    await door.say("/speckit specify Another", comment__id=50)
    await door.say("/speckit plan", on_pull=True, comment__id=51)
    await door.say("/speckit cancel", on_pull=True, comment__id=52)
    _, another, plan = await door.runs()
    assert (another.cancel_requested_by, plan.cancel_requested_by) == (None, "mona")
    await door.say("/speckit cancel", comment__id=53)
    assert (await door.runs())[1].cancel_requested_by == "mona"


async def test_on_our_pull_request_it_reaches_the_run_of_its_issue(door: Door) -> None:
    opener = await door.run_of(RunStatus.IN_PROGRESS, pull=PULL)
    assert await door.say("/speckit cancel", on_pull=True) is DeliveryOutcome.ANSWERED
    assert (await door.only_run()).cancel_requested_by == "mona"
    assert str(opener)[:8] in door.replies[0]


async def test_on_another_issue_it_means_nothing_here(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    run = await door.only_run()
    await door.say("/speckit cancel", issue__number=8, comment__id=2)
    await door.say(f"/speckit cancel {run.run_id}", issue__number=8, comment__id=3)
    assert (await door.only_run()).cancel_requested_by is None


async def test_cancel_with_nothing_alive_says_so(door: Door) -> None:
    assert await door.say("/speckit cancel") is DeliveryOutcome.ANSWERED
    assert "nothing to cancel" in door.replies[0]


async def test_a_cancel_that_is_handled_late_spares_what_was_asked_for_after_it(door: Door) -> None:
    late = await door.record("/speckit cancel", comment__id=10)
    await door.say("/speckit specify Asked for later", comment__id=11)
    await door.intake.handle(late)
    assert (await door.only_run()).cancel_requested_by is None


async def test_a_reader_cancels_nothing(door: Door) -> None:
    await door.say("/speckit specify One")
    assert await door.say("/speckit cancel", "reader") is DeliveryOutcome.REFUSED
    assert (await door.only_run()).cancel_requested_by is None


async def test_a_run_nobody_took_is_over_at_once(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit cancel", comment__id=2)
    run = await door.only_run()
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CANCELLED)
    assert run.result_summary == "Cancelled by mona before it began."
    assert (run.lease_owner, run.cleanup_succeeded, run.crash_count) == (None, True, 0)
    assert "had not begun" in door.replies[-1]
    async with door.database.transaction() as session:
        assert await claim(session, run.run_id, "worker", 45) is None
        assert await runs_to_report(session) == [run.run_id]
        assert await runs_to_clean(session) == []


async def test_a_run_that_waits_for_its_turn_is_over_at_once_too(door: Door) -> None:
    await door.our_pull_request()
    await door.say("/speckit plan", on_pull=True, comment__id=50)
    await door.say("/speckit checklist", on_pull=True, comment__id=51)
    await door.say("/speckit cancel", on_pull=True, comment__id=52)
    _, plan, checklist = await door.runs()
    assert (plan.verb, plan.status) == (Verb.PLAN, RunStatus.QUEUED)
    assert (checklist.status, checklist.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CANCELLED)


async def test_a_run_a_worker_took_is_its_to_stop(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    async with door.database.transaction() as session:
        assert await claim(session, (await runs_of_issue(session, REPOSITORY_ID, 7))[0].run_id, "worker", 45)
    await door.say("/speckit cancel", comment__id=2)
    run = await door.only_run()
    assert (run.status, run.cancel_requested_by, run.lease_owner) == (RunStatus.QUEUED, "mona", "worker")
    assert "is being stopped" in door.replies[-1]


async def test_a_cancel_that_is_handled_twice_stops_one_run(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit specify Two", comment__id=2)
    door.github.fail("comment", transient=True)
    cancel = await door.record("/speckit cancel", comment__id=3)
    assert await door.intake.handle(cancel, first_try=True) is None
    door.github.failing.clear()
    assert await door.as_sweeper(cancel) is DeliveryOutcome.ANSWERED
    assert [run.status for run in await door.runs()] == [RunStatus.QUEUED, RunStatus.FAILED]
