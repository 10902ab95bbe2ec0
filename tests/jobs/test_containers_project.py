"""A project in a folder of the repository: Spec Kit and the agent work there, and patches say where that is."""

from __future__ import annotations

import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import init_policy, judge, parse_patch, policy_for
from jobs.ports import AgentRequest, CommandsFrom
from tests.jobs.git_server import git
from tests.jobs.workplace import DATE, FILES, Rig, ScriptAgent, folder_of

pytestmark = pytest.mark.engine

API = "packages/api"
MONOREPO = {
    **FILES,
    ".specify/memory/constitution.md": b"# Of the root\n",
    "specs/001-root/spec.md": b"# Of the root\n",
    f"{API}/api.py": b"x = 1\n",
    f"{API}/sub/x.py": b"x = 1\n",
    "packages/web/.specify/templates/spec-template.md": b"# Web: [FEATURE NAME]\n",
    "packages/web/specs/004-web/spec.md": b"# Web\n",
}


async def test_the_whole_way_in_a_folder(rig: Rig) -> None:
    rig.server.create("acme/mono", MONOREPO)
    async with rig.workplace() as w:
        tree = await w.take_in("acme/mono", project=API)
        init = parse_patch(tree.init_patch)
        judge(init, init_policy(API, "codex"))
        paths = {change.path for change in init.changes}
        assert f"{API}/.specify/scripts/bash/create-new-feature.sh" in paths
        assert f"{API}/.agents/skills/speckit-analyze/SKILL.md" in paths
        assert {path for path in paths if not path.startswith(f"{API}/")} == set()
        assert b"[FEATURE NAME]" in tree.templates["spec-template.md"]
        assert "# Of the root" not in (await w.run("pwd; cat .specify/memory/constitution.md")).message
        specify = await w.work(Phase.SPECKIT_SPECIFY, "Let customers pay by invoice.")
        folder = "specs/001-customers-pay-invoice"
        assert folder_of(specify) == f"{API}/{folder}"
        plan = await w.work(Phase.SPECKIT_PLAN, folder=folder)
        for phase, patch in ((Phase.SPECKIT_SPECIFY, specify), (Phase.SPECKIT_PLAN, plan)):
            judge(parse_patch(patch), policy_for(phase, project=API, feature_directory=f"{API}/{folder}"))
        assert set(await w.job.read_files([f"{API}/{folder}/plan.md", f"{folder}/plan.md"], w.output)) == {
            f"{API}/{folder}/plan.md"
        }
        head = await w.commit(tree.init_patch, specify, plan)
        await w.push("acme/mono")
    assert "customers pay by invoice" in git(rig.server.path("acme/mono"), "show", f"{head}:{API}/{folder}/plan.md")


async def test_a_project_with_spec_kit_is_used_as_it_is(rig: Rig) -> None:
    rig.server.create("acme/mono", MONOREPO)
    async with rig.workplace() as w:
        found = await w.look("acme/mono", project="packages/web")
        assert (found.has_spec_kit, found.feature_directories) == (True, ("004-web",))
        tree = await w.take_in("acme/mono", project="packages/web")
        assert tree.init_patch == b""
        assert tree.templates == {"spec-template.md": b"# Web: [FEATURE NAME]\n"}
        assert (await w.run("pwd; ls -A")).message.split() == ["/work/packages/web", ".specify", "specs"]
        await w.run("echo new > specs/004-web/plan.md; echo more >> ../api/api.py")
        assert await w.paths() == {"packages/web/specs/004-web/plan.md": "added", f"{API}/api.py": "modified"}


async def test_where_files_are_in_the_way_the_setup_decides_in_the_project(rig: Rig) -> None:
    rig.server.create("acme/taken", {"a/.agents/skills/speckit-plan/SKILL.md": b"ours\n", "README.md": b"x\n"})
    async with rig.workplace() as w:
        tree = await w.take_in("acme/taken", project="a")
        paths = {change.path for change in parse_patch(tree.init_patch).changes}
        assert "a/.specify/templates/spec-template.md" in paths
        assert all(path.startswith("a/") for path in paths)


async def test_an_agent_with_a_model_finds_the_skills_its_project_lacks(rig: Rig) -> None:
    """One that an older Spec Kit set up, in the repository's root or in a folder."""
    skill = ".agents/skills/speckit-specify/SKILL.md"
    rig.server.create(
        "acme/old", {skill: b"ours\n", f"a/{skill}": b"ours\n", "a/.specify/x": b"x\n", ".specify/x": b"x\n"}
    )
    for project in ("", "a"):
        async with rig.workplace() as w:
            await w.look("acme/old", project=project)
            await w.job.receive_tree(w.git, w.output)
            # Only preparing is for an agent with a model: none is called here.
            await w.job.prepare_tree(ScriptAgent(commands_from=CommandsFrom.REPOSITORY), w.output, project)
            lent = (await w.run("ls ~/.agents/skills; cat .agents/skills/*/SKILL.md")).message.split()
            assert lent == [
                *(f"speckit-{name}" for name in ("analyze", "checklist", "clarify", "constitution", "implement")),
                *("speckit-plan", "speckit-tasks", "ours"),
            ]
            assert await w.paths() == {}


async def test_an_agent_that_is_kept_from_its_folder_finds_every_command_in_its_home(rig: Rig) -> None:
    """The repository's own where it has one, but nothing that lies behind a link, and nothing that is too large."""
    at = ".claude/skills"
    rig.server.create(
        "acme/own",
        {
            ".specify/x": b"x\n",
            f"{at}/speckit-plan/SKILL.md": b"our way to plan\n",
            f"{at}/speckit-plan/notes.md": b"our notes\n",
            f"{at}/speckit-tasks/SKILL.md": b"x" * (300 << 10),
            f"{at}/other/SKILL.md": b"not Spec Kit's\n",
        },
    )
    agent = ScriptAgent(
        "cat ~/.claude/skills/speckit-plan/*; ls ~/.claude/skills; ls -A; head -c 3 ~/.claude/skills/speckit-tasks/SKILL.md",
        integration="claude",
        commands_from=CommandsFrom.HOME,
    )
    async with rig.workplace(agent=agent) as w:
        await w.take_in("acme/own")
        told = await w.job.run_agent(agent, AgentRequest(w.run_id, Phase.SPECKIT_PLAN, "", DATE), w.output, 30)
        lines = told.message.splitlines()
        assert lines[:2] == ["our way to plan", "our notes"]
        names = ("analyze", "checklist", "clarify", "constitution", "implement", "plan", "specify", "tasks")
        assert lines[2:10] == [f"speckit-{name}" for name in names]
        assert lines[10:] == [".specify", "---"], "its folder is not there while it works"
        assert await w.paths() == {}, "and is as it was afterwards"


async def test_a_folder_that_is_not_there_is_no_project(rig: Rig) -> None:
    rig.server.create("acme/mono", MONOREPO)
    names = ["packages/nothing", f"{API}/api.py", f"{API}/api.py/x", "PACKAGES/api", "packages/api/", "/packages/api"]
    names += ["packages//api", "./packages", "packages/../src", "..", ".", "/", "a\nb", "packages/*", "x" * 2000, "-x"]
    async with rig.workplace() as w:
        for name in names:
            with pytest.raises(UserError, match=r"no folder `.*Name one with `--project`") as refused:
                await w.look("acme/mono", project=name)
            assert (refused.value.code, name) == (ErrorCode.CLONE_PROJECT_NOT_FOUND, name)
            assert refused.value.message.isprintable()


LINKED = {
    "the folder": {"120000:api": b"src", "src/x": b"x"},
    "a folder above it": {"120000:packages": b"src", "src/api/x": b"x"},
    "a nested repository": {"160000:packages": b"1" * 40},
    "its specs": {"packages/api/x": b"x", "120000:packages/api/specs": b"../../src"},
    "its Spec Kit": {"packages/api/x": b"x", "120000:packages/api/.specify": b"/etc"},
    "a file in its specs": {"packages/api/specs/a/x": b"x", "120000:packages/api/specs/a/spec.md": b"/etc/passwd"},
    "specs that are a file": {"packages/api/specs": b"x"},
}


async def test_a_project_that_is_reached_through_a_link_is_refused(rig: Rig) -> None:
    async with rig.workplace() as w:
        for number, (name, files) in enumerate(LINKED.items()):
            rig.server.create(f"evil/link{number}", {**files, "README.md": b"x\n"})
            with pytest.raises(UserError) as refused:
                await w.look(f"evil/link{number}", project="api" if name == "the folder" else API)
            assert (refused.value.code, name) == (ErrorCode.CLONE_UNSAFE_TREE, name)


async def test_links_of_another_project_are_none_of_ours(rig: Rig) -> None:
    rig.server.create("acme/links", {"120000:specs": b"a", "a/x": b"x", "b/120000": b"x", "120000:b/link": b"x"})
    async with rig.workplace() as w:
        assert (await w.look("acme/links", project="b")).has_spec_kit is False


async def test_the_job_container_looks_for_itself(rig: Rig) -> None:
    """It is told the project's name in a request of its own."""
    rig.server.create("acme/mono", {**MONOREPO, "120000:link": b"packages/api"})
    for project in ("packages/nothing", "link", "../etc", "README.md"):
        async with rig.workplace() as w:
            await w.clone("acme/mono")
            await w.job.receive_tree(w.git, w.output)
            with pytest.raises(UserError) as refused:
                await w.job.prepare_tree(w.agent, w.output, project)
            assert refused.value.code is ErrorCode.CLONE_PROJECT_NOT_FOUND


@pytest.mark.parametrize("script", [f"rm -rf /work/{API}", f"rm -rf /work/{API}; ln -s /etc /work/{API}"])
async def test_an_agent_that_takes_its_work_folder_away_has_failed(rig: Rig, script: str) -> None:
    rig.server.create("acme/mono", MONOREPO)
    async with rig.workplace() as w:
        await w.take_in("acme/mono", project=API)
        assert (await w.run(script)).exit_code == 0
        with pytest.raises(UserError) as failed:
            await w.run("true")
        assert failed.value.code is ErrorCode.AGENT_FAILED
        assert f"{API}/api.py" in await w.paths()
