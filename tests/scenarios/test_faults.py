"""What breaks around us: workers die, Redis forgets, answers get lost. Nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from db.vocabulary import Phase
from tests.scenario import INVOICE, ROOT, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine


def assert_everything_once(s: Scenario) -> None:
    assert len(s.pull_requests()) == 1
    assert len(s.bot_branches()) == 1
    assert len(s.check_runs()) == 1
    assert len(s.replies()) == 1


async def test_one_delivery_five_times_and_once_under_another_id(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    await s.hub.settle()
    delivery = next(d for d in s.hub.deliveries if d.event == "issue_comment")
    for _ in range(4):
        await s.hub.redeliver(delivery.guid)
    await s.hub.redeliver(delivery.guid, new_id=True)
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert len(await s.runs()) == 1
    assert_everything_once(s)
    assert all(d.status_code == 202 for d in s.hub.deliveries if d.event == "issue_comment")


class WorkerProcess:
    """`speckit-bot worker` as its own process, to be killed."""

    def __init__(self, s: Scenario, key_file: Path, log: Path) -> None:
        self._s, self._key_file, self._log = s, key_file, log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        settings = self._s.settings
        self._key_file.write_text(settings.private_key)
        self._key_file.chmod(0o600)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "GITHUB_APP_ID": str(settings.github_app_id),
            "GITHUB_APP_PRIVATE_KEY_FILE": str(self._key_file),
            "GITHUB_WEBHOOK_SECRET": settings.github_webhook_secret.get_secret_value(),
            "GITHUB_API_URL": settings.github_api_url,
            "GITHUB_WEB_URL": settings.github_web_url,
            "SPECKIT_DATA_DIR": str(settings.data_dir),
            "SPECKIT_PUBLIC_URL": settings.public_url or "",
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": self._s.redis_url,
            "DOCKER_HOST": settings.docker_host or "",
            "SPECKIT_JOB_IMAGE": settings.job_image,
        }
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "worker", cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    async def end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        await self.process.wait()


async def phase_is_running(s: Scenario, phase: Phase) -> bool:
    runs = await s.runs()
    return any(state.phase == phase and state.status == "running" for run in runs for state in run.task_states)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
@pytest.mark.timeout(240)
async def test_a_worker_dies_in_the_middle_of_the_plan(
    open_stage: OpenStage, slow_plan_image: str, tmp_path: Path, number: int
) -> None:
    s = await open_stage(worker=False, SPECKIT_JOB_IMAGE=slow_plan_image)
    first = WorkerProcess(s, tmp_path / "key.pem", tmp_path / "worker.log")
    await first.start()
    await s.comment(f"/speckit specify {INVOICE}")
    await s.until(lambda: phase_is_running(s, Phase.SPECKIT_PLAN))
    await first.end(number)
    second = WorkerProcess(s, tmp_path / "key.pem", tmp_path / "worker.log")
    await second.start()
    try:
        run = await s.finish(180)
    finally:
        await second.end(signal.SIGTERM)

    assert run.status == "succeeded", (run.result_summary, (tmp_path / "worker.log").read_text()[-3000:])
    assert_everything_once(s)
    attempts = {str(state.phase): state.attempt for state in run.task_states}
    assert attempts["speckit_specify"] == 1, "a finished phase was paid for twice"
    assert attempts["speckit_plan"] == 2
    assert run.lease_epoch == 2
    s.stale_jobs = 1 if number == signal.SIGKILL else 0


async def test_redis_forgets_everything(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify {INVOICE}")
    await s.hub.settle()
    await s.until(lambda: _queued(s))
    async with Redis.from_url(s.redis_url) as redis:
        await redis.flushall()
    await s.start_worker()
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert_everything_once(s)


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
        ("POST", "/repos/{owner}/{repo}/pulls"),
        ("POST", "/repos/{owner}/{repo}/check-runs"),
        ("POST", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"),
    ],
)
@pytest.mark.parametrize("after_write", [True, False], ids=["answer lost", "refused with 502"])
async def test_github_loses_an_answer(open_stage: OpenStage, method: str, route: str, after_write: bool) -> None:
    s = await open_stage()
    fault = s.hub.faults.add(method, route, status=None if after_write else 502, after_write=after_write)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()
    assert fault.hits == 1
    assert run.status == "succeeded", run.result_summary
    assert_everything_once(s)


async def test_the_push_is_done_but_its_answer_is_lost(open_stage: OpenStage) -> None:
    s = await open_stage()
    fault = s.hub.faults.add("POST", "/acme/shop.git/git-receive-pack", status=502, after_write=True)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()
    assert fault.hits == 1
    assert run.status == "succeeded", run.result_summary
    assert_everything_once(s)


async def test_a_rate_limit_is_obeyed(open_stage: OpenStage) -> None:
    s = await open_stage()
    limit = s.hub.faults.rate_limit("secondary", 2.0)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert limit.refused >= 1
    assert_everything_once(s)


async def test_a_delivery_whose_intake_never_ran_is_picked_up(open_stage: OpenStage) -> None:
    s = await open_stage()
    fault = s.hub.faults.add("GET", "/repos/*/collaborators/*/permission", status=503, times=8)
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish(180)
    assert fault.hits >= 1
    assert run.status == "succeeded", run.result_summary
    assert_everything_once(s)
    s.expected_errors.append("intake")


async def test_what_was_said_while_nobody_listened_is_done_when_somebody_does(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    s.hub.faults.lose_deliveries(2, event="issue_comment")
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    await s.comment("/speckit help")
    await s.hub.settle()
    assert (await s.runs(), s.replies()) == ([], [])
    await s.start_worker()
    await s.until(lambda: _replied(s, 2))
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert [len(await s.runs()), len(s.replies()), len(s.pull_requests())] == [1, 2, 1]


async def _replied(s: Scenario, number: int) -> bool:
    return len(s.replies()) == number


async def _queued(s: Scenario) -> bool:
    return any(run.status == "queued" for run in await s.runs())
