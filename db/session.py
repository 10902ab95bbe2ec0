"""The engine and the only commit.

SQLite takes one writer at a time. A transaction that begins as a reader and wants to write later is refused at once
when somebody else wrote meanwhile ("database is locked", whatever the busy timeout says), so every transaction begins
as a writer: BEGIN IMMEDIATE waits its turn. Within one process transactions queue in order of arrival, since SQLite's
own waiting is a lottery. Transactions here take milliseconds: none is open while a container works.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

SQLITE_BUSY_SECONDS = 15


class Database:
    """One engine for the life of a process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._turn = asyncio.Lock()

    @classmethod
    def open(cls, url: str) -> Database:
        """``url``: ``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://...``. Connects on first use only."""
        return cls(make_engine(url))

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back when it raises. Do not nest.

        Raises SQLAlchemyError when the database is away, also where the driver would raise a bare OSError, and when
        another transaction of this process has kept SQLite for 15 seconds.
        """
        if self.dialect != "sqlite":
            async with self._sessions.begin() as session:
                await _connect(session)
                yield session
            return
        try:
            async with asyncio.timeout(SQLITE_BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise PoolTimeout(f"another transaction has kept SQLite for {SQLITE_BUSY_SECONDS} s") from error
        try:
            async with self._sessions.begin() as session:
                yield session
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def _connect(session: AsyncSession) -> None:
    """A name that does not resolve or a network that is gone is an OSError of asyncpg's, which says not whose it is."""
    try:
        await session.connection()
    except OSError as error:
        raise OperationalError("connecting", None, error) from error


def make_engine(url: str) -> AsyncEngine:
    """An engine with the settings every connection of ours has. Raises ValueError for another database.

    What people wrote in private repositories must not reach the log by way of an error: parameters are hidden.
    """
    parsed = make_url(url)
    if parsed.drivername == "postgresql+asyncpg":
        return create_async_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.drivername != "sqlite+aiosqlite":
        raise ValueError(f"database driver {parsed.drivername} is unknown; use sqlite+aiosqlite or postgresql+asyncpg")
    if parsed.database in {None, "", ":memory:"}:
        raise ValueError("an SQLite database in memory would be lost with its connection; name a file")
    engine = create_async_engine(
        parsed, hide_parameters=True, connect_args={"timeout": SQLITE_BUSY_SECONDS, "factory": _RollsBackOnClose}
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


class _RollsBackOnClose(sqlite3.Connection):
    """A transaction whose task was cancelled ends with its connection, at once.

    SQLite keeps a closed connection, and the writer's lock with it, while any of its statements is referred to,
    for one by the traceback of the cancelled task.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was closed before
            self.rollback()
        super().close()


def _prepare_sqlite(connection: Any, record: object) -> None:
    try:
        _set_pragmas(connection)
    except Exception:
        # The pool does not know the connection yet and would leave it open.
        connection.close()
        raise


def _set_pragmas(connection: Any) -> None:
    # The driver would begin transactions by itself, late and as a reader; _begin_immediate does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = NORMAL")
        # Switching needs the database for itself and does not wait for it, so switch only where it is not done yet.
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode = WAL")
    finally:
        cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
