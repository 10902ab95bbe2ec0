"""Runs probes, each in a process of its own, and prints a JSON list of [category, name, denied, what was seen]."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from tests.jobs.box_probes import credentials, egress, escapes, kernel
from tests.jobs.box_probes.registry import PROBES, SECONDS, Denied

CATEGORIES = (escapes, kernel, credentials, egress)
"""Registered by being imported."""


def outcome(attempt: Callable[[], object]) -> tuple[bool, str]:
    """Run one probe in a process of its own: (denied, what was seen)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            seen = (False, str(attempt())[:120])
        except OSError as error:
            seen = (True, errno.errorcode.get(error.errno or 0, "") or str(getattr(error, "reason", error))[:80])
        except (Denied, subprocess.SubprocessError) as denied:
            seen = (True, str(denied)[:80])
        except Exception as broken:  # noqa: BLE001 - a probe that does not work proves nothing
            seen = (False, f"BROKEN {type(broken).__name__}: {broken}"[:120])
        os.write(writing, json.dumps(seen).encode())
        os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    content, deadline = b"", time.monotonic() + 4 * SECONDS
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            with contextlib.suppress(BlockingIOError):
                content = os.read(reading, 4096)
            break
        time.sleep(0.002)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(reading)
    if not content:
        return False, "no answer"
    result = json.loads(content)
    return bool(result[0]), str(result[1])


def main() -> None:
    """Run them all, and print what came of each."""
    wanted = sys.argv[2:]
    chosen = [each for each in PROBES if not wanted or each[1] in wanted]
    sys.stdout.write(json.dumps([(category, name, *outcome(attempt)) for category, name, attempt in chosen]))
