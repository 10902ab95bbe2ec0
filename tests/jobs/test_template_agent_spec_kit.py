"""The agent without a model on Spec Kit's own templates and scripts, as ``specify init`` of the job image has them."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import docker
import pytest

from tests.jobs.template_tree import DATE, FOLDER, Tree

pytestmark = pytest.mark.engine

INIT = (
    "mkdir /tmp/tree && cd /tmp/tree && specify init --here --force --non-interactive --integration codex --script sh "
    "--ignore-agent-tools >&2 && tar -c ."
)
REQUEST = (
    "Let customers pay by invoice. Net 30, EU only. Staff sign in via "
    "[NEEDS CLARIFICATION: method - email/password, SSO, OAuth?]. It must be fast."
)


@pytest.fixture(scope="module")
def spec_kit(docker_host: str, job_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``specify init`` was run, once for all tests of this file."""
    client = docker.DockerClient(base_url=docker_host)
    try:
        content = client.containers.run(
            job_image, ["bash", "-c", INIT], network_mode="none", remove=True, tmpfs={"/tmp": "mode=1777"}
        )
    finally:
        client.close()
    folder = tmp_path_factory.mktemp("spec-kit")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def tree(spec_kit: Path, tmp_path: Path) -> Tree:
    shutil.copytree(spec_kit, tmp_path / "tree")
    return Tree((tmp_path / "tree").resolve())


def everything(tree: Tree) -> list[str]:
    """Every phase once, in the order of a feature's life. Returns what the agent said."""
    said = [tree.work("constitution", text="Test first: no change without a test. Keep it simple.")]
    said.append(tree.work("specify", text=REQUEST))
    said.append(tree.work("clarify"))
    answers = [{"question": one["question"], "answer": one["options"][0]["text"]} for one in tree.result()["questions"]]
    said.append(tree.work("clarify", answers=answers))
    said.append(tree.work("plan", text="Storage: PostgreSQL"))
    said.append(tree.work("tasks"))
    said.append(tree.work("checklist", text="security"))
    said.append(tree.work("analyze"))
    said.append(tree.work("implement", paths=["src/"]))
    return said


def test_every_phase_in_its_turn(tree: Tree) -> None:
    before = set(tree.files())
    assert everything(tree) == [
        "wrote .specify/memory/constitution.md, version 1.0.0: 2 principles added, 0 changed, 0 removed",
        f"wrote {FOLDER}/spec.md: 3 user stories, 6 requirements, 2 open questions; "
        f"2 of 16 items of {FOLDER}/checklists/requirements.md pass",
        f"wrote 3 questions about {FOLDER}/spec.md; no file was changed",
        f"wrote {FOLDER}/spec.md: 3 answers recorded, 3 places changed, 0 questions still open",
        f"wrote {FOLDER}/plan.md from {FOLDER}/spec.md: 8 technical decisions still to be made",
        f"wrote {FOLDER}/tasks.md: 17 tasks for 3 user stories",
        f"wrote {FOLDER}/checklists/security.md: 16 new items, none of them ticked",
        f"wrote 9 findings about {FOLDER} (9 MEDIUM); no file was changed",
        "wrote src/IMPLEMENTATION-NOTES.md: 0 of 17 tasks done; this agent has no model and implemented none",
    ]
    assert set(tree.files()) - before == {
        ".specify/feature.json",
        f"{FOLDER}/spec.md",
        f"{FOLDER}/plan.md",
        f"{FOLDER}/tasks.md",
        f"{FOLDER}/checklists/requirements.md",
        f"{FOLDER}/checklists/security.md",
        "src/IMPLEMENTATION-NOTES.md",
    }
    assert json.loads((tree.root / ".specify/feature.json").read_text()) == {"feature_directory": FOLDER}
    assert "- [ ] I. Test first\n- [ ] II. Keep it simple" in tree.read("plan.md")


def test_the_same_life_twice_gives_the_same_files(tree: Tree) -> None:
    everything(tree)
    first = tree.files()
    shutil.rmtree(tree.root / "specs")
    shutil.rmtree(tree.root / "src")
    everything(tree)
    assert tree.files() == first


def test_no_placeholder_of_spec_kit_is_left(tree: Tree) -> None:
    everything(tree)
    for name in ("spec.md", "plan.md", "tasks.md", "checklists/security.md"):
        content = re.sub(r"`[^`]*`|\[[^\]]*\]\(", "", tree.read(name))
        left = set(re.findall(r"\[[^\]]+\]", content))
        labels = {"[ ]", "[x]", "[P]", "[Story]", "[US1]", "[US2]", "[US3]"}
        quality = {one for one in left if re.match(r"\[[A-Z][\w ]+(?:, (?:Gap|Spec §(?:FR|SC)-\d+))?\]$", one)}
        assert left <= labels | (quality if name.startswith("checklists/") else set())
        assert "ACTION REQUIRED" not in content
    constitution = (tree.root / ".specify/memory/constitution.md").read_text()
    assert not re.search(r"\[[A-Z0-9_]{4,}\]", constitution)


def test_spec_kits_scripts_find_the_feature_afterwards(tree: Tree) -> None:
    everything(tree)
    done = tree.script("check-prerequisites.sh", "--json", "--require-tasks", "--include-tasks")
    assert json.loads(done) == {"FEATURE_DIR": str(tree.root / FOLDER), "AVAILABLE_DOCS": ["tasks.md"]}


def test_a_plan_that_is_there_is_written_anew(tree: Tree) -> None:
    everything(tree)
    # A plan lists the folders there are.
    shutil.rmtree(tree.root / "src")
    before = tree.files()
    assert "anew" in tree.work("plan", text="Storage: PostgreSQL")
    tree.work("tasks")
    assert tree.files() == before


def test_without_a_reservation_spec_kits_script_names_the_folder(tree: Tree) -> None:
    tree.work("specify", text=REQUEST, feature_directory="")
    assert (tree.root / "specs/001-customers-pay-invoice/spec.md").is_file()
    pointer = json.loads((tree.root / ".specify/feature.json").read_text())
    assert pointer == {"feature_directory": "specs/001-customers-pay-invoice"}


def test_an_override_of_a_template_is_used(tree: Tree) -> None:
    overrides = tree.root / ".specify/templates/overrides"
    overrides.mkdir()
    (overrides / "spec-template.md").write_text(
        "# Ours: [FEATURE NAME]\n\n## Requirements\n\n### Functional Requirements\n"
    )
    (overrides / "checklist-template.md").write_text("# Ours: [CHECKLIST TYPE]\n\n## Notes\n")
    tree.work("specify", text=REQUEST)
    tree.work("checklist", text="ux")
    assert tree.read("spec.md").startswith("# Ours: Let customers pay by invoice\n")
    assert "- **FR-001**:" in tree.read("spec.md")
    assert tree.read("checklists/ux.md").startswith("# Ours: UX\n\n## Requirement Completeness\n")


def test_reading_phases_leave_even_spec_kits_pointer_alone(tree: Tree) -> None:
    everything(tree)
    (tree.root / ".specify/feature.json").unlink()
    before = tree.files()
    tree.work("clarify")
    tree.work("analyze")
    assert tree.files() == before
    assert DATE in tree.read("plan.md")
