"""The git container, from the worker's side. What happens inside is ``speckit_container/git_role.py`` in the image."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from db.vocabulary import ErrorCode
from jobs.containers.agent_files import instructions_from
from jobs.containers.git_failures import (
    continue_failure,
    fetch_failure,
    no_branch,
    project_not_found,
    push_failure,
    repository_name,
)
from jobs.containers.session import OnData, Session
from jobs.containers.shape import MIB, ContainerLimits
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.patches import parse_patch
from jobs.ports import Clone, CloneSource, CommitIdentity, Committed, NamedPatch, PhaseOutput
from jobs.redaction import Redactor, StreamRedactor

GRACE_SECONDS = 20.0
SHORT_SECONDS = 120.0
# What git allows in a branch's name (git-check-ref-format): nothing else may reach a refspec.
_BRANCH = re.compile(
    r"(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)))[^\x00-\x20~^:?*\[\\\x7f./-][^\x00-\x20~^:?*\[\\\x7f]{0,243}"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
REGULAR = frozenset({b"000000", b"100644", b"100755"})
MOST_FEATURES = 5000
MOST_BRANCHES = 10_000


class DockerGitContainer:
    """Implements ``jobs.ports.GitContainer``. A token goes with one request, into one git process's environment."""

    def __init__(self, session: Session, limits: ContainerLimits) -> None:
        self._session = session
        self._limits = limits

    async def clone(self, source: CloneSource, token: str, output: PhaseOutput) -> Clone:
        """Raises UserError ``clone.*``, TransientError ``clone.failed`` and ``engine.*``."""
        for branch in (source.base_branch, source.reviewed_branch or source.base_branch):
            if not _BRANCH.fullmatch(branch):
                raise no_branch(source.url, branch)
        if source.project and not _is_plain(source.project):
            raise project_not_found(source.project)
        request = {
            "op": "clone",
            "url": source.url,
            "base_branch": source.base_branch,
            "commit": source.commit,
            "project": source.project,
            "want_branches": source.want_branches,
            "instructions": instructions_from(source.reviewed_branch, source.project),
            "token": token,
            "timeout": self._limits.clone_seconds,
            "max_files": self._limits.tree_files,
            "max_bytes": self._limits.tree_bytes,
        }
        result = await self._ask_remote(request, token, output)
        if "refused" in result:
            raise self._clone_failure(source, result)
        clone = Clone(
            commit=str(result["commit"]),
            has_spec_kit=bool(result["has_spec_kit"]),
            feature_directories=tuple(map(str, result["feature_directories"]))[:MOST_FEATURES],
            numbering="timestamp" if result["numbering"] == "timestamp" else "sequential",
            remote_branches=tuple(map(str, result["remote_branches"]))[:MOST_BRANCHES],
            restored=tuple(map(str, result["restored"])),
        )
        if source.commit is not None and clone.commit != source.commit:
            raise AppError(ErrorCode.CLONE_FAILED, f"cloning {repository_name(source.url)}: another commit came")
        summary = f"{repository_name(source.url)} at {clone.commit}: {result['files']} files, {result['bytes']} bytes\n"
        output.stdout.write(summary.encode())
        return clone

    def _clone_failure(self, source: CloneSource, result: Mapping[str, Any]) -> PipelineError:
        name = repository_name(source.url)
        match result["refused"]:
            case "fetch":
                said = str(result.get("said", ""))
                if source.reviewed_branch and f"refs/heads/{source.reviewed_branch}" in said:
                    return fetch_failure(source.url, source.reviewed_branch, source.commit, said)
                return fetch_failure(source.url, source.base_branch, source.commit, said)
            case "empty":
                return UserError(
                    ErrorCode.CLONE_EMPTY_REPOSITORY, f"{name} has no commit yet. Push a first one, then try again."
                )
            case "large":
                return UserError(
                    ErrorCode.CLONE_TOO_LARGE,
                    f"Cloning {name}: a run takes at most {self._limits.tree_files} files and "
                    f"{self._limits.tree_bytes // MIB} MiB.",
                )
            case "no_project":
                return project_not_found(source.project)
            case "unsafe":
                what = "a nested repository" if result.get("mode") == "160000" else "no ordinary folder or file"
                return UserError(
                    ErrorCode.CLONE_UNSAFE_TREE,
                    f"Cloning {name}: `{result.get('path')}` is {what}. Specifications need ordinary folders.",
                )
            case "slow":
                return TransientError(
                    ErrorCode.CLONE_FAILED, f"cloning {name}: not done after {self._limits.clone_seconds:.0f} s"
                )
            case _ if result.get("errno") == 28:
                return UserError(ErrorCode.CLONE_TOO_LARGE, f"Cloning {name}: it is larger than a run can take.")
        return AppError(ErrorCode.CLONE_FAILED, f"cloning {name}: {_reason(result)}")

    async def archive(self, output: PhaseOutput, on_data: OnData) -> None:
        """Hand the tree out as a tar stream, piece by piece. Raises AppError ``clone.failed``."""
        result = await self._session.ask(
            {"op": "archive"}, output, on_data=on_data, timeout=self._limits.clone_seconds + GRACE_SECONDS
        )
        if "refused" in result:
            raise AppError(ErrorCode.CLONE_FAILED, f"reading the cloned tree: {_reason(result)}")

    async def commit(
        self, branch: str, patches: Sequence[NamedPatch], identity: CommitIdentity, output: PhaseOutput
    ) -> Committed:
        """Raises UserError ``publish.conflict`` when a patch does not apply, ``publish.patch_unreadable`` when git
        understands a patch otherwise than its judge did."""
        request = {
            "op": "commit",
            "branch": branch,
            "identity": {
                "name": identity.author_name,
                "email": identity.author_email,
                "date": f"@{int(identity.date.timestamp())} +0000",
            },
            "commits": [
                {"size": len(patch.patch), "message": _message(patch.subject, identity.trailers)}
                for patch in patches
                if patch.patch
            ],
        }
        kept = [patch.patch for patch in patches if patch.patch]
        try:
            result = await self._session.ask(request, output, data=_pieces(kept), timeout=SHORT_SECONDS)
        except TimeoutError:
            raise TransientError(
                ErrorCode.ENGINE_CONTAINER_LOST, f"committing: not done in {SHORT_SECONDS:.0f} s"
            ) from None
        if result.get("refused") == "apply":
            raise UserError(
                ErrorCode.PUBLISH_CONFLICT,
                "The agent's changes do not fit the tree the run began with, so nothing was pushed. "
                "Give the command again.",
            )
        if "refused" in result:
            raise AppError(ErrorCode.PUBLISH_CONFLICT, f"committing: {_reason(result)}")
        for patch, raw in zip(kept, result["changes"], strict=True):
            await asyncio.to_thread(_cross_check, patch, base64.b64decode(raw))
        made = map(str, result["shas"])
        committed = Committed(str(result["head"]), tuple(next(made) if patch.patch else "" for patch in patches))
        output.stdout.write(f"{len(kept)} commits, {branch} is at {committed.head}\n".encode())
        return committed

    async def push(self, url: str, branch: str, token: str, output: PhaseOutput, expected: str | None = None) -> None:
        """Raises UserError ``publish.branch_taken``, with ``expected`` ``publish.branch_moved``, and
        ``publish.refused``, AppError ``github.access_lost``, TransientError ``github.unavailable``. Raises ValueError
        for an ``expected`` that is no commit's name: an empty one would mean something else to git."""
        if expected is not None and not _COMMIT.fullmatch(expected):
            raise ValueError(f"no commit: {expected!r}")
        request = {
            "op": "push",
            "url": url,
            "branch": branch,
            "expected": expected,
            "token": token,
            "timeout": SHORT_SECONDS,
        }
        result = await self._ask_remote(request, token, output)
        match result.get("refused"):
            case None:
                return
            case "push" if expected is not None:
                raise continue_failure(url, branch, expected, result.get("remote"), str(result.get("said", "")))
            case "push":
                raise push_failure(url, branch, str(result.get("said", "")))
            case "no_descendant":
                raise AppError(
                    ErrorCode.RUN_INTERNAL,
                    f"pushing to {repository_name(url)}: our commits do not follow {expected}, so nothing was pushed",
                )
            case "slow":
                raise TransientError(
                    ErrorCode.GITHUB_UNAVAILABLE,
                    f"pushing to {repository_name(url)}: not done in {SHORT_SECONDS:.0f} s",
                )
        raise AppError(ErrorCode.PUBLISH_REFUSED, f"pushing to {repository_name(url)}: {_reason(result)}")

    async def _ask_remote(self, request: Mapping[str, Any], token: str, output: PhaseOutput) -> Mapping[str, Any]:
        """A request with a token in it: the token is masked in what comes back, whatever its form."""
        redactor = Redactor([token] if token else [])
        guarded = GuardedOutput(output, redactor)
        try:
            result = await self._session.ask(
                request, guarded.output, timeout=float(request["timeout"]) * 2 + GRACE_SECONDS
            )
        except TimeoutError:
            result = {"refused": "slow"}
        finally:
            guarded.finish()
        if "said" in result:
            # The end of git's words becomes part of an error's message.
            result = {**result, "said": redactor.redact(str(result["said"]).encode()).decode(errors="replace")}
        return result


class _GuardedSink:
    def __init__(self, inner: Any, stream: StreamRedactor) -> None:
        self._inner = inner
        self._stream = stream

    def write(self, chunk: bytes) -> None:
        self._inner.write(self._stream.feed(chunk))

    def finish(self) -> None:
        self._inner.write(self._stream.finish())


class GuardedOutput:
    """Both streams of a phase, behind a redactor that knows one more secret."""

    def __init__(self, output: PhaseOutput, redactor: Redactor) -> None:
        self._stdout = _GuardedSink(output.stdout, redactor.stream())
        self._stderr = _GuardedSink(output.stderr, redactor.stream())
        self.output = PhaseOutput(self._stdout, self._stderr)

    def finish(self) -> None:
        """Write what was held back."""
        self._stdout.finish()
        self._stderr.finish()


async def _pieces(patches: Sequence[bytes]) -> AsyncIterator[bytes]:
    for patch in patches:
        yield patch


def _is_plain(path: str) -> bool:
    """Whether ``path`` can be that of a folder below the repository's root, written the one way git writes it."""
    return not any(name in {"", ".", ".."} for name in path.split("/")) and path.isprintable() and len(path) <= 1000


def _message(subject: str, trailers: Sequence[str]) -> str:
    lines = [" ".join(subject.split()), ""]
    lines += [" ".join(trailer.split()) for trailer in trailers]
    return "\n".join(lines).rstrip() + "\n"


def _cross_check(patch: bytes, raw: bytes) -> None:
    """Compare what git made of a patch with what was judged: the same paths, and regular files only.

    ``raw`` is the output of ``git diff-tree --raw -z``: ``:MODE MODE SHA SHA LETTER``, NUL, path, NUL.
    """
    fields = raw.split(b"\0")[:-1]
    made = set()
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode = facts.lstrip(b":").split(b" ")[:2]
        if old_mode not in REGULAR or new_mode not in REGULAR:
            raise _misunderstood()
        made.add(path.decode("utf-8", "surrogateescape"))
    if made != {change.path for change in parse_patch(patch).changes}:
        raise _misunderstood()


def _misunderstood() -> UserError:
    return UserError(
        ErrorCode.PUBLISH_PATCH_UNREADABLE,
        "git understood the agent's changes otherwise than the check before it, so nothing was pushed.",
    )


def _reason(result: Mapping[str, Any]) -> str:
    said = " ".join(str(result.get("said", "")).split())[-300:]
    return said or str(result.get("refused"))
