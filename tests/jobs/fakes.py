"""A small world behind the pipeline's ports: it keeps what was done to it under names, and can be told to act up.

``World.at`` maps the name of a step ("clone", "agent:speckit_plan", "push", ...) to actions that happen just before it,
each once, in their order. An action may raise, wait, or change the world.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from db.allowed_hosts import AllowedHost
from db.runs import Lease, get_run, guard, note_report
from db.session import Database
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs.errors import UserError
from jobs.ports import (
    Agent,
    AgentCommand,
    AgentReport,
    AgentRequest,
    BoxCheck,
    Clone,
    CloneSource,
    CommandsFrom,
    CommitIdentity,
    Committed,
    EgressReport,
    ExistingPullRequest,
    GitContainer,
    JobContainer,
    ModelApi,
    NamedPatch,
    PhaseOutput,
    PreparedTree,
    PullRequest,
    Repository,
)
from tests.jobs.fake_tree import DEEDS, TEMPLATES, Deed, Tree, changes, difference, patched

Action = Callable[[], Awaitable[None]]

BASE = "a" * 40


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

    deeds: dict[Phase, Deed] = field(default_factory=lambda: dict(DEEDS))
    """What agents do."""
    patches: dict[Phase, bytes] = field(default_factory=dict)
    """What comes out of a phase instead of the patch of what its agent did."""
    reports: dict[Phase, AgentReport] = field(default_factory=lambda: defaultdict(lambda: AgentReport(0, 10, 5)))
    results: dict[Phase, bytes] = field(
        default_factory=lambda: {
            Phase.SPECKIT_CLARIFY: b'{"questions": []}',
            Phase.SPECKIT_ANALYZE: b'{"findings": []}',
        }
    )
    files: dict[str, bytes] = field(default_factory=dict)
    """The tree of the base branch, by path."""
    feature_directories: list[str] = field(default_factory=list)
    numbering: str = "sequential"
    init_patch: bytes = b""
    branches: dict[str, str] = field(default_factory=dict)
    head: str | None = None
    """What commits come to, if not to what their content says."""
    archived: bool = False
    private: bool = False
    requester_may_write: bool = True

    requests: list[AgentRequest] = field(default_factory=list)
    workers: list[tuple[Phase, str]] = field(default_factory=list)
    """Which agent was asked in each phase."""
    made_for: list[str] = field(default_factory=list)
    """The agent that containers were started and trees prepared for."""
    taken: dict[Phase, bytes] = field(default_factory=dict)
    """The newest patch of each phase."""
    outcomes: dict[bytes, dict[str, bytes | None]] = field(default_factory=dict)
    """What the patches that came out do to a tree."""
    sources: list[CloneSource] = field(default_factory=list)
    replayed: list[list[bytes]] = field(default_factory=list)
    """The checkpoints each job container got."""
    commits: list[tuple[str, list[NamedPatch], CommitIdentity]] = field(default_factory=list)
    trees: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The tree of each commit that was made."""
    pull_requests: dict[UUID, PullRequest] = field(default_factory=dict)
    """Of each run that opened one, or brought one up to date."""
    on_github: dict[int, ExistingPullRequest] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """What the next job container holds that is good for it only."""
    alive: dict[UUID, str] = field(default_factory=dict)
    """The id of the job container of each run that has one."""
    containers_made: int = 0
    box: Sequence[BoxCheck] = (BoxCheck("canary", passed=True, seen="in none of 8 places"),)
    """What job containers prove of themselves."""
    allowed: list[str] = field(default_factory=list)
    """The hosts that the newest job container may reach."""
    went: dict[Phase, EgressReport] = field(default_factory=dict)
    """Where agents try to go."""
    changes_told: int = 0
    ends_told: list[RunStatus] = field(default_factory=list)
    waits_told: list[UUID] = field(default_factory=list)

    async def step(self, name: str) -> None:
        if self.at[name]:
            await self.at[name].popleft()()
        self.steps.append(name)

    def times(self, name: str) -> int:
        return self.steps.count(name)


@dataclass
class FakeAgent:
    name: str = "template"
    integration: str = "generic"
    model_api: ModelApi | None = None
    supports_model: bool = False
    commands_from: CommandsFrom = CommandsFrom.NOWHERE
    runtime_env: Mapping[str, str] = field(default_factory=lambda: {"PACE": "slow"})

    def version_argv(self) -> Sequence[str]:
        return ("agent", "--version")

    def models(self, request: AgentRequest) -> Sequence[str]:
        return [request.model or "its own"] if self.supports_model else []

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        return AgentCommand(("agent", request.phase), files={"request.md": request.text.encode()})

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        return AgentReport(exit_code)


class FakeGitContainer:
    def __init__(self, world: World) -> None:
        self._world = world
        self._head = ""
        self.files: dict[str, bytes] = {}

    async def clone(self, source: CloneSource, token: str, output: PhaseOutput) -> Clone:
        world = self._world
        await world.step("clone")
        world.sources.append(source)
        output.stderr.write(b"Cloning\n")
        commit = source.commit or world.branches.get(source.base_branch, BASE)
        self.files = dict(world.trees.get(commit, world.files))
        branches = list(world.branches) if source.want_branches else []
        return Clone(commit, not world.init_patch, world.feature_directories, world.numbering, branches)

    async def commit(
        self, branch: str, patches: Sequence[NamedPatch], identity: CommitIdentity, output: PhaseOutput
    ) -> Committed:
        world = self._world
        await world.step("commit")
        world.commits.append((branch, list(patches), identity))
        self._head = world.head or hashlib.sha1(repr((patches, identity)).encode(), usedforsecurity=False).hexdigest()
        shas = [
            hashlib.sha1(named.patch, usedforsecurity=False).hexdigest() if named.patch else "" for named in patches
        ]
        if made := [number for number, sha in enumerate(shas) if sha]:
            shas[made[-1]] = self._head
        files = self.files
        for named in patches:
            files = patched(files, named.patch, world.outcomes)
        world.trees[self._head] = files
        return Committed(self._head, shas)

    async def push(self, url: str, branch: str, token: str, output: PhaseOutput, expected: str | None = None) -> None:
        await self._world.step("push")
        if self._world.branches.get(branch) not in {expected, self._head}:
            if expected is not None:
                raise UserError(ErrorCode.PUBLISH_BRANCH_MOVED, f"Somebody pushed to {branch}.")
            raise UserError(ErrorCode.PUBLISH_BRANCH_TAKEN, f"The branch {branch} is there with another commit.")
        self._world.branches[branch] = self._head
        await self._world.step("pushed")


class FakeJobContainer:
    def __init__(self, world: World, container_id: str) -> None:
        self._world = world
        self._phase: Phase | None = None
        self._replayed: list[bytes] = []
        self._tree = Tree()
        self._baseline: dict[str, bytes] = {}
        self.container_id = container_id
        self.box = world.box
        self.secrets = tuple(world.keys)
        self.egress = EgressReport()

    async def receive_tree(self, source: GitContainer, output: PhaseOutput, kept: Sequence[str] = ()) -> None:
        await self._world.step("receive_tree")
        assert isinstance(source, FakeGitContainer)
        self._tree.files = dict(source.files)

    async def prepare_tree(self, agent: Agent, output: PhaseOutput, project: str = "") -> PreparedTree:
        await self._world.step("prepare_tree")
        self._world.made_for.append(agent.name)
        self._world.replayed.append(self._replayed)
        self._tree.project = project
        init_patch = self._world.init_patch.replace(b"NOW", b"%03d" % len(self._world.replayed))
        self._settle(patched(self._tree.files, init_patch, {}))
        return PreparedTree("1.2.3", "0.1.0", init_patch, TEMPLATES)

    async def replay(self, patch: bytes, output: PhaseOutput) -> None:
        await self._world.step("replay")
        self._replayed.append(patch)
        self._settle(patched(self._tree.files, patch, self._world.outcomes))

    def command_for(self, agent: Agent, request: AgentRequest) -> AgentCommand:
        return agent.command(request, "", "")

    async def run_agent(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport:
        world = self._world
        self.egress = world.went.get(request.phase, EgressReport())
        await world.step(f"agent:{request.phase}")
        world.requests.append(request)
        world.workers.append((request.phase, agent.name))
        self._phase = request.phase
        output.stdout.write(f"worked on {request.phase}\n".encode())
        if request.phase not in world.patches:
            world.deeds[request.phase](request, self._tree)
        return replace(world.reports[request.phase], result=world.results.get(request.phase, b""))

    async def take_patch(self, output: PhaseOutput) -> bytes:
        assert self._phase is not None
        world, before = self._world, self._baseline
        await world.step(f"patch:{self._phase}")
        patch = world.patches.get(self._phase)
        if patch is None:
            patch = difference(before, self._tree.files)
            world.outcomes[patch] = changes(before, self._tree.files)
        else:
            self._tree.files = patched(self._tree.files, patch, world.outcomes)
        world.taken[self._phase] = patch
        self._settle(self._tree.files)
        return patch

    async def read_files(self, paths: Sequence[str], output: PhaseOutput) -> Mapping[str, bytes]:
        await self._world.step("read_files")
        return {path: self._tree.files[path] for path in paths if path in self._tree.files}

    def _settle(self, files: dict[str, bytes]) -> None:
        self._tree.files = dict(files)
        self._baseline = dict(files)


class FakeContainers:
    def __init__(self, world: World) -> None:
        self._world = world

    async def start(
        self, lease: Lease, agent: Agent, deadline_seconds: float, allowed: Sequence[AllowedHost] = ()
    ) -> tuple[GitContainer, JobContainer]:
        await self._world.step("start")
        self._world.containers_made += 1
        self._world.allowed = [str(entry) for entry in allowed]
        self._world.made_for.append(agent.name)
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

    async def pull_request(self, lease: Lease, number: int) -> ExistingPullRequest:
        await self._world.step("pull_request")
        await self._prove(lease)
        pull = self._world.on_github[number]
        return replace(pull, head_sha=self._world.branches.get(pull.branch or "", pull.head_sha))

    async def open_pull_request(self, lease: Lease) -> PullRequest:
        world = self._world
        await world.step("open_pull_request")
        await self._prove(lease)
        async with self._database.transaction() as session:
            run = await get_run(session, lease.run_id)
        if lease.run_id not in world.pull_requests:
            number = run.pull_request_number or len(world.on_github) + 1
            opened = PullRequest(number, f"http://127.0.0.1/acme/shop/pull/{number}")
            world.pull_requests[lease.run_id] = opened
            base, head = run.base_branch or "", run.head_sha or ""
            world.on_github.setdefault(
                number, ExistingPullRequest(number, opened.url, True, run.branch_name, base, head)
            )
        opened = world.pull_requests[lease.run_id]
        await world.step("pull_request_opened")
        async with self._database.transaction() as session:
            await note_report(
                session, lease, lease.run_id, pull_request_number=opened.number, pull_request_url=opened.url
            )
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

    async def waiting(self, run_id: UUID, owner: str) -> None:
        await self._world.step("waiting")
        self._world.waits_told.append(run_id)


class SteppingClock:
    """The real wall clock; monotonic seconds that a test may push forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead
