"""A hub with a small company on it: acme owns a public and a private repository; an App is installed on both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localhub import App, Issue, LocalHub, Repository

T = TypeVar("T")
SECRET = "It's a Secret to Everybody"
MANIFEST: dict[str, object] = {
    "name": "speckit-bot",
    "url": "https://speckit.example.org",
    "default_permissions": {
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "pull_requests": "write",
        "metadata": "read",
    },
    "default_events": ["issue_comment"],
}


@dataclass
class Receiver:
    """Stands where the bot's web process would: keeps what arrives, answers with ``status``."""

    url: str = ""
    status: int = 202
    received: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.received.append((dict(request.headers), json.loads(self.bodies[-1])))
        return web.Response(status=self.status, text="thanks")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [payload for headers, payload in self.received if headers["X-GitHub-Event"] == name]


@dataclass
class Company:
    hub: LocalHub
    shop: Repository
    vault: Repository
    app: App
    installation: int
    issue: Issue
    key_pem: str
    receiver: Receiver
    http: aiohttp.ClientSession

    def listen(self, *events: str) -> None:
        """Let the App hear of other events than its manifest asks for."""
        self.hub.installation(self.installation).events = events

    def jwt(self, **claims: object) -> str:
        now = int(time.time())
        content = {"iat": now - 60, "exp": now + 540, "iss": str(self.app.id), **claims}
        return jwt.encode(content, self.key_pem, algorithm="RS256")

    async def api(
        self, method: str, path: str, token: str | None = None, sent: object = None, **options: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """One REST request: status, JSON body, headers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = path if path.startswith("http") else self.hub.api_url + path
        async with self.http.request(method, url, json=sent, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, dict(answer.headers)

    async def token(self, *repositories: Repository, **permissions: str) -> str:
        """An installation token, narrowed to what is named."""
        wish: dict[str, object] = {}
        if repositories:
            wish["repository_ids"] = [repository.id for repository in repositories]
        if permissions:
            wish["permissions"] = permissions
        path = f"/app/installations/{self.installation}/access_tokens"
        status, body, _ = await self.api("POST", path, self.jwt(), wish)
        assert status == 201, body
        return str(body["token"])


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    """A private key and its public half, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/webhooks/github", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/github"
    yield found
    await runner.cleanup()


@pytest.fixture
async def company(tmp_path: Path, key_pair: tuple[str, str], receiver: Receiver) -> AsyncIterator[Company]:
    before = asyncio.all_tasks()
    async with LocalHub(tmp_path / "hub") as hub, aiohttp.ClientSession() as http:
        for login in ("alice", "bob", "mallory"):
            hub.create_user(login)
        shop = hub.create_repository(
            "acme/shop", {"README.md": "# Shop\n", "src/app.py": "print('hi')\n"}, permissions={"alice": "write"}
        )
        vault = hub.create_repository("acme/vault", {"README.md": "# Vault\n"}, private=True)
        hub.set_permission(vault, "bob", "read")
        app = hub.register_app(
            "speckit-bot", MANIFEST, webhook_url="", webhook_secret=SECRET, public_key_pem=key_pair[1]
        )
        installation = hub.install(app, [shop, "acme/vault"])
        app.webhook_url = receiver.url
        issue = hub.create_issue(shop, "Invoices", "Let customers pay.", author="alice")
        yield Company(hub, shop, vault, app, installation, issue, key_pair[0], receiver, http)
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left, "the hub left tasks behind"


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking client beside the hub, which lives on the event loop."""
    return await asyncio.to_thread(call)
