"""What runs spend on models, as the gateway counts it.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

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
TABLE = "model_usage"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "phase",
            sa.Enum(*PHASES, name="phase", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("refused_requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "requests >= 0 AND refused_requests >= 0", name=op.f(f"ck_{TABLE}_requests_not_negative")
        ),
        sa.CheckConstraint("input_tokens >= 0 AND output_tokens >= 0", name=op.f(f"ck_{TABLE}_tokens_not_negative")),
        sa.CheckConstraint(
            "cached_input_tokens >= 0 AND cached_input_tokens <= input_tokens",
            name=op.f(f"ck_{TABLE}_cached_is_part_of_input"),
        ),
        sa.CheckConstraint("cost_usd >= 0", name=op.f(f"ck_{TABLE}_cost_not_negative")),
        sa.CheckConstraint("attempt >= 1", name=op.f(f"ck_{TABLE}_attempt_counted")),
        sa.CheckConstraint("length(model) <= 200", name=op.f(f"ck_{TABLE}_model_length")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["spec_automation_run.run_id"], name=op.f(f"fk_{TABLE}_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "phase", "attempt", "model", "day", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index("ix_model_usage_repository_day", TABLE, ["repository_id", "day"])


def downgrade() -> None:
    op.drop_table(TABLE)
