"""What a scenario is given: ``open_stage`` sets one up, and asserts the silence after it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.scenario import AppKey, Scenario, Stage, open_scenario

OpenStage = Callable[..., Awaitable[Scenario]]


@pytest.fixture(scope="session")
def app_key() -> AppKey:
    return AppKey.make()


@pytest.fixture
def stage(docker_host: str, job_image: str, app_key: AppKey) -> Stage:
    return Stage(docker_host, job_image, app_key)


@pytest.fixture
async def open_stage(stage: Stage, tmp_path: Path, redis_url: str, sqlite_url: str) -> AsyncIterator[OpenStage]:
    """Set a scenario up, on SQLite unless told otherwise; keyword arguments are those of ``open_scenario``."""
    numbers = itertools.count()
    async with AsyncExitStack() as stack:

        async def opened(**arguments: Any) -> Scenario:
            folder = tmp_path / f"stage-{next(numbers)}"
            folder.mkdir()
            url = arguments.pop("database_url", sqlite_url)
            return await stack.enter_async_context(open_scenario(stage, folder, redis_url, url, **arguments))

        yield opened
