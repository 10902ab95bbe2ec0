"""Rules of revision 0001 that need more than one row or its former state: triggers, the same on both databases.

A rule is a condition that must never hold. Frozen with its revision: a later change is a new revision.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic import op

_KEPT = {
    # Not "7 days": Postgres would count days of the session's time zone, some of which have 23 hours.
    "postgresql": "{0} + interval '168 hours'",
    # Timestamps are text with six digits; SQLite's own arithmetic would round them to three.
    "sqlite": "(date(substr({0}, 1, 10), '+7 days') || substr({0}, 11))",
}


@dataclass(frozen=True)
class Rule:
    """``broken``: SQL over NEW (and OLD). ``{kept:X}`` stands for the timestamp X plus the least retention."""

    name: str
    table: str
    event: str
    broken: str
    message: str


RULES = (
    Rule(
        "agent_configuration_is_immutable",
        "agent_configuration",
        "UPDATE",
        "1 = 1",
        "an agent configuration is a snapshot and cannot change",
    ),
    Rule(
        "run_begins_queued",
        "spec_automation_run",
        "INSERT",
        "NEW.status <> 'queued'",
        "a run begins queued",
    ),
    Rule(
        "run_status_may_follow",
        "spec_automation_run",
        "UPDATE",
        "NEW.status <> OLD.status AND NOT (OLD.status = 'queued' AND NEW.status = 'in_progress')"
        " AND NOT (OLD.status = 'in_progress' AND NEW.status IN ('succeeded', 'failed', 'no_changes'))",
        "this run status may not follow that one",
    ),
    Rule(
        "run_epoch_counts_up",
        "spec_automation_run",
        "UPDATE",
        "NEW.lease_epoch < OLD.lease_epoch",
        "a lease epoch is counted up",
    ),
    Rule(
        "run_end_keeps_artifacts",
        "spec_automation_run",
        "UPDATE",
        "NEW.completed_at IS NOT NULL AND EXISTS (SELECT 1 FROM automation_artifact a"
        " WHERE a.run_id = NEW.run_id AND a.expires_at < {kept:NEW.completed_at})",
        "artifacts are kept for at least 7 days after the end of the run",
    ),
    *(
        Rule(
            f"artifact_is_kept_{event.lower()}",
            "automation_artifact",
            event,
            "EXISTS (SELECT 1 FROM spec_automation_run r WHERE r.run_id = NEW.run_id"
            " AND r.completed_at IS NOT NULL AND NEW.expires_at < {kept:r.completed_at})",
            "artifacts are kept for at least 7 days after the end of the run",
        )
        for event in ("INSERT", "UPDATE")
    ),
    Rule(
        "task_state_begins_unstarted",
        "spec_automation_task_state",
        "INSERT",
        "NEW.status NOT IN ('pending', 'skipped') OR NEW.attempt <> 0",
        "a phase begins pending or skipped, without an attempt",
    ),
    Rule(
        "task_status_may_follow",
        "spec_automation_task_state",
        "UPDATE",
        "NEW.status <> OLD.status"
        " AND NOT (OLD.status = 'pending' AND NEW.status IN ('running', 'skipped'))"
        " AND NOT (OLD.status = 'running' AND NEW.status IN ('succeeded', 'failed', 'retrying', 'skipped'))"
        " AND NOT (OLD.status = 'retrying' AND NEW.status IN ('running', 'failed', 'skipped'))"
        " AND NOT (OLD.status IN ('succeeded', 'failed') AND NEW.status = 'running')",
        "this phase status may not follow that one",
    ),
    Rule(
        "attempt_counts_up",
        "spec_automation_task_state",
        "UPDATE",
        "NEW.attempt < OLD.attempt OR NEW.attempt > OLD.attempt + 1"
        " OR (NEW.status = 'running' AND OLD.status <> 'running' AND NEW.attempt = OLD.attempt)",
        "an attempt is counted up by one and never reused",
    ),
    Rule(
        "finished_phase_names_its_logs",
        "spec_automation_task_state",
        "UPDATE",
        "NEW.status IN ('succeeded', 'failed') AND EXISTS (SELECT 1 FROM automation_artifact a"
        " WHERE a.run_id = NEW.run_id AND a.source_phase = NEW.phase AND a.attempt = NEW.attempt"
        " AND ((a.artifact_type = 'stdout_log' AND NEW.stdout_path IS NULL)"
        " OR (a.artifact_type = 'stderr_log' AND NEW.stderr_path IS NULL)))",
        "a phase that ended names its logs",
    ),
)


def create(dialect: str) -> None:
    """Make all triggers on ``postgresql`` or ``sqlite``."""
    for rule in RULES:
        broken = _condition(rule.broken, dialect)
        if dialect == "sqlite":
            op.execute(
                f"CREATE TRIGGER {rule.name} BEFORE {rule.event} ON {rule.table} WHEN {broken}"
                f" BEGIN SELECT RAISE(ABORT, '{rule.message}'); END"
            )
            continue
        op.execute(
            f"CREATE FUNCTION {rule.name}() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF {broken} THEN"
            f" RAISE EXCEPTION USING MESSAGE = '{rule.message}', ERRCODE = 'check_violation',"
            f" CONSTRAINT = '{rule.name}'; END IF; RETURN NEW; END $rule$"
        )
        op.execute(
            f"CREATE TRIGGER {rule.name} BEFORE {rule.event} ON {rule.table}"
            f" FOR EACH ROW EXECUTE FUNCTION {rule.name}()"
        )


def drop_functions(dialect: str) -> None:
    """Triggers go with their tables; Postgres's functions stay until dropped."""
    if dialect == "postgresql":
        for rule in RULES:
            op.execute(f"DROP FUNCTION {rule.name}()")


def _condition(broken: str, dialect: str) -> str:
    before, marker, after = broken.partition("{kept:")
    if not marker:
        return broken
    timestamp, _, after = after.partition("}")
    return before + _KEPT[dialect].format(timestamp) + after
