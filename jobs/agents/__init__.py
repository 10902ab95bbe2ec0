"""The agents this version knows: one file per backend. A new one is a class here and a name in the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.agents.codex_cli import CodexCli
from jobs.agents.template import TemplateAgent
from jobs.ports import Agent


def make_agents(*, backends: Sequence[str], codex_model: str) -> Mapping[str, Agent]:
    """The whitelisted agents by name. Raises ValueError for a backend there is none of."""
    known: Mapping[str, Agent] = {agent.name: agent for agent in (TemplateAgent(), CodexCli(codex_model))}
    unknown = [name for name in backends if name not in known]
    if unknown:
        raise ValueError(f"no agent backend {unknown[0]}; there are: {', '.join(known)}")
    return {name: known[name] for name in backends}


__all__ = ["CodexCli", "TemplateAgent", "make_agents"]
