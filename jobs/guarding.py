"""Work that is watched: the lease is renewed, a cancellation and the deadline are noticed, while phases run.

Wanted: nothing about a run is written without its lease; a cancelled run's work stops at once, whatever it
waits for.
Known race: work that cannot unwind in time is left behind. It can do no harm: its containers are removed under it, and
every write it may still try asks for the lease and a legal transition.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from db.errors import LeaseLost
from db.runs import Lease, cancel_requested, renew
from db.session import Database
from db.vocabulary import ErrorCode
from jobs.errors import RunCancelled, UserError
from jobs.ports import Clock
from jobs.services import Pace

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def guarded(work: Coroutine[Any, Any, T], guard: Coroutine[Any, Any, NoReturn], grace: float) -> T:
    """Return what ``work`` returns. When ``guard`` raises first, stop the work within ``grace`` seconds and raise that.

    Work that was finished all the same when the guard raised counts as finished.
    """
    worker = asyncio.create_task(work)
    watcher = asyncio.create_task(guard)
    try:
        await asyncio.wait({worker, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not worker.done():
            await _stop(worker, grace)
            if not worker.done() or worker.cancelled() or worker.exception() is not None:
                watcher.result()
        return worker.result()
    finally:
        await _stop(watcher, grace)
        await _stop(worker, grace)


async def _stop(task: asyncio.Task[Any], grace: float) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=grace)
        if not task.done():
            logger.warning("work_left_behind", extra={"task": task.get_name()})
    task.add_done_callback(_retrieve)


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Whoever stopped the task has its own reason to tell; the task's last words are only for the log."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("stopped_work_ended", extra={"error": type(error).__name__})


async def keep_lease(database: Database, lease: Lease, clock: Clock, pace: Pace) -> NoReturn:
    """Renew the lease until cancelled. Raises LeaseLost when it is gone, or could not be renewed while it lasted."""
    renewed_at = clock.monotonic()
    while True:
        await asyncio.sleep(pace.renew_every)
        try:
            async with asyncio.timeout(pace.renew_every), database.transaction() as session:
                await renew(session, lease, pace.lease_ttl)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("lease_not_renewed", extra={"run": str(lease.run_id), "error": type(error).__name__})
            if clock.monotonic() - renewed_at > pace.lease_ttl - pace.renew_every:
                raise LeaseLost(lease.run_id, lease.epoch) from error
        else:
            renewed_at = clock.monotonic()


async def watch_run(database: Database, lease: Lease, clock: Clock, pace: Pace, deadline: float) -> NoReturn:
    """Raise RunCancelled soon after somebody asked for it, UserError ``run.timed_out`` at ``deadline`` (monotonic)."""
    while True:
        if clock.monotonic() >= deadline:
            raise UserError(
                ErrorCode.RUN_TIMED_OUT,
                "The run took longer than a run may take here.",
            )
        try:
            async with database.transaction() as session:
                by = await cancel_requested(session, lease.run_id)
        except (SQLAlchemyError, OSError) as error:
            # Whether the database is away for good is for the one who renews the lease to find out.
            logger.warning(
                "cancellation_not_looked_up", extra={"run": str(lease.run_id), "error": type(error).__name__}
            )
        else:
            if by is not None:
                raise RunCancelled(by)
        await asyncio.sleep(max(0.0, min(pace.look_every, deadline - clock.monotonic())))
