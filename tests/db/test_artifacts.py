"""Outputs kept after a run, and the one way from a row to a file."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from db import artifacts, runs
from db.artifacts import ArtifactUnavailable, resolve
from db.models import AutomationArtifact
from db.session import Database
from db.vocabulary import ArtifactType, Phase, RunStatus, TaskStatus
from tests.db.rows import (
    SHA256,
    begun_run,
    execute,
    phase_that_is,
    read_run,
    recorded_log,
    run_that_is,
)

WEEK = timedelta(days=7)


async def test_an_artifact_is_kept_as_recorded(database: Database) -> None:
    held = await begun_run(database)
    await recorded_log(database, held, size_bytes=2**40)
    (kept,) = (await read_run(database, held.run_id)).artifacts
    assert (kept.name, kept.artifact_type) == ("phase-git_clone.stdout", ArtifactType.STDOUT_LOG)
    assert kept.storage_path == f"{held.run_id}/artifacts/phase-git_clone-1.stdout"
    assert (kept.content_type, kept.size_bytes, kept.sha256) == ("text/plain", 2**40, SHA256)
    assert (kept.source_phase, kept.attempt) == (Phase.GIT_CLONE, 1)


async def test_an_artifact_of_no_phase(database: Database) -> None:
    held = await begun_run(database)
    kept = await recorded_log(database, held, source_phase=None, artifact_type=ArtifactType.METRICS_SNAPSHOT)
    assert (kept.source_phase, kept.task_state_id) == (None, None)


async def test_the_same_name_and_attempt_is_replaced_another_attempt_is_not(database: Database) -> None:
    held = await begun_run(database)
    first = await recorded_log(database, held)
    again = await recorded_log(database, held, size_bytes=9, sha256="1" * 64)
    second = await recorded_log(database, held, attempt=2)
    kept = (await read_run(database, held.run_id)).artifacts
    assert again.artifact_id == first.artifact_id
    assert [(row.artifact_id, row.size_bytes, row.attempt) for row in kept] == [
        (first.artifact_id, 9, 1),
        (second.artifact_id, 3, 2),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../{run}/artifacts/x",
        "{run}/artifacts/../../x",
        "{run}/artifacts/..",
        "{run}/artifacts/",
        "{run}/artifacts/a/b",
        "{run}/x",
        "{other}/artifacts/x",
        "{run}/artifacts/x\\y",
        "{run}/artifacts/x\x00y",
        "{run}/artifacts/x\ny",
        "./{run}/artifacts/x",
        "file:///etc/passwd",
        "http://example.com/x",
        "https:///x",
        "",
    ],
)
async def test_an_artifact_lies_in_its_runs_own_folder(sqlite_url: str, path: str) -> None:
    database = Database.open(sqlite_url)
    held = await begun_run(database)
    with pytest.raises(ValueError, match=r"path|URL"):
        await recorded_log(database, held, storage_path=path.format(run=held.run_id, other=uuid4()))
    assert (await read_run(database, held.run_id)).artifacts == []
    await database.close()


async def test_an_artifact_may_be_kept_elsewhere(database: Database) -> None:
    held = await begun_run(database)
    kept = await recorded_log(database, held, storage_path="https://store.example/a..b?x=1")
    with pytest.raises(ArtifactUnavailable, match="stored elsewhere"):
        resolve(Path("/"), kept)


@pytest.mark.parametrize("days", [7, 30, 400])
async def test_artifacts_are_kept_from_the_end_of_the_run(database: Database, days: int) -> None:
    held = await begun_run(database)
    log = await recorded_log(database, held)
    async with database.transaction() as session:
        assert log.expires_at > await runs.database_now(session) + WEEK
        await runs.finish_run(session, held.lease, RunStatus.SUCCEEDED, "Done.", retention_days=days)
    run = await read_run(database, held.run_id)
    assert run.completed_at is not None
    assert run.artifacts[0].expires_at == run.completed_at + timedelta(days=days)


async def test_less_than_a_week_is_refused(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        with pytest.raises(ValueError, match="at least 7 days"):
            await runs.finish_run(session, held.lease, RunStatus.SUCCEEDED, "Done.", retention_days=6)


async def test_the_database_keeps_artifacts_for_a_week_too(database: Database) -> None:
    held = await begun_run(database)
    await recorded_log(database, held)
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, RunStatus.SUCCEEDED, "Done.", retention_days=7)
    (kept,) = (await read_run(database, held.run_id)).artifacts

    async def expire_at(delta: timedelta) -> None:
        async with database.transaction() as session:
            row = await artifacts.get_artifact(session, held.run_id, kept.artifact_id)
            assert row is not None
            row.expires_at = kept.expires_at + delta

    with pytest.raises(IntegrityError, match="at least 7 days"):
        await expire_at(-timedelta(microseconds=1))
    await expire_at(timedelta(microseconds=1))
    with pytest.raises(IntegrityError, match="at least 7 days"):
        await recorded_log(database, held, name="late", retention_days=6)
    late = await recorded_log(database, held, name="late")
    run = await read_run(database, held.run_id)
    assert run.completed_at is not None
    assert late.expires_at >= run.completed_at + timedelta(days=30)


async def test_a_run_cannot_end_past_the_life_of_its_artifacts(database: Database) -> None:
    held = await begun_run(database)
    await recorded_log(database, held)
    with pytest.raises(IntegrityError, match="at least 7 days"):
        await execute(
            database,
            "UPDATE spec_automation_run SET status = 'succeeded', completed_at = '2040-01-01 00:00:00.000000'",
        )


async def test_only_what_is_expired_and_over_is_handed_out(database: Database) -> None:
    alive, over = await begun_run(database), await begun_run(database)
    kept = [await recorded_log(database, alive), await recorded_log(database, over)]
    async with database.transaction() as session:
        await runs.finish_run(session, over.lease, RunStatus.SUCCEEDED, "Done.", retention_days=7)
        assert await artifacts.expired_artifacts(session) == []
        assert not await artifacts.forget_artifact(session, kept[1].artifact_id)
    await _let_weeks_pass(database)
    async with database.transaction() as session:
        assert [row.artifact_id for row in await artifacts.expired_artifacts(session)] == [kept[1].artifact_id]
        assert not await artifacts.forget_artifact(session, kept[0].artifact_id), "its run is not over"
        assert await artifacts.forget_artifact(session, kept[1].artifact_id)
        assert not await artifacts.forget_artifact(session, kept[1].artifact_id)
    assert (await read_run(database, over.run_id)).artifacts == []
    assert len((await read_run(database, alive.run_id)).artifacts) == 1


async def test_expired_artifacts_come_in_portions(database: Database) -> None:
    held = await begun_run(database)
    for attempt in range(1, 6):
        await recorded_log(database, held, attempt=attempt)
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, RunStatus.SUCCEEDED, "Done.")
    await _let_weeks_pass(database)
    async with database.transaction() as session:
        assert len(await artifacts.expired_artifacts(session, limit=2)) == 2
        assert len(await artifacts.expired_artifacts(session)) == 5


async def test_an_artifact_is_found_only_under_its_own_run(database: Database) -> None:
    held, other = await begun_run(database), await run_that_is(database, RunStatus.FAILED)
    kept = await recorded_log(database, held)
    async with database.transaction() as session:
        found = await artifacts.get_artifact(session, held.run_id, kept.artifact_id)
        assert found is not None
        assert found.artifact_id == kept.artifact_id
        assert await artifacts.get_artifact(session, other.run_id, kept.artifact_id) is None
        assert await artifacts.get_artifact(session, held.run_id, uuid4()) is None


async def test_a_log_of_an_old_attempt_is_linked_to_its_phase(database: Database) -> None:
    held = await begun_run(database)
    await phase_that_is(database, held, Phase.GIT_CLONE, TaskStatus.RUNNING)
    kept = await recorded_log(database, held)
    states = (await read_run(database, held.run_id)).task_states
    assert kept.task_state_id == states[2].task_state_id


async def _let_weeks_pass(database: Database) -> None:
    """As if every run had begun and ended a year ago."""
    shift = "'-400 days'"
    moved = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {0}, " + shift + ") || '000'",
        "postgresql": "{0} - interval '400 days'",
    }[database.dialect]

    def sets(*columns: str) -> str:
        return ", ".join(f"{column} = {moved.format(column)}" for column in columns)

    await execute(database, f"UPDATE spec_automation_run SET {sets('created_at', 'started_at', 'completed_at')}")
    await execute(database, f"UPDATE automation_artifact SET {sets('created_at', 'expires_at')}")


RUN = UUID("0192f0c1-0000-7000-8000-000000000001")
FOLDER = f"{RUN}/artifacts"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An artifact root with one good file, and things outside it worth reading."""
    root = tmp_path / "runs"
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / "good").write_text("content")
    (tmp_path / "secret").write_text("canary")
    return root


def _artifact(storage_path: str, **more: Any) -> AutomationArtifact:
    row = AutomationArtifact(run_id=RUN, name="good", **more)
    # Past the model's own check, as if the database had been written by somebody else.
    row.__dict__["storage_path"] = storage_path
    return row


def test_a_file_is_found(root: Path) -> None:
    assert resolve(root, _artifact(f"{FOLDER}/good")).read_text() == "content"


def test_the_root_itself_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert resolve(tmp_path / "link", _artifact(f"{FOLDER}/good")).read_text() == "content"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret",
        f"{FOLDER}/../../../secret",
        f"{FOLDER}/..%2f..%2f..%2fsecret",
        f"{FOLDER}/....//....//secret",
        f"{FOLDER}\\..\\..\\..\\secret",
        f"{FOLDER}/good\x00.txt",
        f"{FOLDER}/good/",
        f"{FOLDER}/good/x",
        f"{FOLDER}/.",
        f"{FOLDER}/",
        FOLDER,
        f"{FOLDER}/absent",
        f"{FOLDER}/{'x' * 5000}",
        "0f9609b9-c713-4bfa-9b2a-76aee5eaf11c/artifacts/good",
        f"{RUN}/good",
        "~/secret",
        "good",
        "",
        "https://example.com/good",
        "file:///etc/passwd",
    ],
)
def test_no_path_leads_elsewhere(root: Path, path: str) -> None:
    with pytest.raises(ArtifactUnavailable):
        resolve(root, _artifact(path))


def test_links_pipes_and_folders_are_no_artifacts(root: Path, tmp_path: Path) -> None:
    folder = root / FOLDER
    other = root / str(uuid4()) / "artifacts"
    other.mkdir(parents=True)
    (other / "private").write_text("canary")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "inside").symlink_to(other / "private")
    (folder / "sibling").symlink_to("good")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    os.link(tmp_path / "secret", folder / "second-name")
    for name in ("out", "absolute", "inside", "sibling", "loop", "folder", "pipe", "second-name"):
        with pytest.raises(ArtifactUnavailable):
            resolve(root, _artifact(f"{FOLDER}/{name}"))


def test_a_folder_that_became_a_link_leads_nowhere(root: Path, tmp_path: Path) -> None:
    (root / FOLDER).rename(tmp_path / "moved")
    (root / FOLDER).symlink_to(tmp_path / "moved")
    with pytest.raises(ArtifactUnavailable):
        resolve(root, _artifact(f"{FOLDER}/good"))


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ArtifactUnavailable):
        resolve(tmp_path / "gone", _artifact(f"{FOLDER}/good"))
