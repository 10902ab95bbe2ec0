"""What must be where before an agent starts: Spec Kit's commands, and none of a repository's settings for it."""

from __future__ import annotations

from typing import Any

from jobs.patches.integrations import INTEGRATIONS, integration_called
from jobs.ports import Agent, CommandsFrom


def commands_for(agent: Agent) -> dict[str, Any] | None:
    """Where the agent's integration has its commands, and whether all of them must wait in its home; None for an agent
    that uses none."""
    folder = _folder(agent)
    if not folder or agent.commands_from is CommandsFrom.NOWHERE:
        return None
    return {"integration": agent.integration, "folder": folder, "home_only": agent.commands_from is CommandsFrom.HOME}


SETTINGS = (
    # Variables, which may name another endpoint for a model. Examples of them are left.
    *(".env", ".env.*", ".envrc"),
    # Agents: programs to start, servers to ask, keys and endpoints.
    *(".mcp.json", ".codex", ".claude/settings*.json", ".claude/hooks", ".claude/plugins"),
    *(".gemini/settings*.json", ".gemini/extensions", ".gemini/hooks", ".gemini/policies", ".gemini/.env"),
    *("opencode.json*", ".opencode/opencode.json*", ".opencode/plugin*", ".cursor/*.json", ".cursor/hooks"),
    *(".qwen/settings*.json", ".qwen/.env", ".kiro/settings", ".kiro/hooks", ".amp/settings*.json", ".goose/config*"),
    *(".vscode/settings.json", ".vscode/mcp.json", ".vscode/tasks.json"),
    # Tools that agents call.
    *(".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml", ".pypirc", "pip.conf", ".netrc"),
    *(".curlrc", ".wgetrc", ".gitconfig", ".githooks", ".husky"),
)
"""What changes how an agent or its tools behave, rather than tell it something: a repository has no say in that here.
Paths from the project's folder and from each above it, with shell wildcards."""


def settings_to_set_aside(agent: Agent) -> list[str]:
    """What is not there while the agent works; where all its commands wait in its home, none of its folder is."""
    if agent.commands_from is not CommandsFrom.HOME:
        return list(SETTINGS)
    return [*SETTINGS, _folder(agent).partition("/")[0]]


CONTEXT_FILES = (
    *sorted({known.context_file for known in INTEGRATIONS.values() if known.context_file}),
    *("AGENTS.override.md", "CLAUDE.local.md"),
)
"""What agents read before they work, of their own accord, in the project's folder and in others."""

AGENT_FOLDERS = tuple(sorted({known.commands.split("/")[0] for known in INTEGRATIONS.values() if known.commands}))

WORK_IN_SPEC_KIT = ("memory/", "feature.json")
"""What a run itself writes in ``.specify``: the constitution, and which feature is worked on."""


def instructions_from(branch: str, project: str) -> dict[str, Any] | None:
    """What tells an agent how to work, which must come from ``branch``; None where there is no other branch."""
    if not branch:
        return None
    return {
        "branch": branch,
        "files": list(CONTEXT_FILES),
        "folders": list(AGENT_FOLDERS),
        "spec_kit": f"{project}/.specify" if project else ".specify",
        "but": list(WORK_IN_SPEC_KIT),
    }


def _folder(agent: Agent) -> str:
    return integration_called(agent.integration).commands.rstrip("/")
