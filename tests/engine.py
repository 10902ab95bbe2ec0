"""The Docker engine and the job image that tests marked ``engine`` use. Nothing is built or started here.

A test that needs what is not there fails and says by name what is missing: it is not skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import docker
import pytest
from docker.errors import ImageNotFound

from cli.engine import find
from cli.errors import StartError

JOB_IMAGE = "speckit-bot-job:latest"
AGENTS_IMAGE = "speckit-bot-job:agents"


@pytest.fixture(scope="session")
def docker_host() -> str:
    """The engine's address, as DOCKER_HOST has it."""
    try:
        engine = find()
    except StartError as error:
        pytest.fail(str(error), pytrace=False)
    if engine is None:
        pytest.fail("no Docker engine runs on this machine; start one with: make engine", pytrace=False)
    return engine.host


def _image(host: str, name: str, target: str) -> str:
    with closing(docker.DockerClient(base_url=host)) as client:
        try:
            client.images.get(name)
        except ImageNotFound:
            pytest.fail(f"the engine has no image {name}; build it with: images/build {target}", pytrace=False)
    return name


@pytest.fixture(scope="session")
def job_image(docker_host: str) -> str:
    """The name of the job image."""
    return _image(docker_host, JOB_IMAGE, "job")


@pytest.fixture(scope="session")
def agents_image(docker_host: str) -> str:
    """The name of the job image that has every agent in it."""
    return _image(docker_host, AGENTS_IMAGE, "all")


@pytest.fixture(scope="session")
def codex_image(agents_image: str) -> str:
    """The name of a job image that has codex in it."""
    return agents_image


@pytest.fixture
def engine(docker_host: str) -> Iterator[docker.DockerClient]:
    """A client of the engine, to look at what is there."""
    with closing(docker.DockerClient(base_url=docker_host)) as client:
        yield client
