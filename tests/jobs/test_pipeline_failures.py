"""What goes wrong in a phase: who is told what, what is kept, what is tried again."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.session import Database
from db.vocabulary import MAIN_PHASES, ErrorCode, Phase, RunStatus, TaskStatus, Verb, phases_of
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.phase_runner import PhaseRunner
from jobs.ports import AgentReport
from tests.jobs.fake_tree import FEATURE, TEMPLATES, added, does_nothing
from tests.jobs.fakes import BASE, fails
from tests.jobs.rig import Rig, artifact


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


# Failures


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("repository", Phase.PREPARE_JOB),
        ("start", Phase.START_JOB_CONTAINER),
        ("clone", Phase.GIT_CLONE),
        ("prepare_tree", Phase.GIT_CLONE),
        ("agent:speckit_specify", Phase.SPECKIT_SPECIFY),
        ("patch:speckit_tasks", Phase.SPECKIT_TASKS),
        ("commit", Phase.COMMIT_PUSH),
        ("push", Phase.COMMIT_PUSH),
        ("open_pull_request", Phase.OPEN_PR),
    ],
)
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError(ErrorCode.CLONE_REFUSED, "Cloning acme/shop: refused."), "Cloning acme/shop: refused."),
        (AppError(ErrorCode.ENGINE_IMAGE_MISSING, "the image x is not there"), None),
        (RuntimeError("token ghs_secret"), None),
    ],
    ids=["user", "app", "bug"],
)
async def test_a_failure_ends_the_run_with_a_sentence(
    sqlite_rig: Rig, step: str, phase: Phase, error: Exception, told: str | None
) -> None:
    sqlite_rig.world.at[step].append(fails(error))
    run = await sqlite_rig.finished()
    code = error.code if isinstance(error, PipelineError) else ErrorCode.RUN_INTERNAL
    assert (run.status, run.error_code) == (RunStatus.FAILED, code)
    assert run.result_summary is not None
    if told:
        assert run.result_summary == told
    else:
        assert str(run.run_id) in run.result_summary
        assert "image x" not in run.result_summary
        assert "ghs_" not in run.result_summary
    states = await sqlite_rig.states(run.run_id)
    assert states[phase] is TaskStatus.FAILED
    assert states[Phase.CLEANUP] is TaskStatus.SUCCEEDED
    order = phases_of(Verb.SPECIFY)
    after = [states[later] for later in order[order.index(phase) + 1 : -1]]
    assert set(after) <= {TaskStatus.SKIPPED}
    assert sqlite_rig.world.alive == {}
    assert sqlite_rig.world.ends_told == [RunStatus.FAILED]
    failed = await sqlite_rig.state(run.run_id, phase)
    assert failed.details["error_code"] == code
    assert "ghs_" not in str(failed.details)


async def test_the_disk_is_full(rig: Rig) -> None:
    rig.world.at["clone"].append(fails(OSError(errno.ENOSPC, "No space left on device")))
    run = await rig.finished()
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.STORAGE_FULL)
    assert rig.world.alive == {}


async def test_an_agent_that_is_not_allowed(rig: Rig) -> None:
    run = await rig.finished(requested_agent="codex_cli")
    assert run.error_code == ErrorCode.AGENT_NOT_ALLOWED
    assert run.result_summary == "The agent codex_cli is not allowed here. Choose from: template"
    assert rig.world.containers_made == 0


async def test_an_archived_repository(rig: Rig) -> None:
    rig.world.archived = True
    run = await rig.finished()
    assert run.error_code == ErrorCode.REPOSITORY_ARCHIVED


async def test_access_taken_away_before_the_push(rig: Rig) -> None:
    async def archive() -> None:
        rig.world.archived = True

    rig.world.at["commit"].append(archive)
    run = await rig.finished()
    assert run.error_code == ErrorCode.REPOSITORY_ARCHIVED
    assert rig.world.branches == {}


async def test_rights_taken_away_before_the_push(rig: Rig) -> None:
    async def demote() -> None:
        rig.world.requester_may_write = False

    rig.world.at["commit"].append(demote)
    run = await rig.finished()
    assert run.error_code == ErrorCode.GITHUB_ACCESS_LOST
    assert run.result_summary == "ada may no longer write to acme/shop, so nothing was pushed."
    assert rig.world.branches == {}
    assert "push_token" not in rig.world.tokens


@pytest.mark.parametrize("step", ["repository", "commit"])
async def test_a_repository_made_private_is_noticed(rig: Rig, step: str) -> None:
    async def hide() -> None:
        rig.world.private = True

    rig.world.at[step].append(hide)
    assert (await rig.finished()).private


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (b"", f"it did not write `{FEATURE}/plan.md`"),
        (added(f"{FEATURE}/notes.md", b"Notes\n"), f"it did not write `{FEATURE}/plan.md`"),
        (added(f"{FEATURE}/plan.md", b"\n  \n"), f"left `{FEATURE}/plan.md` empty"),
        (added(f"{FEATURE}/plan.md", TEMPLATES["plan-template.md"]), "as Spec Kit's unfilled template"),
    ],
    ids=["nothing", "other file", "blank", "template"],
)
async def test_exit_zero_proves_nothing(sqlite_rig: Rig, patch: bytes, says: str) -> None:
    sqlite_rig.world.patches[Phase.SPECKIT_PLAN] = patch
    run = await sqlite_rig.finished()
    assert run.error_code == ErrorCode.AGENT_NO_OUTPUT
    assert run.result_summary is not None
    assert says in run.result_summary
    assert sqlite_rig.read(run, "phase-speckit_plan.patch") == patch
    assert sqlite_rig.world.branches == {}


async def test_no_specification_at_all(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = does_nothing
    run = await rig.finished()
    assert run.error_code == ErrorCode.AGENT_NO_OUTPUT
    assert run.result_summary is not None
    assert f"it did not write `{FEATURE}/spec.md`" in run.result_summary


async def test_an_agent_that_exits_with_an_error(rig: Rig) -> None:
    rig.world.reports[Phase.SPECKIT_PLAN] = AgentReport(2)
    run = await rig.finished()
    assert run.error_code == ErrorCode.AGENT_FAILED
    assert rig.read(run, "phase-speckit_plan.patch")


async def test_refused_work_is_kept_with_its_secrets_masked(rig: Rig) -> None:
    token = b"ghp_" + b"a1B2" * 9
    rig.world.patches[Phase.SPECKIT_PLAN] = added(f"{FEATURE}/plan.md", b"# Plan\n" + token + b"\n")
    run = await rig.finished()
    assert run.error_code == ErrorCode.PUBLISH_SECRET
    kept = rig.read(run, "phase-speckit_plan.patch")
    assert b"# Plan" in kept
    assert token not in kept
    assert rig.world.branches == {}


async def test_a_secret_of_ours_is_never_published(rig: Rig) -> None:
    rig.world.patches[Phase.SPECKIT_PLAN] = added(f"{FEATURE}/plan.md", b"super-secret-value-of-ours\n")
    assert (await rig.finished()).error_code == ErrorCode.PUBLISH_SECRET


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", "specs/002-else/tasks.md", "src/shop.py"])
async def test_work_outside_the_allowed_places_is_refused(sqlite_rig: Rig, path: str) -> None:
    sqlite_rig.world.patches[Phase.SPECKIT_TASKS] = added(path, b"on: push\n")
    run = await sqlite_rig.finished()
    assert run.error_code == ErrorCode.PUBLISH_PROTECTED_PATH
    assert run.result_summary is not None
    assert f"`{path}`" in run.result_summary
    assert sqlite_rig.world.branches == {}


# Tried again


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("repository", Phase.PREPARE_JOB),
        ("start", Phase.START_JOB_CONTAINER),
        ("clone", Phase.GIT_CLONE),
        ("agent:speckit_plan", Phase.SPECKIT_PLAN),
        ("push", Phase.COMMIT_PUSH),
        ("pushed", Phase.COMMIT_PUSH),
        ("open_pull_request", Phase.OPEN_PR),
        ("pull_request_opened", Phase.OPEN_PR),
        ("remove", Phase.CLEANUP),
    ],
)
async def test_what_may_heal_is_tried_again(sqlite_rig: Rig, step: str, phase: Phase) -> None:
    sqlite_rig.world.at[step].append(fails(TransientError(ErrorCode.GITHUB_UNAVAILABLE, "asking GitHub: no answer")))
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    assert (await sqlite_rig.state(run.run_id, phase)).attempt == 2
    assert len(sqlite_rig.world.branches) == len(sqlite_rig.world.pull_requests) == 1
    assert (
        artifact(run, f"phase-{phase}.stdout", 1).storage_path != artifact(run, f"phase-{phase}.stdout", 2).storage_path
    )


async def test_people_are_told_nothing_of_the_operators_while_it_is_tried_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    error = TransientError(ErrorCode.ENGINE_UNREACHABLE, "asking tcp://10.0.0.5:2375: refused")
    rig.world.at["start"].append(fails(error))
    retried: list[Mapping[str, object]] = []
    end_running = PhaseRunner.end_running

    async def keep(self: PhaseRunner, status: TaskStatus, told: Mapping[str, object]) -> None:
        retried.append(told)
        await end_running(self, status, told)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PhaseRunner, "end_running", keep)
        assert (await rig.finished()).status is RunStatus.SUCCEEDED
    (told,) = retried
    assert told["summary"] == "The container engine had a problem."
    assert "10.0.0.5" in str(told["message"])
    assert any("10.0.0.5" in str(vars(record).get("detail")) for record in caplog.records)


async def test_after_three_tries_it_is_a_failure(rig: Rig) -> None:
    for _ in range(3):
        rig.world.at["clone"].append(fails(TransientError(ErrorCode.CLONE_FAILED, "cloning acme/shop: reset")))
    run = await rig.finished()
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.CLONE_FAILED)
    clone = await rig.state(run.run_id, Phase.GIT_CLONE)
    assert (clone.attempt, clone.status) == (3, TaskStatus.FAILED)


async def test_an_agent_whose_model_is_busy_is_tried_once_more_and_not_too_soon(sqlite_rig: Rig) -> None:
    for _ in range(2):
        busy = TransientError(ErrorCode.AGENT_RATE_LIMITED, "running codex_cli: its model takes no more requests now.")
        busy.retry_after = 0.5
        sqlite_rig.world.at["agent:speckit_plan"].append(fails(busy))
    begun = datetime.now(UTC)
    told: list[Mapping[str, object]] = []
    end_running = PhaseRunner.end_running

    async def keep(self: PhaseRunner, status: TaskStatus, details: Mapping[str, object]) -> None:
        told.append(details)
        await end_running(self, status, details)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PhaseRunner, "end_running", keep)
        run = await sqlite_rig.finished()
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.AGENT_RATE_LIMITED)
    plan = await sqlite_rig.state(run.run_id, Phase.SPECKIT_PLAN)
    assert (plan.attempt, plan.status) == (2, TaskStatus.FAILED)
    assert str(run.result_summary).startswith(
        "The agent's model takes no more requests just now. Whoever runs this bot"
    )
    assert told[0]["summary"] == "The agent's model takes no more requests just now."
    assert datetime.fromisoformat(str(told[0]["next_try_at"])) >= begun + timedelta(seconds=0.5)


async def test_a_secret_in_an_errors_words_is_masked(sqlite_rig: Rig) -> None:
    words = f"Cloning acme/shop: ghp_{'a1B2' * 9} said no."
    sqlite_rig.world.at["clone"].append(fails(UserError(ErrorCode.CLONE_REFUSED, words)))
    run = await sqlite_rig.finished()
    assert run.result_summary == "Cloning acme/shop: [secret] said no."
    assert (await sqlite_rig.state(run.run_id, Phase.GIT_CLONE)).details["message"] == run.result_summary


async def test_a_second_try_of_an_agent_starts_from_a_fresh_tree(rig: Rig) -> None:
    rig.world.at["agent:speckit_tasks"].append(
        fails(TransientError(ErrorCode.ENGINE_CONTAINER_LOST, "the job container is gone"))
    )
    run = await rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    specify, plan = rig.world.taken[Phase.SPECKIT_SPECIFY], rig.world.taken[Phase.SPECKIT_PLAN]
    assert rig.world.replayed == [[], [specify, plan]]
    assert [source.commit for source in rig.world.sources] == [None, BASE]
    assert [asked.phase for asked in rig.world.requests] == list(MAIN_PHASES)
