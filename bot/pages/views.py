"""The run pages: /runs, /runs/{run_id} and the artifacts of a run. Read only, no script, no cookie.

Who may see what, until there is a sign-in: only runs of public repositories, and only when SPECKIT_PUBLIC_URL is set or
the client sits at this machine. Everything else (an unknown id, one that is none, a private run, a file that is gone,
a path that does not exist) is one and the same 404.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.pages.files import open_artifact, open_live_log, tail
from bot.pages.plain_text import last_lines, readable
from bot.pages.run_view import LogTail, artifact_url, run_line, run_view
from bot.settings import Settings
from db.artifacts import get_artifact
from db.errors import ArtifactUnavailable, RunNotFound
from db.models import AutomationArtifact, SpecAutomationRun, SpecAutomationTaskState
from db.runs import get_run, list_runs
from db.session import Database
from db.usage import budget_state
from db.vocabulary import ArtifactType, Phase, TaskStatus

NEWEST = 50
TAIL_LINES = 200
TAIL_BYTES = 32 * 1024
REFRESH_SECONDS = 3

_HERE = Path(__file__).parent
_CHUNK = 64 * 1024
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ARTIFACT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Pages:
    """The handlers of the run pages."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._root = settings.artifact_root
        self._templates = Environment(
            loader=FileSystemLoader(_HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._style = (_HERE / "style.css").read_text()
        style_hash = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The routes of the pages."""
        router.add_get("/", self.home)
        router.add_get("/runs", self.runs)
        router.add_get("/runs/{run_id}", self.run)
        router.add_get("/runs/{run_id}/artifacts/{artifact_id}", self.artifact)

    def not_found(self) -> web.Response:
        """The one 404."""
        return self._page("not_found.html", status=404)

    def broken(self) -> web.Response:
        """The page for an error of ours: it says that, and nothing about what."""
        return self._page("broken.html", status=500)

    async def home(self, request: web.Request) -> web.StreamResponse:
        """To the list of runs."""
        self._require_reader(request)
        return web.Response(status=302, headers={"Location": "runs"})

    async def runs(self, request: web.Request) -> web.StreamResponse:
        """The newest runs of public repositories."""
        self._require_reader(request)
        async with self._database.transaction() as session:
            newest = await list_runs(session, public_only=True, limit=NEWEST)
        now = datetime.now(UTC)
        return self._page("runs.html", runs=[run_line(run, now) for run in newest])

    async def run(self, request: web.Request) -> web.StreamResponse:
        """One run."""
        self._require_reader(request)
        run = await self._public_run(request.match_info["run_id"])
        logs = await asyncio.to_thread(self._logs, run)
        now = datetime.now(UTC)
        async with self._database.transaction() as session:
            budget = await budget_state(session, run, self._settings.spending, now.date())
        view = run_view(run, logs, self._settings.github_web_url, now, budget)
        return self._page("run.html", run=view, refresh_seconds=REFRESH_SECONDS)

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """The bytes of an artifact, to be saved and never to be shown by the browser as a page of ours."""
        self._require_reader(request)
        run = await self._public_run(request.match_info["run_id"])
        artifact_id = _uuid(request.match_info["artifact_id"])
        async with self._database.transaction() as session:
            artifact = await get_artifact(session, run.run_id, artifact_id)
        if artifact is None:
            raise web.HTTPNotFound
        try:
            file = await asyncio.to_thread(open_artifact, self._root, artifact)
        except ArtifactUnavailable:
            raise web.HTTPNotFound from None
        # Closed here and not in a thread: whoever is cancelled while they wait for one leaves the file open.
        with file:
            return await _stream(request, file, artifact)

    async def _public_run(self, text: str) -> SpecAutomationRun:
        run_id = _uuid(text)
        try:
            async with self._database.transaction() as session:
                run = await get_run(session, run_id)
        except RunNotFound:
            raise web.HTTPNotFound from None
        if run.private:
            raise web.HTTPNotFound
        return run

    def _require_reader(self, request: web.Request) -> None:
        if self._settings.public_url is None and not _is_local(request):
            raise web.HTTPNotFound

    def _page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        text = self._templates.get_template(template).render(style=self._style, **values)
        headers = {"Content-Security-Policy": self._policy, "Cache-Control": "no-store"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)

    def _logs(self, run: SpecAutomationRun) -> dict[Phase, tuple[LogTail, ...]]:
        """The tails of each phase's newest attempt. Blocking."""
        logs: dict[Phase, tuple[LogTail, ...]] = {}
        for state in run.task_states:
            tails = [self._log_tail(run, state, name) for name in ("stdout", "stderr")]
            logs[state.phase] = tuple(log for log in tails if log is not None and log.text)
        return logs

    def _log_tail(self, run: SpecAutomationRun, state: SpecAutomationTaskState, stream: str) -> LogTail | None:
        name = f"phase-{state.phase}.{stream}"
        kept = [
            artifact
            for artifact in run.artifacts
            if artifact.artifact_type == ArtifactType(f"{stream}_log")
            and artifact.source_phase == state.phase
            and artifact.attempt == state.attempt
        ]
        try:
            if kept:
                with open_artifact(self._root, kept[0]) as file:
                    return LogTail(readable(kept[0].name), _end_of(file), artifact_url(run, kept[0]))
            if state.status is TaskStatus.RUNNING:
                with open_live_log(self._root, run.run_id, state.phase, state.attempt, stream) as file:
                    return LogTail(name, _end_of(file), None)
        except ArtifactUnavailable:
            return LogTail(name, "(no longer kept)", None) if kept else None
        return None


def _end_of(file: BinaryIO) -> str:
    return last_lines(tail(file, TAIL_BYTES), TAIL_LINES)


async def _stream(request: web.Request, file: BinaryIO, artifact: AutomationArtifact) -> web.StreamResponse:
    is_text = artifact.content_type.startswith(("text/", "application/json"))
    left = await asyncio.to_thread(file.seek, 0, 2)
    await asyncio.to_thread(file.seek, 0)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/plain; charset=utf-8" if is_text else "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{_file_name(artifact)}"',
            "Content-Security-Policy": _ARTIFACT_POLICY,
            "Cache-Control": "no-store",
        }
    )
    response.content_length = left
    await response.prepare(request)
    while left and request.method != "HEAD":
        chunk = await asyncio.to_thread(file.read, min(_CHUNK, left))
        if not chunk:
            # The file became shorter while we read: a cut connection tells the reader, a short body would not.
            response.force_close()
            break
        left -= len(chunk)
        await response.write(chunk)
    if not left:
        await response.write_eof()
    return response


def _file_name(artifact: AutomationArtifact) -> str:
    name = artifact.name if artifact.attempt == 1 else f"attempt-{artifact.attempt}-{artifact.name}"
    return _FILE_NAME.sub("_", name).lstrip(".")[:120] or "artifact"


def _uuid(text: str) -> UUID:
    """A UUID in its one usual spelling. Raises HTTPNotFound."""
    try:
        value = UUID(text)
    except ValueError:
        raise web.HTTPNotFound from None
    if str(value) != text:
        raise web.HTTPNotFound
    return value


def _is_local(request: web.Request) -> bool:
    """The connection comes from this machine, nobody forwarded it, and it asked for this machine by a local name.

    A proxy on this machine forwards for everybody, and a browser here may be led to us by a page from elsewhere whose
    name was pointed at 127.0.0.1.
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    return _is_loopback(request.remote or "") and _is_loopback(request.url.host or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
