"""The agents this version knows, one file per backend, and those that other packages bring.

A package that is installed beside this one names its agents in the entry point group ``speckit_bot.agents``: each entry
is a callable without arguments that makes a ``jobs.ports.Agent`` of the entry's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from jobs.agents.claude_code import ClaudeCode
from jobs.agents.codex_cli import CodexCli
from jobs.agents.custom import CustomAgent, CustomDescription
from jobs.agents.gemini_cli import GeminiCli
from jobs.agents.template import TemplateAgent
from jobs.ports import Agent

ENTRY_POINTS = "speckit_bot.agents"


def make_agents(
    *, backends: Sequence[str], models: Mapping[str, str], custom: CustomDescription | None = None
) -> Mapping[str, Agent]:
    """The whitelisted agents by name; ``models`` has what each with a model works with.

    Raises ValueError, in one line for the operator, for a backend there is none of, one that another package brings and
    that cannot be loaded, and a wrong description of ``custom``.
    """
    ours: Mapping[str, Callable[[], Agent]] = {
        "template": TemplateAgent,
        "codex_cli": lambda: CodexCli(models["codex_cli"]),
        "claude_code": lambda: ClaudeCode(models["claude_code"]),
        "gemini_cli": lambda: GeminiCli(models["gemini_cli"]),
        "custom": lambda: CustomAgent(_described(custom)),
    }
    brought = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    made: dict[str, Agent] = {}
    for name in backends:
        if name in ours:
            made[name] = ours[name]()
        elif name in brought:
            made[name] = _loaded(brought[name])
        else:
            raise ValueError(f"no agent backend {name}; there are: {', '.join((*ours, *sorted(brought)))}")
    return made


def _described(custom: CustomDescription | None) -> CustomDescription:
    if custom is None:
        raise ValueError("the agent custom is not described; set SPECKIT_CUSTOM_ARGV")
    return custom


def _loaded(point: EntryPoint) -> Agent:
    package = point.dist.name if point.dist is not None else "another package"
    try:
        agent: Agent = point.load()()
    except Exception as error:
        # A stranger's code may raise anything.
        raise ValueError(
            f"the agent {point.name} of {package} cannot be loaded ({type(error).__name__}: {error}); correct the "
            "package, or take it out of SPECKIT_AGENT_BACKENDS"
        ) from error
    lacks = [name for name in (*Agent.__annotations__, *_METHODS) if not hasattr(agent, name)]
    if lacks or agent.name != point.name:
        what = f"has no {lacks[0]}" if lacks else f"calls itself {agent.name}"
        raise ValueError(f"the agent {point.name} of {package} {what}; it does not fit this version of speckit-bot")
    return agent


_METHODS = ("version_argv", "models", "command", "report")

__all__ = [
    "ClaudeCode",
    "CodexCli",
    "CustomAgent",
    "CustomDescription",
    "GeminiCli",
    "TemplateAgent",
    "make_agents",
]
