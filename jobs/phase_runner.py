"""One phase: record that it begins, report, execute, record how it ended. Tried again when time may help.

The one place that knows what is running now, so that whoever stops a run can say how its phase ended.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from db.artifacts import record_artifact
from db.errors import IllegalTransition
from db.runs import Lease, finish_phase, start_phase
from db.vocabulary import ArtifactType, Phase, TaskStatus
from jobs.errors import TransientError
from jobs.failures import general_sentence, out_of_tries
from jobs.output import PhaseLogs
from jobs.run_context import Attempt, Details, Finished, Write
from jobs.run_folder import RunFolder
from jobs.services import Options, Services

logger = logging.getLogger(__name__)

TRIES = 3
AGENT_TRIES = 2
"""What an agent's model did may have been paid for: it is tried once more, not twice."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Running:
    phase: Phase
    attempt: int
    logs: PhaseLogs
    notes: Details


@dataclass(frozen=True, slots=True)
class _Ended:
    running: _Running
    status: TaskStatus
    details: Details
    also: Write | None


class PhaseRunner:
    """Executes the phases of one run under one lease.

    The end of a phase and the beginning of the next are one transaction, and nothing happens between them.
    """

    def __init__(self, services: Services, options: Options, lease: Lease, folder: RunFolder) -> None:
        self._services = services
        self._options = options
        self._lease = lease
        self._folder = folder
        self._running: _Running | None = None
        self._ended: _Ended | None = None

    async def execute(
        self,
        phase: Phase,
        work: Callable[[Attempt], Awaitable[Finished[T]]],
        before_retry: Callable[[], Awaitable[object]] | None = None,
    ) -> T:
        """Run ``work`` as ``phase``, at most three times, twice where it was the agent; ``before_retry`` restores what
        the phase needs.

        That it succeeded is written when the next phase begins, or by ``settle``. Raises what the last try raised, a
        TransientError as the AppError of the same code; ``end_running`` then tells how the phase ended.
        """
        tries = 1
        notes: dict[str, object] = {}
        while True:
            try:
                finished = await self._try(phase, work, notes)
            except TransientError as error:
                if tries >= (AGENT_TRIES if error.code.startswith("agent.") else TRIES):
                    raise out_of_tries(error) from error
                await self._wait_to_retry(error, tries)
                if before_retry is not None:
                    await before_retry()
                tries += 1
            else:
                self._end(TaskStatus.SUCCEEDED, finished.details, finished.also)
                return finished.value

    async def _try(
        self, phase: Phase, work: Callable[[Attempt], Awaitable[Finished[T]]], notes: dict[str, object]
    ) -> Finished[T]:
        async with self._services.database.transaction() as session:
            await self._write_end(session)
            number = await start_phase(session, self._lease, phase)
        self._end_written()
        logs = PhaseLogs(self._folder.path, phase, number, self._services.redactor, self._options.log_limit_bytes)
        self._running = _Running(phase, number, logs, notes)
        logger.info("phase_started", extra={"run": str(self._lease.run_id), "phase": phase.value, "attempt": number})
        self._services.reporter.changed(self._lease)
        with logs:
            return await work(Attempt(self._lease, phase, number, logs.output, notes))

    async def _wait_to_retry(self, error: TransientError, tries: int) -> None:
        seconds = self._options.pace.backoff * 2 ** (tries - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        seconds = max(seconds, error.retry_after)
        next_try = self._services.clock.now() + timedelta(seconds=seconds)
        message = self._services.redactor.redact_text(error.message)
        logger.warning(
            "phase_retried", extra={"run": str(self._lease.run_id), "code": error.code.value, "detail": message}
        )
        details = {
            "error_code": error.code.value,
            "message": message,
            "summary": general_sentence(error.code),
            "next_try_at": next_try.isoformat(),
        }
        await self.end_running(TaskStatus.RETRYING, details)
        await asyncio.sleep(seconds)

    async def end_running(self, status: TaskStatus, details: Details) -> None:
        """Record how the running phase ended, if one is running, and what ended before. Raises LeaseLost."""
        if self._running is not None:
            self._end(status, details, None)
        if self._ended is None:
            return
        try:
            async with self._services.database.transaction() as session:
                await self._write_end(session)
        except IllegalTransition as error:
            # Whoever was stopped while it committed cannot know that it did.
            logger.info("phase_end_known", extra={"run": str(self._lease.run_id), "detail": str(error)})
        self._end_written()
        self._services.reporter.changed(self._lease)

    def _end_written(self) -> None:
        self._ended = None
        self._folder.all_listed()

    async def settle(self, session: AsyncSession) -> None:
        """Write what is not written yet in the caller's transaction; once that is committed, ``settled`` is called."""
        await self._write_end(session)

    def settled(self) -> None:
        """The transaction of ``settle`` was committed, and phases follow."""
        self._end_written()

    def _end(self, status: TaskStatus, details: Details, also: Write | None) -> None:
        running, self._running = self._running, None
        if running is None:
            raise RuntimeError("no phase is running")
        self._ended = _Ended(running, status, {**running.notes, **details}, also)
        logger.info(
            "phase_ended",
            extra={"run": str(self._lease.run_id), "phase": running.phase.value, "status": status.value},
        )

    async def _write_end(self, session: AsyncSession) -> None:
        ended = self._ended
        if ended is None:
            return
        await self._folder.list_kept(session, self._lease)
        await self._list_logs(session, ended.running)
        if ended.also is not None:
            await ended.also(session)
        await finish_phase(session, self._lease, ended.running.phase, ended.status, details=dict(ended.details))

    async def _list_logs(self, session: AsyncSession, running: _Running) -> None:
        for file in running.logs.files:
            is_stdout = file.name.endswith(".stdout")
            await record_artifact(
                session,
                self._lease,
                name=file.name,
                artifact_type=ArtifactType.STDOUT_LOG if is_stdout else ArtifactType.STDERR_LOG,
                storage_path=self._folder.storage_path(file.path.name),
                content_type="text/plain; charset=utf-8",
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                source_phase=running.phase,
                attempt=running.attempt,
            )
