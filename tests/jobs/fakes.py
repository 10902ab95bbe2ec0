"""A small world behind the pipeline's ports: it keeps what was done to it under names, and can be told to act up.

``World.at`` maps the name of a step ("clone", "agent:speckit_plan", "push", ...) to actions that happen just before it,
each once, in their order. An action may raise, wait, or change the world.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from db.runs import Lease, get_run, guard, note_report
from db.session import Database
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs.errors import UserError
from jobs.ports import (
    Agent,
    AgentCommand,
    AgentReport,
    AgentRequest,
    Clone,
    CloneSource,
    CommitIdentity,
    GitContainer,
    JobContainer,
    NamedPatch,
    PhaseOutput,
    PreparedTree,
    PullRequest,
    Repository,
)

Action = Callable[[], Awaitable[None]]

BASE = "a" * 40
FEATURE = "specs/001-invoices"
TEMPLATES: Mapping[str, bytes] = {
    "spec-template.md": b"# Feature Specification: [FEATURE NAME]\n",
    "plan-template.md": b"# Implementation Plan: [FEATURE]\n",
    "tasks-template.md": b"# Tasks: [FEATURE NAME]\n",
}
SPEC = b"""# Feature Specification: Pay by invoice

### User Story 1 - Choose an invoice at checkout (Priority: P1)

### User Story 2 - Get reminded (Priority: P2)

- **FR-001**: [NEEDS CLARIFICATION: how many days?]
"""


def added(path: str, content: bytes) -> bytes:
    """What git writes for a new text file that ends with a line end."""
    lines = content.split(b"\n")[:-1]
    name = path.encode()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest().encode()
    head = [
        b"diff --git a/%s b/%s" % (name, name),
        b"new file mode 100644",
        b"index %s..%s" % (b"0" * 40, blob),
    ]
    if lines:
        count = b"+1" if len(lines) == 1 else b"+1,%d" % len(lines)
        head += [b"--- /dev/null", b"+++ b/%s" % name, b"@@ -0,0 %s @@" % count]
    return b"\n".join([*head, *(b"+" + line for line in lines), b""])


def fails(error: Exception) -> Action:
    async def act() -> None:
        raise error

    return act


def waits(reached: asyncio.Event | None = None) -> Action:
    """For ever, or until cancelled; ``reached`` tells that it began."""

    async def act() -> None:
        if reached is not None:
            reached.set()
        await asyncio.Event().wait()

    return act


@dataclass
class World:
    """Everything outside the pipeline, and what became of it."""

    at: dict[str, deque[Action]] = field(default_factory=lambda: defaultdict(deque))
    steps: list[str] = field(default_factory=list)
    """Every step that was finished, by name."""
    patches: dict[Phase, bytes] = field(
        default_factory=lambda: {
            Phase.SPECKIT_SPECIFY: added(f"{FEATURE}/spec.md", SPEC),
            Phase.SPECKIT_PLAN: added(f"{FEATURE}/plan.md", b"# Implementation Plan: Pay by invoice\n"),
            Phase.SPECKIT_TASKS: added(f"{FEATURE}/tasks.md", b"# Tasks: Pay by invoice\n- [ ] T001 Model\n"),
        }
    )
    init_patch: bytes = b""
    head: str | None = None
    """What commits come to, if not to what their content says."""
    exit_codes: dict[Phase, int] = field(default_factory=dict)
    archived: bool = False
    private: bool = False
    requester_may_write: bool = True
    requests: list[AgentRequest] = field(default_factory=list)
    sources: list[CloneSource] = field(default_factory=list)
    replayed: list[list[bytes]] = field(default_factory=list)
    """The checkpoints each job container got."""
    commits: list[tuple[str, list[NamedPatch], CommitIdentity]] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[UUID, PullRequest] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    alive: dict[UUID, str] = field(default_factory=dict)
    """The id of the job container of each run that has one."""
    containers_made: int = 0
    changes_told: int = 0
    ends_told: list[RunStatus] = field(default_factory=list)

    async def step(self, name: str) -> None:
        if self.at[name]:
            await self.at[name].popleft()()
        self.steps.append(name)

    def times(self, name: str) -> int:
        return self.steps.count(name)


class FakeAgent:
    name = "template"
    integration = "generic"
    needs_gateway = False
    runtime_env: Mapping[str, str] = MappingProxyType({"PACE": "slow"})

    def version_argv(self) -> Sequence[str]:
        return ("agent", "--version")

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        return AgentCommand(("agent", request.phase))

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        return AgentReport(exit_code)


class FakeGitContainer:
    def __init__(self, world: World) -> None:
        self._world = world
        self._head = ""

    async def clone(self, source: CloneSource, token: str, output: PhaseOutput) -> Clone:
        await self._world.step("clone")
        self._world.sources.append(source)
        output.stderr.write(b"Cloning\n")
        return Clone(source.commit or BASE, has_spec_kit=not self._world.init_patch)

    async def commit(
        self, branch: str, patches: Sequence[NamedPatch], identity: CommitIdentity, output: PhaseOutput
    ) -> str:
        await self._world.step("commit")
        self._world.commits.append((branch, list(patches), identity))
        self._head = (
            self._world.head or hashlib.sha1(repr((patches, identity)).encode(), usedforsecurity=False).hexdigest()
        )
        return self._head

    async def push(self, url: str, branch: str, token: str, output: PhaseOutput) -> None:
        await self._world.step("push")
        if self._world.branches.setdefault(branch, self._head) != self._head:
            raise UserError(ErrorCode.PUBLISH_BRANCH_TAKEN, f"The branch {branch} is there with another commit.")
        await self._world.step("pushed")


class FakeJobContainer:
    def __init__(self, world: World, container_id: str) -> None:
        self._world = world
        self._phase: Phase | None = None
        self._replayed: list[bytes] = []
        self.container_id = container_id

    async def receive_tree(self, source: GitContainer, output: PhaseOutput) -> None:
        await self._world.step("receive_tree")

    async def prepare_tree(self, agent: Agent, output: PhaseOutput) -> PreparedTree:
        await self._world.step("prepare_tree")
        self._world.replayed.append(self._replayed)
        init_patch = self._world.init_patch.replace(b"NOW", b"%03d" % len(self._world.replayed))
        return PreparedTree("1.2.3", "0.1.0", init_patch, TEMPLATES)

    async def replay(self, patch: bytes, output: PhaseOutput) -> None:
        await self._world.step("replay")
        self._replayed.append(patch)

    async def run_agent(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport:
        await self._world.step(f"agent:{request.phase}")
        self._world.requests.append(request)
        self._phase = request.phase
        output.stdout.write(f"worked on {request.phase}\n".encode())
        return AgentReport(self._world.exit_codes.get(request.phase, 0), input_tokens=10, output_tokens=5)

    async def take_patch(self, output: PhaseOutput) -> bytes:
        assert self._phase is not None
        await self._world.step(f"patch:{self._phase}")
        return self._world.patches[self._phase]


class FakeContainers:
    def __init__(self, world: World) -> None:
        self._world = world

    async def start(self, lease: Lease, agent: Agent, deadline_seconds: float) -> tuple[GitContainer, JobContainer]:
        await self._world.step("start")
        self._world.containers_made += 1
        container_id = f"job-{self._world.containers_made}"
        self._world.alive[lease.run_id] = container_id
        return FakeGitContainer(self._world), FakeJobContainer(self._world, container_id)

    async def remove(self, run_id: UUID) -> None:
        await self._world.step("remove")
        self._world.alive.pop(run_id, None)

    async def environment(self) -> Mapping[str, str]:
        await self._world.step("environment")
        return {"image_id": "sha256:0"}

    async def runs_present(self) -> list[UUID]:
        return list(self._world.alive)


class FakeGitHub:
    """Credentials and Publisher. Proves the lease as the real ones must."""

    def __init__(self, world: World, database: Database) -> None:
        self._world = world
        self._database = database

    async def clone_token(self, lease: Lease) -> str:
        return await self._token("clone_token", lease)

    async def push_token(self, lease: Lease) -> str:
        return await self._token("push_token", lease)

    async def _token(self, name: str, lease: Lease) -> str:
        await self._world.step(name)
        await self._prove(lease)
        self._world.tokens.append(name)
        return f"ghs_{name}"

    async def repository(self, lease: Lease) -> Repository:
        await self._world.step("repository")
        await self._prove(lease)
        return Repository(
            "acme/shop", "main", self._world.private, self._world.archived, "http://127.0.0.1/acme/shop.git"
        )

    async def requester_may_write(self, lease: Lease) -> bool:
        await self._world.step("requester_may_write")
        await self._prove(lease)
        return self._world.requester_may_write

    async def open_pull_request(self, lease: Lease) -> PullRequest:
        await self._world.step("open_pull_request")
        await self._prove(lease)
        number = len(self._world.pull_requests) + 1
        opened = self._world.pull_requests.setdefault(
            lease.run_id, PullRequest(number, f"http://127.0.0.1/acme/shop/pull/{number}")
        )
        await self._world.step("pull_request_opened")
        return opened

    async def _prove(self, lease: Lease) -> None:
        async with self._database.transaction() as session:
            await guard(session, lease)


class FakeReporter:
    def __init__(self, world: World, database: Database) -> None:
        self._world = world
        self._database = database

    def changed(self, lease: Lease) -> None:
        self._world.changes_told += 1

    async def finish(self, lease: Lease) -> None:
        await self._world.step("finish_report")
        async with self._database.transaction() as session:
            run = await get_run(session, lease.run_id)
            await note_report(session, lease, lease.run_id, final_reported_at=datetime.now(UTC))
        self._world.ends_told.append(run.status)


class SteppingClock:
    """The real wall clock; monotonic seconds that a test may push forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead
