"""`images/build` makes the job image with the agents one chooses, and says what is in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

BUILD = Path(__file__).parent.parent.parent / "images" / "build"
TAG = "speckit-bot-job:test-chosen"


def build(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BUILD), *arguments], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("chosen", ["cobol", "codex,cobol", "job,all,cobol"])
def test_an_agent_that_is_none_is_named(chosen: str) -> None:
    done = build(chosen)
    assert done.returncode == 2
    last = chosen.rpartition(",")[2] if "all" not in chosen else "all"
    assert done.stderr.strip() == f"images/build: no agent {last}; choose job, all, or some of: claude codex gemini"


@pytest.fixture
def removed(engine: docker.DockerClient) -> Iterator[None]:
    yield
    with suppress(ImageNotFound):
        engine.images.remove(TAG, force=True)


@pytest.mark.engine
@pytest.mark.usefixtures("removed", "agents_image")
def test_only_the_chosen_agents_are_in_the_image(engine: docker.DockerClient, docker_host: str) -> None:
    done = build(AGENTS="gemini", JOB_IMAGE=TAG, DOCKER_HOST=docker_host)
    assert done.returncode == 0, done.stderr
    labels = engine.images.get(TAG).labels
    assert {name for name in labels if name.startswith("speckit-bot.agent.")} == {"speckit-bot.agent.gemini"}
    look = ["sh", "-c", "gemini --version; command -v codex claude; true"]
    printed = engine.containers.run(TAG, look, network_mode="none", remove=True).decode().split()
    assert printed == [labels["speckit-bot.agent.gemini"]]
    again = build("gemini", JOB_IMAGE=TAG, DOCKER_HOST=docker_host)
    assert again.stderr.strip() == f"{TAG} is up to date"
