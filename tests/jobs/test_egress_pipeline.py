"""What agents tried to reach stays with the phase, however it ends, and the operator's list reaches the container."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from db.allowed_hosts import HostPolicy, allowed_host
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs.errors import TransientError, UserError
from jobs.ports import EgressReport
from tests.jobs.fakes import fails
from tests.jobs.rig import SECRET, Rig

ONCE = [{"host": "example.com", "times": 1}]


def tries(sqlite_rig: Rig, *phases: Phase) -> None:
    sqlite_rig.world.went = {phase: EgressReport({"example.com": 1}) for phase in phases}


async def details(sqlite_rig: Rig, run_id: UUID, phase: Phase) -> dict[str, object]:
    return dict((await sqlite_rig.state(run_id, phase)).details)


async def test_a_phase_that_succeeds_keeps_what_was_tried(sqlite_rig: Rig) -> None:
    tries(sqlite_rig, Phase.SPECKIT_SPECIFY)
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    assert (await details(sqlite_rig, run.run_id, Phase.SPECKIT_SPECIFY))["refused_hosts"] == ONCE
    assert "refused_hosts" not in await details(sqlite_rig, run.run_id, Phase.SPECKIT_PLAN)


async def test_a_phase_that_fails_keeps_it_beside_its_reason(sqlite_rig: Rig) -> None:
    tries(sqlite_rig, Phase.SPECKIT_PLAN)
    sqlite_rig.world.at["agent:speckit_plan"].append(
        fails(UserError(ErrorCode.AGENT_TIMED_OUT, "The agent was stopped."))
    )
    run = await sqlite_rig.finished()
    kept = await details(sqlite_rig, run.run_id, Phase.SPECKIT_PLAN)
    assert run.status is RunStatus.FAILED
    assert (kept["refused_hosts"], kept["summary"]) == (ONCE, "The agent was stopped.")


async def test_a_phase_that_is_tried_again_counts_on(sqlite_rig: Rig) -> None:
    tries(sqlite_rig, Phase.SPECKIT_PLAN)
    sqlite_rig.world.at["agent:speckit_plan"].append(fails(TransientError(ErrorCode.AGENT_FAILED, "away")))
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    assert (await details(sqlite_rig, run.run_id, Phase.SPECKIT_PLAN))["refused_hosts"] == [
        {"host": "example.com", "times": 2}
    ]


async def test_what_finished_phases_tried_outlives_their_worker(sqlite_rig: Rig) -> None:
    tries(sqlite_rig, Phase.SPECKIT_SPECIFY)
    run_id = await sqlite_rig.open()
    await sqlite_rig.worker_dies(run_id, "agent:speckit_tasks")
    sqlite_rig.world.went = {}
    run = await sqlite_rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert (await details(sqlite_rig, run_id, Phase.SPECKIT_SPECIFY))["refused_hosts"] == ONCE


async def test_a_name_that_holds_a_secret_is_masked(sqlite_rig: Rig) -> None:
    sqlite_rig.world.went = {Phase.SPECKIT_SPECIFY: EgressReport({f"{SECRET}.evil.example": 1})}
    run = await sqlite_rig.finished()
    kept = str(await details(sqlite_rig, run.run_id, Phase.SPECKIT_SPECIFY))
    assert "evil.example" in kept
    assert SECRET not in kept


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ({}, ["pypi.org", "*.pythonhosted.org"]),
        ({"allowed_hosts": None}, ["pypi.org", "*.pythonhosted.org"]),
        ({"allowed_hosts": ["pypi.org", "evil.example"]}, ["pypi.org"]),
        ({"allowed_hosts": []}, []),
    ],
)
async def test_a_container_may_reach_what_both_the_operator_and_the_repository_name(
    sqlite_rig: Rig, arguments: dict[str, object], allowed: Sequence[str]
) -> None:
    sqlite_rig.hosts = HostPolicy(tuple(allowed_host(name) for name in ("pypi.org", "*.pythonhosted.org")))
    await sqlite_rig.finished(arguments=arguments)
    assert sqlite_rig.world.allowed == allowed


async def test_without_a_list_nothing_may_be_reached(sqlite_rig: Rig) -> None:
    await sqlite_rig.finished(arguments={"allowed_hosts": ["pypi.org"]})
    assert sqlite_rig.world.allowed == []
