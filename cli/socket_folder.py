"""Room for unix sockets: their paths are limited, data directories are not."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cli.errors import StartError

SOCKET_PATH_LIMIT = 107
"""Bytes a unix socket's path may have on Linux (unix(7): ``sun_path`` is 108 with its final NUL)."""


def socket_folder(folder: Path, longest_name: str) -> Path:
    """Where sockets up to ``longest_name`` go: ``folder``, or, when that is too deep, a short folder of ours alone.

    The short one is ``$XDG_RUNTIME_DIR/speckit-bot-HASH`` or ``/tmp/speckit-bot-UID-HASH``, the hash that of
    ``folder``: every process with the same data dir finds the same one. Raises StartError when it is somebody else's.
    """
    if len(os.fsencode(folder / longest_name)) <= SOCKET_PATH_LIMIT:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    short = runtime / f"speckit-bot-{digest}"
    if not runtime.is_dir() or len(os.fsencode(short / longest_name)) > SOCKET_PATH_LIMIT:
        short = Path("/tmp") / f"speckit-bot-{os.getuid()}-{digest}"  # noqa: S108 - checked below
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    # /tmp is everybody's: a folder somebody else put there first would hand them the socket.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StartError(f"{short}, the folder for sockets, is not ours alone; remove it, or use a shorter data dir")
    return short
