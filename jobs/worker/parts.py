"""What the operator's settings make of a worker: its agents, its containers, its way to models and to the network."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version
from uuid import UUID, uuid4

from bot.configuration.source import host_policy
from bot.queue import QueueUnavailable, RunQueue
from bot.settings import Settings, SettingsError
from db.session import Database
from jobs.agents import CustomDescription, make_agents
from jobs.containers import BoxSettings, ContainerLimits, DockerContainers
from jobs.egress import EgressGuard
from jobs.egress.forward_proxy import ForwardProxy, NotThere, program
from jobs.gateway import DatabaseLedger, Gateway
from jobs.model_apis import ModelEndpoint
from jobs.pipeline import WakeNext
from jobs.ports import Agent, ModelApi
from jobs.services import Options

logger = logging.getLogger(__name__)


def agents_of(settings: Settings) -> Mapping[str, Agent]:
    """The agents of the operator's whitelist. Raises SettingsError."""
    custom = settings.custom_agent
    described = None
    if custom is not None:
        api = ModelApi(custom.api) if custom.api is not None else None
        described = CustomDescription(
            custom.argv, custom.version_argv, custom.integration, custom.environment, api, custom.model
        )
    try:
        return make_agents(backends=settings.agent_backends, models=settings.own_models, custom=described)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def doorbell(queue: RunQueue) -> WakeNext:
    async def wake_next(run_id: UUID, epoch: int) -> None:
        try:
            await queue.enqueue_run(run_id, epoch)
        except QueueUnavailable as unavailable:
            # The sweeper of whichever worker is there finds the run in the database.
            logger.warning("run_not_enqueued", extra={"run": str(run_id), "reason": str(unavailable)})

    return wake_next


async def containers_of(settings: Settings, database: Database, closing: AsyncExitStack) -> DockerContainers:
    gateway = None
    endpoints = [
        ModelEndpoint(ModelApi(api), url, key.get_secret_value()) for api, url, key in settings.model_endpoints
    ]
    if endpoints:
        rules = settings.spending
        ledger = DatabaseLedger(database, rules.prices)
        gateway = Gateway(endpoints, ledger=ledger, rules=rules, prefix=settings.command_prefix)
        closing.push_async_callback(gateway.close)
    egress = await _egress(settings)
    closing.push_async_callback(egress.close)
    containers = DockerContainers(
        docker_host=settings.docker_host,
        image=settings.job_image,
        host_network=settings.github_is_loopback,
        gateway_root=settings.data_dir.absolute() / "gateway",
        gateway=gateway,
        egress=egress,
        box=box_settings(settings),
    )
    closing.callback(containers.close)
    return containers


async def _egress(settings: Settings) -> EgressGuard:
    """Raises SettingsError where hosts are allowed and the program that connects to them is missing."""
    allowed = host_policy(settings).every
    if not allowed:
        return EgressGuard()
    try:
        path = await asyncio.to_thread(program)
    except NotThere as missing:
        raise SettingsError(
            f"SPECKIT_ALLOWED_HOSTS (or SPECKIT_CONFIG_FILE) allows hosts, and {missing}, or allow none"
        ) from None
    return EgressGuard(ForwardProxy(path, {entry.port for entry in allowed}))


def box_settings(settings: Settings) -> BoxSettings:
    """What the job container is to be like, and what it must never see of this process."""
    return BoxSettings(
        limits=ContainerLimits(agent_idle_seconds=float(settings.agent_idle_timeout)),
        runtime=settings.container_runtime or "",
        remapped=settings.userns == "remap",
        secret_names=settings.secret_names(),
        canary_folders=(settings.artifact_root,),
    )


def options_of(settings: Settings) -> Options:
    try:
        our_version = version("speckit-bot")
    except PackageNotFoundError:
        our_version = "unknown"
    hostname = socket.gethostname()
    return Options(
        owner=f"{hostname}:{os.getpid()}:{uuid4().hex[:8]}",
        hostname=hostname,
        artifact_root=settings.artifact_root,
        default_agent=settings.default_agent,
        run_timeout=settings.run_timeout,
        retention_days=settings.retention_days,
        version=our_version,
        limits=settings.limits,
    )
