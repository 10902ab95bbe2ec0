"""The tables. The four entities of the data model, what the reporter must not forget, and what runs spent.

Rules live three times, each where it bites: in the transitions of db/vocabulary.py, in the validators here, and in
named constraints. Those that constraints cannot say (transitions, immutability, an artifact's retention, the log paths
of a finished phase) are triggers, made by the migrations.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    UniqueConstraint,
    Uuid,
    case,
    event,
)
from sqlalchemy.orm import Mapped, Mapper, mapped_column, relationship, validates

import db.records  # noqa: F401 - its tables belong to the same schema
from db.base import RUN_ID, Base, bound_text_lengths, enum, relative_path, storage_location
from db.errors import IllegalTransition, ImmutableRecord
from db.types import CleanJson, CleanText, JsonObject, UtcDateTime
from db.vocabulary import (
    PHASES,
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    ArtifactType,
    Phase,
    RunStatus,
    TaskStatus,
    Trigger,
    Verb,
)

MAX_COMMENT = 65_536
"""Characters GitHub allows in a comment."""


class SpecAutomationRun(Base):
    """One accepted command's whole life."""

    __tablename__ = "spec_automation_run"
    __table_args__ = (
        CheckConstraint("completed_at >= started_at", name="completed_after_start"),
        CheckConstraint("(status = 'queued') = (started_at IS NULL)", name="started_when_begun"),
        CheckConstraint("(status IN ('queued', 'in_progress')) = (completed_at IS NULL)", name="completed_when_over"),
        CheckConstraint("status != 'failed' OR coalesce(length(result_summary), 0) > 0", name="failure_has_a_reason"),
        CheckConstraint("error_code IS NULL OR status = 'failed'", name="error_code_of_a_failure"),
        CheckConstraint(
            "until_phase IN ('speckit_specify', 'speckit_plan', 'speckit_tasks')", name="until_an_agent_phase"
        ),
        CheckConstraint("(lease_owner IS NULL) = (lease_expires_at IS NULL)", name="lease_is_whole"),
        CheckConstraint("lease_epoch >= 0 AND crash_count >= 0", name="counters_not_negative"),
        CheckConstraint("cleanup_succeeded IS NOT TRUE OR job_container_id IS NULL", name="container_forgotten"),
        CheckConstraint("(cancel_requested_at IS NULL) = (cancel_requested_by IS NULL)", name="cancel_has_an_author"),
        CheckConstraint(
            "issue_number > 0 AND repository_id > 0 AND installation_id > 0 AND requested_by_id > 0",
            name="ids_positive",
        ),
        CheckConstraint("pull_request_number > 0", name="pull_request_positive"),
        CheckConstraint("most_in_repository > 0 AND most_of_person > 0", name="limits_positive"),
        CheckConstraint(
            "length(requested_by) > 0 AND length(command_key) > 0"
            " AND length(repository) > 2 AND length(repository) - length(replace(repository, '/', '')) = 1",
            name="names_not_empty",
        ),
        Index("ix_spec_automation_run_issue", "repository_id", "issue_number", "created_at"),
        Index("ix_spec_automation_run_status", "status", "lease_expires_at"),
        Index("ix_spec_automation_run_created", "created_at", "run_id"),
        Index("ix_spec_automation_run_pull_request", "repository_id", "pull_request_number"),
    )

    run_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    external_ref: Mapped[str | None] = mapped_column(CleanText(255))
    repository: Mapped[str] = mapped_column(CleanText(140))
    branch_name: Mapped[str | None] = mapped_column(CleanText(255))
    base_branch: Mapped[str | None] = mapped_column(CleanText(255))
    """None until the repository's own default (mostly ``main``) was asked for."""
    status: Mapped[RunStatus] = mapped_column(enum(RunStatus, "run_status"), default=RunStatus.QUEUED)
    result_summary: Mapped[str | None] = mapped_column(CleanText(4000, clip=True))
    requested_spec_input: Mapped[str] = mapped_column(CleanText(MAX_COMMENT, clip=True))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker_hostname: Mapped[str | None] = mapped_column(CleanText(255))
    job_container_id: Mapped[str | None] = mapped_column(CleanText(128))

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    command_key: Mapped[str] = mapped_column(CleanText(255), unique=True)
    installation_id: Mapped[int] = mapped_column(BigInteger)
    repository_id: Mapped[int] = mapped_column(BigInteger)
    private: Mapped[bool]
    issue_number: Mapped[int] = mapped_column(BigInteger)
    on_pull_request: Mapped[bool]
    issue_title: Mapped[str] = mapped_column(CleanText(1024, clip=True))
    comment_id: Mapped[int | None] = mapped_column(BigInteger)
    requested_by: Mapped[str] = mapped_column(CleanText(100))
    requested_by_id: Mapped[int] = mapped_column(BigInteger)
    until_phase: Mapped[Phase | None] = mapped_column(enum(Phase, "until_phase"))
    dry_run: Mapped[bool] = mapped_column(default=False)
    requested_agent: Mapped[str | None] = mapped_column(CleanText(64))
    verb: Mapped[Verb] = mapped_column(enum(Verb, "verb"), default=Verb.SPECIFY)
    trigger: Mapped[Trigger] = mapped_column(enum(Trigger, "trigger"), default=Trigger.COMMENT)
    requested_model: Mapped[str | None] = mapped_column(CleanText(100))
    project: Mapped[str | None] = mapped_column(CleanText(200))
    """The folder of the repository that Spec Kit takes for its root; None: the repository itself."""
    pull_request_number: Mapped[int | None] = mapped_column(BigInteger)
    """The pull request whose branch the run continues; None: it opens one of its own."""
    writer_key: Mapped[str] = mapped_column(CleanText(200))
    """Runs of a repository with the same key write to the same branch, so they work one after the other."""
    retry_of: Mapped[UUID | None] = mapped_column(Uuid)
    """The run whose finished phases this one takes over."""
    arguments: Mapped[JsonObject] = mapped_column(CleanJson(262_144), default=dict)
    """What the verb takes besides text: answers, accept_recommended, section, review_comment_id."""
    most_in_repository: Mapped[int | None]
    most_of_person: Mapped[int | None]
    """How many runs the repository's configuration lets work at once when this one wants to begin."""
    base_sha: Mapped[str | None] = mapped_column(CleanText(64))
    head_sha: Mapped[str | None] = mapped_column(CleanText(64))
    feature_directory: Mapped[str | None] = mapped_column(CleanText(512))
    error_code: Mapped[str | None] = mapped_column(CleanText(64))
    lease_epoch: Mapped[int] = mapped_column(default=0)
    """Counted up each time the run is taken: what fences a worker that lost it."""
    lease_owner: Mapped[str | None] = mapped_column(CleanText(255))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    crash_count: Mapped[int] = mapped_column(default=0)
    """How often the run was taken over because its worker stopped renewing; a lease handed back does not count."""
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_by: Mapped[str | None] = mapped_column(CleanText(100))
    cleanup_succeeded: Mapped[bool | None]
    deadline_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    task_states: Mapped[list[SpecAutomationTaskState]] = relationship(
        back_populates="run",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by=lambda: case(
            {phase.value: place for place, phase in enumerate(PHASES)}, value=SpecAutomationTaskState.phase
        ),
    )
    artifacts: Mapped[list[AutomationArtifact]] = relationship(
        back_populates="run",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by=lambda: [AutomationArtifact.created_at, AutomationArtifact.name],
    )
    agent_configuration: Mapped[AgentConfiguration | None] = relationship(
        back_populates="run", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )
    report: Mapped[RunReport] = relationship(
        back_populates="run", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )
    model_usage: Mapped[list[ModelUsage]] = relationship(
        back_populates="run",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by=lambda: [ModelUsage.attempt, ModelUsage.model, ModelUsage.day],
    )

    @validates("status")
    def _status_may_follow(self, key: str, wanted: RunStatus) -> RunStatus:
        wanted, current = RunStatus(wanted), self.__dict__.get(key)
        if current is not None and wanted is not current and wanted not in RUN_TRANSITIONS[current]:
            raise IllegalTransition("the run", current, wanted)
        return wanted

    @validates("feature_directory")
    def _stays_in_the_repository(self, key: str, path: str | None) -> str | None:
        return None if path is None else relative_path(path)


class SpecAutomationTaskState(Base):
    """One phase of one run: the newest attempt."""

    __tablename__ = "spec_automation_task_state"
    __table_args__ = (
        UniqueConstraint("run_id", "phase"),
        CheckConstraint("attempt >= 0", name="attempt_not_negative"),
        CheckConstraint("status != 'pending' OR attempt = 0", name="pending_has_no_attempt"),
        CheckConstraint("status IN ('pending', 'skipped') OR attempt >= 1", name="attempt_counted"),
        CheckConstraint("completed_at >= started_at", name="completed_after_start"),
        CheckConstraint("status IN ('pending', 'skipped') OR started_at IS NOT NULL", name="started_when_begun"),
        CheckConstraint(
            "(status IN ('pending', 'running')) = (completed_at IS NULL)",
            name="completed_when_over",
        ),
    )

    task_state_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"))
    phase: Mapped[Phase] = mapped_column(enum(Phase, "phase"))
    status: Mapped[TaskStatus] = mapped_column(enum(TaskStatus, "task_status"), default=TaskStatus.PENDING)
    attempt: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Of the newest attempt."""
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Of the newest attempt, or when the phase was skipped."""
    stdout_path: Mapped[str | None] = mapped_column(CleanText(1024))
    stderr_path: Mapped[str | None] = mapped_column(CleanText(1024))
    details: Mapped[JsonObject] = mapped_column("metadata", CleanJson(262_144), default=dict)

    run: Mapped[SpecAutomationRun] = relationship(back_populates="task_states", lazy="raise")
    artifacts: Mapped[list[AutomationArtifact]] = relationship(
        back_populates="task_state", lazy="raise", passive_deletes=True
    )

    @validates("status")
    def _status_may_follow(self, key: str, wanted: TaskStatus) -> TaskStatus:
        wanted, current = TaskStatus(wanted), self.__dict__.get(key)
        if current is not None and wanted is not current and wanted not in TASK_TRANSITIONS[current]:
            raise IllegalTransition("the phase", current, wanted)
        return wanted

    @validates("attempt")
    def _attempt_counts_up(self, key: str, wanted: int) -> int:
        current = self.__dict__.get(key)
        if wanted < 0 or (current is not None and wanted < current):
            raise ValueError(f"attempt {wanted} after {current}: attempts are counted up and never reused")
        return wanted

    @validates("stdout_path", "stderr_path")
    def _stays_in_the_root(self, key: str, path: str | None) -> str | None:
        return None if path is None else storage_location(path)


class AutomationArtifact(Base):
    """An output kept after the run."""

    __tablename__ = "automation_artifact"
    __table_args__ = (
        UniqueConstraint("run_id", "name", "attempt"),
        CheckConstraint("size_bytes >= 0", name="size_not_negative"),
        CheckConstraint("attempt >= 1", name="attempt_counted"),
        CheckConstraint("length(name) > 0 AND length(content_type) > 0", name="names_not_empty"),
        CheckConstraint("length(sha256) = 64", name="sha256_is_whole"),
        CheckConstraint(
            "substr(storage_path, 1, 8) = 'https://' OR (length(storage_path) > 0"
            " AND substr(storage_path, 1, 1) != '/' AND replace(storage_path, '..', '') = storage_path"
            " AND replace(storage_path, '\\', '') = storage_path)",
            name="storage_path_stays_inside",
        ),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        Index("ix_automation_artifact_expires_at", "expires_at"),
    )

    artifact_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"))
    task_state_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("spec_automation_task_state.task_state_id", ondelete="SET NULL"), index=True
    )
    name: Mapped[str] = mapped_column(CleanText(200))
    artifact_type: Mapped[ArtifactType] = mapped_column(enum(ArtifactType, "artifact_type"))
    storage_path: Mapped[str] = mapped_column(CleanText(1024))
    """Relative to the artifact root, or an https URL."""
    content_type: Mapped[str] = mapped_column(CleanText(127))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(CleanText(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source_phase: Mapped[Phase | None] = mapped_column(enum(Phase, "source_phase"))
    attempt: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    run: Mapped[SpecAutomationRun] = relationship(back_populates="artifacts", lazy="raise")
    task_state: Mapped[SpecAutomationTaskState | None] = relationship(back_populates="artifacts", lazy="raise")

    @validates("storage_path")
    def _stays_in_the_root(self, key: str, path: str) -> str:
        return storage_location(path)


class AgentConfiguration(Base):
    """Which agent worked, and with what: a snapshot that is never changed."""

    __tablename__ = "agent_configuration"
    __table_args__ = (
        CheckConstraint("length(agent_backend) > 0", name="backend_not_empty"),
        CheckConstraint("length(agent_version) > 0", name="version_not_empty"),
        CheckConstraint("length(prompt_pack_version) > 0", name="prompt_pack_not_empty"),
    )

    agent_config_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"), unique=True)
    agent_backend: Mapped[str] = mapped_column(CleanText(64))
    agent_version: Mapped[str] = mapped_column(CleanText(200, clip=True))
    prompt_pack_version: Mapped[str] = mapped_column(CleanText(200, clip=True))
    runtime_env: Mapped[JsonObject] = mapped_column(CleanJson(262_144), default=dict)
    """Environment variables forwarded to the agent: never a secret."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    run: Mapped[SpecAutomationRun] = relationship(back_populates="agent_configuration", lazy="raise")


class RunReport(Base):
    """What the reporter made on GitHub for a run. ``*_intended_at``: when it was about to create the thing, so that
    after a crash it looks for it before creating another."""

    __tablename__ = "run_report"

    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"), primary_key=True)
    comment_id: Mapped[int | None] = mapped_column(BigInteger)
    comment_url: Mapped[str | None] = mapped_column(CleanText(1024))
    comment_node_id: Mapped[str | None] = mapped_column(CleanText(255))
    comment_intended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment_folded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the comment was minimized as outdated, because a later run told more."""
    check_run_id: Mapped[int | None] = mapped_column(BigInteger)
    check_run_sha: Mapped[str | None] = mapped_column(CleanText(64))
    check_intended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pull_request_number: Mapped[int | None] = mapped_column(BigInteger)
    pull_request_url: Mapped[str | None] = mapped_column(CleanText(1024))
    pull_request_intended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_digest: Mapped[str | None] = mapped_column(CleanText(128))
    final_reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    run: Mapped[SpecAutomationRun] = relationship(back_populates="report", lazy="raise")


class ModelUsage(Base):
    """What one attempt of a phase spent on one model on one day, as the gateway counted it; kept as long as its run."""

    __tablename__ = "model_usage"
    __table_args__ = (
        CheckConstraint("requests >= 0 AND refused_requests >= 0", name="requests_not_negative"),
        CheckConstraint("input_tokens >= 0 AND output_tokens >= 0", name="tokens_not_negative"),
        CheckConstraint(
            "cached_input_tokens >= 0 AND cached_input_tokens <= input_tokens", name="cached_is_part_of_input"
        ),
        CheckConstraint("cost_usd >= 0", name="cost_not_negative"),
        CheckConstraint("attempt >= 1", name="attempt_counted"),
        Index("ix_model_usage_repository_day", "repository_id", "day"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"), primary_key=True)
    phase: Mapped[Phase] = mapped_column(enum(Phase, "phase"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    model: Mapped[str] = mapped_column(CleanText(200), primary_key=True)
    """Empty for requests that named none that was allowed."""
    day: Mapped[date] = mapped_column(primary_key=True)
    """Of UTC."""
    repository_id: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    """Those that were passed on to the model."""
    refused_requests: Mapped[int] = mapped_column(BigInteger, default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    """The part of the input that a cache had."""
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_usd: Mapped[float | None]
    """None when no price was known."""

    run: Mapped[SpecAutomationRun] = relationship(back_populates="model_usage", lazy="raise")


bound_text_lengths()


@event.listens_for(AgentConfiguration, "before_update")
def _refuse_update(
    mapper: Mapper[AgentConfiguration], connection: Connection, configuration: AgentConfiguration
) -> None:
    raise ImmutableRecord(f"the agent configuration of run {configuration.run_id} is a snapshot and cannot change")
