"""The agent without a model reviews a specification: checklists for people to tick, and what rules can find."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.jobs.template_tree import FOLDER, REQUEST, SPEC_TEMPLATE, Stuck, Tree, library, make_tree

CHECKLIST = library("fill_checklist")
SPEC = """# Feature Specification: Invoices

## User Scenarios & Testing *(mandatory)*

### User Story 1 - Pay (Priority: P1)

1. **Given** an order, **When** it is paid, **Then** customers see it

### User Story 2 - Remind (Priority: P2)

Somebody is reminded.

## Requirements *(mandatory)*

- **FR-001**: System MUST send an invoice by mail
- **FR-002**: System MUST send an invoice by mail
- **FR-003**: System MUST answer fast
- **FR-004**: System MUST keep records [NEEDS CLARIFICATION: how long?]
- **FR-004**: System MUST print labels for parcels
- **FR-005**: System MUST export [some format, e.g., "CSV"]

## Success Criteria *(mandatory)*

- **SC-001**: 9 of 10 customers pay
"""
PLAN = """# Implementation Plan: Invoices

## Summary

Invoices, TODO.

## Technical Context

**Storage**: NEEDS CLARIFICATION (not said)

## Constitution Check

- [ ] Test first
- [x] Keep it simple
"""
TASKS = """# Tasks: Invoices

## Phase 1: Setup

- [ ] T001 [P] Resolve every TODO and NEEDS CLARIFICATION
- [ ] T002 [US1] Send an invoice by mail (FR-001 to FR-003)
- [x] T002 [US7] Print FR-009
- [ ] T003 Labels for parcels are printed
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = make_tree(tmp_path)
    made.write("spec.md", SPEC)
    made.write("plan.md", PLAN)
    made.write("tasks.md", TASKS)
    return made


def findings(tree: Tree) -> list[tuple[str, str, str, int | None, str]]:
    """(id, severity, file, line, summary)"""
    tree.work("analyze")
    return [
        (one["id"], one["severity"], one["path"].removeprefix(f"{FOLDER}/"), one["line"], one["summary"])
        for one in tree.result()["findings"]
    ]


def test_findings_say_where_and_what(tree: Tree) -> None:
    done = tree.ask("analyze")
    assert done.stdout == f"wrote 15 findings about {FOLDER} (2 CRITICAL, 7 HIGH, 6 MEDIUM); no file was changed\n"
    assert findings(tree) == [
        (
            "C1",
            "CRITICAL",
            "spec.md",
            18,
            "No task covers FR-004: System MUST keep records [NEEDS CLARIFICATION: how long?]",
        ),
        ("C2", "CRITICAL", "spec.md", 20, 'No task covers FR-005: System MUST export [some format, e.g., "CSV"]'),
        ("C3", "HIGH", "spec.md", 9, "No task is labelled US2: user story 2 is not planned."),
        ("D1", "HIGH", "spec.md", 16, "FR-001 and FR-002 say the same."),
        ("A1", "HIGH", "spec.md", 17, 'FR-003 says "fast" and gives no measure.'),
        ("A2", "HIGH", "spec.md", 18, "Open question: how long?"),
        ("I1", "HIGH", "spec.md", 19, "FR-004 is the number of two requirements, in lines 18 and 19."),
        ("I2", "HIGH", "tasks.md", 7, "T002 names FR-009, which is not in the specification."),
        ("I3", "HIGH", "tasks.md", 7, "T002 is for user story 7, which is not in the specification."),
        ("U1", "MEDIUM", "spec.md", 9, "User story 2 has no acceptance scenario."),
        ("U2", "MEDIUM", "spec.md", 20, 'Not filled in: [some format, e.g., "CSV"]'),
        ("U3", "MEDIUM", "plan.md", 5, "Not filled in: TODO"),
        ("A3", "MEDIUM", "plan.md", 9, "Still to be decided: Storage"),
        ("P1", "MEDIUM", "plan.md", 11, "1 of the constitution's gates is not ticked."),
        ("I4", "MEDIUM", "tasks.md", 7, "T002 is the number of two tasks, in lines 6 and 7."),
    ]
    assert all(one["recommendation"] and one["category"] for one in tree.result()["findings"])


def test_analyzing_changes_no_file_and_says_the_same_again(tree: Tree) -> None:
    before = tree.files()
    first = findings(tree)
    assert findings(tree) == first
    assert tree.files() == before


@pytest.mark.parametrize("name", ["spec", "plan", "tasks"])
def test_a_missing_file_is_told_with_the_command_that_makes_it(tree: Tree, name: str) -> None:
    (tree.root / FOLDER / f"{name}.md").unlink()
    command = {"spec": "specify"}.get(name, name)
    done = tree.ask("analyze")
    sentence = f"speckit-template-agent: {FOLDER}/{name}.md is not there; the command `{command}` makes it\n"
    assert (done.returncode, done.stderr) == (1, sentence)


def test_empty_files_lack_their_sections(tree: Tree) -> None:
    for name in ("spec", "plan", "tasks"):
        tree.write(f"{name}.md", "")
    assert [(severity, path, text) for _, severity, path, _, text in findings(tree)] == [
        ("CRITICAL", "spec.md", "The section Functional Requirements is missing or empty."),
        ("CRITICAL", "tasks.md", "There is no task in the form `- [ ] T001 ...`."),
        ("HIGH", "spec.md", "The section User Scenarios is missing or empty."),
        ("HIGH", "spec.md", "The section Success Criteria is missing or empty."),
        ("HIGH", "plan.md", "The section Technical Context is missing or empty."),
        ("HIGH", "tasks.md", "The section Phase is missing or empty."),
        ("MEDIUM", "plan.md", "The section Summary is missing or empty."),
    ]


def test_fifty_findings_are_listed_the_worst_of_them(tree: Tree) -> None:
    lines = "".join(f"- **FR-{number:03}**: thing{number} must be fast\n" for number in range(100, 180))
    tree.write("spec.md", SPEC + lines)
    assert "only the first 50 are listed" in tree.work("analyze")
    listed = tree.result()["findings"]
    assert len(listed) == 50
    assert {one["severity"] for one in listed} == {"CRITICAL"}
    assert len({one["id"] for one in listed}) == 50


def test_what_this_agent_wrote_itself_has_no_finding_but_what_is_open(tree: Tree) -> None:
    (tree.root / FOLDER / "spec.md").unlink()
    (tree.root / ".specify/templates/spec-template.md").write_text(SPEC_TEMPLATE.replace("[the guild]", "the guild"))
    for phase in ("specify", "plan", "tasks"):
        tree.work(phase, text=REQUEST if phase == "specify" else "")
    found = findings(tree)
    assert {(path, text.split(":")[0]) for _, _, path, _, text in found} == {
        ("spec.md", "Open question"),
        ("plan.md", "Still to be decided"),
    }


def test_answered_words_are_no_longer_vague(tree: Tree) -> None:
    tree.write("spec.md", SPEC.replace("answer fast", "answer fast (clarified: within a second)"))
    assert not [text for *_, text in findings(tree) if '"fast"' in text]


def test_numbers_with_a_letter_are_numbers(tree: Tree) -> None:
    tree.write("spec.md", SPEC + "- **FR-006a**: System MUST weigh parcels\n")
    tree.write("tasks.md", TASKS + "- [ ] T009 See FR-006a and FR-006b\n")
    found = [text for *_, text in findings(tree)]
    assert "T009 names FR-006b, which is not in the specification." in found
    assert not [text for text in found if "FR-006a" in text]
    section = {"path": f"{FOLDER}/spec.md", "heading": "", "first_line": 1, "last_line": 40}
    tree.work("refine", text="FR-006A in grams", section=section)
    assert "- **FR-006a**: System MUST weigh parcels. in grams\n" in tree.read("spec.md")


def test_labels_links_and_code_are_no_placeholders(tree: Tree) -> None:
    tree.write(
        "plan.md",
        PLAN.replace("TODO", "[P], [US1], [the spec](spec.md), `[some code here]`, \\[a b\\] and [x][y z]")
        + "\n```text\n[some tree here] TODO\n```\n<!-- [some advice here] -->\n",
    )
    assert not [text for *_, path, _, text in findings(tree) if path == "plan.md" and "Not filled" in text]


def test_a_checklist_is_made_from_the_template(tree: Tree) -> None:
    done = tree.ask("checklist", text="Security: who may see an invoice?")
    checklist = tree.read("checklists/security.md")
    assert done.stdout == f"wrote {FOLDER}/checklists/security.md: 17 new items, none of them ticked\n"
    assert checklist.startswith(
        "# Security Checklist: Invoices\n\n**Purpose**: Security: who may see an invoice?\n"
        "**Created**: 2026-11-22\n**Feature**: [spec.md](../spec.md)\n\n## Requirement Completeness\n\n"
        '- [ ] CHK001 Do the requirements say everything about "Security: who may see an invoice?"? [Completeness, Gap]'
    )
    assert checklist.endswith("## Notes\n\n- kept\n")
    assert "sample" not in checklist
    assert 'Is "fast" in FR-003 given a measure? [Clarity, Spec §FR-003]' in checklist
    assert "Is the open question in FR-004 decided? [Ambiguity, Spec §FR-004]" in checklist
    numbers = re.findall(r"- \[ \] CHK(\d+) ", checklist)
    assert numbers == [f"{number:03}" for number in range(1, len(numbers) + 1)]
    assert "[x]" not in checklist


def test_a_checklist_that_is_there_gains_what_it_lacks(tree: Tree) -> None:
    tree.work("checklist", text="Security: who may see an invoice?")
    before = tree.read("checklists/security.md").replace("- [ ] CHK002", "- [x] CHK002")
    tree.write("checklists/security.md", before)
    tree.work("checklist", text="Privacy of addresses.")
    added = '- [ ] CHK018 Do the requirements say everything about "Privacy of addresses."? [Completeness, Gap]\n'
    assert tree.read("checklists/security.md") == before.replace(
        "\n## Notes", f"\n## Added on 2026-11-22\n\n{added}\n## Notes"
    )
    tree.work("checklist", text="Privacy of names.")
    assert added + added.replace("018", "019").replace("addresses", "names") in tree.read("checklists/security.md")


def test_the_same_checklist_again_changes_nothing(tree: Tree) -> None:
    tree.work("checklist", text="UX")
    before = tree.files()
    assert "has all of these items already" in tree.work("checklist", text="UX", date="2027-01-01")
    assert tree.files() == before


def test_a_checklist_without_notes_and_with_other_line_ends(tree: Tree) -> None:
    tree.write("checklists/ux.md", "# Mine\r\n\r\n- [X] CHK041 Mine\r\n")
    tree.work("checklist", text="UX")
    checklist = tree.read("checklists/ux.md")
    assert checklist.startswith("# Mine\r\n\r\n- [X] CHK041 Mine\r\n\r\n## Added on 2026-11-22\r\n\r\n- [ ] CHK042 ")
    assert "\n" not in checklist.replace("\r\n", "")


@pytest.mark.parametrize(
    ("wishes", "name"),
    [
        ("", "general"),
        ("🚀", "general"),
        ("דרישות", "general"),
        ("requirements", "requirements-review"),
        ("Check the UX", "ux"),
        ("Is it accessible by keyboard", "accessibility"),
        ("../../etc/passwd", "etc-passwd"),
        ("Legal review of terms", "legal-review-terms"),
    ],
)
def test_names_of_checklists(wishes: str, name: str) -> None:
    assert CHECKLIST.checklist_name(wishes) == name


def test_a_checklist_asks_forty_things_at_most(tree: Tree) -> None:
    tree.write("spec.md", SPEC + "".join(f"- **FR-{number}**: it must be fast\n" for number in range(100, 300)))
    tree.work("checklist", text="Everything. " * 50 + " ".join(f"Sentence {number}." for number in range(100)))
    assert tree.read("checklists/everything.md").count("- [ ] CHK") == 40


def test_a_checklist_needs_a_specification_and_a_template(tree: Tree) -> None:
    (tree.root / ".specify/templates/checklist-template.md").unlink()
    with pytest.raises(Stuck, match="specify init"):
        tree.work("checklist")
    (tree.root / FOLDER / "spec.md").unlink()
    with pytest.raises(Stuck, match="the command `specify` makes it"):
        tree.work("checklist")
