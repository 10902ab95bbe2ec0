"""A background process several of our processes use at once: the first one in starts it, the last one out stops it.

Two lock files in the service's folder carry all of it, so that a user killed without warning (the kernel drops its
locks) can neither strand the service for the others nor take it away from them:

- ``users.lock``: everybody who uses the service holds it shared. Whoever can take it exclusively is the last.
- ``change.lock``: held exclusively while somebody starts, stops or judges the service, so that "is it alive?" and
  "start it" are one step.

``process.json`` remembers the process that was started by its id *and* its start time, since ids are used again: a
process that we did not start is never stopped. A file ``keep`` says that the service stays when nobody uses it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import StartError

_POLL_SECONDS = 0.02
_STOP_SECONDS = 20.0
_WATCH_SECONDS = 1.0
_LOG_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class SharedService:
    """What there is to know about one service.

    ``folder``: locks, process record and log; made with mode 0700. ``argv``: runs in the foreground. ``pid_file``:
    where the service writes its own process id, for when ``argv`` begins with ``sudo``; None: the child's id counts.
    ``answers``: True when it can be used (called often, must be quick and never raise). ``privilege``: what goes
    before ``kill``, such as ``["sudo"]``.
    """

    name: str
    folder: Path
    argv: Sequence[str]
    answers: Callable[[], bool]
    start_seconds: float = 15.0
    pid_file: Path | None = None
    privilege: Sequence[str] = field(default=())

    @property
    def log(self) -> Path:
        """What the service writes to its stdout and stderr."""
        return self.folder / "log"

    @property
    def is_alive(self) -> bool:
        """True when the process that we started still runs."""
        return self._recorded_process() is not None

    @property
    def is_kept(self) -> bool:
        """True when it stays up without users."""
        return (self.folder / "keep").exists()

    @contextmanager
    def in_use(self, *, watched: bool = False) -> Iterator[None]:
        """Have the service run while the block does. ``watched``: start it again, within seconds, should it die.

        Raises StartError.
        """
        self._make_folder()
        users = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._changing():
                fcntl.flock(users, fcntl.LOCK_SH)
                self._ensure()
            stop_watching = self._watch() if watched else None
            try:
                yield
            finally:
                if stop_watching is not None:
                    stop_watching()
                with self._changing():
                    if not self.is_kept and _take_alone(users):
                        self._stop()
        finally:
            os.close(users)

    def keep_up(self) -> None:
        """Start it, and keep it running until ``let_go``. Raises StartError."""
        self._make_folder()
        with self._changing():
            self._ensure()
            (self.folder / "keep").touch()

    def let_go(self) -> bool:
        """Undo ``keep_up``. Stop it unless somebody uses it; True when it is stopped."""
        self._make_folder()
        users = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._changing():
                (self.folder / "keep").unlink(missing_ok=True)
                if not _take_alone(users):
                    return False
                self._stop()
                return True
        finally:
            os.close(users)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
        except OSError as error:
            raise StartError(f"making the folder of {self.name}, {self.folder}: {error.strerror}") from None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        lock = os.open(self.folder / "change.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _ensure(self) -> None:
        if self.is_alive:
            if self._wait_until_it_answers():
                return
            self._stop()
        pid = self._spawn()
        self._record(pid)
        if not self._wait_until_it_answers():
            what = f"it gave no answer within {self.start_seconds:.0f} s" if self.is_alive else "it ended"
            self._stop()
            raise StartError(f"starting {self.name}: {what}; its last words ({self.log}): {self._last_words()}")
        self._record(self._own_pid(pid))

    def _spawn(self) -> int:
        with suppress(OSError):
            if self.log.stat().st_size > _LOG_BYTES:
                self.log.unlink()
        # Not subprocess.Popen: it would have us wait for a process that may well outlive us.
        # A session of its own: Ctrl-C in the terminal of one user must not end it for the others.
        return os.posix_spawnp(
            self.argv[0],
            list(self.argv),
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _record(self, pid: int) -> None:
        record = {"pid": pid, "started": _start_time(pid)}
        # Whole or not at all: others read it without the lock.
        partial = self.folder / "process.json.partial"
        partial.write_text(json.dumps(record))
        partial.replace(self.folder / "process.json")

    def _own_pid(self, child: int) -> int:
        if self.pid_file is None:
            return child
        with suppress(OSError, ValueError):
            return int(self.pid_file.read_text())
        return child

    def _wait_until_it_answers(self) -> bool:
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self.answers():
                return True
            if not self.is_alive:
                return False
            time.sleep(_POLL_SECONDS)
        return False

    def _stop(self) -> None:
        if (pid := self._recorded_process()) is not None:
            _end(pid, self.privilege)
        (self.folder / "process.json").unlink(missing_ok=True)

    def _recorded_process(self) -> int | None:
        try:
            record = json.loads((self.folder / "process.json").read_text())
            pid, started = int(record["pid"]), record["started"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if started is not None and _start_time(pid) == started else None

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            return " | ".join(line.strip() for line in lines[-3:]) or "none"
        return "none"

    def _watch(self) -> Callable[[], None]:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_WATCH_SECONDS):
                # A start that went wrong is tried again at the next look; its log says why.
                with suppress(StartError, OSError), self._changing():
                    if not done.is_set() and not self.is_alive:
                        self._ensure()

        thread = threading.Thread(target=watch, name=f"watch-{self.name}", daemon=True)
        thread.start()

        def stop() -> None:
            done.set()
            thread.join()

        return stop


def _take_alone(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of the process; None when it is gone or a zombie (proc(5), stat, field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _end(pid: int, privilege: Sequence[str]) -> None:
    started = _start_time(pid)
    for name, seconds in (("TERM", _STOP_SECONDS), ("KILL", 2.0)):
        if started is None or _start_time(pid) != started:
            break
        if privilege:
            subprocess.run([*privilege, "kill", f"-{name}", str(pid)], check=False, capture_output=True)
        else:
            with suppress(ProcessLookupError):
                os.kill(pid, getattr(signal, f"SIG{name}"))
        deadline = time.monotonic() + seconds
        while _start_time(pid) == started and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
