"""Opening an artifact for a reader: below the root, through no link, a regular file, and nothing else.

``db.artifacts.resolve`` judges the path; between its look and our open the world may change, so the file is opened from
the root's directory descriptor, part by part, refusing links at each (threat T45).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from db.artifacts import resolve
from db.errors import ArtifactUnavailable
from db.models import AutomationArtifact
from db.vocabulary import Phase

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK opening a FIFO would wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_artifact(root: Path, artifact: AutomationArtifact) -> BinaryIO:
    """Open for reading. Blocking. Raises ArtifactUnavailable."""
    return open_below(root, resolve(root, artifact))


def open_below(root: Path, path: Path) -> BinaryIO:
    """Open the regular file at ``path``, which must lie below ``root``. Raises ArtifactUnavailable."""
    try:
        parts = path.relative_to(root.resolve()).parts
    except ValueError:
        raise ArtifactUnavailable(f"{path.name} is not below the artifact root") from None
    if not parts or ".." in parts:
        raise ArtifactUnavailable("the path names no file below the artifact root")
    try:
        with _folder(root.resolve(), parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except (OSError, ValueError) as error:
        raise ArtifactUnavailable(f"opening {parts[-1]}: {type(error).__name__}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise ArtifactUnavailable(f"{parts[-1]} is not a regular file")
    return os.fdopen(descriptor, "rb")


def open_live_log(root: Path, run_id: UUID, phase: Phase, attempt: int, stream: str) -> BinaryIO:
    """Open the log that a worker on this machine writes now: an artifact under this name once its phase has ended.

    ``stream`` is ``stdout`` or ``stderr``. Blocking. Raises ArtifactUnavailable, also where workers have disks of their
    own.
    """
    middle = "" if attempt == 1 else f".{attempt}"
    return open_below(root, root.resolve() / str(run_id) / "artifacts" / f"phase-{phase}{middle}.{stream}")


def tail(file: BinaryIO, size: int) -> bytes:
    """The last ``size`` bytes, cut at a line's begin where there is one."""
    length = os.fstat(file.fileno()).st_size
    start = max(0, length - size)
    file.seek(start)
    data = file.read(size)
    if start and b"\n" in data:
        data = data[data.index(b"\n") + 1 :]
    return data


@contextmanager
def _folder(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
