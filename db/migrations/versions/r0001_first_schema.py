"""The four entities, what the reporter remembers, and deliveries.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations import rules_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PHASES = (
    "prepare_job",
    "start_job_container",
    "git_clone",
    "speckit_specify",
    "speckit_plan",
    "speckit_tasks",
    "commit_push",
    "open_pr",
    "cleanup",
)


def _bounds(table: str, **lengths: int) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(f"length({column}) <= {length}", name=op.f(f"ck_{table}_{column}_length"))
        for column, length in lengths.items()
    ]


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    _create_delivery()
    _create_spec_automation_run()
    _create_agent_configuration()
    _create_run_report()
    _create_spec_automation_task_state()
    _create_automation_artifact()
    rules_0001.create(op.get_bind().dialect.name)


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("said_key", sa.String(length=255), nullable=False),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            _enum("delivery_outcome", "accepted", "answered", "refused", "ignored", "failed"),
            nullable=True,
        ),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.CheckConstraint("(handled_at IS NULL) = (outcome IS NULL)", name=op.f("ck_delivery_outcome_when_handled")),
        *_bounds("delivery", action=64, delivery_id=100, event=64, said_key=255),
        sa.CheckConstraint("length(delivery_id) > 0 AND length(said_key) > 0", name=op.f("ck_delivery_keys_not_empty")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_delivery_tries_not_negative")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("said_key", name=op.f("uq_delivery_said_key")),
    )
    op.create_index(
        "ix_delivery_unhandled",
        "delivery",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )


def _create_spec_automation_run() -> None:
    op.create_table(
        "spec_automation_run",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("external_ref", sa.String(length=255), nullable=True),
        sa.Column("repository", sa.String(length=140), nullable=False),
        sa.Column("branch_name", sa.String(length=255), nullable=True),
        sa.Column("base_branch", sa.String(length=255), nullable=True),
        sa.Column(
            "status",
            _enum("run_status", "queued", "in_progress", "succeeded", "failed", "no_changes"),
            nullable=False,
        ),
        sa.Column("result_summary", sa.String(length=4000), nullable=True),
        sa.Column("requested_spec_input", sa.String(length=65536), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_hostname", sa.String(length=255), nullable=True),
        sa.Column("job_container_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("command_key", sa.String(length=255), nullable=False),
        sa.Column("installation_id", sa.BigInteger(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("issue_number", sa.BigInteger(), nullable=False),
        sa.Column("on_pull_request", sa.Boolean(), nullable=False),
        sa.Column("issue_title", sa.String(length=1024), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=True),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "until_phase",
            _enum("until_phase", *PHASES),
            nullable=True,
        ),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("requested_agent", sa.String(length=64), nullable=True),
        sa.Column("base_sha", sa.String(length=64), nullable=True),
        sa.Column("head_sha", sa.String(length=64), nullable=True),
        sa.Column("feature_directory", sa.String(length=512), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=255), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crash_count", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_by", sa.String(length=100), nullable=True),
        sa.Column("cleanup_succeeded", sa.Boolean(), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'queued') = (started_at IS NULL)", name=op.f("ck_spec_automation_run_started_when_begun")
        ),
        sa.CheckConstraint(
            "(status IN ('queued', 'in_progress')) = (completed_at IS NULL)",
            name=op.f("ck_spec_automation_run_completed_when_over"),
        ),
        sa.CheckConstraint(
            "error_code IS NULL OR status = 'failed'", name=op.f("ck_spec_automation_run_error_code_of_a_failure")
        ),
        sa.CheckConstraint(
            "length(requested_by) > 0 AND length(command_key) > 0"
            " AND length(repository) > 2 AND length(repository) - length(replace(repository, '/', '')) = 1",
            name=op.f("ck_spec_automation_run_names_not_empty"),
        ),
        sa.CheckConstraint(
            "status != 'failed' OR coalesce(length(result_summary), 0) > 0",
            name=op.f("ck_spec_automation_run_failure_has_a_reason"),
        ),
        sa.CheckConstraint(
            "until_phase IN ('speckit_specify', 'speckit_plan', 'speckit_tasks')",
            name=op.f("ck_spec_automation_run_until_an_agent_phase"),
        ),
        sa.CheckConstraint(
            "(cancel_requested_at IS NULL) = (cancel_requested_by IS NULL)",
            name=op.f("ck_spec_automation_run_cancel_has_an_author"),
        ),
        sa.CheckConstraint(
            "(lease_owner IS NULL) = (lease_expires_at IS NULL)", name=op.f("ck_spec_automation_run_lease_is_whole")
        ),
        sa.CheckConstraint(
            "cleanup_succeeded IS NOT TRUE OR job_container_id IS NULL",
            name=op.f("ck_spec_automation_run_container_forgotten"),
        ),
        sa.CheckConstraint("completed_at >= started_at", name=op.f("ck_spec_automation_run_completed_after_start")),
        sa.CheckConstraint(
            "issue_number > 0 AND repository_id > 0 AND installation_id > 0 AND requested_by_id > 0",
            name=op.f("ck_spec_automation_run_ids_positive"),
        ),
        sa.CheckConstraint(
            "lease_epoch >= 0 AND crash_count >= 0", name=op.f("ck_spec_automation_run_counters_not_negative")
        ),
        *_bounds(
            "spec_automation_run",
            base_branch=255,
            base_sha=64,
            branch_name=255,
            cancel_requested_by=100,
            command_key=255,
            error_code=64,
            external_ref=255,
            feature_directory=512,
            head_sha=64,
            issue_title=1024,
            job_container_id=128,
            lease_owner=255,
            repository=140,
            requested_agent=64,
            requested_by=100,
            requested_spec_input=65536,
            result_summary=4000,
            worker_hostname=255,
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_spec_automation_run")),
        sa.UniqueConstraint("command_key", name=op.f("uq_spec_automation_run_command_key")),
    )
    op.create_index("ix_spec_automation_run_created", "spec_automation_run", ["created_at", "run_id"], unique=False)
    op.create_index(
        "ix_spec_automation_run_issue",
        "spec_automation_run",
        ["repository_id", "issue_number", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_spec_automation_run_status", "spec_automation_run", ["status", "lease_expires_at"], unique=False
    )


def _create_agent_configuration() -> None:
    op.create_table(
        "agent_configuration",
        sa.Column("agent_config_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("agent_backend", sa.String(length=64), nullable=False),
        sa.Column("agent_version", sa.String(length=200), nullable=False),
        sa.Column("prompt_pack_version", sa.String(length=200), nullable=False),
        sa.Column("runtime_env", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_bounds("agent_configuration", agent_backend=64, agent_version=200, prompt_pack_version=200),
        sa.CheckConstraint("length(agent_backend) > 0", name=op.f("ck_agent_configuration_backend_not_empty")),
        sa.CheckConstraint("length(agent_version) > 0", name=op.f("ck_agent_configuration_version_not_empty")),
        sa.CheckConstraint(
            "length(prompt_pack_version) > 0", name=op.f("ck_agent_configuration_prompt_pack_not_empty")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f("fk_agent_configuration_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_config_id", name=op.f("pk_agent_configuration")),
        sa.UniqueConstraint("run_id", name=op.f("uq_agent_configuration_run_id")),
    )


def _create_run_report() -> None:
    op.create_table(
        "run_report",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=True),
        sa.Column("comment_url", sa.String(length=1024), nullable=True),
        sa.Column("comment_intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_run_id", sa.BigInteger(), nullable=True),
        sa.Column("check_run_sha", sa.String(length=64), nullable=True),
        sa.Column("check_intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pull_request_number", sa.BigInteger(), nullable=True),
        sa.Column("pull_request_url", sa.String(length=1024), nullable=True),
        sa.Column("pull_request_intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_digest", sa.String(length=128), nullable=True),
        sa.Column("final_reported_at", sa.DateTime(timezone=True), nullable=True),
        *_bounds("run_report", check_run_sha=64, comment_url=1024, last_digest=128, pull_request_url=1024),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f("fk_run_report_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_report")),
    )


def _create_spec_automation_task_state() -> None:
    op.create_table(
        "spec_automation_task_state",
        sa.Column("task_state_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "phase",
            _enum("phase", *PHASES),
            nullable=False,
        ),
        sa.Column(
            "status",
            _enum("task_status", "pending", "running", "succeeded", "failed", "skipped", "retrying"),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stdout_path", sa.String(length=1024), nullable=True),
        sa.Column("stderr_path", sa.String(length=1024), nullable=True),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('pending', 'running')) = (completed_at IS NULL)",
            name=op.f("ck_spec_automation_task_state_completed_when_over"),
        ),
        sa.CheckConstraint(
            "status != 'pending' OR attempt = 0", name=op.f("ck_spec_automation_task_state_pending_has_no_attempt")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'skipped') OR attempt >= 1",
            name=op.f("ck_spec_automation_task_state_attempt_counted"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'skipped') OR started_at IS NOT NULL",
            name=op.f("ck_spec_automation_task_state_started_when_begun"),
        ),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_spec_automation_task_state_attempt_not_negative")),
        sa.CheckConstraint(
            "completed_at >= started_at", name=op.f("ck_spec_automation_task_state_completed_after_start")
        ),
        *_bounds("spec_automation_task_state", stderr_path=1024, stdout_path=1024),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["spec_automation_run.run_id"],
            name=op.f("fk_spec_automation_task_state_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_state_id", name=op.f("pk_spec_automation_task_state")),
        sa.UniqueConstraint("run_id", "phase", name=op.f("uq_spec_automation_task_state_run_id_phase")),
    )


def _create_automation_artifact() -> None:
    op.create_table(
        "automation_artifact",
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("task_state_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "artifact_type",
            _enum(
                "artifact_type",
                "stdout_log",
                "stderr_log",
                "diff_summary",
                "commit_status",
                "metrics_snapshot",
                "environment_info",
            ),
            nullable=False,
        ),
        sa.Column("storage_path", sa.String(length=1024), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "source_phase",
            _enum("source_phase", *PHASES),
            nullable=True,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "substr(storage_path, 1, 8) = 'https://' OR (length(storage_path) > 0"
            " AND substr(storage_path, 1, 1) != '/' AND replace(storage_path, '..', '') = storage_path"
            " AND replace(storage_path, '\\', '') = storage_path)",
            name=op.f("ck_automation_artifact_storage_path_stays_inside"),
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_automation_artifact_attempt_counted")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_automation_artifact_expires_later")),
        *_bounds("automation_artifact", content_type=127, name=200, sha256=64, storage_path=1024),
        sa.CheckConstraint(
            "length(name) > 0 AND length(content_type) > 0", name=op.f("ck_automation_artifact_names_not_empty")
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_automation_artifact_sha256_is_whole")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_automation_artifact_size_not_negative")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f("fk_automation_artifact_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["task_state_id"],
            ["spec_automation_task_state.task_state_id"],
            name=op.f("fk_automation_artifact_task_state_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_automation_artifact")),
        sa.UniqueConstraint("run_id", "name", "attempt", name=op.f("uq_automation_artifact_run_id_name_attempt")),
    )
    op.create_index("ix_automation_artifact_expires_at", "automation_artifact", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_automation_artifact_task_state_id"), "automation_artifact", ["task_state_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_automation_artifact_task_state_id"), table_name="automation_artifact")
    op.drop_index("ix_automation_artifact_expires_at", table_name="automation_artifact")
    op.drop_table("automation_artifact")
    op.drop_table("spec_automation_task_state")
    op.drop_table("run_report")
    op.drop_table("agent_configuration")
    op.drop_index("ix_spec_automation_run_status", table_name="spec_automation_run")
    op.drop_index("ix_spec_automation_run_issue", table_name="spec_automation_run")
    op.drop_index("ix_spec_automation_run_created", table_name="spec_automation_run")
    op.drop_table("spec_automation_run")
    op.drop_index(
        "ix_delivery_unhandled",
        table_name="delivery",
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.drop_table("delivery")
    rules_0001.drop_functions(op.get_bind().dialect.name)
