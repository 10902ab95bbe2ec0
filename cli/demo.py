"""`demo`: the whole way on this machine, on real parts, with localhub in GitHub's place.

Everything runs as an installation would run it: `web` and `worker` are the very commands, told everything by the
environment. Whatever was started is stopped at the end, and its folder goes, unless the run went wrong or ``keep``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import aiohttp

from cli.demo_hub import HubClient
from cli.demo_result import DemoResult, collect
from cli.demo_stage import ISSUE_BODY, ISSUE_TITLE, REPOSITORY, Stage
from cli.demo_view import DemoView, Link
from cli.engine import build_image, engine_in_use
from cli.errors import CommandError
from cli.redis_server import own_redis
from db.models import SpecAutomationRun
from db.runs import get_run, runs_of_issue

INTERRUPTED = 130
_RUN_SECONDS = 600.0
_REPORT_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def run_demo(text: str, *, as_json: bool, keep: bool) -> int:
    """Go the whole way. Returns 0 when there is a pull request at the end, 130 when interrupted, else 1.

    With ``as_json`` stdout holds one JSON object and nothing else; people are told on stderr. Raises CommandError.
    """
    view = DemoView(sys.stderr if as_json else sys.stdout)
    folder = _make_folder()
    code = 1
    try:
        with ExitStack() as stack:
            host = stack.enter_context(engine_in_use())
            # What the build says would break the one JSON object, and the table.
            build_image("job", {**os.environ, "DOCKER_HOST": host})
            stack.enter_context(own_redis(folder / "data"))
            code = asyncio.run(_Demo(view, folder, host).play(text, as_json=as_json, keep=keep))
    finally:
        if code == 1:
            view.say(f"The logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _make_folder() -> Path:
    base = Path(os.environ.get("SPECKIT_DATA_DIR") or "var").absolute()
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix="demo-", dir=base))
    except OSError as error:
        raise CommandError(f"making a folder for the demo in {base}: {error.strerror}") from None


class _Demo:
    """One showing."""

    def __init__(self, view: DemoView, folder: Path, docker_host: str) -> None:
        self._view = view
        self._stage = Stage(folder, docker_host)

    async def play(self, text: str, *, as_json: bool, keep: bool) -> int:
        this = asyncio.current_task()
        if this is not None:
            _on_signals(this.cancel)
        try:
            self._view.say("Starting localhub (a GitHub for this machine), the web process and a worker ...")
            await self._stage.start()
            async with aiohttp.ClientSession() as http:
                result = await self._story(http, text)
            if as_json:
                print(json.dumps(result.summary), flush=True)
            if keep:
                await self._wait_for_end()
            return 0 if result.succeeded else 1
        except asyncio.CancelledError:
            self._view.say("Interrupted.")
            return INTERRUPTED
        finally:
            self._view.still()
            # Somebody who presses Ctrl-C twice would leave processes behind.
            _on_signals(lambda: None)
            if killed := await self._stage.stop():
                self._view.say(f"Had to kill {', '.join(killed)}: it did not stop when asked.")

    async def _story(self, http: aiohttp.ClientSession, text: str) -> DemoResult:
        stage = self._stage
        ada, grace = (HubClient(http, stage.api_url, REPOSITORY, stage.tokens[name]) for name in ("ada", "grace"))
        issue, issue_url = await ada.open_issue(ISSUE_TITLE, ISSUE_BODY)
        self._view.say(f"ada opened an issue: {issue_url}")
        command = f"/speckit specify {text}"
        self._view.say(f"grace comments: {command}")
        commented_at = datetime.now(UTC)
        await grace.comment(issue, command)

        with self._view:
            run = await self._watch(await grace.repository_id(), issue)
        result = await collect(grace, run, issue_url, commented_at)
        self._tell(run, result)
        return result

    async def _watch(self, repository_id: int, issue: int) -> SpecAutomationRun:
        """Show the run until it is over and GitHub was told. Raises CommandError when it takes too long."""
        deadline = time.monotonic() + _RUN_SECONDS
        told_until: float | None = None
        run_id: UUID | None = None
        while time.monotonic() < (told_until or deadline):
            self._stage.processes.require_all()
            async with self._stage.looking() as session:
                if run_id is None:
                    found = await runs_of_issue(session, repository_id, issue)
                    run_id = found[0].run_id if found else None
                run = await get_run(session, run_id) if run_id else None
            if run is not None:
                self._view.show(run)
                if run.status.is_terminal:
                    told_until = told_until or time.monotonic() + _REPORT_SECONDS
                    if run.report.final_reported_at is not None:
                        return run
            await asyncio.sleep(_LOOK_SECONDS)
        what = "the run did not end" if told_until is None else "GitHub was not told the end of the run"
        raise CommandError(f"demo: {what} in time\n{self._stage.last_words()}")

    def _tell(self, run: SpecAutomationRun, result: DemoResult) -> None:
        summary = result.summary
        if not result.succeeded:
            self._view.say(f"The run ended as {run.status}: {run.result_summary}\n{self._stage.last_words()}")
            return
        run_page = f"{self._stage.public_url}/runs/{run.run_id}"
        links = [
            Link("issue", summary["issue_url"]),
            Link("pull request", summary["pull_request_url"]),
            Link("run page", run_page),
        ]
        self._view.links(links, result.files)
        self._view.say(f"\n  {summary['seconds_total']:.1f} s from the comment to the open pull request.")

    async def _wait_for_end(self) -> None:
        self._view.say("\nEverything stays up: click through the links. Ctrl-C stops it.")
        try:
            while True:
                self._stage.processes.require_all()
                await asyncio.sleep(1)
        except asyncio.CancelledError:
            self._view.say("Stopping ...")


def _on_signals(do: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, do)
