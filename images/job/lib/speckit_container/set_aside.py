"""A repository's settings for agents and their tools are not there while an agent works.

Some agents run what such a file names before their first request, or send that somewhere else. What informs an agent
(``AGENTS.md``, skills, examples of settings) stays. What was taken out is put back from the baseline afterwards, so
that nothing of it shows in a patch, unless the agent wrote there itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

EXAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")
"""The ends of names that nobody reads settings from."""


def settings_below(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """What is there of ``patterns``, which are paths from ``folder`` with shell wildcards in their parts. A link on the
    way to a file is found in its place: whoever follows it finds the file."""
    return sorted({found for pattern in patterns for found in _matching(folder, pattern.split("/"))})


def _matching(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    part, *others = parts
    for entry in os.scandir(folder):
        if not fnmatchcase(entry.name, part) or entry.name.endswith(EXAMPLES):
            continue
        if not others or entry.is_symlink():
            yield Path(entry.path)
        elif entry.is_dir():
            yield from _matching(Path(entry.path), others)


def remove(path: Path) -> None:
    """Take a file, a link or a folder away, if it did not go with a folder before."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
