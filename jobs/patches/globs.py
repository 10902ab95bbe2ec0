"""Globs over paths, as a repository's configuration writes them: ``*`` is any part of one name, ``**`` any folders.

``src/**`` is all below ``src``, ``**/*.py`` every such file, ``src/*/api.py`` one folder deep. Nothing else is special:
a name may hold ``?`` and ``[``. The time is bounded by the lengths of both, whatever they hold.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

ANY_FOLDERS = "**"


def is_glob(place: str) -> bool:
    """Whether ``place`` is more than the path of one file or folder."""
    return "*" in place


def matches(path: str, glob: str) -> bool:
    """Whether ``glob`` stands for the file at ``path``. One that ends with a slash stands for all in that folder."""
    parts = (f"{glob}{ANY_FOLDERS}" if glob.endswith("/") else glob).split("/")
    # How many names may be used up so far: what a regular expression would find by trying, found by counting.
    names = path.split("/")
    reached = {0}
    for number, part in enumerate(parts):
        if part == ANY_FOLDERS:
            least = min(reached)
            is_last = number == len(parts) - 1
            # At the end it stands for what is in the folder, not for the folder's own name.
            reached = set(range(least + is_last, len(names) + 1))
        else:
            reached = {used + 1 for used in reached if used < len(names) and _is_name(names[used], part)}
        if not reached:
            return False
    return len(names) in reached


def _is_name(name: str, part: str) -> bool:
    if "*" not in part:
        return name == part
    return fnmatch.fnmatchcase(name, part.replace("[", "[[]").replace("?", "[?]"))


def split_places(places: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Configured places as (folders, files, globs)."""
    globs = tuple(place for place in places if is_glob(place))
    plain = [place for place in places if not is_glob(place)]
    folders = tuple(place for place in plain if place.endswith("/"))
    return folders, tuple(place for place in plain if not place.endswith("/")), globs
