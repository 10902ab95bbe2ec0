"""For the tests of the containers: a git server, both containers of a run, and an agent that is a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import docker

from db.runs import Lease
from db.vocabulary import Phase
from jobs.agents import TemplateAgent
from jobs.containers import BoxSettings, ContainerLimits, DockerContainers
from jobs.gateway import Gateway
from jobs.patches import parse_patch, policy_for
from jobs.ports import (
    Agent,
    AgentCommand,
    AgentReport,
    AgentRequest,
    Clone,
    CloneSource,
    CommandsFrom,
    CommitIdentity,
    Committed,
    GitContainer,
    JobContainer,
    ModelApi,
    NamedPatch,
    PhaseOutput,
    PreparedTree,
)
from tests.jobs.git_server import TOKEN, GitServer

AGENT_POLICY = policy_for(Phase.SPECKIT_SPECIFY, project="", feature_directory="")
"""For an agent whose feature has no folder yet."""

DATE = datetime(2026, 11, 22, tzinfo=UTC)
IDENTITY = CommitIdentity("speckit-bot", "bot@example.invalid", DATE, ("Speckit-Run: 7",))
REPOSITORY = "acme/shop"
BRANCH = "speckit/x/1"
FILES = {"README.md": b"# Shop\n", "src/shop.py": b"price = 1\n"}
WITH_SPEC_KIT = {
    **FILES,
    ".specify/templates/spec-template.md": b"# Feature Specification: [FEATURE NAME]\n",
    ".specify/memory/constitution.md": b"# Ours\n",
    "specs/old.md": b"old\n",
}


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, chunk: bytes) -> None:
        self.content += chunk


@dataclass
class ScriptAgent:
    """An agent that is a shell script, run in the tree. ``result_file`` is what it leaves in its home."""

    script: str = "true"
    result_file: str = ""
    name: str = "script"
    integration: str = "codex"
    model_api: ModelApi | None = None
    supports_model: bool = False
    commands_from: CommandsFrom = CommandsFrom.NOWHERE
    runtime_env: Mapping[str, str] = field(default_factory=dict)

    def version_argv(self) -> Sequence[str]:
        return ["bash", "--version"]

    def models(self, request: AgentRequest) -> Sequence[str]:
        return [request.model or "m"] if self.model_api is not None else []

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        environment = {"GATEWAY_URL": gateway_url, "GATEWAY_KEY": gateway_key}
        files = {"agent.sh": self.script.encode()}
        return AgentCommand(["bash", "/home/agent/agent.sh"], environment, files, self.result_file)

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        return AgentReport(exit_code, message=stdout_tail.decode(errors="replace"))


@dataclass
class Workplace:
    """Both containers of one run, and what a test does with them."""

    containers: DockerContainers
    server: GitServer
    run_id: UUID
    git: GitContainer
    job: JobContainer
    output: PhaseOutput
    stdout: Sink
    stderr: Sink
    agent: Agent = field(default_factory=TemplateAgent)

    async def clone(self, name: str = REPOSITORY, branch: str = "main", commit: str | None = None) -> str:
        cloned = await self.git.clone(CloneSource(self.server.url(name), branch, commit), TOKEN, self.output)
        return cloned.commit

    async def look(self, name: str, *, project: str = "", branches: bool = False) -> Clone:
        """Clone, for what a run learns of the repository."""
        source = CloneSource(self.server.url(name), "main", None, project, branches)
        return await self.git.clone(source, TOKEN, self.output)

    async def take_in(self, name: str = REPOSITORY, *, project: str = "") -> PreparedTree:
        """Clone, hand over, prepare."""
        await self.look(name, project=project)
        await self.job.receive_tree(self.git, self.output)
        return await self.job.prepare_tree(self.agent, self.output, project)

    async def run(self, script: str, seconds: float = 30, gateway: bool = False, result_file: str = "") -> AgentReport:
        request = AgentRequest(self.run_id, Phase.SPECKIT_SPECIFY, "", DATE)
        agent = ScriptAgent(script, result_file, model_api=ModelApi.OPENAI if gateway else None)
        return await self.job.run_agent(agent, request, self.output, seconds)

    async def work(self, phase: Phase, text: str = "", folder: str = "") -> bytes:
        """One phase of the template agent, and its patch."""
        report = await self.job.run_agent(
            self.agent, AgentRequest(self.run_id, phase, text, DATE, folder), self.output, 60
        )
        assert report.exit_code == 0, self.stderr.content.decode()
        return await self.job.take_patch(self.output)

    async def paths(self) -> dict[str, str]:
        """What changed since the last look: path -> kind."""
        changes = parse_patch(await self.job.take_patch(self.output)).changes
        return {change.path: change.kind for change in changes}

    async def commits(self, *patches: bytes, branch: str = BRANCH) -> Committed:
        named = [NamedPatch(f"Part {number}", patch) for number, patch in enumerate(patches, start=1)]
        return await self.git.commit(branch, named, IDENTITY, self.output)

    async def commit(self, *patches: bytes, branch: str = BRANCH) -> str:
        """Commit, and return the head."""
        return (await self.commits(*patches, branch=branch)).head

    async def push(self, name: str = REPOSITORY, branch: str = BRANCH, expected: str | None = None) -> None:
        await self.git.push(self.server.url(name), branch, TOKEN, self.output, expected)


@dataclass
class Rig:
    """Makes workplaces; everything of them is removed at the end."""

    docker_host: str
    image: str
    server: GitServer
    folder: Path

    @asynccontextmanager
    async def workplace(
        self,
        *,
        limits: ContainerLimits | None = None,
        agent: Agent | None = None,
        gateway: Gateway | None = None,
        image: str | None = None,
        deadline: float = 120,
        box: BoxSettings | None = None,
    ) -> AsyncIterator[Workplace]:
        containers = DockerContainers(
            docker_host=self.docker_host,
            image=image or self.image,
            host_network=True,
            gateway_root=self.folder / "gateway",
            gateway=gateway,
            box=replace(box or BoxSettings(), limits=limits or ContainerLimits()),
        )
        run_id = uuid4()
        stdout, stderr = Sink(), Sink()
        chosen = agent or TemplateAgent()
        try:
            git, job = await containers.start(Lease(run_id=run_id, epoch=1, owner="test"), chosen, deadline)
            output = PhaseOutput(stdout, stderr)
            yield Workplace(containers, self.server, run_id, git, job, output, stdout, stderr, chosen)
        finally:
            await asyncio.shield(containers.remove(run_id))
            containers.close()


def folder_of(patch: bytes) -> str:
    """The folder of the specification that a patch adds."""
    (spec,) = (change.path for change in parse_patch(patch).changes if change.path.endswith("/spec.md"))
    return spec.removesuffix("/spec.md")


def look_inside(engine: docker.DockerClient, container_id: str, command: str) -> bytes:
    """What a shell command prints in a container when root runs it."""
    output = engine.containers.get(container_id).exec_run(["sh", "-c", command], user="0").output
    assert isinstance(output, bytes)
    return output


def patch_adding(files: Mapping[str, str]) -> bytes:
    """A patch that adds text files of one line each."""
    return b"".join(
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex {'0' * 40}..{'1' * 40}\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n".encode()
        for path, line in files.items()
    )
