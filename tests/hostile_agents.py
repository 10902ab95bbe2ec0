"""Images of the job container whose agent is a shell script of the test's: the world changed around the product."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.errors import ImageNotFound

ImageWith = Callable[[str], str]
"""Takes a script, which is executed in the tree as the agent; returns the image's tag."""

DOCKERFILE = """FROM {base}
USER root
COPY agent /usr/local/bin/speckit-template-agent
USER 1000:1000
"""


def build(engine: docker.DockerClient, base: str, script: str) -> str:
    """Build the image, or find it from before. The agent still answers when it is asked for its version."""
    agent = f'#!/bin/bash\n[ "$1" = --version ] && {{ echo 0.0.1; exit; }}\n{script}\n'
    tag = f"speckit-bot-job:test-{hashlib.sha256((base + agent).encode()).hexdigest()[:16]}"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content, mode in (("Dockerfile", DOCKERFILE.format(base=base), 0o644), ("agent", agent, 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), mode
            tar.addfile(entry, io.BytesIO(content.encode()))
    context.seek(0)
    engine.images.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True)
    return tag


@pytest.fixture
def image_with(docker_host: str, job_image: str) -> Iterator[ImageWith]:
    """Make images with an agent of the test's own; they are removed again."""
    engine = docker.DockerClient(base_url=docker_host)
    made: list[str] = []

    def make(script: str) -> str:
        made.append(build(engine, job_image, script))
        return made[-1]

    yield make
    for tag in made:
        with contextlib.suppress(ImageNotFound):
            engine.images.remove(tag, force=True)
    engine.close()


TEMPLATE = (
    'exec /usr/bin/python3 -IS -c \'import sys; sys.path.insert(0, "/opt/speckit/lib"); '
    'from speckit_container.template_agent import main; main()\' "$@"'
)
GO_ON = "/tmp/go-on"


@pytest.fixture
def slow_plan_image(image_with: ImageWith) -> str:
    """The template agent, but planning takes some seconds."""
    return image_with(f'grep -q speckit_plan "$1" && sleep 8\n{TEMPLATE}')


@pytest.fixture
def waiting_plan_image(image_with: ImageWith) -> str:
    """The template agent, but planning waits until the file GO_ON is there, for a minute at most."""
    return image_with(
        f'grep -q speckit_plan "$1" && for _ in $(seq 600); do [ -e {GO_ON} ] && break; sleep 0.1; done\n{TEMPLATE}'
    )
