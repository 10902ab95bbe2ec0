"""tinyproxy, which makes the connections that were allowed: a process of the worker, on loopback, with a password.

Chosen over others that were tried: it is kept by Debian, holds a connection in 5 MB whatever the peers do (proxy.py
keeps everything that nobody reads: 600 MB in one tunnel), needs nothing of Python's (mitmproxy holds cryptography and
30 more packages to versions years old) and has no cache, scripts or certificates to configure (squid). None of them
compares a server name with the host of a CONNECT; that is done before a connection comes here (``client_hello.py``).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

LOOPBACK = "127.0.0.1"
OLDEST = (1, 11)
"""The first version with what is written into its configuration here, and one that Debian still corrects."""

START_SECONDS = 10.0
CONNECT_SECONDS = 10.0
MOST_CLIENTS = 400
IDLE_SECONDS = 120
_PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin")

logger = logging.getLogger(__name__)


class NotThere(Exception):  # noqa: N818 - said of the program
    """There is no usable tinyproxy. The message is a sentence for the operator, with the cure."""


class NoConnection(Exception):  # noqa: N818 - what came of trying
    """The connection could not be made."""


def program() -> str:
    """The path of a usable tinyproxy. Blocking. Raises NotThere."""
    found = shutil.which("tinyproxy") or shutil.which("tinyproxy", path=":".join(_PLACES))
    if found is None:
        raise NotThere("there is no tinyproxy on this machine; install it: apt-get install tinyproxy-bin")
    try:
        said = subprocess.run([found, "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotThere(f"{found} cannot be run: {type(error).__name__}; install it anew") from None
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise NotThere(f"{found} is older than {'.'.join(map(str, OLDEST))}; install a newer tinyproxy")
    return found


class ForwardProxy:
    """Started when it is needed first, and again when it is needed and gone. ``ports`` are those it may connect to."""

    def __init__(self, path: str, ports: Iterable[int]) -> None:
        self._path = path
        self._ports = sorted(set(ports))
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0
        self._password = secrets.token_urlsafe(24)
        self._starting = asyncio.Lock()

    async def connect(self, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an address, not a name. Raises NoConnection."""
        await self._running()
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        pass_words = base64.b64encode(f"speckit:{self._password}".encode()).decode()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
                try:
                    writer.write(
                        f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
                        f"Proxy-Authorization: Basic {pass_words}\r\n\r\n".encode()
                    )
                    head = await reader.readuntil(b"\r\n\r\n")
                    if head.split(b" ", 2)[1:2] != [b"200"]:
                        raise NoConnection(head.split(b"\r\n", 1)[0].decode("ascii", "replace"))
                except BaseException:
                    writer.close()
                    raise
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise NoConnection(type(error).__name__) from error
        return reader, writer

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _running(self) -> None:
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return
            await self.close()
            for _ in range(3):
                # The port is free now and may be taken in a moment: then tinyproxy ends, and another one is tried.
                if await self._start():
                    return
            raise NoConnection("tinyproxy does not start")

    async def _start(self) -> bool:
        self._port = _free_port()
        # A worker that is killed takes it along (Linux, util-linux).
        with_worker = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        # Closed to others, for the password is in it; read once, and gone when the program listens.
        with tempfile.TemporaryDirectory(prefix="speckit-egress-") as folder:
            path = Path(folder) / "tinyproxy.conf"
            await asyncio.to_thread(path.write_text, self._configuration())
            self._process = await asyncio.create_subprocess_exec(
                *(*with_worker, self._path, "-d", "-c", str(path)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            listens = await self._answers(self._process)
        if listens:
            logger.info("forward_proxy_started")
            return True
        await self.close()
        return False

    async def _answers(self, process: asyncio.subprocess.Process) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while process.returncode is None:
                    try:
                        _, writer = await asyncio.open_connection(LOOPBACK, self._port)
                    except OSError:
                        await asyncio.sleep(0.02)
                        continue
                    writer.close()
                    # Whoever took the port meanwhile answers too: ours has ended then.
                    await asyncio.sleep(0.05)
                    return process.returncode is None
        return False

    def _configuration(self) -> str:
        lines = [
            f"Port {self._port}",
            f"Listen {LOOPBACK}",
            f"BasicAuth speckit {self._password}",
            f"Timeout {IDLE_SECONDS}",
            f"MaxClients {MOST_CLIENTS}",
            "LogLevel Critical",
            "DisableViaHeader Yes",
            *(f"ConnectPort {port}" for port in self._ports),
        ]
        return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
