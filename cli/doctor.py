"""`doctor`: what the settings point to, looked at in the order in which one would repair it, each with its cure."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.configuration.source import host_policy
from bot.github.app_auth import AppAuth, AppInfo
from bot.github.errors import GitHubError
from bot.settings import Settings
from cli import engine_checks
from cli.errors import StartError
from cli.findings import Finding, Ill
from cli.manifest import manifest
from cli.redis_server import own_redis
from cli.serve import first_line, read_settings
from db.errors import SchemaOutdated
from db.migrate import current_revision, require_current
from db.session import Database
from jobs.egress.forward_proxy import NotThere, program

FREE_BYTES = 1024**3
CLOCK_SECONDS = 30
"""GitHub refuses a JWT from the future; ours is dated back by 60 s, so half of that is still safe."""
_PATIENCE_SECONDS = 20
_LEVELS = ("none", "read", "write", "admin")


def examine(*, as_json: bool) -> int:
    """Look at everything, print it, and return the exit code: 1 when anything is wrong."""
    findings = asyncio.run(_examine())
    ok = all(finding.ok for finding in findings)
    if as_json:
        print(json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            mark = {True: "✓", False: "✗", None: "–"}[finding.ok]
            print(f"{mark} {finding.name:<13} {finding.detail}")
            if finding.cure:
                print(f"  {'':<13} cure: {finding.cure}")
        if not ok:
            print("speckit-bot: not everything is well", file=sys.stderr)
    return 0 if ok else 1


async def _examine() -> list[Finding]:
    try:
        settings = read_settings()
    except StartError as error:
        # Every other check reads the settings.
        return [Finding("settings", False, str(error), "set the variable, then ask the doctor again")]
    findings = [Finding("settings", True, f"complete; GitHub is {settings.github_web_url}")]
    for name, check in _CHECKS.items():
        findings.append(await _look(name, check(settings)))
    app: AppInfo | None = None

    async def app_key() -> str:
        nonlocal app
        app = await _ask_for_app(settings)
        return f"GitHub knows the App as {app.slug} (id {app.id})"

    findings.append(await _look("App key", app_key()))
    for name, judge in _APP_CHECKS.items():
        if app is None:
            findings.append(Finding(name, None, "not looked at: GitHub did not answer as to the App"))
        else:
            findings.append(await _look(name, judge(app)))
    return findings


async def _look(name: str, check: Awaitable[str]) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return Finding(name, True, await check)
    except Ill as ill:
        return Finding(name, False, ill.detail, ill.cure)
    except TimeoutError:
        return Finding(name, False, f"no answer within {_PATIENCE_SECONDS} s", "check that it runs and can be reached")


async def _database(settings: Settings) -> str:
    shown = make_url(settings.database_url).render_as_string(hide_password=True)
    own_file = settings.data_dir.absolute() / "speckit.db"
    if settings.database_url_or_none is None and not own_file.exists():
        return f"{shown} (made at the first start)"
    database = Database.open(settings.database_url)
    try:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise Ill(f"{shown}: {first_line(error)}", "start the database, or correct DATABASE_URL") from None
    finally:
        await database.close()
    return shown


async def _migrations(settings: Settings) -> str:
    if settings.database_url_or_none is None and not (settings.data_dir.absolute() / "speckit.db").exists():
        return "run at the first start"
    try:
        await require_current(settings.database_url)
        return f"at {await current_revision(settings.database_url)}, as this version needs"
    except SchemaOutdated as error:
        raise Ill(str(error), "run: speckit-bot migrate") from None
    except (SQLAlchemyError, OSError) as error:
        raise Ill(f"not readable: {first_line(error)}", "start the database, or correct DATABASE_URL") from None


async def _redis(settings: Settings) -> str:
    if settings.redis_url is not None:
        return await _ask_redis(settings.redis_url.get_secret_value())
    own = own_redis(settings.data_dir)
    try:
        url = await asyncio.to_thread(own.__enter__)
    except (StartError, OSError) as error:
        raise Ill(f"our own does not start: {error}", "see its log, or set REDIS_URL") from None
    try:
        return f"our own; {await _ask_redis(url)}"
    finally:
        await asyncio.to_thread(own.__exit__, None, None, None)


async def _ask_redis(url: str) -> str:
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        info: dict[str, Any] = await client.info()
    except (RedisError, OSError) as error:
        raise Ill(f"no answer: {first_line(error)}", "start it, or correct REDIS_URL (unset: one of our own)") from None
    finally:
        await client.aclose()
    notes = [f"Redis {info.get('redis_version')}"]
    if not info.get("aof_enabled"):
        notes.append("without appendonly, so wake-up calls are lost when it restarts (the sweeper repeats them)")
    if (policy := info.get("maxmemory_policy")) != "noeviction":
        raise Ill(f"{notes[0]}: maxmemory-policy is {policy}", "set maxmemory-policy noeviction: jobs must not vanish")
    return "; ".join(notes)


async def _artifact_root(settings: Settings) -> str:
    root = settings.artifact_root

    def look() -> int:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as file:
            file.write(b"can be written")
        return shutil.disk_usage(root).free

    try:
        free = await asyncio.to_thread(look)
    except OSError as error:
        cure = "make it writable, or set SPECKIT_ARTIFACT_ROOT to another folder"
        raise Ill(f"{root}: {error.strerror}", cure) from None
    if free < FREE_BYTES:
        raise Ill(f"{root}: only {free // 2**20} MiB free", "free at least 1 GiB, or set SPECKIT_ARTIFACT_ROOT")
    return f"{root} ({free // 2**30} GiB free)"


async def _allowed_hosts(settings: Settings) -> str:
    policy = host_policy(settings)
    if not policy.every:
        return "none: agents reach nothing but their model"
    try:
        path = await asyncio.to_thread(program)
    except NotThere as missing:
        detail, _, cure = str(missing).rpartition("; ")
        raise Ill(detail, cure) from None
    known = [f"{len(policy.everywhere)} for all repositories"] if policy.everywhere else []
    known += [f"lists of their own for {len(policy.instead)}"] if policy.instead else []
    return f"{', '.join(known)}; through {path}"


async def _ask_for_app(settings: Settings) -> AppInfo:
    async with aiohttp.ClientSession(trust_env=True) as http:
        auth = AppAuth(
            http, app_id=settings.github_app_id, private_key=settings.private_key, api_url=settings.github_api_url
        )
        try:
            return await auth.app()
        except GitHubError as error:
            cure = (
                f"check that {settings.github_api_url} can be reached (GITHUB_API_URL)"
                if error.transient
                else "check GITHUB_APP_ID, make a new private key on the App's page, and check this machine's clock"
            )
            raise Ill(error.message, cure) from None


async def _clock(app: AppInfo) -> str:
    seconds = (datetime.now(UTC) - app.server_date).total_seconds()
    if abs(seconds) > CLOCK_SECONDS:
        ahead = "ahead of" if seconds > 0 else "behind"
        raise Ill(f"{abs(seconds):.0f} s {ahead} GitHub's", "set this machine's clock (NTP)")
    return f"within {max(1, round(abs(seconds)))} s of GitHub's"


async def _permissions(app: AppInfo) -> str:
    wanted: Mapping[str, str] = manifest()["default_permissions"]
    short = [
        f"{name}: {level} (has {app.permissions.get(name, 'none')})"
        for name, level in wanted.items()
        if _rank(app.permissions.get(name, "none")) < _rank(level)
    ]
    if short:
        raise Ill(f"missing {', '.join(short)}", "grant it on the App's page, then accept it on each installation")
    more = sorted(f"{name}: {level}" for name, level in app.permissions.items() if name not in wanted)
    return "as in app.yml" + (f"; more than needed, take it away: {', '.join(more)}" if more else "")


def _rank(level: str) -> int:
    """Where a level stands in _LEVELS; one we do not know stands lowest."""
    return _LEVELS.index(level) if level in _LEVELS else 0


async def _events(app: AppInfo) -> str:
    missing = sorted(set(manifest()["default_events"]) - set(app.events))
    if missing:
        raise Ill(f"not subscribed to {', '.join(missing)}", "subscribe to it on the App's page, Permissions & events")
    more = sorted(set(app.events) - set(manifest()["default_events"]))
    return "as in app.yml" + (f"; more than needed, take it away: {', '.join(more)}" if more else "")


_CHECKS: Mapping[str, Callable[[Settings], Awaitable[str]]] = {
    "database": _database,
    "migrations": _migrations,
    "Redis": _redis,
    "Docker engine": engine_checks.engine,
    "job image": engine_checks.job_image,
    "agents": engine_checks.agents,
    "user ids": engine_checks.user_ids,
    "box": engine_checks.box,
    "artifact root": _artifact_root,
    "allowed hosts": _allowed_hosts,
}
_APP_CHECKS: Mapping[str, Callable[[AppInfo], Awaitable[str]]] = {
    "clock": _clock,
    "permissions": _permissions,
    "events": _events,
}
