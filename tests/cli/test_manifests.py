"""The files an operator starts from say what the code does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bot.github.app_auth import PERMISSIONS
from cli.manifest import manifest
from tests.bot.deliveries import EVENTS

ROOT = Path(__file__).resolve().parents[2]


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_the_manifest_asks_for_exactly_what_is_used() -> None:
    assert manifest()["public"] is False
    assert manifest()["default_permissions"] == {
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "pull_requests": "write",
        "metadata": "read",
    }
    assert sorted(manifest()["default_events"]) == sorted({name for name, _ in EVENTS.values()})
    assert manifest() == yaml.safe_load((ROOT / "app.yml").read_text())


def test_every_token_the_bot_mints_lies_within_the_manifest() -> None:
    order = ["read", "write"]
    granted = manifest()["default_permissions"]
    for purpose, wanted in PERMISSIONS.items():
        for name, level in wanted.items():
            assert order.index(level) <= order.index(granted[name]), f"{purpose} asks for {name}: {level}"


def test_the_procfile_names_the_commands() -> None:
    assert (ROOT / "Procfile").read_text().splitlines() == [
        "web: speckit-bot web",
        "worker: speckit-bot worker",
        "release: speckit-bot migrate",
    ]


def test_only_the_worker_gets_the_docker_socket() -> None:
    with_socket = {name for name, service in compose().items() if "docker.sock" in str(service)}
    assert with_socket == {"worker"}


def test_composes_redis_is_persistent_and_never_evicts() -> None:
    command = compose()["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
