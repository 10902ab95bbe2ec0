"""Reading a repository's history: commits, what they changed, files at a commit. Every function blocks."""

from __future__ import annotations

import os
from dataclasses import dataclass

from localhub.git_repository import GitRepository

_STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}
_FIELDS = "%x1f".join(("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"))


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of a comparison. ``patch`` holds its hunks, empty for a binary file; ``mode`` is the new one."""

    path: str
    status: str
    mode: str
    sha: str
    additions: int
    deletions: int
    patch: str
    previous_path: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. Dates are ISO 8601."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    author_date: str
    committer_name: str
    committer_email: str
    committer_date: str
    message: str


@dataclass(frozen=True, slots=True)
class PathAt:
    """What lies at a path of a commit: ``kind`` is blob, tree or commit (a submodule)."""

    mode: str
    kind: str
    sha: str
    path: str
    size: int


def merge_base(git: GitRepository, base: str, head: str) -> str | None:
    """The commit where both histories part, or None when they have nothing in common."""
    return git.git("merge-base", base, head, check=False).decode().strip() or None


def commits(git: GitRepository, revisions: str, limit: int = 250) -> list[Commit]:
    """Commits of a revision or range (``a..b``), newest first."""
    raw = git.git("log", "-z", f"--max-count={limit}", f"--format={_FIELDS}", "--end-of-options", revisions, "--")
    found = []
    for record in raw.decode(errors="replace").split("\0"):
        if record:
            fields = record.split("\x1f", 9)
            times = (fields[3], fields[4], fields[5], fields[6], fields[7], fields[8])
            found.append(Commit(fields[0], fields[1], tuple(fields[2].split()), *times, fields[9].strip("\n")))
    return found


def changed_files(git: GitRepository, base: str, head: str) -> list[ChangedFile]:
    """What ``head`` changed since it parted from ``base``: the files of a pull request."""
    start = merge_base(git, base, head) or base
    return files_between(git, start, head)


def files_between(git: GitRepository, start: str, end: str) -> list[ChangedFile]:
    """The difference between two commits (or trees), file by file."""
    common = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "-M", "--full-index")
    raw = git.git(*common, "--raw", "-z", start, end, "--").split(b"\0")[:-1]
    counts = _line_counts(git.git(*common, "--numstat", "-z", start, end, "--"))
    patches = _patches(git.git(*common, "--patch", start, end, "--"))
    found: list[ChangedFile] = []
    index = 0
    while index < len(raw):
        _, mode, old_sha, new_sha, letter = raw[index].decode().lstrip(":").split(" ")
        names = raw[index + 1 : index + (3 if letter[0] in "RC" else 2)]
        index += 1 + len(names)
        additions, deletions = counts[len(found)]
        found.append(
            ChangedFile(
                path=os.fsdecode(names[-1]),
                status=_STATUS.get(letter[0], "changed"),
                mode=mode,
                sha=new_sha if letter[0] != "D" else old_sha,
                additions=additions,
                deletions=deletions,
                patch=patches[len(found)] if len(found) < len(patches) else "",
                previous_path=os.fsdecode(names[0]) if len(names) > 1 else None,
            )
        )
    return found


def _line_counts(raw: bytes) -> list[tuple[int, int]]:
    found = []
    records = raw.split(b"\0")[:-1]
    index = 0
    while index < len(records):
        added, deleted, name = records[index].split(b"\t", 2)
        # A rename has an empty name here and its two names in the following records.
        index += 1 if name else 3
        found.append((0 if added == b"-" else int(added), 0 if deleted == b"-" else int(deleted)))
    return found


def _patches(raw: bytes) -> list[str]:
    text = "\n" + raw.decode(errors="replace")
    found = []
    for part in text.split("\ndiff --git ")[1:]:
        _, start, hunks = part.partition("\n@@ ")
        found.append(f"@@ {hunks}".rstrip("\n") if start else "")
    return found


def path_at(git: GitRepository, commit: str, path: str) -> PathAt | None:
    """What lies at ``path``, or None. An empty path is the root folder."""
    if not path:
        tree = git.git("rev-parse", f"{commit}^{{tree}}").decode().strip()
        return PathAt("040000", "tree", tree, "", 0)
    for entry in _list(git, commit, f":(literal){path}"):
        return entry
    return None


def folder_at(git: GitRepository, commit: str, path: str) -> list[PathAt]:
    """The entries of a folder: folders first, then files, by name."""
    tree = path_at(git, commit, path)
    if tree is None or tree.kind != "tree":
        return []
    prefix = f"{path}/" if path else ""
    entries = [
        PathAt(entry.mode, entry.kind, entry.sha, prefix + entry.path, entry.size) for entry in _list(git, tree.sha)
    ]
    return sorted(entries, key=lambda entry: (entry.kind != "tree", entry.path))


def _list(git: GitRepository, tree: str, *paths: str) -> list[PathAt]:
    found = []
    for record in git.git("ls-tree", "-z", "-l", tree, "--", *paths, check=False).split(b"\0")[:-1]:
        head, _, name = record.partition(b"\t")
        mode, kind, sha, size = head.decode().split()
        found.append(PathAt(mode, kind, sha, os.fsdecode(name), 0 if size == "-" else int(size)))
    return found


def blob(git: GitRepository, sha: str) -> bytes:
    """A file's bytes."""
    return git.git("cat-file", "blob", sha)
