"""What an agent was told is kept with the run, word for word, and without a secret."""

from __future__ import annotations

from db.vocabulary import ArtifactType, ErrorCode, Phase, RunStatus
from jobs.errors import TransientError
from jobs.phases.prompts import prompt_text
from jobs.ports import AgentCommand
from tests.jobs.fakes import fails
from tests.jobs.rig import SECRET, Rig, artifact

KEY = "speckit-run-" + "k3Y_" * 11
TOLD = b"""=== arguments ===
agent
speckit_specify

=== file request.md, 29 bytes ===
Let customers pay by invoice.
"""


def test_arguments_and_files_are_shown_as_they_are() -> None:
    command = AgentCommand(
        ["agent", "--", "Two\nlines"], {"KEY": "never shown"}, {"a.md": b"one\n", "b/c.md": "größe".encode(), "d": b""}
    )
    assert prompt_text(command).decode() == (
        "=== arguments ===\nagent\n--\nTwo\nlines\n"
        "\n=== file a.md, 4 bytes ===\none\n"
        "\n=== file b/c.md, 7 bytes ===\ngröße\n"
        "\n=== file d, 0 bytes ===\n"
    )


async def test_each_agent_phase_keeps_what_its_agent_was_told(sqlite_rig: Rig) -> None:
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert sqlite_rig.read(run, "phase-speckit_specify.prompt") == TOLD
    assert b"invoice" not in sqlite_rig.read(run, "phase-speckit_plan.prompt")
    kept = artifact(run, "phase-speckit_specify.prompt")
    assert (kept.artifact_type, kept.source_phase) == (ArtifactType.ENVIRONMENT_INFO, Phase.SPECKIT_SPECIFY)


async def test_each_attempt_keeps_its_own_also_where_the_agent_failed(sqlite_rig: Rig) -> None:
    sqlite_rig.world.at["agent:speckit_specify"].append(fails(TransientError(ErrorCode.AGENT_FAILED, "away")))
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    for attempt in (1, 2):
        assert sqlite_rig.read(run, "phase-speckit_specify.prompt", attempt) == TOLD


async def test_no_secret_and_no_key_is_in_it(sqlite_rig: Rig) -> None:
    sqlite_rig.world.keys = [KEY]
    run = await sqlite_rig.finished(requested_spec_input=f"Use {SECRET} and {KEY[::-1]} and {KEY.encode().hex()}.")
    prompt = sqlite_rig.read(run, "phase-speckit_specify.prompt")
    assert prompt.endswith(b"Use [secret] and [secret] and [secret].\n")
