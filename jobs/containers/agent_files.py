"""What must be where before an agent starts: Spec Kit's commands, and none of a repository's settings for it."""

from __future__ import annotations

from typing import Any

from jobs.patches.integrations import integration_called
from jobs.ports import Agent, CommandsFrom


def commands_for(agent: Agent) -> dict[str, Any] | None:
    """Where the agent's integration has its commands, and whether all of them must wait in its home; None for an agent
    that uses none."""
    folder = _folder(agent)
    if not folder or agent.commands_from is CommandsFrom.NOWHERE:
        return None
    return {"integration": agent.integration, "folder": folder, "home_only": agent.commands_from is CommandsFrom.HOME}


def settings_to_set_aside(agent: Agent) -> list[str]:
    """What an agent that finds its commands in its home must not find in the folders it works in: the names of files
    and folders."""
    if agent.commands_from is not CommandsFrom.HOME:
        return []
    return [_folder(agent).partition("/")[0], ".env", ".mcp.json"]


def _folder(agent: Agent) -> str:
    return integration_called(agent.integration).commands.rstrip("/")
