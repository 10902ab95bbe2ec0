"""Check runs stand on the newest commit, and runs that wait are told their place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from db.leases import claim, release
from db.runs import finish_run, request_cancel
from db.session import Database
from db.vocabulary import ErrorCode, Phase, RunStatus, Verb
from tests.bot.reporter_bench import (
    EDITS,
    HEAD,
    OLD,
    ON_ISSUE,
    ON_PULL,
    PULL,
    Bench,
    begun,
    hasty_sleep,
    reporter_bench,
)

DONE = "completed"
OWNER = "host:intake"


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    """A run that goes on with pull request 12."""
    async with reporter_bench(database, ON_PULL) as opened:
        opened.add_pull()
        yield opened


# The commit


async def test_a_new_head_gets_a_check_run_of_its_own_and_the_old_one_is_ended(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.checks)
    assert bench.checks() == [(OLD, "in_progress", None)]
    await bench.push()
    await bench.end_and_tell()
    assert bench.checks() == [(OLD, DONE, "neutral"), (HEAD, DONE, "success")]
    old, new = bench.hub.checks
    assert old["output"]["title"] == f"Went on at {HEAD[:7]}"
    assert old["actions"] == []
    assert {old["external_id"], new["external_id"]} == {str(bench.lease.run_id)}
    report = (await bench.run()).report
    assert (report.check_run_id, report.check_run_sha) == (new["id"], HEAD)


async def test_a_crash_between_the_two_leaves_one_of_each(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.checks)
    await bench.push()
    await bench.end()
    outage = bench.hub.fail("POST", "/check-runs$", status=503, times=1000)
    await bench.reporter.finish(bench.lease)
    assert bench.checks() == [(OLD, DONE, "neutral")]
    outage.times = 0
    await hasty_sleep(31)
    await bench.reporter.finish(bench.lease)
    assert bench.checks() == [(OLD, DONE, "neutral"), (HEAD, DONE, "success")]


async def test_what_pushes_nothing_ends_where_it_began(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.checks)
    await bench.end_and_tell(RunStatus.FAILED, ErrorCode.RUN_CANCELLED)
    assert bench.checks() == [(OLD, DONE, "cancelled")]


async def test_a_pull_request_that_is_gone_has_no_check_run_and_stops_nothing(bench: Bench) -> None:
    bench.hub.pulls.clear()
    await bench.end_and_tell()
    assert bench.checks() == []
    assert (await bench.run()).report.final_reported_at is not None


async def test_a_retried_run_has_a_check_run_of_its_own(bench: Bench) -> None:
    await bench.end_and_tell(RunStatus.FAILED, ErrorCode.AGENT_FAILED)
    again = await bench.under_way(replace(ON_PULL, retry_of=bench.lease.run_id), 42)
    await again.end_and_tell()
    assert bench.checks() == [(OLD, DONE, "failure"), (OLD, DONE, "success")]
    first, second = bench.hub.checks
    assert next(button["identifier"] for button in first["actions"]) == "retry"
    assert (first["external_id"], second["external_id"]) == (str(bench.lease.run_id), str(again.lease.run_id))


# Waiting


async def test_a_run_that_waits_is_told_its_place_and_shown_at_the_head(bench: Bench) -> None:
    waiting = await bench.opened(replace(ON_PULL, verb=Verb.CHECKLIST), 42)
    await bench.reporter.waiting(waiting, OWNER)
    told = bench.comment_of(waiting)
    assert "next in the queue of this repository" in told
    assert f"behind run `{str(bench.lease.run_id)[:8]}`" in told
    assert bench.checks() == [(OLD, "queued", None)]
    assert "next in the queue" in bench.hub.checks[0]["output"]["title"]
    row = await bench.row(waiting)
    assert (row.status, row.lease_owner, row.crash_count) == (RunStatus.QUEUED, None, 0)


async def test_on_an_issue_it_has_a_comment_alone(bench: Bench) -> None:
    waiting = await bench.opened(ON_ISSUE, 42)
    await bench.reporter.waiting(waiting, OWNER)
    assert "in the queue" in bench.comment_of(waiting)
    assert bench.checks() == []


async def test_a_place_is_told_once_and_again_when_it_changed(bench: Bench) -> None:
    first, second = await bench.opened(ON_ISSUE, 42), await bench.opened(ON_ISSUE, 43)
    await bench.reporter.waiting(second, OWNER)
    assert "place 2" in bench.comment_of(second)
    written = bench.writes()
    await bench.reporter.waiting(second, OWNER)
    assert bench.writes() == written
    await begun(bench.database, first)
    await bench.reporter.waiting(second, OWNER)
    assert bench.writes() == written + 1
    assert "next in the queue" in bench.comment_of(second)


async def test_what_somebody_holds_or_what_waits_no_more_is_theirs_to_tell(bench: Bench) -> None:
    held, cancelled = await bench.opened(ON_ISSUE, 42), await bench.opened(ON_ISSUE, 43)
    async with bench.database.transaction() as session:
        assert await claim(session, held, "worker", 45)
        await request_cancel(session, cancelled, "alice")
    lease = await begun(bench.database, cancelled)
    async with bench.database.transaction() as session:
        await finish_run(session, lease, RunStatus.FAILED, "Cancelled.", ErrorCode.RUN_CANCELLED)
    for run_id in (held, cancelled, bench.lease.run_id):
        await bench.reporter.waiting(run_id, OWNER)
    assert bench.hub.seen == []


async def test_while_github_is_away_it_is_told_later_and_stops_nobody(bench: Bench) -> None:
    waiting = await bench.opened(ON_ISSUE, 42)
    outage = bench.hub.fail("POST", "/", status=503, times=1000)
    await bench.reporter.waiting(waiting, OWNER)
    async with bench.database.transaction() as session:
        lease = await claim(session, waiting, "worker", 45)
        assert lease is not None, "it was given back"
        await release(session, lease)
    outage.times = 0
    await bench.reporter.waiting(waiting, OWNER)
    assert "in the queue" in bench.comment_of(waiting)
    assert (await bench.row(waiting)).crash_count == 0


async def test_once_it_begins_the_same_comment_and_check_run_go_on(bench: Bench) -> None:
    waiting = await bench.opened(ON_PULL, 42)
    await bench.reporter.waiting(waiting, OWNER)
    await bench.end_and_tell()
    working = replace(bench, lease=await begun(bench.database, waiting))
    bench.reporter.changed(working.lease)
    await bench.eventually(lambda: bench.hub.requests("PATCH", EDITS))
    await asyncio.sleep(0.2)
    assert "in the queue" not in bench.comment_of(waiting)
    await working.phase(Phase.PREPARE_JOB)
    await working.push()
    await working.end_and_tell()
    assert len([comment for comment in bench.hub.comments if comment["issue"] == PULL]) == 2
    assert [check for check in bench.checks() if check[1] != DONE] == []
    assert (HEAD, DONE, "success") in bench.checks()


# Commits of others


async def test_a_commit_pushed_after_the_run_gets_a_check_run_that_says_so(bench: Bench) -> None:
    await bench.push()
    await bench.end_and_tell()
    for _ in range(2):
        await bench.reporter.later_commit(bench.lease.run_id, "d" * 40, OWNER)
    assert bench.checks() == [(HEAD, DONE, "success"), ("d" * 40, DONE, "neutral")]
    later = bench.hub.checks[1]
    assert later["external_id"] == str(bench.lease.run_id)
    assert later["output"]["title"].startswith(f"Pushed after {HEAD[:7]}: ")
    assert later["all_annotations"] == []
    row = await bench.run()
    assert (row.report.check_run_sha, row.lease_owner, row.crash_count) == (HEAD, None, 0)


async def test_what_a_run_needs_of_people_stays_needed_on_a_later_commit(bench: Bench) -> None:
    question = {"path": "specs/001-x/spec.md", "line": 1, "text": "Which?"}
    await bench.done(Phase.SPECKIT_PLAN, open_questions=[question])
    await bench.push()
    await bench.end_and_tell()
    await bench.reporter.later_commit(bench.lease.run_id, "d" * 40, OWNER)
    assert [conclusion for _, _, conclusion in bench.checks()] == ["action_required", "action_required"]


async def test_a_run_that_somebody_holds_is_theirs_to_tell_of(bench: Bench) -> None:
    await bench.reporter.later_commit(bench.lease.run_id, "d" * 40, OWNER)
    await bench.push()
    await bench.end()
    await bench.reporter.later_commit(bench.lease.run_id, "d" * 40, OWNER)
    assert bench.hub.seen == []


async def test_whoever_loses_the_run_while_it_looks_tells_nothing_of_a_later_commit(bench: Bench) -> None:
    await bench.push()
    await bench.end_and_tell()
    looks = bench.hub.fail("GET", "/check-runs$", status=502)
    telling = asyncio.create_task(bench.reporter.later_commit(bench.lease.run_id, "d" * 40, OWNER))
    await bench.eventually(lambda: looks.times == 0)
    await bench.lose_lease()
    await telling
    assert len(bench.hub.checks) == 1
