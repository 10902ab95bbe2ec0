"""`web`, `worker` and `migrate`: the processes of an installation, put together from the settings."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.configuration.source import host_policy, operator_layer
from bot.logs import configure_logging
from bot.queue import redis_settings
from bot.settings import DatabaseSettings, Settings, SettingsError, load_database_settings, load_settings
from cli.errors import StartError
from cli.redis_server import own_redis
from db.errors import SchemaOutdated
from db.migrate import require_current, upgrade
from db.session import Database, make_engine
from jobs.redaction import Redactor

_DRAIN_SECONDS = 15.0


def serve_web() -> None:
    """Listen until SIGTERM or SIGINT. Raises StartError."""
    with _start() as (settings, redis_url):
        asyncio.run(_serve(settings, redis_url))


def serve_worker() -> None:
    """Execute runs until SIGTERM or SIGINT. Raises StartError."""
    with _start() as (settings, redis_url):
        from jobs.worker import run_worker  # noqa: PLC0415 - the web process does without Docker's client

        redactor = Redactor(settings.secrets())
        configure_logging(settings, redactor.redact_text)
        try:
            asyncio.run(run_worker(settings, redis_url, redactor))
        except SettingsError as error:
            raise StartError(str(error)) from None


def migrate_database() -> None:
    """Bring the database to this version's schema. Needs DATABASE_URL or the data dir, nothing else."""
    try:
        settings = load_database_settings()
    except SettingsError as error:
        raise StartError(str(error)) from None
    _check_database_url(settings)
    with _migration_lock(settings):
        _talk_to_database(upgrade, settings.database_url)
    print("speckit-bot: the database has this version's schema")


def read_settings() -> Settings:
    """The settings, checked as far as one can without connecting. Raises StartError."""
    try:
        settings = load_settings()
        if settings.redis_url is not None:
            redis_settings(settings.redis_url.get_secret_value())
        operator_layer(settings.config_file, settings.agent_backends)
        host_policy(settings)
    except SettingsError as error:
        raise StartError(str(error)) from None
    except ValueError as error:
        text = str(error)
        raise StartError(text if text.startswith("REDIS_URL") else f"REDIS_URL: {text}; correct it") from None
    _check_database_url(settings)
    return settings


def _check_database_url(settings: DatabaseSettings) -> None:
    try:
        make_engine(settings.database_url)
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise StartError(f"DATABASE_URL: {first_line(error)}; correct it") from None


@contextmanager
def _start() -> Iterator[tuple[Settings, str]]:
    """What `web` and `worker` both need before they start: settings, folders, a database of this version, Redis."""
    settings = read_settings()
    make_folder(settings.data_dir, "SPECKIT_DATA_DIR")
    make_folder(settings.artifact_root, "SPECKIT_ARTIFACT_ROOT")
    _check_database(settings)
    with ExitStack() as stack:
        if settings.redis_url is None:
            redis_url = stack.enter_context(own_redis(settings.data_dir))
        else:
            redis_url = settings.redis_url.get_secret_value()
        yield settings, redis_url


def make_folder(path: Path, variable: str) -> None:
    """Make a folder only its owner may enter, if it is not there; check that it can be written. Raises StartError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"{variable}: making {path}: {error.strerror}; set it to a folder you may write") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(f"{variable}: {path} cannot be written; set it to a folder you may write")


def _check_database(settings: Settings) -> None:
    own_file = settings.data_dir.absolute() / "speckit.db"
    if settings.database_url_or_none is None:
        # `web` and `worker` may start in the same moment: one makes the file, the other finds it made.
        with _migration_lock(settings):
            if not own_file.exists():
                _talk_to_database(upgrade, settings.database_url)
    _talk_to_database(require_current, settings.database_url)


@contextmanager
def _migration_lock(settings: DatabaseSettings) -> Iterator[None]:
    """One migration at a time in this data dir (Postgres has a lock of its own as well)."""
    make_folder(settings.data_dir, "SPECKIT_DATA_DIR")
    with (settings.data_dir / "migrate.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _talk_to_database(ask: Callable[[str], Awaitable[object]], url: str) -> None:
    async def asked() -> None:
        await ask(url)

    try:
        asyncio.run(asked())
    except SchemaOutdated as error:
        raise StartError(str(error)) from None
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise StartError(
            f"DATABASE_URL: connecting to the database: {first_line(error)}; check that it runs, and the URL"
        ) from None


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, or its name when it says nothing."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


async def _serve(settings: Settings, redis_url: str) -> None:
    from bot.app import create_app  # noqa: PLC0415 - the worker does without the pages

    configure_logging(settings, Redactor(settings.secrets()).redact_text)
    database = Database.open(settings.database_url)
    try:
        await _listen(create_app(settings, database=database, redis_url=redis_url), settings)
    finally:
        await database.close()


async def _listen(application: web.Application, settings: Settings) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_DRAIN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            raise StartError(
                f"HOST, PORT: listening on {settings.host}:{settings.port}: {error.strerror or error}; choose others"
            ) from None
        host, port = runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"speckit-bot web listens on http://{shown}:{port}", flush=True)
        await _told_to_stop()
    finally:
        await runner.cleanup()


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
