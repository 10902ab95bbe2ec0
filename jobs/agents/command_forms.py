"""How Spec Kit's commands are called, agent by agent: its integration decides.

From specify-cli 1.2.3 (``build_command_invocation`` of each integration); a test holds the table against the
``specify`` of the job image.
"""

from __future__ import annotations

from collections.abc import Mapping

SKILL = "/speckit-{}"
COMMAND = "/speckit.{}"
DOLLAR = "$speckit-{}"

_COMMANDS = ("amp", "auggie", "codebuddy", "firebender", "gemini", "goose", "kilocode", "kiro-cli", "omp", "opencode")
_MORE_COMMANDS = ("pi", "qwen", "shai", "tabnine")
_SKILLS = (
    "agy",
    "alquimia",
    "bob",
    "claude",
    "cline",
    "cursor-agent",
    "devin",
    "docker-agent",
    "droid",
    "dsh",
    "forge",
)
_MORE_SKILLS = ("grok", "junie", "lingma", "mcode", "muse", "qodercli", "rovodev", "trae", "vibe", "zed")

FORMS: Mapping[str, str] = {
    **dict.fromkeys((*_SKILLS, *_MORE_SKILLS), SKILL),
    **dict.fromkeys((*_COMMANDS, *_MORE_COMMANDS), COMMAND),
    **dict.fromkeys(("codex", "command-code", "zcode"), DOLLAR),
    "kimi": "/skill:speckit-{}",
}
"""By integration. What sets nothing up in the repository, or needs options of its own, is not here."""
