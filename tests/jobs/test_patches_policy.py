"""Which phase may change what, and what no configuration makes good."""

from __future__ import annotations

import json
import re
import time

import docker
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from db.vocabulary import AGENT_PHASES, ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import PatchPolicy, init_policy, judge, parse_patch, policy_for
from jobs.patches.globs import matches
from jobs.patches.integrations import INTEGRATIONS
from tests.jobs.patch_builders import added, deleted, modified

FEATURE = "specs/001-pay"


def takes(policy: PatchPolicy, path: str) -> bool:
    try:
        judge(parse_patch(added(path)), policy)
    except UserError:
        return False
    return True


def refusal(policy: PatchPolicy, path: str) -> str:
    with pytest.raises(UserError) as refused:
        judge(parse_patch(added(path)), policy)
    return refused.value.message


PLACES = {
    "spec": f"{FEATURE}/spec.md",
    "checklist": f"{FEATURE}/checklists/ux.md",
    "tasks": f"{FEATURE}/tasks.md",
    "other feature": "specs/002-other/spec.md",
    "memory": ".specify/memory/constitution.md",
    "template": ".specify/templates/spec-template.md",
    "script": ".specify/scripts/bash/common.sh",
    "feature file": ".specify/feature.json",
    "settings": ".specify/init-options.json",
    "context": "AGENTS.md",
    "context of another agent": "CLAUDE.md",
    "skill": ".agents/skills/speckit-plan/SKILL.md",
    "source": "src/pay/api.py",
    "document": "docs/pay.md",
}
OF_FEATURE = {"spec", "checklist", "tasks"}
ALLOWED = {
    Phase.SPECKIT_CONSTITUTION: {"memory", "template"},
    Phase.SPECKIT_SPECIFY: {*OF_FEATURE, "feature file", "context"},
    Phase.SPECKIT_CLARIFY: OF_FEATURE,
    Phase.SPECKIT_REFINE: {"spec"},
    Phase.SPECKIT_PLAN: {*OF_FEATURE, "feature file", "context"},
    Phase.SPECKIT_TASKS: {*OF_FEATURE, "feature file", "context"},
    Phase.SPECKIT_CHECKLIST: OF_FEATURE,
    Phase.SPECKIT_ANALYZE: set(),
    Phase.SPECKIT_IMPLEMENT: {"tasks", "source"},
}


@pytest.mark.parametrize("phase", AGENT_PHASES)
@pytest.mark.parametrize("project", ["", "packages/api"])
def test_each_phase_changes_its_own_files_only(phase: Phase, project: str) -> None:
    at = f"{project}/" if project else ""
    policy = policy_for(
        phase,
        project=project,
        feature_directory=f"{at}{FEATURE}",
        section_path=f"{at}{FEATURE}/spec.md",
        paths=[f"{at}src/"],
        integration="codex",
    )
    assert {name for name, path in PLACES.items() if takes(policy, at + path)} == ALLOWED[phase]
    assert not takes(policy, "packages/web/specs/001-pay/spec.md")
    if project:
        assert not any(takes(policy, path) for path in PLACES.values())


def test_a_phase_without_an_agent_has_no_policy() -> None:
    with pytest.raises(ValueError, match="no agent works in open_pr"):
        policy_for(Phase.OPEN_PR, project="", feature_directory="")


def test_a_feature_without_a_folder_may_be_any() -> None:
    policy = policy_for(Phase.SPECKIT_SPECIFY, project="a", feature_directory="")
    assert takes(policy, "a/specs/007-x/spec.md")
    assert not takes(policy, "specs/007-x/spec.md")


def test_no_section_and_no_paths_allow_nothing_more() -> None:
    refine = policy_for(Phase.SPECKIT_REFINE, project="", feature_directory=FEATURE)
    implement = policy_for(Phase.SPECKIT_IMPLEMENT, project="", feature_directory=FEATURE)
    assert {name for name, path in PLACES.items() if takes(refine, path)} == set()
    assert {name for name, path in PLACES.items() if takes(implement, path)} == {"tasks"}


def test_what_specify_init_writes_lies_in_the_project() -> None:
    policy = init_policy("packages/api", "codex")
    for path in ("packages/api/.specify/x", "packages/api/.agents/skills/speckit-plan/SKILL.md"):
        assert takes(policy, path)
    for path in (".specify/x", "packages/api/specs/a.md", "packages/.specify/x"):
        assert not takes(policy, path)


@pytest.mark.parametrize(
    ("integration", "context", "commands"),
    [
        ("codex", "AGENTS.md", ".agents/skills/speckit-plan/SKILL.md"),
        ("claude", "CLAUDE.md", ".claude/skills/speckit-plan/SKILL.md"),
        ("gemini", "GEMINI.md", ".gemini/commands/speckit.plan.toml"),
        ("cursor-agent", ".cursor/rules/specify-rules.mdc", ".cursor/skills/speckit-plan/SKILL.md"),
    ],
)
def test_each_agent_has_a_context_file_and_spec_kit_a_folder_for_it(
    integration: str, context: str, commands: str
) -> None:
    plan = policy_for(Phase.SPECKIT_PLAN, project="a", feature_directory=FEATURE, integration=integration)
    init = init_policy("a", integration)
    files = ("AGENTS.md", "CLAUDE.md", "GEMINI.md", ".cursor/rules/specify-rules.mdc")
    assert [path for path in files if takes(plan, f"a/{path}")] == [context]
    assert not takes(plan, context)
    assert takes(init, f"a/{commands}")
    assert not takes(plan, f"a/{commands}")
    for path in ("a/.claude/settings.json", "a/.gemini/settings.json", "a/.codex/config.toml", "a/.mcp.json"):
        assert not takes(init, path)
        assert not takes(plan, path)


def test_an_agent_that_spec_kit_does_not_know_has_nothing_of_the_kind() -> None:
    plan = policy_for(Phase.SPECKIT_PLAN, project="", feature_directory=FEATURE, integration="whoever")
    assert (plan.folders, plan.files) == ((f"{FEATURE}/",), (".specify/feature.json",))
    assert init_policy("", "whoever").folders == (".specify/",)


@pytest.mark.engine
def test_the_table_says_what_the_specify_of_the_image_says(engine: docker.DockerClient, job_image: str) -> None:
    said = engine.containers.run(
        job_image, ["/opt/speckit/venv/bin/python", "-c", ASK], network_mode="none", remove=True, entrypoint=""
    )
    folders, files = json.loads(said)
    assert set(folders) == set(INTEGRATIONS)
    for name, known in INTEGRATIONS.items():
        assert known.commands in {"", *(f"{folder}/" for folder in folders[name])}, name
        assert bool(known.commands) == any(folders[name]) or name in {"copilot", "hermes"}, name
        assert known.context_file in {"", files.get(name)}, name
        assert bool(known.context_file) == (name in files) or name == "copilot", name


ASK = """
import json, pathlib, specify_cli
from specify_cli.integrations import INTEGRATION_REGISTRY as registry
def folders(one):
    config, folder = one.config or {}, (one.registrar_config or {}).get("dir") or ""
    whole = (config.get("folder") or "").rstrip("/")
    return [folder, whole, f"{whole}/{config.get('commands_subdir')}" if whole else "", f"{whole}/skills" if whole else ""]
defaults = pathlib.Path(specify_cli.__file__).parent / "core_pack/extensions/agent-context/agent-context-defaults.json"
print(json.dumps([{name: folders(one) for name, one in registry.items()}, json.loads(defaults.read_text())["agents"]]))
"""


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".GitHub/workflows/ci.yml",
        "src/.github/dependabot.yml",
        ".gitignore",
        "src/.gitattributes",
        "src/.GITIGNORE",
        ".gitlab-ci.yml",
        ".gitlab/ci/build.yml",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".circleci/config.yml",
        "Jenkinsfile",
        "azure-pipelines.yml",
        ".vscode/tasks.json",
        ".devcontainer/devcontainer.json",
        ".codex/config.toml",
        ".agents/skills/speckit-plan/SKILL.md",
        ".claude/settings.json",
        ".gemini/settings.json",
        ".opencode/commands/speckit.plan.md",
        ".husky/pre-commit",
        "src/.envrc",
        ".specify/memory/constitution.md",
        "a/.specify/scripts/bash/common.sh",
    ],
)
def test_some_files_are_refused_whatever_is_configured(path: str) -> None:
    places = ["**", "**/*", path, f"{path.rpartition('/')[0]}/"]
    policy = policy_for(Phase.SPECKIT_IMPLEMENT, project="", feature_directory=FEATURE, paths=places)
    for patch in (added(path), modified(path), deleted(path)):
        with pytest.raises(UserError) as refused:
            judge(parse_patch(patch), policy)
        assert refused.value.code is ErrorCode.PUBLISH_PROTECTED_PATH
        assert f"`{path}`" in refused.value.message


def test_github_reads_nothing_that_any_phase_wrote() -> None:
    """Not even where somebody takes ``.github`` for the folder of a project."""
    policy = policy_for(Phase.SPECKIT_SPECIFY, project=".github", feature_directory="")
    assert not takes(policy, ".github/specs/001-x/spec.md")


def test_a_refusal_names_the_file_and_the_rule() -> None:
    refine = policy_for(Phase.SPECKIT_REFINE, project="", feature_directory=FEATURE, section_path=f"{FEATURE}/spec.md")
    assert refusal(refine, f"{FEATURE}/plan.md") == (
        "The agent changed `specs/001-pay/plan.md`: this phase may change only `specs/001-pay/spec.md`."
    )
    analyze = policy_for(Phase.SPECKIT_ANALYZE, project="", feature_directory=FEATURE)
    assert refusal(analyze, "a.md") == "The agent changed `a.md`: this phase may change no file."
    implement = policy_for(
        Phase.SPECKIT_IMPLEMENT, project="", feature_directory=FEATURE, paths=["src/", "docs/*.md", *"abcdefghij"]
    )
    assert refusal(implement, "x") == (
        "The agent changed `x`: this phase may change only `src/`, `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, `i` "
        "and 3 more places."
    )
    assert refusal(implement, "src/Jenkinsfile") == (
        "The agent changed `src/Jenkinsfile`: no run may change `**/jenkinsfile`, whatever is allowed besides."
    )


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("src/**", ["src/a", "src/a/b/c.py"], ["src", "srcx/a", "a/src/b"]),
        ("src/", ["src/a", "src/a/b"], ["src", "src2/a"]),
        ("src/*", ["src/a", "src/.a"], ["src", "src/a/b"]),
        ("src/*/api.py", ["src/x/api.py"], ["src/api.py", "src/x/y/api.py"]),
        ("src/**/api.py", ["src/api.py", "src/x/api.py", "src/x/y/api.py"], ["api.py", "src/x/api.pyc"]),
        ("**/*.py", ["a.py", "x/y/a.py"], ["a.pyc", "x.py/a"]),
        ("*.md", ["a.md", ".md"], ["docs/a.md"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/y/z/c"], ["a/c", "a/b/x"]),
        ("**", ["a", "a/b"], []),
        ("**/", ["a", "a/b"], []),
        ("packages/*/src/", ["packages/a/src/x", "packages/a/src/x/y"], ["packages/a/x", "packages/a/src"]),
        ("a?[b]*", ["a?[b]", "a?[b]c"], ["axb", "a?b"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("src/a.py", ["src/a.py"], ["src/a.py/b", "src/A.py"]),
        ("", [], ["a"]),
        ("/", [], ["a"]),
        ("/src/**", [], ["src/a"]),
        ("../**", [], ["a", "src/a"]),
    ],
)
def test_globs_stand_for_what_people_expect(glob: str, inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside if not matches(path, glob)] == []
    assert [path for path in outside if matches(path, glob)] == []


NAME = st.text("ab.", min_size=1, max_size=3)
PART = st.one_of(st.just("**"), st.text("ab.*", min_size=1, max_size=3).filter(lambda part: part != "**"))


def as_expression(glob: str) -> str:
    """The same glob as a regular expression."""
    parts = glob.split("/")
    made = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            made += "[^/]+(?:/[^/]+)*" if is_last else "(?:[^/]+/)*"
        else:
            made += re.escape(part).replace(r"\*", "[^/]*") + ("" if is_last else "/")
    return made


@given(st.lists(NAME, min_size=1, max_size=5), st.lists(PART, min_size=1, max_size=5))
@example(["a"], ["**", "**"])
def test_a_glob_is_what_its_expression_is(names: list[str], parts: list[str]) -> None:
    path, glob = "/".join(names), "/".join(parts)
    assert matches(path, glob) == (re.fullmatch(as_expression(glob), path) is not None)


def test_a_glob_that_would_take_for_ever_takes_no_time() -> None:
    began = time.monotonic()
    assert not matches("/".join(["a" * 40] * 12), "/".join(["**", "*a*a*a*a*a*a*a*a*b"] * 40))
    assert time.monotonic() - began < 1
