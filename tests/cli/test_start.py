"""A wrong or missing setting stops the start with one line that names the variable and the cure."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said

BAD: list[tuple[str, dict[str, str | None], str, str]] = [
    ("no App id", {"GITHUB_APP_ID": None}, "GITHUB_APP_ID", "set it"),
    ("App id empty", {"GITHUB_APP_ID": ""}, "GITHUB_APP_ID", "set it"),
    ("App id a word", {"GITHUB_APP_ID": "shop"}, "GITHUB_APP_ID", "whole number"),
    ("App id zero", {"GITHUB_APP_ID": "0"}, "GITHUB_APP_ID", "greater than 0"),
    ("no key", {"GITHUB_APP_PRIVATE_KEY_FILE": None}, "GITHUB_APP_PRIVATE_KEY_FILE", "set it to the path"),
    ("key file gone", {"GITHUB_APP_PRIVATE_KEY_FILE": "/nowhere/key.pem"}, "GITHUB_APP_PRIVATE_KEY_FILE", "set it to"),
    ("key file a folder", {"GITHUB_APP_PRIVATE_KEY_FILE": "/tmp"}, "GITHUB_APP_PRIVATE_KEY_FILE", "set it to"),
    ("key is prose", {"GITHUB_APP_PRIVATE_KEY": "open sesame"}, "GITHUB_APP_PRIVATE_KEY", "download a new one"),
    ("no secret", {"GITHUB_WEBHOOK_SECRET": None}, "GITHUB_WEBHOOK_SECRET", "set it"),
    ("secret empty", {"GITHUB_WEBHOOK_SECRET": ""}, "GITHUB_WEBHOOK_SECRET", "set it"),
    ("secret short", {"GITHUB_WEBHOOK_SECRET": "hunter2"}, "GITHUB_WEBHOOK_SECRET", "openssl rand"),
    ("API URL relative", {"GITHUB_API_URL": "api.github.com"}, "GITHUB_API_URL", "https://host"),
    ("API URL with password", {"GITHUB_API_URL": "https://a:b@ghe.test/api/v3"}, "GITHUB_API_URL", "remove it"),
    ("web URL by ftp", {"GITHUB_WEB_URL": "ftp://ghe.test"}, "GITHUB_WEB_URL", "https://host"),
    ("public URL a path", {"SPECKIT_PUBLIC_URL": "/runs"}, "SPECKIT_PUBLIC_URL", "https://host"),
    ("data dir is a file", {"SPECKIT_DATA_DIR": "/etc/hostname"}, "SPECKIT_DATA_DIR", "a folder you may write"),
    ("data dir in /proc", {"SPECKIT_DATA_DIR": "/proc/speckit"}, "SPECKIT_DATA_DIR", "a folder you may write"),
    ("artifacts in a file", {"SPECKIT_ARTIFACT_ROOT": "/etc/hostname"}, "SPECKIT_ARTIFACT_ROOT", "a folder you may"),
    ("database MySQL", {"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL", "sqlite+aiosqlite"),
    ("database sync driver", {"DATABASE_URL": "postgresql://localhost/x"}, "DATABASE_URL", "postgresql+asyncpg"),
    ("database port", {"DATABASE_URL": "postgresql+asyncpg://localhost:x/y"}, "DATABASE_URL", "correct it"),
    ("database in memory", {"DATABASE_URL": "sqlite+aiosqlite://"}, "DATABASE_URL", "name a file"),
    (
        "database down",
        {"DATABASE_URL": "postgresql+asyncpg://u:hush@127.0.0.1:1/x"},
        "DATABASE_URL",
        "check that it runs",
    ),
    ("Redis by http", {"REDIS_URL": "http://localhost"}, "REDIS_URL", "redis://"),
    ("Redis port", {"REDIS_URL": "redis://localhost:door"}, "REDIS_URL", "correct it"),
    ("Redis database", {"REDIS_URL": "redis://localhost/shop"}, "REDIS_URL", "redis://host:6379/0"),
    ("port a word", {"PORT": "http"}, "PORT", "whole number"),
    ("port too big", {"PORT": "70000"}, "PORT", "65535"),
    ("unknown agent", {"SPECKIT_AGENT_BACKENDS": "hal9000"}, "SPECKIT_AGENT_BACKENDS", "choose from"),
    ("no agent", {"SPECKIT_AGENT_BACKENDS": ","}, "SPECKIT_AGENT_BACKENDS", "choose from"),
    ("default not listed", {"SPECKIT_DEFAULT_AGENT": "codex_cli"}, "SPECKIT_DEFAULT_AGENT", "add it"),
    ("codex without key", {"SPECKIT_AGENT_BACKENDS": "codex_cli"}, "OPENAI_API_KEY", "set it"),
    ("prefix", {"SPECKIT_COMMAND_PREFIX": "speckit"}, "SPECKIT_COMMAND_PREFIX", "pattern"),
    ("no runs", {"SPECKIT_MAX_RUNS": "0"}, "SPECKIT_MAX_RUNS", "greater than or equal to 1"),
    ("configuration gone", {"SPECKIT_CONFIG_FILE": "/nowhere/speckit.yml"}, "SPECKIT_CONFIG_FILE", "readable file"),
    ("configuration wrong", {"SPECKIT_CONFIG_FILE": "/etc/passwd"}, "SPECKIT_CONFIG_FILE", "correct the line"),
    ("retention", {"SPECKIT_RETENTION_DAYS": "6"}, "SPECKIT_RETENTION_DAYS", "greater than or equal to 7"),
]


@pytest.mark.parametrize(("change", "variable", "cure"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_setting_ends_in_one_line(
    change: dict[str, str | None],
    variable: str,
    cure: str,
    settings_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    speckit_bot: Callable[..., Said],
) -> None:
    for name, value in change.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    said = speckit_bot("worker")
    assert said.code == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("speckit-bot: ")
    assert variable in said.err
    assert cure in said.err
    assert "hush" not in said.err


def test_a_key_that_others_can_read_is_refused(
    settings_env: dict[str, str], key_file: Path, speckit_bot: Callable[..., Said]
) -> None:
    key_file.chmod(0o644)
    said = speckit_bot("web")
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert f"chmod 600 {key_file}" in said.err


def test_an_outdated_database_names_the_command(
    settings_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speckit_bot: Callable[..., Said]
) -> None:
    (tmp_path / "old.db").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    said = speckit_bot("web")
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "speckit-bot migrate" in said.err


def test_migrating_needs_the_database_alone(
    speckit_bot: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "SPECKIT_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'alone.db'}")
    monkeypatch.setenv("SPECKIT_DATA_DIR", str(tmp_path))
    said = speckit_bot("migrate")
    assert said.code == 0, said.err
    assert (tmp_path / "alone.db").exists()


def test_there_is_no_traceback_from_the_real_command(settings_env: dict[str, str]) -> None:
    environment = {**os.environ, "GITHUB_WEBHOOK_SECRET": "short"}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "web"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "speckit-bot: GITHUB_WEBHOOK_SECRET is shorter than 16 characters; make one with: openssl rand -hex 32"
    ]


def test_web_starts_from_nothing_says_where_and_stops_on_sigterm(settings_env: dict[str, str], tmp_path: Path) -> None:
    environment = {**os.environ, "PORT": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "web"], env=environment, stdout=subprocess.PIPE, text=True
    ) as web:
        try:
            assert web.stdout is not None
            line = web.stdout.readline()
            assert line.startswith("speckit-bot web listens on http://127.0.0.1:"), line
            with urllib.request.urlopen(f"{line.split()[-1]}/readyz", timeout=10) as answer:
                assert answer.status == 200
            web.send_signal(signal.SIGTERM)
            assert web.wait(timeout=20) == 0
        finally:
            if web.poll() is None:
                web.kill()
    data = tmp_path / "data"
    assert (data / "speckit.db").exists()
    assert data.stat().st_mode & 0o077 == 0
    assert not (data / "redis" / "redis.sock").exists(), "the Redis of our own still runs"


def test_a_taken_port_is_said_by_name(settings_env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "web"],
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"speckit-bot: HOST, PORT: listening on 127.0.0.1:{port}: ")
    assert last.endswith("; choose others")
