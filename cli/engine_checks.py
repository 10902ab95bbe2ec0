"""What ``doctor`` looks at on the Docker engine: itself, the job image, user ids, and a box made for the purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TypeVar

import docker
from docker.errors import APIError, DockerException, ImageNotFound

from bot.settings import Settings, SettingsError
from cli.engine import DEFAULT_HOST, Reply, ask
from cli.findings import Ill
from cli.serve import first_line
from jobs.containers import DockerContainers
from jobs.errors import PipelineError
from jobs.ports import Agent, BoxCheck
from jobs.worker import agents_of, box_settings

T = TypeVar("T")

_VERSION_SECONDS = 15


async def engine(settings: Settings) -> str:
    """It answers, and has the runtime that is wanted."""
    host = settings.docker_host or DEFAULT_HOST

    def look() -> str:
        if (reply := ask(host)) is not Reply.ANSWERS:
            cure = "start it, or: export DOCKER_HOST=$(make -s engine)"
            if reply is Reply.REFUSES:
                cure = "give this user the right to use it: sudo usermod -aG docker $USER"
            raise Ill(f"the engine at {host} {reply.value}", cure)
        with closing(docker.from_env(timeout=5)) as client:
            version, info = client.version(), client.info()
        wanted = settings.container_runtime
        known = sorted(info.get("Runtimes") or ())
        if wanted is not None and wanted not in known:
            raise Ill(
                f"the engine at {host} has no runtime {wanted}; it has {', '.join(known)}",
                "add it to the engine (daemon.json, runtimes), or correct SPECKIT_CONTAINER_RUNTIME",
            )
        return f"Docker {version['Version']} at {host}, job containers in {wanted or info.get('DefaultRuntime')}"

    try:
        return await asyncio.to_thread(look)
    except (DockerException, OSError, ValueError) as error:
        raise Ill(f"the engine at {host} broke off: {first_line(error)}", "see its log") from None


async def job_image(settings: Settings) -> str:
    """It is there; whether its name is pinned is said."""

    def look(client: docker.DockerClient) -> str:
        try:
            image = client.images.get(settings.job_image)
        except ImageNotFound:
            cure = "make image, or correct SPECKIT_JOB_IMAGE"
            raise Ill(f"{settings.job_image} is not on the engine", cure) from None
        found = f"{settings.job_image} ({str(image.id)[:19]})"
        pin = next(iter(image.attrs.get("RepoDigests") or [image.id]))
        return (
            found if settings.image_is_pinned else f"{found}; the name may come to mean another image, pin it as {pin}"
        )

    return await _looked(settings, settings.job_image, look)


async def agents(settings: Settings) -> str:
    """Each agent that people may ask for is in the job image, and tells its version."""
    try:
        wanted = agents_of(settings)
    except SettingsError as error:
        raise Ill(str(error), "see docs/configuration.md, Agents") from None

    def look(client: docker.DockerClient) -> str:
        client.images.get(settings.job_image)
        found = [f"{name}: {_version_of(client, settings.job_image, agent)}" for name, agent in wanted.items()]
        if lacking := [name for name, version in zip(wanted, found, strict=True) if version.endswith(": ")]:
            raise Ill(
                f"{settings.job_image} has no program of {', '.join(lacking)} that works",
                "build one that has, with images/build, and set SPECKIT_JOB_IMAGE; or take the agent out of "
                "SPECKIT_AGENT_BACKENDS",
            )
        return ", ".join(found)

    return await _looked(settings, "agents", look)


def _version_of(client: docker.DockerClient, image: str, agent: Agent) -> str:
    """The first line its program prints when asked for its version; empty where there is none that works."""
    container = client.containers.create(
        image,
        list(agent.version_argv()),
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        read_only=True,
        tmpfs={"/home/agent": "uid=1000,gid=1000,mode=0700", "/tmp": ""},  # noqa: S108 - in a container
    )
    try:
        container.start()
        ended = container.wait(timeout=_VERSION_SECONDS)
        printed: bytes = container.logs(stderr=False) if ended["StatusCode"] == 0 else b""
    except (APIError, OSError):
        # There is no such program, or it does not end.
        return ""
    finally:
        container.remove(force=True)
    return next((line.strip()[:100] for line in printed.decode("utf-8", "replace").splitlines() if line.strip()), "")


async def user_ids(settings: Settings) -> str:
    """Whether the engine remaps them, which is a setting of its own."""

    def look(client: docker.DockerClient) -> str:
        options = client.info().get("SecurityOptions") or []
        if any("name=userns" in option or "name=rootless" in option for option in options):
            return "remapped: root in a container is nobody on this machine"
        if settings.userns == "remap":
            raise Ill(
                "the engine does not remap them, and SPECKIT_USERNS asks for it",
                'set "userns-remap": "default" in its daemon.json and restart it, or unset SPECKIT_USERNS',
            )
        return 'the engine\'s own; "userns-remap" in its daemon.json would part them'

    return await _looked(settings, "user ids", look)


async def box(settings: Settings) -> str:
    """A job container as runs get it proves that it is closed; which inner sandbox of an agent works in it."""
    await _looked(settings, "the box", lambda client: client.images.get(settings.job_image))
    try:
        made = agents_of(settings)
    except SettingsError as error:
        raise Ill(f"no agent to make one for: {error}", "see settings") from None
    try:
        containers = DockerContainers(
            docker_host=settings.docker_host,
            image=settings.job_image,
            gateway_root=settings.data_dir.absolute() / "gateway",
            box=box_settings(settings),
        )
        try:
            modes = await containers.find_sandboxes(made.values())
            checks = await containers.prove(_first_with(modes, made) or made[settings.default_agent])
        finally:
            containers.close()
    except PipelineError as error:
        raise Ill(f"no job container to look into: {error.message}", "see Docker engine") from None
    return "; ".join([_passed(checks), *_sandboxes(modes)])


def _first_with(modes: Mapping[str, str], agents: Mapping[str, Agent]) -> Agent | None:
    return next((agents[name] for name, mode in modes.items() if mode), None)


def _passed(checks: Sequence[BoxCheck]) -> str:
    if open_places := [f"{check.name} ({check.seen})" for check in checks if not check.passed]:
        raise Ill(
            f"open: {'; '.join(open_places)}",
            "no run will start: see what else configures containers on this engine, and the image",
        )
    return f"closed: {', '.join(check.name for check in checks)}"


def _sandboxes(modes: Mapping[str, str]) -> list[str]:
    return [
        f"{agent} works in its own sandbox {mode}"
        if mode
        else f"{agent} works without a sandbox of its own, which does not start here: the container is the sandbox"
        for agent, mode in modes.items()
    ]


async def _looked(settings: Settings, what: str, look: Callable[[docker.DockerClient], T]) -> T:
    def looking() -> T:
        if ask(settings.docker_host or DEFAULT_HOST) is not Reply.ANSWERS:
            raise Ill(f"{what}: not looked at, the engine does not answer", "see Docker engine")
        with closing(docker.from_env(timeout=5)) as client:
            return look(client)

    try:
        return await asyncio.to_thread(looking)
    except ImageNotFound:
        raise Ill(f"{what}: not looked at, the image is not on the engine", "see job image") from None
    except (DockerException, OSError, ValueError):
        raise Ill(f"{what}: the engine broke off", "see Docker engine") from None
