"""Databases for tests: SQLite files and a Postgres server of our own, each test with a migrated database to itself.

The Postgres server runs for the whole session in a folder of its own, on a unix socket only, and dies with us. Its
binaries are those on the PATH or Debian's; where there are none, the tests that need them fail and say the cure.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from db import migrate
from db.session import Database

DIALECTS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
TEMPLATE = "speckit_template"
START_SECONDS = 60


@dataclass
class PostgresServer:
    """A running server. Everybody who reaches its socket is its superuser."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://speckit@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """A new database; returns its name."""
        name = f"speckit_{next(self.numbers)}"
        in_a_thread(lambda: self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
        return name

    def drop(self, name: str) -> None:
        in_a_thread(lambda: self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    def make_template(self) -> None:
        in_a_thread(lambda: self._execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0"))
        in_a_thread(lambda: migrate.upgrade(self.url(TEMPLATE)))

    async def _execute(self, statement: str) -> None:
        engine = create_async_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()


def in_a_thread(start: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine to its end from a plain fixture, leaving the tests' event loops alone."""

    async def run() -> None:
        await start()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()


def find_postgres() -> Path:
    """The folder of ``initdb`` and ``postgres``. Fails the test when there is none."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    candidates = ([Path(on_path).resolve()] if on_path else []) + debian[::-1]
    for initdb in candidates:
        if (initdb.parent / "postgres").exists():
            return initdb.parent
    pytest.fail(
        "Postgres server binaries (initdb, postgres) are neither on the PATH nor in /usr/lib/postgresql; "
        "install them: apt-get install postgresql",
        pytrace=False,
    )


def unprivileged() -> tuple[list[str], pwd.struct_passwd | None]:
    """How to start the server so that it dies with us; as another user where we are root, which it refuses to be."""
    argv = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() != 0:
        return argv, None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return [*argv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"], user
    pytest.fail("there is neither a user postgres nor a user nobody to run Postgres as", pytrace=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the session, with a migrated template."""
    binaries = find_postgres()
    prefix, user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="speckit-pg-", dir=_fast_folder()))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        initdb = [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "speckit",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        made = subprocess.run([*prefix, *initdb], cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.fail(f"initdb: {made.stdout}{made.stderr}", pytrace=False)
        server = _start([*prefix, str(binaries / "postgres")], binaries, folder)
        try:
            postgres = PostgresServer(folder)
            postgres.make_template()
            yield postgres
        finally:
            server.send_signal(2)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fast_folder() -> str:
    # Making a database takes 40 ms in memory and 400 ms on a disk; containers often have only 64 MB of the former.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    return str(memory) if roomy else "/tmp"


def _start(argv: list[str], binaries: Path, folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "wal_init_zero": "off",
        "shared_buffers": "64MB",
        "max_connections": "200",
        "autovacuum": "off",
        # Timestamps must be right wherever the server thinks it is, also where days have 23 hours.
        "timezone": "America/New_York",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*argv, "-D", str(folder / "data"), *options], cwd=folder, stdout=log, stderr=log)
    give_up = time.monotonic() + START_SECONDS
    while subprocess.run([binaries / "pg_isready", "-q", "-h", folder], check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > give_up:
            server.kill()
            server.wait()
            pytest.fail(f"starting Postgres: {(folder / 'log').read_text()}", pytrace=False)
        time.sleep(0.05)
    return server


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("sqlite-template") / "template.db"
    in_a_thread(lambda: migrate.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite_file: Path, tmp_path: Path) -> str:
    """A migrated SQLite database, for tests that need only one of the two."""
    path = tmp_path / "speckit.db"
    shutil.copyfile(migrated_sqlite_file, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated Postgres database. Mark the test ``postgres``."""
    name = postgres_server.create(TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database: the test runs once on SQLite and once on Postgres."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=DIALECTS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database nobody migrated, on both."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'a new folder' / 'speckit.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, migrated database: the test runs once on SQLite and once on Postgres."""
    opened = Database.open(database_url)
    yield opened
    await opened.close()
