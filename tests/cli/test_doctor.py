"""`doctor` finds what is wrong and names the cure; GitHub is a small server that checks our signature."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from cli.doctor import examine
from cli.manifest import manifest
from tests.cli.conftest import Said


class GitHub:
    """``GET /app`` as GitHub answers it."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key.public_key()
        self.ahead = timedelta(0)
        self.permissions: dict[str, str] = dict(manifest()["default_permissions"])
        self.events: list[str] = list(manifest()["default_events"])

    async def app(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC) + self.ahead
        headers = {"Date": format_datetime(now, usegmt=True)}
        try:
            token = request.headers["Authorization"].split()[-1]
            claims = jwt.decode(
                token, self.key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
            )
        except jwt.PyJWTError:
            return web.json_response({"message": "A JSON web token could not be decoded"}, status=401, headers=headers)
        if not claims["iat"] <= now.timestamp() < claims["exp"]:
            return web.json_response({"message": "'Issued at' is in the future"}, status=401, headers=headers)
        answer = {"id": 4711, "slug": "speckit", "permissions": self.permissions, "events": self.events}
        return web.json_response(answer, headers=headers)


@pytest.fixture
async def github(private_key: rsa.RSAPrivateKey, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    stand_in = GitHub(private_key)
    application = web.Application()
    application.router.add_get("/api/v3/app", stand_in.app)
    async with TestServer(application) as server:
        monkeypatch.setenv("GITHUB_API_URL", str(server.make_url("/api/v3")))
        yield stand_in


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[[], Any]:
    async def asked() -> dict[str, dict[str, Any]]:
        code = await asyncio.to_thread(examine, as_json=True)
        answer = json.loads(capsys.readouterr().out)
        assert code == (0 if answer["ok"] else 1)
        assert answer["ok"] == all(check["ok"] for check in answer["checks"])
        return {check["name"]: check for check in answer["checks"]}

    return asked


async def test_what_is_well_is_said_to_be_well_and_an_absent_engine_is_named(github: GitHub, ask: Any) -> None:
    checks = await ask()
    assert list(checks) == [
        "settings",
        "database",
        "migrations",
        "Redis",
        "Docker engine",
        "job image",
        "agents",
        "user ids",
        "box",
        "artifact root",
        "allowed hosts",
        "App key",
        "clock",
        "permissions",
        "events",
    ]
    ill = {name for name, check in checks.items() if not check["ok"]}
    assert ill == {"Docker engine", "job image", "agents", "user ids", "box"}
    assert "does not answer" in checks["Docker engine"]["detail"]
    assert "make -s engine" in checks["Docker engine"]["cure"]
    assert checks["App key"]["detail"] == "GitHub knows the App as speckit (id 4711)"


@pytest.mark.tinyproxy
async def test_allowed_hosts_are_told_with_what_connects_to_them(
    github: GitHub, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ask())["allowed hosts"]["detail"] == "none: agents reach nothing but their model"
    monkeypatch.setenv("SPECKIT_ALLOWED_HOSTS", "pypi.org,*.pythonhosted.org")
    told = (await ask())["allowed hosts"]
    assert told["ok"]
    assert told["detail"].startswith("2 for all repositories; through /")


async def test_permissions_and_events_are_compared_with_the_manifest(github: GitHub, ask: Any) -> None:
    github.permissions = {**github.permissions, "checks": "read", "administration": "write"}
    github.events = []
    checks = await ask()
    assert checks["permissions"]["detail"] == "missing checks: write (has read)"
    assert "accept it on each installation" in checks["permissions"]["cure"]
    missing = ", ".join(sorted(manifest()["default_events"]))
    assert checks["events"]["detail"] == f"not subscribed to {missing}"

    github.permissions["checks"] = "write"
    github.events = ["push", *manifest()["default_events"]]
    checks = await ask()
    assert checks["events"]["ok"]
    assert checks["events"]["detail"].endswith("take it away: push")
    assert checks["permissions"]["ok"]
    assert checks["permissions"]["detail"].endswith("take it away: administration: write")


@pytest.mark.parametrize(("minutes", "words"), [(4, "s behind GitHub's"), (-4, "s ahead of GitHub's")])
async def test_a_wrong_clock_is_told(github: GitHub, ask: Any, minutes: int, words: str) -> None:
    github.ahead = timedelta(minutes=minutes)
    checks = await ask()
    assert checks["clock"]["ok"] is False
    assert words in checks["clock"]["detail"]
    assert "NTP" in checks["clock"]["cure"]


async def test_a_key_github_does_not_know(github: GitHub, ask: Any) -> None:
    github.key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    checks = await ask()
    assert checks["App key"]["ok"] is False
    assert "GITHUB_APP_ID" in checks["App key"]["cure"]
    assert [checks[name]["ok"] for name in ("clock", "permissions", "events")] == [None, None, None]


async def test_a_database_that_was_not_migrated(
    github: GitHub, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.db").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    checks = await ask()
    assert checks["database"]["ok"]
    assert checks["migrations"]["cure"] == "run: speckit-bot migrate"


async def test_no_password_is_shown(github: GitHub, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://speckit:hush-hush@127.0.0.1:1/x")
    monkeypatch.setenv("REDIS_URL", "redis://:hush-hush@127.0.0.1:1/0")
    checks = await ask()
    assert not checks["database"]["ok"]
    assert not checks["Redis"]["ok"]
    assert "hush-hush" not in json.dumps(checks)


def test_for_people_it_prints_one_line_each_and_the_cure(
    settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, speckit_bot: Callable[..., Said]
) -> None:
    monkeypatch.setenv("GITHUB_APP_ID", "shop")
    said = speckit_bot("doctor")
    assert said.code == 1
    assert said.out.startswith("✗ settings      GITHUB_APP_ID")
    assert said.err == "speckit-bot: not everything is well\n"
