"""Which inner sandbox of an agent works in a container of the usual shape, on this engine, with this image.

Some agents put a sandbox of their own around the commands they run. What it needs (user namespaces, Landlock) most
containers do not give, and an agent may then do nothing and still end well: nobody finds out before paying. So each way
is tried once in a container that is like those of runs, and agents are told which to use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from jobs.ports import Agent, InnerSandbox, SandboxedAgent

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
