"""Spec Kit's commands in the home of an agent that does not find them in the repository, or must not look there."""

from __future__ import annotations

import re
from pathlib import Path

from speckit_container.plain_files import free_place, read_plain

COMMANDS = ("specify", "clarify", "plan", "tasks", "checklist", "analyze", "implement", "constitution")
LARGEST_FILE = 256 << 10
MOST_FILES = 20


def lacking(folder: Path) -> list[str]:
    """Those of Spec Kit's commands that ``folder`` has not."""
    return [name for name in COMMANDS if _entry(folder, name) is None]


def lend(made: Path, own: Path, place: str, home: Path, *, home_only: bool) -> list[str]:
    """Put commands into ``place`` below ``home``: what the repository's folder ``own`` lacks, as ``specify init`` made
    it in ``made``; with ``home_only`` all of them, the repository's own first.

    Returns the commands that are nowhere. Files behind links, and large ones, are not taken.
    """
    nowhere = []
    for name in COMMANDS:
        mine, theirs = _entry(own, name), _entry(made, name)
        if mine is not None and (not home_only or _copied(own, mine, place, home)):
            continue
        if theirs is None or not _copied(made, theirs, place, home):
            nowhere.append(name)
    return nowhere


def _entry(folder: Path, name: str) -> str | None:
    """A command is a file (``speckit.plan.toml``) or the folder of a skill (``speckit-plan``)."""
    pattern = re.compile(rf"speckit[.-]{name}(\.[\w.]+)?")
    if folder.is_symlink() or not folder.is_dir():
        return None
    found = sorted(entry.name for entry in folder.iterdir() if pattern.fullmatch(entry.name))
    return found[0] if found else None


def _copied(folder: Path, entry: str, place: str, home: Path) -> bool:
    source = folder / entry
    if source.is_dir() and not source.is_symlink():
        names = [str(path.relative_to(folder)) for path in sorted(source.rglob("*")) if path.is_file()][:MOST_FILES]
    else:
        names = [entry]
    files = {name: read_plain(folder, name, LARGEST_FILE) for name in names}
    if not files or any(content is None for content in files.values()):
        return False
    for name, content in files.items():
        target = free_place(home, f"{place}/{name}")
        target.write_bytes(content or b"")
    return True
