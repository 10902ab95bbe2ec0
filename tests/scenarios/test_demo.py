"""`speckit-bot demo`, as somebody who has just cloned the project would run it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import docker
import pytest

from tests.scenario import ROOT

pytestmark = pytest.mark.engine


def processes_below(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.timeout(300)
async def test_the_demo_goes_the_whole_way_and_leaves_nothing(
    docker_host: str, job_image: str, tmp_path: Path, engine: docker.DockerClient
) -> None:
    environment = {**os.environ, "DOCKER_HOST": docker_host, "SPECKIT_DATA_DIR": str(tmp_path / "var")}
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "demo", "--json", "--text", "Let customers pay by invoice"),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await demo.communicate()
    assert demo.returncode == 0, told.decode()

    result = json.loads(out)
    assert set(result) == {
        "run_id", "status", "phases", "branch_name", "pull_request_url", "issue_url", "comment_markdown", "check_run",
        "artifacts", "seconds_total",
    }  # fmt: skip
    assert result["status"] == "succeeded"
    assert [set(phase) for phase in result["phases"]] == [{"phase", "status", "attempt", "seconds"}] * 9
    assert {phase["status"] for phase in result["phases"]} == {"succeeded"}
    assert result["check_run"]["conclusion"] == "action_required"
    assert {"name", "artifact_type", "size_bytes"} == set(result["artifacts"][0])
    assert result["run_id"] in result["comment_markdown"]
    assert result["pull_request_url"].startswith("http://127.0.0.1:")
    assert result["seconds_total"] > 0
    for words in ("speckit_plan", "spec.md", "plan.md", "tasks.md", result["pull_request_url"]):
        assert words in told.decode()

    assert processes_below(tmp_path) == []
    label = f"speckit-bot.run={result['run_id']}"
    assert await asyncio.to_thread(engine.containers.list, all=True, filters={"label": label}) == []
    assert [path for path in (tmp_path / "var").rglob("*") if path.is_file()] == []
