"""The reporter with a real database and a GitHub behind HTTP. Time runs twenty times as fast as outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import update

from bot.github.errors import AccessLost, Refused
from bot.github.markers import marker_in, run_marker
from bot.github.rate_gate import Timing
from bot.github.repo_client import PullRequestInfo
from bot.reporting.pull_request import open_pull_request
from bot.reporting.reporter import RunReporter
from db.errors import LeaseLost
from db.leases import Lease, claim, claim_finished, database_now, release
from db.models import RunReport, SpecAutomationRun
from db.run_queries import get_run, runs_to_report
from db.runs import NewRun, begin, finish_run, note_report, open_run, record_branch, record_head, record_source
from db.session import Database
from db.task_states import finish_phase, start_phase
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus
from tests.bot.github_server import APP_ID, SLUG, GitHubServer
from tests.bot.github_world import World, github_world

SPEED = 20
COMMENTS = "/issues/7/comments$"
EDITS = "/issues/comments/"
HEAD = "c" * 40


async def hasty_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


HASTY = Timing(monotonic=lambda: time.monotonic() * SPEED, sleep=hasty_sleep, jitter=lambda: 0.0)


@dataclass
class Bench:
    """A run somebody works on, and the reporter."""

    database: Database
    world: World
    reporter: RunReporter
    lease: Lease

    @property
    def hub(self) -> GitHubServer:
        return self.world.server

    async def run(self) -> SpecAutomationRun:
        async with self.database.transaction() as session:
            return await get_run(session, self.lease.run_id)

    async def phase(self, phase: Phase, **details: object) -> None:
        """One phase from beginning to end, each step reported."""
        async with self.database.transaction() as session:
            await start_phase(session, self.lease, phase)
        self.reporter.changed(self.lease)
        async with self.database.transaction() as session:
            await finish_phase(session, self.lease, phase, TaskStatus.SUCCEEDED, details=details)
        self.reporter.changed(self.lease)

    async def push(self) -> None:
        async with self.database.transaction() as session:
            await record_source(session, self.lease, "main", "b" * 40)
            await record_branch(session, self.lease, "speckit/20261122/7f3a9c")
            await record_head(session, self.lease, HEAD)

    async def end(self, status: RunStatus = RunStatus.SUCCEEDED, code: ErrorCode | None = None) -> None:
        async with self.database.transaction() as session:
            await finish_run(session, self.lease, status, "It is over.", code)

    async def lose_lease(self) -> Lease:
        """Another worker takes the run."""
        async with self.database.transaction() as session:
            now = await database_now(session)
            past = now - timedelta(minutes=1)
            await session.execute(
                update(SpecAutomationRun)
                .where(SpecAutomationRun.run_id == self.lease.run_id)
                .values(lease_expires_at=past)
            )
            lease = await claim(session, self.lease.run_id, "other", 45)
        assert lease is not None
        return lease

    async def eventually(self, done: object) -> None:
        """Wait until a condition holds."""
        for _ in range(2000):
            if done():  # type: ignore[operator]
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never happened")


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """SQLite is enough here: test_github_with_localhub.py goes the whole way on Postgres too."""
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with github_world(HASTY) as world:
        reporter = RunReporter(
            database, world.github, run_page_base="https://bot.example", prefix="/speckit", timing=HASTY
        )
        yield Bench(database, world, reporter, await a_run_under_way(database))
        await reporter.close()


async def a_run_under_way(database: Database) -> Lease:
    new = NewRun(
        command_key="1:41:0",
        repository="acme/shop",
        repository_id=2,
        installation_id=1,
        private=False,
        issue_number=7,
        on_pull_request=False,
        issue_title="Invoices",
        comment_id=41,
        requested_by="alice",
        requested_by_id=11,
        base_branch=None,
        requested_spec_input="Pay by invoice",
        until_phase=Phase.SPECKIT_TASKS,
        dry_run=False,
        requested_agent=None,
    )
    async with database.transaction() as session:
        run, _ = await open_run(session, new)
        lease = await claim(session, run.run_id, "me", 45)
        assert lease is not None
        await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
    return lease


def comment_of(bench: Bench, run_id: UUID) -> str:
    ours = [comment for comment in bench.hub.comments if marker_in(comment["body"]) == run_marker(run_id)]
    assert len(ours) == 1, bench.hub.comments
    return str(ours[0]["body"])


async def test_one_comment_follows_the_run_to_its_end(bench: Bench) -> None:
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.comments)
    assert "so far" in comment_of(bench, bench.lease.run_id)
    await bench.phase(Phase.PREPARE_JOB)
    await bench.push()
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: bench.hub.checks)
    assert bench.hub.checks[0]["status"] == "in_progress"
    await bench.end()
    await bench.reporter.finish(bench.lease)
    assert "**Done.**" in comment_of(bench, bench.lease.run_id)
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
    assert "Not done" in comment_of(bench, bench.lease.run_id)


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
    assert "**Done.**" in comment_of(bench, bench.lease.run_id)


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
    assert "**Done.**" in comment_of(bench, bench.lease.run_id)
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
    assert "**Done.**" in comment_of(bench, bench.lease.run_id)


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
    assert "**Done.**" in comment_of(bench, bench.lease.run_id)
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


# The pull request


async def test_the_pull_request_is_opened_once(bench: Bench) -> None:
    await bench.push()
    number, url = await open_pull_request(bench.database, bench.world.repo, bench.lease)
    assert (number, url) == (12, "https://github.example/acme/shop/pull/12")
    assert await open_pull_request(bench.database, bench.world.repo, bench.lease) == (number, url)
    pull = bench.hub.pulls[0]
    assert (pull["draft"], pull["base"]["ref"], pull["title"]) == (True, "main", "Invoices")
    assert "Refs #7" in pull["body"]
    report = (await bench.run()).report
    assert (report.pull_request_number, report.pull_request_url) == (number, url)


async def test_a_pull_request_lost_in_a_crash_is_found(bench: Bench) -> None:
    await bench.push()
    await open_pull_request(bench.database, bench.world.repo, bench.lease)
    async with bench.database.transaction() as session:
        await session.execute(update(RunReport).values(pull_request_number=None, pull_request_url=None))
    assert (await open_pull_request(bench.database, bench.world.repo, bench.lease))[0] == 12
    async with bench.database.transaction() as session:
        await session.execute(
            update(RunReport).values(pull_request_number=None, pull_request_url=None, pull_request_intended_at=None)
        )
    assert (await open_pull_request(bench.database, bench.world.repo, bench.lease))[0] == 12
    assert len(bench.hub.pulls) == 1


async def test_where_there_are_no_drafts_it_is_ready_for_review(bench: Bench) -> None:
    bench.hub.drafts = False
    await bench.push()
    await open_pull_request(bench.database, bench.world.repo, bench.lease)
    assert [pull["draft"] for pull in bench.hub.pulls] == [False]


async def test_other_refusals_of_a_pull_request_are_errors(bench: Bench) -> None:
    await bench.push()
    bench.hub.fail(
        "POST", "/pulls$", status=422, body={"message": "Validation Failed", "errors": [{"message": "No commits"}]}
    )
    with pytest.raises(Refused) as error:
        await open_pull_request(bench.database, bench.world.repo, bench.lease)
    assert error.value.details == ("No commits",)
    bench.hub.fail("POST", "/pulls$", status=403, body={"message": "Resource not accessible by integration"}, times=9)
    with pytest.raises(AccessLost):
        await open_pull_request(bench.database, bench.world.repo, bench.lease)


async def test_a_worker_that_lost_the_run_opens_no_pull_request(bench: Bench) -> None:
    await bench.push()
    await bench.lose_lease()
    with pytest.raises(LeaseLost):
        await open_pull_request(bench.database, bench.world.repo, bench.lease)
    assert bench.hub.seen == []


async def test_a_worker_that_lost_the_run_while_it_looked_opens_no_pull_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.push()
    async with bench.database.transaction() as session:
        now = await database_now(session)
        await note_report(session, bench.lease, bench.lease.run_id, pull_request_intended_at=now)
    client = bench.world.repo
    find = client.find_pull_request

    async def slow_find(head: str) -> PullRequestInfo | None:
        found = await find(head)
        await bench.lose_lease()
        return found

    monkeypatch.setattr(client, "find_pull_request", slow_find)
    with pytest.raises(LeaseLost):
        await open_pull_request(bench.database, client, bench.lease)
    assert bench.hub.pulls == []
