"""How a probe is written down, and the few things that most of them do."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

SECONDS = 6
LIBC = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"
X86_TO_ARM = {
    **{165: 40, 166: 39, 155: 41, 161: 51, 272: 97, 308: 268, 304: 265, 303: 264, 321: 280, 298: 241, 250: 219},
    **{248: 217, 249: 218, 323: 282, 175: 105, 313: 273, 176: 106, 246: 104, 169: 142, 167: 224, 179: 60, 163: 89},
    **{164: 170, 227: 112, 170: 161, 171: 162, 103: 116, 310: 270, 311: 271, 312: 272, 279: 239, 101: 117, 300: 262},
}
"""Numbers of system calls. Those above 400 are the same everywhere."""

FACTS: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
GATEWAY = "/run/speckit-gateway"

PROBES: list[tuple[str, str, Callable[[], object]]] = []


class Denied(Exception):  # noqa: N818 - an outcome, no error
    """The probe got nothing, and knows why."""


def probe(category: str, name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    def register(function: Callable[[], object]) -> Callable[[], object]:
        PROBES.append((category, name, function))
        return function

    return register


def each(category: str, names: list[tuple[str, Any]], attempt: Callable[[Any], object]) -> None:
    """A probe for each of the values."""
    for name, value in names:
        PROBES.append((category, name, partial(attempt, value)))


def call(number: int, *arguments: Any) -> int:
    """A system call by its number on x86-64. Raises OSError."""
    if ARM and number < 400:
        if number not in X86_TO_ARM:
            raise Denied("no such call on this machine")
        number = X86_TO_ARM[number]
    given = [ctypes.c_void_p(0) if value is None else value for value in arguments]
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in given]
    ctypes.set_errno(0)
    result = int(LIBC.syscall(ctypes.c_long(number), *given))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def write(path: str, content: str = "1") -> None:
    Path(path).write_text(content)


def read(path: str) -> str:
    content = Path(path).read_bytes()[:64]
    if not content:
        raise Denied("it is empty")
    return repr(content)


def run(*argv: str) -> str:
    """What a program printed. Raises Denied when it did not end well."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Denied((done.stderr or done.stdout).strip().splitlines()[-1][:80] if done.stderr or done.stdout else "no")
    return done.stdout[:80]
