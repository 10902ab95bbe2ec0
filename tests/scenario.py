"""The stage for the book of behaviour: a whole speckit-bot on real parts, with localhub in GitHub's place.

A scenario speaks as people do: somebody comments, the scenario waits until everything came to rest, and looks at what
people see. At its end the silence is asserted: no job left, no container, no swallowed error, no objection of localhub.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import docker
import yaml
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import func, or_, select

from bot.app import create_app
from bot.settings import Settings
from db.models import RunReport, SpecAutomationRun
from db.records import Delivery
from db.runs import get_run, runs_of_issue
from db.session import Database
from db.vocabulary import RunStatus
from jobs.worker import run_worker
from localhub.hub import LocalHub
from localhub.model import App, CheckRun, Comment, Issue, PullRequest, Repository

ROOT = Path(__file__).parent.parent
WEBHOOK_SECRET = "a webhook secret for scenarios"
SHOP = {"README.md": "# Shop\n\nSells things.\n", "src/shop.py": "PRICE = 3\n"}
INVOICE = "Let customers pay by invoice. Net 30, EU only."


def free_port() -> int:
    """A port of loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class AppKey:
    """The App's key pair; made once a session, since making one takes a while."""

    private_pem: str
    public_pem: str

    @classmethod
    def make(cls) -> AppKey:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private.decode(), public.decode())


class SwallowedErrors(logging.Handler):
    """Collects what was logged as an error: in a quiet system that is nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(logging.Formatter("%(name)s %(message)s").format(record))


@dataclass
class Scenario:
    """One installation of the App on ``acme/shop``, with issue number 1 by ada (read) and grace who may write."""

    hub: LocalHub
    app: App
    repository: Repository
    issue: Issue
    settings: Settings
    database: Database
    redis_url: str
    engine: docker.DockerClient
    http: aiohttp.ClientSession
    installation: int
    errors: SwallowedErrors = field(default_factory=SwallowedErrors)
    expected_errors: list[str] = field(default_factory=list)
    # Looking for an organization's own defaults where there are none is a question, no trespass.
    expected_violations: list[str] = field(default_factory=lambda: ["'.github', outside the installation"])
    stale_jobs: int = 0
    """Jobs of killed workers: arq keeps them until their time is up, and whoever gets one then finds the run over."""
    _worker: asyncio.Task[None] | None = None

    # What people do

    async def comment(self, text: str, by: str = "grace", issue: Issue | None = None) -> Comment:
        """Write a comment; it becomes a signed webhook."""
        return await self.hub.comment(issue or self.issue, text, author=by)

    # Waiting

    async def finish(self, seconds: float = 90.0) -> SpecAutomationRun:
        """Wait until every run is over and reported; return the newest of the issue."""
        await self.rest(seconds)
        runs = await self.runs()
        assert runs, "no run was opened"
        return runs[0]

    async def rest(self, seconds: float = 90.0) -> None:
        """Wait until nothing is under way: webhooks sent, deliveries handled, runs reported, jobs gone."""
        await self.hub.settle()
        await self.until(self._at_rest, seconds)

    async def until_name_is_known(self) -> None:
        """Wait until the App has learnt what GitHub calls it."""

        async def asked() -> bool:
            return any(request.path == "/app" for request in self.hub.requests)

        await self.until(asked)

    async def _at_rest(self) -> bool:
        unhandled = select(func.count()).select_from(Delivery).where(Delivery.handled_at.is_(None))
        alive = (
            select(func.count())
            .select_from(SpecAutomationRun)
            .join(RunReport, RunReport.run_id == SpecAutomationRun.run_id)
            .where(
                or_(
                    SpecAutomationRun.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
                    SpecAutomationRun.lease_owner.is_not(None),
                    RunReport.final_reported_at.is_(None),
                )
            )
        )
        async with self.database.transaction() as session:
            return await session.scalar(unhandled) == 0 and await session.scalar(alive) == 0

    async def until(self, true: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
        """Wait until a condition holds. Fails, telling how things stand, when it does not in time."""
        deadline = time.monotonic() + seconds
        while not await true():
            if time.monotonic() > deadline:
                raise AssertionError(f"still waiting after {seconds} s\n{await self._story()}")
            await asyncio.sleep(0.05)

    async def _story(self) -> str:
        lines = [*self.errors.records]
        for run in await self.runs():
            lines.append(f"run {run.run_id} {run.status} {run.error_code} {run.result_summary}")
            lines += [
                f"  {state.phase} {state.status} attempt {state.attempt} {state.details}" for state in run.task_states
            ]
        return "\n".join(lines)

    # What can be seen

    async def runs(self, issue: Issue | None = None) -> list[SpecAutomationRun]:
        """The runs of the issue with everything about them, newest first."""
        async with self.database.transaction() as session:
            number = (issue or self.issue).number
            rows = await runs_of_issue(session, self.repository.id, number)
            return [await get_run(session, row.run_id) for row in rows]

    async def run(self, run_id: UUID) -> SpecAutomationRun:
        async with self.database.transaction() as session:
            return await get_run(session, run_id)

    def replies(self, issue: Issue | None = None) -> list[Comment]:
        """What the App wrote on the issue."""
        return [comment for comment in (issue or self.issue).comments if comment.via_app is self.app]

    def reply(self, issue: Issue | None = None) -> Comment:
        """The one comment the App wrote on the issue."""
        (only,) = self.replies(issue)
        return only

    def pull_requests(self) -> list[PullRequest]:
        return self.hub.pull_requests(self.repository)

    def pull_request(self) -> PullRequest:
        (only,) = self.pull_requests()
        return only

    def check_runs(self) -> list[CheckRun]:
        return list(self.repository.check_runs.values())

    def check_run_at(self, sha: str) -> CheckRun:
        """The newest check run of ours on a commit."""
        found = [run for run in self.check_runs() if run.head_sha == sha and run.name == "speckit"]
        assert found, f"no check run at {sha}"
        return found[-1]

    def reactions(self, comment: Comment) -> list[str]:
        return sorted(reaction.content for reaction in comment.reactions)

    def bot_branches(self) -> list[str]:
        return [name for name in self.hub.branches(self.repository) if name.startswith("speckit/")]

    def phases(self, run: SpecAutomationRun) -> dict[str, str]:
        return {str(state.phase): str(state.status) for state in run.task_states}

    def artifact(self, run: SpecAutomationRun, name: str) -> bytes:
        """The newest artifact of that name."""
        found = [artifact for artifact in run.artifacts if artifact.name == name]
        assert found, f"no artifact {name}: {[artifact.name for artifact in run.artifacts]}"
        newest = max(found, key=lambda artifact: artifact.attempt)
        return (self.settings.artifact_root / newest.storage_path).read_bytes()

    async def containers(self) -> list[str]:
        """Containers of this scenario's runs that are still on the engine."""
        ours = {str(run.run_id) for run in await self.runs()}
        label = "speckit-bot.run"
        found = await asyncio.to_thread(self.engine.api.containers, all=True, filters={"label": label})
        return [container["Names"][0] for container in found if container["Labels"][label] in ours]

    async def page(self, path: str) -> tuple[int, str]:
        """What the web process shows there."""
        async with self.http.get(f"http://127.0.0.1:{self.settings.port}{path}") as response:
            return response.status, await response.text()

    # The worker

    async def start_worker(self, **changes: Any) -> None:
        """Start a worker in this process, with other settings if need be."""
        settings = self.settings.model_copy(update=changes) if changes else self.settings
        self._worker = asyncio.create_task(run_worker(settings, self.redis_url))

    async def stop_worker(self) -> None:
        """Ask the worker to stop as SIGTERM would, and wait for it."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
            self._worker = None

    # Silence

    async def _no_job(self) -> bool:
        async with Redis.from_url(self.redis_url) as redis:
            return int(await redis.zcard("arq:queue")) <= self.stale_jobs

    async def assert_silence(self) -> None:
        """Nothing is left that a quiet system would not have."""
        swallowed = [line for line in self.errors.records if not any(word in line for word in self.expected_errors)]
        assert not swallowed, swallowed
        violations = [v for v in self.hub.violations if not any(word in str(v) for word in self.expected_violations)]
        assert not violations, violations
        assert not self.hub.unknown_routes, self.hub.unknown_routes
        left = await self.containers()
        assert not left, left
        if self._worker is not None:
            # A job ends a moment after its run.
            with contextlib.suppress(AssertionError):
                await self.until(self._no_job, 10)
        assert await self._no_job(), "a job is left in the queue"
        for run in await self.runs():
            assert run.job_container_id is None, "the run still names its container"


@dataclass(frozen=True)
class Stage:
    """What the scenarios of a session share."""

    docker_host: str
    job_image: str
    key: AppKey


@asynccontextmanager
async def open_scenario(
    stage: Stage,
    folder: Path,
    redis_url: str,
    database_url: str,
    *,
    files: Mapping[str, Any] | None = None,
    private: bool = False,
    worker: bool = True,
    org_files: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Scenario]:
    """A hub, the web process and a worker, put together; taken apart and asserted silent at the end.

    ``org_files`` are those of the organization's ``.github`` repository, which the App is then installed on, too.

    ``settings`` are variables of DESIGN's table by name, e.g. ``SPECKIT_RUN_TIMEOUT=12``.
    """
    async with AsyncExitStack() as closing:
        port = free_port()
        hub = await closing.enter_async_context(LocalHub(folder / "hub"))
        for login in ("ada", "grace", "eve"):
            hub.create_user(login)
        repository = hub.create_repository("acme/shop", files=dict(SHOP if files is None else files), private=private)
        hub.set_permission(repository, "ada", "read")
        hub.set_permission(repository, "grace", "write")
        app = hub.register_app(
            "speckit-bot",
            yaml.safe_load((ROOT / "app.yml").read_text()),
            webhook_url=f"http://127.0.0.1:{port}/webhooks/github",
            webhook_secret=WEBHOOK_SECRET,
            public_key_pem=stage.key.public_pem,
        )
        installed = [repository]
        if org_files is not None:
            installed.append(hub.create_repository("acme/.github", files=dict(org_files)))
        installation = hub.install(app, installed)
        issue = hub.create_issue(repository, "Pay by invoice", "We lose customers who cannot pay by card.", "ada")
        values: dict[str, Any] = {
            "GITHUB_APP_ID": app.id,
            "GITHUB_APP_PRIVATE_KEY": SecretStr(stage.key.private_pem),
            "GITHUB_WEBHOOK_SECRET": SecretStr(WEBHOOK_SECRET),
            "GITHUB_API_URL": hub.api_url,
            "GITHUB_WEB_URL": hub.url,
            "SPECKIT_DATA_DIR": folder / "data",
            "DATABASE_URL": SecretStr(database_url),
            "SPECKIT_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PORT": port,
            "DOCKER_HOST": stage.docker_host,
            "SPECKIT_JOB_IMAGE": stage.job_image,
            **settings,
        }
        configured = Settings(**values)
        configured.artifact_root.mkdir(parents=True, exist_ok=True)
        database = Database.open(database_url)
        closing.push_async_callback(database.close)
        engine = docker.DockerClient(base_url=stage.docker_host)
        closing.callback(engine.close)
        web_app = create_app(configured, database=database, redis_url=redis_url)
        runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        http = await closing.enter_async_context(aiohttp.ClientSession())
        s = Scenario(hub, app, repository, issue, configured, database, redis_url, engine, http, installation)
        logging.getLogger().addHandler(s.errors)
        closing.callback(logging.getLogger().removeHandler, s.errors)
        closing.push_async_callback(s.stop_worker)
        if worker:
            await s.start_worker()
        yield s
        await s.assert_silence()
