"""One comment, one check run, one reaction: the newest state wins, the end arrives, and nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from bot.github.markers import run_marker
from db.leases import claim_finished, database_now, release
from db.models import SpecAutomationRun
from db.run_queries import runs_to_report
from db.runs import finish_run, note_report
from db.session import Database
from db.vocabulary import ErrorCode, Phase, RunStatus
from tests.bot.github_server import APP_ID, SLUG
from tests.bot.reporter_bench import COMMENTS, HEAD, SPEED, Bench, hasty_sleep, reporter_bench


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """SQLite is enough here: test_github_with_localhub.py goes the whole way on Postgres too."""
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with reporter_bench(database) as opened:
        yield opened


async def test_one_comment_follows_the_run_to_its_end(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.comments)
    assert "so far" in bench.comment_of()
    await bench.phase(Phase.PREPARE_JOB)
    await bench.push()
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.checks)
    assert bench.hub.checks[0]["status"] == "in_progress"
    await bench.end()
    await bench.reporter.finish(bench.lease)
    assert "**Done.**" in bench.comment_of()
    assert [(check["status"], check["conclusion"], check["head_sha"]) for check in bench.hub.checks] == [
        ("completed", "success", HEAD)
    ]
    assert bench.hub.reactions == [(41, "rocket")]
    report = (await bench.run()).report
    assert report.final_reported_at is not None
    assert report.comment_url == bench.hub.comments[0]["html_url"]
    before = len(bench.hub.seen)
    await bench.reporter.finish(bench.lease)
    assert len(bench.hub.seen) == before, "nothing new, nothing sent"


@pytest.mark.parametrize(
    ("status", "code", "reaction", "conclusion"),
    [
        (RunStatus.NO_CHANGES, None, "rocket", "neutral"),
        (RunStatus.FAILED, ErrorCode.AGENT_FAILED, "confused", "failure"),
        (RunStatus.FAILED, ErrorCode.RUN_CANCELLED, "confused", "cancelled"),
    ],
)
async def test_every_end_is_told(
    bench: Bench, status: RunStatus, code: ErrorCode | None, reaction: str, conclusion: str
) -> None:
    await bench.push()
    await bench.end(status, code)
    await bench.reporter.finish(bench.lease)
    assert bench.hub.reactions == [(41, reaction)]
    assert [check["conclusion"] for check in bench.hub.checks] == [conclusion]


async def test_a_run_that_was_never_pushed_has_no_check_run(bench: Bench) -> None:
    await bench.end(RunStatus.FAILED, ErrorCode.CLONE_FAILED)
    await bench.reporter.finish(bench.lease)
    assert bench.hub.checks == []
    assert "Not done" in bench.comment_of()


async def test_many_changes_are_few_edits_and_the_end_arrives(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.comments)
    for phase in (Phase.PREPARE_JOB, Phase.START_JOB_CONTAINER, Phase.GIT_CLONE, Phase.SPECKIT_SPECIFY):
        await bench.phase(phase)
    for _ in range(20):
        bench.reporter.changed(bench.lease)
        await asyncio.sleep(0)
    await bench.end()
    await bench.reporter.finish(bench.lease)
    times = [seen.at for seen in bench.hub.seen if seen.method == "PATCH"]
    assert 1 <= len(times) < 15
    assert all(later - earlier >= 2 / SPEED for earlier, later in pairwise(times))
    assert "**Done.**" in bench.comment_of()


async def test_the_same_state_is_not_written_twice(bench: Bench) -> None:
    for _ in range(3):
        bench.reporter.changed(bench.lease)
        await asyncio.sleep(3 / SPEED)
    assert len([seen for seen in bench.hub.seen if seen.method in {"POST", "PATCH"} and "issues" in seen.path]) == 1


async def test_a_lost_answer_leaves_one_comment(bench: Bench) -> None:
    bench.hub.fail("POST", COMMENTS, cut=True, after_write=True)
    bench.hub.fail("POST", "/check-runs$", status=502, after_write=True)
    await bench.push()
    await bench.end()
    await bench.reporter.finish(bench.lease)
    assert "**Done.**" in bench.comment_of()
    assert len(bench.hub.checks) == 1
    assert (await bench.run()).report.final_reported_at is not None


async def test_a_crash_between_the_write_and_its_row_leaves_one_of_each(bench: Bench) -> None:
    await bench.push()
    async with bench.database.transaction() as session:
        now = await database_now(session)
        await note_report(session, bench.lease, bench.lease.run_id, comment_intended_at=now, check_intended_at=now)
    bench.hub.add_comment(7, f"old\n\n{run_marker(bench.lease.run_id)}", app_id=APP_ID, login=f"{SLUG}[bot]")
    bench.hub.add_comment(7, f"forged\n\n{run_marker(bench.lease.run_id)}", app_id=None, login="mallory")
    check = {"id": 700, "head_sha": HEAD, "external_id": str(bench.lease.run_id), "app": {"id": APP_ID}}
    bench.hub.checks.append({**check, "all_annotations": []})
    await bench.end()
    await bench.reporter.finish(bench.lease)
    assert [comment["body"].split("\n")[0] for comment in bench.hub.comments] == [
        "✅ **Done.** The pull request is open as a draft.",
        "forged",
    ]
    assert [check["conclusion"] for check in bench.hub.checks] == ["success"]


async def test_a_worker_that_lost_the_run_writes_nothing(bench: Bench) -> None:
    await bench.lose_lease()
    bench.reporter.changed(bench.lease)
    await asyncio.sleep(0.1)
    await bench.reporter.finish(bench.lease)
    assert bench.hub.seen == []
    assert (await bench.run()).report.comment_intended_at is None


async def test_a_worker_that_loses_the_run_in_the_middle_stops(bench: Bench) -> None:
    bench.hub.fail("POST", COMMENTS, status=502, times=1)
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.requests("POST", COMMENTS))
    successor = await bench.lose_lease()
    bench.reporter.changed(bench.lease)
    await asyncio.sleep(6 / SPEED)
    written = len(bench.hub.comments)
    async with bench.database.transaction() as session:
        await finish_run(session, successor, RunStatus.SUCCEEDED, "done")
    await bench.reporter.finish(successor)
    assert written <= 1
    assert "**Done.**" in bench.comment_of()


async def test_what_people_deleted_or_locked_ends_that_write_only(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.comments)
    await asyncio.sleep(3 / SPEED)
    bench.hub.comments.clear()
    bench.hub.fail("POST", "/reactions", status=403, body={"message": "issue is locked"})
    await bench.push()
    await bench.end()
    await bench.reporter.finish(bench.lease)
    assert bench.hub.comments == [], "a comment somebody deleted stays deleted"
    assert [check["conclusion"] for check in bench.hub.checks] == ["success"]
    assert (await bench.run()).report.final_reported_at is not None


async def test_an_outage_never_fails_a_run_and_is_made_up_for_later(bench: Bench) -> None:
    outage = bench.hub.fail("POST", "/", status=503, times=1000)
    await bench.end()
    await bench.reporter.finish(bench.lease)
    async with bench.database.transaction() as session:
        await release(session, bench.lease)
        assert await runs_to_report(session) == [bench.lease.run_id]
        late = await claim_finished(session, bench.lease.run_id, "sweeper", 300)
    assert late is not None
    outage.times = 0
    before = len(bench.hub.seen)
    await bench.reporter.finish(late)
    assert len(bench.hub.seen) == before, "the next try has to wait"
    await hasty_sleep(31)
    await bench.reporter.finish(late)
    assert "**Done.**" in bench.comment_of()
    async with bench.database.transaction() as session:
        await release(session, late)
        assert await runs_to_report(session) == []


async def test_after_a_day_a_report_is_given_up(bench: Bench) -> None:
    await bench.end()
    bench.hub.fail("POST", "/access_tokens", status=404, times=1000, body={"message": "Not Found"})
    await bench.reporter.finish(bench.lease)
    assert (await bench.run()).report.final_reported_at is None
    async with bench.database.transaction() as session:
        long_ago = await database_now(session) - timedelta(hours=25)
        await session.execute(update(SpecAutomationRun).values(started_at=long_ago, completed_at=long_ago))
    await hasty_sleep(31)
    await bench.reporter.finish(bench.lease)
    assert (await bench.run()).report.final_reported_at is not None


async def test_closing_does_not_wait_for_the_next_edit(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.comments)
    began = time.monotonic()
    await bench.reporter.close()
    assert time.monotonic() - began < 1


async def test_what_changes_while_it_is_told_is_told_next(bench: Bench) -> None:
    bench.hub.fail("POST", COMMENTS, status=502)
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.requests("POST", COMMENTS))
    # The comment is on its way with what was true; meanwhile a phase begins and ends.
    await bench.phase(Phase.PREPARE_JOB)
    await bench.done(Phase.START_JOB_CONTAINER)
    await bench.eventually(lambda: bench.hub.comments and bench.comment_of().count("✅") == 2)
    assert len(bench.hub.comments) == 1


async def test_nothing_is_written_without_the_lease_of_whatever_there_is_to_tell(bench: Bench) -> None:
    await bench.push()
    await bench.open_pull_request()
    await bench.ask({"number": 1, "text": "Which?", "options": []})
    await bench.end()
    await bench.lose_lease()
    await bench.reporter.finish(bench.lease)
    assert bench.hub.seen == []
    report = (await bench.run()).report
    assert (report.comment_intended_at, report.check_intended_at, report.last_digest) == (None, None, None)
    assert (await bench.asked()).comment_intended_at is None
