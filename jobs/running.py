"""The runs one worker process has in hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
        self._working = 0
        self._tell_room: Callable[[int], None] | None = None

    @property
    def room(self) -> int:
        """How many more runs may be taken."""
        return self.at_most - self._working

    def on_room_changed(self, tell: Callable[[int], None]) -> None:
        """``tell`` is called with the room there is whenever that changes."""
        self._tell_room = tell

    async def begin(self, run_id: UUID) -> None:
        """Take the run and work on it in the background. Returns when it is taken, or found to be somebody else's."""
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._work(run_id, decided), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({decided, task}, return_when=asyncio.FIRST_COMPLETED)

    async def _work(self, run_id: UUID, decided: asyncio.Future[None]) -> None:
        async with self._slots:
            execution = await self._pipeline.take(run_id)
            if execution is None:
                return
            self._count(1)
            try:
                decided.set_result(None)
                await self._pipeline.work_on(execution)
            finally:
                self._count(-1)

    def _count(self, change: int) -> None:
        self._working += change
        if self._tell_room is not None:
            self._tell_room(self.room)

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
