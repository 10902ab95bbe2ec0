"""From an id in a real Redis to a finished run, and back to the queue when the worker stops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio import Redis

from bot.queue import RUN_JOB, RunQueue
from db.session import Database
from db.vocabulary import ErrorCode, RunStatus, TaskStatus
from jobs.errors import AppError, TransientError, UserError
from jobs.running import RunsOfThisProcess
from jobs.worker import JobListener, pipeline_error
from jobs.worker.parts import doorbell
from tests.jobs.fakes import waits
from tests.jobs.rig import Rig
from tests.redis_server import RedisServer

SOON = 10.0


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """What Redis does is the same whichever database there is."""
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


@asynccontextmanager
async def worker(rig: Rig, redis_url: str, at_most: int = 2) -> AsyncIterator[RunsOfThisProcess]:
    """A worker that listens, and is stopped as run_worker stops it."""
    async with queue(redis_url) as jobs:
        runs = RunsOfThisProcess(rig.pipeline(wake_next=doorbell(jobs)), at_most)
        listener = JobListener(redis_url, runs, 60)
        listening = asyncio.create_task(listener.listen())
        try:
            yield runs
        finally:
            listener.stop_picking()
            await runs.stop(5)
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


@asynccontextmanager
async def queue(redis_url: str) -> AsyncIterator[RunQueue]:
    opened = RunQueue(redis_url)
    yield opened
    await opened.close()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await holds():
            await asyncio.sleep(0.02)


async def ends(rig: Rig, run_id: UUID) -> None:
    async def over() -> bool:
        return (await rig.run(run_id)).status.is_terminal

    await eventually(over)


async def keys(redis_url: str) -> list[bytes]:
    async with Redis.from_url(redis_url) as client:
        return [key for key in await client.keys() if not key.endswith(b":health-check")]


async def test_an_id_in_redis_becomes_a_finished_run(rig: Rig, redis_url: str) -> None:
    run_id = await rig.open()
    async with worker(rig, redis_url), queue(redis_url) as jobs:
        assert await jobs.enqueue_run(run_id, 1)
        await ends(rig, run_id)

        async def nothing_left() -> bool:
            return not await keys(redis_url)

        await eventually(nothing_left)
    assert (await rig.run(run_id)).status is RunStatus.SUCCEEDED


async def test_an_id_enqueued_twice_is_one_run(rig: Rig, redis_url: str) -> None:
    run_id = await rig.open()
    async with queue(redis_url) as jobs:
        assert await jobs.enqueue_run(run_id, 1)
        assert not await jobs.enqueue_run(run_id, 1)
        assert await jobs.enqueue_run(run_id, 2)
        async with worker(rig, redis_url), worker(rig, redis_url):
            await ends(rig, run_id)
    assert (rig.world.times("start"), len(rig.world.pull_requests)) == (1, 1)


async def test_a_worker_takes_no_more_runs_than_it_may(rig: Rig, redis_url: str) -> None:
    most = 0

    async def count() -> None:
        nonlocal most
        most = max(most, len(rig.world.alive))
        await asyncio.sleep(0.05)

    rig.world.at["agent:speckit_plan"].extend([count] * 5)
    run_ids = [await rig.open() for _ in range(5)]
    async with worker(rig, redis_url, at_most=2), queue(redis_url) as jobs:
        for run_id in run_ids:
            await jobs.enqueue_run(run_id, 1)
        for run_id in run_ids:
            await ends(rig, run_id)
    assert most == 2


@pytest.mark.parametrize("run_id", ["not an id", "00000000-0000-0000-0000-000000000000"])
async def test_a_job_that_means_nothing_is_dropped(rig: Rig, redis_url: str, run_id: str) -> None:
    good = await rig.open()
    async with worker(rig, redis_url), queue(redis_url) as jobs:
        await jobs._redis.enqueue_job(RUN_JOB, run_id, _job_id="foreign")
        await jobs.enqueue_run(good, 1)
        await ends(rig, good)


async def test_a_busy_worker_leaves_jobs_to_idle_ones(rig: Rig, redis_url: str) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    rig.world.at["agent:speckit_plan"].append(hold)
    long, short = await rig.open(), await rig.open()
    async with worker(rig, redis_url, at_most=1), queue(redis_url) as jobs:
        await jobs.enqueue_run(long, 1)
        await asyncio.wait_for(reached.wait(), SOON)
        await jobs.enqueue_run(short, 1)
        await asyncio.sleep(0.3)
        assert (await rig.run(short)).status is RunStatus.QUEUED
        async with worker(rig, redis_url, at_most=1):
            await ends(rig, short)
        go_on.set()
        await ends(rig, long)


async def test_a_stopped_worker_leaves_its_run_to_the_next(rig: Rig, redis_url: str) -> None:
    reached = asyncio.Event()
    rig.world.at["agent:speckit_plan"].append(waits(reached))
    run_id = await rig.open()
    async with queue(redis_url) as jobs:
        async with worker(rig, redis_url):
            await jobs.enqueue_run(run_id, 1)
            await asyncio.wait_for(reached.wait(), SOON)
        run = await rig.run(run_id)
        assert (run.status, run.lease_owner) == (RunStatus.IN_PROGRESS, None)
        # It rang for the next one: no sweeper is needed.
        async with worker(rig, redis_url):
            await ends(rig, run_id)
    run = await rig.run(run_id)
    assert (run.status, run.crash_count) == (RunStatus.SUCCEEDED, 0)


async def test_redis_going_away_does_not_touch_runs_under_way(rig: Rig, own_redis: RedisServer) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    rig.world.at["agent:speckit_plan"].append(hold)
    run_id, later = await rig.open(), await rig.open()
    async with worker(rig, own_redis.url):
        async with queue(own_redis.url) as jobs:
            await jobs.enqueue_run(run_id, 1)
            await asyncio.wait_for(reached.wait(), SOON)
        await asyncio.to_thread(own_redis.stop)
        await asyncio.sleep(0.3)
        go_on.set()
        await ends(rig, run_id)
        await asyncio.to_thread(own_redis.start)
        async with queue(own_redis.url) as jobs:
            await jobs.enqueue_run(later, 1)
            await ends(rig, later)
    for finished in (run_id, later):
        run = await rig.run(finished)
        assert (run.status, run.lease_epoch) == (RunStatus.SUCCEEDED, 1)


async def test_a_worker_starts_while_redis_is_away(rig: Rig, own_redis: RedisServer) -> None:
    await asyncio.to_thread(own_redis.stop)
    run_id = await rig.open()
    async with worker(rig, own_redis.url):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(own_redis.start)
        async with queue(own_redis.url) as jobs:
            await jobs.enqueue_run(run_id, 1)
            await ends(rig, run_id)


def test_what_github_says_becomes_somebodys_fault() -> None:
    from bot.github.errors import AccessLost, NotFound, Refused, Unavailable

    gone = pipeline_error(NotFound("reading repository acme/shop: Not Found"))
    assert (type(gone), gone.code) == (UserError, ErrorCode.CLONE_NOT_FOUND)
    lost = pipeline_error(AccessLost("asking for a token: suspended"))
    assert (type(lost), lost.code) == (UserError, ErrorCode.GITHUB_ACCESS_LOST)
    away = pipeline_error(Unavailable("reading repository acme/shop: GitHub answered 502"))
    assert (type(away), away.code) == (TransientError, ErrorCode.GITHUB_UNAVAILABLE)
    refused = pipeline_error(Refused("opening a pull request: Validation Failed"))
    assert (type(refused), refused.code) == (AppError, ErrorCode.GITHUB_REFUSED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_on_a_signal(sqlite_url: str, redis_url: str, tmp_path: Path, number: signal.Signals) -> None:
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    program = (
        "import asyncio, logging, sys\n"
        "from bot.settings import load_settings\n"
        "from jobs.worker import run_worker\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "asyncio.run(run_worker(load_settings(), sys.argv[1]))\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_APP_ID": "1",
        "GITHUB_APP_PRIVATE_KEY": key.decode(),
        "GITHUB_WEBHOOK_SECRET": "0123456789abcdef",
        "GITHUB_API_URL": "http://127.0.0.1:9",
        "GITHUB_WEB_URL": "http://127.0.0.1:9",
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        "SPECKIT_DATA_DIR": str(tmp_path),
        "DATABASE_URL": sqlite_url,
    }
    command = [sys.executable, "-c", program, redis_url]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, env=environment, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = [next(line for line in process.stderr if "worker_listening" in line)]
        asked_at = time.monotonic()
        process.send_signal(number)
        log += process.stderr.readlines()
    assert process.returncode == 0, "".join(log)
    assert time.monotonic() - asked_at < 10
    assert any("worker_stopped" in line for line in log), log
    assert "Traceback" not in "".join(log)


async def test_a_run_that_hangs_in_its_last_report_is_still_handed_over(rig: Rig, redis_url: str) -> None:
    reached = asyncio.Event()
    rig.world.at["finish_report"].append(waits(reached))
    run_id = await rig.open()
    async with queue(redis_url) as jobs, worker(rig, redis_url):
        await jobs.enqueue_run(run_id, 1)
        await asyncio.wait_for(reached.wait(), SOON)
    run = await rig.run(run_id)
    assert (run.status, run.lease_owner, run.report.final_reported_at) == (RunStatus.SUCCEEDED, None, None)
    assert all(state.status is TaskStatus.SUCCEEDED for state in run.task_states)
