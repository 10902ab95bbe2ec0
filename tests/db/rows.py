"""Runs in every state, made the way the product makes them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import artifacts, runs
from db.artifacts import NewArtifact
from db.deliveries import NewDelivery, record_deliveries
from db.models import AutomationArtifact, SpecAutomationRun, SpecAutomationTaskState
from db.runs import Lease, NewRun
from db.session import Database
from db.vocabulary import ArtifactType, Phase, RunStatus, TaskStatus

DEADLINE = datetime(2030, 1, 1, tzinfo=UTC)
SHA256 = "0" * 64
TTL = 45

NEW_RUN = NewRun(
    command_key="comment:1:0",
    repository="acme/shop",
    repository_id=11,
    installation_id=22,
    private=False,
    issue_number=7,
    on_pull_request=False,
    issue_title="Pay by invoice",
    comment_id=1,
    requested_by="alice",
    requested_by_id=33,
    base_branch=None,
    requested_spec_input="Let customers pay by invoice.",
    until_phase=None,
    dry_run=False,
    requested_agent=None,
    writer_key="issue:7",
)

_keys = itertools.count(1)


def new_run(**changes: Any) -> NewRun:
    """An accepted command nobody gave before."""
    number = next(_keys)
    return replace(NEW_RUN, **{"command_key": f"comment:{number}:0", "writer_key": f"issue:{number}", **changes})


@dataclass(frozen=True)
class Held:
    """A run that somebody works on."""

    run_id: UUID
    lease: Lease


async def queued_run(database: Database, **changes: Any) -> UUID:
    async with database.transaction() as session:
        run, created = await runs.open_run(session, new_run(**changes))
    assert created
    return run.run_id


async def claimed_run(database: Database, **changes: Any) -> Held:
    run_id = await queued_run(database, **changes)
    async with database.transaction() as session:
        lease = await runs.claim(session, run_id, "worker-1", TTL)
    assert lease is not None
    return Held(run_id, lease)


async def begun_run(database: Database, **changes: Any) -> Held:
    held = await claimed_run(database, **changes)
    async with database.transaction() as session:
        await runs.begin(session, held.lease, "host-1", DEADLINE)
    return held


async def run_that_is(database: Database, status: RunStatus) -> Held:
    """A run in that status, its lease still held."""
    if status is RunStatus.QUEUED:
        return await claimed_run(database)
    held = await begun_run(database)
    if status.is_terminal:
        async with database.transaction() as session:
            await runs.finish_run(session, held.lease, status, "It ended.")
    return held


async def phase_that_is(database: Database, held: Held, phase: Phase, status: TaskStatus) -> None:
    async with database.transaction() as session:
        if status in {TaskStatus.PENDING, TaskStatus.SKIPPED}:
            if status is TaskStatus.SKIPPED:
                await runs.finish_phase(session, held.lease, phase, status)
            return
        await runs.start_phase(session, held.lease, phase)
        if status is not TaskStatus.RUNNING:
            await runs.finish_phase(session, held.lease, phase, status)


async def read_run(database: Database, run_id: UUID) -> SpecAutomationRun:
    async with database.transaction() as session:
        return await runs.get_run(session, run_id)


async def read_phase(database: Database, run_id: UUID, phase: Phase) -> SpecAutomationTaskState:
    run = await read_run(database, run_id)
    return next(state for state in run.task_states if state.phase is phase)


def log_of(run_id: UUID, phase: Phase, kind: ArtifactType = ArtifactType.STDOUT_LOG, attempt: int = 1) -> NewArtifact:
    stream = "stdout" if kind is ArtifactType.STDOUT_LOG else "stderr"
    return {
        "name": f"phase-{phase}.{stream}",
        "artifact_type": kind,
        "storage_path": f"{run_id}/artifacts/phase-{phase}-{attempt}.{stream}",
        "content_type": "text/plain",
        "size_bytes": 3,
        "sha256": SHA256,
        "source_phase": phase,
        "attempt": attempt,
    }


async def recorded_log(database: Database, held: Held, **changes: Any) -> AutomationArtifact:
    new: NewArtifact = {**log_of(held.run_id, Phase.GIT_CLONE), **changes}  # type: ignore[typeddict-item]
    async with database.transaction() as session:
        return await artifacts.record_artifact(session, held.lease, **new)


async def let_lease_lapse(database: Database, run_id: UUID) -> None:
    """As if the worker had been dead for a minute."""
    async with database.transaction() as session:
        now = await runs.database_now(session)
        await session.execute(
            update(SpecAutomationRun)
            .where(SpecAutomationRun.run_id == run_id)
            .values(lease_expires_at=now - timedelta(seconds=1))
        )


async def execute(database: Database, statement: str, **values: Any) -> int:
    """Plain SQL, as somebody would type it, past the models. Returns the number of rows it touched."""
    async with database.transaction() as session:
        result: Any = await session.execute(text(statement), values)
        return int(result.rowcount)


async def count(session: AsyncSession, table: str) -> int:
    return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def record_delivery(session: AsyncSession, delivery_id: str, said_key: str, payload: dict[str, Any]) -> bool:
    """One comment's delivery. False when it, or what it says, is known already."""
    delivery: NewDelivery = {
        "delivery_id": delivery_id,
        "event": "issue_comment",
        "action": "created",
        "said_key": said_key,
        "payload": payload,
    }
    return delivery_id in await record_deliveries(session, [delivery])
