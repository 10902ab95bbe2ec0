"""Apps, installations and their tokens.

https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from localhub import representation
from localhub.errors import ApiError, not_found
from localhub.model import App, Installation, InstallationToken, Repository
from localhub.state import State

TOKEN_LIFETIME = timedelta(hours=1)
_WEIGHT = {"none": 0, "read": 1, "write": 2, "admin": 3}
_NAMED_ON_MINT = 500
_NEEDED_FOR = {
    "check_run": ("checks",),
    "check_suite": ("checks",),
    "issue_comment": ("issues", "pull_requests"),
    "issues": ("issues",),
    "pull_request": ("pull_requests",),
    "pull_request_review": ("pull_requests",),
    "pull_request_review_comment": ("pull_requests",),
    "push": ("contents",),
}
"""Event -> the permissions one of which an App must ask for to hear of it."""


def register(
    state: State, name: str, manifest: Mapping[str, object], public_key_pem: str, hook: tuple[str, str]
) -> App:
    """Register an App from its manifest; ``hook`` is the webhook's URL and secret. Its bot account comes with it.

    Raises ValueError for a manifest GitHub would refuse.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    permissions = manifest.get("default_permissions")
    events = manifest.get("default_events")
    if not isinstance(permissions, Mapping) or not isinstance(events, Sequence):
        raise ValueError("the manifest has no default_permissions or no default_events")
    held = {str(key): str(level) for key, level in permissions.items()}
    deaf = [event for event in events if not _may_hear(held, str(event))]
    if deaf:
        raise ValueError(f"Default events are not supported by permissions: {', '.join(deaf)}")
    number = state.new_id()
    owner = state.users.get("localhub") or state.create_user("localhub", "Organization")
    app = App(
        id=number,
        name=name,
        slug=slug,
        client_id=f"Iv23li{secrets.token_hex(7)}",
        owner=owner,
        bot=state.create_user(f"{slug}[bot]", "Bot"),
        permissions=held,
        events=tuple(str(event) for event in events),
        public_key_pem=public_key_pem,
        webhook_url=hook[0],
        webhook_secret=hook[1],
        hook_id=state.new_id(),
        description=str(manifest.get("description") or ""),
        external_url=str(manifest.get("url") or ""),
    )
    state.apps[number] = app
    return app


def _may_hear(held: Mapping[str, str], event: str) -> bool:
    needed = _NEEDED_FOR.get(event)
    return needed is None or any(covers(held, name, "read") for name in needed)


def install(state: State, app: App, repositories: list[Repository]) -> Installation:
    """Install an App in the account that owns ``repositories``, with all the permissions its manifest asks for."""
    owners = {repository.owner for repository in repositories}
    if len(owners) != 1:
        raise ValueError("an installation belongs to one account: name repositories of one owner, at least one")
    account = owners.pop()
    if any(each.app is app and each.account is account for each in state.installations.values()):
        raise ValueError(f"{app.slug} is installed in {account.login}")
    installation = Installation(state.new_id(), app, account, list(repositories), dict(app.permissions), app.events)
    state.installations[installation.id] = installation
    _announce(state, installation, "created")
    return installation


def uninstall(state: State, installation: Installation) -> None:
    """Take the App away: its tokens are worth nothing from now on."""
    del state.installations[installation.id]
    for value in [token.value for token in state.tokens.values() if token.installation is installation]:
        del state.tokens[value]
    _announce(state, installation, "deleted")


def suspend(state: State, installation: Installation, suspended: bool) -> None:
    """Suspend the App, or let it work again."""
    installation.suspended_at = state.now() if suspended else None
    _announce(state, installation, "suspend" if suspended else "unsuspend")


def _announce(state: State, installation: Installation, action: str) -> None:
    repositories = [
        {
            "id": repository.id,
            "node_id": representation.node_id("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
        }
        for repository in installation.repositories
    ]
    extra = {
        "installation": representation.installation(state.urls, installation),
        "repositories": repositories,
        "requester": None,
    }
    state.webhooks.emit_to(installation, "installation", action, installation.account, extra)


def covers(held: Mapping[str, str], name: str, level: str) -> bool:
    """True when the permissions held reach ``level`` of ``name``."""
    return _WEIGHT[held.get(name, "none")] >= _WEIGHT[level]


def mint(state: State, installation: Installation, wish: Mapping[str, object]) -> InstallationToken:
    """Mint a token, narrowed to what ``wish`` (the request's body) names. Raises ApiError 403 or 422."""
    if installation.suspended_at is not None:
        raise ApiError(403, "This installation has been suspended")
    permissions = _wished_permissions(state, installation, wish.get("permissions"))
    repositories = _wished_repositories(state, installation, wish)
    value = "ghs_" + ".".join(secrets.token_urlsafe(129)[:172] for _ in range(3))
    token = InstallationToken(
        value=value,
        installation=installation,
        permissions=permissions,
        repositories=repositories,
        selected="repositories" in wish or "repository_ids" in wish,
        expires_at=state.now().replace(microsecond=0) + TOKEN_LIFETIME,
    )
    state.tokens[value] = token
    return token


def _wished_permissions(state: State, installation: Installation, wished: object) -> dict[str, str]:
    if wished in (None, {}):
        # An empty object asks for everything, as PyGithub relies on.
        return dict(installation.permissions)
    if not isinstance(wished, dict) or any(level not in _WEIGHT for level in wished.values()):
        raise ApiError(422, "Invalid request.\n\nFor 'properties/permissions', the value is not an object of levels.")
    for name, level in wished.items():
        if not covers(installation.permissions, name, level):
            state.record_violation("permission", f"token asked for {name}: {level}, which the App does not have")
            raise ApiError(422, "The permissions requested are not granted to this installation.")
    # Every token may read metadata, asked for or not.
    return {"metadata": "read", **{str(name): str(level) for name, level in wished.items()}}


def _wished_repositories(
    state: State, installation: Installation, wish: Mapping[str, object]
) -> tuple[Repository, ...]:
    ids = wish.get("repository_ids")
    names = wish.get("repositories")
    if not ids and not names:
        return tuple(installation.repositories)
    if not isinstance(ids or [], list) or not isinstance(names or [], list):
        raise ApiError(422, "Invalid request.\n\nFor 'properties/repositories', the value is not an array.")
    wanted = [*(ids if isinstance(ids, list) else []), *(names if isinstance(names, list) else [])]
    if len(wanted) > _NAMED_ON_MINT:
        raise ApiError(422, f"Too many repositories: at most {_NAMED_ON_MINT} can be named.")
    chosen = []
    for want in wanted:
        found = [each for each in installation.repositories if want in (each.id, each.name)]
        if not found:
            state.record_violation("scope", f"token asked for repository {want!r}, outside the installation")
            sentence = (
                "There is at least one repository that does not exist or is not accessible to the parent installation."
            )
            raise ApiError(422, sentence)
        chosen += found
    return tuple(dict.fromkeys(chosen))


def installation(state: State, app: App, number: int) -> Installation:
    """An App's own installation. Raises ApiError 404."""
    found = state.installations.get(number)
    if found is None or found.app is not app:
        raise not_found()
    return found
