"""The listener brings ids of runs.

The only file here that knows arq, which is in maintenance: it may be replaced by whatever can deliver an id. arq's
worker ends when Redis goes away; it is started again and again, and the runs of this process go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis, create_pool
from arq.worker import Worker, func
from redis.exceptions import RedisError

from bot.queue import RUN_JOB, deserialize_job, redis_settings, serialize_job
from jobs.running import RunsOfThisProcess

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""How long a run may wait for an idle worker to look. Measured: 30 ms in the median, under 1 % of a CPU."""

_MOST_TRIES = 1_000_000
"""arq counts a deploy as a try; whether a run may be tried again is for the database to say."""

_AFTER_THE_DEADLINE = 300
"""Seconds a run may need after its deadline to clean up and report: only then may arq's own time-out come."""


async def run_pipeline(ctx: dict[str, Any], run_id: str) -> None:
    """The arq job: ``run_id`` is all it carries. Safe to start twice: the run must be claimed first, in the database.

    The job of a worker that was killed comes again when arq's own time for it is up; it finds the run over.
    """
    runs: RunsOfThisProcess = ctx["runs"]
    try:
        known = UUID(run_id)
    except (ValueError, TypeError, AttributeError):
        logger.warning("job_not_understood", extra={"job": str(ctx.get("job_id"))})
        return
    await runs.work_on(known)


class JobListener:
    """Listens to Redis for as long as it is not cancelled, whatever Redis does."""

    def __init__(self, redis_url: str, runs: RunsOfThisProcess, run_seconds: float) -> None:
        self._redis_url = redis_url
        self._runs = runs
        self._run_seconds = run_seconds
        self._worker: Worker | None = None

    def stop_picking(self) -> None:
        """Start no further job."""
        if self._worker is not None:
            self._worker.allow_pick_jobs = False

    async def listen(self) -> None:
        """Never returns. Redis going away is waited for with a growing pause, at most 5 seconds."""
        pause = 0.1
        while True:
            started_at = time.monotonic()
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError, EOFError) as error:
                logger.warning("redis_away", extra={"error": type(error).__name__})
            if time.monotonic() - started_at > 30:
                pause = 0.1
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _listen_once(self) -> None:
        settings = redis_settings(self._redis_url)
        settings.conn_retries = 0
        pool = await create_pool(settings, job_serializer=serialize_job, job_deserializer=deserialize_job)
        try:
            self._worker = worker = self._make_worker(pool)
            logger.info("worker_listening")
            try:
                await worker.async_run()
            finally:
                await _end_jobs(worker)
        finally:
            await pool.aclose(close_connection_pool=True)

    def _make_worker(self, pool: ArqRedis) -> Worker:
        return Worker(
            functions=[func(run_pipeline, name=RUN_JOB, max_tries=_MOST_TRIES)],
            redis_pool=pool,
            ctx={"runs": self._runs},
            handle_signals=False,
            max_jobs=self._runs.at_most,
            job_timeout=self._run_seconds + _AFTER_THE_DEADLINE,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            job_serializer=serialize_job,
            job_deserializer=deserialize_job,
            log_results=False,
        )


async def _end_jobs(worker: Worker) -> None:
    """Cancelled jobs stay in the queue: arq hands them out again, to us or to another worker."""
    # Not arq's own tasks around the jobs: they have something to write to Redis yet, if it is there.
    for job in worker.job_tasks.values():
        job.cancel()
    if tasks := set(worker.tasks.values()):
        done, late = await asyncio.wait(tasks, timeout=5)
        for task in late:
            task.cancel()
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.debug("job_ended_without_redis", extra={"error": type(error).__name__})
