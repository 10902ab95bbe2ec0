"""`doctor` on a real engine: the box that runs would get, and what is known of the engine and the image."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import docker
import pytest

from cli.doctor import examine

pytestmark = pytest.mark.engine
NAMES = ("Docker engine", "job image", "agents", "user ids", "box")


@pytest.fixture
def on_engine(
    settings_env: dict[str, str], docker_host: str, agents_image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    """An installation with codex on this machine's engine; GitHub is away, which is no matter here."""
    for name, value in {
        "DOCKER_HOST": docker_host,
        "SPECKIT_JOB_IMAGE": agents_image,
        "SPECKIT_AGENT_BACKENDS": "template,codex_cli",
        "OPENAI_API_KEY": "sk-0123456789abcdef",
        "SPECKIT_DATA_DIR": str(tmp_path / "data"),
        "GITHUB_API_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def asked(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    await asyncio.to_thread(examine, as_json=True)
    checks = json.loads(capsys.readouterr().out)["checks"]
    return {check["name"]: check for check in checks if check["name"] in NAMES or check["name"] == "settings"}


async def test_the_box_is_tried_and_so_is_the_agents_own_sandbox(
    on_engine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: docker.DockerClient
) -> None:
    checks = await asked(capsys)
    assert [checks[name]["ok"] for name in NAMES] == [True] * len(NAMES), checks
    assert re.fullmatch(r"template: \S.*, codex_cli: codex-cli [\d.]+", checks["agents"]["detail"])
    told = checks["box"]["detail"]
    assert told.startswith("closed: canary, host folders, environment, network, names, writing, privileges")
    # In a container of this shape codex's own sandbox finds no user namespaces; told before anybody pays for it.
    assert "codex_cli works without a sandbox of its own" in told
    assert "template" not in told
    assert "may come to mean another image, pin it as sha256:" in checks["job image"]["detail"]
    assert checks["Docker engine"]["detail"].endswith("job containers in runc")
    assert "daemon.json" in checks["user ids"]["detail"]
    assert engine.api.containers(all=True, filters={"label": "speckit-bot.epoch=0"}) == []


async def test_a_runtime_and_user_ids_that_the_engine_does_not_have_are_told_with_their_cure(
    on_engine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: docker.DockerClient, agents_image: str
) -> None:
    on_engine.setenv("SPECKIT_CONTAINER_RUNTIME", "no-such-runtime")
    on_engine.setenv("SPECKIT_USERNS", "remap")
    on_engine.setenv("SPECKIT_JOB_IMAGE", str(engine.images.get(agents_image).id))
    on_engine.setenv("SPECKIT_REQUIRE_IMAGE_DIGEST", "1")
    checks = await asked(capsys)
    assert not checks["Docker engine"]["ok"]
    assert "no runtime no-such-runtime; it has" in checks["Docker engine"]["detail"]
    assert "SPECKIT_CONTAINER_RUNTIME" in checks["Docker engine"]["cure"]
    assert "userns-remap" in checks["user ids"]["cure"]
    assert not checks["box"]["ok"]
    assert "no-such-runtime" in checks["box"]["detail"]
    assert checks["job image"]["ok"]
    assert "may come to mean" not in checks["job image"]["detail"]


async def test_an_agent_whose_program_is_not_in_the_image_is_named(
    on_engine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], job_image: str, engine: docker.DockerClient
) -> None:
    on_engine.setenv("SPECKIT_JOB_IMAGE", job_image)
    before = {container.id for container in engine.containers.list(all=True) if container.attrs["Path"] == "codex"}
    checks = await asked(capsys)
    after = {container.id for container in engine.containers.list(all=True) if container.attrs["Path"] == "codex"}
    assert after <= before, "the containers in which it asked are gone"
    assert not checks["agents"]["ok"]
    assert checks["agents"]["detail"] == f"{job_image} has no program of codex_cli that works"
    assert checks["agents"]["cure"].startswith("build one that has, with images/build, and set SPECKIT_JOB_IMAGE")
