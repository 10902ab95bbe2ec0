"""What the operator decided about agents: which there are, behind which endpoint and key, and with which models.

A model belongs to an agent: what one of them may be asked for, another may not know at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

KNOWN_AGENTS = ("template", "codex_cli", "claude_code", "gemini_cli", "custom")
"""Every backend this version has; a package that is installed beside it may bring more."""

ENTRY_POINTS = "speckit_bot.agents"
"""The group in which another package names the agents it brings."""

ApiName = Literal["openai", "anthropic", "gemini"]
Words = Annotated[tuple[str, ...], NoDecode]

API_OF: Mapping[str, ApiName] = {"codex_cli": "openai", "claude_code": "anthropic", "gemini_cli": "gemini"}
KEY_VARIABLES: Mapping[ApiName, str] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
PLACEHOLDERS = ("prompt", "model", "base_url", "key")
"""What ``SPECKIT_CUSTOM_ARGV`` and ``SPECKIT_CUSTOM_ENVIRONMENT`` may hold in braces."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class CustomAgentSettings:
    """An agent that the operator describes: how it is started, and what it works with. ``api`` None: no model."""

    argv: tuple[str, ...]
    version_argv: tuple[str, ...]
    environment: Mapping[str, str]
    integration: str
    api: ApiName | None
    model: str


class AgentSettings(BaseSettings):
    """The part of ``Settings`` about agents. Attribute ``x_y`` is read from the variable named in its alias."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    agent_backends: Words = Field(("template",), alias="SPECKIT_AGENT_BACKENDS")
    default_agent_or_none: str | None = Field(None, alias="SPECKIT_DEFAULT_AGENT")
    agent_models: Words = Field((), alias="SPECKIT_AGENT_MODELS")
    agent_idle_timeout: int = Field(900, alias="SPECKIT_AGENT_IDLE_TIMEOUT", ge=10, le=86_400)

    openai_api_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY")
    openai_base_url: str = Field("https://api.openai.com/v1", alias="OPENAI_BASE_URL")
    codex_model: str = Field("gpt-5-codex", alias="SPECKIT_CODEX_MODEL")
    anthropic_api_key: SecretStr | None = Field(None, alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str = Field("https://api.anthropic.com", alias="ANTHROPIC_BASE_URL")
    claude_model: str = Field("claude-sonnet-5-5", alias="SPECKIT_CLAUDE_MODEL")
    gemini_api_key: SecretStr | None = Field(None, alias="GEMINI_API_KEY")
    gemini_base_url: str = Field("https://generativelanguage.googleapis.com", alias="GEMINI_BASE_URL")
    gemini_model: str = Field("gemini-3.1-pro-preview", alias="SPECKIT_GEMINI_MODEL")

    custom_argv: Words = Field((), alias="SPECKIT_CUSTOM_ARGV")
    custom_version_argv: Words = Field((), alias="SPECKIT_CUSTOM_VERSION_ARGV")
    custom_environment: Annotated[Mapping[str, str], NoDecode] = Field({}, alias="SPECKIT_CUSTOM_ENVIRONMENT")
    custom_integration: str = Field("", alias="SPECKIT_CUSTOM_INTEGRATION")
    custom_model_api: ApiName | None = Field(None, alias="SPECKIT_CUSTOM_MODEL_API")
    custom_model: str = Field("", alias="SPECKIT_CUSTOM_MODEL")

    @field_validator("agent_backends", "agent_models", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("agent_backends")
    @classmethod
    def _known_backends(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = known_agents()
        unknown = [name for name in value if name not in known]
        if unknown or not value:
            raise ValueError(f"names {', '.join(unknown) or 'no agent'}; choose from: {', '.join(known)}")
        return value

    @field_validator("custom_argv", "custom_version_argv", mode="before")
    @classmethod
    def _argument_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        made = _json(value)
        if not isinstance(made, list) or not made or not all(isinstance(word, str) and word for word in made):
            raise ValueError('is not a JSON list of arguments; write it like ["agent", "--prompt", "{prompt}"]')
        return tuple(made)

    @field_validator("custom_environment", mode="before")
    @classmethod
    def _variables(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        made = _json(value)
        if not isinstance(made, dict) or not all(isinstance(content, str) for content in made.values()):
            raise ValueError('is not a JSON object of texts; write it like {"OPENAI_API_KEY": "{key}"}')
        wrong = [name for name in made if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)]
        if wrong:
            raise ValueError(f"names {wrong[0][:40]!r}, which is no name of a variable; use letters, digits and _")
        return made

    @model_validator(mode="after")
    def _agents_fit(self) -> AgentSettings:
        if self.default_agent not in self.agent_backends:
            raise ValueError(
                f"SPECKIT_DEFAULT_AGENT is {self.default_agent}, which SPECKIT_AGENT_BACKENDS lacks; add it there"
            )
        if "custom" in self.agent_backends:
            self._check_custom()
        for name in self.agent_backends:
            api = self._api_of(name)
            if api is not None and self._keys[api] is None:
                raise ValueError(
                    f"{KEY_VARIABLES[api]} is missing; the backend {name} needs it, set it or take {name} out of "
                    "SPECKIT_AGENT_BACKENDS"
                )
        self.allowed_models  # noqa: B018 - read now, so that a wrong list stops the start
        return self

    def _check_custom(self) -> None:
        for variable, given in (
            ("SPECKIT_CUSTOM_ARGV", self.custom_argv),
            ("SPECKIT_CUSTOM_VERSION_ARGV", self.custom_version_argv),
            ("SPECKIT_CUSTOM_INTEGRATION", self.custom_integration),
        ):
            if not given:
                raise ValueError(f"{variable} is missing; the backend custom needs it (docs/configuration.md)")
        if "{prompt}" not in " ".join(self.custom_argv):
            raise ValueError("SPECKIT_CUSTOM_ARGV has no {prompt}; put it where the agent takes what it is to do")
        if self.custom_model_api is not None and not self.custom_model:
            raise ValueError("SPECKIT_CUSTOM_MODEL is missing; SPECKIT_CUSTOM_MODEL_API says that the agent has one")
        possible = PLACEHOLDERS if self.custom_model_api is not None else ("prompt",)
        places = {
            "SPECKIT_CUSTOM_ARGV": self.custom_argv,
            "SPECKIT_CUSTOM_ENVIRONMENT": tuple(self.custom_environment.values()),
        }
        for variable, texts in places.items():
            for name in _PLACEHOLDER.findall(" ".join(texts)):
                if name not in possible:
                    named = ", ".join(f"{{{word}}}" for word in possible)
                    more = "" if name not in PLACEHOLDERS else "; set SPECKIT_CUSTOM_MODEL_API for the others"
                    raise ValueError(f"{variable} has {{{name[:50]}}}, and possible is {named}{more}")

    @property
    def default_agent(self) -> str:
        """The backend used unless a command asks for another."""
        return self.default_agent_or_none or self.agent_backends[0]

    @property
    def custom_agent(self) -> CustomAgentSettings | None:
        """The agent that the operator describes; None where it is not in the whitelist."""
        if "custom" not in self.agent_backends:
            return None
        return CustomAgentSettings(
            argv=self.custom_argv,
            version_argv=self.custom_version_argv,
            environment=self.custom_environment,
            integration=self.custom_integration,
            api=self.custom_model_api,
            model=self.custom_model if self.custom_model_api is not None else "",
        )

    @property
    def own_models(self) -> Mapping[str, str]:
        """What each backend of ours with a model works with unless a request names another."""
        models = {"codex_cli": self.codex_model, "claude_code": self.claude_model, "gemini_cli": self.gemini_model}
        if self.custom_model_api is not None:
            models["custom"] = self.custom_model
        return {name: model for name, model in models.items() if name in self.agent_backends}

    @property
    def allowed_models(self) -> Mapping[str, tuple[str, ...]]:
        """By backend, the models that a command or a repository's configuration may ask for; its own first.

        A name without a backend is for the one that has a model; an agent without one takes every name for nothing.
        Raises ValueError for a name that could be meant for several, or for none.
        """
        have = [name for name in self.agent_backends if name not in {"template", "custom"} or name in self.own_models]
        models = {name: [self.own_models[name]] if name in self.own_models else [] for name in self.agent_backends}
        for given in self.agent_models:
            backend, named, model = given.partition("=")
            if not named:
                if len(have) > 1:
                    raise ValueError(
                        f"SPECKIT_AGENT_MODELS has {given}, and several agents have a model; write whose it is, like "
                        f"{have[0]}={given}"
                    )
                for name in self.agent_backends:
                    models[name].append(given)
            elif backend not in models or not model:
                raise ValueError(
                    f"SPECKIT_AGENT_MODELS has {given}; write AGENT=MODEL with an agent of SPECKIT_AGENT_BACKENDS"
                )
            else:
                models[backend].append(model)
        return {name: tuple(dict.fromkeys(names)) for name, names in models.items()}

    @property
    def every_allowed_model(self) -> tuple[str, ...]:
        """What some agent may be asked for."""
        return tuple(dict.fromkeys(model for models in self.allowed_models.values() for model in models))

    @property
    def model_endpoints(self) -> tuple[tuple[ApiName, str, SecretStr], ...]:
        """API, base URL and key of each endpoint the operator has a key for."""
        urls: Mapping[ApiName, str] = {
            "openai": self.openai_base_url,
            "anthropic": self.anthropic_base_url,
            "gemini": self.gemini_base_url,
        }
        return tuple((api, urls[api], key) for api, key in self._keys.items() if key is not None)

    @property
    def _keys(self) -> Mapping[ApiName, SecretStr | None]:
        return {"openai": self.openai_api_key, "anthropic": self.anthropic_api_key, "gemini": self.gemini_api_key}

    def _api_of(self, backend: str) -> ApiName | None:
        return self.custom_model_api if backend == "custom" else API_OF.get(backend)


def known_agents() -> tuple[str, ...]:
    """The backends there are: ours, then what other packages bring. A name of ours is ours whoever else uses it."""
    brought = sorted({point.name for point in entry_points(group=ENTRY_POINTS)} - set(KNOWN_AGENTS))
    return (*KNOWN_AGENTS, *brought)


def _json(text: str) -> object:
    try:
        made: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return made
