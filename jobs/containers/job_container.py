"""The job container, from the worker's side. What happens inside is ``speckit_container/job_role.py`` in the image.

Everything that comes back was written where an agent worked: it is bytes to be judged, never facts.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from db.vocabulary import ErrorCode
from jobs.containers.agent_files import commands_for, settings_to_set_aside
from jobs.containers.git_container import DockerGitContainer
from jobs.containers.git_failures import project_not_found
from jobs.containers.job_failures import run_failure, timed_out, tree_failure, unreadable
from jobs.containers.session import Result, Session
from jobs.containers.shape import MIB, ContainerLimits
from jobs.egress import RunEgress
from jobs.egress.variables import EGRESS_PORT, EGRESS_SOCKET, PROXY_VARIABLES
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.gateway import GATEWAY_PORT, GatewayAccess, Turn
from jobs.ports import (
    Agent,
    AgentCommand,
    AgentReport,
    AgentRequest,
    BoxCheck,
    ByteSink,
    EgressReport,
    GitContainer,
    PhaseOutput,
    PreparedTree,
)

PREPARE_SECONDS = 180.0
SNAPSHOT_SECONDS = 180.0
GRACE_SECONDS = 15.0
REPORT_TAIL = 1 << 18
LONGEST_TEMPLATE = 1 << 20
LARGEST_RESULT = 256 << 10
LARGEST_FILE = 512 << 10
MOST_FILES = 50
QUEUED_PIECES = 8

__all__ = ["DockerJobContainer", "GatewayAccess"]


@dataclass(frozen=True, slots=True)
class Proved:
    """What a container proved of itself; ``sandboxes``: agent -> the mode of its inner sandbox that works there."""

    checks: Sequence[BoxCheck] = ()
    sandboxes: Mapping[str, str] = field(default_factory=dict)


class DockerJobContainer:
    """Implements ``jobs.ports.JobContainer``."""

    def __init__(
        self,
        session: Session,
        limits: ContainerLimits,
        gateway: GatewayAccess | None,
        egress: RunEgress | None = None,
        proved: Proved | None = None,
    ) -> None:
        self._session = session
        self._limits = limits
        self._gateway = gateway
        self._guard = egress
        self._proved = proved or Proved()
        self._went = EgressReport()

    @property
    def container_id(self) -> str:
        """Docker's id of the container, 64 hex digits."""
        return self._session.container_id

    @property
    def box(self) -> Sequence[BoxCheck]:
        """See ``JobContainer.box``."""
        return self._proved.checks

    @property
    def secrets(self) -> Sequence[str]:
        """See ``JobContainer.secrets``: the key of the gateway."""
        return (self._gateway.key,) if self._gateway is not None else ()

    @property
    def egress(self) -> EgressReport:
        """See ``JobContainer.egress``."""
        return self._went

    async def receive_tree(self, source: GitContainer, output: PhaseOutput, kept: Sequence[str] = ()) -> None:
        """Raises UserError ``clone.too_large`` and ``clone.unsafe_tree``, TransientError ``engine.*``."""
        if not isinstance(source, DockerGitContainer):
            raise TypeError("the tree of a container comes from a container of the same engine")
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_PIECES)

        async def send() -> None:
            await source.archive(output, pieces.put)
            await pieces.put(None)

        async def arriving() -> AsyncIterator[bytes]:
            while (piece := await pieces.get()) is not None:
                yield piece

        # Headers and padding of the archive come on top of the files.
        most = self._limits.tree_bytes + self._limits.tree_files * 1536
        sending = asyncio.create_task(send())
        request = {"op": "receive", "max_bytes": most, "kept": list(kept)}
        receiving = asyncio.create_task(
            self._session.ask(request, output, data=arriving(), timeout=self._limits.clone_seconds)
        )
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_EXCEPTION)
            if sending.done() and sending.exception() is not None:
                await sending
            result = await receiving
        except TimeoutError:
            raise TransientError(ErrorCode.CLONE_FAILED, "handing the tree to the job container: too slow") from None
        finally:
            await _cancel(sending, receiving)
        if "refused" in result:
            raise tree_failure(result)

    async def prepare_tree(self, agent: Agent, output: PhaseOutput, project: str = "") -> PreparedTree:
        """Raises UserError ``speckit.init_failed`` and ``clone.project_not_found``, AppError ``agent.not_configured``,
        TransientError ``engine.*``."""
        made = _Kept(self._limits.patch)
        request = {
            "op": "prepare",
            "project": project,
            "version_argv": list(agent.version_argv()),
            "max_patch": self._limits.patch,
            "commands": commands_for(agent),
        }
        result = await self._ask(request, output, made, PREPARE_SECONDS, "setting Spec Kit up")
        match result.get("refused"):
            case None:
                pass
            case "no_agent":
                raise AppError(
                    ErrorCode.AGENT_NOT_CONFIGURED,
                    f"the job image {self._session.engine.image} has no {result.get('program')} that works; build one "
                    f"with the agent {agent.name} in it (images/build all) and set SPECKIT_JOB_IMAGE",
                )
            case "no_project":
                raise project_not_found(project)
            case _:
                said = " ".join(str(result.get("said", result["refused"])).split())[-300:]
                raise UserError(
                    ErrorCode.SPECKIT_INIT_FAILED, f"Setting Spec Kit up in the repository did not work: {said}"
                )
        return PreparedTree(
            prompt_pack_version=str(result["prompt_pack_version"])[:100],
            agent_version=str(result["agent_version"])[:100],
            init_patch=bytes(made.content),
            templates=_templates(result),
        )

    async def replay(self, patch: bytes, output: PhaseOutput) -> None:
        """Raises AppError ``publish.conflict`` when the checkpoint does not fit."""

        async def whole() -> AsyncIterator[bytes]:
            yield patch

        try:
            result = await self._session.ask({"op": "replay"}, output, data=whole(), timeout=SNAPSHOT_SECONDS)
        except TimeoutError:
            raise TransientError(
                ErrorCode.ENGINE_CONTAINER_LOST, f"replaying a checkpoint: not done in {SNAPSHOT_SECONDS:.0f} s"
            ) from None
        if "refused" in result:
            raise AppError(ErrorCode.PUBLISH_CONFLICT, f"replaying a checkpoint: {result.get('said', '')}"[:500])

    def command_for(self, agent: Agent, request: AgentRequest) -> AgentCommand:
        """See ``JobContainer.command_for``."""
        url = f"http://127.0.0.1:{GATEWAY_PORT}" if self._gateway is not None else ""
        request = replace(request, inner_sandbox=self._proved.sandboxes.get(agent.name, ""))
        return agent.command(request, url, self._gateway.key if self._gateway is not None else "")

    async def run_agent(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport:
        """Raises UserError ``agent.*`` with what the agent did wrong or that a budget is used up, TransientError
        ``engine.*``, and SQLAlchemyError or OSError when what it spent cannot be written."""
        self._went = EgressReport()
        if self._guard is None or agent.model_api is None:
            return await self._metered(agent, request, output, timeout_seconds)
        try:
            async with self._guard.turn() as tally:
                return await self._metered(agent, request, output, timeout_seconds)
        finally:
            self._went = tally.report()

    async def _metered(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport:
        """The gateway serves meanwhile. That a budget is used up counts more than whatever the agent made of it."""
        if self._gateway is None or agent.model_api is None:
            return await self._work(agent, request, output, timeout_seconds)
        failed: PipelineError | None = None
        turn = Turn(request.phase, request.attempt, agent.name, agent.models(request))
        async with self._gateway.turn(turn) as opened:
            try:
                async with opened.patience():
                    report = await self._work(agent, request, output, timeout_seconds)
            except PipelineError as error:
                failed = error
            except TimeoutError:
                # It was told that the budget is used up, and went on.
                await self._session.engine.kill(self.container_id)
        if opened.failure is not None:
            raise opened.failure from failed
        if failed is not None:
            raise failed
        return report

    async def _work(
        self, agent: Agent, request: AgentRequest, output: PhaseOutput, timeout_seconds: float
    ) -> AgentReport:
        command = self.command_for(agent, request)
        tail = _Tail(output.stdout)
        forward = _forward() if self._gateway is not None and agent.model_api is not None else {}
        asked = {
            "op": "run",
            "argv": list(command.argv),
            "environment": {**(PROXY_VARIABLES if forward else {}), **command.environment},
            "files": {name: base64.b64encode(content).decode() for name, content in command.files.items()},
            "timeout": timeout_seconds,
            "idle_timeout": self._limits.agent_idle_seconds,
            "commands": commands_for(agent),
            "set_aside": settings_to_set_aside(agent),
            "max_output": self._limits.agent_output,
            "forward": forward,
            "result_file": command.result_file,
            "max_result": LARGEST_RESULT,
        }
        try:
            result = await self._session.ask(
                asked, PhaseOutput(tail, output.stderr), timeout=timeout_seconds + GRACE_SECONDS
            )
        except TimeoutError:
            await self._session.engine.kill(self.container_id)
            raise timed_out(timeout_seconds) from None
        except TransientError as error:
            raise await self._loss_while_agent_ran(error) from error
        if failure := run_failure(result, agent, timeout_seconds, self._limits):
            raise failure
        return replace(agent.report(int(result["exit_code"]), bytes(tail.kept)), result=_result_of(result))

    async def take_patch(self, output: PhaseOutput) -> bytes:
        """Raises UserError ``publish.too_large`` and ``publish.patch_unreadable``."""
        made = _Kept(self._limits.patch)
        result = await self._ask({"op": "patch", "max_patch": self._limits.patch}, output, made, SNAPSHOT_SECONDS, "")
        match result.get("refused"):
            case None:
                return bytes(made.content)
            case "patch_large":
                raise UserError(
                    ErrorCode.PUBLISH_TOO_LARGE,
                    f"The agent's changes are larger than {self._limits.patch // MIB} MiB; nothing was kept.",
                )
        raise unreadable(result)

    async def read_files(self, paths: Sequence[str], output: PhaseOutput) -> Mapping[str, bytes]:
        """Raises UserError ``publish.patch_unreadable``, TransientError ``engine.*``, and ValueError for more than 50
        paths."""
        if len(paths) > MOST_FILES:
            raise ValueError(f"{len(paths)} files at once, and at most {MOST_FILES} are read")
        made = _Kept(MOST_FILES * LARGEST_FILE)
        request = {"op": "read", "paths": list(paths), "max_bytes": LARGEST_FILE}
        result = await self._ask(request, output, made, SNAPSHOT_SECONDS, "")
        if "refused" in result:
            raise unreadable(result)
        files = _cut(result.get("found"), bytes(made.content))
        if files is None or not set(files) <= set(paths):
            raise unreadable({"refused": "files"})
        return files

    async def _ask(
        self, request: Mapping[str, Any], output: PhaseOutput, made: _Kept, seconds: float, doing: str
    ) -> Result:
        """A request whose data is kept in ``made``. Too slow is the fault of what is in the tree."""
        try:
            return await self._session.ask(request, output, on_data=made.take, timeout=seconds)
        except TimeoutError:
            await self._session.engine.kill(self.container_id)
            if doing:
                raise UserError(ErrorCode.SPECKIT_INIT_FAILED, f"{doing}: not done after {seconds:.0f} s") from None
            raise unreadable({"refused": "slow"}) from None

    async def _loss_while_agent_ran(self, error: TransientError) -> PipelineError:
        """The supervisor went away under the agent. Where the container still runs, the agent ended it."""
        if error.code is ErrorCode.ENGINE_CONTAINER_LOST and "without an answer" in error.message:
            return UserError(ErrorCode.AGENT_FAILED, "The agent ended the program that watches over it.")
        return error


def _forward() -> dict[str, str]:
    """The ports of the container's loopback, and the sockets in the mounted folder that they lead to."""
    return {str(GATEWAY_PORT): "socket", str(EGRESS_PORT): EGRESS_SOCKET}


class _Kept:
    """The data of an answer, up to ``most`` bytes and a piece."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.content = bytearray()

    async def take(self, chunk: bytes) -> None:
        if len(self.content) <= self._most:
            self.content += chunk


class _Tail:
    """Passes output on and remembers its end, for the agent's own report."""

    def __init__(self, inner: ByteSink) -> None:
        self._inner = inner
        self.kept = bytearray()

    def write(self, chunk: bytes) -> None:
        self._inner.write(chunk)
        self.kept += chunk
        del self.kept[:-REPORT_TAIL]


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _result_of(result: Result) -> bytes:
    """The file the agent was told to leave, or nothing."""
    given = result.get("result")
    if not isinstance(given, str):
        return b""
    try:
        content = base64.b64decode(given, validate=True)
    except ValueError:
        return b""
    return content if len(content) <= LARGEST_RESULT else b""


def _cut(found: object, content: bytes) -> dict[str, bytes] | None:
    """The files in ``content``, by a list of [path, bytes]; None where the two do not fit each other."""
    files: dict[str, bytes] = {}
    start = 0
    for entry in found if isinstance(found, list) else ():
        match entry:
            case [str(path), int(size)] if 0 <= size <= LARGEST_FILE:
                files[path] = content[start : start + size]
                start += size
            case _:
                return None
    return files if start == len(content) else None


def _templates(result: Result) -> dict[str, bytes]:
    found = result.get("templates")
    made: dict[str, bytes] = {}
    for name, content in (found if isinstance(found, dict) else {}).items():
        try:
            made[str(name)] = base64.b64decode(str(content)[:LONGEST_TEMPLATE], validate=True)
        except ValueError:
            continue
    return made
