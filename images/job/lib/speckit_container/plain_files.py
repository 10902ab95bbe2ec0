"""Reading and writing files where an agent may have left anything. No link is ever followed.

No process of the agent's is alive when these are called, so what was looked at does not change.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from speckit_container.frames import Refused

# A named pipe is opened without waiting for its other end; it is no regular file then.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def read_plain(root: Path, path: str, most: int) -> bytes | None:
    """The content of a regular file of at most ``most`` bytes. None for everything else, and for a ``path`` that is not
    a plain one below ``root``."""
    *folders, name = path.split("/")
    if any(part in {"", ".", ".."} for part in (*folders, name)):
        return None
    opened: list[int] = []
    try:
        opened.append(os.open(root, _FOLDER))
        for folder in folders:
            opened.append(os.open(folder, _FOLDER, dir_fd=opened[-1]))
        opened.append(os.open(name, _FILE, dir_fd=opened[-1]))
        return _content(opened[-1], most)
    except (OSError, ValueError):
        # ValueError: no file can have such a name.
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _content(descriptor: int, most: int) -> bytes | None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        return None
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        content = stream.read(most + 1)
    return content if len(content) <= most else None


def free_place(root: Path, path: str) -> Path:
    """Make the folders of ``path`` below ``root`` ordinary ones, and take away what lies where the file belongs.

    Raises Refused for a path that leads out of ``root``.
    """
    *folders, name = path.split("/")
    if any(part in {"", ".", ".."} for part in (*folders, name)):
        raise Refused("file_outside_home", path=path)
    here = root
    for folder in folders:
        here /= folder
        if here.is_symlink() or not here.is_dir():
            here.unlink(missing_ok=True)
            here.mkdir()
    here /= name
    if here.is_symlink() or not here.is_dir():
        here.unlink(missing_ok=True)
    else:
        shutil.rmtree(here)
    return here


def is_plain_folder(root: Path, path: str) -> bool:
    """Whether ``path`` (empty: ``root`` itself) is a folder with no link among its components."""
    here = root
    for name in path.split("/") if path else ():
        here /= name
        if here.is_symlink() or name in {"", ".", ".."}:
            return False
    return here.is_dir()
