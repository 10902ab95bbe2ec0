"""What the database itself refuses, typed in by hand past every model: the same on both."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from db import runs
from db.models import SpecAutomationRun
from db.session import Database
from db.vocabulary import Phase, RunStatus, TaskStatus
from tests.db.rows import begun_run, execute, phase_that_is, queued_run, record_delivery, recorded_log, run_that_is

RUN, STATE, ARTIFACT = "spec_automation_run", "spec_automation_task_state", "automation_artifact"

REFUSED = [
    (RUN, "status = 'cancelled'", "run_status|may not follow"),
    (RUN, "status = NULL", "status"),
    (RUN, "started_at = NULL", "started_when_begun"),
    (RUN, "completed_at = started_at", "completed_when_over"),
    (RUN, "status = 'succeeded'", "completed_when_over"),
    (RUN, "status = 'succeeded', completed_at = '2001-01-01 00:00:00.000000'", "completed_after_start"),
    (RUN, "status = 'failed', completed_at = started_at", "failure_has_a_reason"),
    (RUN, "error_code = 'run.internal'", "error_code_of_a_failure"),
    (RUN, "until_phase = 'open_pr'", "until_an_agent_phase"),
    (RUN, "until_phase = 'speckit_sing'", "until_phase|until_an_agent_phase"),
    (RUN, "lease_epoch = 0", "counted up"),
    (RUN, "lease_epoch = -1", "counted up|counters_not_negative"),
    (RUN, "crash_count = -1", "counters_not_negative"),
    (RUN, "lease_owner = NULL", "lease_is_whole"),
    (RUN, "lease_expires_at = NULL", "lease_is_whole"),
    (RUN, "cancel_requested_by = 'bob'", "cancel_has_an_author"),
    (RUN, "job_container_id = 'c', cleanup_succeeded = TRUE", "container_forgotten"),
    (RUN, "repository = 'shop'", "names_not_empty"),
    (RUN, "repository = 'a/b/c'", "names_not_empty"),
    (RUN, "requested_by = ''", "names_not_empty"),
    (RUN, "command_key = ''", "names_not_empty"),
    (RUN, "issue_number = 0", "ids_positive"),
    (RUN, "repository_id = -1", "ids_positive"),
    (STATE, "status = 'sleeping'", "task_status|may not follow"),
    (STATE, "phase = 'lunch'", "phase"),
    (STATE, "attempt = -1", "attempt_not_negative|counted up"),
    (STATE, "attempt = 0", "counted up"),
    (STATE, "attempt = 3", "counted up"),
    (STATE, "started_at = NULL", "started_when_begun"),
    (STATE, "completed_at = started_at", "completed_when_over"),
    (STATE, "status = 'succeeded', stdout_path = 'x', stderr_path = 'x'", "completed_when_over"),
    (STATE, "status = 'retrying', completed_at = '2001-01-01 00:00:00.000000'", "completed_after_start"),
    (STATE, "status = 'succeeded', completed_at = started_at", "names its logs"),
    (STATE, "run_id = NULL", "run_id"),
    (STATE, "metadata = NULL", "metadata"),
    (ARTIFACT, "artifact_type = 'souvenir'", "artifact_type"),
    (ARTIFACT, "source_phase = 'lunch'", "source_phase"),
    (ARTIFACT, "size_bytes = -1", "size_not_negative"),
    (ARTIFACT, "attempt = 0", "attempt_counted"),
    (ARTIFACT, "name = ''", "names_not_empty"),
    (ARTIFACT, "content_type = ''", "names_not_empty"),
    (ARTIFACT, "sha256 = 'abc'", "sha256_is_whole"),
    (ARTIFACT, "storage_path = '/etc/passwd'", "storage_path_stays_inside"),
    (ARTIFACT, "storage_path = 'x/../../etc/passwd'", "storage_path_stays_inside"),
    (ARTIFACT, r"storage_path = '..\x'", "storage_path_stays_inside"),
    (ARTIFACT, r"storage_path = 'a\x'", "storage_path_stays_inside"),
    (ARTIFACT, "storage_path = ''", "storage_path_stays_inside"),
    (ARTIFACT, "expires_at = created_at", "expires_later"),
    (ARTIFACT, "expires_at = NULL", "expires_at"),
    ("delivery", "outcome = 'lost', handled_at = received_at", "delivery_outcome"),
    ("delivery", "outcome = 'accepted'", "outcome_when_handled"),
    ("delivery", "handled_at = received_at", "outcome_when_handled"),
    ("delivery", "tries = -1", "tries_not_negative"),
    ("delivery", "said_key = ''", "keys_not_empty"),
]


async def _one_row_of_everything(database: Database) -> None:
    held = await begun_run(database)
    await phase_that_is(database, held, Phase.GIT_CLONE, TaskStatus.RUNNING)
    await recorded_log(database, held)
    async with database.transaction() as session:
        await session.connection()
        await record_delivery(session, "d", "said", {})


async def test_every_rule_is_kept_by_the_database_itself(database: Database) -> None:
    await _one_row_of_everything(database)
    for table, assignment, rule in REFUSED:
        where = " WHERE phase = 'git_clone'" if table == STATE else ""
        with pytest.raises(IntegrityError, match=rule):
            await execute(database, f"UPDATE {table} SET {assignment}{where}")


async def test_the_row_the_rules_refuse_changes_of_takes_good_ones(database: Database) -> None:
    """So that no rule above is kept only because the row cannot be written at all."""
    await _one_row_of_everything(database)
    for table, assignment in (
        (RUN, "lease_epoch = lease_epoch + 1, crash_count = 1, repository = 'acme/store', result_summary = 'x'"),
        (STATE, "attempt = attempt + 1"),
        (ARTIFACT, "storage_path = 'https://store.example/x', size_bytes = 0"),
        ("delivery", "outcome = 'accepted', handled_at = received_at, tries = 3"),
    ):
        where = " WHERE phase = 'git_clone'" if table == STATE else ""
        assert await execute(database, f"UPDATE {table} SET {assignment}{where}") == 1


@pytest.mark.parametrize("table", [STATE, ARTIFACT, "agent_configuration", "run_report"])
async def test_nothing_belongs_to_no_run(database: Database, table: str) -> None:
    held = await begun_run(database)
    await recorded_log(database, held)
    async with database.transaction() as session:
        await runs.record_agent(session, held.lease, "template", "1", "1", {}, allowed=("template",))
    stranger = "'00000000000000000000000000000001'"
    rule = "is a snapshot" if table == "agent_configuration" else "FOREIGN KEY|foreign key|fk_"
    with pytest.raises(IntegrityError, match=rule):
        await execute(database, f"UPDATE {table} SET run_id = {stranger}")


async def test_keys_are_unique(database: Database) -> None:
    first, second = await begun_run(database), await begun_run(database)
    for held in (first, second):
        await recorded_log(database, held)
        await recorded_log(database, held, attempt=2)
    for statement in (
        f"UPDATE {RUN} SET command_key = 'same'",
        f"UPDATE {STATE} SET phase = 'git_clone'",
        f"UPDATE {ARTIFACT} SET attempt = 1",
    ):
        with pytest.raises(IntegrityError, match=r"(?i)unique"):
            await execute(database, statement)


async def test_a_run_begins_queued_and_a_phase_unstarted(database: Database) -> None:
    await run_that_is(database, RunStatus.SUCCEEDED)
    columns = ", ".join(
        column.name for column in SpecAutomationRun.__table__.columns if column.name not in {"run_id", "command_key"}
    )
    with pytest.raises(IntegrityError, match="a run begins queued"):
        await execute(
            database,
            f"INSERT INTO {RUN} (run_id, command_key, {columns})"
            f" SELECT '00000000000000000000000000000001', 'another', {columns} FROM {RUN}",
        )
    await queued_run(database)
    with pytest.raises(IntegrityError, match="a phase begins pending or skipped"):
        await execute(
            database,
            f"INSERT INTO {STATE} (task_state_id, run_id, phase, status, attempt, started_at, metadata)"
            f" SELECT '00000000000000000000000000000002', run_id, phase, 'running', 1, '2030-01-01', '{{}}'"
            f" FROM {STATE} WHERE phase = 'cleanup' LIMIT 1",
        )


async def test_the_longest_text_is_bounded_on_both(database: Database) -> None:
    await queued_run(database)
    with pytest.raises(Exception, match=r"requested_by_length|too long"):
        await execute(database, f"UPDATE {RUN} SET requested_by = :login", login="x" * 101)
