"""Questions about runs. None of them changes anything or needs a lease."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload

from db.errors import RunNotFound
from db.leases import ALIVE, Lease, database_now, guard, lease_is_free
from db.models import RunReport
from db.models import SpecAutomationRun as Run
from db.turns import Limits, runs_in_turn
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
            selectinload(Run.model_usage),
        )
        # What this session read earlier is older than what it wrote since.
        .execution_options(populate_existing=True)
    )


async def get_run(session: AsyncSession, run_id: UUID) -> Run:
    """The run with its task states (in the order of the phases), artifacts, agent configuration, report and usage.

    Raises RunNotFound.
    """
    run = await session.scalar(_whole_runs().where(Run.run_id == run_id))
    if run is None:
        raise RunNotFound(run_id)
    return run


async def run_of_command(session: AsyncSession, command_key: str) -> Run | None:
    """The run that was opened for a command, or None while there is none."""
    return await session.scalar(_whole_runs().where(Run.command_key == command_key))


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


async def runs_of_pull_request(session: AsyncSession, repository_id: int, number: int) -> list[Run]:
    """The runs that opened a pull request of ours or worked on its branch, newest first, everything loaded."""
    question = (
        _whole_runs()
        .join(RunReport, RunReport.run_id == Run.run_id)
        .where(
            Run.repository_id == repository_id,
            or_(RunReport.pull_request_number == number, Run.pull_request_number == number),
        )
        .order_by(Run.created_at.desc(), Run.run_id.desc())
    )
    return list(await session.scalars(question))


async def newest_pull_request(session: AsyncSession, lease: Lease, writer_key: str) -> Run | None:
    """The newest other run of the same repository and key that has a pull request, or None. Raises LeaseLost."""
    await guard(session, lease)
    repository = select(Run.repository_id).where(Run.run_id == lease.run_id).scalar_subquery()
    return await session.scalar(
        _whole_runs()
        .join(RunReport, RunReport.run_id == Run.run_id)
        .where(
            Run.repository_id == repository,
            Run.writer_key == writer_key,
            Run.run_id != lease.run_id,
            RunReport.pull_request_number.is_not(None),
        )
        .order_by(Run.created_at.desc(), Run.run_id.desc())
        .limit(1)
    )


async def newest_at_commit(session: AsyncSession, repository_id: int, sha: str) -> Run | None:
    """The newest run that told about a commit in a check run, or pushed it; None when there is none."""
    return await session.scalar(
        _whole_runs()
        .join(RunReport, RunReport.run_id == Run.run_id)
        .where(Run.repository_id == repository_id, or_(Run.head_sha == sha, RunReport.check_run_sha == sha))
        .order_by(Run.created_at.desc(), Run.run_id.desc())
        .limit(1)
    )


async def runs_to_tell(session: AsyncSession, *, waiting_for_seconds: float, limit: int) -> list[UUID]:
    """Runs that wait for their turn and nobody holds, those without a comment first, then oldest first."""
    now = await database_now(session)
    ids = await session.scalars(
        select(Run.run_id)
        .join(RunReport, RunReport.run_id == Run.run_id)
        .where(
            Run.status == RunStatus.QUEUED,
            lease_is_free(now),
            Run.created_at <= now - timedelta(seconds=waiting_for_seconds),
        )
        .order_by(RunReport.comment_id.is_not(None), Run.created_at, Run.run_id)
        .limit(limit)
    )
    return list(ids)


async def comments_to_fold(session: AsyncSession, run: Run) -> list[Run]:
    """Older runs of the same issue that are over and whose comment is still open, oldest first."""
    return list(
        await session.scalars(
            _whole_runs()
            .join(RunReport, RunReport.run_id == Run.run_id)
            .where(
                Run.repository_id == run.repository_id,
                Run.issue_number == run.issue_number,
                Run.created_at < run.created_at,
                Run.status.in_(_TERMINAL),
                RunReport.final_reported_at.is_not(None),
                RunReport.comment_node_id.is_not(None),
                RunReport.comment_folded_at.is_(None),
            )
            .order_by(Run.created_at)
        )
    )


async def cancel_requested(session: AsyncSession, run_id: UUID) -> str | None:
    """The login of who asked for the run to stop, or None. Raises RunNotFound."""
    row = (await session.execute(select(Run.cancel_requested_by).where(Run.run_id == run_id))).one_or_none()
    if row is None:
        raise RunNotFound(run_id)
    by: str | None = row.cancel_requested_by
    return by


async def runs_to_wake(
    session: AsyncSession, limits: Limits, *, queued_for_seconds: float = 5
) -> list[tuple[UUID, int]]:
    """Runs that nobody works on and somebody could, each with the epoch its next worker will have: those in progress
    whose lease lapsed or was handed back, oldest first, then the queued ones whose turn it is for some seconds."""
    now = await database_now(session)
    left = list(
        await session.scalars(
            select(Run.run_id)
            .where(Run.status == RunStatus.IN_PROGRESS, lease_is_free(now))
            .order_by(Run.created_at, Run.run_id)
        )
    )
    wanted = [*left, *await runs_in_turn(session, limits, waiting_for_seconds=queued_for_seconds)]
    epochs = await session.execute(select(Run.run_id, Run.lease_epoch).where(Run.run_id.in_(wanted)))
    next_epoch = {run_id: epoch + 1 for run_id, epoch in epochs.all()}
    return [(run_id, next_epoch[run_id]) for run_id in wanted]


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
