"""Rows beside the four entities: deliveries, reserved feature directories, and questions put to people."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import RUN_ID, Base, enum
from db.types import CleanJson, CleanText, JsonObject, UtcDateTime
from db.vocabulary import DeliveryOutcome


class FeatureReservation(Base):
    """A feature directory that belongs to a run before its branch is there for everybody to see."""

    __tablename__ = "feature_reservation"
    __table_args__ = (
        UniqueConstraint("repository_id", "project", "directory"),
        UniqueConstraint("repository_id", "project", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("length(directory) > 0", name="directory_not_empty"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(BigInteger)
    project: Mapped[str] = mapped_column(CleanText(200))
    """Empty where the repository is one project."""
    directory: Mapped[str] = mapped_column(CleanText(200))
    """The name below ``specs/``, such as ``007-pay-by-invoice``."""
    number: Mapped[int | None] = mapped_column(BigInteger)
    """None in repositories that begin their names with a timestamp."""
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Clarification(Base):
    """Questions put to people, and what they answered. While they think nothing else of it exists: no run, no job, no
    container."""

    __tablename__ = "clarification"
    __table_args__ = (
        CheckConstraint("pull_request_number > 0 AND repository_id > 0", name="ids_positive"),
        CheckConstraint("(answered_at IS NULL) = (answered_by IS NULL)", name="answers_have_an_author"),
        Index("ix_clarification_pull_request", "repository_id", "pull_request_number", "asked_at"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey(RUN_ID, ondelete="CASCADE"), primary_key=True)
    """The run that asked."""
    repository_id: Mapped[int] = mapped_column(BigInteger)
    pull_request_number: Mapped[int] = mapped_column(BigInteger)
    questions: Mapped[JsonObject] = mapped_column(CleanJson(262_144))
    """``{"questions": [{number, text, why, options: [{letter, text}], recommended, path, line}]}``."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    comment_id: Mapped[int | None] = mapped_column(BigInteger)
    comment_url: Mapped[str | None] = mapped_column(CleanText(1024))
    comment_intended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answers: Mapped[JsonObject] = mapped_column(CleanJson(262_144), default=dict)
    """``{"answers": [{number, question, answer}]}``, growing."""
    answered_by: Mapped[str | None] = mapped_column(CleanText(100))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When all were answered, or later questions took their place."""
    told_digest: Mapped[str | None] = mapped_column(CleanText(64))
    """What the comment showed when it was last written, so that it is edited only when that changes."""


class Delivery(Base):
    """One webhook request that held a command. Unique by its id, and by what was said: GitHub signs only the body."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        CheckConstraint("length(delivery_id) > 0 AND length(said_key) > 0", name="keys_not_empty"),
        CheckConstraint("(handled_at IS NULL) = (outcome IS NULL)", name="outcome_when_handled"),
        Index("ix_delivery_unhandled", "received_at", sqlite_where=text("handled_at IS NULL"),
              postgresql_where=text("handled_at IS NULL")),
    )  # fmt: skip

    delivery_id: Mapped[str] = mapped_column(CleanText(100), primary_key=True)
    event: Mapped[str] = mapped_column(CleanText(64))
    action: Mapped[str] = mapped_column(CleanText(64))
    said_key: Mapped[str] = mapped_column(CleanText(255), unique=True)
    payload: Mapped[JsonObject] = mapped_column(CleanJson(2_097_152))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[DeliveryOutcome | None] = mapped_column(enum(DeliveryOutcome, "delivery_outcome"))
    tries: Mapped[int] = mapped_column(default=0)
