"""The REST API's way in: one table of routes; each request is recognised, judged, served, logged.

A route that is not in the table is a 404 and is remembered: a client must not get away with a request that GitHub may
not have.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import Enum
from typing import Final, TypeVar
from urllib.parse import urlencode

from aiohttp import web

from localhub import auth
from localhub.auth import ANONYMOUS, Actor
from localhub.errors import ApiError, not_found, requires_authentication
from localhub.faults import Fault
from localhub.git_repository import GitError
from localhub.model import App, Level, Repository, User
from localhub.records import RequestRecord
from localhub.representation import Json
from localhub.state import State

T = TypeVar("T")
LIMIT: Final = 5000
_READS = frozenset({"GET", "HEAD"})
_AT_ONCE = 100
_CONTENT_PER_MINUTE = 80
_GRAPHQL = "/graphql"
_GRAPHQL_BROKE = "Something went wrong while executing your query. This may be the result of a timeout, or a bug."


class Audience(Enum):
    """Who a route is for."""

    ANYONE = "anyone"
    USER = "a person or a bot"
    APP = "an App with its JWT"
    INSTALLATION = "an installation with its token"
    REPOSITORY = "whoever may see the repository in the path"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers with; ``body`` None is 204's empty body."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request, as handlers see it. ``sent`` is the JSON body, an empty object when there was none."""

    state: State
    request: web.Request
    actor: Actor
    sent: dict[str, object]
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        """The repository of the path."""
        if self.found is None:
            raise not_found()
        return self.found

    @property
    def user(self) -> User:
        """The account that acts. Raises ApiError 401."""
        if self.actor.user is None:
            raise requires_authentication()
        return self.actor.user

    @property
    def app(self) -> App:
        """The App that acts, by JWT or token. Raises ApiError 403."""
        if self.actor.app is None:
            raise ApiError(403, "You must authenticate via a GitHub App.")
        return self.actor.app

    def text(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def number(self, name: str) -> int:
        """A part of the path that is a number. Raises ApiError 404."""
        text = self.request.match_info[name]
        if not text.isascii() or not text.isdigit():
            raise not_found()
        return int(text)

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query.get(name, default)

    def require(self, *accepted: tuple[str, str]) -> None:
        """Ask a token for one of these permissions. Raises ApiError 403."""
        auth.require_permission(self.actor, accepted)

    def require_level(self, level: Level) -> None:
        """Ask a person for a role. Raises ApiError 401 or 403."""
        auth.require_level(self.state, self.actor, self.repository, level)

    def fresh(self, born: float) -> None:
        """Raise ApiError 404 for a read of something too new to be seen, when lag is played."""
        if self.request.method in _READS and self.state.faults.too_fresh(born):
            raise not_found()

    def page(self, items: Sequence[T]) -> tuple[list[T], dict[str, str]]:
        """One page of ``items`` by ``page`` and ``per_page`` (at most 100), and the ``Link`` header."""
        size = min(max(_number(self.query("per_page"), 30), 1), 100)
        number = max(_number(self.query("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        wanted = {"first": 1, "prev": number - 1} if number > 1 else {}
        if number < last:
            wanted |= {"next": number + 1, "last": last}
        base = f"{self.state.urls.web}{self.request.path}"
        links = [
            f'<{base}?{urlencode({**self.request.query, "page": to})}>; rel="{name}"' for name, to in wanted.items()
        ]
        headers = {"Link": ", ".join(links)} if links else {}
        return list(items[(number - 1) * size : number * size]), headers

    def listing(self, items: Sequence[Json]) -> Answer:
        """Answer with one page of ``items``."""
        shown, headers = self.page(items)
        return Answer(shown, headers=headers)


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default


Handler = Callable[[Call], Awaitable[Answer]]


Permissions = tuple[tuple[str, str], ...]
"""Names with levels: ``(("issues", "write"),)``."""


@dataclass(frozen=True, slots=True)
class Route:
    """A documented route. ``accepted``: the permissions one of which a token must hold; ``level``: a person's role."""

    method: str
    path: str
    handle: Handler
    accepted: Permissions = ()
    level: Level = "read"
    audience: Audience = Audience.REPOSITORY


class Api:
    """Serves the routes of one hub below ``/api/v3``."""

    def __init__(self, state: State, routes: Sequence[Route]) -> None:
        self._state = state
        self._routes = routes
        self._spent: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._created: dict[str, deque[float]] = {}

    def add_to(self, app: web.Application) -> None:
        """Register every route, and the one for what is not known."""
        for route in self._routes:
            app.router.add_route(route.method, f"/api/v3{route.path}", self._bind(route))
            if route.path == _GRAPHQL:
                # Where GitHub Enterprise Server has it: clients make either address from the API's.
                app.router.add_route(route.method, f"/api{route.path}", self._bind(route))
        app.router.add_route("*", "/api/v3{path:(/.*)?}", self._bind(None))

    def _bind(self, route: Route | None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return serve

    async def _serve(self, request: web.Request, route: Route | None) -> web.StreamResponse:
        started = time.monotonic()
        path = request.path_qs.removeprefix("/api").removeprefix("/v3")
        exchange = _Exchange(request, route.path if route is not None else "", path, started)
        fault = self._state.faults.take(request.method, exchange.route, path)
        try:
            answer = await self._answer(exchange, route, fault)
        finally:
            self._in_flight[exchange.actor.limit_key] -= exchange.counted
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        cut = fault is not None and fault.status is None and (fault.after_write or not fault.delay)
        if fault is not None and fault.status is not None and fault.after_write:
            answer = _error(ApiError(fault.status, "Server Error", headers=fault.headers), exchange.route)
        self._log(exchange, 0 if cut else answer.status)
        if cut and request.transport is not None:
            request.transport.abort()
        return self._response(exchange, answer)

    async def _answer(self, exchange: _Exchange, route: Route | None, fault: Fault | None) -> Answer:
        try:
            exchange.actor = auth.from_header(self._state, exchange.request.headers.get("Authorization"))
            self._enter(exchange)
            if fault is not None and not fault.after_write and (fault.status is not None or not fault.delay):
                raise ApiError(fault.status or 502, "Server Error", headers=fault.headers)
            exchange.sent = await _body(exchange.request)
            if route is None:
                self._state.record_violation("unknown_route", f"{exchange.request.method} {exchange.path}")
                raise not_found()
            call = Call(self._state, exchange.request, exchange.actor, exchange.sent)
            self._judge(call, route)
            return await route.handle(call)
        except ApiError as refused:
            if refused.violation is not None:
                detail = f"{exchange.request.method} {exchange.path}: {refused.message}"
                self._state.record_violation(refused.violation, detail)
            return _error(refused, exchange.route)
        except GitError as broken:
            return _error(ApiError(500, f"git: {broken}"), exchange.route)
        except Exception as broken:
            # A fault of the hub itself must not look like one of GitHub's bad days.
            self._state.record_violation("hub_broke", f"{exchange.request.method} {exchange.path}: {broken!r}")
            raise

    def _enter(self, exchange: _Exchange) -> None:
        """Count the request, and refuse it where a limit says so. Raises ApiError 403 or 429."""
        key = exchange.actor.limit_key
        exchange.counted = 1
        self._in_flight[key] += 1
        self._spent[key] += 1
        if self._in_flight[key] > _AT_ONCE:
            self._state.record_violation("concurrency", f"{key}: more than {_AT_ONCE} requests at once")
        window = self._state.faults.limit(exchange.path)
        if window is None:
            return
        if window.ignored_by(key, exchange.started):
            self._state.record_violation("rate_limit", f"{key}: {exchange.path} inside the window")
        left = max(window.until - time.monotonic(), 0.0)
        seconds = max(1, math.ceil(left))
        if window.kind == "primary":
            reset = str(math.ceil(time.time() + left))
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            raise ApiError(window.status, f"API rate limit exceeded for {key}.", headers=headers)
        sentence = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        raise ApiError(window.status, sentence, headers={"Retry-After": str(seconds)} if window.retry_after else {})

    def _judge(self, call: Call, route: Route) -> None:
        """Whether this actor may use the route at all. Raises ApiError."""
        actor = call.actor
        match route.audience:
            case Audience.ANYONE:
                return
            case Audience.USER if actor.user is None:
                raise requires_authentication()
            case Audience.APP if not actor.is_jwt:
                raise ApiError(401, "A JSON web token could not be decoded")
            case Audience.INSTALLATION if actor.token is None:
                raise ApiError(403, "You must authenticate with an installation access token")
            case Audience.REPOSITORY:
                self._judge_repository(call, route)

    def _judge_repository(self, call: Call, route: Route) -> None:
        call.found = self._state.repository(f"{call.text('owner')}/{call.text('repo')}")
        if call.actor.is_jwt:
            raise ApiError(401, "Bad credentials", violation="permission")
        auth.see(self._state, call.actor, call.found)
        auth.require_permission(call.actor, route.accepted)
        if call.request.method in _READS:
            call.require_level(route.level)
            return
        if call.actor.user is None:
            raise requires_authentication()
        call.require_level(route.level)
        if call.found.archived:
            raise ApiError(403, "Repository was archived so is read-only.")
        if call.request.method == "POST":
            self._count_content(call.actor.limit_key)

    def _count_content(self, key: str) -> None:
        made = self._created.setdefault(key, deque())
        now = time.monotonic()
        made.append(now)
        while made[0] < now - 60:
            made.popleft()
        if len(made) > _CONTENT_PER_MINUTE:
            self._state.record_violation("content_rate", f"{key}: more than {_CONTENT_PER_MINUTE} a minute")

    def _log(self, exchange: _Exchange, status: int) -> None:
        token = exchange.actor.token
        self._state.requests.append(
            RequestRecord(
                at=self._state.now(),
                method=exchange.request.method,
                path=exchange.path,
                route=exchange.route,
                actor=exchange.actor.name,
                installation_id=token.installation.id if token is not None else None,
                token_permissions=dict(token.permissions) if token is not None else {},
                token_repository_ids=tuple(each.id for each in token.repositories) if token is not None else (),
                status=status,
                seconds=time.monotonic() - exchange.started,
                started=exchange.started,
                sent=exchange.sent or None,
            )
        )

    def _response(self, exchange: _Exchange, answer: Answer) -> web.Response:
        limit = LIMIT if exchange.actor is not ANONYMOUS else 60
        used = self._spent[exchange.actor.limit_key]
        headers = {
            "Date": format_datetime(self._state.now(), usegmt=True),
            "X-GitHub-Request-Id": uuid.uuid4().hex[:20].upper(),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Remaining": str(max(limit - used, 0)),
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
            "X-RateLimit-Resource": "core",
            **answer.headers,
        }
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        text = json.dumps(answer.body)
        return web.Response(status=answer.status, text=text, headers=headers, content_type="application/json")


@dataclass(slots=True)
class _Exchange:
    """What is known of a request while it is served."""

    request: web.Request
    route: str
    path: str
    started: float
    actor: Actor = ANONYMOUS
    sent: dict[str, object] = field(default_factory=dict)
    counted: int = 0


def _error(refused: ApiError, route: str) -> Answer:
    """The answer to a refused request. GraphQL says with 200 that its limit is reached or that it broke inside."""
    headers = {**refused.headers, "X-RateLimit-Resource": "graphql"}
    if route == _GRAPHQL and refused.headers.get("X-RateLimit-Remaining") == "0":
        return Answer({"errors": [{"type": "RATE_LIMITED", "message": refused.message}]}, 200, headers)
    if route == _GRAPHQL and refused.status == 200:
        return Answer({"data": None, "errors": [{"message": _GRAPHQL_BROKE}]}, 200, headers)
    return Answer(refused.body(), refused.status, refused.headers)


async def _body(request: web.Request) -> dict[str, object]:
    raw = await request.read()
    if request.headers.get("Content-Encoding") == "gzip":
        # The server leaves bodies as they came, for git's sake.
        raw = gzip.decompress(raw)
    if not raw:
        return {}
    try:
        sent = json.loads(raw)
    except ValueError:
        raise ApiError(400, "Problems parsing JSON") from None
    if isinstance(sent, list):
        # Only the label routes take a bare array.
        return {"labels": sent}
    if not isinstance(sent, dict):
        raise ApiError(400, "Body should be a JSON object")
    return sent
