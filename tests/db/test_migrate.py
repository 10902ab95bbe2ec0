"""The schema: made by migrations, the same as the models say, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, create_engine, inspect, text
from sqlalchemy.schema import CreateTable

from db import migrate
from db.base import Base
from db.session import Database, make_engine


async def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    assert await migrate.current_revision(empty_database_url) is None
    await migrate.upgrade(empty_database_url)
    assert await migrate.current_revision(empty_database_url) == migrate.head_revision()
    before = await _schema(empty_database_url)
    await migrate.upgrade(empty_database_url)
    assert await _schema(empty_database_url) == before
    await migrate.require_current(empty_database_url)


async def test_two_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate.upgrade(empty_database_url) for _ in range(3)))
    await migrate.require_current(empty_database_url)


async def test_the_models_are_what_the_migrations_made(database: Database) -> None:
    def difference(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    async with database.engine.begin() as connection:
        assert await connection.run_sync(difference) == []


async def test_the_checks_are_what_the_migrations_made(database: Database) -> None:
    """Alembic does not compare CHECK constraints, so their names and texts are compared here."""

    def compare(connection: Connection) -> None:
        inspector = inspect(connection)
        for table in Base.metadata.sorted_tables:
            made = {check["name"]: check["sqltext"] for check in inspector.get_check_constraints(table.name)}
            table.to_metadata(twins := type(Base.metadata)(naming_convention=Base.metadata.naming_convention))
            twin = twins.tables[table.name]
            twin.name = f"{table.name}_twin"
            twin.indexes.clear()
            twin.primary_key.name = f"pk_{table.name}_twin"
            twin.constraints = {rule for rule in twin.constraints if isinstance(rule, CheckConstraint)}
            connection.execute(CreateTable(twin))
            assert made == {
                check["name"]: check["sqltext"]
                for check in inspect(connection).get_check_constraints(f"{table.name}_twin")
            }
            assert made, table.name

    async with database.engine.begin() as connection:
        await connection.run_sync(compare)


@pytest.mark.parametrize("revision", [None, "0000"])
async def test_a_process_on_another_schema_says_the_cure(empty_database_url: str, revision: str | None) -> None:
    if revision is not None:
        await migrate.upgrade(empty_database_url)
        await _stamp(empty_database_url, revision)
    with pytest.raises(migrate.SchemaOutdated) as refused:
        await migrate.require_current(empty_database_url)
    at = revision or "no schema"
    assert str(refused.value) == f"database is at {at}, this version needs 0003; run: speckit-bot migrate"


async def test_a_newer_schema_is_left_alone(empty_database_url: str) -> None:
    await migrate.upgrade(empty_database_url)
    await _stamp(empty_database_url, "9999")
    before = await _schema(empty_database_url)
    with pytest.raises(migrate.SchemaOutdated, match="9999, which this version does not know"):
        await migrate.upgrade(empty_database_url)
    assert await _schema(empty_database_url) == before


async def test_a_broken_upgrade_leaves_nothing(empty_database_url: str) -> None:
    """All of it or nothing: the second table of the revision is there already, so the first must not stay."""
    if empty_database_url.startswith("sqlite"):
        await asyncio.to_thread(_make_folder, empty_database_url)
    engine = make_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE run_report (unrelated INTEGER)"))
    await engine.dispose()
    with pytest.raises(Exception, match="run_report"):
        await migrate.upgrade(empty_database_url)
    assert set(await _schema(empty_database_url)) == {"run_report"}


async def test_asking_for_the_revision_makes_no_file(tmp_path: Path) -> None:
    assert await migrate.current_revision(f"sqlite+aiosqlite:///{tmp_path / 'absent.db'}") is None
    assert list(tmp_path.iterdir()) == []


async def test_an_unreachable_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "speckit.db").write_bytes(b"not a database" * 100)
    with pytest.raises(migrate.SchemaOutdated, match="reading the database's schema: file is not a database"):
        await migrate.require_current(f"sqlite+aiosqlite:///{tmp_path / 'speckit.db'}")


def test_a_revision_can_be_taken_back(tmp_path: Path) -> None:
    """Development only, but a downgrade that is there must work."""
    engine = create_engine(f"sqlite:///{tmp_path / 'speckit.db'}")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "head")
        command.downgrade(migrate._config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def _make_folder(url: str) -> None:
    Path(url.removeprefix("sqlite+aiosqlite:///")).parent.mkdir(parents=True)


async def _schema(url: str) -> dict[str, list[str]]:
    def read(connection: Connection) -> dict[str, list[str]]:
        inspector = inspect(connection)
        return {
            name: [column["name"] for column in inspector.get_columns(name)] for name in inspector.get_table_names()
        }

    engine = make_engine(url)
    async with engine.connect() as connection:
        tables = await connection.run_sync(read)
    await engine.dispose()
    return tables


async def _stamp(url: str, revision: str) -> None:
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    await engine.dispose()
