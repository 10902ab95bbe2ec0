"""The worker process: the listener brings ids of runs, the pipeline works on them, the sweeper does what time heals."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import aiohttp

from bot.configuration.source import host_policy
from bot.parts import WORKER_PACE, bot_parts
from bot.queue import RunQueue
from bot.settings import Settings
from db.session import Database
from jobs.clock import SystemClock
from jobs.containers.inner_sandbox import finding_out
from jobs.pipeline import Pipeline
from jobs.redaction import Redactor
from jobs.running import RunsOfThisProcess
from jobs.services import Services
from jobs.sweeper import Sweeper, SweptParts
from jobs.worker.github_access import GitHubAccess
from jobs.worker.listener import JobListener
from jobs.worker.parts import agents_of, containers_of, doorbell, options_of

logger = logging.getLogger(__name__)

STOP_SECONDS = 20.0
"""How long the runs may take to be handed over when the process stops."""

_GITHUB_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)


async def run_worker(settings: Settings, redis_url: str, redactor: Redactor | None = None) -> None:
    """Work until SIGTERM, SIGINT or cancellation; then hand the runs over and return, within 30 seconds.

    The database is migrated already. ``redis_url``: ``redis://``, ``rediss://`` or ``unix://``; Redis need not answer.
    ``redactor`` is the one that the process writes its log with, which then knows what runs bring with them too.
    """
    stop = asyncio.Event()
    redactor = redactor or Redactor(settings.secrets())
    with _told_by_signals(stop):
        async with _worker_parts(settings, redis_url, redactor) as (listener, sweeper, runs):
            endless = [
                asyncio.create_task(listener.listen(), name="listener"),
                asyncio.create_task(sweeper.run(), name="sweeper"),
            ]
            stopping = asyncio.create_task(stop.wait(), name="stop")
            try:
                await asyncio.wait({stopping, *endless}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                logger.info("worker_stopping")
                listener.stop_picking()
                await runs.stop(STOP_SECONDS)
                for task in (stopping, *endless):
                    task.cancel()
                ends = await asyncio.gather(stopping, *endless, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end
    logger.info("worker_stopped")


@contextmanager
def _told_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _worker_parts(
    settings: Settings, redis_url: str, redactor: Redactor
) -> AsyncIterator[tuple[JobListener, Sweeper, RunsOfThisProcess]]:
    """Everything a worker needs, closed again in the opposite order."""
    async with AsyncExitStack() as closing:
        database = Database.open(settings.database_url)
        closing.push_async_callback(database.close)
        http = await closing.enter_async_context(aiohttp.ClientSession(timeout=_GITHUB_TIMEOUT))
        queue = RunQueue(redis_url)
        closing.push_async_callback(queue.close)
        containers = await containers_of(settings, database, closing)
        parts = bot_parts(settings, database, http, queue, pace=WORKER_PACE)
        closing.push_async_callback(parts.reporter.close)
        access = GitHubAccess(database, parts.github)
        services = Services(
            database=database,
            containers=containers,
            credentials=access,
            publisher=access,
            reporter=parts.reporter,
            agents=agents_of(settings),
            redactor=redactor,
            clock=SystemClock(),
            hosts=host_policy(settings),
        )
        options = options_of(settings)
        await closing.enter_async_context(finding_out(containers, services.agents.values()))
        runs = RunsOfThisProcess(Pipeline(services, options, doorbell(queue)), settings.max_runs)
        listener = JobListener(redis_url, runs, settings.run_timeout)
        sweeper = Sweeper(
            SweptParts(
                database=database,
                queue=queue,
                intake=parts.intake,
                redelivery=parts.redelivery,
                reporter=parts.reporter,
                engine=containers,
                clock=services.clock,
                artifact_root=settings.artifact_root,
                owner=options.owner,
                limits=settings.limits,
            )
        )
        yield listener, sweeper, runs
