"""The reporter with a real database and a GitHub behind HTTP. Time runs twenty times as fast as outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from bot.github.markers import marker_in, questions_marker, run_marker
from bot.github.rate_gate import Timing
from bot.reporting.reporter import RunReporter
from db.clarifications import ask
from db.leases import Lease, claim, claim_finished, database_now, release
from db.models import SpecAutomationRun
from db.records import Clarification
from db.run_queries import get_run
from db.runs import NewRun, begin, finish_run, note_report, open_run, record_branch, record_head, record_source
from db.session import Database
from db.task_states import finish_phase, start_phase
from db.types import JsonObject
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus, Trigger, Verb
from tests.bot.github_server import SLUG, GitHubServer
from tests.bot.github_world import World, github_world

SPEED = 20
COMMENTS = "/issues/7/comments$"
EDITS = "/issues/comments/"
OLD, HEAD = "a" * 40, "c" * 40
PULL = 12
BRANCH = "speckit/20261122/7f3a9c"


async def hasty_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


HASTY = Timing(monotonic=lambda: time.monotonic() * SPEED, sleep=hasty_sleep, jitter=lambda: 0.0)

ON_ISSUE = NewRun(
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
    writer_key="issue:7",
)
ON_PULL = replace(
    ON_ISSUE,
    verb=Verb.PLAN,
    issue_number=PULL,
    on_pull_request=True,
    pull_request_number=PULL,
    branch_name=BRANCH,
    requested_spec_input="",
    until_phase=None,
)
ON_A_LINE = replace(
    ON_PULL,
    verb=Verb.REFINE,
    trigger=Trigger.REVIEW_COMMENT,
    requested_spec_input="Say which",
    arguments={"section": {"path": "specs/001-x/spec.md", "line": 12}, "review_comment_id": 41},
)


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

    async def opened(self, new: NewRun, number: int) -> UUID:
        """One more run, which waits."""
        async with self.database.transaction() as session:
            run, _ = await open_run(session, replace(new, command_key=f"1:{number}:0", comment_id=number))
        return run.run_id

    async def under_way(self, new: NewRun, number: int) -> Bench:
        """One more run, which somebody works on."""
        return replace(self, lease=await begun(self.database, await self.opened(new, number)))

    async def run(self) -> SpecAutomationRun:
        return await self.row(self.lease.run_id)

    async def row(self, run_id: UUID) -> SpecAutomationRun:
        async with self.database.transaction() as session:
            return await get_run(session, run_id)

    async def phase(self, phase: Phase) -> None:
        """One phase from beginning to end, each step reported."""
        async with self.database.transaction() as session:
            await start_phase(session, self.lease, phase)
        self.reporter.changed(self.lease)
        async with self.database.transaction() as session:
            await finish_phase(session, self.lease, phase, TaskStatus.SUCCEEDED)
        self.reporter.changed(self.lease)

    async def done(self, phase: Phase, **details: object) -> None:
        """One phase that is done; nobody was told yet."""
        async with self.database.transaction() as session:
            await start_phase(session, self.lease, phase)
            await finish_phase(session, self.lease, phase, TaskStatus.SUCCEEDED, details=details)

    async def push(self, head: str = HEAD) -> None:
        async with self.database.transaction() as session:
            await record_source(session, self.lease, "main", "b" * 40)
            await record_branch(session, self.lease, BRANCH)
            await record_head(session, self.lease, head)

    async def open_pull_request(self) -> None:
        """The run's own pull request, as its worker notes it."""
        self.add_pull()
        async with self.database.transaction() as session:
            url = f"https://github.example/acme/shop/pull/{PULL}"
            await note_report(session, self.lease, self.lease.run_id, pull_request_number=PULL, pull_request_url=url)

    def add_pull(self, head: str = OLD, body: str = "") -> dict[str, Any]:
        """Pull request 12 of ours on GitHub."""
        pull = {
            "number": PULL, "html_url": f"https://github.example/acme/shop/pull/{PULL}", "state": "open",
            "draft": True, "title": "Invoices", "body": body, "merged_at": None,
            "head": {"ref": BRANCH, "sha": head, "repo": {"id": 2}}, "base": {"ref": "main"},
            "user": {"login": f"{SLUG}[bot]"},
        }  # fmt: skip
        self.hub.pulls.append(pull)
        return pull

    async def ask(self, *questions: JsonObject) -> None:
        """The run asks about the pull request."""
        async with self.database.transaction() as session:
            await ask(session, self.lease, PULL, questions)

    async def asked(self) -> Clarification:
        async with self.database.transaction() as session:
            return await session.get_one(Clarification, self.lease.run_id, populate_existing=True)

    async def end(self, status: RunStatus = RunStatus.SUCCEEDED, code: ErrorCode | None = None) -> None:
        async with self.database.transaction() as session:
            await finish_run(session, self.lease, status, "It is over.", code)

    async def end_and_tell(self, status: RunStatus = RunStatus.SUCCEEDED, code: ErrorCode | None = None) -> None:
        """As a worker does it."""
        await self.end(status, code)
        await self.reporter.finish(self.lease)
        async with self.database.transaction() as session:
            await release(session, self.lease)

    async def lose_lease(self) -> Lease:
        """Another worker takes the run."""
        async with self.database.transaction() as session:
            past = await database_now(session) - timedelta(minutes=1)
            await session.execute(
                update(SpecAutomationRun)
                .where(SpecAutomationRun.run_id == self.lease.run_id)
                .values(lease_expires_at=past)
            )
            take = claim_finished if (await get_run(session, self.lease.run_id)).status.is_terminal else claim
            lease = await take(session, self.lease.run_id, "other", 45)
        assert lease is not None
        return lease

    async def eventually(self, done: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        for _ in range(2000):
            if done():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never happened")

    def comment_of(self, run_id: UUID | None = None) -> str:
        """The one comment of the run."""
        return str(self._only(run_marker(run_id or self.lease.run_id))["body"])

    def questions_of(self, run_id: UUID | None = None) -> dict[str, Any]:
        """The one comment with the questions of the run."""
        return self._only(questions_marker(run_id or self.lease.run_id))

    def _only(self, marker: str) -> dict[str, Any]:
        ours = [comment for comment in self.hub.comments if marker_in(comment["body"]) == marker]
        assert len(ours) == 1, self.hub.comments
        return ours[0]

    def checks(self) -> list[tuple[str, str, str | None]]:
        """Every check run: commit, status, conclusion."""
        return [(check["head_sha"], check["status"], check.get("conclusion")) for check in self.hub.checks]

    def writes(self) -> int:
        """Requests that changed something on GitHub."""
        minted = len(self.hub.requests("POST", "/access_tokens$"))
        return sum(seen.method in {"POST", "PATCH", "DELETE"} for seen in self.hub.seen) - minted


async def begun(database: Database, run_id: UUID) -> Lease:
    """A worker takes the run and begins."""
    async with database.transaction() as session:
        lease = await claim(session, run_id, "me", 45)
        assert lease is not None
        await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
    return lease


@asynccontextmanager
async def reporter_bench(database: Database, new: NewRun = ON_ISSUE) -> AsyncIterator[Bench]:
    """A bench with one run under way."""
    async with github_world(HASTY) as world:
        reporter = RunReporter(
            database,
            world.github,
            run_page_base="https://bot.example",
            web_url="https://github.example",
            prefix="/speckit",
            timing=HASTY,
        )
        async with database.transaction() as session:
            run, _ = await open_run(session, new)
        yield Bench(database, world, reporter, await begun(database, run.run_id))
        await reporter.close()
