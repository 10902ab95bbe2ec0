"""There is nothing to steal: no token and no key in the job container, in what is kept, or in what is said."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from docker.errors import APIError

from jobs.containers.shape import USER, Role
from tests.hostile_agents import GO_ON
from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage
from tests.scenarios.looking import container_of, found_in, look_inside, plan_is_running

pytestmark = pytest.mark.engine

MODEL_KEY = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"


async def test_the_job_container_holds_no_secret_while_the_agent_works(
    open_stage: OpenStage, waiting_plan_image: str
) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=waiting_plan_image, OPENAI_API_KEY=MODEL_KEY)
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
    roles: tuple[Role, ...] = ("job", "git")
    for role in roles:
        for what, content in (await look_inside(container_of(s, run, role))).items():
            inside[f"{role}: {what}"] = content
    container_of(s, run, "job").exec_run(["touch", GO_ON], user=USER)
    looked = inside["job: processes and files"]
    assert b"\nwork/.specify/" in b"\n" + looked.replace(b"\0", b"\n"), "the look did not reach the agent's tree"
    assert b"TERM=dumb" in looked, "the look did not reach the agent's environment"
    host = container_of(s, run, "job").attrs["HostConfig"]

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
    s = await open_stage(OPENAI_API_KEY=MODEL_KEY)
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
