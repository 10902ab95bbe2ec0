"""What all tables share: the declarative base, names of constraints, enums as text, which paths may be stored."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import CheckConstraint, Enum, MetaData
from sqlalchemy.orm import DeclarativeBase

from db.types import CleanText

RUN_ID = "spec_automation_run.run_id"
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

E = TypeVar("E", bound=StrEnum)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)


def enum(kind: type[E], name: str) -> Enum:
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


def relative_path(path: str) -> str:
    """Return ``path`` when it is relative, normal and free of ``..``. Raises ValueError otherwise."""
    parts = path.split("/")
    if not path or "\\" in path or ".." in path or any(part in {"", "."} for part in parts) or not path.isprintable():
        raise ValueError(f"not a plain relative path: {path!r}")
    return path


def storage_location(path: str) -> str:
    """Return ``path`` when it is an https URL or a plain relative path. Raises ValueError otherwise."""
    if path.startswith("https://"):
        if not urlsplit(path).hostname or not path.isprintable():
            raise ValueError("not an https URL")
        return path
    return relative_path(path)


def bound_text_lengths() -> None:
    """Call once all tables are there. Postgres refuses what is longer than VARCHAR(n); SQLite ignores n, so the bound
    is a constraint on both."""
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, CleanText):
                rule = f"length({column.name}) <= {column.type.bound}"
                table.append_constraint(CheckConstraint(rule, name=f"{column.name}_length"))
