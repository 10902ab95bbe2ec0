"""Tells GitHub how a run stands: one comment edited in place, one check run, one reaction.

Wanted: the newest state wins and the final one always arrives; a crash between a write and its row leaves one comment,
not two; a worker that lost the run writes nothing more; and no trouble with GitHub ever fails a run.

So each report is made from the rows as they are when it is written, not when it was asked for. That a thing is about
to be created is committed before GitHub is asked; whoever finds the intention without the result looks for the thing
first. Before every write the lease is proved. What GitHub did not take is taken up again by the sweeper, for a day.

Known race: a worker that loses its lease between the proof and the write may write once more. It writes what was true
then, and the new holder's next edit corrects it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Unpack
from uuid import UUID

from bot.github.errors import GitHubError, NotFound, Refused
from bot.github.markers import run_marker
from bot.github.rate_gate import Timing
from bot.github.repo_client import GitHub, RepoClient
from bot.reporting.check_run import check_run
from bot.reporting.run_comment import run_comment
from db.errors import LeaseLost, RunNotFound
from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.run_queries import get_run
from db.runs import ReportFields, note_report
from db.session import Database
from db.vocabulary import RunStatus

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_EDITS = 2.0
FIRST_GAP_SECONDS, LONGEST_GAP_SECONDS = 30.0, 3600.0
GIVE_UP_AFTER = timedelta(hours=24)
CLOSING_PATIENCE_SECONDS = 5.0


@dataclass(slots=True)
class _Desk:
    """What is being reported about one run: the newest wish, and who is at it."""

    wanted: Lease | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_edit: float | None = None


@dataclass(frozen=True, slots=True)
class _Picture:
    """A run as it was at one moment of the database's clock, and the client for its repository."""

    run: SpecAutomationRun
    now: datetime
    client: RepoClient


@dataclass(frozen=True, slots=True)
class _Gap:
    """How long a late report waits for its next try (monotonic seconds)."""

    until: float
    seconds: float


class RunReporter:
    """One for a process. ``run_page_base`` is where people reach the run pages, if they do."""

    def __init__(
        self,
        database: Database,
        github: GitHub,
        *,
        run_page_base: str | None,
        prefix: str,
        timing: Timing | None = None,
    ) -> None:
        self._database = database
        self._github = github
        self._run_page_base = run_page_base
        self._prefix = prefix
        self._timing = timing or Timing()
        self._desks: dict[UUID, _Desk] = {}
        self._tasks: dict[asyncio.Task[None], _Desk] = {}
        self._gaps: dict[UUID, _Gap] = {}

    def changed(self, lease: Lease) -> None:
        """The run changed: report it soon. Returns at once; many changes in a short time become one edit."""
        desk = self._desks.get(lease.run_id)
        if desk is not None:
            desk.wanted = lease
            return
        desk = self._desks[lease.run_id] = _Desk(wanted=lease)
        task = asyncio.get_running_loop().create_task(self._keep_reporting(lease.run_id, desk))
        self._tasks[task] = desk
        task.add_done_callback(self._tasks.pop)

    async def finish(self, lease: Lease) -> None:
        """The run is over: write the final comment, check run and reaction. Never raises for what GitHub does.

        What did not get through leaves ``final_reported_at`` empty: call again later. Such calls do nothing before a
        growing gap is over (30 s to an hour); a day after the run ended it is given up, with an error in the log.
        """
        gap = self._gaps.get(lease.run_id)
        if gap is not None and self._timing.monotonic() < gap.until:
            return
        desk = self._desks.setdefault(lease.run_id, _Desk())
        desk.wanted = None
        async with desk.busy:
            if desk.last_edit is not None:
                pause = desk.last_edit + SECONDS_BETWEEN_EDITS - self._timing.monotonic()
                await self._timing.sleep(max(0.0, pause))
            done = await self._safely(lease, final=True)
        self._desks.pop(lease.run_id, None)
        if done:
            self._gaps.pop(lease.run_id, None)
            return
        seconds = min(gap.seconds * 2, LONGEST_GAP_SECONDS) if gap is not None else FIRST_GAP_SECONDS
        self._gaps[lease.run_id] = _Gap(self._timing.monotonic() + seconds, seconds)

    async def close(self) -> None:
        """End the reports under way; one that takes long is left to whoever continues the run."""
        tasks = dict(self._tasks)
        for task, desk in tasks.items():
            desk.wanted = None
            if not desk.busy.locked():
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSING_PATIENCE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_reporting(self, run_id: UUID, desk: _Desk) -> None:
        """Report until nothing new was wanted for as long as two edits must be apart."""
        while (lease := desk.wanted) is not None:
            async with desk.busy:
                if desk.wanted is None:
                    break
                desk.wanted = None
                await self._safely(lease, final=False)
                desk.last_edit = self._timing.monotonic()
            await self._timing.sleep(SECONDS_BETWEEN_EDITS)
        if self._desks.get(run_id) is desk and not desk.busy.locked():
            del self._desks[run_id]

    async def _safely(self, lease: Lease, *, final: bool) -> bool:
        """Report. Returns False when it has to be tried again."""
        try:
            return await self._report(lease, final=final)
        except (LeaseLost, RunNotFound) as lost:
            logger.info("report_not_ours", extra={"run": str(lease.run_id), "reason": str(lost)})
            return True
        except Exception:
            # A report never decides a run: whatever went wrong, the sweeper reports the end again.
            logger.exception("report_broken", extra={"run": str(lease.run_id)})
            return False

    async def _report(self, lease: Lease, *, final: bool) -> bool:
        async with self._database.transaction() as session:
            await guard(session, lease)
            run = await get_run(session, lease.run_id)
            now = await database_now(session)
        digest = self._digest(run)
        if digest == run.report.last_digest and (not final or run.report.final_reported_at is not None):
            return True
        client = self._github.repo(run.installation_id, run.repository_id, run.repository, final=final)
        picture = _Picture(run, now, client)
        taken = await self._taken("comment", run, self._write_comment(lease, picture))
        if run.head_sha is not None:
            taken = await self._taken("check_run", run, self._write_check_run(lease, picture, run.head_sha)) and taken
        if final and run.comment_id is not None:
            taken = await self._taken("reaction", run, self._react(lease, picture, run.comment_id)) and taken
        given_up = final and run.completed_at is not None and run.completed_at + GIVE_UP_AFTER < now
        if not taken and not given_up:
            return False
        if not taken:
            logger.error("report_given_up", extra={"run": str(run.run_id)})
        await self._note(lease, last_digest=digest)
        if final and RunStatus(run.status).is_terminal:
            await self._note(lease, final_reported_at=now)
        return True

    async def _taken(self, what: str, run: SpecAutomationRun, write: Awaitable[None]) -> bool:
        """Do one write. True when it is done, or can never be: then it is over for this write, not for the run."""
        context = {"run": str(run.run_id), "what": what}
        try:
            await write
        except (NotFound, Refused) as refusal:
            logger.warning("report_refused", extra={**context, "reason": refusal.message})
        except GitHubError as error:
            logger.warning("report_delayed", extra={**context, "reason": error.message})
            return False
        return True

    async def _write_comment(self, lease: Lease, picture: _Picture) -> None:
        run, client = picture.run, picture.client
        body = run_comment(run, picture.now, self._run_page_base, self._prefix)
        comment_id = run.report.comment_id
        if comment_id is not None:
            await self._prove(lease)
            await client.edit_comment(comment_id, body)
            return
        existing = None
        if run.report.comment_intended_at is None:
            await self._note(lease, comment_intended_at=picture.now)
        else:
            existing = await client.find_comment(run.issue_number, run_marker(run.run_id))
            await self._prove(lease)
        if existing is None:
            existing = await client.comment(run.issue_number, body)
        elif existing.body != body:
            await client.edit_comment(existing.id, body)
        run.report.comment_id, run.report.comment_url = existing.id, existing.url
        await self._note(lease, comment_id=existing.id, comment_url=existing.url)

    async def _write_check_run(self, lease: Lease, picture: _Picture, head_sha: str) -> None:
        run, client = picture.run, picture.client
        payload = check_run(run, picture.now, head_sha=head_sha, run_page_base=self._run_page_base, prefix=self._prefix)
        check_run_id = run.report.check_run_id if run.report.check_run_sha == head_sha else None
        if check_run_id is None and run.report.check_intended_at is not None:
            check_run_id = await client.find_check_run(head_sha, str(run.run_id))
        if check_run_id is None:
            await self._note(lease, check_intended_at=picture.now)
            check_run_id = await client.create_check_run(payload)
        else:
            await self._prove(lease)
            await client.update_check_run(check_run_id, payload)
        await self._note(lease, check_run_id=check_run_id, check_run_sha=head_sha)

    async def _react(self, lease: Lease, picture: _Picture, comment_id: int) -> None:
        await self._prove(lease)
        await picture.client.react(comment_id, "confused" if picture.run.status == RunStatus.FAILED else "rocket")

    def _digest(self, run: SpecAutomationRun) -> str:
        """What people would see, without the time that passes while nothing happens."""
        then = run.created_at
        shown: list[object] = [run_comment(run, then, self._run_page_base, self._prefix)]
        if run.head_sha is not None:
            base = self._run_page_base
            shown.append(check_run(run, then, head_sha=run.head_sha, run_page_base=base, prefix=self._prefix))
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()

    async def _prove(self, lease: Lease) -> None:
        async with self._database.transaction() as session:
            await guard(session, lease)

    async def _note(self, lease: Lease, **fields: Unpack[ReportFields]) -> None:
        async with self._database.transaction() as session:
            await note_report(session, lease, lease.run_id, **fields)
