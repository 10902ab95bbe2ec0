"""Hostile patches on the way they really go: out of a container, through the border, and never to GitHub."""

from __future__ import annotations

import pytest

from db.vocabulary import Phase, RunStatus, TaskStatus
from jobs.errors import UserError
from jobs.patches import judge, parse_patch, policy_for
from jobs.redaction import Redactor
from tests.jobs.hostile_patches import HOSTILE, KNOWN_SECRET, Hostile
from tests.jobs.rig import Rig as PipelineRig
from tests.jobs.workplace import Rig, Workplace

POLICY = policy_for(Phase.SPECKIT_SPECIFY, project="", feature_directory="", integration="codex")
MADE = [hostile for hostile in HOSTILE if hostile.script]
FRESH = "cd /; find /work -mindepth 1 -delete; cp -a /tmp/fresh/. /work"


async def _outcome(w: Workplace, hostile: Hostile) -> str:
    """What the border says of it; each begins with the tree as it was at first."""
    await w.run(FRESH)
    await w.job.take_patch(w.output)
    report = await w.run(hostile.script)
    assert report.exit_code == 0, f"{hostile.name}: {report.message}"
    try:
        judge(parse_patch(await w.job.take_patch(w.output)), POLICY, [KNOWN_SECRET])
    except UserError as refused:
        fits = refused.code is hostile.rule.code and hostile.rule.words in refused.message
        return "" if fits else f"{hostile.name}: {refused.code} {refused.message}"
    return f"{hostile.name}: taken"


@pytest.mark.engine
async def test_what_a_hostile_agent_makes_in_its_container_is_refused_by_its_rule(rig: Rig) -> None:
    assert len(MADE) >= 50
    async with rig.workplace(deadline=600) as w:
        await w.take_in("acme/ready")
        await w.run("cp -a /work /tmp/fresh")
        outcomes = [await _outcome(w, hostile) for hostile in MADE]
    assert [outcome for outcome in outcomes if outcome] == []


def _leaves(rig: PipelineRig, hostile: Hostile) -> None:
    """The agent of the next run leaves it in the feature's folder, where it would be allowed most."""

    async def leave() -> None:
        folder = rig.world.requests[-1].feature_directory.encode()
        rig.world.patches = {Phase.SPECKIT_SPECIFY: hostile.patch.replace(b"specs/", folder + b"/")}

    rig.world.at["patch:speckit_specify"].append(leave)


async def test_none_of_them_comes_to_a_push(sqlite_rig: PipelineRig) -> None:
    """Half of them, each through a whole run: no token to push with is minted, no branch made, and people are told file and rule."""
    rig, world = sqlite_rig, sqlite_rig.world
    rig.redactor = Redactor([KNOWN_SECRET])
    for hostile in HOSTILE[::2]:
        world.patches = {}
        _leaves(rig, hostile)
        run = await rig.finished()
        assert (run.status, run.error_code) == (RunStatus.FAILED, hostile.rule.code), hostile.name
        assert hostile.rule.words in str(run.result_summary), hostile.name
        assert (await rig.states(run.run_id))[Phase.COMMIT_PUSH] is TaskStatus.SKIPPED, hostile.name
        assert KNOWN_SECRET.encode() not in rig.read(run, "phase-speckit_specify.patch"), hostile.name
    assert {"commit", "push_token", "push", "open_pull_request"}.isdisjoint(world.steps)
    assert (world.branches, world.pull_requests) == ({}, {})
