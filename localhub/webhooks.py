"""Webhooks: signed, sent at once and in parallel, never sent again by themselves.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiohttp

from localhub import representation
from localhub.model import App, Installation, Repository, User
from localhub.records import Delivery

if TYPE_CHECKING:
    from localhub.state import State

TIMEOUT_SECONDS = 10.0
"""GitHub waits this long for an answer."""
_KEPT_RESPONSE = 10_000


class Webhooks:
    """The deliveries of one hub."""

    def __init__(self, state: State) -> None:
        self.deliveries: list[Delivery] = []
        self._state = state
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the client that sends."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Drop what is on its way and close the client."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def settle(self) -> None:
        """Return when every delivery so far has had its attempt."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def subscribers(self, event: str, repository: Repository) -> list[Installation]:
        """The installations that hear of an event in a repository.

        Stricter than GitHub in one point: ``check_run`` and ``check_suite`` reach only Apps whose manifest names them,
        where GitHub also sends them to every App that may write checks.
        """
        return [
            installation
            for installation in self._state.installations.values()
            if event in installation.events
            and repository in installation.repositories
            and installation.suspended_at is None
        ]

    def wanted(self, event: str, repository: Repository) -> bool:
        """True when somebody hears of an event: else its payload need not be made."""
        return bool(self.subscribers(event, repository))

    def emit(
        self, event: str, action: str | None, repository: Repository, sender: User, extra: Mapping[str, object]
    ) -> None:
        """Send an event of a repository to every App that is installed there and asked for it."""
        for installation in self.subscribers(event, repository):
            self.emit_to(installation, event, action, sender, extra, repository)

    def emit_to_app(
        self, app: App, event: str, action: str, sender: User, extra: Mapping[str, object], repository: Repository
    ) -> None:
        """Send an event that is meant for one App only, if it asked for it."""
        for installation in self.subscribers(event, repository):
            if installation.app is app:
                self.emit_to(installation, event, action, sender, extra, repository)

    def emit_to(
        self,
        installation: Installation,
        event: str,
        action: str | None,
        sender: User,
        extra: Mapping[str, object],
        repository: Repository | None = None,
    ) -> None:
        """Send an event to one installation's App."""
        urls = self._state.urls
        payload: dict[str, object] = {} if action is None else {"action": action}
        payload.update(extra)
        if repository is not None:
            payload["repository"] = representation.repository(urls, repository)
            if repository.owner.type == "Organization":
                payload["organization"] = representation.organization(urls, repository.owner)
        payload["sender"] = representation.user(urls, sender)
        payload.setdefault("installation", representation.installation_reference(installation))
        self._begin(installation.app, event, payload, installation.id, repository)

    def send_raw(self, app: App, event: str, payload: Mapping[str, object]) -> Delivery:
        """Send any payload, signed as GitHub signs."""
        return self._begin(app, event, payload, None, None)

    def ping(self, app: App) -> Delivery:
        """Send the ping that GitHub sends when a webhook is set up."""
        hook = {"type": "App", "id": app.hook_id, "name": "web", "active": True, "events": list(app.events)}
        payload = {"zen": "Speak like a human.", "hook_id": app.hook_id, "hook": {**hook, "app_id": app.id}}
        return self._begin(app, "ping", payload, None, None)

    def _begin(
        self,
        app: App,
        event: str,
        payload: Mapping[str, object],
        installation_id: int | None,
        repository: Repository | None,
    ) -> Delivery:
        action = payload.get("action")
        delivery = Delivery(
            id=self._state.new_id(),
            guid=str(uuid.uuid4()),
            event=event,
            action=action if isinstance(action, str) else None,
            app_id=app.id,
            installation_id=installation_id,
            repository_id=repository.id if repository is not None else None,
            payload=payload,
            body=json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            delivered_at=self._state.now(),
        )
        if app.webhook_url:
            self.deliveries.append(delivery)
            self._start(app, delivery)
        return delivery

    def _start(self, app: App, delivery: Delivery) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._deliver(app, delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def redeliver(self, delivery: Delivery, *, new_id: bool = False) -> Delivery:
        """Send the same body again and wait for the answer. The GUID stays, unless ``new_id`` (a replay)."""
        again = self._copy(delivery, str(uuid.uuid4()) if new_id else delivery.guid)
        await self._start(self._state.apps[again.app_id], again)
        return again

    def begin_redelivery(self, delivery: Delivery) -> None:
        """Send the same body again soon, as the API's redelivery does."""
        again = self._copy(delivery, delivery.guid)
        self._start(self._state.apps[again.app_id], again)

    def _copy(self, delivery: Delivery, guid: str) -> Delivery:
        again = Delivery(
            id=self._state.new_id(),
            guid=guid,
            event=delivery.event,
            action=delivery.action,
            app_id=delivery.app_id,
            installation_id=delivery.installation_id,
            repository_id=delivery.repository_id,
            payload=delivery.payload,
            body=delivery.body,
            delivered_at=self._state.now(),
            redelivery=True,
        )
        self.deliveries.append(again)
        return again

    async def _deliver(self, app: App, delivery: Delivery) -> None:
        delivery.request_headers = signed_headers(app, delivery)
        fault = None if delivery.redelivery else self._state.faults.take_delivery(delivery.event)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.lost:
            delivery.status = "failed to connect to host"
            return
        if self._session is None:
            delivery.status = "hub is not started"
            return
        started = time.monotonic()
        try:
            async with self._session.post(
                app.webhook_url, data=delivery.body, headers=delivery.request_headers, allow_redirects=False
            ) as answer:
                delivery.response_body = (await answer.text(errors="replace"))[:_KEPT_RESPONSE]
                delivery.response_headers = dict(answer.headers)
                delivery.status_code = answer.status
                good = 200 <= answer.status < 300
                delivery.status = "OK" if good else f"Invalid HTTP Response: {answer.status}"
        except TimeoutError:
            delivery.status = "timed out"
        except aiohttp.ClientError:
            delivery.status = "failed to connect to host"
        finally:
            delivery.duration = round(time.monotonic() - started, 3)


def signed_headers(app: App, delivery: Delivery) -> dict[str, str]:
    """The headers GitHub sends: both signatures are over the raw body."""
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }
    if app.webhook_secret:
        key = app.webhook_secret.encode()
        headers["X-Hub-Signature"] = f"sha1={hmac.new(key, delivery.body, hashlib.sha1).hexdigest()}"
        headers["X-Hub-Signature-256"] = f"sha256={hmac.new(key, delivery.body, hashlib.sha256).hexdigest()}"
    return headers
