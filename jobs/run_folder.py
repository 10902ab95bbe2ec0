"""The files of one run under the artifact root: written whole or not at all, and hashed.

A file appears under its name only after its bytes are on the disk, and its row is written after that: an artifact that
is listed is complete.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.artifacts import NewArtifact, record_artifact, resolve
from db.models import AutomationArtifact
from db.runs import Lease
from db.vocabulary import ArtifactType, ErrorCode
from jobs.errors import AppError
from jobs.run_context import Attempt


class RunFolder:
    """``{root}/{run_id}/artifacts``: what a run leaves behind."""

    def __init__(self, root: Path, run_id: UUID) -> None:
        self._root = root
        self._run_id = run_id
        self._kept: list[NewArtifact] = []

    @property
    def path(self) -> Path:
        """The folder; it may not exist yet."""
        return self._root / str(self._run_id) / "artifacts"

    def storage_path(self, file_name: str) -> str:
        """How the database names a file of this folder."""
        return f"{self._run_id}/artifacts/{file_name}"

    async def create(self) -> None:
        """Make the folder. Raises OSError."""
        await asyncio.to_thread(self.path.mkdir, parents=True, exist_ok=True)

    async def keep_patch(self, attempt: Attempt, patch: bytes) -> None:
        """Keep ``patch`` as ``phase-{phase}.patch``, whatever becomes of the phase. Raises OSError."""
        name = f"phase-{attempt.phase}.patch"
        await self._keep(attempt, name, patch, ArtifactType.DIFF_SUMMARY, "text/x-diff; charset=utf-8")

    async def keep_prompt(self, attempt: Attempt, prompt: bytes) -> None:
        """Keep what the agent is told as ``phase-{phase}.prompt``. Raises OSError."""
        name = f"phase-{attempt.phase}.prompt"
        await self._keep(attempt, name, prompt, ArtifactType.ENVIRONMENT_INFO, "text/plain; charset=utf-8")

    async def keep_json(
        self, attempt: Attempt, name: str, content: Mapping[str, object], artifact_type: ArtifactType
    ) -> None:
        """Keep ``content`` as ``name``, readable by people. Raises OSError."""
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
        await self._keep(attempt, name, text.encode(), artifact_type, "application/json")

    async def _keep(
        self, attempt: Attempt, name: str, content: bytes, artifact_type: ArtifactType, content_type: str
    ) -> None:
        file_name = name if attempt.number == 1 else _with_attempt(name, attempt.number)
        await asyncio.to_thread(_write_whole, self.path / file_name, content)
        self._kept.append(
            NewArtifact(
                name=name,
                artifact_type=artifact_type,
                storage_path=self.storage_path(file_name),
                content_type=content_type,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                source_phase=attempt.phase,
                attempt=attempt.number,
            )
        )

    async def list_kept(self, session: AsyncSession, lease: Lease) -> None:
        """Write the rows of what was kept, in the caller's transaction. Listing it twice changes nothing."""
        for kept in self._kept:
            await record_artifact(session, lease, **kept)

    def all_listed(self) -> None:
        """The transaction of ``list_kept`` was committed."""
        self._kept.clear()

    async def read(self, artifact: AutomationArtifact) -> bytes:
        """The bytes of an artifact, checked against its hash.

        Raises ArtifactUnavailable when the file is gone, AppError ``run.internal`` when its bytes changed.
        """
        content = await asyncio.to_thread(lambda: resolve(self._root, artifact).read_bytes())
        if hashlib.sha256(content).hexdigest() != artifact.sha256:
            raise AppError(
                ErrorCode.RUN_INTERNAL,
                f"reading {artifact.name} of run {self._run_id}: its bytes are not what was kept",
            )
        return content


def _with_attempt(name: str, attempt: int) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{attempt}.{suffix}"


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
