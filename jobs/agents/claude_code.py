"""The backend ``claude_code``: Anthropic's Claude Code, run once per phase, on the skills of Spec Kit.

It takes settings from its home alone: a repository's own (hooks, MCP servers, a base URL, a program that gives the key)
would run before the first request and change where that goes. So Spec Kit's skills wait for it in its home as well, and
``CLAUDE.md`` of the folder it works in is added by name. Its tools are those that work on files and run commands: a
search on the web would be made by its endpoint, outside the container.

Flags and variables: https://code.claude.com/docs/en/cli-reference and .../settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.agents.command_forms import FORMS
from jobs.agents.event_lines import cost, count, events, fields, one_line, total
from jobs.agents.failures import Trouble, failure, trouble_of
from jobs.agents.prompts import HOME, RESULT_FILE, files_for, prompt_for, variables_for, wants_result
from jobs.ports import AgentCommand, AgentReport, AgentRequest, CommandsFrom, ModelApi

MODEL_VARIABLE = "ANTHROPIC_MODEL"
HELPER_VARIABLES = (
    *("ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
    *("ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"),
)
"""Where it would take another model than the one it was started with."""

TOOLS = "Bash,Edit,Glob,Grep,Read,Skill,Write"


class ClaudeCode:
    """Implements ``jobs.ports.Agent``. ``model`` is the name the model's endpoint knows."""

    name = "claude_code"
    integration = "claude"
    model_api: ModelApi | None = ModelApi.ANTHROPIC
    supports_model = True
    commands_from = CommandsFrom.HOME

    def __init__(self, model: str) -> None:
        self._model = model
        self.runtime_env: Mapping[str, str] = {
            "CLAUDE_CONFIG_DIR": f"{HOME}/.claude",
            "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "2",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
            **_models(model),
        }

    def version_argv(self) -> Sequence[str]:
        """See ``Agent.version_argv``."""
        return ["claude", "--version"]

    def models(self, request: AgentRequest) -> Sequence[str]:
        """See ``Agent.models``. Its helpers are held to the same model."""
        return [request.model or self._model]

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """See ``Agent.command``. The key is the run's throw-away one."""
        (model,) = self.models(request)
        return AgentCommand(
            argv=[
                *("claude", "--print", "--output-format", "stream-json", "--verbose", "--no-session-persistence"),
                *("--setting-sources", "user", "--strict-mcp-config", "--tools", TOOLS, "--add-dir", "."),
                *("--dangerously-skip-permissions", "--model", model, "--", prompt_for(request, FORMS["claude"])),
            ],
            environment={
                **self.runtime_env,
                **_models(model),
                **variables_for(request),
                "ANTHROPIC_BASE_URL": gateway_url,
                "ANTHROPIC_API_KEY": gateway_key,
            },
            files=files_for(request),
            result_file=RESULT_FILE if wants_result(request) else "",
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``. The event ``result`` has all of it; its ``subtype`` says nothing of failure."""
        result: dict[str, Any] = {}
        for event in events(stdout_tail):
            if event.get("type") == "result":
                result = event
        said = one_line(str(result.get("result", "")))
        failed = exit_code != 0 or result.get("is_error") is True
        if failed and (trouble := _trouble(result, said)) is not None:
            raise failure(trouble, self.name, self.model_api, said)
        usage = fields(result.get("usage"))
        return AgentReport(
            exit_code=exit_code or int(failed),
            input_tokens=total(
                usage.get("input_tokens"),
                usage.get("cache_read_input_tokens"),
                usage.get("cache_creation_input_tokens"),
            ),
            output_tokens=count(usage.get("output_tokens")),
            message=said,
            cost_usd=cost(result.get("total_cost_usd")),
        )


def _models(model: str) -> Mapping[str, str]:
    return dict.fromkeys((MODEL_VARIABLE, *HELPER_VARIABLES), model)


def _trouble(result: Mapping[str, Any], said: str) -> Trouble | None:
    if result.get("stop_reason") == "refusal":
        return Trouble.DECLINED
    if result.get("api_error") == "connection_failed":
        return Trouble.MODEL_AWAY
    return trouble_of(said, count(result.get("api_error_status")))
