"""The git container: a bare, pristine clone that no agent ever touches, and four requests about it.

There is no working tree: the tree leaves as an archive, patches are applied to an index and commits are made by
plumbing commands, so no hook, filter, link or case-folding file system has any part in it. A token is in the
environment of the one git process that needs it.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from speckit_container.branch_listing import BranchListing
from speckit_container.frames import Channel, Refused
from speckit_container.git_settings import environment, make_repository
from speckit_container.instructions import Instructions, differences, index_lines
from speckit_container.programs import Bounds, collect, pipe, run
from speckit_container.tree_look import TreeLook, numbering_of

REPOSITORY = Path("/work/repository.git")
BASE = "refs/speckit/base"
REVIEWED = "refs/speckit/reviewed"
MOST_RESTORED = 5000
TAIL = 16_384


class GitRole:
    """Answers the worker's requests, one at a time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._tree = BASE

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what ``op`` names. Raises Refused with what git said."""
        match request["op"]:
            case "clone":
                return self._clone(request)
            case "archive":
                return self._archive(request)
            case "commit":
                return self._commit(request)
            case "push":
                return self._push(request)
        raise Refused("unknown request")

    def _clone(self, request: dict[str, Any]) -> dict[str, Any]:
        make_repository(REPOSITORY)
        listing = self._begin_listing(request) if request["want_branches"] else None
        try:
            self._fetch(request)
        finally:
            # Not left behind with a token in its environment, and not mixed with the words of the fetch.
            if listing is not None and (said := listing.wait()):
                self._channel.send(b"e", said)
        commit = self._git("rev-parse", "--verify", f"{BASE}^{{commit}}").decode().strip()
        look = self._look_at_tree(commit, TreeLook(request["project"], request["max_files"], request["max_bytes"]))
        return {
            "commit": commit,
            **look.facts(),
            "restored": self._restore(request["instructions"], commit) if request["instructions"] else [],
            "numbering": numbering_of(self._git("cat-file", "blob", look.options) if look.options else b""),
            "remote_branches": listing.branches() if listing is not None else [],
        }

    def _fetch(self, request: dict[str, Any]) -> None:
        url, wanted = request["url"], request.get("commit") or f"refs/heads/{request['base_branch']}"
        refs = [f"+{wanted}:{BASE}"]
        if request["instructions"]:
            refs.append(f"+refs/heads/{request['instructions']['branch']}:{REVIEWED}")
        code, said = self._remote(
            ["fetch", "--no-tags", "--depth=1", "--no-write-fetch-head", "--", url, *refs], request
        )
        if code != 0:
            if "couldn't find remote ref" in said and self._has_no_branches(request):
                raise Refused("empty")
            raise Refused("fetch", said=said)

    def _begin_listing(self, request: dict[str, Any]) -> BranchListing:
        argv = ["git", "ls-remote", "--heads", "--", request["url"]]
        return BranchListing(argv, _remote_environment(request), request["timeout"])

    def _has_no_branches(self, request: dict[str, Any]) -> bool:
        lines: list[bytes] = []
        code, _ = self._remote(["ls-remote", "--heads", "--", request["url"]], request, keep=lines)
        return code == 0 and not b"".join(lines).strip()

    def _look_at_tree(self, commit: str, look: TreeLook) -> TreeLook:
        """List the tree without unpacking it; stop as soon as ``look`` refuses it."""
        process = subprocess.Popen(
            ["git", "ls-tree", "-r", "-t", "-z", "-l", "--full-tree", commit],
            env=environment(variables={"GIT_DIR": str(REPOSITORY)}),
            stdout=subprocess.PIPE,
        )
        stream = pipe(process.stdout)
        try:
            for mode, object_id, size, path in _entries(stream):
                look.take(mode, object_id, size, path)
        finally:
            process.kill()
            process.wait()
            stream.close()
        return look

    def _restore(self, wanted: Mapping[str, Any], commit: str) -> list[str]:
        """Make the tree that leaves from here: the clone's, with the instructions as the reviewed branch has them.
        Returns the paths that this changed."""
        instructions = Instructions(wanted)
        # Where the reviewed branch has no Spec Kit yet, the one on this branch is what an earlier run set up.
        spec_kit = bool(self._git("ls-tree", REVIEWED, "--", instructions.spec_kit).strip())
        raw = self._git("diff-tree", "-r", "-z", "--raw", "--no-renames", commit, REVIEWED)
        entries = [entry for entry in differences(raw) if instructions.include(entry[2], spec_kit=spec_kit)]
        if len(entries) > MOST_RESTORED:
            raise Refused("large", files=len(entries))
        if entries:
            index = {"GIT_INDEX_FILE": "/work/index"}
            Path("/work/index").unlink(missing_ok=True)
            self._git("read-tree", commit, variables=index)
            self._git(*("update-index", "--replace", "-z", "--index-info"), stdin=index_lines(entries), variables=index)
            self._tree = self._git("write-tree", variables=index).decode().strip()
        return [path for _, _, path in entries]

    def _archive(self, request: dict[str, Any]) -> dict[str, Any]:
        process = subprocess.Popen(
            ["git", "archive", "--format=tar", self._tree],
            env=environment(variables={"GIT_DIR": str(REPOSITORY)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        tar = pipe(process.stdout)
        while chunk := tar.read(1 << 18):
            self._channel.send(b"d", chunk)
        said = pipe(process.stderr).read(TAIL).decode("utf-8", "replace")
        if process.wait() != 0:
            raise Refused("archive", said=said)
        return {}

    def _commit(self, request: dict[str, Any]) -> dict[str, Any]:
        data = b"".join(self._channel.data())
        parent = self._git("rev-parse", "--verify", f"{BASE}^{{commit}}").decode().strip()
        index = {"GIT_INDEX_FILE": "/work/index"}
        Path("/work/index").unlink(missing_ok=True)
        self._git("read-tree", parent, variables=index)
        changes: list[str] = []
        shas: list[str] = []
        start = 0
        for entry in request["commits"]:
            patch = data[start : start + entry["size"]]
            start += entry["size"]
            self._git("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, refuse="apply", variables=index)
            tree = self._git("write-tree", variables=index).decode().strip()
            raw = self._git("diff-tree", "-r", "--raw", "-z", "--no-renames", parent, tree)
            changes.append(base64.b64encode(raw).decode())
            if raw:
                parent = self._make_commit(tree, parent, entry["message"], request["identity"])
            shas.append(parent if raw else "")
        self._git("update-ref", f"refs/heads/{request['branch']}", parent)
        return {"head": parent, "shas": shas, "changes": changes}

    def _make_commit(self, tree: str, parent: str, message: str, identity: dict[str, str]) -> str:
        made = self._git(
            *("commit-tree", tree, "-p", parent, "-F", "-"),
            stdin=message.encode(),
            variables={
                f"GIT_{role}_{what}": identity[what.lower()]
                for role in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL", "DATE")
            },
        )
        return made.decode().strip()

    def _push(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create the branch, or move it forward from exactly ``expected``. Raises Refused ``push`` with where the
        branch is now (``remote``: a commit, empty where there is no branch, None where that could not be seen)."""
        ref = f"refs/heads/{request['branch']}"
        head = self._git("rev-parse", "--verify", f"{ref}^{{commit}}").decode().strip()
        expected = request["expected"] or ""
        if expected:
            # A lease allows git any move: that this one only adds commits is seen to here.
            self._git("merge-base", "--is-ancestor", expected, head, refuse="no_descendant")
        kept: list[bytes] = []
        # An empty expectation means: the branch must not exist. Where it is at our commit, git says "up to date".
        lease = f"--force-with-lease={ref}:{expected}"
        code, said = self._remote(
            ["push", "--porcelain", "--no-verify", lease, "--", request["url"], f"{head}:{ref}"], request, keep=kept
        )
        if code != 0 and (remote := self._remote_head(ref, request)) != head:
            raise Refused("push", said=b"".join(kept).decode("utf-8", "replace")[-TAIL:] + said, remote=remote)
        return {"head": head}

    def _remote_head(self, ref: str, request: dict[str, Any]) -> str | None:
        """Where the branch is on the remote: empty where it is not, None where nobody could tell.

        A push whose answer was lost, and which curl sent again, is refused the second time although the first one did
        it: only a look tells.
        """
        kept: list[bytes] = []
        code, _ = self._remote(["ls-remote", "--", request["url"], ref], request, keep=kept)
        if code != 0:
            return None
        lines = b"".join(kept).decode("utf-8", "replace").splitlines()
        return next((head for head, _, name in (line.partition("\t") for line in lines) if name == ref), "")

    def _remote(
        self, arguments: Sequence[str], request: dict[str, Any], keep: list[bytes] | None = None
    ) -> tuple[int, str]:
        """Run git against the remote, its words passed on as they come. Returns (exit code, end of stderr)."""
        tail = bytearray()

        def pass_on(kind: bytes, chunk: bytes) -> None:
            self._channel.send(kind, chunk)
            if kind == b"e":
                tail.extend(chunk)
                del tail[:-TAIL]
            elif keep is not None:
                keep.append(chunk)

        ended = run(
            ["git", *arguments], _remote_environment(request), pass_on, bounds=Bounds(request["timeout"], limit=8 << 20)
        )
        if ended.timed_out:
            raise Refused("slow", seconds=request["timeout"])
        return ended.exit_code, tail.decode("utf-8", "replace")

    def _git(
        self, *arguments: str, stdin: bytes = b"", refuse: str = "git", variables: Mapping[str, str] | None = None
    ) -> bytes:
        code, out, said = collect(
            ["git", *arguments],
            environment(variables={"GIT_DIR": str(REPOSITORY), **(variables or {})}),
            stdin=stdin,
            cwd="/work",
        )
        if said:
            self._channel.send(b"e", said[-TAIL:])
        if code != 0:
            raise Refused(refuse, said=said.decode("utf-8", "replace")[-TAIL:])
        return out


def _remote_environment(request: dict[str, Any]) -> dict[str, str]:
    """Of one git process that speaks with the remote, and the only place where the token is."""
    header = []
    if token := request.get("token"):
        login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        header = [(f"http.{request['url']}.extraHeader", f"Authorization: Basic {login}")]
    return environment(header, {"GIT_DIR": str(REPOSITORY)})


def _entries(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes, int, bytes]]:
    """Split the output of ``git ls-tree -z -l`` into (mode, object id, bytes, path)."""
    rest = b""
    while chunk := os.read(stream.fileno(), 1 << 16):
        *lines, rest = (rest + chunk).split(b"\0")
        for line in lines:
            facts, path = line.split(b"\t", 1)
            mode, _, object_id, size = facts.split()
            yield mode, object_id, int(size) if size.isdigit() else 0, path
