"""Sixty repositories that try to make an agent do something else: what they say is not there, and nothing of it runs
outside of the agent's own container."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import judge, parse_patch, policy_for
from jobs.ports import AgentRequest
from tests.jobs.conformance import WITH_MODEL, Backend, at_work
from tests.jobs.poisoned_repositories import CONTENT, MARK, SETTINGS, Link, repositories
from tests.jobs.workplace import AGENT_POLICY, DATE, WITH_SPEC_KIT, Rig, Workplace, look_inside

SETTINGS_REPOSITORIES = repositories(SETTINGS, WITH_SPEC_KIT)
ARE_SETTINGS = {path for poison in SETTINGS for path in poison.files if not path.startswith("tools/")}
LIST = "find . -type f -o -type l | sed 's,^[.]/,,'"
FOR_ALL = ("**",)
"""The widest paths that a repository's configuration can allow ``implement``."""


def test_there_are_sixty_of_them_and_each_is_another() -> None:
    names = [poison.name for poison in (*SETTINGS, *CONTENT)]
    assert len(names) == len(set(names)) >= 60
    assert any(isinstance(content, Link) for poison in SETTINGS for content in poison.files.values())
    laid = {path.rpartition(":")[2] for files in SETTINGS_REPOSITORIES for path in files}
    assert laid >= ARE_SETTINGS


def marks(engine: docker.DockerClient, w: Workplace, role: str) -> set[str]:
    """What was run in one of the run's containers, by name."""
    (found,) = engine.api.containers(filters={"label": [f"speckit-bot.run={w.run_id}", f"speckit-bot.role={role}"]})
    said = look_inside(engine, found["Id"], f"ls -d {MARK}-* 2>/dev/null").decode()
    return {line.rpartition("speckit-poison-")[2] for line in said.splitlines()}


def marks_here() -> list[Path]:
    """What was run on this machine."""
    return list(Path(MARK).parent.glob(f"{Path(MARK).name}*"))


@pytest.mark.engine
@pytest.mark.parametrize("number", range(len(SETTINGS_REPOSITORIES)))
async def test_settings_are_not_there_for_an_agent(rig: Rig, engine: docker.DockerClient, number: int) -> None:
    files = SETTINGS_REPOSITORIES[number]
    rig.server.create("acme/poisoned", files)
    mine = {path.rpartition(":")[2] for path in files} & ARE_SETTINGS
    async with rig.workplace() as w:
        await w.take_in("acme/poisoned")
        seen = set((await w.run(LIST)).message.splitlines())
        assert "README.md" in seen
        assert seen & mine == set()
        assert {path for path in seen if path.startswith(".claude/settings")} == set()
        told = w.stderr.content.decode()
        assert "not there while the agent works" in told
        # They are back afterwards, and nothing shows in a patch.
        assert await w.paths() == {}
        patch = await w.work(Phase.SPECKIT_SPECIFY, "Let customers pay by invoice.")
        judge(parse_patch(patch), AGENT_POLICY)
        assert len(await w.commit(patch)) == 40
        assert marks(engine, w, "job") == set()
        assert marks(engine, w, "git") == set()
    assert marks_here() == []


@pytest.mark.engine
async def test_what_an_agent_may_read_runs_nowhere_but_in_its_container(rig: Rig, engine: docker.DockerClient) -> None:
    (files,) = repositories(CONTENT, WITH_SPEC_KIT)
    rig.server.create("acme/poisoned", files)
    async with rig.workplace() as w:
        await w.take_in("acme/poisoned")
        seen = set((await w.run(LIST)).message.splitlines())
        assert {path for poison in CONTENT for path in poison.files} <= seen
        # An agent that runs whatever it finds: that is its own affair, and stays in its container.
        everything = (
            "sh ./evil.sh; sh -c '. ./.bashrc'; python3 -c 'import json'; ./bin/git; PATH=.:$PATH git status; true"
        )
        await w.run(everything)
        assert "what-others-load" in marks(engine, w, "job")
        assert await w.paths() == {}
        patch = await w.work(Phase.SPECKIT_SPECIFY, "Let customers pay by invoice.")
        judge(parse_patch(patch), AGENT_POLICY)
        assert len(await w.commit(patch)) == 40
        await w.push("acme/poisoned")
        assert marks(engine, w, "git") == set()
    assert marks_here() == []
    assert set(rig.server.branches("acme/poisoned")) == {"main", "speckit/x/1"}


@pytest.mark.engine
async def test_settings_of_the_folders_above_a_project_are_not_there_either(rig: Rig) -> None:
    places = ("", "packages/", "packages/api/")
    files = {f"{at}{name}": b"x=1\n" for at in places for name in (".env", ".mcp.json", ".npmrc", ".env.example")}
    other = {
        "packages/web/.env": b"y=1\n",
        "packages/api/.specify/x": b"x\n",
        "packages/api/.claude/skills/a.md": b"x\n",
    }
    rig.server.create("acme/mono", {**files, **other})
    async with rig.workplace() as w:
        await w.take_in("acme/mono", project="packages/api")
        seen = set((await w.run(f"cd /work; {LIST}")).message.splitlines())
        assert seen == {*(f"{at}.env.example" for at in places), *other}
        assert await w.paths() == {}


PLANTED = {
    ".claude/settings.json": "modified",
    ".claude/hooks/start.sh": "modified",
    ".codex/config.toml": "modified",
    ".env": "modified",
    ".gemini/settings.json": "modified",
    ".mcp.json": "modified",
    ".npmrc": "modified",
    ".env.local": "modified",
    ".qwen/settings.json": "modified",
    ".githooks/pre-commit": "modified",
    ".husky/pre-commit": "modified",
    "opencode.json": "modified",
}


@pytest.mark.engine
async def test_settings_that_an_agent_writes_are_refused(rig: Rig) -> None:
    rig.server.create("acme/poisoned", SETTINGS_REPOSITORIES[0])
    widest = policy_for(
        Phase.SPECKIT_IMPLEMENT, integration="codex", project="", feature_directory="specs/001-x", paths=FOR_ALL
    )
    async with rig.workplace() as w:
        await w.take_in("acme/poisoned")
        for path, kind in PLANTED.items():
            await w.run(f"mkdir -p $(dirname {path}); echo planted > {path}")
            patch = parse_patch(await w.job.take_patch(w.output))
            assert {change.path: change.kind for change in patch.changes} == {path: kind}
            for policy in (AGENT_POLICY, widest):
                with pytest.raises(UserError) as refused:
                    judge(patch, policy)
                assert refused.value.code is ErrorCode.PUBLISH_PROTECTED_PATH
                assert f"`{path}`" in refused.value.message


@pytest.mark.engine
@pytest.mark.parametrize("backend", WITH_MODEL, ids=lambda backend: str(backend.name))
async def test_a_real_agent_runs_nothing_of_it_and_asks_its_own_model(
    rig: Rig, engine: docker.DockerClient, agents_image: str, backend: Backend
) -> None:
    rig.server.create("acme/poisoned", SETTINGS_REPOSITORIES[0])
    write = "mkdir -p specs/001-x && printf '# Feature Specification: X\\n' > specs/001-x/spec.md"
    async with at_work(rig, backend, agents_image, write) as at:
        w = at.place
        await w.take_in("acme/poisoned")
        request = AgentRequest(w.run_id, Phase.SPECKIT_SPECIFY, "Pay by invoice.", DATE, "specs/001-x")
        report = await w.job.run_agent(w.agent, request, w.output, 60)
        assert report.exit_code == 0, w.stderr.content.decode()
        # Every request came to the one endpoint, with the operator's key.
        assert len(at.model.asked) >= 2
        assert len(set(at.model.authorizations)) == 1
        paths = await w.paths()
        assert paths.pop("specs/001-x/spec.md") == "added"
        assert not set(paths) & ARE_SETTINGS
        assert marks(engine, w, "job") == set()
        assert marks(engine, w, "git") == set()
    assert marks_here() == []
