"""The life of a run's two containers: what an earlier worker left goes, both are started at once, both are removed.

Wanted: never two containers of one role for a run; a container whose worker died ends by itself at its deadline; after
``remove`` nothing of the run is left, and that was looked at, not assumed. Containers are found by their labels, so no
memory of an earlier process is needed. There is no volume and no network to remove: disks are memory file systems of
the container, and its network is the engine's bridge, the host's, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import docker
from docker.errors import APIError, NotFound

from db.allowed_hosts import AllowedHost
from db.runs import Lease
from db.vocabulary import ErrorCode
from jobs.containers.engine import Engine
from jobs.containers.git_container import DockerGitContainer
from jobs.containers.inner_sandbox import InnerSandboxes
from jobs.containers.job_container import DockerJobContainer, GatewayAccess, Proved
from jobs.containers.self_test import BoxSettings, prove_box
from jobs.containers.session import Session
from jobs.containers.shape import IDLE_USER, LABEL, Role, host_config, idle_command, labels
from jobs.egress import EgressGuard, RunEgress
from jobs.errors import AppError, TransientError
from jobs.gateway import Gateway
from jobs.model_apis import OPERATOR_VARIABLES
from jobs.ports import Agent, BoxCheck, GitContainer, InnerSandbox, JobContainer

GONE_WITHIN_SECONDS = 20.0
MADE_WITHIN_SECONDS = 10.0

PROBE_EPOCH = 0
"""Of containers in which something is tried out. Those of runs begin with 1."""

PROBE_SECONDS = 60.0


class DockerContainers:
    """Implements ``jobs.ports.Containers``.

    ``host_network`` is for a repository server on this machine's loopback. ``gateway_root`` is a folder for the sockets
    of runs whose agent calls a model; it may be missing and is made private to this user.
    """

    def __init__(
        self,
        *,
        docker_host: str | None,
        image: str,
        host_network: bool = False,
        gateway_root: Path,
        gateway: Gateway | None = None,
        egress: EgressGuard | None = None,
        box: BoxSettings | None = None,
    ) -> None:
        self._engine = Engine(docker_host, image)
        box = box or BoxSettings()
        self._box = replace(box, canary_folders=tuple(dict.fromkeys((gateway_root, *box.canary_folders))))
        self._limits = box.limits
        self._sandboxes = InnerSandboxes()
        self._host_network = host_network
        self._gateway_root = gateway_root
        self._gateway = gateway
        self._egress = egress or EgressGuard()
        self._sessions: dict[UUID, list[Session]] = {}
        self._creating: dict[UUID, set[asyncio.Task[str]]] = {}

    async def start(
        self, lease: Lease, agent: Agent, deadline_seconds: float, allowed: Sequence[AllowedHost] = ()
    ) -> tuple[GitContainer, JobContainer]:
        """See ``Containers.start``. Raises AppError ``engine.image_missing``, ``agent.not_configured`` and
        TransientError ``engine.unreachable``, ``engine.container_lost``."""
        await self.remove(lease.run_id)
        sandbox = await self._sandboxes.choose(agent, self._sandbox_works)
        access = await self._open_gateway(lease, agent)
        folder = access.folder if access is not None else None
        egress = await self._open_egress(lease, folder, allowed)
        try:
            async with asyncio.TaskGroup() as group:
                git = group.create_task(self._start_one(lease, "git", ["git"], deadline_seconds, None))
                job = group.create_task(
                    self._start_proved(lease, ["job", agent.integration], deadline_seconds, folder, sandbox)
                )
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        session, checks = job.result()
        proved = Proved(checks, self._sandboxes.modes)
        return (
            DockerGitContainer(git.result(), self._limits),
            DockerJobContainer(session, self._limits, access, egress, proved),
        )

    async def prove(self, agent: Agent) -> Sequence[BoxCheck]:
        """What a job container of this shape proves of itself, in one that is made for it. Raises as ``start``."""
        sandbox = await self._sandboxes.choose(agent, self._sandbox_works)
        return await self._prove(sandbox.trial if sandbox is not None else ())

    async def find_sandboxes(self, agents: Iterable[Agent]) -> Mapping[str, str]:
        """Agent -> the mode of its inner sandbox that works here, of those that have one; empty where none does.

        Raises as ``start``; what was found stays known, and what was not is looked for when a run needs it."""
        for agent in agents:
            await self._sandboxes.choose(agent, self._sandbox_works)
        return self._sandboxes.modes

    async def remove(self, run_id: UUID) -> None:
        """See ``Containers.remove``. Raises TransientError ``engine.*`` when something is still there."""
        for session in self._sessions.pop(run_id, []):
            session.hang_up()
        await self._egress.close_run(run_id)
        if self._gateway is not None:
            await self._gateway.close_run(run_id)
        unfinished = await self._creations_end(run_id)
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN_SECONDS
        while found := await self._find(run_id):
            await asyncio.gather(*(self._remove_one(container_id) for container_id in found))
            if asyncio.get_running_loop().time() > deadline:
                raise TransientError(
                    ErrorCode.ENGINE_UNREACHABLE,
                    f"removing the containers of run {run_id}: {len(found)} are still there",
                )
        if unfinished:
            raise TransientError(
                ErrorCode.ENGINE_UNREACHABLE,
                f"removing the containers of run {run_id}: the engine is still making {unfinished}",
            )

    async def runs_present(self) -> Collection[UUID]:
        """The runs, of whatever installation uses this engine, that have a container. Raises TransientError."""
        found = await self._engine.call(lambda client: client.containers(all=True, filters={"label": [f"{LABEL}.run"]}))
        run_ids = set()
        for container in found:
            with contextlib.suppress(ValueError):
                run_ids.add(UUID(str(container["Labels"].get(f"{LABEL}.run"))))
        return run_ids

    async def environment(self) -> Mapping[str, str]:
        """Image, engine and machine, for the record."""
        image = await self._image()
        version = await self._engine.call(lambda client: client.version())
        return {
            "image": self._engine.image,
            "image_id": str(image["Id"]),
            "image_digest": str((image.get("RepoDigests") or [image["Id"]])[0]),
            "image_created": str(image.get("Created", "")),
            "container_runtime": self._box.runtime or "the engine's own",
            "inner_sandboxes": ", ".join(f"{agent}: {mode or 'none'}" for agent, mode in self._sandboxes.modes.items()),
            **_versions_in(image),
            "engine_version": str(version.get("Version", "")),
            "engine_api_version": str(version.get("ApiVersion", "")),
            "kernel_version": str(version.get("KernelVersion", "")),
            "architecture": str(version.get("Arch", "")),
        }

    def close(self) -> None:
        """Let go of the engine. Containers stay: ``remove`` takes them away."""
        self._engine.close()

    async def _image(self) -> Mapping[str, Any]:
        try:
            return await self._engine.call(lambda client: _inspect_image(client, self._engine.image))
        except NotFound:
            raise self._engine.image_missing() from None

    async def _open_gateway(self, lease: Lease, agent: Agent) -> GatewayAccess | None:
        if agent.model_api is None:
            return None
        if self._gateway is None or not self._gateway.serves(agent.model_api):
            key, _ = OPERATOR_VARIABLES[agent.model_api]
            raise AppError(
                ErrorCode.AGENT_NOT_CONFIGURED, f"the agent {agent.name} needs a model, and no key is there; set {key}"
            )
        try:
            return await self._gateway.open_run(lease, self._gateway_root)
        except OSError as error:
            raise AppError(
                ErrorCode.AGENT_NOT_CONFIGURED, f"opening the way to the model in {self._gateway_root}: {error}"
            ) from error

    async def _open_egress(self, lease: Lease, folder: Path | None, allowed: Sequence[AllowedHost]) -> RunEgress | None:
        """A container without the way to a model has no way at all."""
        if folder is None:
            return None
        try:
            return await self._egress.open_run(lease.run_id, folder, allowed)
        except OSError as error:
            raise AppError(
                ErrorCode.AGENT_NOT_CONFIGURED, f"listening for what agents reach, in {folder}: {error}"
            ) from error

    async def _start_proved(
        self,
        lease: Lease,
        argv: list[str],
        deadline_seconds: float,
        gateway_folder: Path | None,
        sandbox: InnerSandbox | None,
    ) -> tuple[Session, Sequence[BoxCheck]]:
        """The job container, and what it proved while the git container still starts."""
        session = await self._start_one(lease, "job", argv, deadline_seconds, gateway_folder)
        addresses = await self._engine.bridge_addresses()
        trial = sandbox.trial if sandbox is not None else ()
        return session, await prove_box(session, self._box, addresses=addresses, sandbox=trial)

    async def _sandbox_works(self, trial: Sequence[str]) -> bool:
        checks = await self._prove(trial)
        return all(check.passed for check in checks if check.name == "inner sandbox")

    async def _prove(self, trial: Sequence[str]) -> Sequence[BoxCheck]:
        await self._remove_dead_probes()
        lease = Lease(run_id=uuid4(), epoch=PROBE_EPOCH, owner="probe")
        try:
            session = await self._start_one(lease, "job", ["job", "generic"], PROBE_SECONDS, None)
            addresses = await self._engine.bridge_addresses()
            return await prove_box(session, self._box, addresses=addresses, sandbox=trial)
        finally:
            await asyncio.shield(self.remove(lease.run_id))

    async def _remove_dead_probes(self) -> None:
        """Of workers that were killed while they tried something out: no run will ever remove those."""
        wanted = [f"{LABEL}.epoch={PROBE_EPOCH}", f"{LABEL}.host={socket.gethostname()}"]
        found = await self._engine.call(lambda client: client.containers(all=True, filters={"label": wanted}))
        for container in found:
            if time.time() - container["Created"] > 2 * PROBE_SECONDS:
                await self._remove_one(str(container["Id"]))

    async def _start_one(
        self, lease: Lease, role: Role, argv: list[str], deadline_seconds: float, gateway_folder: Path | None
    ) -> Session:
        container_id = await self._create(lease, role, deadline_seconds, gateway_folder)
        try:
            await self._engine.call(lambda client: client.start(container_id))
        except (NotFound, APIError) as error:
            raise TransientError(
                ErrorCode.ENGINE_CONTAINER_LOST, f"starting the {role} container: it went away meanwhile"
            ) from error
        reader, writer = await self._engine.open_exec(container_id, ["speckit-session", *argv])
        session = Session(self._engine, container_id, reader, writer)
        self._sessions.setdefault(lease.run_id, []).append(session)
        return session

    async def _create(self, lease: Lease, role: Role, deadline_seconds: float, gateway_folder: Path | None) -> str:
        name = f"speckit-{lease.run_id}-{lease.epoch}-{role}"
        shape = host_config(
            role,
            self._limits,
            cpus=await self._engine.cpus(),
            host_network=self._host_network,
            gateway_folder=gateway_folder,
            runtime=self._box.runtime,
        )
        for last in (False, True):
            try:
                return await self._creation(
                    lease.run_id,
                    lambda client: client.create_container(
                        self._engine.image,
                        list(idle_command(deadline_seconds)),
                        name=name,
                        user=IDLE_USER,
                        labels=dict(labels(str(lease.run_id), lease.epoch, socket.gethostname(), role)),
                        host_config=client.create_host_config(**shape),
                    ),
                )
            except NotFound as error:
                raise self._engine.image_missing() from error
            except APIError as error:
                # Somebody else's container of this name, or ours that is just being removed.
                if last:
                    raise TransientError(
                        ErrorCode.ENGINE_CONTAINER_LOST, f"creating the {role} container: the name {name} is taken"
                    ) from error
                await self._remove_one(name)
        raise AssertionError("not reached")

    async def _creation(self, run_id: UUID, create: Callable[[docker.APIClient], Mapping[str, Any]]) -> str:
        """Create a container and return its id. A thread cannot be cancelled: whoever gives up waiting here leaves a
        creation under way, which ``remove`` waits for."""

        async def creating() -> str:
            return str((await self._engine.call(create))["Id"])

        task = asyncio.create_task(creating())
        under_way = self._creating.setdefault(run_id, set())
        under_way.add(task)

        def ended(task: asyncio.Task[str]) -> None:
            under_way.discard(task)
            if not under_way and self._creating.get(run_id) is under_way:
                del self._creating[run_id]
            if not task.cancelled():
                task.exception()  # Told to whoever still waits; nobody else asks for it.

        task.add_done_callback(ended)
        return await asyncio.shield(task)

    async def _creations_end(self, run_id: UUID) -> int:
        """Wait for the creations under way, for a while. Returns how many still are."""
        if not (under_way := self._creating.get(run_id)):
            return 0
        _, unfinished = await asyncio.wait(tuple(under_way), timeout=MADE_WITHIN_SECONDS)
        return len(unfinished)

    async def _find(self, run_id: UUID) -> list[str]:
        found = await self._engine.call(
            lambda client: client.containers(all=True, quiet=True, filters={"label": [f"{LABEL}.run={run_id}"]})
        )
        return [str(container["Id"]) for container in found]

    async def _remove_one(self, container: str) -> None:
        try:
            await self._engine.call(lambda client: client.remove_container(container, v=True, force=True))
        except NotFound:
            return
        except APIError:
            # 409: its removal is already in progress.
            await asyncio.sleep(0.05)


def _versions_in(image: Mapping[str, Any]) -> Mapping[str, str]:
    """What the image says is in it: Spec Kit, and the CLI of each agent."""
    labels = (image.get("Config") or {}).get("Labels") or {}
    return {
        f"image_{name.removeprefix(f'{LABEL}.').replace('.', '_')}": str(value)
        for name, value in sorted(labels.items())
        if name.startswith((f"{LABEL}.agent.", f"{LABEL}.specify"))
    }


def _inspect_image(client: docker.APIClient, image: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.inspect_image(image)  # type: ignore[no-untyped-call]
    return found
