"""What tells an agent how to work, told from the work itself."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.containers.agent_files import instructions_from
from tests.jobs.template_tree import library

INSTRUCTIONS: Any = library("instructions")


@pytest.mark.parametrize(
    ("path", "with_spec_kit", "without"),
    [
        ("AGENTS.md", True, True),
        ("AGENTS.override.md", True, True),
        ("packages/api/CLAUDE.md", True, True),
        (".cursor/rules/specify-rules.mdc", True, True),
        ("docs/AGENTS.md.txt", False, False),
        ("MY-AGENTS.md", False, False),
        (".claude", True, True),
        (".claude/skills/deploy/SKILL.md", True, True),
        ("packages/api/.agents/skills/x/SKILL.md", True, True),
        # Of a Spec Kit that an earlier run of ours set up, where the base branch has none.
        (".agents/skills/speckit-plan/SKILL.md", True, False),
        (".gemini/commands/speckit.plan.toml", True, False),
        ("web/.specify/scripts/bash/setup-plan.sh", True, False),
        ("web/.specify/templates/plan-template.md", True, False),
        # The work itself, and another project's.
        ("web/.specify/feature.json", False, False),
        ("web/.specify/memory/constitution.md", False, False),
        (".specify/scripts/bash/setup-plan.sh", False, False),
        ("web/specs/001-x/plan.md", False, False),
        ("src/agents.py", False, False),
    ],
)
def test_what_is_an_instruction(path: str, with_spec_kit: bool, without: bool) -> None:
    wanted = instructions_from("main", "web")
    instructions = INSTRUCTIONS.Instructions(wanted)
    assert instructions.include(path, spec_kit=True) is with_spec_kit
    assert instructions.include(path, spec_kit=False) is without


def test_nothing_comes_from_elsewhere_where_there_is_no_other_branch() -> None:
    assert instructions_from("", "web") is None


def test_what_goes_is_told_to_git_before_what_comes() -> None:
    zeros, blob = "0" * 40, "b" * 40
    raw = (
        f":100644 100755 {'a' * 40} {blob} M\0.agents/run\0"
        f":100644 000000 {'a' * 40} {zeros} D\0.agents\0"
        f":100644 160000 {'a' * 40} {'c' * 40} T\0nested\0"
        f":000000 120000 {zeros} {blob} A\0odd\udcff \n.md\0"
    )
    entries = list(INSTRUCTIONS.differences(raw.encode("utf-8", "surrogateescape")))
    assert INSTRUCTIONS.index_lines(entries).split(b"\0") == [
        f"0 {zeros}\t.agents".encode(),
        f"0 {zeros}\tnested".encode(),
        f"100755 {blob}\t.agents/run".encode(),
        f"120000 {blob}\todd".encode() + b"\xff \n.md",
        b"",
    ]
