"""The wake-up call: against a real Redis, and against what somebody else may have put there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.jobs import DeserializationError, deserialize_job
from arq.worker import Worker, func
from redis import asyncio as redis_asyncio

from bot import queue
from bot.queue import QueueUnavailable, RunQueue, job_id, redis_settings
from tests.redis_server import RedisServer


async def test_a_run_is_enqueued_once_for_each_epoch(redis_url: str) -> None:
    run_queue, run_id = RunQueue(redis_url), uuid4()
    assert await run_queue.enqueue_run(run_id, 1)
    assert not await run_queue.enqueue_run(run_id, 1)
    assert await run_queue.enqueue_run(run_id, 2)
    await run_queue.close()


async def test_a_worker_with_our_settings_gets_the_id_and_frees_it_again(redis_url: str) -> None:
    got: list[str] = []

    async def run_pipeline(_: dict[str, Any], run_id: str) -> None:
        got.append(run_id)

    run_queue, run_id = RunQueue(redis_url), uuid4()
    for _ in range(2):
        assert await run_queue.enqueue_run(run_id, 1)
        await burst(redis_url, run_pipeline)
    assert got == [str(run_id)] * 2
    await run_queue.close()


async def test_a_pickle_in_redis_is_data_that_nobody_runs(redis_url: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    called = False

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (canary,))

    async def run_pipeline(_: dict[str, Any], run_id: str) -> None:
        nonlocal called
        called = True

    poison = pickle.dumps({"t": None, "f": "run_pipeline", "a": (Evil(),), "k": {}, "et": 0})
    with pytest.raises(DeserializationError):
        deserialize_job(poison, deserializer=queue.deserialize_job)
    async with redis_asyncio.Redis(unix_socket_path=redis_url.removeprefix("unix://")) as redis:
        await redis.set("arq:job:evil", poison)
        await redis.zadd("arq:queue", {"evil": 1})
    await burst(redis_url, run_pipeline)
    assert not canary.exists()
    assert not called


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b"\x80\x04."])
def test_what_is_no_job_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own, ours, or the decoder's: arq drops them alike
        queue.deserialize_job(data)


def test_an_object_never_becomes_a_job() -> None:
    with pytest.raises(TypeError):
        queue.serialize_job({"a": [Path()]})


async def test_a_restarted_redis_is_found_again(own_redis: RedisServer) -> None:
    run_queue = RunQueue(own_redis.url)
    await run_queue.ping()
    own_redis.stop()
    with pytest.raises(QueueUnavailable):
        await run_queue.ping()
    own_redis.start()
    assert await run_queue.enqueue_run(uuid4(), 1)
    await run_queue.close()


def test_addresses_are_read_as_redis_reads_them() -> None:
    settings = redis_settings("rediss://user:p%40ss%2Fword@cache.example:6380/3")
    assert (settings.host, settings.port, settings.database, settings.ssl) == ("cache.example", 6380, 3, True)
    assert (settings.username, settings.password) == ("user", "p@ss/word")
    settings = redis_settings("unix:///run/my%20redis.sock?db=2")
    assert (settings.unix_socket_path, settings.database) == ("/run/my redis.sock", 2)
    settings = redis_settings("redis://localhost")
    assert (settings.host, settings.port, settings.database, settings.ssl) == ("localhost", 6379, 0, False)


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "", "redis://localhost/x"])
def test_another_address_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        redis_settings(url)


def test_the_jobs_id_names_run_and_epoch() -> None:
    run_id = uuid4()
    assert job_id(run_id, 3) == f"run:{run_id}:3"


async def burst(redis_url: str, run_pipeline: Any) -> None:
    """Work off what waits, as a worker does."""
    settings = redis_settings(redis_url)
    pool = ArqRedis(
        unix_socket_path=settings.unix_socket_path,
        job_serializer=queue.serialize_job,
        job_deserializer=queue.deserialize_job,
    )
    worker = Worker(
        functions=[func(run_pipeline, name=queue.RUN_JOB)],
        redis_pool=pool,
        burst=True,
        keep_result=0,
        poll_delay=0.01,
        handle_signals=False,
        job_serializer=queue.serialize_job,
        job_deserializer=queue.deserialize_job,
    )
    await worker.async_run()
    await pool.aclose()
