"""Runs of every verb: their columns, their phases, reserved feature directories and questions put to people.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD_PHASES = (
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
PHASES = (
    "prepare_job",
    "start_job_container",
    "git_clone",
    "speckit_constitution",
    "speckit_specify",
    "speckit_clarify",
    "speckit_refine",
    "speckit_plan",
    "speckit_tasks",
    "speckit_checklist",
    "speckit_analyze",
    "speckit_implement",
    "commit_push",
    "open_pr",
    "cleanup",
)
VERBS = ("specify", "clarify", "plan", "tasks", "checklist", "analyze", "implement", "constitution", "refine")
TRIGGERS = ("comment", "mention", "label", "assignment", "check_run", "review_comment")
PHASE_COLUMNS = (
    ("spec_automation_run", "until_phase", "until_phase"),
    ("spec_automation_task_state", "phase", "phase"),
    ("automation_artifact", "source_phase", "source_phase"),
)
RUN, REPORT = "spec_automation_run", "run_report"

# (table, column, type on SQLite, type on Postgres, what follows it, its checks by name)
COLUMNS: tuple[tuple[str, str, str, str, str, dict[str, str]], ...] = (
    (RUN, "verb", "VARCHAR(32)", "VARCHAR(32)", "NOT NULL DEFAULT 'specify'", {"verb": "verb IN {verbs}"}),
    (
        RUN,
        "trigger",
        "VARCHAR(32)",
        "VARCHAR(32)",
        "NOT NULL DEFAULT 'comment'",
        {"trigger": '"trigger" IN {triggers}'},
    ),
    (
        RUN,
        "requested_model",
        "VARCHAR(100)",
        "VARCHAR(100)",
        "",
        {"requested_model_length": "length(requested_model) <= 100"},
    ),
    (RUN, "project", "VARCHAR(200)", "VARCHAR(200)", "", {"project_length": "length(project) <= 200"}),
    (RUN, "pull_request_number", "BIGINT", "BIGINT", "", {"pull_request_positive": "pull_request_number > 0"}),
    (
        RUN,
        "writer_key",
        "VARCHAR(200)",
        "VARCHAR(200)",
        "NOT NULL DEFAULT ''",
        {"writer_key_length": "length(writer_key) <= 200"},
    ),
    (RUN, "arguments", "JSON", "JSON", "NOT NULL DEFAULT '{}'", {}),
    (RUN, "retry_of", "CHAR(32)", "UUID", "", {}),
    (RUN, "most_in_repository", "INTEGER", "INTEGER", "", {}),
    (
        RUN,
        "most_of_person",
        "INTEGER",
        "INTEGER",
        "",
        {"limits_positive": "most_in_repository > 0 AND most_of_person > 0"},
    ),
    (
        REPORT,
        "comment_node_id",
        "VARCHAR(255)",
        "VARCHAR(255)",
        "",
        {"comment_node_id_length": "length(comment_node_id) <= 255"},
    ),
    (REPORT, "comment_folded_at", "DATETIME", "TIMESTAMP WITH TIME ZONE", "", {}),
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table, column, name in PHASE_COLUMNS:
        _replace_check(dialect, table, name, f"{column} IN {_listed(OLD_PHASES)}", f"{column} IN {_listed(PHASES)}")
    for table, column, on_sqlite, on_postgres, tail, checks in COLUMNS:
        kind = on_sqlite if dialect == "sqlite" else on_postgres
        rules = "".join(
            f" CONSTRAINT ck_{table}_{name} CHECK"
            f" ({rule.replace('{verbs}', _listed(VERBS)).replace('{triggers}', _listed(TRIGGERS))})"
            for name, rule in checks.items()
        )
        op.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" {kind} {tail}{rules}')
    op.execute(f"UPDATE {RUN} SET writer_key = 'issue:' || issue_number")
    op.create_index("ix_spec_automation_run_pull_request", RUN, ["repository_id", "pull_request_number"])
    _create_feature_reservation()
    _create_clarification()


def _create_feature_reservation() -> None:
    table = "feature_reservation"
    op.create_table(
        table,
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("project", sa.String(length=200), nullable=False),
        sa.Column("directory", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f(f"ck_{table}_number_positive")),
        sa.CheckConstraint("length(directory) > 0", name=op.f(f"ck_{table}_directory_not_empty")),
        sa.CheckConstraint("length(directory) <= 200", name=op.f(f"ck_{table}_directory_length")),
        sa.CheckConstraint("length(project) <= 200", name=op.f(f"ck_{table}_project_length")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f(f"fk_{table}_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint(
            "repository_id", "project", "directory", name=op.f(f"uq_{table}_repository_id_project_directory")
        ),
        sa.UniqueConstraint(
            "repository_id", "project", "number", name=op.f(f"uq_{table}_repository_id_project_number")
        ),
    )


def _create_clarification() -> None:
    table = "clarification"
    op.create_table(
        table,
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("pull_request_number", sa.BigInteger(), nullable=False),
        sa.Column("questions", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=True),
        sa.Column("comment_url", sa.String(length=1024), nullable=True),
        sa.Column("comment_intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("answered_by", sa.String(length=100), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_digest", sa.String(length=64), nullable=True),
        sa.CheckConstraint("pull_request_number > 0 AND repository_id > 0", name=op.f(f"ck_{table}_ids_positive")),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (answered_by IS NULL)", name=op.f(f"ck_{table}_answers_have_an_author")
        ),
        sa.CheckConstraint("length(comment_url) <= 1024", name=op.f(f"ck_{table}_comment_url_length")),
        sa.CheckConstraint("length(answered_by) <= 100", name=op.f(f"ck_{table}_answered_by_length")),
        sa.CheckConstraint("length(told_digest) <= 64", name=op.f(f"ck_{table}_told_digest_length")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f(f"fk_{table}_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_clarification_pull_request", table, ["repository_id", "pull_request_number", "asked_at"])


def downgrade() -> None:
    """Only while no run is of a new verb or phase: the old checks refuse such rows (on SQLite, at their next write)."""
    dialect = op.get_bind().dialect.name
    op.drop_table("clarification")
    op.drop_table("feature_reservation")
    op.drop_index("ix_spec_automation_run_pull_request", table_name=RUN)
    for table, column, *_ in reversed(COLUMNS):
        op.execute(f'ALTER TABLE {table} DROP COLUMN "{column}"')
    for table, column, name in PHASE_COLUMNS:
        _replace_check(dialect, table, name, f"{column} IN {_listed(PHASES)}", f"{column} IN {_listed(OLD_PHASES)}")


def _listed(values: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


def _replace_check(dialect: str, table: str, name: str, old: str, new: str) -> None:
    if dialect == "postgresql":
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({new})")
        return
    # Making the table anew would run its ON DELETE rules and lose its triggers. What is on the disk does not change,
    # so SQLite lets the stored text be edited (https://www.sqlite.org/lang_altertable.html, "simpler and faster").
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    edited = connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ? AND instr(sql, ?) > 0",
        (old, new, table, old),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if edited.rowcount != 1:
        raise RuntimeError(f"the table {table} is not as revision 0001 made it: its check {name} was not found")
