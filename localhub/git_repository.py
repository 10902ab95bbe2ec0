"""A bare git repository on disk: objects written byte by byte, everything else read through git.

Writing objects ourselves is what lets a test hold trees that git's own commands refuse to make (``.git/config``,
``..``, names with a slash or a newline), and it needs no process. No git command here ever sees a working tree.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ZERO = "0" * 40
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


@dataclass(frozen=True, slots=True)
class Symlink:
    """A file that is a link to ``target`` (mode 120000); the target may be anything."""

    target: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """A nested repository's entry (gitlink, mode 160000) at ``commit``."""

    commit: str = "1" * 40


@dataclass(frozen=True, slots=True)
class Executable:
    """A file of mode 0755."""

    content: bytes


FileContent = bytes | str | Symlink | Submodule | Executable


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One raw entry of a tree: ``mode`` as git writes it (``100644``, ``40000``), any ``name``, an object's id."""

    mode: str
    name: bytes
    sha: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a commit, and when."""

    name: str = "localhub"
    email: str = "localhub@users.noreply.invalid"
    date: datetime = EPOCH

    def line(self) -> str:
        """As a commit object holds it."""
        return f"{self.name} <{self.email}> {int(self.date.timestamp())} +0000"


def git_environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git reads no configuration but ``settings``, and asks nobody."""
    pairs = {"safe.directory": "*", **(settings or {})}
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(pairs)),
    }
    for index, (key, value) in enumerate(pairs.items()):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return environment


class GitError(Exception):
    """A git command failed; the text is what it said."""


class GitRepository:
    """One bare repository. Every method blocks: on the event loop call them through ``asyncio.to_thread``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, default_branch: str) -> None:
        """Make an empty bare repository whose HEAD names ``default_branch``."""
        for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        (self.path / "config").write_text(_CONFIG, encoding="ascii")
        (self.path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", encoding="utf-8")

    def git(self, *arguments: str, check: bool = True) -> bytes:
        """Run a git command and return its stdout. Raises GitError when it fails and ``check`` is set."""
        done = subprocess.run(
            ["git", f"--git-dir={self.path}", *arguments],
            env=git_environment(self.path),
            capture_output=True,
            check=False,
            cwd=self.path,
        )
        if check and done.returncode != 0:
            raise GitError(done.stderr.decode(errors="replace").strip())
        return done.stdout

    def fetch(self, other: GitRepository, what: str) -> None:
        """Bring commits over from another repository of the hub: a commit id, or a refspec that also moves branches."""
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        self.git("fetch", *quiet, str(other.path), what)

    # Objects

    def write_object(self, kind: str, content: bytes) -> str:
        """Store a loose object whatever its content, and return its id."""
        raw = f"{kind} {len(content)}".encode() + b"\0" + content
        sha = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        target = self.path / "objects" / sha[:2] / sha[2:]
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_bytes(zlib.compress(raw, 1))
            partial.rename(target)
        return sha

    def write_tree(self, entries: Iterable[TreeEntry]) -> str:
        """Store a tree in git's order, without judging names or modes."""
        ordered = sorted(entries, key=lambda entry: entry.name + (b"/" if entry.mode == "40000" else b""))
        content = b"".join(
            entry.mode.encode() + b" " + entry.name + b"\0" + bytes.fromhex(entry.sha) for entry in ordered
        )
        return self.write_object("tree", content)

    def write_commit(self, tree: str, parents: Sequence[str], message: str, author: Identity) -> str:
        """Store a commit."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author.line()}", f"committer {author.line()}", "", message]
        return self.write_object("commit", "\n".join(lines).encode() + b"\n")

    def write_files(self, files: Mapping[str, FileContent | None], onto: str | None = None) -> str:
        """Store ``files`` (path -> content, None removes it) as a tree on top of the tree ``onto``; return its id."""
        entries = {entry.name: entry for entry in self.read_tree(onto)} if onto else {}
        folders: dict[bytes, dict[str, FileContent | None]] = {}
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            name = os.fsencode(first)
            if slash:
                folders.setdefault(name, {})[rest] = content
            elif content is None:
                entries.pop(name, None)
            else:
                entries[name] = self._entry(name, content)
        for name, inner in folders.items():
            below = entries.get(name)
            sha = self.write_files(inner, below.sha if below is not None and below.mode == "40000" else None)
            entries[name] = TreeEntry("40000", name, sha)
        return self.write_tree(entries.values())

    def _entry(self, name: bytes, content: FileContent) -> TreeEntry:
        match content:
            case Symlink(target):
                return TreeEntry("120000", name, self.write_object("blob", os.fsencode(target)))
            case Submodule(commit):
                return TreeEntry("160000", name, commit)
            case Executable(data):
                return TreeEntry("100755", name, self.write_object("blob", data))
            case str():
                return TreeEntry("100644", name, self.write_object("blob", content.encode()))
            case _:
                return TreeEntry("100644", name, self.write_object("blob", content))

    def read_tree(self, tree: str) -> list[TreeEntry]:
        """The entries of one tree (or of a commit's root tree)."""
        entries = []
        for record in self.git("ls-tree", "-z", tree).split(b"\0")[:-1]:
            head, _, name = record.partition(b"\t")
            mode, _, sha = head.decode().split(" ")
            entries.append(TreeEntry(mode.lstrip("0"), name, sha))
        return entries

    # References

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Full reference name -> commit id, for names below ``prefix``, sorted."""
        found: dict[str, str] = {}
        packed = self.path / "packed-refs"
        if packed.exists():
            for line in packed.read_text(encoding="utf-8").splitlines():
                if line and line[0] not in "#^":
                    sha, name = line.split(" ", 1)
                    found[name] = sha
        for folder, _, names in os.walk(self.path / "refs"):
            for name in names:
                if not name.endswith(".lock"):
                    file = Path(folder) / name
                    found[file.relative_to(self.path).as_posix()] = file.read_text(encoding="ascii").strip()
        return {name: found[name] for name in sorted(found) if name.startswith(prefix)}

    def ref(self, name: str) -> str | None:
        """The commit a full reference name points to, or None."""
        return self.refs().get(name)

    def branch(self, name: str) -> str | None:
        """The commit of a branch, or None."""
        return self.ref(f"refs/heads/{name}")

    def branches(self) -> dict[str, str]:
        """Branch -> commit id, sorted by name."""
        return {name.removeprefix("refs/heads/"): sha for name, sha in self.refs("refs/heads/").items()}

    def write_ref(self, name: str, sha: str) -> None:
        """Point a full reference name at a commit, whatever it was before."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{sha}\n", encoding="ascii")

    def delete_ref(self, name: str) -> None:
        """Remove a reference."""
        self.git("update-ref", "-d", name)

    def commit_files(
        self, branch: str, files: Mapping[str, FileContent | None], message: str, author: Identity | None = None
    ) -> str:
        """Commit ``files`` on top of ``branch`` and return the commit's id. A missing branch begins without history."""
        parent = self.branch(branch)
        tree = self.write_files(files, parent)
        commit = self.write_commit(tree, [parent] if parent else [], message, author or Identity())
        self.write_ref(f"refs/heads/{branch}", commit)
        return commit

    def resolve(self, ref: str) -> str | None:
        """The commit id of a branch, tag or (at least seven digits of a) commit id, or None."""
        for name in (f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"):
            sha = self.ref(name)
            if sha is not None:
                break
        else:
            if not 7 <= len(ref) <= 40 or any(digit not in "0123456789abcdef" for digit in ref):
                return None
            sha = ref
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}^{{commit}}", check=False)
        return found.decode().strip() or None
