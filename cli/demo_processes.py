"""The processes of the demo: real ones, each with a log, started together, watched, and stopped by their ids."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import CommandError

_LAST_LINES = 15
_OURS = ("GITHUB_", "SPECKIT_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "DATABASE_URL", "REDIS_URL", "HOST", "PORT")


class ProcessEndedError(CommandError):
    """A process ended that should not have. The message names it and shows the last lines of its log."""


@dataclass(slots=True)
class Running:
    """One process and its log."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def last_words(self) -> str:
        """The last lines of the log, indented."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            return "\n".join(f"    {line}" for line in lines)
        return "    (it left no log)"


@dataclass(slots=True)
class Processes:
    """What the demo started. ``folder`` takes the logs; ``patience``: seconds to stop in before one is killed."""

    folder: Path
    patience: float = 30.0
    running: list[Running] = field(default_factory=list)

    async def start(self, name: str, argv: Sequence[str], settings: Mapping[str, str]) -> Running:
        """Start one with exactly these settings of ours: what the shell happens to have set must not leak in."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            # A session of its own: Ctrl-C is for the demo, which then stops everything in order.
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, **settings, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        started = Running(name, process, log)
        self.running.append(started)
        return started

    def require_all(self) -> None:
        """Raises ProcessEndedError when one of them has ended."""
        for one in self.running:
            if one.process.returncode is not None:
                raise ProcessEndedError(
                    f"{one.name} died with exit code {one.process.returncode}; the last lines of {one.log}:\n"
                    f"{one.last_words()}"
                )

    async def wait_for_line(self, one: Running, words: str, seconds: float) -> str:
        """The first line of the log that holds ``words``. Raises ProcessEndedError or CommandError (too late)."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            for line in one.log.read_text(errors="replace").splitlines(keepends=True):
                if words in line and line.endswith("\n"):
                    return line.strip()
            self.require_all()
            await asyncio.sleep(0.02)
        raise CommandError(
            f"{one.name} was not ready after {seconds:.0f} s; the last lines of {one.log}:\n{one.last_words()}"
        )

    async def stop(self) -> list[str]:
        """Stop them, the last started first. Returns the names of those that had to be killed."""
        killed = []
        for one in reversed(self.running):
            if not await _ended(one.process, signal.SIGTERM, self.patience):
                killed.append(one.name)
                await _ended(one.process, signal.SIGKILL, 5.0)
        self.running.clear()
        return killed


async def _ended(process: asyncio.subprocess.Process, number: signal.Signals, seconds: float) -> bool:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
    return process.returncode is not None


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses at this moment."""
    with ExitStack() as open_at_once:
        sockets = [open_at_once.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
