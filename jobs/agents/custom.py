"""The backend ``custom``: an agent that the operator describes by an argument list, for a CLI we do not know.

Nothing is known of what it prints: its last line is its message, and where it failed the usual words for trouble are
looked for. What it spends is counted by the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.agents.command_forms import FORMS
from jobs.agents.event_lines import one_line
from jobs.agents.failures import failure, trouble_of
from jobs.agents.prompts import RESULT_FILE, files_for, prompt_for, variables_for, wants_result
from jobs.ports import AgentCommand, AgentReport, AgentRequest, CommandsFrom, ModelApi

MODEL_VARIABLE = "SPECKIT_CUSTOM_MODEL"
LAST_LINES = 5
_PLACEHOLDER = re.compile(r"\{(prompt|model|base_url|key)\}")


@dataclass(frozen=True, slots=True)
class CustomDescription:
    """``argv`` and the values of ``environment`` may hold ``{prompt}``, ``{model}``, ``{base_url}`` (without a path)
    and ``{key}``, which is the run's throw-away one. ``model`` is empty where there is no ``api``."""

    argv: Sequence[str]
    version_argv: Sequence[str]
    integration: str
    environment: Mapping[str, str] = field(default_factory=dict)
    api: ModelApi | None = None
    model: str = ""


class CustomAgent:
    """Implements ``jobs.ports.Agent``."""

    name = "custom"
    commands_from = CommandsFrom.REPOSITORY

    def __init__(self, description: CustomDescription) -> None:
        """Raises ValueError for an integration that ``specify`` does not know, or sets nothing up for."""
        if description.integration not in FORMS:
            raise ValueError(
                f"SPECKIT_CUSTOM_INTEGRATION is {description.integration[:40]}, and Spec Kit sets nothing up for that; "
                f"choose from: {', '.join(sorted(FORMS))}"
            )
        self._description = description
        self.integration = description.integration
        self.model_api: ModelApi | None = description.api
        self.supports_model = description.api is not None
        self.runtime_env: Mapping[str, str] = {MODEL_VARIABLE: description.model} if description.model else {}

    def version_argv(self) -> Sequence[str]:
        """See ``Agent.version_argv``."""
        return list(self._description.version_argv)

    def models(self, request: AgentRequest) -> Sequence[str]:
        """See ``Agent.models``."""
        return [request.model or self._description.model] if self.supports_model else []

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """See ``Agent.command``. The key is the run's throw-away one."""
        model = next(iter(self.models(request)), "")
        values = {
            "prompt": prompt_for(request, FORMS[self.integration]),
            "model": model,
            "base_url": gateway_url,
            "key": gateway_key,
        }

        def filled(text: str) -> str:
            return _PLACEHOLDER.sub(lambda found: values[found[1]], text)

        return AgentCommand(
            argv=[filled(word) for word in self._description.argv],
            environment={
                **({MODEL_VARIABLE: model} if model else {}),
                **{name: filled(text) for name, text in self._description.environment.items()},
                **variables_for(request),
            },
            files=files_for(request),
            result_file=RESULT_FILE if wants_result(request) else "",
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``."""
        lines = [line for line in stdout_tail.decode("utf-8", "replace").splitlines() if line.strip()]
        if exit_code != 0:
            said = one_line(" ".join(lines[-LAST_LINES:]))
            if (trouble := trouble_of(said)) is not None:
                raise failure(trouble, self.name, self.model_api, said)
        return AgentReport(exit_code=exit_code, message=one_line(lines[-1]) if lines else "")
