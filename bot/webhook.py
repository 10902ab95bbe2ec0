"""POST /webhooks/github: is it GitHub? Then one delivery row and 202; the work comes after the answer.

What an answer means to the sender: 2xx taken (or nothing for us in it), 400 signed but not what GitHub documents, 401
not signed with our secret, 408 too slow, 413 too big. A 503 is given only when the database does not take the row, so
that GitHub's list of deliveries shows the loss and it can be sent again.

The signature is checked over the raw bytes before anything is decoded, and by ourselves: gidgethub also accepts SHA-1.
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from contextlib import AsyncExitStack
from typing import Any, Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import SQLAlchemyError

from bot.draining import DrainedTasks
from bot.events import Event, MalformedPayload, event_to_json, parse_event
from bot.inbox import Inbox
from bot.relevance import Relevance
from db.deliveries import NewDelivery
from db.session import Database

logger = logging.getLogger(__name__)

LARGEST_BODY = 25 * 1024 * 1024
"""Bytes. GitHub sends nothing bigger: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap"""

_SMALL_BODY = 256 * 1024
_BIG_BODIES_AT_ONCE = 3
_READ_SECONDS = 15.0
_WRITE_SECONDS = 8.0

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)
_DELIVERY_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_EVENT_NAME = re.compile(r"[a-z_]{1,64}", re.ASCII)


class _Refused(Exception):  # noqa: N818 - an answer, not a failure
    """The request is answered with ``status`` and ``reason``."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Intake(Protocol):
    """What happens to a delivery after the answer: ``bot.intake.IntakeService``."""

    async def handle(self, delivery_id: str, *, first_try: bool = False) -> object: ...


class WebhookDoor:
    """The handler of the route; one per process, since it counts the big bodies held at once."""

    def __init__(
        self, *, secret: str, relevance: Relevance, database: Database, intake: Intake, tasks: DrainedTasks
    ) -> None:
        self._secret = secret.encode()
        self._relevance = relevance
        self._inbox = Inbox(database)
        self._intake = intake
        self._tasks = tasks
        self._big_bodies = asyncio.Semaphore(_BIG_BODIES_AT_ONCE)

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one delivery."""
        try:
            return await self._receive(request)
        except _Refused as refusal:
            logger.info("delivery_refused", extra={"status": refusal.status, "reason": refusal.reason})
            response = web.json_response({"error": refusal.reason}, status=refusal.status)
            response.force_close()
            return response

    async def _receive(self, request: web.Request) -> web.Response:
        signature = _signature(request)
        async with AsyncExitStack() as held:
            body = await self._verified_body(request, signature, held)
            held.enter_context(self._tasks.held_back())
            delivery_id, event_name, payload = _decoded(request, body)
            if event_name == "ping":
                return _answer(200, "pong")
            try:
                event = parse_event(event_name, payload)
            except MalformedPayload as malformed:
                raise _Refused(400, f"the payload does not fit the event {event_name}: {malformed}") from None
            del body, payload
            if event is None or not await self._relevance.is_for_us(event):
                return _answer(202, "nothing to do")
            return await self._record(delivery_id, event_name, event)

    async def _record(self, delivery_id: str, event_name: str, event: Event) -> web.Response:
        delivery: NewDelivery = {
            "delivery_id": delivery_id,
            "event": event_name,
            "action": event.action,
            "said_key": event.said_key,
            "payload": event_to_json(event),
        }
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                is_new = await self._inbox.record(delivery)
        except (SQLAlchemyError, OSError):
            logger.exception("delivery_not_recorded", extra={"delivery": delivery_id})
            raise _Refused(503, "the database does not answer; redeliver later") from None
        logger.info(
            "delivery_recorded" if is_new else "delivery_already_known",
            extra={"delivery": delivery_id, "repository": event.repository, "kind": event.kind},
        )
        if not is_new:
            return _answer(202, "already known")
        self._tasks.start(lambda: self._intake.handle(delivery_id, first_try=True), f"intake {delivery_id}")
        return _answer(202, "accepted")

    async def _verified_body(self, request: web.Request, signature: str, held: AsyncExitStack) -> bytearray:
        """The raw body, its signature checked. A big one holds a slot in ``held`` for as long as it is in memory."""
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused(400, "send the body without Content-Encoding")
        if (request.content_length or 0) > LARGEST_BODY:
            raise _Refused(413, f"the body is larger than {LARGEST_BODY} bytes")
        body = bytearray()
        digest = hmac.new(self._secret, digestmod="sha256")
        try:
            async with asyncio.timeout(_READ_SECONDS):
                async for chunk in request.content.iter_any():
                    if len(body) <= _SMALL_BODY < len(body) + len(chunk):
                        await self._take_big_slot(held, body)
                    body += chunk
                    digest.update(chunk)
                    if len(body) > LARGEST_BODY:
                        raise _Refused(413, f"the body is larger than {LARGEST_BODY} bytes")
        except TimeoutError:
            raise _Refused(408, f"the body did not arrive within {_READ_SECONDS:g} seconds") from None
        except (web.RequestPayloadError, HttpProcessingError):
            raise _Refused(400, "the body breaks off or is wrongly encoded") from None
        if not hmac.compare_digest(b"sha256=" + digest.hexdigest().encode(), signature.encode()):
            raise _Refused(401, "the signature is not ours: check the webhook secret")
        return body

    async def _take_big_slot(self, held: AsyncExitStack, body: bytearray) -> None:
        """Bodies of this size are rare; those who send many at once wait for each other, not we for them."""
        await self._big_bodies.acquire()
        held.callback(self._big_bodies.release)
        # A refusal's traceback would keep it alive for longer than the slot.
        held.callback(body.clear)


def _signature(request: web.Request) -> str:
    """The header's value, if it has the one shape that is accepted; else nothing of the body is read."""
    values = request.headers.getall("X-Hub-Signature-256", [])
    if len(values) != 1 or not _SIGNATURE.fullmatch(values[0]):
        raise _Refused(401, "X-Hub-Signature-256 is missing or is not sha256= and 64 hex digits")
    return values[0]


def _decoded(request: web.Request, body: bytearray) -> tuple[str, str, object]:
    """Delivery id, event name and payload of a request whose signature was good."""
    delivery_id = request.headers.get("X-GitHub-Delivery", "")
    event_name = request.headers.get("X-GitHub-Event", "")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise _Refused(400, "X-GitHub-Delivery is missing or no delivery id")
    if not _EVENT_NAME.fullmatch(event_name):
        raise _Refused(400, "X-GitHub-Event is missing or no event name")
    if request.content_type != "application/json":
        raise _Refused(400, "set the webhook's content type to application/json")
    try:
        payload = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object_without_repeats, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is not the JSON GitHub sends") from None
    if not isinstance(payload, dict):
        raise _Refused(400, "the body is not a JSON object")
    return delivery_id, event_name, payload


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key is given twice")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _answer(status: int, what: str) -> web.Response:
    return web.json_response({"status": what}, status=status)
