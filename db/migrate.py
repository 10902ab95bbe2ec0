"""Bring a database to the schema of this version, all or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from db.errors import SchemaOutdated
from db.session import make_engine

__all__ = ["SchemaOutdated", "current_revision", "head_revision", "require_current", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x5BEC_B07
"""Any number all versions agree on: two processes that migrate at once do it one after the other."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The revision this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("this installation holds no migrations")
    return head


async def upgrade(url: str) -> None:
    """Create or upgrade the schema in one transaction; nothing to do is no error. Makes the folder of an SQLite file.

    Raises SchemaOutdated when the database belongs to a newer version, and the driver's errors.
    """
    await asyncio.to_thread(_make_folder, url)
    engine = make_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _make_folder(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    revision = _revision_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaOutdated(
            f"the database is at {revision}, which this version does not know; install the version that made it"
        )
    command.upgrade(_config(connection), "head")


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def current_revision(url: str) -> str | None:
    """The revision the database is at, or None when it was never migrated. An SQLite file that is missing is not made.

    Raises the driver's errors when the database cannot be reached.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not await asyncio.to_thread(Path(parsed.database or "").is_file):
        return None
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision_of)
    finally:
        await engine.dispose()


async def require_current(url: str) -> None:
    """Raises SchemaOutdated unless the database's schema is the one this version needs."""
    try:
        current = await current_revision(url)
    except DBAPIError as error:
        raise SchemaOutdated(f"reading the database's schema: {error.orig}") from error
    if current != head_revision():
        raise SchemaOutdated(
            f"database is at {current or 'no schema'}, this version needs {head_revision()}; run: speckit-bot migrate"
        )
