"""What time heals: lost jobs, dead workers, missed and unhandled deliveries, untold ends, orphans, old artifacts.

Every worker sweeps; nobody leads. So each step may happen twice at once and must not mind: enqueueing an id twice does
nothing, a run that is over is taken by lease before it is cleaned or reported, removing what is gone is no error.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from bot.intake import IntakeService, drain_unhandled
from bot.queue import QueueUnavailable, WakesRuns
from bot.redelivering import Redelivery
from db.artifacts import expired_artifacts, forget_artifact, resolve
from db.errors import ArtifactUnavailable, LeaseLost, RunNotFound
from db.models import AutomationArtifact
from db.runs import (
    Lease,
    claim_finished,
    finish_phase,
    get_run,
    record_cleanup,
    release,
    runs_to_clean,
    runs_to_report,
    runs_to_tell,
    runs_to_wake,
    start_phase,
)
from db.session import Database
from db.turns import Limits
from db.vocabulary import Phase, TaskStatus
from jobs.errors import PipelineError
from jobs.failures import general_sentence
from jobs.guarding import guarded, keep_lease
from jobs.ports import Clock, Reporter
from jobs.services import Pace

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 100
"""Runs or artifacts in one round, so that a long outage is worked off in pieces."""

TOLD_AFTER_SECONDS = 5.0
MOST_TOLD = 20
"""Waiting runs that are told their place in one round."""

LONGEST_PAUSE = 300.0
"""Seconds between two tries of what keeps going wrong for one run."""


class Engine(Protocol):
    """What the sweeper does on the container engine. Raises PipelineError ``engine.*``."""

    async def remove(self, run_id: UUID) -> None: ...

    async def runs_present(self) -> Collection[UUID]:
        """The runs that have a container, volume or network with our label."""
        ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two rounds. ``urgent``: somebody waits for it; ``tidy``: nobody does; ``missed``: for what GitHub
    could not hand over."""

    urgent: float = 3.0
    tidy: float = 60.0
    missed: float = 300.0


@dataclass(frozen=True, slots=True)
class SweptParts:
    """What the sweeper works with. ``owner`` names this process in leases."""

    database: Database
    queue: WakesRuns
    intake: IntakeService
    redelivery: Redelivery
    reporter: Reporter
    engine: Engine
    clock: Clock
    artifact_root: Path
    owner: str
    limits: Limits = field(default_factory=Limits)


class Sweeper:
    """Runs its chores side by side, each in its own rhythm, until cancelled."""

    def __init__(self, parts: SweptParts, rhythm: Rhythm | None = None, pace: Pace | None = None) -> None:
        self._parts = parts
        self._rhythm = rhythm or Rhythm()
        self._pace = pace or Pace()
        self._patience = _Patience()

    async def run(self) -> None:
        """Never returns."""
        chores: list[tuple[Callable[[], Awaitable[object]], float]] = [
            (self.wake_runs, self._rhythm.urgent),
            (self.tell_waiting, self._rhythm.urgent),
            (self.handle_deliveries, self._rhythm.urgent),
            (self.clean_runs, self._rhythm.urgent),
            (self.report_runs, self._rhythm.urgent),
            (self.remove_orphans, self._rhythm.tidy),
            (self.expire_artifacts, self._rhythm.tidy),
            (self._parts.redelivery.ask, self._rhythm.missed),
        ]
        async with asyncio.TaskGroup() as group:
            for chore, seconds in chores:
                group.create_task(_again_and_again(chore, seconds))

    async def wake_runs(self) -> None:
        """Enqueue what the database says waits: queued and perhaps lost from Redis, or left by a worker."""
        async with self._parts.database.transaction() as session:
            waiting = await runs_to_wake(session, self._parts.limits)
        for run_id, epoch in waiting[:MOST_AT_ONCE]:
            if await self._parts.queue.enqueue_run(run_id, epoch):
                logger.info("run_woken", extra={"run": str(run_id), "epoch": epoch})

    async def tell_waiting(self) -> None:
        """Runs that wait for longer than people do without a word: their place, and again when it changed."""
        async with self._parts.database.transaction() as session:
            run_ids = await runs_to_tell(session, waiting_for_seconds=TOLD_AFTER_SECONDS, limit=MOST_TOLD)
        for run_id in run_ids:
            await self._parts.reporter.waiting(run_id, self._parts.owner)

    async def handle_deliveries(self) -> None:
        """Deliveries that were written down and never handled."""
        await drain_unhandled(self._parts.database, self._parts.intake)

    async def clean_runs(self) -> None:
        """Runs that are over and may have left containers."""
        async with self._parts.database.transaction() as session:
            run_ids = await runs_to_clean(session)
        await self._each(run_ids, self._clean)

    async def report_runs(self) -> None:
        """Runs that are over and whose end GitHub was not told."""
        async with self._parts.database.transaction() as session:
            run_ids = await runs_to_report(session)
        await self._each(run_ids, self._report)

    async def remove_orphans(self) -> None:
        """Containers of runs that are over. A run this database does not know belongs to another installation."""
        for run_id in await self._parts.engine.runs_present():
            try:
                async with self._parts.database.transaction() as session:
                    run = await get_run(session, run_id)
            except RunNotFound:
                continue
            if run.status.is_terminal:
                await self._parts.engine.remove(run_id)
                logger.info("orphans_removed", extra={"run": str(run_id)})

    async def expire_artifacts(self) -> None:
        """Files first, rows after: a row without its file is found again, a file without its row never."""
        async with self._parts.database.transaction() as session:
            expired = await expired_artifacts(session, limit=MOST_AT_ONCE)
        for artifact in expired:
            await asyncio.to_thread(_delete_file, self._parts.artifact_root, artifact)
            async with self._parts.database.transaction() as session:
                await forget_artifact(session, artifact.artifact_id)
        for run_id in {artifact.run_id for artifact in expired}:
            await self._remove_empty_folder(run_id)

    async def _remove_empty_folder(self, run_id: UUID) -> None:
        async with self._parts.database.transaction() as session:
            left = (await get_run(session, run_id)).artifacts
        if not left:
            # Logs of attempts whose worker died are in no row.
            await asyncio.to_thread(shutil.rmtree, self._parts.artifact_root / str(run_id), ignore_errors=True)

    async def _each(self, run_ids: Sequence[UUID], work: Callable[[Lease], Coroutine[Any, Any, None]]) -> None:
        """Those whose time has come, so that the ones that fail again and again do not keep the others waiting."""
        left = MOST_AT_ONCE
        for run_id in run_ids:
            if left > 0 and self._patience.is_due(work.__name__, run_id):
                left -= 1
                await self._with_lease(run_id, work)

    async def _with_lease(self, run_id: UUID, work: Callable[[Lease], Coroutine[Any, Any, None]]) -> None:
        database = self._parts.database
        async with database.transaction() as session:
            lease = await claim_finished(session, run_id, self._parts.owner, self._pace.lease_ttl)
        if lease is None:
            return
        try:
            keeping = keep_lease(database, lease, self._parts.clock, self._pace)
            await guarded(work(lease), keeping, self._pace.grace)
        except LeaseLost:
            return
        except PipelineError as error:
            logger.warning("chore_failed", extra={"chore": work.__name__, "run": str(run_id), "detail": error.message})
        finally:
            async with database.transaction() as session:
                await release(session, lease)

    async def _report(self, lease: Lease) -> None:
        await self._parts.reporter.finish(lease)

    async def _clean(self, lease: Lease) -> None:
        database = self._parts.database
        async with database.transaction() as session:
            await start_phase(session, lease, Phase.CLEANUP)
        try:
            await self._parts.engine.remove(lease.run_id)
        except PipelineError as error:
            details = {
                "error_code": error.code.value,
                "message": error.message,
                "summary": general_sentence(error.code),
            }
            async with database.transaction() as session:
                await finish_phase(session, lease, Phase.CLEANUP, TaskStatus.FAILED, details=details)
                await record_cleanup(session, lease, succeeded=False)
            raise
        async with database.transaction() as session:
            await finish_phase(session, lease, Phase.CLEANUP, TaskStatus.SUCCEEDED)
            await record_cleanup(session, lease, succeeded=True)


class _Patience:
    """Tries again after 3, 6, 12 ... seconds, for each run and chore on its own."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, UUID], tuple[float, float]] = {}

    def is_due(self, chore: str, run_id: UUID) -> bool:
        """True when it is time; the next time is then set further away."""
        now = time.monotonic()
        self._next = {key: value for key, value in self._next.items() if value[0] > now - 2 * LONGEST_PAUSE}
        due_at, pause = self._next.get((chore, run_id), (0.0, 1.5))
        if now < due_at:
            return False
        pause = min(pause * 2, LONGEST_PAUSE)
        self._next[chore, run_id] = (now + pause, pause)
        return True


async def _again_and_again(chore: Callable[[], Awaitable[object]], seconds: float) -> None:
    while True:
        try:
            await chore()
        except (QueueUnavailable, PipelineError) as error:
            logger.warning("sweep_incomplete", extra={"chore": chore.__name__, "reason": str(error)})
        except Exception:
            # Whatever is wrong with one chore now, the next round may heal it, and the others must go on.
            logger.exception("sweep_broke_off", extra={"chore": chore.__name__})
        await asyncio.sleep(seconds)


def _delete_file(root: Path, artifact: AutomationArtifact) -> None:
    try:
        resolve(root, artifact).unlink(missing_ok=True)
    except ArtifactUnavailable:
        return
