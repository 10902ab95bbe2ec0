"""Who may work on a run: a lease with an epoch, timed by the database's clock.

A worker takes the run, renews the lease while it works, and gives it back. Each taking counts the epoch up. Whoever
writes about the run proves in the same transaction that the epoch is still its own (``guard``), so a worker that was
frozen past its lease and wakes up writes nothing. A lease that lapsed but was taken by nobody is still good: the epoch
says who is the one holder, the time only says when somebody else may become it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import LeaseLost, RunNotFound
from db.models import SpecAutomationRun as Run
from db.vocabulary import RunStatus

ALIVE = tuple(status for status in RunStatus if not status.is_terminal)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run. ``owner`` names the process that holds it."""

    run_id: UUID
    epoch: int
    owner: str


async def database_now(session: AsyncSession) -> datetime:
    """The database's clock, aware UTC, read now and not when the transaction began.

    SQLite has no clock of its own: it reads this machine's, as we do.
    """
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now.astimezone(UTC)


def lease_is_free(now: datetime) -> ColumnElement[bool]:
    """True for runs that nobody holds, or whose holder stopped renewing."""
    return or_(Run.lease_expires_at.is_(None), Run.lease_expires_at <= now)


async def claim(session: AsyncSession, run_id: UUID, owner: str, ttl_seconds: float) -> Lease | None:
    """Take a run that is not over. None when it is over, unknown, or held by somebody."""
    return await _take(session, run_id, owner, ttl_seconds, ALIVE)


async def claim_finished(session: AsyncSession, run_id: UUID, owner: str, ttl_seconds: float) -> Lease | None:
    """Take a run that is over, to clean up or report what its worker left undone. None when it is alive or held."""
    return await _take(session, run_id, owner, ttl_seconds, tuple(status for status in RunStatus if status.is_terminal))


async def _take(
    session: AsyncSession, run_id: UUID, owner: str, ttl_seconds: float, statuses: tuple[RunStatus, ...]
) -> Lease | None:
    now = await database_now(session)
    taken = await session.execute(
        update(Run)
        .where(Run.run_id == run_id, Run.status.in_(statuses), lease_is_free(now))
        .values(
            lease_epoch=Run.lease_epoch + 1,
            lease_owner=owner,
            lease_expires_at=now + timedelta(seconds=ttl_seconds),
            # A lease that was handed back has no owner: only one that lapsed tells of a crash.
            crash_count=Run.crash_count + case((Run.lease_owner.is_not(None), 1), else_=0),
        )
        .returning(Run.lease_epoch)
        .execution_options(synchronize_session=False)
    )
    epoch = taken.scalar_one_or_none()
    return None if epoch is None else Lease(run_id, epoch, owner)


async def guard(session: AsyncSession, lease: Lease) -> RunStatus:
    """Prove that the lease is still held, and keep it so until the transaction ends. Returns the run's status.

    Raises LeaseLost; RunNotFound when the run is gone. On Postgres the run's row stays locked; on SQLite the
    transaction is the only writer anyway.
    """
    row = (
        await session.execute(
            select(Run.status, Run.lease_epoch, Run.lease_owner).where(Run.run_id == lease.run_id).with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise RunNotFound(lease.run_id)
    if (row.lease_epoch, row.lease_owner) != (lease.epoch, lease.owner):
        raise LeaseLost(lease.run_id, lease.epoch)
    status: RunStatus = row.status
    return status


async def renew(session: AsyncSession, lease: Lease, ttl_seconds: float) -> None:
    """Let the lease last ``ttl_seconds`` from now. Raises LeaseLost."""
    await guard(session, lease)
    now = await database_now(session)
    await _set_lease(session, lease.run_id, lease.owner, now + timedelta(seconds=ttl_seconds))


async def release(session: AsyncSession, lease: Lease) -> None:
    """Give the run back so that anybody may take it at once. Nothing happens when it was lost already."""
    try:
        await guard(session, lease)
    except (LeaseLost, RunNotFound):
        return
    await _set_lease(session, lease.run_id, None, None)


async def _set_lease(session: AsyncSession, run_id: UUID, owner: str | None, expires_at: datetime | None) -> None:
    await session.execute(
        update(Run)
        .where(Run.run_id == run_id)
        .values(lease_owner=owner, lease_expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )
