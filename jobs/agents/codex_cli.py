"""The backend ``codex_cli``: OpenAI's codex, run once per phase, on the skills Spec Kit put into the repository.

It runs without an inner sandbox, because the container is the sandbox (codex's own needs user namespaces, and where it
has none it does nothing and exits with 0). What it is told is in ``codex_prompts.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from db.vocabulary import ErrorCode, Phase
from jobs.agents.codex_prompts import RESULT_FILE, files_for, prompt_for, wants_result
from jobs.egress.variables import PROXY_VARIABLES
from jobs.errors import AppError, TransientError, UserError
from jobs.ports import AgentCommand, AgentReport, AgentRequest, ModelApi

KEY_VARIABLE = "SPECKIT_GATEWAY_KEY"
MODEL_VARIABLE = "SPECKIT_CODEX_MODEL"
LONGEST_MESSAGE = 500

PERSISTING = frozenset({Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS})
"""The phases that may write ``.specify/feature.json``, as Spec Kit's scripts do unless they are told not to."""


def _words(*patterns: str) -> re.Pattern[str]:
    """Any of these as a word of its own: the 404 of ``status 404``, not that of ``14040 tokens`` or ``12,404``."""
    return re.compile(rf"(?<![^\W_])(?<!\d[.,])(?:{'|'.join(patterns)})(?![^\W_])(?![.,]\d)", re.IGNORECASE)


# What a failure is, by codex's own words: its exit code is 1 for every one of them.
_TOO_LONG = _words("context[ _]window", "context_length", "maximum context")
_REFUSED = _words("401", "403", "404", "unauthorized", "invalid_api_key", "quota", "billing", "model_not_found")
_AWAY = _words("429", "500", "502", "503", "504", "rate[ _]limit", "stream disconnected", "timed out", "overloaded")


class CodexCli:
    """Implements ``jobs.ports.Agent``. ``model`` is the name the model's endpoint knows."""

    name = "codex_cli"
    integration = "codex"
    model_api: ModelApi | None = ModelApi.OPENAI
    supports_model = True

    def __init__(self, model: str) -> None:
        self._model = model
        self.runtime_env: Mapping[str, str] = {
            "CODEX_HOME": "/home/agent/codex",
            "NO_COLOR": "1",
            MODEL_VARIABLE: model,
        }

    def version_argv(self) -> Sequence[str]:
        """See ``Agent.version_argv``."""
        return ["codex", "--version"]

    def models(self, request: AgentRequest) -> Sequence[str]:
        """See ``Agent.models``."""
        return [request.model or self._model]

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """See ``Agent.command``. The key is the run's throw-away one."""
        (model,) = self.models(request)
        variables = {**PROXY_VARIABLES, **_shell_variables(request)}
        return AgentCommand(
            argv=[
                *("codex", "exec", "--json", "--ephemeral", "--skip-git-repo-check"),
                *("--sandbox", "danger-full-access", "--", prompt_for(request)),
            ],
            environment={**self.runtime_env, MODEL_VARIABLE: model, KEY_VARIABLE: gateway_key, **variables},
            files={
                "codex/config.toml": _config(model, gateway_url, variables).encode("utf-8", "replace"),
                **files_for(request),
            },
            result_file=RESULT_FILE if wants_result(request) else "",
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``. Raises AppError when the endpoint refused the key, TransientError when it is away."""
        usage: dict[str, Any] = {}
        message = failure = ""
        for event in _events(stdout_tail):
            match event.get("type"):
                case "turn.completed":
                    usage = _dict(event.get("usage"))
                case "turn.failed":
                    failure = str(_dict(event.get("error")).get("message", "")) or failure
                case "error":
                    failure = str(event.get("message", "")) or failure
                case "item.completed":
                    item = _dict(event.get("item"))
                    if item.get("type") == "agent_message":
                        message = str(item.get("text", ""))
        if exit_code != 0 and failure:
            _raise_known(_one_line(failure))
        return AgentReport(
            exit_code=exit_code,
            input_tokens=_count(usage.get("input_tokens")),
            output_tokens=_count(usage.get("output_tokens")),
            message=_one_line(failure if exit_code != 0 and failure else message),
        )


def _shell_variables(request: AgentRequest) -> Mapping[str, str]:
    """What Spec Kit's scripts read, in the shells that codex starts."""
    variables = {}
    if request.feature_directory:
        variables["SPECIFY_FEATURE_DIRECTORY"] = request.feature_directory
    if request.phase not in PERSISTING:
        variables["SPECIFY_FEATURE_NO_PERSIST"] = "1"
    return variables


def _toml(text: str) -> str:
    """A basic string. TOML's escapes are JSON's but for DEL, and for halves of a pair, which it does not have."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _config(model: str, gateway_url: str, shell_variables: Mapping[str, str]) -> str:
    """codex's config.toml: one provider, the gateway, and nothing else that it would contact or load.

    Its shells inherit little of its environment, so what they need is set for them.
    """
    shell = "".join(f"{name} = {_toml(value)}\n" for name, value in shell_variables.items())
    return f"""model = {_toml(model)}
model_provider = "speckit"
approval_policy = "never"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.speckit]
name = "speckit"
base_url = {_toml(f"{gateway_url}/v1")}
wire_api = "responses"
env_key = "{KEY_VARIABLE}"

[analytics]
enabled = false

[features]
plugins = false
apps = false
remote_plugin = false
unbounded_connection_retries = false

[skills.bundled]
enabled = false

[shell_environment_policy]
inherit = "core"

[shell_environment_policy.set]
{shell}"""


def _events(stdout: bytes) -> Iterator[dict[str, Any]]:
    """The JSON lines of codex. The first may be cut off, and a program it ran may have written between them."""
    for line in stdout.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _raise_known(failure: str) -> None:
    if _TOO_LONG.search(failure):
        raise UserError(
            ErrorCode.AGENT_FAILED, "The request and the repository are too long for the model. Ask for less at a time."
        )
    if _REFUSED.search(failure):
        raise AppError(ErrorCode.AGENT_NOT_CONFIGURED, f"running codex: the model's endpoint refused: {failure}")
    if _AWAY.search(failure):
        raise TransientError(ErrorCode.AGENT_FAILED, f"running codex: {failure}")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_MESSAGE]
