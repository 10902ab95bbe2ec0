"""One request of an agent: judged, passed on with the real key in place, its answer streamed back and counted."""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from jobs.gateway.reach import within_reach
from jobs.gateway.refusals import NEVER, refusal
from jobs.gateway.sentences import used_up_briefly
from jobs.gateway.turns import OpenTurn
from jobs.gateway.usage_reader import UsageReader
from jobs.model_apis import RULES, ModelCall, ModelEndpoint, NotUnderstood, call_of, key_presented, understood
from jobs.ports import ModelApi

PASSED_TO_AGENT = ("content-type", "retry-after", "x-request-id", "cache-control")
LARGEST_REQUEST = 32 << 20
CONNECT_SECONDS = 20
SILENCE_SECONDS = 600
NOBODY_WORKS = "no agent is at work in this run now, so nothing is passed on"

log = logging.getLogger(__name__)


def model_session() -> aiohttp.ClientSession:
    """Connections of one run to the models. No cookie of an endpoint is kept."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that may be passed on. ``model`` is empty where it names none, and then it is not counted."""

    call: ModelCall
    endpoint: ModelEndpoint
    model: str
    body: bytes


class _Meter:
    """Counts one request, and what its answer takes as it passes. One that names no model costs nothing."""

    def __init__(self, turn: OpenTurn, model: str, reader: UsageReader) -> None:
        self._turn = turn
        self._model = model
        self._is_over = not model
        self.reader = reader

    def begin(self) -> None:
        if self._model:
            self._turn.account.asked(self._model)

    async def end(self) -> None:
        """No more is read of the answer. Once is enough."""
        if self._is_over:
            return
        self._is_over = True
        self._turn.account.answered(self._model, self.reader.end())
        await self._turn.write()


class Forwarder:
    """Knows the operator's keys, and no run."""

    def __init__(self, endpoints: Sequence[ModelEndpoint]) -> None:
        self._endpoints = {endpoint.api: endpoint for endpoint in endpoints}

    def knows(self, api: ModelApi) -> bool:
        """Whether there is an endpoint for it."""
        return api in self._endpoints

    def new_key(self) -> str:
        """A key that is good for one run only."""
        return f"speckit-run-{secrets.token_urlsafe(32)}"

    async def handle(
        self, request: web.Request, key: str, session: aiohttp.ClientSession, turn: OpenTurn | None
    ) -> web.StreamResponse:
        """Judge a request and serve it. ``key`` is that of the run; ``turn`` is the one under way, if one is."""
        if turn is None:
            return refusal(403, NOBODY_WORKS)
        async with turn.serving():
            if turn.is_over:
                return refusal(403, NOBODY_WORKS)
            judged = await self._judge(request, key, turn)
            if isinstance(judged, web.Response):
                return judged
            meter = _Meter(turn, judged.model, UsageReader(judged.call.api))
            meter.begin()
            try:
                return await _forward(request, session, judged, meter)
            finally:
                await meter.end()

    async def _judge(self, request: web.Request, key: str, turn: OpenTurn) -> _Call | web.Response:
        call = call_of(request.method, request.rel_url.raw_path)
        endpoint = self._endpoints.get(call.api) if call is not None else None
        if call is None or endpoint is None:
            turn.refused()
            return refusal(404, "this gateway forwards what models are asked by, and nothing else")
        if not hmac.compare_digest(key_presented(request.headers).encode(errors="surrogateescape"), key.encode()):
            turn.refused()
            return refusal(401, "this is not the key of this run", call.api)
        try:
            model, body = understood(call, await _body(request))
            if call.names_model:
                body = within_reach(call.api, body)
        except NotUnderstood as why:
            turn.refused()
            return refusal(NEVER, str(why), call.api)
        if not call.names_model:
            return _Call(call, endpoint, "", body)
        if not turn.allows(model):
            turn.refused()
            allowed = ", ".join(turn.turn.models) or "none"
            why_not = f"the model {model[:200]} is not allowed in this run; allowed: {allowed}"
            return refusal(NEVER, why_not, call.api, "model_not_allowed")
        if turn.is_used_up():
            turn.refused(model)
            return refusal(NEVER, used_up_briefly(turn.reached), call.api, "budget_reached")
        return _Call(call, endpoint, model, body)


async def _body(request: web.Request) -> bytes:
    """Raises NotUnderstood for one that did not arrive whole, and HTTPException for one that is too large."""
    try:
        return await request.read()
    except (OSError, aiohttp.ClientError, HttpProcessingError):
        raise NotUnderstood("the body did not arrive whole") from None


async def _forward(
    request: web.Request, session: aiohttp.ClientSession, judged: _Call, meter: _Meter
) -> web.StreamResponse:
    rules, endpoint = RULES[judged.call.api], judged.endpoint
    headers = {name: request.headers[name] for name in rules.passed if name in request.headers}
    headers[rules.key_header] = rules.key_prefix + endpoint.key
    headers["Accept-Encoding"] = "identity"
    try:
        async with session.request(
            request.method,
            f"{endpoint.base_url.rstrip('/').removesuffix('/v1')}{judged.call.path}{_query(request)}",
            data=judged.body or None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            return await _stream(request, answer, meter)
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("model endpoint did not answer", extra={"error": type(error).__name__})
        return refusal(502, "the model's endpoint did not answer", judged.call.api)


async def _stream(request: web.Request, answer: aiohttp.ClientResponse, meter: _Meter) -> web.StreamResponse:
    reader = meter.reader
    reader.begin(answer.headers.get("content-type", ""))
    response = web.StreamResponse(
        status=answer.status,
        headers={name: answer.headers[name] for name in PASSED_TO_AGENT if name in answer.headers},
    )
    # Once it has begun, the answer can only be cut: an agent must see a broken stream as broken.
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            reader.see(chunk)
            await response.write(chunk)
        # The agent has everything but the word that this is all: before it asks again, this answer is counted.
        await meter.end()
        await response.write_eof()
    except ConnectionResetError:
        # The agent went away. What it asked for is paid for all the same.
        await _read_on(answer, reader)
    except (aiohttp.ClientError, TimeoutError):
        if request.transport is not None:
            request.transport.close()
    return response


async def _read_on(answer: aiohttp.ClientResponse, reader: UsageReader) -> None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async for chunk in answer.content.iter_any():
            reader.see(chunk)


def _query(request: web.Request) -> str:
    """Gemini's one parameter; nothing else passes."""
    return "?alt=sse" if request.query.get("alt") == "sse" else ""
