"""The names of a remote's branches, asked for while the fetch is still under way.

What git says is kept until the fetch is over: the words of two programs, one of which may hold a secret that has to be
masked, never mix.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from speckit_container.frames import Refused
from speckit_container.programs import Bounds, Ended, run

MOST_BRANCHES = 10_000
MOST_OUTPUT = 2 << 20
MARK = b"\trefs/heads/"


class BranchListing:
    """Begins at once. ``argv`` is a ``git ls-remote --heads``; ``timeout`` in seconds."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:
        self._timeout = timeout
        self._kept: dict[bytes, bytearray] = {b"o": bytearray(), b"e": bytearray()}
        self._ended: Ended | None = None
        self._thread = threading.Thread(target=self._run, args=(argv, environment), daemon=True)
        self._thread.start()

    def _run(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        def keep(kind: bytes, chunk: bytes) -> None:
            self._kept[kind].extend(chunk)

        self._ended = run(argv, environment, keep, bounds=Bounds(self._timeout, limit=MOST_OUTPUT))

    def wait(self) -> bytes:
        """Until git is done. Returns what it wrote to stderr."""
        self._thread.join()
        return bytes(self._kept[b"e"])

    def branches(self) -> list[str]:
        """The names, at most 10,000; ``wait`` comes first. Raises Refused ``fetch`` and ``slow``."""
        if self._ended is None:
            raise Refused("fetch", said="the branches could not be listed")
        if self._ended.timed_out:
            raise Refused("slow", seconds=self._timeout)
        if self._ended.exit_code != 0 and not self._ended.too_much:
            raise Refused("fetch", said=self._kept[b"e"].decode("utf-8", "replace"))
        return branches_of(bytes(self._kept[b"o"]))


def branches_of(listing: bytes) -> list[str]:
    """The branches of the lines ``OBJECT TAB refs/heads/NAME``. A name that is no text can be no name of ours; a last
    line without its end was cut off."""
    names: list[str] = []
    for line in listing.split(b"\n")[:-1]:
        _, mark, name = line.partition(MARK)
        text = name.decode("utf-8", "replace")
        if mark and "\ufffd" not in text:
            names.append(text)
        if len(names) == MOST_BRANCHES:
            break
    return names
