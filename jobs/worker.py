"""The worker process: arq brings ids of runs, the pipeline works on them, the sweeper does what time heals.

The only file here that knows arq, which is in maintenance: it may be replaced by whatever can deliver an id. arq's
worker ends when Redis goes away; it is started again and again, and the runs of this process go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar
from uuid import UUID, uuid4

import aiohttp
from arq.connections import ArqRedis, create_pool
from arq.worker import Worker, func
from redis.exceptions import RedisError

from bot.authorization import may
from bot.commands.table import DEFAULT_ROLES
from bot.configuration.source import host_policy
from bot.github.app_auth import Purpose
from bot.github.errors import AccessLost, GitHubError, NotFound
from bot.github.repo_client import GitHub, RepoClient
from bot.parts import WORKER_PACE, bot_parts
from bot.queue import RUN_JOB, QueueUnavailable, RunQueue, deserialize_job, redis_settings, serialize_job
from bot.reporting.publishing import publish_pull_request
from bot.settings import Settings, SettingsError
from db.models import SpecAutomationRun
from db.runs import Lease, guard
from db.session import Database
from db.vocabulary import ErrorCode
from jobs.agents import CustomDescription, make_agents
from jobs.clock import SystemClock
from jobs.containers import BoxSettings, ContainerLimits, DockerContainers
from jobs.containers.inner_sandbox import finding_out
from jobs.egress import EgressGuard
from jobs.egress.forward_proxy import ForwardProxy, NotThere, program
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.gateway import DatabaseLedger, Gateway
from jobs.model_apis import ModelEndpoint
from jobs.pipeline import Pipeline, WakeNext
from jobs.ports import Agent, ExistingPullRequest, ModelApi, PullRequest, Repository
from jobs.redaction import Redactor
from jobs.running import RunsOfThisProcess
from jobs.services import Options, Services
from jobs.sweeper import Sweeper, SweptParts

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""How long a run may wait for an idle worker to look. Measured: 30 ms in the median, under 1 % of a CPU."""

STOP_SECONDS = 20.0
"""How long the runs may take to be handed over when the process stops."""

_MOST_TRIES = 1_000_000
"""arq counts a deploy as a try; whether a run may be tried again is for the database to say."""

_AFTER_THE_DEADLINE = 300
"""Seconds a run may need after its deadline to clean up and report: only then may arq's own time-out come."""

_GITHUB_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)

T = TypeVar("T")


class GitHubAccess:
    """Credentials and Publisher over bot.github. Every call proves the lease first: who lost it is mute."""

    def __init__(self, database: Database, github: GitHub) -> None:
        self._database = database
        self._github = github

    async def clone_token(self, lease: Lease) -> str:
        """Reads the contents of the run's repository, nothing else."""
        return await self._token(lease, Purpose.CLONE)

    async def push_token(self, lease: Lease) -> str:
        """Writes the contents of the run's repository, nothing else."""
        return await self._token(lease, Purpose.PUSH)

    async def repository(self, lease: Lease) -> Repository:
        """What GitHub says of the run's repository now."""
        client = self._client(await self._row(lease))
        found = await translated(client.repository)
        return Repository(found.slug, found.default_branch, found.private, found.archived, found.clone_url)

    async def requester_may_write(self, lease: Lease) -> bool:
        """Whether the role of whoever asked for the run is still enough to start one."""
        run = await self._row(lease)
        role = await translated(lambda: self._client(run).permission_of(run.requested_by))
        roles, people = run.arguments.get("roles"), run.arguments.get("people")
        # As ``EffectiveConfig.names`` had it when the run was asked for: capital letters do not matter.
        named = {str(login).lower() for login in people} if isinstance(people, list) else set()
        return run.requested_by.lower() in named or may(
            run.verb, role, roles if isinstance(roles, dict) else DEFAULT_ROLES
        )

    async def pull_request(self, lease: Lease, number: int) -> ExistingPullRequest:
        """What GitHub says of a pull request now."""
        run = await self._row(lease)
        try:
            found = await self._client(run).pull_request(number)
        except NotFound as error:
            message = f"There is no pull request {number} in {run.repository} any more."
            raise UserError(ErrorCode.REQUEST_PULL_REQUEST_CLOSED, message) from error
        except GitHubError as error:
            raise pipeline_error(error) from error
        here = found.head_repository_id == run.repository_id
        branch = found.head_branch if here else None
        return ExistingPullRequest(
            found.number, found.url, found.state == "open", branch, found.base_branch, found.head_sha
        )

    async def open_pull_request(self, lease: Lease) -> PullRequest:
        """Find or open the run's pull request, or bring the one it goes on with up to date."""
        client = self._client(await self._row(lease))
        number, url = await translated(lambda: publish_pull_request(self._database, client, lease))
        return PullRequest(number, url)

    async def _token(self, lease: Lease, purpose: Purpose) -> str:
        run = await self._row(lease)
        return await translated(lambda: self._github.auth.token(run.installation_id, run.repository_id, purpose))

    async def _row(self, lease: Lease) -> SpecAutomationRun:
        async with self._database.transaction() as session:
            await guard(session, lease)
            return await session.get_one(SpecAutomationRun, lease.run_id)

    def _client(self, run: SpecAutomationRun) -> RepoClient:
        return self._github.repo(run.installation_id, run.repository_id, run.repository)


async def translated(call: Callable[[], Awaitable[T]]) -> T:
    """GitHub's refusals as errors of a phase."""
    try:
        return await call()
    except GitHubError as error:
        raise pipeline_error(error) from error


def pipeline_error(error: GitHubError) -> PipelineError:
    """Who can cure it: time, the people of the repository, or the operator."""
    if error.transient:
        return TransientError(error.code, error.message)
    if isinstance(error, NotFound):
        return UserError(ErrorCode.CLONE_NOT_FOUND, f"{_sentence(error)} Was it renamed, moved or deleted?")
    if isinstance(error, AccessLost):
        return UserError(error.code, f"The bot may not do this any more: {error.message}.")
    return AppError(error.code, error.message)


def _sentence(error: GitHubError) -> str:
    return f"GitHub does not find what is needed: {error.message}."


async def run_pipeline(ctx: dict[str, Any], run_id: str) -> None:
    """The arq job: ``run_id`` is all it carries. Safe to start twice: the run must be claimed first, in the database.

    The job of a worker that was killed comes again when arq's own time for it is up; it finds the run over.
    """
    runs: RunsOfThisProcess = ctx["runs"]
    try:
        known = UUID(run_id)
    except (ValueError, TypeError, AttributeError):
        logger.warning("job_not_understood", extra={"job": str(ctx.get("job_id"))})
        return
    await runs.work_on(known)


class JobListener:
    """Listens to Redis for as long as it is not cancelled, whatever Redis does."""

    def __init__(self, redis_url: str, runs: RunsOfThisProcess, run_seconds: float) -> None:
        self._redis_url = redis_url
        self._runs = runs
        self._run_seconds = run_seconds
        self._worker: Worker | None = None

    def stop_picking(self) -> None:
        """Start no further job."""
        if self._worker is not None:
            self._worker.allow_pick_jobs = False

    async def listen(self) -> None:
        """Never returns. Redis going away is waited for with a growing pause, at most 5 seconds."""
        pause = 0.1
        while True:
            started_at = time.monotonic()
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError, EOFError) as error:
                logger.warning("redis_away", extra={"error": type(error).__name__})
            if time.monotonic() - started_at > 30:
                pause = 0.1
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _listen_once(self) -> None:
        settings = redis_settings(self._redis_url)
        settings.conn_retries = 0
        pool = await create_pool(settings, job_serializer=serialize_job, job_deserializer=deserialize_job)
        try:
            self._worker = worker = self._make_worker(pool)
            logger.info("worker_listening")
            try:
                await worker.async_run()
            finally:
                await _end_jobs(worker)
        finally:
            await pool.aclose(close_connection_pool=True)

    def _make_worker(self, pool: ArqRedis) -> Worker:
        return Worker(
            functions=[func(run_pipeline, name=RUN_JOB, max_tries=_MOST_TRIES)],
            redis_pool=pool,
            ctx={"runs": self._runs},
            handle_signals=False,
            max_jobs=self._runs.at_most,
            job_timeout=self._run_seconds + _AFTER_THE_DEADLINE,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            job_serializer=serialize_job,
            job_deserializer=deserialize_job,
            log_results=False,
        )


async def _end_jobs(worker: Worker) -> None:
    """Cancelled jobs stay in the queue: arq hands them out again, to us or to another worker."""
    # Not arq's own tasks around the jobs: they have something to write to Redis yet, if it is there.
    for job in worker.job_tasks.values():
        job.cancel()
    if tasks := set(worker.tasks.values()):
        done, late = await asyncio.wait(tasks, timeout=5)
        for task in late:
            task.cancel()
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.debug("job_ended_without_redis", extra={"error": type(error).__name__})


async def run_worker(settings: Settings, redis_url: str, redactor: Redactor | None = None) -> None:
    """Work until SIGTERM, SIGINT or cancellation; then hand the runs over and return, within 30 seconds.

    The database is migrated already. ``redis_url``: ``redis://``, ``rediss://`` or ``unix://``; Redis need not answer.
    ``redactor`` is the one that the process writes its log with, which then knows what runs bring with them too.
    """
    stop = asyncio.Event()
    redactor = redactor or Redactor(settings.secrets())
    with _told_by_signals(stop):
        async with _worker_parts(settings, redis_url, redactor) as (listener, sweeper, runs):
            endless = [
                asyncio.create_task(listener.listen(), name="listener"),
                asyncio.create_task(sweeper.run(), name="sweeper"),
            ]
            stopping = asyncio.create_task(stop.wait(), name="stop")
            try:
                await asyncio.wait({stopping, *endless}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                logger.info("worker_stopping")
                listener.stop_picking()
                await runs.stop(STOP_SECONDS)
                for task in (stopping, *endless):
                    task.cancel()
                ends = await asyncio.gather(stopping, *endless, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end
    logger.info("worker_stopped")


@contextmanager
def _told_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _worker_parts(
    settings: Settings, redis_url: str, redactor: Redactor
) -> AsyncIterator[tuple[JobListener, Sweeper, RunsOfThisProcess]]:
    """Everything a worker needs, closed again in the opposite order."""
    async with AsyncExitStack() as closing:
        database = Database.open(settings.database_url)
        closing.push_async_callback(database.close)
        http = await closing.enter_async_context(aiohttp.ClientSession(timeout=_GITHUB_TIMEOUT))
        queue = RunQueue(redis_url)
        closing.push_async_callback(queue.close)
        containers = await _containers(settings, database, closing)
        parts = bot_parts(settings, database, http, queue, pace=WORKER_PACE)
        closing.push_async_callback(parts.reporter.close)
        access = GitHubAccess(database, parts.github)
        services = Services(
            database=database,
            containers=containers,
            credentials=access,
            publisher=access,
            reporter=parts.reporter,
            agents=agents_of(settings),
            redactor=redactor,
            clock=SystemClock(),
            hosts=host_policy(settings),
        )
        options = _options(settings)
        await closing.enter_async_context(finding_out(containers, services.agents.values()))
        runs = RunsOfThisProcess(Pipeline(services, options, _doorbell(queue)), settings.max_runs)
        listener = JobListener(redis_url, runs, settings.run_timeout)
        sweeper = Sweeper(
            SweptParts(
                database=database,
                queue=queue,
                intake=parts.intake,
                redelivery=parts.redelivery,
                reporter=parts.reporter,
                engine=containers,
                clock=services.clock,
                artifact_root=settings.artifact_root,
                owner=options.owner,
                limits=settings.limits,
            )
        )
        yield listener, sweeper, runs


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


def _doorbell(queue: RunQueue) -> WakeNext:
    async def wake_next(run_id: UUID, epoch: int) -> None:
        try:
            await queue.enqueue_run(run_id, epoch)
        except QueueUnavailable as unavailable:
            # The sweeper of whichever worker is there finds the run in the database.
            logger.warning("run_not_enqueued", extra={"run": str(run_id), "reason": str(unavailable)})

    return wake_next


async def _containers(settings: Settings, database: Database, closing: AsyncExitStack) -> DockerContainers:
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


def _options(settings: Settings) -> Options:
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
