"""The backend ``codex_cli``: OpenAI's codex, run once per phase, on the skills Spec Kit put into the repository.

Its inner sandbox needs user namespaces, and where it has none it does nothing and exits with 0. So it is used where a
trial of it worked, and elsewhere the container is the sandbox. What it is told is in ``prompts.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.agents.command_forms import FORMS
from jobs.agents.event_lines import count, events, fields, one_line
from jobs.agents.failures import Trouble, failure, trouble_of
from jobs.agents.prompts import RESULT_FILE, files_for, prompt_for, variables_for, wants_result
from jobs.egress.variables import PROXY_VARIABLES
from jobs.ports import AgentCommand, AgentReport, AgentRequest, CommandsFrom, InnerSandbox, ModelApi

KEY_VARIABLE = "SPECKIT_GATEWAY_KEY"
MODEL_VARIABLE = "SPECKIT_CODEX_MODEL"
RESULT_FOLDER = "/home/agent/speckit"
"""Outside of the tree, and still to be written by what codex runs."""

# It may end well without having done anything: only the file tells.
_TRIAL = (
    *("sh", "-c"),
    "cd /tmp && codex sandbox -c 'sandbox_mode=\"workspace-write\"' -- touch sandboxed; test -e sandboxed",
)


class CodexCli:
    """Implements ``jobs.ports.Agent``. ``model`` is the name the model's endpoint knows."""

    name = "codex_cli"
    integration = "codex"
    model_api: ModelApi | None = ModelApi.OPENAI
    supports_model = True
    commands_from = CommandsFrom.REPOSITORY
    inner_sandboxes: Sequence[InnerSandbox] = (InnerSandbox("workspace-write", _TRIAL),)

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
        variables = {**PROXY_VARIABLES, **variables_for(request)}
        return AgentCommand(
            argv=[
                *("codex", "exec", "--json", "--ephemeral", "--skip-git-repo-check"),
                *("--sandbox", request.inner_sandbox or "danger-full-access"),
                *("-c", f'sandbox_workspace_write.writable_roots=["{RESULT_FOLDER}"]'),
                *("--", prompt_for(request, FORMS[self.integration])),
            ],
            environment={**self.runtime_env, MODEL_VARIABLE: model, KEY_VARIABLE: gateway_key, **variables},
            files={
                "codex/config.toml": _config(model, gateway_url, variables).encode("utf-8", "replace"),
                **files_for(request),
            },
            result_file=RESULT_FILE if wants_result(request) else "",
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``. Its exit code is 1 for every failure: the words tell them apart."""
        usage: dict[str, Any] = {}
        message = failed = ""
        did = False
        for event in events(stdout_tail):
            match event.get("type"):
                case "turn.completed":
                    usage = fields(event.get("usage"))
                case "turn.failed":
                    failed = str(fields(event.get("error")).get("message", "")) or failed
                case "error":
                    failed = str(event.get("message", "")) or failed
                case "item.completed":
                    item = fields(event.get("item"))
                    did = did or item.get("type") != "error"
                    if item.get("type") == "agent_message":
                        message = str(item.get("text", ""))
        said = one_line(failed) if exit_code != 0 else ""
        if said and (trouble := trouble_of(said)) is not None:
            raise failure(trouble, self.name, self.model_api, said)
        if exit_code == 0 and count(usage.get("output_tokens")) and not did:
            # It says nothing of an answer that is a refusal and no text.
            raise failure(Trouble.DECLINED, self.name, self.model_api, "")
        return AgentReport(
            exit_code=exit_code,
            input_tokens=count(usage.get("input_tokens")),
            output_tokens=count(usage.get("output_tokens")),
            message=said or one_line(message),
        )


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
request_max_retries = 2
stream_max_retries = 2
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
