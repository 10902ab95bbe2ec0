"""Who we are to GitHub: the App's JWT, and installation tokens for one repository and one purpose.

gidgethub's own helper asks for everything an installation may do; here every token names its repository and the least
permissions its purpose needs (https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import aiohttp
import jwt

from bot.github.errors import AccessLost, NotFound, Refused, Unavailable
from bot.github.rate_gate import Pace, Timing
from bot.github.transport import Call, Token, Transport

JWT_BACKDATED_SECONDS = 60
JWT_LIFE_SECONDS = 9 * 60
"""GitHub allows 10 minutes, counted by its own clock from ``iat``."""
RENEW_BEFORE_SECONDS = 5 * 60


class Purpose(StrEnum):
    """What a token is for; PERMISSIONS says what it may do."""

    READ = "read"
    READ_CONVERSATION = "read_conversation"
    REPORT = "report"
    CLONE = "clone"
    PUSH = "push"
    PULL_REQUEST = "pull_request"


PERMISSIONS: Mapping[Purpose, Mapping[str, str]] = {
    Purpose.READ: {"metadata": "read", "contents": "read"},
    Purpose.READ_CONVERSATION: {"metadata": "read", "issues": "read", "pull_requests": "read"},
    Purpose.REPORT: {"metadata": "read", "issues": "write", "pull_requests": "write", "checks": "write"},
    Purpose.CLONE: {"metadata": "read", "contents": "read"},
    Purpose.PUSH: {"metadata": "read", "contents": "write"},
    Purpose.PULL_REQUEST: {"metadata": "read", "contents": "read", "pull_requests": "write"},
}


@dataclass(frozen=True, slots=True)
class AppInfo:
    """What GitHub says of the App. ``server_date`` is GitHub's clock (UTC) when it answered."""

    id: int
    slug: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    server_date: datetime


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What one token is good for."""

    installation_id: int
    repository_id: int
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token
    renew_at: float


class AppAuth:
    """Signs as the App and keeps installation tokens until five minutes before they expire."""

    def __init__(
        self, http: aiohttp.ClientSession, *, app_id: int, private_key: str, api_url: str, timing: Timing | None = None
    ) -> None:
        self.app_id = app_id
        self._private_key = private_key
        self._timing = timing or Timing()
        self._transport = Transport(http, api_url, self._timing, Pace())
        self._kept: dict[TokenKey, _Kept] = {}
        self._minting: dict[TokenKey, asyncio.Lock] = {}
        self._app: AppInfo | None = None

    async def token(self, installation_id: int, repository_id: int, purpose: Purpose) -> str:
        """A token that works for at least five more minutes. Raises GitHubError (AccessLost when the App is gone)."""
        return (await self.entry(TokenKey(installation_id, repository_id, purpose))).value

    async def entry(self, key: TokenKey) -> Token:
        """The kept token with its age, minted first where there is none: once, however many ask at the same time."""
        async with self._minting.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.renew_at <= self._timing.monotonic():
                kept = await self._mint_for(key)
                self._kept[key] = kept
            return kept.token

    def forget(self, key: TokenKey, token: Token) -> None:
        """GitHub refused this token: the next call mints a new one."""
        kept = self._kept.get(key)
        if kept is not None and kept.token is token:
            del self._kept[key]

    async def app(self) -> AppInfo:
        """Ask GitHub who we are (``GET /app``). Raises GitHubError; AccessLost means a wrong key, App id or clock."""
        data, _ = await self.send_as_app(Call("asking GitHub for the App", "GET", "/app"))
        try:
            self._app = AppInfo(
                id=int(data["id"]),
                slug=str(data["slug"]),
                permissions={str(name): str(level) for name, level in data.get("permissions", {}).items()},
                events=tuple(str(event) for event in data.get("events", ())),
                server_date=datetime.fromtimestamp(self._timing.wall() + self._transport.clock_offset, UTC),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable("asking GitHub for the App: the answer is not an App") from error
        return self._app

    async def app_slug(self) -> str:
        """The App's name in addresses and mentions. Asked once."""
        return (self._app or await self.app()).slug

    @property
    def known_slug(self) -> str | None:
        """The same as far as it is known already: for those who must not wait for GitHub."""
        return self._app.slug if self._app is not None else None

    async def bot_login(self) -> str:
        """The login our comments are written under: ``{slug}[bot]``."""
        return f"{await self.app_slug()}[bot]"

    async def token_by_name(self, installation_id: int, name: str, purpose: Purpose) -> Token | None:
        """A new token for a repository of the installation's account whose id is not known; nothing is kept.

        None where the App is not installed on a repository of that name, or not with the permissions. Raises
        GitHubError.
        """
        doing = f"asking for a token to {purpose} repository {name} of installation {installation_id}"
        try:
            return (await self._mint(doing, installation_id, {"repositories": [name]}, purpose)).token
        except (NotFound, Refused):
            return None

    async def _mint_for(self, key: TokenKey) -> _Kept:
        doing = f"asking for a token to {key.purpose} repository {key.repository_id}"
        try:
            return await self._mint(doing, key.installation_id, {"repository_ids": [key.repository_id]}, key.purpose)
        except (NotFound, Refused) as error:
            # 404: uninstalled. 422: the repository left the installation, or a permission was not granted.
            raise AccessLost(error.message) from error

    async def _mint(self, doing: str, installation_id: int, scope: Mapping[str, object], purpose: Purpose) -> _Kept:
        call = Call(
            doing,
            "POST",
            "/app/installations/{installation}/access_tokens",
            {"installation": str(installation_id)},
            {**scope, "permissions": dict(PERMISSIONS[purpose])},
        )
        data, _ = await self.send_as_app(call)
        try:
            value, expires_at = str(data["token"]), datetime.fromisoformat(data["expires_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"{doing}: the answer holds no token") from error
        now = self._timing.monotonic()
        life = expires_at.timestamp() - self._timing.wall() - self._transport.clock_offset
        return _Kept(Token(value, minted_at=now), renew_at=now + life - RENEW_BEFORE_SECONDS)

    async def send_as_app(self, call: Call) -> tuple[Any, str | None]:
        """The answer to a call of the App itself, and the URL of the next page. Raises GitHubError."""
        before = self._transport.clock_offset
        try:
            return await self._transport.send_as(call, jwt=await asyncio.to_thread(self._sign))
        except AccessLost:
            # The refusal carried GitHub's date: when it shows that our clock is wrong, sign again by theirs.
            if abs(self._transport.clock_offset - before) < 2:
                raise
            return await self._transport.send_as(call, jwt=await asyncio.to_thread(self._sign))

    def _sign(self) -> str:
        now = int(self._timing.wall() + self._transport.clock_offset)
        issued = now - JWT_BACKDATED_SECONDS
        claims = {"iat": issued, "exp": issued + JWT_LIFE_SECONDS, "iss": str(self.app_id)}
        try:
            return jwt.encode(claims, self._private_key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise AccessLost("signing as the App: the private key cannot be used") from error
