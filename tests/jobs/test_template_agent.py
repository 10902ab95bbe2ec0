"""The agent without a model: what it writes for which request, on templates of any shape. No container needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "images/job/lib"
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


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    templates = tmp_path / "tree/.specify/templates"
    templates.mkdir(parents=True)
    (templates / "spec-template.md").write_text(SPEC_TEMPLATE)
    (templates / "plan-template.md").write_text(PLAN_TEMPLATE)
    (templates / "tasks-template.md").write_text(TASKS_TEMPLATE)
    return tmp_path / "tree"


def run(tree: Path, phase: str, text: str = "", folder: str = "") -> subprocess.CompletedProcess[bytes]:
    request = tree.parent / "request.json"
    request.write_text(json.dumps({"phase": phase, "text": text, "date": "2026-11-22", "feature_directory": folder}))
    return subprocess.run(
        [sys.executable, "-m", "speckit_container.template_agent", str(request)],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LIBRARY), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )


def specify(tree: Path, text: str) -> tuple[str, str]:
    """Returns (folder, spec.md)."""
    done = run(tree, "speckit_specify", text)
    assert done.returncode == 0, done.stderr.decode()
    (spec,) = tree.glob("specs/*/spec.md")
    return str(spec.parent.relative_to(tree)), spec.read_text("utf-8")


REQUEST = "Let customers pay by invoice. Net 30, EU only.\n\nThe shop must send a reminder after 30 days."


def test_a_request_becomes_a_specification(tree: Path) -> None:
    folder, spec = specify(tree, REQUEST)
    assert folder == "specs/001-customers-pay-invoice"
    assert spec.startswith("# Feature Specification: Let customers pay by invoice\n")
    assert "**Feature Branch**: `001-customers-pay-invoice`" in spec
    assert "**Created**: 2026-11-22" in spec
    assert "> Let customers pay by invoice. Net 30, EU only.\n" in spec
    assert "### User Story 1 - Let customers pay by invoice (Priority: P1)" in spec
    assert "### User Story 2 - The shop must send a reminder after 30 days (Priority: P2)" in spec
    assert "- **FR-002**: System MUST meet this part of the request: Net 30, EU only." in spec
    assert "No language model was used" in spec


def test_no_placeholder_is_left_that_pretends_and_own_sections_stay(tree: Path) -> None:
    _, spec = specify(tree, REQUEST)
    left = set(re.findall(r"\[[^\]]*\](?!\()", spec))
    assert all(mark.startswith("[NEEDS CLARIFICATION:") for mark in left - {"[the guild]"})
    assert "## House Rules\n\nEvery feature here is reviewed by [the guild]." in spec
    assert "ACTION REQUIRED" not in spec
    assert "$ARGUMENTS" not in spec


def test_the_same_request_gives_the_same_file(tree: Path) -> None:
    _, first = specify(tree, REQUEST)
    (tree / "specs/001-customers-pay-invoice/spec.md").unlink()
    (tree / "specs/001-customers-pay-invoice").rmdir()
    assert specify(tree, REQUEST)[1] == first


def test_plan_and_tasks_follow_from_the_specification(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("")
    (tree / "src").mkdir()
    folder, _ = specify(tree, REQUEST)
    assert run(tree, "speckit_plan", folder=folder).returncode == 0
    plan = (tree / folder / "plan.md").read_text("utf-8")
    assert plan.startswith("# Implementation Plan: Let customers pay by invoice\n")
    assert "**Language/Version**: Python" in plan
    assert "[e.g." not in plan
    assert "[Gates]" not in plan
    assert run(tree, "speckit_tasks", folder=folder).returncode == 0
    tasks = (tree / folder / "tasks.md").read_text("utf-8")
    assert "User Story 2 - The shop must send a reminder after 30 days" in tasks
    assert "sample" not in tasks
    assert "## Notes\n\n- kept" in tasks
    numbers = re.findall(r"- \[ \] (T\d{3}) ", tasks)
    assert numbers == [f"T{number:03}" for number in range(1, len(numbers) + 1)]


def test_a_filled_constitution_gives_gates(tree: Path) -> None:
    memory = tree / ".specify/memory"
    memory.mkdir()
    (memory / "constitution.md").write_text("# Ours\n\n### Test first\n\ntext\n\n### Keep it simple\n")
    folder, _ = specify(tree, REQUEST)
    assert run(tree, "speckit_plan", folder=folder).returncode == 0
    assert "- [ ] Test first\n- [ ] Keep it simple" in (tree / folder / "plan.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("🚀🚀🚀", "001-untitled-feature"),
        ("دفع بالفاتورة للعملاء", "001-feature"),
        ("\u202eevil\u202c payments", "001-evil-payments"),
        ("Änderungen an Übersicht", "001-anderungen-ubersicht"),
        ("$(rm -rf /) `id` ; && | --json --help", "001-rm-rf-id-json"),
        ("--help", "001-help"),
        ("../../etc/passwd", "001-etc-passwd"),
        ("a\x00b\x07c invoice", "001-abc-invoice"),
        ("x", "001-x"),
        ("...", "001-untitled-feature"),
        ("# Heading\n\n- item one\n- item two", "001-heading"),
    ],
)
def test_odd_requests_get_a_plain_folder(tree: Path, text: str, folder: str) -> None:
    made, spec = specify(tree, text)
    assert made == f"specs/{folder}"
    assert not set(spec) & set("\x00\x07\u202e\u202c")


def test_a_long_request_is_kept_whole_under_a_short_title(tree: Path) -> None:
    text = "Pay by invoice for customers in the whole of Europe and elsewhere too, with all that belongs to it. " * 650
    _, spec = specify(tree, text[:65_536])
    title = spec.split("\n", 1)[0]
    assert len(title) < 120
    assert len(spec) > 65_536


def test_markdown_and_markup_of_a_request_do_not_act_in_the_lists(tree: Path) -> None:
    _, spec = specify(tree, "Add <script>alert(1)</script> and [x](javascript:y). Users must see | pipes | here.")
    after_the_quote = spec.split("## User Scenarios", 1)[1]
    assert "<script>" not in after_the_quote.replace("\\<", "")
    assert "\\<script\\>" in after_the_quote


def test_numbers_go_on_from_the_features_there_are(tree: Path) -> None:
    (tree / "specs/007-old").mkdir(parents=True)
    done = run(tree, "speckit_specify", REQUEST)
    assert done.returncode == 0
    assert (tree / "specs/008-customers-pay-invoice/spec.md").is_file()


def test_the_repositorys_own_script_decides_on_the_folder(tree: Path) -> None:
    scripts = tree / ".specify/scripts/bash"
    scripts.mkdir(parents=True)
    (scripts / "create-new-feature.sh").write_text(
        'mkdir -p specs/abc && echo "# Ours: [FEATURE NAME]" > specs/abc/spec.md\n'
        'echo noise; echo "{\\"SPEC_FILE\\":\\"$PWD/specs/abc/spec.md\\"}"\n'
    )
    folder, spec = specify(tree, REQUEST)
    assert folder == "specs/abc"
    assert spec.startswith("# Ours: Let customers pay by invoice\n")


@pytest.mark.parametrize("answer", ["/etc/cron.d/x/spec.md", "../x/spec.md", "$PWD/../../spec.md"])
def test_a_script_cannot_lead_out_of_the_tree(tree: Path, answer: str) -> None:
    scripts = tree / ".specify/scripts/bash"
    scripts.mkdir(parents=True)
    (scripts / "create-new-feature.sh").write_text(f'echo "{{\\"SPEC_FILE\\":\\"{answer}\\"}}"\n')
    done = run(tree, "speckit_specify", REQUEST)
    assert done.returncode == 1
    assert done.stderr


def test_what_is_missing_is_said(tree: Path) -> None:
    done = run(tree, "speckit_plan", folder="specs/001-x")
    assert (done.returncode, done.stderr.decode()) == (1, "speckit-template-agent: spec.md is not there\n")
    (tree / ".specify/templates/spec-template.md").unlink()
    done = run(tree, "speckit_specify", REQUEST)
    assert done.returncode == 1
    assert b"specify init" in done.stderr


def test_a_template_without_any_known_section_is_filled_where_it_can_be(tree: Path) -> None:
    (tree / ".specify/templates/spec-template.md").write_text("# [FEATURE NAME]\n\nBy us.\n\n## Why\n\nBecause.\n")
    _, spec = specify(tree, REQUEST)
    assert spec.startswith("# Let customers pay by invoice\n\nBy us.\n")
    assert spec.endswith("## Why\n\nBecause.\n")
