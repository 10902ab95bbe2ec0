"""Which inner sandbox of an agent works in a container of the usual shape, on this engine, with this image.

Some agents put a sandbox of their own around the commands they run. What it needs (user namespaces, Landlock) most
containers do not give, and an agent may then do nothing and still end well: nobody finds out before paying. So each way
is tried once in a container that is like those of runs, and agents are told which to use.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from jobs.errors import PipelineError
from jobs.ports import Agent, InnerSandbox, SandboxedAgent

logger = logging.getLogger(__name__)

Try = Callable[[Sequence[str]], Awaitable[bool]]
"""Runs an argument list in a container like those of runs; True when it ended well."""


class InnerSandboxes:
    """What was found out so far, by the agent's name. Nothing is tried twice, unless trying it broke off."""

    def __init__(self) -> None:
        self._chosen: dict[str, InnerSandbox | None] = {}
        self._choosing = asyncio.Lock()

    @property
    def modes(self) -> Mapping[str, str]:
        """Agent -> the mode that works here, empty where none does."""
        return {name: sandbox.mode if sandbox is not None else "" for name, sandbox in self._chosen.items()}

    async def choose(self, agent: Agent, attempt: Try) -> InnerSandbox | None:
        """The first of the agent's ways that works; None where none does, or it has none. Raises what ``attempt``
        raises."""
        if not isinstance(agent, SandboxedAgent):
            return None
        async with self._choosing:
            if agent.name not in self._chosen:
                self._chosen[agent.name] = await _first_that_works(agent.inner_sandboxes, attempt)
        return self._chosen[agent.name]


async def _first_that_works(ways: Sequence[InnerSandbox], attempt: Try) -> InnerSandbox | None:
    for way in ways:
        if await attempt(way.trial):
            return way
    return None


class FindsSandboxes(Protocol):
    """An engine's containers, as far as this is about them."""

    async def find_sandboxes(self, agents: Iterable[Agent]) -> Mapping[str, str]:
        """Agent -> the mode that works, of those that have one. Raises PipelineError."""
        ...


async def find_out(containers: FindsSandboxes, agents: Iterable[Agent]) -> None:
    """Try before the first run, and log what works. An engine that is away is asked again by a run."""
    try:
        modes = await containers.find_sandboxes(agents)
    except PipelineError as error:
        logger.warning("inner_sandboxes_not_tried", extra={"code": error.code.value, "detail": error.message})
        return
    for agent, mode in modes.items():
        logger.info("inner_sandbox", extra={"agent": agent, "mode": mode or "none: the container is the sandbox"})


@contextlib.asynccontextmanager
async def finding_out(containers: FindsSandboxes, agents: Iterable[Agent]) -> AsyncIterator[None]:
    """Do that while the block runs, and stop with it. Raises what went wrong that nobody knows."""
    task = asyncio.create_task(find_out(containers, agents), name="inner sandboxes")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
