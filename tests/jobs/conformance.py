"""The five backends as the conformance suite sees them: how each is made, and what may be asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jobs.agents import CustomDescription, make_agents
from jobs.containers import ContainerLimits
from jobs.gateway import Gateway
from jobs.model_apis import ModelEndpoint
from jobs.ports import Agent, ModelApi
from tests.jobs.scripted_model import REAL_KEY, ScriptedModel, scripted_model
from tests.jobs.workplace import Rig, Workplace

MODELS = {"codex_cli": "gpt-test", "claude_code": "claude-test", "gemini_cli": "gemini-test"}

# An operator's own description of a CLI that is in the image: what they could write for any other.
CUSTOM = CustomDescription(
    argv=("claude", "--print", "--dangerously-skip-permissions", "--model", "{model}", "--", "{prompt}"),
    version_argv=("claude", "--version"),
    integration="claude",
    environment={
        "ANTHROPIC_BASE_URL": "{base_url}",
        "ANTHROPIC_API_KEY": "{key}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "IS_SANDBOX": "1",
    },
    api=ModelApi.ANTHROPIC,
    model="claude-test",
)


@dataclass(frozen=True)
class Backend:
    """``program`` is its name in the image's labels; ``context_file`` is what it reads of a repository's own accord;
    ``says_usage`` and ``says_cost``: whether its CLI tells what it spent."""

    name: str
    program: str
    context_file: str
    says_usage: bool = True
    says_cost: bool = False

    def agent(self) -> Agent:
        """The backend itself, as the worker makes it."""
        return make_agents(backends=[self.name], models=MODELS, custom=CUSTOM)[self.name]

    @property
    def model(self) -> str:
        """What it works with unless a request names another."""
        return MODELS.get(self.name, CUSTOM.model)


TEMPLATE = Backend("template", "", "")
WITH_MODEL = (
    Backend("codex_cli", "codex", "AGENTS.md"),
    Backend("claude_code", "claude", "CLAUDE.md", says_cost=True),
    Backend("gemini_cli", "gemini", "GEMINI.md"),
    Backend("custom", "claude", "CLAUDE.md", says_usage=False),
)
BACKENDS = (TEMPLATE, *WITH_MODEL)


@dataclass
class Work:
    """A backend at work in a container, and the model it asks."""

    backend: Backend
    place: Workplace
    model: ScriptedModel


@asynccontextmanager
async def at_work(
    rig: Rig, backend: Backend, image: str, *commands: str, limits: ContainerLimits | None = None
) -> AsyncIterator[Work]:
    """Both containers of a run with the backend's agent, its gateway, and a model behind it that follows a script."""
    async with scripted_model(*commands) as model:
        gateway = Gateway([ModelEndpoint(api, model.url, REAL_KEY) for api in ModelApi])
        try:
            async with rig.workplace(agent=backend.agent(), gateway=gateway, image=image, limits=limits) as place:
                yield Work(backend, place, model)
        finally:
            await gateway.close()
