"""The backend ``template``: no model, no key. Its program is ``speckit_container/template_agent.py`` in the image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jobs.ports import AgentCommand, AgentReport, AgentRequest, CommandsFrom, ModelApi

HOME = "/home/agent"
REQUEST_FILE = "request.json"
RESULT_FILE = "result.json"
LONGEST_MESSAGE = 500


class TemplateAgent:
    """Fills Spec Kit's own templates from the request. Implements ``jobs.ports.Agent``."""

    name = "template"
    # The repository is set up for codex, so that people can go on with an agent that understands what it reads.
    integration = "codex"
    model_api: ModelApi | None = None
    supports_model = False
    commands_from = CommandsFrom.NOWHERE

    def __init__(self) -> None:
        self.runtime_env: Mapping[str, str] = {}

    def version_argv(self) -> Sequence[str]:
        """See ``Agent.version_argv``."""
        return ["speckit-template-agent", "--version"]

    def models(self, request: AgentRequest) -> Sequence[str]:
        """See ``Agent.models``."""
        return []

    def command(self, request: AgentRequest, gateway_url: str, gateway_key: str) -> AgentCommand:
        """See ``Agent.command``. The request is a file: an argument has a limit, and is seen in the process list."""
        content = {
            "phase": str(request.phase),
            "text": request.text,
            "date": request.date.date().isoformat(),
            "feature_directory": request.feature_directory,
            "answers": [asdict(answered) for answered in request.answers],
            "section": asdict(request.section) if request.section is not None else None,
            "paths": list(request.paths),
            "result_file": f"{HOME}/{RESULT_FILE}",
        }
        return AgentCommand(
            argv=["speckit-template-agent", f"{HOME}/{REQUEST_FILE}"],
            files={REQUEST_FILE: json.dumps(content).encode()},
            result_file=RESULT_FILE,
        )

    def report(self, exit_code: int, stdout_tail: bytes) -> AgentReport:
        """See ``Agent.report``. Its last line is its own word on what it did; no model, so no tokens."""
        lines = [line.strip() for line in stdout_tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return AgentReport(exit_code=exit_code, message=lines[-1][:LONGEST_MESSAGE] if lines else "")
