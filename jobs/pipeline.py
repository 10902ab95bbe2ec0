"""A run's way: claim -> for each phase: record, report, execute, record -> cleanup, always -> the final report.

Wanted, whatever dies and whenever:
- nothing is written without the lease; a run is never worked on by two (``guarding``);
- a phase an agent finished is not run again: its checkpoint, a patch, is replayed into new containers;
- once a run's end is decided (a phase failed, the pull request is open) a later worker decides nothing anew;
- a worker that is told to stop hands the run back as it is, which is no failure and costs no try.

The two containers are the one state that is lost with a worker. So ``start_job_container`` and ``git_clone`` are
executed again for a new attempt of whatever comes after them, and nothing else is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from db.errors import LeaseLost, RunNotFound
from db.models import SpecAutomationRun
from db.runs import (
    MIN_RETENTION_DAYS,
    Lease,
    begin,
    database_now,
    finish_phase,
    finish_run,
    get_run,
    guard,
    record_cleanup,
    release,
    runs_to_wake,
    start_phase,
)
from db.turns import claim_in_turn
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus
from jobs.errors import AppError, RunCancelled
from jobs.failures import Failure, describe, leaves_run_alone
from jobs.guarding import guarded, keep_lease, watch_run
from jobs.phase_runner import PhaseRunner
from jobs.phases.cleanup import Cleanup
from jobs.run_context import Outcome, RunRequest, decided
from jobs.run_folder import RunFolder
from jobs.run_phases import RunPhases
from jobs.services import Options, Services

logger = logging.getLogger(__name__)

WORK = tuple(phase for phase in Phase if phase is not Phase.CLEANUP)

MOST_CRASHES = 5
"""Workers that may die in one run before it is given up, so that a run that kills its worker cannot go on for ever."""

HANDOVER_PAUSE = 0.2
LAST_TRY_SECONDS = 1.0


MOST_WOKEN = 8
"""Waiting runs that are woken when one has ended."""


WakeNext = Callable[[UUID, int], Awaitable[object]]
"""Tell the workers that a run waits for one who will hold this epoch."""


class Pipeline:
    """Works on runs, any number at once. ``wake_next`` is told of runs that were handed back."""

    def __init__(self, services: Services, options: Options, wake_next: WakeNext | None = None) -> None:
        self._services = services
        self._options = options
        self._wake_next = wake_next

    async def run(self, run_id: UUID) -> None:
        """Take the run, or the one whose turn it is, and work on it to its end. Returns at once when there is none."""
        taking = asyncio.create_task(self.take(run_id))
        try:
            # Shielded, so that a run that was taken is never in nobody's hands.
            execution = await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(taking))
            raise
        if execution is not None:
            await self.work_on(execution)
            await self._wake_waiting()

    async def _wake_waiting(self) -> None:
        """The end of a run may be another one's turn. The sweeper finds what is missed here."""
        if self._wake_next is None:
            return
        try:
            async with self._services.database.transaction() as session:
                waiting = await runs_to_wake(session, self._options.limits, queued_for_seconds=0)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("waiting_runs_not_woken", extra={"error": type(error).__name__})
            return
        for run_id, epoch in waiting[:MOST_WOKEN]:
            await self._wake_next(run_id, epoch)

    async def work_on(self, execution: Execution) -> None:
        """Work on a run that was taken, to its end.

        Cancelling hands the run back: its containers are removed, its lease is released, nothing is marked as failed.
        """
        lease, pace = execution.lease, self._options.pace
        keeping = keep_lease(self._services.database, lease, self._services.clock, pace)
        try:
            # Twice the grace, because what is stopped here may itself be waiting for a phase to stop.
            await guarded(execution.live(), keeping, 2 * pace.grace)
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_over(execution))
            raise
        except Exception as error:
            if not leaves_run_alone(error):
                raise
            # The lease lapses, and the sweeper gives the run to whoever can go on with it.
            logger.warning("run_left_alone", extra={"run": str(lease.run_id), "error": type(error).__name__})
        finally:
            self._services.redactor.forget(lease.run_id)

    async def _hand_back(self, taking: asyncio.Task[Execution | None]) -> None:
        """What was being taken when this worker was told to stop."""
        try:
            execution = await taking
        except Exception:
            logger.warning("run_not_taken", exc_info=True)
        else:
            if execution is not None:
                await self._hand_over(execution)

    async def _hand_over(self, execution: Execution) -> None:
        if await execution.hand_over() and self._wake_next is not None:
            await self._wake_next(execution.lease.run_id, execution.lease.epoch + 1)

    async def take(self, run_id: UUID) -> Execution | None:
        """Claim the run, or the one whose turn it is now. None when there is nothing to work on."""
        options, clock = self._options, self._services.clock
        async with self._services.database.transaction() as session:
            lease = await claim_in_turn(session, run_id, options.owner, options.pace.lease_ttl, options.limits)
            if lease is None:
                logger.info("run_not_taken", extra={"run": str(run_id)})
                return None
            now = await database_now(session)
            timeout = _run_timeout(await get_run(session, lease.run_id), options.run_timeout)
            await begin(session, lease, options.hostname, now + timedelta(seconds=timeout))
            row = await get_run(session, lease.run_id)
        left = (row.deadline_at - now).total_seconds() if row.deadline_at else float(timeout)
        logger.info("run_taken", extra={"run": str(lease.run_id), "epoch": lease.epoch})
        request = RunRequest.from_row(row)
        return Execution(self._services, options, lease, request, clock.monotonic() + left, row.crash_count)


def _run_timeout(run: SpecAutomationRun, most: int) -> int:
    """Seconds: what the repository's configuration asked for, and never more than the operator allows."""
    asked = (run.arguments or {}).get("run_timeout")
    return min(most, asked) if type(asked) is int and asked > 0 else most


def _retention_days(request: RunRequest, usual: int) -> int:
    """What the repository's configuration asked for, and never longer than the operator keeps things."""
    asked = request.arguments.get("retention_days")
    return min(max(asked, MIN_RETENTION_DAYS), usual) if type(asked) is int else usual


class Execution:
    """One run under one lease."""

    def __init__(
        self,
        services: Services,
        options: Options,
        lease: Lease,
        request: RunRequest,
        deadline: float,
        crash_count: int,
    ) -> None:
        self.lease = lease
        self._services = services
        self._options = options
        self._request = request
        self._deadline = deadline
        self._crash_count = crash_count
        self._folder = RunFolder(options.artifact_root, lease.run_id)
        self._runner = PhaseRunner(services, options, lease, self._folder)

    async def live(self) -> None:
        """From wherever the run stands to its final report."""
        outcome = await self._outcome()
        await self._clean_up(outcome)
        async with self._services.database.transaction() as session:
            await self._runner.settle(session)
            await finish_run(
                session,
                self.lease,
                outcome.status,
                outcome.summary,
                outcome.error_code,
                retention_days=_retention_days(self._request, self._options.retention_days),
            )
        logger.info("run_finished", extra={"run": str(self.lease.run_id), "status": outcome.status.value})
        await self._services.reporter.finish(self.lease)
        async with self._services.database.transaction() as session:
            await release(session, self.lease)

    async def _outcome(self) -> Outcome:
        if (outcome := decided(self._request)) is not None:
            return outcome
        pace, clock = self._options.pace, self._services.clock
        phases = RunPhases(self._services, self._options, self._request, self._runner, self._folder, self._deadline)
        try:
            if self._request.cancelled_by is not None:
                raise RunCancelled(self._request.cancelled_by)
            if self._crash_count >= MOST_CRASHES:
                raise AppError(
                    ErrorCode.RUN_CRASHED_REPEATEDLY, f"{self._crash_count} workers died while they worked on the run"
                )
            watch = watch_run(self._services.database, self.lease, clock, pace, self._deadline)
            return await guarded(phases.execute(), watch, pace.grace)
        except Exception as error:
            if leaves_run_alone(error):
                raise
            failure = self._redacted(describe(error, self.lease.run_id))
            self._log_failure(failure, error)
            outcome = Outcome(RunStatus.FAILED, failure.summary, failure.code, failure.detail)
            await self._runner.end_running(TaskStatus.FAILED, outcome.details())
            await self._fail_open_phases(outcome)
            return outcome

    def _redacted(self, failure: Failure) -> Failure:
        """Messages repeat what programs in the containers said, and are shown on the run page and on GitHub."""
        detail = self._services.redactor.redact_text(failure.detail)
        return Failure(failure.code, detail if failure.summary == failure.detail else failure.summary, detail)

    def _log_failure(self, failure: Failure, error: Exception) -> None:
        expected = failure.code is not ErrorCode.RUN_INTERNAL or isinstance(error, AppError | RunCancelled)
        logger.log(
            logging.WARNING if expected else logging.ERROR,
            "run_failed",
            extra={"run": str(self.lease.run_id), "code": failure.code.value, "detail": failure.detail},
            exc_info=None if expected else error,
        )

    async def _fail_open_phases(self, outcome: Outcome) -> None:
        """A failed run has a failed phase, so that a later worker finds the decision: one that was under way when its
        worker died, or the one that would have come next."""
        lease, details = self.lease, dict(outcome.details())
        async with self._services.database.transaction() as session:
            states = [state for state in (await get_run(session, lease.run_id)).task_states if state.phase in WORK]
            for state in states:
                if state.status in {TaskStatus.RUNNING, TaskStatus.RETRYING}:
                    await finish_phase(session, lease, state.phase, TaskStatus.FAILED, details=details)
            if all(state.status in {TaskStatus.SUCCEEDED, TaskStatus.PENDING, TaskStatus.SKIPPED} for state in states):
                for state in states:
                    if state.status == TaskStatus.PENDING:
                        await start_phase(session, lease, state.phase)
                        await finish_phase(session, lease, state.phase, TaskStatus.FAILED, details=details)
                        break

    async def _clean_up(self, outcome: Outcome) -> None:
        if self._request.succeeded(Phase.CLEANUP):
            return
        services, run_id = self._services, self.lease.run_id
        phase = Cleanup(services.database, services.containers, self._folder, services.clock)
        try:
            async with asyncio.timeout(self._options.pace.cleanup_timeout):
                await self._runner.execute(Phase.CLEANUP, lambda attempt: phase.execute(attempt, run_id, outcome))
        except Exception as error:
            if leaves_run_alone(error):
                raise
            if isinstance(error, TimeoutError):
                seconds = self._options.pace.cleanup_timeout
                error = AppError(
                    ErrorCode.ENGINE_UNREACHABLE, f"removing the containers took longer than {seconds:.0f} s"
                )
            failure = self._redacted(describe(error, run_id))
            logger.warning("cleanup_incomplete", extra={"run": str(run_id), "detail": failure.detail})
            await self._runner.end_running(
                TaskStatus.FAILED,
                {"error_code": failure.code.value, "message": failure.detail, "summary": failure.summary},
            )
            removed = await self._remove_containers(self._options.pace.handover_timeout)
            async with services.database.transaction() as session:
                await record_cleanup(session, self.lease, succeeded=removed)

    async def _remove_containers(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._services.containers.remove(self.lease.run_id)
        except Exception:
            logger.warning("containers_not_removed", extra={"run": str(self.lease.run_id)}, exc_info=True)
            return False
        return True

    async def hand_over(self) -> bool:
        """This worker stops: whoever comes next goes on at once. False when there is nothing to go on with, or when the
        database stayed away: then the containers are gone all the same, and the lease lapses."""
        until = self._services.clock.monotonic() + self._options.pace.grace
        try:
            status = await self._insist(self._prove, until)
            if status is None or not status.is_terminal:
                # Removed before the lease is free: afterwards they could be the next worker's.
                await self._remove_containers(self._options.pace.handover_timeout)
            status = await self._insist(self._give_back, until)
        except (LeaseLost, RunNotFound):
            return False
        if status is None:
            logger.warning("run_not_handed_over", extra={"run": str(self.lease.run_id)})
            return False
        logger.info("run_handed_over", extra={"run": str(self.lease.run_id)})
        return not status.is_terminal

    async def _prove(self) -> RunStatus:
        async with self._services.database.transaction() as session:
            return await guard(session, self.lease)

    async def _give_back(self) -> RunStatus:
        status = await self._prove()
        if not status.is_terminal:
            details = {"message": "the worker was stopped", "summary": "The worker was stopped."}
            await self._runner.end_running(TaskStatus.RETRYING, details)
        async with self._services.database.transaction() as session:
            await release(session, self.lease)
        return status

    async def _insist(self, step: Callable[[], Awaitable[RunStatus]], until: float) -> RunStatus | None:
        """Try at least once, and until then again and again while the database is away. None when it stays away."""
        clock = self._services.clock
        while True:
            try:
                async with asyncio.timeout(max(LAST_TRY_SECONDS, until - clock.monotonic())):
                    return await step()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("handover_delayed", extra={"run": str(self.lease.run_id), "error": type(error).__name__})
            if clock.monotonic() >= until:
                return None
            await asyncio.sleep(HANDOVER_PAUSE)
