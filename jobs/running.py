"""The runs one worker process has in hand."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from jobs.pipeline import Pipeline

logger = logging.getLogger(__name__)


class RunsOfThisProcess:
    """The runs worked on here, at most ``at_most`` of them. They outlive the arq worker that brought them."""

    def __init__(self, pipeline: Pipeline, at_most: int) -> None:
        self.at_most = at_most
        self._pipeline = pipeline
        self._slots = asyncio.Semaphore(at_most)
        self._tasks: set[asyncio.Task[None]] = set()

    async def work_on(self, run_id: UUID) -> None:
        """Returns when the run is over, or was somebody else's. Cancelling the caller stops nothing: ``stop`` does."""
        task = asyncio.create_task(self._work(run_id), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        await asyncio.shield(task)

    async def _work(self, run_id: UUID) -> None:
        # More than arq allows at once can come together when Redis was away: jobs come again, their runs still go on.
        async with self._slots:
            await self._pipeline.run(run_id)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease lapses, and another worker tries; it is given up after some crashes.
            logger.error("run_broke_off", extra={"task": task.get_name()}, exc_info=error)

    async def stop(self, seconds: float) -> None:
        """Hand every run over to whoever comes next."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            if late:
                logger.warning("runs_not_handed_over", extra={"count": len(late)})
