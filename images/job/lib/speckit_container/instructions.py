"""What tells an agent how to work is as the base branch has it, also on the branch of a pull request.

A context file (``AGENTS.md``), the folders of agents and Spec Kit's own scripts and templates decide what an agent does
next. On a pull request's branch somebody may have changed them whom nobody reviewed yet; the base branch was reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FILES = ("100644", "100755", "120000")
ABSENT = "0" * 40
COMMAND = "speckit"
"""How the names of Spec Kit's commands begin, among an agent's own."""


class Instructions:
    """``files`` are names of files, or ends of their paths; ``folders`` are names of folders, both wherever they lie.
    ``spec_kit`` is the path of ``.specify``, of which ``but`` are the paths that hold the work itself."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._ends = tuple(f"/{name}" for name in wanted["files"])
        self._folders = frozenset(wanted["folders"])
        self.spec_kit: str = wanted["spec_kit"]
        self._work = tuple(f"{self.spec_kit}/{path}" for path in wanted["but"])

    def include(self, path: str, *, spec_kit: bool) -> bool:
        """``spec_kit``: whether Spec Kit's own files count."""
        if path.startswith(f"{self.spec_kit}/"):
            return spec_kit and not path.startswith(self._work)
        names = path.split("/")
        if self._folders.isdisjoint(names):
            return f"/{path}".endswith(self._ends)
        return spec_kit or not any(name.startswith(COMMAND) for name in names)


def differences(raw: bytes) -> Iterator[tuple[str, str, str]]:
    """Mode, object id and path of what the second tree has, from ``git diff-tree -r -z --raw --no-renames``. A file
    that it lacks has ABSENT for an object id."""
    fields = raw.decode("utf-8", "surrogateescape").split("\0")[:-1]
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, object_id, _ = facts.split(" ")
        # A nested repository is no file of this one.
        yield (mode, object_id, path) if mode in FILES else ("0", ABSENT, path)


def index_lines(entries: Sequence[tuple[str, str, str]]) -> bytes:
    """For ``git update-index -z --index-info``. What goes comes first: a folder may take a file's place."""
    ordered = sorted(entries, key=lambda entry: entry[1] != ABSENT)
    return b"".join(
        f"{mode} {object_id}\t{path}\0".encode("utf-8", "surrogateescape") for mode, object_id, path in ordered
    )
