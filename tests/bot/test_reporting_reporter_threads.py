"""What else the end of a run leaves: a word in the thread that asked, and older comments folded away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.github.markers import marker_in, run_marker
from db.models import RunReport, SpecAutomationRun
from db.session import Database
from db.vocabulary import ErrorCode, Phase, RunStatus, Trigger
from tests.bot.reporter_bench import HEAD, ON_A_LINE, ON_ISSUE, ON_PULL, PULL, Bench, hasty_sleep, reporter_bench

SECTION = {"path": "specs/001-x/spec.md", "heading": "Requirements", "line": 10}


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    """A run that was asked for on a line of pull request 12."""
    async with reporter_bench(database, ON_A_LINE) as opened:
        opened.add_pull()
        yield opened


@pytest.fixture
async def issue(database: Database) -> AsyncIterator[Bench]:
    """A run that was asked for on issue 7."""
    async with reporter_bench(database) as opened:
        yield opened


# The thread


async def refined(bench: Bench) -> None:
    await bench.done(Phase.SPECKIT_REFINE, section=SECTION)
    await bench.push()
    await bench.end()


async def test_the_thread_gets_the_commit_and_the_comment_its_reaction(bench: Bench) -> None:
    await refined(bench)
    await bench.reporter.finish(bench.lease)
    (reply,) = bench.hub.review_comments
    assert (reply["pull"], reply["in_reply_to_id"]) == (PULL, 41)
    assert f"https://github.example/acme/shop/commit/{HEAD}" in reply["body"]
    assert marker_in(reply["body"]) == run_marker(bench.lease.run_id)
    assert (bench.hub.review_reactions, bench.hub.reactions) == ([(41, "rocket")], [])


async def test_a_run_that_failed_says_so_in_the_thread(bench: Bench) -> None:
    await bench.end_and_tell(RunStatus.FAILED, ErrorCode.AGENT_FAILED)
    (reply,) = bench.hub.review_comments
    assert "Not done" in reply["body"]
    assert bench.hub.review_reactions == [(41, "confused")]


async def test_the_thread_gets_one_reply_however_often_the_end_is_told(bench: Bench) -> None:
    await refined(bench)
    outage = bench.hub.fail("POST", "/check-runs$", status=503, times=1000)
    await bench.reporter.finish(bench.lease)
    assert (await bench.run()).report.final_reported_at is None
    assert len(bench.hub.review_comments) == 1
    outage.times = 0
    await hasty_sleep(31)
    await bench.reporter.finish(bench.lease)
    assert (await bench.run()).report.final_reported_at is not None
    assert len(bench.hub.review_comments) == 1


async def test_a_retry_given_elsewhere_tells_the_thread_too(bench: Bench) -> None:
    await bench.end_and_tell(RunStatus.FAILED, ErrorCode.AGENT_FAILED)
    again = replace(ON_A_LINE, trigger=Trigger.COMMENT, retry_of=bench.lease.run_id)
    later = await bench.under_way(again, 42)
    await refined(later)
    await bench.reporter.finish(later.lease)
    failed, done = bench.hub.review_comments
    assert "Not done" in failed["body"]
    assert HEAD in done["body"]
    assert bench.hub.reactions == [(42, "rocket")], "the reaction is for the comment that asked again"


async def test_what_was_asked_for_in_the_conversation_tells_no_thread(bench: Bench) -> None:
    other = await bench.under_way(ON_PULL, 42)
    await other.push()
    await other.end_and_tell()
    assert bench.hub.review_comments == []


async def test_a_label_has_no_comment_to_react_to(issue: Bench) -> None:
    async with issue.database.transaction() as session:
        await session.execute(update(SpecAutomationRun).values(comment_id=None, trigger=Trigger.LABEL))
    await issue.end_and_tell()
    assert (issue.hub.reactions, issue.hub.review_reactions) == ([], [])
    assert "by label" in issue.comment_of()


# Older comments


async def later_than(bench: Bench, number: int, issue_number: int = 7) -> Bench:
    """The next run of the issue, which somebody works on; those before it are older."""
    async with bench.database.transaction() as session:
        for run in await session.scalars(select(SpecAutomationRun)):
            run.created_at -= timedelta(seconds=1)
    return await bench.under_way(replace(ON_ISSUE, issue_number=issue_number), number)


async def test_the_end_of_a_run_folds_the_comments_of_older_ones_once(issue: Bench) -> None:
    await issue.end_and_tell()
    second = await later_than(issue, 42)
    issue.reporter.changed(second.lease)
    await issue.eventually(lambda: len(issue.hub.comments) == 2)
    assert issue.hub.minimized == [], "as long as it works, the older one is the last word"
    await second.end_and_tell()
    assert issue.hub.minimized == ["IC_900"]
    third = await later_than(issue, 43)
    await third.end_and_tell()
    assert issue.hub.minimized == ["IC_900", "IC_901"]
    assert (await issue.run()).report.comment_folded_at is not None


async def test_what_still_works_or_was_said_elsewhere_is_not_folded(issue: Bench) -> None:
    issue.reporter.changed(issue.lease)
    await issue.eventually(lambda: issue.hub.comments)
    elsewhere = await later_than(issue, 42, issue_number=8)
    await elsewhere.end_and_tell()
    newest = await later_than(issue, 43)
    await newest.end_and_tell()
    assert issue.hub.minimized == []


async def test_a_comment_somebody_deleted_is_folded_for_good(issue: Bench) -> None:
    await issue.end_and_tell()
    issue.hub.comments[0]["node_id"] = "of another world"
    second = await later_than(issue, 42)
    await second.end_and_tell()
    assert issue.hub.minimized == []
    assert (await issue.run()).report.comment_folded_at is not None
    assert (await second.run()).report.final_reported_at is not None


async def test_what_cannot_be_folded_stops_nothing_and_is_tried_with_the_next_end(issue: Bench) -> None:
    await issue.end_and_tell()
    issue.hub.fail("POST", "/graphql$", status=503, times=1000)
    second = await later_than(issue, 42)
    await second.end_and_tell()
    assert (await second.run()).report.final_reported_at is not None
    issue.hub.faults.clear()
    third = await later_than(issue, 43)
    await third.end_and_tell()
    assert issue.hub.minimized == ["IC_900", "IC_901"]


async def test_a_comment_of_before_we_knew_its_name_stays(issue: Bench) -> None:
    await issue.end_and_tell()
    async with issue.database.transaction() as session:
        await session.execute(update(RunReport).values(comment_node_id=None))
    second = await later_than(issue, 42)
    await second.end_and_tell()
    assert issue.hub.minimized == []
