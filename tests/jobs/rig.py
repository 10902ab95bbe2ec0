"""The pipeline on a real database, with the small world of ``fakes`` around it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import update

from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.runs import NewRun, get_run, open_run
from db.session import Database
from db.vocabulary import Phase, TaskStatus
from jobs.pipeline import Pipeline, WakeNext
from jobs.redaction import Redactor
from jobs.services import Options, Pace, Services
from tests.jobs.fakes import FakeAgent, FakeContainers, FakeGitHub, FakeReporter, SteppingClock, World

FAST = Pace(
    lease_ttl=45,
    renew_every=0.2,
    look_every=0.02,
    backoff=0.001,
    grace=0.5,
    cleanup_timeout=2.0,
    handover_timeout=1.0,
)

_numbers = itertools.count(1)


class Rig:
    """One database, one world, any number of workers."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.root = root
        self.world = World()
        self.clock = SteppingClock()
        self.github = FakeGitHub(self.world, database)
        self.containers = FakeContainers(self.world)
        self.reporter = FakeReporter(self.world, database)

    def services(self) -> Services:
        return Services(
            database=self.database,
            containers=self.containers,
            credentials=self.github,
            publisher=self.github,
            reporter=self.reporter,
            agents={"template": FakeAgent()},
            redactor=Redactor(()),
            secrets=("super-secret-value-of-ours",),
            clock=self.clock,
        )

    def pipeline(self, *, pace: Pace = FAST, run_timeout: int = 3600, wake_next: WakeNext | None = None) -> Pipeline:
        """Another worker."""
        options = Options(
            owner=f"worker-{next(_numbers)}",
            hostname="tests",
            artifact_root=self.root,
            default_agent="template",
            run_timeout=run_timeout,
            retention_days=30,
            version="0.1.0",
            pace=pace,
        )
        return Pipeline(self.services(), options, wake_next)

    async def open(self, **differences: object) -> UUID:
        """A queued run."""
        number = next(_numbers)
        new = NewRun(
            command_key=f"7:{number}:0",
            repository="acme/shop",
            repository_id=1,
            installation_id=7,
            private=False,
            issue_number=3,
            on_pull_request=False,
            issue_title="Invoices",
            comment_id=number,
            requested_by="ada",
            requested_by_id=42,
            base_branch=None,
            requested_spec_input="Let customers pay by invoice.",
            until_phase=None,
            dry_run=False,
            requested_agent=None,
        )
        async with self.database.transaction() as session:
            run, created = await open_run(session, replace(new, **differences))  # type: ignore[arg-type]
        assert created
        return run.run_id

    async def finished(self, **differences: object) -> SpecAutomationRun:
        """Open a run and work on it."""
        run_id = await self.open(**differences)
        await self.pipeline().run(run_id)
        return await self.run(run_id)

    async def run(self, run_id: UUID) -> SpecAutomationRun:
        async with self.database.transaction() as session:
            return await get_run(session, run_id)

    async def states(self, run_id: UUID) -> dict[Phase, TaskStatus]:
        return {state.phase: state.status for state in (await self.run(run_id)).task_states}

    async def state(self, run_id: UUID, phase: Phase) -> SpecAutomationTaskState:
        return next(state for state in (await self.run(run_id)).task_states if state.phase == phase)

    async def worker_dies(self, run_id: UUID, step: str) -> None:
        """A worker works on the run and is gone without a trace just before ``step``: its lease lapses."""
        reached = asyncio.Event()

        async def freeze() -> None:
            reached.set()
            await asyncio.Event().wait()

        self.world.at[step].append(freeze)
        work = asyncio.create_task(self.pipeline().run(run_id))
        waiting = asyncio.create_task(reached.wait())
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert reached.is_set(), f"{step} was not reached: {self.world.steps}"
        await self.take_away(run_id)
        # The dead worker's tasks are only a test's: they end now, and whatever they try is refused.
        work.cancel()
        await asyncio.wait({work}, timeout=20)
        await self.lapse(run_id)

    async def take_away(self, run_id: UUID) -> None:
        """As if another worker had taken the run: the lease of whoever works on it is void."""
        async with self.database.transaction() as session:
            await session.execute(
                update(SpecAutomationRun)
                .where(SpecAutomationRun.run_id == run_id)
                .values(lease_epoch=SpecAutomationRun.lease_epoch + 1, lease_owner="somebody else")
            )

    async def lapse(self, run_id: UUID) -> None:
        async with self.database.transaction() as session:
            await session.execute(
                update(SpecAutomationRun)
                .where(SpecAutomationRun.run_id == run_id)
                .values(lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))
            )
