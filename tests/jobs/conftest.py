"""Fixtures of the tests that use real containers, and of those that use the small world of ``fakes``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from db.session import Database
from tests.jobs.git_server import serve
from tests.jobs.rig import Rig as PipelineRig
from tests.jobs.workplace import FILES, REPOSITORY, WITH_SPEC_KIT, Rig


@pytest.fixture
def rig(docker_host: str, job_image: str, tmp_path: Path) -> Iterator[Rig]:
    """A server with two repositories, acme/shop and acme/ready (which has Spec Kit), and the engine."""
    with TemporaryDirectory(prefix="rig") as folder, serve(tmp_path / "repositories") as server:
        server.create(REPOSITORY, FILES)
        server.create("acme/ready", WITH_SPEC_KIT)
        yield Rig(docker_host, job_image, server, Path(folder))


@pytest.fixture
async def sqlite_rig(sqlite_url: str, tmp_path: Path) -> AsyncIterator[PipelineRig]:
    """The pipeline in a small world, for cases in which the database has no say."""
    database = Database.open(sqlite_url)
    yield PipelineRig(database, tmp_path / "runs")
    await database.close()
