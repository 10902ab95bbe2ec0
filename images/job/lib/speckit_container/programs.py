"""Running a program and passing its output on, bounded in time and bytes."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

CHUNK = 1 << 16


@dataclass
class Ended:
    """How a program ended. ``exit_code`` is negative for a signal, as in ``subprocess``."""

    exit_code: int
    timed_out: bool = False
    idle: bool = False
    too_much: bool = False


@dataclass(frozen=True)
class Bounds:
    """What a program may do before it is killed: run for ``timeout`` seconds, write nothing for ``idle`` seconds, and
    write ``limit`` bytes."""

    timeout: float = 600.0
    idle: float = 1e9
    limit: int = 1 << 62


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    on_output: Callable[[bytes, bytes], None],
    *,
    cwd: str = "/",
    bounds: Bounds | None = None,
    after: Callable[[], None] | None = None,
) -> Ended:
    """Run ``argv`` in a session of its own and pass its output on as (``b"o"`` or ``b"e"``, bytes).

    ``after`` runs once it ended or was killed, before the rest of its output is read, so that what it left behind
    cannot keep the pipes open.
    """
    bounds = bounds or Bounds()
    process = subprocess.Popen(
        argv,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _first_to_die(process.pid)
    pidfd = os.pidfd_open(process.pid)
    ended = Ended(0)
    try:
        _pump(process, pidfd, on_output, ended, bounds)
    finally:
        os.close(pidfd)
        _kill(process)
        if after is not None:
            after()
    ended.exit_code = process.wait()
    if not ended.too_much:
        _drain(process, on_output, bounds.limit)
    for stream in (process.stdout, process.stderr):
        pipe(stream).close()
    return ended


def collect(
    argv: Sequence[str], environment: Mapping[str, str], *, stdin: bytes = b"", cwd: str = "/", timeout: float = 300.0
) -> tuple[int, bytes, bytes]:
    """Run a short program of ours and return (exit code, stdout, stderr)."""
    done = subprocess.run(
        argv, env=dict(environment), input=stdin, cwd=cwd, capture_output=True, timeout=timeout, check=False
    )
    return done.returncode, done.stdout, done.stderr


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe that was asked for."""
    if stream is None:
        raise OSError("no pipe")
    return stream


def _first_to_die(pid: int) -> None:
    # When memory runs out the kernel shall take the agent, not the supervisor that reports it.
    with contextlib.suppress(OSError):
        descriptor = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"1000")
        os.close(descriptor)


def _pump(
    process: subprocess.Popen[bytes],
    pidfd: int,
    on_output: Callable[[bytes, bytes], None],
    ended: Ended,
    bounds: Bounds,
) -> None:
    written = 0
    heard = time.monotonic()
    deadline = heard + bounds.timeout
    with selectors.DefaultSelector() as selector:
        selector.register(pidfd, selectors.EVENT_READ, None)
        for stream, kind in ((pipe(process.stdout), b"o"), (pipe(process.stderr), b"e")):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, kind)
        while True:
            now = time.monotonic()
            ended.timed_out, ended.idle = now >= deadline, now >= heard + bounds.idle
            if ended.timed_out or ended.idle:
                return
            for key, _ in selector.select(min(deadline, heard + bounds.idle) - now):
                if key.data is None:
                    return
                chunk = os.read(key.fd, CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                heard = time.monotonic()
                on_output(key.data, chunk)
                written += len(chunk)
                if written > bounds.limit:
                    ended.too_much = True
                    return


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _drain(process: subprocess.Popen[bytes], on_output: Callable[[bytes, bytes], None], limit: int) -> None:
    """Pass on what is left in the pipes: their writers are gone, so this ends."""
    for stream, kind in ((pipe(process.stdout), b"o"), (pipe(process.stderr), b"e")):
        read = 0
        with contextlib.suppress(BlockingIOError, ValueError):
            while (chunk := os.read(stream.fileno(), CHUNK)) and read <= limit:
                on_output(kind, chunk)
                read += len(chunk)
