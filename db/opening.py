"""A run begins: its row, the rows of its phases and of its report, written at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import database_now
from db.models import RunReport, SpecAutomationRun, SpecAutomationTaskState
from db.run_queries import get_run
from db.types import JsonObject, clean_json
from db.vocabulary import AGENT_PHASES, AGENT_PHASES_OF, MAIN_PHASES, Phase, TaskStatus, Trigger, Verb, phases_of


@dataclass(frozen=True, slots=True)
class NewRun:
    """An accepted command. ``command_key`` names it for ever: the same key never opens a second run.

    ``base_branch`` None means the repository's default; ``until_phase`` None means all agent phases of the verb.
    ``publishes`` is False for what writes no file. ``taken_over``: phase -> details of the run in ``retry_of``, whose
    result this run takes for its own.
    """

    command_key: str
    repository: str
    repository_id: int
    installation_id: int
    private: bool
    issue_number: int
    on_pull_request: bool
    issue_title: str
    comment_id: int | None
    requested_by: str
    requested_by_id: int
    base_branch: str | None
    requested_spec_input: str
    until_phase: Phase | None
    dry_run: bool
    requested_agent: str | None
    writer_key: str
    external_ref: str | None = None
    verb: Verb = Verb.SPECIFY
    trigger: Trigger = Trigger.COMMENT
    requested_model: str | None = None
    project: str | None = None
    pull_request_number: int | None = None
    branch_name: str | None = None
    base_sha: str | None = None
    head_sha: str | None = None
    feature_directory: str | None = None
    retry_of: UUID | None = None
    most_in_repository: int | None = None
    most_of_person: int | None = None
    arguments: JsonObject = field(default_factory=dict)
    publishes: bool = True
    taken_over: Mapping[Phase, JsonObject] = field(default_factory=dict)


async def hold_issue(session: AsyncSession, repository_id: int, issue_number: int) -> None:
    """Nobody else opens a run for the issue until this transaction ends: who looks for a run like it sees every one.

    On SQLite the transaction is the only writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = f"runs of {repository_id}#{issue_number}"
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


async def open_run(session: AsyncSession, new: NewRun) -> tuple[SpecAutomationRun, bool]:
    """Write a queued run with the task states of its verb and its report; False when the command had a run already.

    Raises ValueError for an ``until_phase`` the verb does not come through, or an identifier that is too long.
    """
    skipped = _phases_left_out(new)
    now = await database_now(session)
    values = {name: getattr(new, name) for name in new.__dataclass_fields__ if name not in {"publishes", "taken_over"}}
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    opened = await session.execute(
        dialect.insert(SpecAutomationRun)
        .values(run_id=uuid4(), created_at=now, **values)
        .on_conflict_do_nothing(index_elements=["command_key"])
        .returning(SpecAutomationRun.run_id)
    )
    run_id = opened.scalar_one_or_none()
    created = run_id is not None
    if run_id is None:
        known = select(SpecAutomationRun.run_id).where(SpecAutomationRun.command_key == new.command_key)
        run_id = (await session.execute(known)).scalar_one()
    else:
        await session.execute(
            insert(SpecAutomationTaskState),
            [
                {
                    "run_id": run_id,
                    "phase": phase,
                    "status": TaskStatus.SKIPPED if phase in skipped else TaskStatus.PENDING,
                    "completed_at": now if phase in skipped else None,
                    "details": clean_json(dict(new.taken_over.get(phase, {}))),
                }
                for phase in phases_of(new.verb)
            ],
        )
        await session.execute(insert(RunReport).values(run_id=run_id))
    return await get_run(session, run_id), created


def _phases_left_out(new: NewRun) -> set[Phase]:
    wanted = AGENT_PHASES_OF[new.verb]
    left_out = set(AGENT_PHASES).difference(wanted) | set(new.taken_over)
    if new.until_phase is not None:
        if new.until_phase not in MAIN_PHASES or new.until_phase not in wanted:
            raise ValueError(f"{new.verb} does not come through {new.until_phase}")
        left_out.update(wanted[wanted.index(new.until_phase) + 1 :])
    if new.dry_run or not new.publishes:
        left_out.update((Phase.COMMIT_PUSH, Phase.OPEN_PR))
    return left_out
