"""The demo's stage: localhub with a small repository, and the bot's two processes, put up and taken down."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from docker.errors import DockerException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from cli.demo_processes import Processes, free_ports
from cli.manifest import manifest
from db.models import SpecAutomationRun
from jobs.containers.shape import LABEL

REPOSITORY = "acme/shop"
ISSUE_TITLE = "Pay by invoice"
ISSUE_BODY = "Several business customers asked to pay by invoice instead of by card."
_READY_SECONDS = 60.0

_FILES = {
    "README.md": "# Shop\n\nA small web shop: catalogue, basket, checkout. Payment is by card.\n",
    "shop/__init__.py": "",
    "shop/checkout.py": (
        '"""Checkout."""\n\n\ndef pay_by_card(amount_cents: int, card: str) -> bool:\n'
        '    """Charge a card; True when the bank agreed."""\n    return amount_cents > 0 and bool(card)\n'
    ),
    "docs/payments.md": "# Payments\n\nCustomers pay by card. Money arrives within two days.\n",
}


class Stage:
    """Everything the demo starts, besides the engine and Redis, in one folder."""

    def __init__(self, folder: Path, docker_host: str) -> None:
        self.processes = Processes(folder)
        self.tokens: dict[str, str] = {}
        """The people of localhub and their access tokens; empty until ``start``, as are the addresses of localhub."""
        self.hub_url = self.api_url = ""
        (self._web_port,) = free_ports(1)
        self.public_url = f"http://127.0.0.1:{self._web_port}"
        self.data_dir = folder / "data"
        """The bot's: SQLite, Redis, artifacts."""
        self._folder = folder
        self._docker_host = docker_host
        self._webhook_secret = secrets.token_hex(32)
        self._engine: AsyncEngine | None = None

    async def start(self) -> None:
        """Start localhub, then `web` and `worker`, and wait until they are ready. Raises CommandError."""
        key_file, public_key = await asyncio.to_thread(self._make_key)
        app_id = await self._start_hub(public_key)
        settings = {
            "GITHUB_APP_ID": str(app_id),
            "GITHUB_APP_PRIVATE_KEY_FILE": str(key_file),
            "GITHUB_WEBHOOK_SECRET": self._webhook_secret,
            "GITHUB_API_URL": self.api_url,
            "GITHUB_WEB_URL": self.hub_url,
            "SPECKIT_DATA_DIR": str(self.data_dir),
            "SPECKIT_PUBLIC_URL": self.public_url,
            "HOST": "127.0.0.1",
            "PORT": str(self._web_port),
            "DOCKER_HOST": self._docker_host,
        }
        web = await self.processes.start("web", [sys.executable, "-m", "cli.main", "web"], settings)
        worker = await self.processes.start("worker", [sys.executable, "-m", "cli.main", "worker"], settings)
        await self.processes.wait_for_line(web, "web listens", _READY_SECONDS)
        await self.processes.wait_for_line(worker, "worker_listening", _READY_SECONDS)
        # A reader of its own: it takes no turn from the two processes, and cannot change anything.
        file = f"file:{self.data_dir / 'speckit.db'}?mode=ro&uri=true"
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{file}")

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[AsyncSession]:
        """A session that reads the bot's database and cannot write."""
        async with AsyncSession(self._engine) as session:
            yield session

    async def stop(self) -> list[str]:
        """Stop everything and leave no container. Returns the names of the processes that had to be killed."""
        killed = await self.processes.stop()
        await self._remove_containers()
        return killed

    def last_words(self) -> str:
        """The last lines of every log."""
        return "\n".join(f"  {one.name} ({one.log}):\n{one.last_words()}" for one in self.processes.running)

    async def _start_hub(self, public_key: str) -> int:
        """Start localhub with everybody in it. Returns the App's id."""
        setup = {
            "users": [{"login": "ada"}, {"login": "grace"}],
            "repositories": [
                {"name": REPOSITORY, "files": _FILES, "permissions": {"ada": "read", "grace": "write"}},
            ],
            "apps": [
                {
                    "name": "speckit-bot",
                    "manifest": manifest(),
                    "webhook_url": f"{self.public_url}/webhooks/github",
                    "webhook_secret": self._webhook_secret,
                    "public_key": public_key,
                    "repositories": [REPOSITORY],
                }
            ],
        }
        setup_file, state_file = self._folder / "localhub-setup.json", self._folder / "localhub-state.json"
        write_private(setup_file, json.dumps(setup).encode())
        files = ("--setup", str(setup_file), "--state", str(state_file))
        hub = await self.processes.start(
            "localhub",
            [sys.executable, "-m", "localhub", "--root", str(self._folder / "localhub"), *files],
            {},
        )
        await self.processes.wait_for_line(hub, '{"url"', _READY_SECONDS)
        state = json.loads(state_file.read_text())
        self.hub_url, self.api_url = state["url"], state["api_url"]
        self.tokens = {login: user["token"] for login, user in state["users"].items()}
        return int(state["apps"]["speckit-bot"]["id"])

    async def _remove_containers(self) -> None:
        """Take away what the runs of this stage left, when a worker ended before it could."""
        if self._engine is None:
            return
        async with self.looking() as session:
            runs = list(await session.scalars(select(SpecAutomationRun.run_id)))
        await self._engine.dispose()

        def remove() -> None:
            with closing(docker.DockerClient(base_url=self._docker_host, timeout=30)) as client:
                for run_id in runs:
                    for container in client.containers.list(all=True, filters={"label": f"{LABEL}.run={run_id}"}):
                        container.remove(force=True)

        # An engine that went away took the containers with it, or keeps them for its own next start.
        with suppress(DockerException, OSError):
            await asyncio.to_thread(remove)

    def _make_key(self) -> tuple[Path, str]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self._folder / "app-key.pem"
        pem = serialization.PrivateFormat.TraditionalOpenSSL
        write_private(path, key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return path, public.decode()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.touch(mode=0o600)
    path.write_bytes(content)
