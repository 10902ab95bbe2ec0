"""The agent without a model: its specification, plan and tasks, on templates of any shape. No container needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.template_tree import FOLDER, LIBRARY, REQUEST, Stuck, Tree, make_tree, requirements_of


@pytest.fixture
def project(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


@pytest.fixture
def tree(project: Tree) -> Path:
    return project.root


def run(tree: Path, phase: str, text: str = "", folder: str = "") -> subprocess.CompletedProcess[str]:
    return Tree(tree).ask(phase.removeprefix("speckit_"), text=text, feature_directory=folder)


def specify(tree: Path, text: str) -> tuple[str, str]:
    """Returns (folder, spec.md)."""
    Tree(tree).work("specify", text=text, feature_directory="")
    (spec,) = tree.glob("specs/*/spec.md")
    return str(spec.parent.relative_to(tree)), spec.read_text("utf-8")


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
    shutil.rmtree(tree / "specs")
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
    assert done.returncode == 1
    assert done.stderr == "speckit-template-agent: specs/001-x/spec.md is not there; the command `specify` makes it\n"
    (tree / ".specify/templates/spec-template.md").unlink()
    done = run(tree, "speckit_specify", REQUEST)
    assert done.returncode == 1
    assert "specify init" in done.stderr


def test_a_template_without_any_known_section_is_filled_where_it_can_be(tree: Path) -> None:
    (tree / ".specify/templates/spec-template.md").write_text("# [FEATURE NAME]\n\nBy us.\n\n## Why\n\nBecause.\n")
    _, spec = specify(tree, REQUEST)
    assert spec.startswith("# Let customers pay by invoice\n\nBy us.\n")
    assert spec.endswith("## Why\n\nBecause.\n")


def test_a_reserved_folder_is_made_and_pointed_to(project: Tree) -> None:
    done = project.ask("specify", text=REQUEST)
    assert done.stdout == (
        f"wrote {FOLDER}/spec.md: 2 user stories, 6 requirements, 1 open question; "
        f"2 of 16 items of {FOLDER}/checklists/requirements.md pass\n"
    )
    assert json.loads((project.root / ".specify/feature.json").read_text()) == {"feature_directory": FOLDER}
    assert "**Feature Branch**: `003-pay-by-invoice`" in project.read("spec.md")
    assert set(project.files()) == {
        ".specify/feature.json",
        f"{FOLDER}/checklists/requirements.md",
        f"{FOLDER}/spec.md",
        *(f".specify/templates/{name}-template.md" for name in ("spec", "plan", "tasks", "checklist", "constitution")),
    }


def test_a_reserved_folder_is_used_as_it_is_wherever_the_scripts_would_put_one(project: Tree) -> None:
    scripts = project.root / ".specify/scripts/bash"
    scripts.mkdir(parents=True)
    (scripts / "create-new-feature.sh").write_text("exit 1\n")
    (scripts / "resolve-template.sh").write_text(
        """test "$1 $2" = "spec-template --json" && echo '{"TEMPLATE_CONTENT":"# Preset: [FEATURE NAME]\\n"}'\n"""
    )
    project.work("specify", text=REQUEST, feature_directory="docs/specs/20261122-093000-pay")
    spec = (project.root / "docs/specs/20261122-093000-pay/spec.md").read_text()
    assert spec.startswith("# Preset: Let customers pay by invoice\n")


def test_the_checklist_of_the_specification_judges_what_can_be_counted(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    checklist = project.read("checklists/requirements.md")
    assert re.findall(r"- \[x\] (.*)", checklist) == [
        "All mandatory sections are filled in",
        "All acceptance scenarios are defined",
    ]
    assert len(re.findall(r"- \[[ x]\] ", checklist)) == 16
    assert "[NEEDS CLARIFICATION" not in checklist


def test_what_a_reviewer_ticked_stays_in_a_new_round(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    item = "Somebody who does not write software can read it"
    checklist = project.read("checklists/requirements.md").replace(f"- [ ] {item}", f"- [x] {item}")
    project.write("checklists/requirements.md", checklist + "- my own note\n")
    project.work("specify", text="Let customers pay by invoice.")
    assert project.read("checklists/requirements.md") == checklist + "- my own note\n"


def test_a_new_round_keeps_the_numbers_of_what_is_asked_again(project: Tree) -> None:
    project.work("specify", text="Let customers pay by invoice. Net 30, EU only. The shop must send a reminder.")
    first = requirements_of(project.read("spec.md"))
    assert list(first) == ["FR-001", "FR-002", "FR-003", "SC-001", "SC-002"]
    done = project.ask(
        "specify", text="The shop must send a reminder. Staff can export a list. Let customers pay by invoice."
    )
    second = requirements_of(project.read("spec.md"))
    asked = "System MUST meet this part of the request: "
    assert second == {
        "FR-001": f"{asked}Let customers pay by invoice.",
        "FR-003": f"{asked}The shop must send a reminder.",
        "FR-004": f"{asked}Staff can export a list.",
        "SC-002": first["SC-002"],
        "SC-003": "[NEEDS CLARIFICATION: the request gives no number to measure success by; which?]",
    }
    assert "5 requirements (3 kept, 2 new, 2 dropped)" in done.stdout
    assert "Staff can export a list" in project.read("spec.md").split("### Edge Cases")[0]


def test_the_same_round_again_changes_nothing_not_even_on_another_day(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    before = project.files()
    project.work("specify", text=REQUEST, date="2027-01-01")
    assert project.files() == before


def test_numbers_are_not_used_twice_and_many_rounds_stay_in_order(project: Tree) -> None:
    project.work("specify", text="One is. Two is. Three is.")
    project.work("specify", text="One is. Three is.")
    project.work("specify", text="One is. Two is. Three is. Four is.")
    spec = project.read("spec.md")
    assert [name for name in requirements_of(spec) if name.startswith("FR")] == ["FR-001", "FR-003", "FR-004", "FR-005"]


def test_a_requirement_that_a_person_wrote_is_known_by_its_own_words(project: Tree) -> None:
    project.write(
        "spec.md", "# Feature Specification: Old\n\n## Requirements\n\n- **FR-007**: Staff can export a list.\n"
    )
    project.work("specify", text="Let customers pay. Staff can export a list.")
    found = requirements_of(project.read("spec.md"))
    assert found["FR-007"] == "Staff can export a list."
    assert found["FR-008"].endswith("Let customers pay.")


def test_a_new_round_keeps_answers_and_what_people_added(project: Tree) -> None:
    mark = "[NEEDS CLARIFICATION: monthly or yearly?]"
    project.work("specify", text=f"Customers pay {mark} by invoice. It must be fast.")
    answers = [
        {"question": "monthly or yearly?", "answer": "monthly"},
        {"question": 'What does "fast" mean in FR-002?', "answer": "within 1 second"},
    ]
    project.work("clarify", answers=answers)
    project.write("spec.md", project.read("spec.md") + "\n## Glossary\n\n- Invoice: a bill\n")
    before = requirements_of(project.read("spec.md"))
    project.work("specify", text=f"Customers pay {mark} by invoice. It must be fast. Staff see all.")
    spec = project.read("spec.md")
    after = requirements_of(spec)
    assert {name: after[name] for name in before} == before
    assert after["FR-001"].endswith("Customers pay monthly by invoice.")
    assert after["FR-002"].endswith("(clarified: within 1 second)")
    assert spec.index("## Clarifications") < spec.index("## User Scenarios")
    assert "- Q: monthly or yearly? → A: monthly" in spec
    assert spec.endswith("## Glossary\n\n- Invoice: a bill\n")
    assert "monthly or yearly?]" not in spec


def test_an_empty_request_is_told_apart_from_an_odd_one(project: Tree) -> None:
    for text in ("", "  \n\t", "\0\u202e"):
        with pytest.raises(Stuck, match="the request is empty"):
            project.work("specify", text=text)
    assert "specs" not in {name.split("/")[0] for name in project.files()}


def test_a_mark_in_the_request_is_asked_once(project: Tree) -> None:
    text = "Users sign in via [NEEDS CLARIFICATION: which way? Email, SSO or OAuth?](http://x). Then they pay."
    project.work("specify", text=text)
    spec = project.read("spec.md")
    assert spec.count("[NEEDS CLARIFICATION: which way? Email, SSO or OAuth?]") == 1
    assert "OAuth?]\\(http" in spec
    assert "**FR-002**: System MUST meet this part of the request: Then they pay." in spec


def test_wishes_for_a_plan_go_where_they_belong(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    project.work("plan", text="Storage: PostgreSQL 16. We test with pytest. Keep all of it in one file.")
    plan = project.read("plan.md")
    assert "**Storage**: PostgreSQL 16 (asked for with this plan)\n" in plan
    assert "**Testing**: We test with pytest (asked for with this plan)\n" in plan
    assert "**Language/Version**: NEEDS CLARIFICATION" in plan
    assert "still to be worked in**:\n\n- Keep all of it in one file.\n" in plan


def test_wishes_for_tasks_are_noted(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    project.work("plan")
    project.work("tasks", text="Split by team.\n- <b>small</b> steps")
    assert project.read("tasks.md").endswith(
        "## Notes\n\n- kept\n\n**Asked for with these tasks, still to be worked in**:\n\n"
        "- Split by team.\n- \\<b\\>small\\</b\\> steps\n"
    )


def test_plan_and_tasks_again_differ_only_where_the_input_does(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    project.work("plan", text="Storage: files")
    project.work("tasks")
    before = project.files()
    assert "plan.md anew from" in project.work("plan", text="Storage: files")
    project.work("tasks")
    assert project.files() == before
    project.work("specify", text="Staff can export a list.")
    project.work("plan")
    project.work("tasks")
    assert "Staff can export a list" in project.read("plan.md")
    assert "pay by invoice" not in project.read("plan.md") + project.read("tasks.md").replace(FOLDER, "")
    assert "Storage**: NEEDS" in project.read("plan.md")


def test_a_plan_is_written_again_where_the_script_refuses(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    project.work("plan")
    before = project.read("plan.md")
    scripts = project.root / ".specify/scripts/bash"
    scripts.mkdir(parents=True)
    (scripts / "setup-plan.sh").write_text('echo "plan.md is there already" >&2; exit 1\n')
    done = project.ask("plan")
    assert done.returncode == 0
    assert "plan.md is there already" in done.stderr
    assert project.read("plan.md") == before
    (project.root / FOLDER / "plan.md").unlink()
    assert project.ask("plan").returncode == 1


def test_tasks_need_a_plan(project: Tree) -> None:
    project.work("specify", text=REQUEST)
    with pytest.raises(Stuck, match=r"plan.md is not there; the command `plan` makes it"):
        project.work("tasks")


def test_open_questions_of_the_specification_are_not_copied(project: Tree) -> None:
    project.work("specify", text="Pay [NEEDS CLARIFICATION: how?] now.")
    project.work("plan")
    project.work("tasks")
    assert "[NEEDS CLARIFICATION: how?]" in project.read("spec.md")
    assert "[NEEDS CLARIFICATION" not in project.read("plan.md") + project.read("tasks.md")


def test_the_version_is_told(project: Tree) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "speckit_container.template_agent", "--version"],
        env={"PYTHONPATH": str(LIBRARY), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert done.stdout == "speckit-template-agent 1.1.0\n"
