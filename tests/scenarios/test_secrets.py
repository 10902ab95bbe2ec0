"""There is nothing to steal: no token and no key in the job container, in what is kept, or in what is said."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from pathlib import Path

import pytest
from docker.errors import APIError
from docker.models.containers import Container

from db.vocabulary import Phase
from jobs.containers.shape import USER
from tests.scenario import INVOICE, WEBHOOK_SECRET, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine

MODEL_KEY = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
LOOK = "cat /proc/*/environ /proc/*/cmdline 2>/dev/null; tar -c -f - -C / work home tmp baseline run etc 2>/dev/null"
"""What the agent itself could read: the same user, in the same container. /opt is the image's, which is the same for
every run and read-only."""


def secrets_of(s: Scenario) -> dict[str, bytes]:
    """Every secret there is, also as HTTP's basic authentication writes it."""
    found = {
        "webhook secret": WEBHOOK_SECRET.encode(),
        "private key": s.settings.private_key.splitlines()[5].encode(),
        "model key": MODEL_KEY.encode(),
    }
    for number, token in enumerate(s.hub.state.tokens):
        found[f"token {number}"] = token.encode()
        found[f"token {number} as basic authentication"] = base64.b64encode(f"x-access-token:{token}".encode())
    return found


def found_in(s: Scenario, content: bytes) -> list[str]:
    return [name for name, secret in secrets_of(s).items() if secret in content]


def containers_of(s: Scenario, role: str) -> list[Container]:
    return s.engine.containers.list(filters={"label": ["speckit-bot.run", f"speckit-bot.role={role}"]})


async def plan_is_running(s: Scenario) -> bool:
    runs = await s.runs()
    return any(
        state.phase == Phase.SPECKIT_PLAN and state.status == "running" for run in runs for state in run.task_states
    )


async def test_the_job_container_holds_no_secret_while_the_agent_works(
    open_stage: OpenStage, slow_plan_image: str
) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=slow_plan_image, OPENAI_API_KEY=MODEL_KEY)
    seen: list[bytes] = []

    async def watch_argument_lists() -> None:
        while True:
            for container in await asyncio.to_thread(
                s.engine.containers.list, filters={"label": "speckit-bot.run"}, ignore_removed=True
            ):
                with contextlib.suppress(APIError):
                    seen.append(json.dumps(await asyncio.to_thread(container.top)).encode())
            await asyncio.sleep(0.02)

    watcher = asyncio.create_task(watch_argument_lists())
    await s.comment(f"/speckit specify {INVOICE}")
    await s.until(lambda: plan_is_running(s))

    run = (await s.runs())[0]
    inside: dict[str, bytes] = {}
    for role in ("job", "git"):
        (container,) = [c for c in containers_of(s, role) if c.labels["speckit-bot.run"] == str(run.run_id)]
        inside[f"{role}: inspect"] = json.dumps(container.attrs).encode()
        result = await asyncio.to_thread(container.exec_run, ["/bin/sh", "-c", LOOK], user=USER)
        assert isinstance(result.output, bytes)
        assert len(result.output) > 10_000, "nothing was looked at"
        inside[f"{role}: processes and files"] = result.output
    looked = inside["job: processes and files"]
    assert b"\nwork/.specify/" in b"\n" + looked.replace(b"\0", b"\n"), "the look did not reach the agent's tree"
    assert b"TERM=dumb" in looked, "the look did not reach the agent's environment"
    (job,) = [c for c in containers_of(s, "job") if c.labels["speckit-bot.run"] == str(run.run_id)]
    host = job.attrs["HostConfig"]

    await s.finish()
    assert not watcher.done(), "nobody watched to the end"
    watcher.cancel()
    assert s.hub.state.tokens, "no token was minted, so none could be found"
    for place, content in inside.items():
        assert not found_in(s, content), place
    assert seen
    for sample in seen:
        assert not found_in(s, sample)

    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert "no-new-privileges" in str(host["SecurityOpt"])
    assert not host["Binds"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0


async def test_nothing_kept_or_said_holds_a_secret(open_stage: OpenStage, tmp_path: Path) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary

    kept = [path for path in tmp_path.rglob("*") if path.is_file() and "hub" not in path.parts]
    assert len(kept) > 20
    for path in kept:
        assert not found_in(s, path.read_bytes()), path
    said = "".join(reply.body for reply in s.replies()) + s.pull_request().body + json.dumps(s.check_runs()[0].output)
    assert not found_in(s, said.encode())
    _, page = await s.page(f"/runs/{run.run_id}")
    assert not found_in(s, page.encode())


async def test_each_token_is_for_one_repository_and_one_purpose(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    await s.finish()
    git = [request for request in s.hub.requests if ".git/" in request.path and request.token_permissions]
    assert git
    for request in git:
        assert request.token_repository_ids == (s.repository.id,)
        writes = "git-receive-pack" in request.path
        assert request.token_permissions["contents"] == ("write" if writes else "read")
        assert set(request.token_permissions) <= {"contents", "metadata"}
    for request in s.hub.requests:
        if request.token_permissions and ".git/" not in request.path:
            assert "contents" not in request.token_permissions or request.token_permissions["contents"] == "read"
