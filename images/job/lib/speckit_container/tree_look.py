"""What a run must know of a cloned tree, gathered while git lists it: nothing is unpacked, and the look ends as soon as
the tree is too large.

A specification lies in ordinary folders: no component of the project's folder, and nothing in its ``specs`` or
``.specify``, may be a link or a nested repository.
"""

from __future__ import annotations

import json
from collections import deque
from itertools import accumulate
from typing import Any

from speckit_container.frames import Refused

FOLDER = b"040000"
NO_ORDINARY = (b"120000", b"160000")
REGULAR = (b"100644", b"100755")
MOST_FEATURES = 5000
LARGEST_OPTIONS = 1 << 16


class TreeLook:
    """``project`` is Spec Kit's root, a path from the repository's root, or empty for that root itself."""

    def __init__(self, project: str, max_files: int, max_bytes: int) -> None:
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._project = project.encode("utf-8", "surrogateescape")
        names = self._project.split(b"/") if project else []
        self._way = set(accumulate(names, lambda way, name: way + b"/" + name))
        prefix = self._project + b"/" if project else b""
        self._specs = prefix + b"specs"
        self._spec_kit = prefix + b".specify"
        self._inside = (self._specs + b"/", self._spec_kit + b"/")
        self._found = not project
        self._has_spec_kit = False
        # In git's order the newest names come last, so these are what stays of a flood.
        self._features: deque[str] = deque(maxlen=MOST_FEATURES)
        self._files = self._bytes = 0
        self.options: str | None = None
        """The object id of ``.specify/init-options.json``, where there is one to read."""

    def take(self, mode: bytes, object_id: bytes, size: int, path: bytes) -> None:
        """Look at one entry; folders come before what is in them. Raises Refused ``large`` and ``unsafe``."""
        self._files += 1
        self._bytes += size
        if self._files > self._max_files or self._bytes > self._max_bytes:
            raise Refused("large", files=self._files, bytes=self._bytes)
        if path in self._way:
            if mode in NO_ORDINARY:
                raise _unsafe(mode, path)
            self._found = self._found or (path == self._project and mode == FOLDER)
        elif path in (self._specs, self._spec_kit):
            if mode != FOLDER:
                raise _unsafe(mode, path)
            self._has_spec_kit = self._has_spec_kit or path == self._spec_kit
        elif path.startswith(self._inside):
            if mode in NO_ORDINARY:
                raise _unsafe(mode, path)
            self._take_inside(mode, object_id, size, path)

    def _take_inside(self, mode: bytes, object_id: bytes, size: int, path: bytes) -> None:
        if path == self._spec_kit + b"/init-options.json":
            if mode in REGULAR and size <= LARGEST_OPTIONS:
                self.options = object_id.decode()
            return
        name = path.removeprefix(self._specs + b"/")
        if mode == FOLDER and name != path and b"/" not in name:
            text = name.decode("utf-8", "replace")
            if text.isprintable() and "\ufffd" not in text:
                self._features.append(text)

    def facts(self) -> dict[str, Any]:
        """What was found. Raises Refused ``no_project``."""
        if not self._found:
            raise Refused("no_project")
        return {
            "has_spec_kit": self._has_spec_kit,
            "files": self._files,
            "bytes": self._bytes,
            "feature_directories": list(self._features),
        }


def numbering_of(options: bytes) -> str:
    """``sequential`` or ``timestamp``, from Spec Kit's ``init-options.json``. What cannot be read is sequential."""
    try:
        found = json.loads(options)
    except (ValueError, RecursionError):
        return "sequential"
    if not isinstance(found, dict):
        return "sequential"
    wanted = found.get("feature_numbering") or found.get("branch_numbering")
    return "timestamp" if wanted == "timestamp" else "sequential"


def _unsafe(mode: bytes, path: bytes) -> Refused:
    return Refused("unsafe", path=path.decode("utf-8", "backslashreplace"), mode=mode.decode())
