"""The Docker engine: the SDK's blocking calls off the event loop, its errors in our words, and raw exec streams.

An exec's stream is opened by hand (POST /exec/{id}/start with an upgrade, Docker Engine API): the SDK reads it in a
blocking way, and can neither half-close it nor be cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from db.vocabulary import ErrorCode
from jobs.containers.shape import DEADLINE_EXIT, USER
from jobs.errors import AppError, PipelineError, TransientError, UserError

T = TypeVar("T")

DEFAULT_HOST = "unix:///var/run/docker.sock"
CALL_SECONDS = 60
STREAM_LIMIT = 1 << 20
LOOKS = 15
SECONDS_BETWEEN_LOOKS = 0.1


class Engine:
    """One engine. ``docker_host`` as Docker's clients read ``DOCKER_HOST``: ``unix://`` or ``tcp://`` without TLS."""

    def __init__(self, docker_host: str | None, image: str) -> None:
        self._host = docker_host or DEFAULT_HOST
        self.image = image
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="docker")
        self._client: docker.APIClient | None = None
        self._cpus = 0
        self._bridge: Sequence[str] | None = None

    async def call(self, work: Callable[[docker.APIClient], T]) -> T:
        """Run ``work`` with the SDK's client in a thread. Raises AppError and TransientError ``engine.*``.

        ``NotFound`` and conflicts (HTTP 409) of the SDK pass through, for the caller to judge.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: work(self._connected()))
        except ImageNotFound:
            raise self.image_missing() from None
        except NotFound:
            raise
        except APIError as error:
            if error.status_code == 409:
                raise
            raise _refused(error) from error
        except (DockerException, requests.exceptions.RequestException, OSError) as error:
            raise self.unreachable(error) from error

    def _connected(self) -> docker.APIClient:
        if self._client is None:
            # Knock first: the SDK leaves its socket open when nobody answers.
            if self._host.startswith("unix://"):
                with socket.socket(socket.AF_UNIX) as knock:
                    knock.connect(self._host.removeprefix("unix://"))
            self._client = docker.APIClient(base_url=self._host, version="auto", timeout=CALL_SECONDS)
        return self._client

    async def cpus(self) -> int:
        """How many processors the engine has: it refuses a container that may use more."""
        if self._cpus == 0:
            self._cpus = await self.call(lambda client: int(client.info().get("NCPU") or 1))
        return self._cpus

    async def bridge_addresses(self) -> Sequence[str]:
        """The engine's own addresses on its bridge, by which containers reach this machine; empty without a bridge."""
        if self._bridge is None:
            try:
                found = await self.call(lambda client: client.inspect_network("bridge"))
            except NotFound:
                found = {}
            pools = (found.get("IPAM") or {}).get("Config") or ()
            # Where it was not told one, the engine takes the first address of the pool.
            self._bridge = tuple(str(pool.get("Gateway") or ip_network(pool["Subnet"])[1]) for pool in pools)
        return self._bridge

    def unreachable(self, error: BaseException) -> TransientError:
        """No engine answers."""
        return TransientError(
            ErrorCode.ENGINE_UNREACHABLE,
            f"asking the Docker engine at {self._host}: {type(error).__name__}: {_short(error)}; is it running?",
        )

    def image_missing(self) -> AppError:
        """The image is not there, or is not the job image."""
        return AppError(
            ErrorCode.ENGINE_IMAGE_MISSING,
            f"starting a container: the engine at {self._host} has no usable job image {self.image}; "
            "build it with images/build, or set SPECKIT_JOB_IMAGE",
        )

    async def open_exec(
        self, container_id: str, argv: Sequence[str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Start ``argv`` in a running container as its ordinary user, and hand out the raw stream.

        What comes is Docker's multiplexed form: 8 bytes of header, then that many bytes of stdout (1) or stderr (2).
        """
        try:
            created = await self.call(
                lambda client: client.exec_create(container_id, list(argv), stdin=True, user=USER)
            )
        except (NotFound, APIError) as error:
            raise await self.loss(container_id) from error
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._hijack(f"/exec/{created['Id']}/start", {"Detach": False, "Tty": False})
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise self.unreachable(error) from error

    async def _hijack(self, path: str, body: Mapping[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._host)
        if parts.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(parts.path, limit=STREAM_LIMIT)
        elif parts.scheme in {"tcp", "http"}:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 2375, limit=STREAM_LIMIT)
        else:
            raise AppError(
                ErrorCode.ENGINE_UNREACHABLE,
                f"DOCKER_HOST is {parts.scheme}://...; this version speaks unix:// and tcp:// without TLS",
            )
        try:
            payload = json.dumps(body).encode()
            writer.write(
                f"POST /v{self._connected().api_version}{path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
                f"Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
                + payload
            )
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
        except BaseException:
            writer.close()
            raise
        status = head.split(b" ", 2)[1]
        if status not in {b"101", b"200"}:
            writer.close()
            raise TransientError(
                ErrorCode.ENGINE_CONTAINER_LOST, f"starting a program in a container: HTTP status {status.decode()}"
            )
        return reader, writer

    async def loss(self, container_id: str) -> PipelineError:
        """Why a container no longer answers."""
        try:
            state = await self._settled_state(container_id)
        except (NotFound, APIError):
            return TransientError(ErrorCode.ENGINE_CONTAINER_LOST, f"container {container_id[:12]} is gone")
        except PipelineError as error:
            return error
        if state.get("Running"):
            return TransientError(
                ErrorCode.ENGINE_CONTAINER_LOST, f"the program in container {container_id[:12]} ended without an answer"
            )
        if state.get("ExitCode") == DEADLINE_EXIT:
            return UserError(ErrorCode.RUN_TIMED_OUT, "The run reached its time limit.")
        if state.get("OOMKilled"):
            return UserError(
                ErrorCode.AGENT_OUT_OF_MEMORY, "The container of this run used more memory than it may and was ended."
            )
        return TransientError(
            ErrorCode.ENGINE_CONTAINER_LOST,
            f"container {container_id[:12]} stopped with exit code {state.get('ExitCode')}",
        )

    async def _settled_state(self, container_id: str) -> Mapping[str, Any]:
        """The state once the engine noticed what happened: a stream ends before the container's end is recorded."""
        for _ in range(LOOKS):
            found = await self.call(lambda client: client.inspect_container(container_id))
            state: Mapping[str, Any] = found["State"]
            if not state.get("Running"):
                break
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        return state

    async def kill(self, container_id: str) -> None:
        """End every process of a container now. A container that is gone is fine."""
        with contextlib.suppress(NotFound, APIError, PipelineError):
            await self.call(lambda client: client.kill(container_id))

    def close(self) -> None:
        """Let go of the connection and the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()


def _refused(error: APIError) -> AppError | TransientError:
    status = error.status_code or 500
    kind = AppError if 400 <= status < 500 else TransientError
    return kind(ErrorCode.ENGINE_UNREACHABLE, f"asking the Docker engine: HTTP {status}: {_short(error)}")


def _short(error: BaseException) -> str:
    text = error.explanation if isinstance(error, APIError) else str(error)
    return " ".join(str(text).split())[:300]
