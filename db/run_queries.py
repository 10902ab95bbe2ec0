"""Questions about runs. None of them changes anything or needs a lease."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload

from db.errors import RunNotFound
from db.leases import ALIVE, database_now, lease_is_free
from db.models import RunReport
from db.models import SpecAutomationRun as Run
from db.vocabulary import RunStatus

_TERMINAL = tuple(status for status in RunStatus if status.is_terminal)


def _whole_runs() -> Select[Run]:
    return (
        select(Run)
        .options(
            selectinload(Run.task_states),
            selectinload(Run.artifacts),
            selectinload(Run.agent_configuration),
            selectinload(Run.report),
        )
        # What this session read earlier is older than what it wrote since.
        .execution_options(populate_existing=True)
    )


async def get_run(session: AsyncSession, run_id: UUID) -> Run:
    """The run with its task states (in the order of the phases), artifacts, agent configuration and report.

    Raises RunNotFound.
    """
    run = await session.scalar(_whole_runs().where(Run.run_id == run_id))
    if run is None:
        raise RunNotFound(run_id)
    return run


async def find_run(session: AsyncSession, repository_id: int, issue_number: int, prefix: str) -> Run | None:
    """The run of that issue whose id begins with ``prefix`` (hex digits, dashes allowed). None when there is none, or
    more than one: a command must not hit a run nobody meant."""
    wanted = prefix.lower().replace("-", "")
    if not wanted:
        return None
    ids = await session.scalars(
        select(Run.run_id).where(Run.repository_id == repository_id, Run.issue_number == issue_number)
    )
    found = [run_id for run_id in ids if run_id.hex.startswith(wanted)]
    return await get_run(session, found[0]) if len(found) == 1 else None


async def list_runs(session: AsyncSession, *, public_only: bool, limit: int, before: UUID | None = None) -> list[Run]:
    """Newest first, everything loaded. ``before``: the last run of the page before this one."""
    question = _whole_runs().order_by(Run.created_at.desc(), Run.run_id.desc()).limit(limit)
    if public_only:
        question = question.where(Run.private.is_(False))
    if before is not None:
        last = aliased(Run)
        question = question.where(
            tuple_(Run.created_at, Run.run_id)
            < select(last.created_at, last.run_id).where(last.run_id == before).scalar_subquery()
        )
    return list(await session.scalars(question))


async def runs_of_issue(
    session: AsyncSession, repository_id: int, issue_number: int, alive_only: bool = False
) -> list[Run]:
    """The runs of an issue or pull request, newest first, everything loaded."""
    question = (
        _whole_runs()
        .where(Run.repository_id == repository_id, Run.issue_number == issue_number)
        .order_by(Run.created_at.desc(), Run.run_id.desc())
    )
    if alive_only:
        question = question.where(Run.status.in_(ALIVE))
    return list(await session.scalars(question))


async def cancel_requested(session: AsyncSession, run_id: UUID) -> str | None:
    """The login of who asked for the run to stop, or None. Raises RunNotFound."""
    row = (await session.execute(select(Run.cancel_requested_by).where(Run.run_id == run_id))).one_or_none()
    if row is None:
        raise RunNotFound(run_id)
    by: str | None = row.cancel_requested_by
    return by


async def runs_to_wake(session: AsyncSession, *, queued_for_seconds: float = 5) -> list[tuple[UUID, int]]:
    """Runs that wait and nobody works on, oldest first, each with the epoch its next worker will have: queued for some
    seconds, or in progress with a lease that lapsed or was handed back."""
    now = await database_now(session)
    rows = await session.execute(
        select(Run.run_id, Run.lease_epoch)
        .where(
            lease_is_free(now),
            or_(
                Run.status == RunStatus.IN_PROGRESS,
                and_(Run.status == RunStatus.QUEUED, Run.created_at <= now - timedelta(seconds=queued_for_seconds)),
            ),
        )
        .order_by(Run.created_at, Run.run_id)
    )
    return [(run_id, epoch + 1) for run_id, epoch in rows.all()]


async def runs_to_report(session: AsyncSession) -> list[UUID]:
    """Runs that are over, whose end GitHub was not told, and nobody is at it. Oldest first."""
    now = await database_now(session)
    ids = await session.scalars(
        select(Run.run_id)
        .join(RunReport, RunReport.run_id == Run.run_id)
        .where(Run.status.in_(_TERMINAL), RunReport.final_reported_at.is_(None), lease_is_free(now))
        .order_by(Run.completed_at, Run.run_id)
    )
    return list(ids)


async def runs_to_clean(session: AsyncSession) -> list[UUID]:
    """Runs that are over, may have left something on the engine, and nobody is at it. Oldest first."""
    now = await database_now(session)
    ids = await session.scalars(
        select(Run.run_id)
        .where(Run.status.in_(_TERMINAL), Run.cleanup_succeeded.is_not(True), lease_is_free(now))
        .order_by(Run.completed_at, Run.run_id)
    )
    return list(ids)
