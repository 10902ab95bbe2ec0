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
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.github.errors import GitHubError, NotFound, Refused
from bot.github.rate_gate import Timing
from bot.github.repo_client import GitHub
from bot.reporting.run_view import RunView
from bot.reporting.run_writer import Picture, RunWriter
from db.clarifications import of_run, to_tell
from db.errors import LeaseLost, RunNotFound
from db.leases import Lease, claim, claim_finished, database_now, guard, release
from db.models import SpecAutomationRun
from db.run_queries import comments_to_fold, get_run
from db.session import Database
from db.turns import place_in_queue, usual_seconds
from db.vocabulary import RunStatus, Verb

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_EDITS = 2.0
FIRST_GAP_SECONDS, LONGEST_GAP_SECONDS = 30.0, 3600.0
GIVE_UP_AFTER = timedelta(hours=24)
CLOSING_PATIENCE_SECONDS = 5.0
WAITING_LEASE_SECONDS = 60.0

IMPLEMENT_ONLY = frozenset({Verb.IMPLEMENT.value})
"""The commands that are off where no configuration says otherwise."""


@dataclass(slots=True)
class _Desk:
    """What is being reported about one run: the newest wish, and who is at it."""

    wanted: Lease | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_edit: float | None = None


@dataclass(frozen=True, slots=True)
class _Gap:
    """How long a late report waits for its next try (monotonic seconds)."""

    until: float
    seconds: float


class RunReporter:
    """One for a process. ``run_page_base`` is where people reach the run pages, if they do; ``web_url`` is GitHub's."""

    def __init__(
        self,
        database: Database,
        github: GitHub,
        *,
        run_page_base: str | None,
        web_url: str,
        prefix: str,
        timing: Timing | None = None,
    ) -> None:
        self._database = database
        self._github = github
        self._run_page_base = run_page_base
        self._web_url = web_url
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

    async def waiting(self, run_id: UUID, owner: str) -> None:
        """The run waits for its turn: tell its place if that is news. ``owner`` holds it meanwhile, so that no worker
        takes it and tells something else. Never raises for what GitHub does."""
        async with self._database.transaction() as session:
            run = await get_run(session, run_id)
            if run.status is not RunStatus.QUEUED or not await self._has_news(session, run):
                return
            lease = await claim(session, run_id, owner, WAITING_LEASE_SECONDS)
        if lease is None:
            return
        try:
            await self._safely(lease, final=False)
        finally:
            async with self._database.transaction() as session:
                await release(session, lease)

    async def later_commit(self, run_id: UUID, head_sha: str, owner: str) -> None:
        """Somebody pushed to the pull request of a run that is over: its new head gets a check run too. Raises
        GitHubError."""
        async with self._database.transaction() as session:
            lease = await claim_finished(session, run_id, owner, WAITING_LEASE_SECONDS)
            if lease is None:
                return
            picture = await self._picture(session, await get_run(session, run_id), final=False)
        try:
            await RunWriter(self._database, lease, picture, self._prefix).later_commit(head_sha)
        except LeaseLost as lost:
            logger.info("report_not_ours", extra={"run": str(run_id), "reason": str(lost)})
        finally:
            async with self._database.transaction() as session:
                await release(session, lease)

    async def _has_news(self, session: AsyncSession, run: SpecAutomationRun) -> bool:
        return (await self._picture(session, run, final=False)).digest() != run.report.last_digest

    async def _report(self, lease: Lease, *, final: bool) -> bool:
        async with self._database.transaction() as session:
            await guard(session, lease)
            run = await get_run(session, lease.run_id)
            picture = await self._picture(session, run, final=final)
            older = await comments_to_fold(session, run) if final else []
        digest = picture.digest()
        if digest == run.report.last_digest and (not final or run.report.final_reported_at is not None):
            return True
        writer = RunWriter(self._database, lease, picture, self._prefix)
        # The questions first: the run's comment leads to them.
        writes = [("questions", writer.questions), ("comment", writer.comment), ("check_run", writer.check_run)]
        if final:
            writes += [("reaction", writer.reaction), ("thread_reply", writer.thread_reply)]
        taken = True
        for what, write in writes:
            taken = await self._taken(what, run, write()) and taken
        for other in older:
            # A nicety: it is tried again with the next run's end.
            await self._taken("fold", run, writer.fold(other))
        now = picture.view.now
        given_up = final and run.completed_at is not None and run.completed_at + GIVE_UP_AFTER < now
        if not taken and not given_up:
            return False
        if not taken:
            logger.error("report_given_up", extra={"run": str(run.run_id)})
        await writer.note(last_digest=writer.picture.digest())
        if final and RunStatus(run.status).is_terminal:
            await writer.note(final_reported_at=now)
        return True

    async def _picture(self, session: AsyncSession, run: SpecAutomationRun, *, final: bool) -> Picture:
        number = run.report.pull_request_number or run.pull_request_number
        told = await to_tell(session, run.repository_id, number) if number is not None else []
        ours = await of_run(session, run.run_id)
        questions = {asked.run_id: asked for asked in [*([ours] if ours else []), *told]}
        place = await place_in_queue(session, run)
        off = run.arguments.get("commands_off")
        view = RunView(
            now=await database_now(session),
            run_page_base=self._run_page_base,
            prefix=self._prefix,
            repository_url=f"{self._web_url}/{run.repository}",
            place=place,
            usual_seconds=place.usual_seconds if place else await usual_seconds(session, run),
            questions_url=ours.comment_url if ours else None,
            commands_off=frozenset(map(str, off)) if isinstance(off, list) else IMPLEMENT_ONLY,
        )
        client = self._github.repo(
            run.installation_id, run.repository_id, run.repository, final=final, optional=run.status is RunStatus.QUEUED
        )
        return Picture(run, view, tuple(questions.values()), client)

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
