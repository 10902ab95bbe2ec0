"""The end of a run that was cancelled before any worker had it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import claim, database_now, release
from db.models import SpecAutomationRun as Run
from db.runs import begin, finish_run, record_cleanup
from db.task_states import finish_phase
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus


async def cancel_waiting(
    session: AsyncSession, run_id: UUID, by: str, *, owner: str, hostname: str, retention_days: int
) -> bool:
    """End a run that waits for a worker, as one who took it would: claimed, begun, failed, released; its end is then
    there to be reported. False when it waits no more: then ``request_cancel`` is for whoever holds it or takes it."""
    waiting = await session.scalar(
        select(Run.run_id).where(Run.run_id == run_id, Run.status == RunStatus.QUEUED).with_for_update()
    )
    lease = await claim(session, run_id, owner, 1.0) if waiting is not None else None
    if lease is None:
        return False
    await begin(session, lease, hostname, await database_now(session))
    # No worker ever had it, so there is nothing on any engine.
    await finish_phase(session, lease, Phase.CLEANUP, TaskStatus.SKIPPED)
    await record_cleanup(session, lease, succeeded=True)
    summary = f"Cancelled by {by} before it began."
    await finish_run(session, lease, RunStatus.FAILED, summary, ErrorCode.RUN_CANCELLED, retention_days=retention_days)
    await release(session, lease)
    return True
