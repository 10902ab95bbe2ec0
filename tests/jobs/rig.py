"""The pipeline on a real database, with the small world of ``fakes`` around it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import update

from db.allowed_hosts import HostPolicy
from db.artifacts import resolve
from db.models import AutomationArtifact, SpecAutomationRun, SpecAutomationTaskState
from db.runs import NewRun, get_run, open_run
from db.session import Database
from db.turns import Limits
from db.vocabulary import AGENT_PHASES, TAKEN_OVER, Phase, TaskStatus, Verb
from jobs.pipeline import Pipeline, WakeNext
from jobs.ports import Agent, ExistingPullRequest
from jobs.redaction import Redactor
from jobs.services import Options, Pace, Services
from tests.jobs.fake_tree import FEATURE, PLAN, SPEC, TASKS
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
SECRET = "super-secret-value-of-ours"
PULL = {"branch": "speckit/20261122/7f3a9c", "number": 1, "head": "b" * 40}

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
        self.agents: dict[str, Agent] = {"template": FakeAgent()}
        self.redactor = Redactor((SECRET,))
        self.hosts = HostPolicy()

    def services(self) -> Services:
        return Services(
            database=self.database,
            containers=self.containers,
            credentials=self.github,
            publisher=self.github,
            reporter=self.reporter,
            agents=self.agents,
            redactor=self.redactor,
            clock=self.clock,
            hosts=self.hosts,
        )

    def pipeline(
        self,
        *,
        pace: Pace = FAST,
        run_timeout: int = 3600,
        retention_days: int = 30,
        limits: Limits | None = None,
        wake_next: WakeNext | None = None,
    ) -> Pipeline:
        """Another worker."""
        options = Options(
            owner=f"worker-{next(_numbers)}",
            hostname="tests",
            artifact_root=self.root,
            default_agent="template",
            run_timeout=run_timeout,
            retention_days=retention_days,
            version="0.1.0",
            limits=limits or Limits(),
            pace=pace,
        )
        return Pipeline(self.services(), options, wake_next)

    async def open(self, **differences: Any) -> UUID:
        """A queued run, each on a branch of its own."""
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
            writer_key=f"issue:{number}",
        )
        async with self.database.transaction() as session:
            run, created = await open_run(session, replace(new, **differences))
        assert created
        return run.run_id

    async def open_on_pull_request(self, verb: Verb, text: str = "", **differences: Any) -> UUID:
        """A queued run on a pull request of ours that has a specification, a plan and tasks."""
        answers = (differences.get("arguments") or {}).get("answers")
        project = str(differences.get("project") or "")
        return await self.open(
            **{
                "verb": verb,
                "on_pull_request": True,
                "requested_spec_input": text,
                "pull_request_number": self.our_pull_request(project),
                "branch_name": PULL["branch"],
                "base_branch": "main",
                "feature_directory": f"{project}/{FEATURE}" if project else FEATURE,
                "publishes": verb is not Verb.ANALYZE and not (verb is Verb.CLARIFY and not answers),
                **differences,
            }
        )

    def our_pull_request(self, project: str = "") -> int:
        """On GitHub, with everything that an earlier run made."""
        at = f"{project}/" if project else ""
        head, number, branch = str(PULL["head"]), 1, str(PULL["branch"])
        documents = {"spec.md": SPEC, "plan.md": PLAN, "tasks.md": TASKS}
        self.world.trees[head] = {f"{at}{FEATURE}/{name}": content for name, content in documents.items()}
        self.world.branches[branch] = head
        url = f"http://127.0.0.1/acme/shop/pull/{number}"
        self.world.on_github[number] = ExistingPullRequest(number, url, True, branch, "main", head)
        return number

    async def retry(self, run_id: UUID, **differences: Any) -> UUID:
        """A queued run that takes over what another one finished, as ``retry`` makes it."""
        run = await self.run(run_id)
        taken_over: dict[Phase, dict[str, Any]] = {}
        for state in run.task_states:
            if state.phase not in {*AGENT_PHASES, Phase.COMMIT_PUSH}:
                continue
            if TAKEN_OVER in state.details:
                taken_over[state.phase] = state.details
            elif state.status is TaskStatus.SUCCEEDED:
                origin = {"run_id": str(run_id), "attempt": state.attempt}
                taken_over[state.phase] = {**state.details, TAKEN_OVER: origin}
            elif state.status is TaskStatus.FAILED:
                break
        kept = any(phase in AGENT_PHASES for phase in taken_over)
        pushed = Phase.COMMIT_PUSH in taken_over
        same = ("requested_spec_input", "until_phase", "verb", "project", "pull_request_number", "arguments", "dry_run")
        return await self.open(
            **{
                **{name: getattr(run, name) for name in same},
                "base_branch": run.base_branch,
                "base_sha": run.base_sha if kept else None,
                "branch_name": run.branch_name if run.pull_request_number is not None or pushed else None,
                "head_sha": run.head_sha if pushed else None,
                "feature_directory": run.feature_directory if kept or run.pull_request_number is not None else None,
                "writer_key": run.writer_key,
                "retry_of": run_id,
                "taken_over": taken_over,
                **differences,
            }
        )

    async def finished(self, **differences: Any) -> SpecAutomationRun:
        """Open a run and work on it."""
        return await self.worked_on(await self.open(**differences))

    async def finished_on_pull_request(self, verb: Verb, text: str = "", **differences: Any) -> SpecAutomationRun:
        """The same for one on a pull request of ours."""
        return await self.worked_on(await self.open_on_pull_request(verb, text, **differences))

    async def worked_on(self, run_id: UUID) -> SpecAutomationRun:
        """What the next worker makes of a run."""
        await self.pipeline().run(run_id)
        return await self.run(run_id)

    async def run(self, run_id: UUID) -> SpecAutomationRun:
        async with self.database.transaction() as session:
            return await get_run(session, run_id)

    async def states(self, run_id: UUID) -> dict[Phase, TaskStatus]:
        return {state.phase: state.status for state in (await self.run(run_id)).task_states}

    async def state(self, run_id: UUID, phase: Phase) -> SpecAutomationTaskState:
        return next(state for state in (await self.run(run_id)).task_states if state.phase == phase)

    def read(self, run: SpecAutomationRun, name: str, attempt: int = 1) -> bytes:
        """The bytes of an artifact."""
        return resolve(self.root, artifact(run, name, attempt)).read_bytes()

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


def artifact(run: SpecAutomationRun, name: str, attempt: int = 1) -> AutomationArtifact:
    return next(one for one in run.artifacts if (one.name, one.attempt) == (name, attempt))
