"""The wake-up call: one arq job for a run that waits in the database. The only file of ``bot`` that knows arq.

The job carries ids and nothing else, as JSON: with arq's default, pickle, whoever can write to Redis can run code here.
A job's id holds the epoch its worker will take, because arq silently refuses an id for as long as it remembers it.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError

RUN_JOB = "run_pipeline"
"""The name the worker registers its function under."""

JOB_LIVES = timedelta(days=7)
"""arq forgets a job after 24 hours unless told otherwise; a run may wait longer than that for a worker."""

_PATIENCE_SECONDS = 5


class QueueUnavailable(Exception):  # noqa: N818 - a state of the world the caller goes on from
    """Redis did not take the job. Nothing is lost: the run is in the database and the sweeper asks again."""


class WakesRuns(Protocol):
    """What intake asks of the queue."""

    async def enqueue_run(self, run_id: UUID, epoch: int) -> bool: ...


def serialize_job(job: dict[str, Any]) -> bytes:
    """arq's ``job_serializer``: JSON, strict, so that an object can never slip into a job."""
    return json.dumps(job, allow_nan=False).encode()


def deserialize_job(data: bytes) -> dict[str, Any]:
    """arq's ``job_deserializer``. Raises ValueError for what is not a JSON object: arq then drops the job."""
    job = json.loads(data)
    if not isinstance(job, dict):
        raise ValueError("the job is not a JSON object")
    return job


def redis_settings(url: str) -> RedisSettings:
    """arq's settings for ``redis://``, ``rediss://`` or ``unix:///path?db=0``. Raises ValueError for another scheme.

    Never log the result: its repr shows the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(f"REDIS_URL begins with {parts.scheme}://; write redis://, rediss:// or unix://")
    is_socket = parts.scheme == "unix"
    in_path = "" if is_socket else parts.path.lstrip("/")
    database = parse_qs(parts.query).get("db", [in_path or "0"])[0]
    if not database.isdecimal():
        raise ValueError("REDIS_URL names a database that is not a number; write it like redis://host:6379/0")
    return RedisSettings(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        unix_socket_path=unquote(parts.path) if is_socket else None,
        database=int(database),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "rediss",
        conn_timeout=_PATIENCE_SECONDS,
    )


def job_id(run_id: UUID, epoch: int) -> str:
    """The arq id of the job that wakes ``run_id`` for a worker which will hold ``epoch``."""
    return f"run:{run_id}:{epoch}"


class RunQueue:
    """Sends ids of runs to the workers. Opening it contacts nobody, so the web process starts while Redis is down."""

    def __init__(self, redis_url: str) -> None:
        settings = redis_settings(redis_url)
        self._redis = ArqRedis(
            host=settings.host,
            port=settings.port,
            unix_socket_path=settings.unix_socket_path,
            db=settings.database,
            username=settings.username,
            password=settings.password,
            ssl=settings.ssl,
            encoding="utf8",
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
            job_serializer=serialize_job,
            job_deserializer=deserialize_job,
        )

    async def enqueue_run(self, run_id: UUID, epoch: int) -> bool:
        """Wake the workers for a run. False: this very job already waits. Raises QueueUnavailable within 5 s."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                job = await self._redis.enqueue_job(
                    RUN_JOB, str(run_id), _job_id=job_id(run_id, epoch), _expires=JOB_LIVES
                )
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueUnavailable(f"enqueueing run {run_id}: {type(error).__name__}") from error
        return job is not None

    async def ping(self) -> None:
        """Raises QueueUnavailable when Redis does not answer within 5 s."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueUnavailable(f"asking Redis: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
