"""One call to GitHub and everything that may go wrong with it, on gidgethub.

Only the API's own host is contacted and redirects that leave it are refused, so no token can follow one. Every call has
a timeout. Transient failures are tried again with backoff and jitter; a call that creates something is not repeated
before a look whether the first try did it after all (a lost answer is not a lost write).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
import gidgethub
import gidgethub.aiohttp

from bot.github import graphql
from bot.github.errors import AccessLost, GitHubError, NotFound, Refused, Unavailable, from_http
from bot.github.rate_gate import Pace, RateGate, Timing

logger = logging.getLogger(__name__)

REQUESTER = "speckit-bot"
TRIES = 5
FIRST_BACKOFF_SECONDS = 0.5
SETTLE_SECONDS = 2.0
"""GitHub's own readers may be that much behind its writers: the pause before looking for what a lost answer wrote."""
FRESH_TOKEN_SECONDS = 60.0
FRESH_TOKEN_PAUSES = (3.0, 10.0, 30.0)
MOST_REDIRECTS = 3

Found = Callable[[], Awaitable[Any]]
Variable = str | Sequence[str]
"""Of a path: one segment, or several. What a segment may not hold is percent-encoded."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``doing`` words it for errors; ``found`` looks for what a doubtful try may have created already;
    with ``may_be_missing`` a 404 ends it at once; one that is ``optional`` never waits for the rate limit."""

    doing: str
    method: str
    path: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    body: object = b""
    writes: bool = False
    final: bool = False
    optional: bool = False
    may_be_missing: bool = False
    found: Found | None = None


@dataclass(slots=True)
class Token:
    """An installation token. ``proven`` once any call with it succeeded: from then on a 404 means what it says."""

    value: str = field(repr=False)
    minted_at: float
    proven: bool = False


class TokenSource(Protocol):
    """Gives the token for a call, and a new one after GitHub refused the old."""

    async def current(self) -> Token: ...

    def forget(self, token: Token) -> None: ...


class _Api(gidgethub.aiohttp.GitHubAPI):
    """gidgethub's client for one host, with our timeouts and redirects."""

    def __init__(self, http: aiohttp.ClientSession, api_url: str, gate: RateGate) -> None:
        super().__init__(http, REQUESTER, base_url=api_url)
        self._gate = gate
        self._graphql_url = graphql.endpoint(api_url)
        self._timeout = aiohttp.ClientTimeout(total=gate.timing.longest_call)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        for _ in range(MOST_REDIRECTS + 1):
            _require_same_host(url, self.base_url)
            async with self._session.request(
                method, url, headers=headers, data=body, timeout=self._timeout, allow_redirects=False
            ) as response:
                status, content = response.status, await response.read()
                if status == 200 and url == self._graphql_url:
                    status, content = graphql.as_rest(content)
                self._gate.observe(status, response.headers)
                target = response.headers.get("location")
                # A renamed repository answers 301 to reads and 307 to writes; only these keep what was asked.
                followable = status in ({301, 302, 307, 308} if method == "GET" else {307, 308})
                if not followable or target is None:
                    return status, response.headers, content
                url = urljoin(url, target)
        raise Refused(f"{method} {urlsplit(url).path}: redirected more than {MOST_REDIRECTS} times")

    async def send(
        self, call: Call, *, oauth_token: str | None = None, jwt: str | None = None
    ) -> tuple[Any, str | None]:
        """Return the decoded answer and the URL of the next page."""
        data, more, _ = await self._make_request(
            call.method,
            call.path,
            call.variables,
            call.body,
            "application/vnd.github+json",
            oauth_token=oauth_token,
            jwt=jwt,
            extra_headers={"x-github-api-version": "2022-11-28"},
        )
        return data, more


def _require_same_host(url: str, api_url: str) -> None:
    wanted, given = urlsplit(api_url), urlsplit(url)
    if (given.scheme, given.hostname, given.port) != (wanted.scheme, wanted.hostname, wanted.port):
        raise Refused(f"calling GitHub: redirected to another host ({given.scheme}://{given.hostname}), not followed")


class Transport:
    """Sends the calls of one installation (or of the App itself) through its gate."""

    def __init__(self, http: aiohttp.ClientSession, api_url: str, timing: Timing, pace: Pace) -> None:
        self._timing = timing
        self._gate = RateGate(timing, pace)
        self._api = _Api(http, api_url, self._gate)

    @property
    def graphql_url(self) -> str:
        """Where GraphQL is asked."""
        return graphql.endpoint(self._api.base_url)

    @property
    def clock_offset(self) -> float:
        """GitHub's clock minus ours in seconds, as far as answers told; 0 before the first."""
        return self._gate.clock_offset

    async def send(self, call: Call, tokens: TokenSource) -> tuple[Any, str | None]:
        """Send with an installation token; return (answer, next page). Raises GitHubError.

        A 401 costs one new token. A token younger than a minute that never worked yet may only not have arrived
        everywhere: its 401, 403 and 404 are tried again after 3, 10 and 30 s.
        """
        pauses = iter(FRESH_TOKEN_PAUSES)
        may_mint = True
        while True:
            token = await tokens.current()
            try:
                answer = await self.send_as(call, oauth_token=token.value)
            except (AccessLost, NotFound) as error:
                if _is_unauthorized(error) and may_mint:
                    tokens.forget(token)
                    may_mint = False
                    continue
                fresh = self._timing.monotonic() - token.minted_at < FRESH_TOKEN_SECONDS and not token.proven
                patient = fresh and not (call.may_be_missing and isinstance(error, NotFound))
                pause = next(pauses, None) if patient else None
                if pause is None:
                    raise
                logger.info("github.fresh_token_refused", extra={"doing": call.doing, "pause": pause})
                await self._timing.sleep(pause)
            else:
                token.proven = True
                return answer

    async def send_as(
        self, call: Call, *, oauth_token: str | None = None, jwt: str | None = None
    ) -> tuple[Any, str | None]:
        """Send with this very credential, transient failures retried. Raises GitHubError."""
        for attempt in range(1, TRIES + 1):
            creates = call.writes and call.method == "POST"
            await self._gate.enter(creates=creates, final=call.final, optional=call.optional)
            try:
                return await self._api.send(call, oauth_token=oauth_token, jwt=jwt)
            except gidgethub.HTTPException as error:
                if self._gate.limited(int(error.status_code), error.headers, str(error)):
                    logger.warning("github.rate_limited", extra={"doing": call.doing, "attempt": attempt})
                    last: GitHubError = Unavailable(f"{call.doing}: GitHub's rate limit was hit again and again")
                    continue
                last = from_http(error, call.doing)
                if not last.transient:
                    raise last from error
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError, LookupError) as error:
                # ValueError, LookupError: an answer that is no JSON or no HTTP status we know, as a broken proxy gives.
                last = Unavailable(f"{call.doing}: {_network_reason(error)}")
            if attempt == TRIES:
                break
            await self._back_off(call, attempt, last)
            if call.found is not None and (existing := await call.found()) is not None:
                return existing, None
        raise last

    async def _back_off(self, call: Call, attempt: int, error: GitHubError) -> None:
        pause = FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * (1 + self._timing.jitter())
        if call.found is not None:
            pause = max(pause, SETTLE_SECONDS)
        logger.info("github.retrying", extra={"doing": call.doing, "reason": error.message, "pause": pause})
        await self._timing.sleep(pause)


def _is_unauthorized(error: GitHubError) -> bool:
    cause = error.__cause__
    return isinstance(cause, gidgethub.HTTPException) and int(cause.status_code) == 401


def _network_reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "GitHub did not answer in time"
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return "the connection to GitHub broke or was refused"
    return "GitHub's answer could not be read"
