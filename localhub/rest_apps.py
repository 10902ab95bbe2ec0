"""REST: Apps, installations, tokens and the App's own deliveries.

https://docs.github.com/en/rest/apps , https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from localhub import apps, representation
from localhub.api import Answer, Audience, Call, Route
from localhub.errors import ApiError, not_found
from localhub.model import Installation
from localhub.records import Delivery

_KEPT = timedelta(days=3)
"""How far back deliveries are listed."""


async def get_app(call: Call) -> Answer:
    shown = representation.app(call.state.urls, call.app)
    count = sum(each.app is call.app for each in call.state.installations.values())
    return Answer({**shown, "installations_count": count})


async def get_app_by_slug(call: Call) -> Answer:
    for each in call.state.apps.values():
        if each.slug == call.text("slug").lower():
            return Answer(representation.app(call.state.urls, each))
    raise not_found()


async def list_installations(call: Call) -> Answer:
    own = [each for each in call.state.installations.values() if each.app is call.app]
    return call.listing([representation.installation(call.state.urls, each) for each in own])


async def get_installation(call: Call) -> Answer:
    installed = apps.installation(call.state, call.app, call.number("installation_id"))
    return Answer(representation.installation(call.state.urls, installed))


def _shown_installation(call: Call, found: Installation | None) -> Answer:
    if found is None:
        raise not_found()
    return Answer(representation.installation(call.state.urls, found))


async def get_repository_installation(call: Call) -> Answer:
    repository = call.state.repository(f"{call.text('owner')}/{call.text('repo')}")
    return _shown_installation(call, call.state.installation_of(call.app, repository))


async def get_account_installation(call: Call) -> Answer:
    account = call.state.user(call.text("account"))
    own = (each for each in call.state.installations.values() if each.app is call.app and each.account is account)
    return _shown_installation(call, next(own, None))


async def create_token(call: Call) -> Answer:
    installed = apps.installation(call.state, call.app, call.number("installation_id"))
    token = apps.mint(call.state, installed, call.sent)
    body: dict[str, object] = {
        "token": token.value,
        "expires_at": representation.time_text(token.expires_at),
        "permissions": dict(token.permissions),
        "repository_selection": "selected",
    }
    if token.selected:
        body["repositories"] = [representation.repository(call.state.urls, each) for each in token.repositories]
    return Answer(body, 201)


async def revoke_token(call: Call) -> Answer:
    if call.actor.token is not None:
        call.state.tokens.pop(call.actor.token.value, None)
    return Answer(status=204)


async def list_token_repositories(call: Call) -> Answer:
    if call.actor.token is None:
        raise ApiError(403, "You must authenticate with an installation access token")
    shown, headers = call.page(call.actor.token.repositories)
    body = {
        "total_count": len(call.actor.token.repositories),
        "repository_selection": "selected",
        "repositories": [representation.repository(call.state.urls, each) for each in shown],
    }
    return Answer(body, headers=headers)


def _own_deliveries(call: Call) -> list[Delivery]:
    """The App's deliveries of the last three days, newest first."""
    since = call.state.now() - _KEPT
    own = (each for each in call.state.webhooks.deliveries if each.app_id == call.app.id and each.delivered_at > since)
    return sorted(own, key=lambda each: each.id, reverse=True)


async def list_deliveries(call: Call) -> Answer:
    """Pages by cursor, not by number."""
    own = [each for each in _own_deliveries(call) if each.status != "pending"]
    if call.query("status") in {"success", "failure"}:
        own = [each for each in own if each.succeeded == (call.query("status") == "success")]
    cursor = call.query("cursor").removeprefix("v1_")
    if cursor.isdigit():
        own = [each for each in own if each.id <= int(cursor)]
    size = min(max(int(call.query("per_page", "30")), 1), 100) if call.query("per_page", "30").isdigit() else 30
    headers = {}
    if len(own) > size:
        query = urlencode({**call.request.query, "cursor": f"v1_{own[size].id}"})
        headers["Link"] = f'<{call.state.urls.web}{call.request.path}?{query}>; rel="next"'
    return Answer([representation.delivery(each) for each in own[:size]], headers=headers)


def _own_delivery(call: Call) -> Delivery:
    number = call.number("delivery_id")
    for each in _own_deliveries(call):
        if each.id == number:
            return each
    raise not_found()


async def get_delivery(call: Call) -> Answer:
    each = _own_delivery(call)
    body = {
        **representation.delivery(each),
        "url": call.state.apps[each.app_id].webhook_url,
        "request": {"headers": each.request_headers, "payload": each.payload},
        "response": {"headers": each.response_headers, "payload": each.response_body},
    }
    return Answer(body)


async def redeliver(call: Call) -> Answer:
    """Accept at once; the attempt follows."""
    call.state.webhooks.begin_redelivery(_own_delivery(call))
    return Answer({}, 202)


ROUTES = [
    Route("GET", "/app", get_app, audience=Audience.APP),
    Route("GET", "/apps/{slug}", get_app_by_slug, audience=Audience.ANYONE),
    Route("GET", "/app/installations", list_installations, audience=Audience.APP),
    Route("GET", "/app/installations/{installation_id}", get_installation, audience=Audience.APP),
    Route("POST", "/app/installations/{installation_id}/access_tokens", create_token, audience=Audience.APP),
    Route("GET", "/app/hook/deliveries", list_deliveries, audience=Audience.APP),
    Route("GET", "/app/hook/deliveries/{delivery_id}", get_delivery, audience=Audience.APP),
    Route("POST", "/app/hook/deliveries/{delivery_id}/attempts", redeliver, audience=Audience.APP),
    Route("GET", "/repos/{owner}/{repo}/installation", get_repository_installation, audience=Audience.APP),
    Route("GET", "/orgs/{account}/installation", get_account_installation, audience=Audience.APP),
    Route("GET", "/users/{account}/installation", get_account_installation, audience=Audience.APP),
    Route("DELETE", "/installation/token", revoke_token, audience=Audience.INSTALLATION),
    Route("GET", "/installation/repositories", list_token_repositories, audience=Audience.INSTALLATION),
]
