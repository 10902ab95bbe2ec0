"""A project folder for the agent ``template``: small templates of Spec Kit's shape, and two ways to give it a request.

``ask`` runs the program as the job container does; ``work`` calls it here, for tests with many requests.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(__file__).parents[2] / "images/job/lib"
FOLDER = "specs/003-pay-by-invoice"
DATE = "2026-11-22"
REQUEST = "Let customers pay by invoice. Net 30, EU only.\n\nThe shop must send a reminder after 30 days."

SPEC_TEMPLATE = """# Feature Specification: [FEATURE NAME]

**Feature Branch**: `[###-feature-name]`

**Created**: [DATE]

**Input**: User description: "$ARGUMENTS"

## User Scenarios & Testing *(mandatory)*

<!-- ACTION REQUIRED: order by importance -->

### User Story 1 - [Brief Title] (Priority: P1)

[Describe this user journey]

### User Story 2 - [Brief Title] (Priority: P2)

[Describe this user journey]

### Edge Cases

- What happens when [boundary condition]?

## Requirements *(mandatory)*

### Functional Requirements

- **FR-001**: System MUST [specific capability]

## House Rules

Every feature here is reviewed by [the guild].

## Success Criteria *(mandatory)*

### Measurable Outcomes

- **SC-001**: [Measurable metric]

## Assumptions

- [Assumption]
"""
PLAN_TEMPLATE = """# Implementation Plan: [FEATURE]

**Branch**: `[###-feature-name]` | **Date**: [DATE] | **Spec**: [link]

## Summary

[Extract from feature spec]

## Technical Context

**Language/Version**: [e.g., Python 3.11 or NEEDS CLARIFICATION]

**Storage**: [e.g., files or NEEDS CLARIFICATION]

**Testing**: [e.g., pytest or NEEDS CLARIFICATION]

## Constitution Check

[Gates]
"""
TASKS_TEMPLATE = """# Tasks: [FEATURE NAME]

**Input**: `/specs/[###-feature-name]/`

## Phase 1: Setup

- [ ] T001 sample

### Details of setup

- [ ] T002 sample

## Phase N: Polish

- [ ] TXXX sample

## Notes

- kept
"""
CHECKLIST_TEMPLATE = """# [CHECKLIST TYPE] Checklist: [FEATURE NAME]

**Purpose**: [Brief description of what this checklist covers]
**Created**: [DATE]
**Feature**: [Link to spec.md or relevant documentation]

<!-- sample items -->

## [Category 1]

- [ ] CHK001 sample

## [Category 2]

- [ ] CHK002 sample

## Notes

- kept
"""
CONSTITUTION_TEMPLATE = """# [PROJECT_NAME] Constitution
<!-- Example: ours -->

## Core Principles

### [PRINCIPLE_1_NAME]
<!-- Example -->
[PRINCIPLE_1_DESCRIPTION]

### [PRINCIPLE_2_NAME]
[PRINCIPLE_2_DESCRIPTION]

## [SECTION_2_NAME]

[SECTION_2_CONTENT]

## Governance

[GOVERNANCE_RULES]

**Version**: [CONSTITUTION_VERSION] | **Ratified**: [RATIFICATION_DATE] | **Last Amended**: [LAST_AMENDED_DATE]
"""


def library(name: str) -> ModuleType:
    """A module of the job image. Nothing is written beside it: the folder is the image's build context."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(LIBRARY))
    try:
        return importlib.import_module(f"speckit_container.{name}")
    finally:
        sys.path.remove(str(LIBRARY))
        sys.dont_write_bytecode = before


AGENT = library("template_agent")
Stuck: type[Exception] = AGENT.Stuck


@dataclass(frozen=True)
class Tree:
    """The project and, beside it, the agent's home."""

    root: Path

    @property
    def result_file(self) -> Path:
        return self.root.parent / "result.json"

    def request(self, phase: str, **fields: object) -> dict[str, object]:
        """A request for the feature in FOLDER, but for what ``fields`` say."""
        return {
            "phase": f"speckit_{phase}",
            "text": "",
            "date": DATE,
            "feature_directory": FOLDER,
            "answers": [],
            "section": None,
            "paths": [],
            "result_file": str(self.result_file),
            **fields,
        }

    def ask(self, phase: str, **fields: object) -> subprocess.CompletedProcess[str]:
        """Run the program."""
        return self.ask_in_words(json.dumps(self.request(phase, **fields)))

    def ask_in_words(self, content: str) -> subprocess.CompletedProcess[str]:
        """Run the program on a request file with this content."""
        path = self.root.parent / "request.json"
        path.write_text(content)
        return subprocess.run(
            [sys.executable, "-m", "speckit_container.template_agent", str(path)],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(LIBRARY),
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            check=False,
            encoding="utf-8",
        )

    def work(self, phase: str, **fields: object) -> str:
        """Do it here. Returns the summary, raises Stuck and the like."""
        summary: str = AGENT.work(json.loads(json.dumps(self.request(phase, **fields))), self.root)
        return summary

    def script(self, name: str, *arguments: str) -> str:
        """Run one of the project's own Spec Kit scripts."""
        return subprocess.run(
            ["bash", f".specify/scripts/bash/{name}", *arguments],
            cwd=self.root,
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout

    def result(self) -> Any:
        return json.loads(self.result_file.read_bytes())

    def read(self, name: str) -> str:
        """A file of the feature."""
        return (self.root / FOLDER / name).read_bytes().decode()

    def write(self, name: str, content: str) -> None:
        path = self.root / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())

    def files(self) -> dict[str, bytes]:
        """Everything in the project."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


def make_tree(folder: Path) -> Tree:
    """A project with templates and without scripts."""
    templates = folder / "tree/.specify/templates"
    templates.mkdir(parents=True)
    for name, content in (
        ("spec", SPEC_TEMPLATE),
        ("plan", PLAN_TEMPLATE),
        ("tasks", TASKS_TEMPLATE),
        ("checklist", CHECKLIST_TEMPLATE),
        ("constitution", CONSTITUTION_TEMPLATE),
    ):
        (templates / f"{name}-template.md").write_text(content)
    return Tree((folder / "tree").resolve())


def requirements_of(spec: str) -> dict[str, str]:
    """Number and text of every requirement."""
    lines = [line for line in spec.splitlines() if line.startswith(("- **FR-", "- **SC-"))]
    return {line[4:10]: line[14:] for line in lines}
