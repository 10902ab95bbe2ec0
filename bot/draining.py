"""Work that goes on after the answer: bounded, second to the answers, and waited for when the process stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]


class DrainedTasks:
    """Runs at most ``at_once`` pieces of work at a time and keeps at most ``most_waiting``.

    A piece begins when no answer is being made, or after ``deference_seconds`` all the same. What is not taken, or
    cannot begin within ``patience_seconds``, is dropped: it must be work that somebody else finds again (here: the
    sweeper, in the table of deliveries).
    """

    def __init__(
        self,
        *,
        at_once: int = 2,
        most_waiting: int = 1000,
        patience_seconds: float = 10.0,
        deference_seconds: float = 1.0,
    ) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._patience_seconds = patience_seconds
        self._deference_seconds = deference_seconds
        self._answers = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def start(self, work: Work, name: str) -> bool:
        """Begin ``work`` soon. False: too much waits already, or the process is stopping."""
        if self._closing or len(self._tasks) >= self._most_waiting:
            logger.warning("work_left_to_sweeper", extra={"work": name, "waiting": len(self._tasks)})
            return False
        task = asyncio.create_task(self._run(work, name, time.monotonic()), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """An answer is being made: nothing new begins meanwhile."""
        self._answers += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._answers -= 1
            if self._answers == 0:
                self._quiet.set()

    async def drain(self, timeout_seconds: float) -> None:
        """Take nothing new, wait for what runs, cancel what is not done in time."""
        self._closing = True
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=timeout_seconds)
        for task in late:
            task.cancel()
        if late:
            logger.warning("work_cut_off_at_shutdown", extra={"pieces": len(late)})
            await asyncio.wait(late)

    async def _run(self, work: Work, name: str, asked_at: float) -> None:
        async with self._slots:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), self._deference_seconds)
            waited = time.monotonic() - asked_at
            if waited > self._patience_seconds:
                logger.warning("work_left_to_sweeper", extra={"work": name, "waited_seconds": round(waited, 1)})
                return
            try:
                await work()
            except Exception:  # nobody awaits this task: the log is the only place it can be told
                logger.exception("work_broke_off", extra={"work": name})
