"""The hub as its own process, as the demo starts it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.localhub.conftest import MANIFEST


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "localhub",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def write_setup(folder: Path, public_key: str, **more: Any) -> Path:
    (folder / "app.yml").write_text(yaml.safe_dump(MANIFEST))
    (folder / "app.pub.pem").write_text(public_key)
    setup = {
        "users": [{"login": "alice"}],
        "repositories": [{"name": "acme/shop", "files": {"README.md": "# Shop"}, "permissions": {"alice": "write"}}],
        "issues": [{"repository": "acme/shop", "title": "Invoices", "author": "alice"}],
        "apps": [
            {"name": "speckit-bot", "manifest": "app.yml", "public_key": "app.pub.pem", "repositories": ["acme/shop"]}
        ],
        **more,
    }
    path = folder / "setup.json"
    path.write_text(json.dumps(setup))
    return path


async def test_from_a_setup_file_to_a_clean_stop(tmp_path: Path, key_pair: tuple[str, str]) -> None:
    setup = write_setup(tmp_path, key_pair[1])
    state_file = tmp_path / "state.json"
    process = await start("--root", str(tmp_path / "hub"), "--setup", str(setup), "--state", str(state_file))
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        state = json.loads(state_file.read_text())
        assert state_file.stat().st_mode & 0o777 == 0o600
        assert (ready["url"], ready["pid"]) == (state["url"], process.pid)
        assert state["apps"]["speckit-bot"]["bot_login"] == "speckit-bot[bot]"
        assert state["installations"][0]["repositories"] == ["acme/shop"]
        headers = {"Authorization": f"token {state['users']['alice']['token']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(
                f"{ready['api_url']}/repos/acme/shop/issues/1/comments", json={"body": "/speckit help"}
            ) as answer,
        ):
            assert answer.status == 201
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, said) == (0, b"")


async def test_a_wrong_setup_is_one_line(tmp_path: Path, key_pair: tuple[str, str]) -> None:
    setup = write_setup(tmp_path, key_pair[1], repositories=[{"name": "shop"}])
    process = await start("--root", str(tmp_path / "hub"), "--setup", str(setup))
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, said.decode()) == (2, "localhub: starting: ValueError: 'shop' is not owner/name\n")
