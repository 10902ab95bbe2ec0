"""The folder and the sockets of a run, as far as the file system knows them."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from db.runs import Lease


def listen(root: Path, lease: Lease) -> tuple[Path, socket.socket]:
    """Make the run's folder and the socket in it. Who else is on this machine cannot reach it: ``root`` is closed to
    them; the container's user can, because the folder is mounted into the container by itself. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    short_id = lease.run_id.hex[:12]
    for left in root.glob(f"{short_id}-*"):
        if int(left.name.rpartition("-")[2]) <= lease.epoch:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{short_id}-{lease.epoch}"
    folder.mkdir()
    folder.chmod(0o711)
    return folder, listen_in(folder, "socket")


def listen_in(folder: Path, name: str) -> socket.socket:
    """A socket in a folder, to which whoever may enter the folder may connect. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A socket's path may have about 100 bytes; through the folder's descriptor any folder will do.
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{name}")
        (folder / name).chmod(0o666)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(descriptor)
    listener.listen(64)
    listener.setblocking(False)
    return listener
