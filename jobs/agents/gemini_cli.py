"""The backend ``gemini_cli``: Google's Gemini CLI, run once per phase, on the commands of Spec Kit.

It loads custom commands only in a folder it trusts, and there it would take a repository's ``.gemini`` and ``.env`` for
settings as well: MCP servers, proxies, other models. So these are out of the way while it works, Spec Kit's commands
wait for it in its home, and the image has settings that stand above all others (``images/job/gemini-settings.json``).

Flags and variables: https://geminicli.com/docs/cli/cli-reference/ and .../reference/configuration/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.agents.command_forms import FORMS
from jobs.agents.event_lines import count, events, fields, one_line
from jobs.agents.failures import failure, trouble_of
from jobs.agents.prompts import HOME, RESULT_FILE, files_for, prompt_for, variables_for, wants_result
from jobs.ports import AgentCommand, AgentReport, AgentRequest, CommandsFrom, ModelApi

MODEL_VARIABLE = "SPECKIT_GEMINI_MODEL"
"""The image's settings take the model, and that of every helper, from it."""


class GeminiCli:
    """Implements ``jobs.ports.Agent``. ``model`` is the name the model's endpoint knows."""

    name = "gemini_cli"
    integration = "gemini"
    model_api: ModelApi | None = ModelApi.GEMINI
    supports_model = True
    commands_from = CommandsFrom.HOME

    def __init__(self, model: str) -> None:
        self._model = model
        self.runtime_env: Mapping[str, str] = {
            "GEMINI_CLI_HOME": HOME,
            # It would start itself anew to give itself more memory, and wait some seconds at its end.
            "GEMINI_CLI_NO_RELAUNCH": "true",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "NO_COLOR": "1",
            MODEL_VARIABLE: model,
        }

    def version_argv(self) -> Sequence[str]:
        """See ``Agent.version_argv``."""
        return ["gemini", "--version"]

    def models(self, request: AgentRequest) -> Sequence[str]:
        """See ``Agent.models``. Its helpers are held to the same model."""
        return [request.model or self._model]

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """See ``Agent.command``. The key is the run's throw-away one."""
        (model,) = self.models(request)
        return AgentCommand(
            argv=[
                *("gemini", "--output-format", "stream-json", "--approval-mode", "yolo", "--model", model),
                *("--prompt", prompt_for(request, FORMS["gemini"])),
            ],
            environment={
                **self.runtime_env,
                MODEL_VARIABLE: model,
                **variables_for(request),
                "GOOGLE_GEMINI_BASE_URL": gateway_url,
                "GEMINI_API_KEY": gateway_key,
            },
            files=files_for(request),
            result_file=RESULT_FILE if wants_result(request) else "",
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``. It ends with 0 where the model declined, and with its endpoint's status else."""
        result: dict[str, Any] = {}
        message = complaint = ""
        for event in events(stdout_tail):
            match event.get("type"):
                case "result":
                    result = event
                case "error":
                    complaint = str(event.get("message", "")) or complaint
                case "tool_use":
                    message = ""
                case "message" if event.get("role") == "assistant":
                    message += str(event.get("content", ""))
        failed = exit_code != 0 or result.get("status") == "error"
        said = one_line(str(fields(result.get("error")).get("message", "")) or complaint) if failed else ""
        if failed and (trouble := trouble_of(said, _status(exit_code))) is not None:
            raise failure(trouble, self.name, self.model_api, said)
        stats = fields(result.get("stats"))
        return AgentReport(
            exit_code=exit_code or int(failed),
            input_tokens=count(stats.get("input_tokens")),
            output_tokens=count(stats.get("output_tokens")),
            message=said or one_line(message),
        )


def _status(exit_code: int) -> int | None:
    """The endpoint's status, where it ended with that. An exit code has eight bits: of 429 it shows 173."""
    return exit_code + 256 if 400 <= exit_code + 256 < 512 else None
