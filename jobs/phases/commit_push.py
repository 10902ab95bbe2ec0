"""commit_push: the accepted patches become commits on a branch of their own.

Everything a commit's hash depends on comes from the run's row, so a repeat makes the same commits, and a branch that is
already there with our commit is our own earlier push.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from db.runs import record_branch, record_head, record_visibility
from db.session import Database
from db.vocabulary import ArtifactType, ErrorCode
from jobs.errors import UserError
from jobs.phases.steps import STEPS
from jobs.ports import CommitIdentity, Committed, Credentials, GitContainer, NamedPatch, Publisher
from jobs.run_context import Attempt, Checkpoint, Details, Finished, Prepared, Pushed, RunRequest, Source
from jobs.run_folder import RunFolder

SUBJECT_LENGTH = 72

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
_NOT_IN_A_SUBJECT = re.compile(r"[\[\]#@<>`\\|]|[^\w\s.,:;'\"!?()&+%=/-]")


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits: the App's own identity."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class CommitPush:
    """Repeatable, as the head of this file says."""

    database: Database
    credentials: Credentials
    publisher: Publisher
    folder: RunFolder
    author: Author
    prepared: Prepared

    async def execute(
        self,
        attempt: Attempt,
        request: RunRequest,
        git: GitContainer,
        source: Source,
        checkpoints: Sequence[Checkpoint],
    ) -> Finished[Pushed]:
        """Raises UserError ``publish.*``, ``repository.archived``, ``github.access_lost``."""
        branch = self.prepared.branch or request.branch_name or branch_for(request)
        patches = named_patches(request, source, checkpoints)
        made: Committed | None = None
        if any(checkpoint.patch for checkpoint in checkpoints):
            made = await git.commit(branch, patches, self._identity(request), attempt.output)
        if made is None or made.head == source.base_sha:
            await self._keep(attempt, {"branch": None, "base_sha": source.base_sha, "head_sha": None, "commits": []})
            return Finished(Pushed(branch, None), {"no_changes": True})
        head = made.head
        await self._push(attempt, request, git, branch, source.base_sha if self.prepared.branch else None)
        by_phase = zip([step for step in checkpoints if step.patch], made.shas[-_written(checkpoints) :], strict=True)
        details: Details = {
            "branch_name": branch,
            "base_sha": source.base_sha,
            "head_sha": head,
            "commits": [patch.subject for patch in patches],
            "commit_of": {checkpoint.phase.value: sha for checkpoint, sha in by_phase if sha},
        }
        await self._keep(attempt, details)

        async def record(session: AsyncSession) -> None:
            await record_head(session, attempt.lease, head)

        return Finished(Pushed(branch, head), details, record)

    async def _push(
        self, attempt: Attempt, request: RunRequest, git: GitContainer, branch: str, expected: str | None
    ) -> None:
        # Minutes have passed since the run was allowed: what was taken away meanwhile counts.
        repository = await self.publisher.repository(attempt.lease)
        async with self.database.transaction() as session:
            await record_visibility(session, attempt.lease, repository.private)
        if repository.archived:
            raise UserError(
                ErrorCode.REPOSITORY_ARCHIVED,
                f"{repository.slug} was archived meanwhile, so nothing could be pushed to it.",
            )
        if not await self.publisher.requester_may_write(attempt.lease):
            raise UserError(
                ErrorCode.GITHUB_ACCESS_LOST,
                f"{request.requested_by} may no longer write to {repository.slug}, so nothing was pushed.",
            )
        async with self.database.transaction() as session:
            await record_branch(session, attempt.lease, branch)
        token = await self.credentials.push_token(attempt.lease)
        await git.push(repository.clone_url, branch, token, attempt.output, expected)

    async def _keep(self, attempt: Attempt, content: Details) -> None:
        await self.folder.keep_json(attempt, "commit.json", content, ArtifactType.COMMIT_STATUS)

    def _identity(self, request: RunRequest) -> CommitIdentity:
        trailers = [f"Speckit-Run: {request.run_id}"]
        if _LOGIN.fullmatch(request.requested_by):
            address = f"{request.requested_by_id}+{request.requested_by}@users.noreply.github.com"
            trailers.insert(0, f"Co-authored-by: {request.requested_by} <{address}>")
        return CommitIdentity(self.author.name, self.author.email, request.started_at, tuple(trailers))


def branch_for(request: RunRequest) -> str:
    """``speckit/{date}/{token}``, the same for a run whenever it is asked."""
    token = hashlib.sha256(request.run_id.bytes).hexdigest()[:6]
    return f"speckit/{request.started_at:%Y%m%d}/{token}"


def named_patches(request: RunRequest, source: Source, checkpoints: Sequence[Checkpoint]) -> list[NamedPatch]:
    """One commit for Spec Kit's own files where they are new, then one for each agent phase that wrote something."""
    title = subject_title(checkpoints[0].heading if checkpoints else "") or subject_title(request.issue_title)
    patches = []
    if source.init_patch:
        patches.append(NamedPatch(f"Set up Spec Kit {source.prompt_pack_version}", source.init_patch))
    for checkpoint in checkpoints:
        if checkpoint.patch:
            verb = STEPS[checkpoint.phase].subject
            subject = f"{verb}: {title}" if title else verb
            patches.append(NamedPatch(subject[:SUBJECT_LENGTH].rstrip(), checkpoint.patch))
    return patches


def subject_title(text: str) -> str:
    """One line of plain words: no ``[skip ci]``, no mention, no reference, nothing that acts when it is in a commit."""
    words = _NOT_IN_A_SUBJECT.sub(" ", text).split()
    return " ".join(word for word in words if not re.fullmatch(r"GH-\d+", word, re.IGNORECASE))


def _written(checkpoints: Sequence[Checkpoint]) -> int:
    return sum(1 for checkpoint in checkpoints if checkpoint.patch)


def recall(details: Details, branch: str | None) -> Pushed:
    """What an earlier worker pushed, from its task state."""
    head = details.get("head_sha")
    return Pushed(branch or "", head if isinstance(head, str) else None)
