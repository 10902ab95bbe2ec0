"""Who asks, and whether they may.

- an App with a JWT, checked with its real public key
  (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app)
- an installation with a minted token, limited to its repositories and permissions
- a person with a personal access token, limited by their role in the repository
- nobody: reads what is public

Stricter than GitHub in one point: an installation token is good for its own repositories only, even to read a public
one, since a client that strays from its scope has a fault wherever it works.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

import jwt

from localhub import apps
from localhub.errors import ApiError, bad_credentials, not_accessible, not_found, requires_authentication
from localhub.model import App, Installation, InstallationToken, Level, Repository, User
from localhub.state import State

_JWT_SECONDS = 600
_WRONG_IAT = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
_WRONG_EXP = (
    "'Expiration time' claim ('exp') must be a numeric value "
    "representing the future time at which the assertion expires"
)
_PLEDGE = {"write": "Must have push access to repository", "admin": "Must have admin rights to Repository."}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: one of an App (JWT), an installation (token), a user, or nobody (all None)."""

    user: User | None = None
    app: App | None = None
    token: InstallationToken | None = None

    @property
    def name(self) -> str:
        """For the log of requests."""
        if self.user is not None:
            return self.user.login
        return f"app/{self.app.slug}" if self.app is not None else "anonymous"

    @property
    def installation(self) -> Installation | None:
        """The installation whose token was used."""
        return self.token.installation if self.token is not None else None

    @property
    def is_jwt(self) -> bool:
        """True for an App speaking for itself."""
        return self.app is not None and self.token is None

    @property
    def via_app(self) -> App | None:
        """The App in whose name something is written."""
        return self.app if self.token is not None else None

    @property
    def limit_key(self) -> str:
        """What shares one rate limit."""
        return f"installation {self.token.installation.id}" if self.token is not None else self.name


ANONYMOUS = Actor()


def from_header(state: State, header: str | None) -> Actor:
    """The actor of a REST request's ``Authorization``. Raises ApiError 401."""
    if not header:
        return ANONYMOUS
    scheme, _, credential = header.partition(" ")
    credential = credential.strip()
    match scheme.lower():
        case "basic":
            return from_basic(state, credential)
        case "bearer" | "token" if credential.count(".") == 2 and not credential.startswith(("ghs_", "ghp_")):
            return Actor(app=_app_of_jwt(state, credential))
        case "bearer" | "token":
            return from_token(state, credential)
        case _:
            raise bad_credentials()


def from_basic(state: State, credential: str) -> Actor:
    """The actor of HTTP Basic: the token is the password, or the user name when the password is empty. Raises 401."""
    try:
        name, _, password = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise bad_credentials() from None
    return from_token(state, password if password not in {"", "x-oauth-basic"} else name)


def from_token(state: State, value: str) -> Actor:
    """The actor of an installation token or personal access token. Raises ApiError 401 or 403."""
    token = state.tokens.get(value)
    if token is not None:
        if token.expires_at <= state.now() or state.faults.too_fresh(token.born):
            raise bad_credentials()
        if token.installation.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        return Actor(user=token.installation.app.bot, app=token.installation.app, token=token)
    for user in state.users.values():
        if value and user.token == value:
            return Actor(user=user)
    raise bad_credentials()


def _app_of_jwt(state: State, token: str) -> App:
    undecodable = ApiError(401, "A JSON web token could not be decoded")
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        issuer = str(claims["iss"])
    except (ValueError, KeyError, TypeError):
        raise undecodable from None
    app = next((app for app in state.apps.values() if issuer in {str(app.id), app.client_id}), None)
    if app is None:
        raise not_found("Integration not found")
    try:
        # Times are judged below, by the hub's clock and in GitHub's words.
        options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
        jwt.decode(token, app.public_key_pem, algorithms=["RS256"], options=options)  # type: ignore[arg-type]
    except jwt.InvalidTokenError:
        raise undecodable from None
    now = state.now().timestamp()
    issued, expires = claims.get("iat"), claims.get("exp")
    if isinstance(issued, bool) or not isinstance(issued, int) or issued > now:
        raise ApiError(401, _WRONG_IAT)
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expires <= now:
        raise ApiError(401, _WRONG_EXP)
    if expires > now + _JWT_SECONDS:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def see(state: State, actor: Actor, repository: Repository) -> None:
    """Raise ApiError 404 unless the actor may know that the repository is there."""
    if actor.token is not None:
        if repository in actor.token.repositories:
            return
        state.record_violation("scope", f"{actor.name} reached for {repository.full_name} with a token not made for it")
        if repository.private:
            raise not_found()
        raise not_accessible("")
    if not state.may(repository, actor.user, "read"):
        raise not_found()


def require_permission(actor: Actor, accepted: tuple[tuple[str, str], ...]) -> None:
    """Raise ApiError 403 unless the token holds one of the ``accepted`` permissions (name, level)."""
    if actor.token is None or any(apps.covers(actor.token.permissions, *pair) for pair in accepted):
        return
    raise not_accessible("; ".join(f"{name}={level}" for name, level in accepted))


def require_level(state: State, actor: Actor, repository: Repository, level: Level) -> None:
    """Raise ApiError 401 or 403 unless the person reaches ``level``. Installations are judged by permissions."""
    if actor.token is not None or state.may(repository, actor.user, level):
        return
    if actor.user is None:
        raise requires_authentication()
    raise ApiError(403, _PLEDGE.get(level, f"Must have {level} access to repository"))
