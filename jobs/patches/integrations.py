"""What Spec Kit puts into a repository for each kind of agent ("integration"), as far as a policy must know it.

From specify-cli 1.2.3: its integration registry, and ``agent-context-defaults.json`` of its extension agent-context. A
test holds the table against the ``specify`` of the job image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Integration:
    """``commands`` is the folder of Spec Kit's commands or skills and ends with a slash; ``context_file`` is what the
    agent reads before it works, which Spec Kit keeps up to date. Both are paths in the project, empty for none."""

    commands: str = ""
    context_file: str = ""


_NOTHING_KNOWN = Integration()

INTEGRATIONS: Mapping[str, Integration] = {
    "agy": Integration(".agents/skills/", "AGENTS.md"),
    "alquimia": Integration(".alquimia/skills/", "ALQUIMIA.md"),
    "amp": Integration(".agents/commands/", "AGENTS.md"),
    "auggie": Integration(".augment/commands/", ".augment/rules/specify-rules.md"),
    "bob": Integration(".bob/skills/", "AGENTS.md"),
    "claude": Integration(".claude/skills/", "CLAUDE.md"),
    "cline": Integration(".clinerules/workflows/", ".clinerules/specify-rules.md"),
    "codebuddy": Integration(".codebuddy/commands/", "CODEBUDDY.md"),
    "codex": Integration(".agents/skills/", "AGENTS.md"),
    "command-code": Integration(".commandcode/skills/"),
    # GitHub's own agent has everything in .github, which nothing of ours may change.
    "copilot": Integration(),
    "cursor-agent": Integration(".cursor/skills/", ".cursor/rules/specify-rules.mdc"),
    "devin": Integration(".devin/skills/", "AGENTS.md"),
    "docker-agent": Integration(".agents/skills/"),
    "droid": Integration(".factory/skills/"),
    "dsh": Integration(".dsh/skills/"),
    "firebender": Integration(".firebender/commands/", ".firebender/rules/specify-rules.mdc"),
    "forge": Integration(".forge/commands/", "AGENTS.md"),
    "gemini": Integration(".gemini/commands/", "GEMINI.md"),
    "generic": Integration(context_file="AGENTS.md"),
    "goose": Integration(".goose/recipes/", "AGENTS.md"),
    "grok": Integration(".grok/skills/", "AGENTS.md"),
    "hermes": Integration(context_file="AGENTS.md"),
    "junie": Integration(".junie/commands/", ".junie/AGENTS.md"),
    "kilocode": Integration(".kilo/commands/", ".kilocode/rules/specify-rules.md"),
    "kimi": Integration(".kimi-code/skills/", "AGENTS.md"),
    "kiro-cli": Integration(".kiro/prompts/", "AGENTS.md"),
    "lingma": Integration(".lingma/skills/", ".lingma/rules/specify-rules.md"),
    "mcode": Integration(".minimax/skills/", "AGENTS.md"),
    "muse": Integration(".agents/skills/", "AGENTS.md"),
    "none": Integration(),
    "omp": Integration(".omp/commands/", "AGENTS.md"),
    "opencode": Integration(".opencode/commands/", "AGENTS.md"),
    "pi": Integration(".pi/prompts/", "AGENTS.md"),
    "qodercli": Integration(".qoder/skills/", "QODER.md"),
    "qwen": Integration(".qwen/commands/", "QWEN.md"),
    "rovodev": Integration(".rovodev/", "AGENTS.md"),
    "shai": Integration(".shai/commands/", "SHAI.md"),
    "tabnine": Integration(".tabnine/agent/commands/", "TABNINE.md"),
    "trae": Integration(".trae/skills/", ".trae/rules/project_rules.md"),
    "vibe": Integration(".vibe/skills/", "AGENTS.md"),
    "zcode": Integration(".zcode/skills/", "ZCODE.md"),
    "zed": Integration(".agents/skills/", "AGENTS.md"),
}


def integration_called(name: str) -> Integration:
    """One that is not known brings no folder and no file."""
    return INTEGRATIONS.get(name, _NOTHING_KNOWN)
