"""Apps: JWTs, installations, tokens and how far they reach."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.localhub.conftest import Company


async def test_an_app_sees_itself_and_its_installations(company: Company) -> None:
    status, body, headers = await company.api("GET", "/app", company.jwt())
    assert (status, body["slug"], body["permissions"]["checks"]) == (200, "speckit-bot", "write")
    assert body["events"] == ["issue_comment"]
    assert {"X-GitHub-Request-Id", "X-RateLimit-Remaining", "Date"} <= headers.keys()
    status, body, _ = await company.api("GET", "/repos/acme/shop/installation", company.jwt())
    assert (status, body["id"], body["app_id"]) == (200, company.installation, company.app.id)
    status, body, _ = await company.api("GET", "/app/installations", company.jwt())
    assert [each["id"] for each in body] == [company.installation]


@pytest.mark.parametrize(
    ("claims", "status", "word"),
    [
        ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 4000}, 401, "'Issued at'"),
        ({"iat": "yesterday"}, 401, "'Issued at'"),
        ({"exp": int(time.time()) - 1}, 401, "must be a numeric value"),
        ({"exp": int(time.time()) + 7200}, 401, "too far in the future"),
        ({"iss": "1"}, 404, "Integration not found"),
    ],
)
async def test_a_wrong_jwt_is_refused_in_githubs_words(
    company: Company, claims: dict[str, Any], status: int, word: str
) -> None:
    if "iat" in claims and isinstance(claims["iat"], str):
        token = jwt.encode({"iss": str(company.app.id), "exp": int(time.time()) + 60}, company.key_pem, "RS256")
    else:
        token = company.jwt(**claims)
    found, body, _ = await company.api("GET", "/app", token)
    assert found == status
    assert word in body["message"]


async def test_another_key_or_algorithm_cannot_sign(company: Company) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    claims = {"iat": int(time.time()) - 60, "exp": int(time.time()) + 60, "iss": str(company.app.id)}
    for token in (jwt.encode(claims, pem, "RS256"), jwt.encode(claims, "", "none")):
        status, body, _ = await company.api("GET", "/app", token)
        assert (status, body["message"]) == (401, "A JSON web token could not be decoded")


def test_a_manifest_must_ask_for_the_permissions_of_its_events(company: Company) -> None:
    manifest = {"default_permissions": {"issues": "read"}, "default_events": ["issues", "check_run", "push"]}
    with pytest.raises(ValueError, match="not supported by permissions: check_run, push"):
        company.hub.register_app("deaf", manifest, webhook_url="", webhook_secret="", public_key_pem="")


async def test_a_clock_that_is_wrong_shows(company: Company) -> None:
    company.hub.faults.clock_skew = -600
    status, body, _ = await company.api("GET", "/app", company.jwt())
    assert (status, "'Issued at'" in body["message"]) == (401, True)


async def test_a_token_is_narrowed_and_enforced(company: Company) -> None:
    token = await company.token(company.shop, issues="read", contents="read")
    assert token.startswith("ghs_")
    assert 480 < len(token) < 560
    assert "." in token
    assert (await company.api("GET", "/repos/acme/shop/issues/1", token))[0] == 200
    status, body, headers = await company.api("POST", "/repos/acme/shop/issues/1/comments", token, {"body": "hi"})
    assert (status, body["message"]) == (403, "Resource not accessible by integration")
    assert headers["X-Accepted-GitHub-Permissions"] == "issues=write; pull_requests=write"
    assert [each.kind for each in company.hub.violations] == ["permission"]
    status, _, _ = await company.api("GET", "/repos/acme/vault", token)
    assert status == 404
    assert [each.kind for each in company.hub.violations] == ["permission", "scope"]


async def test_a_token_cannot_be_wider_than_the_installation(company: Company) -> None:
    path = f"/app/installations/{company.installation}/access_tokens"
    status, body, _ = await company.api("POST", path, company.jwt(), {"permissions": {"workflows": "write"}})
    assert (status, body["message"]) == (422, "The permissions requested are not granted to this installation.")
    status, body, _ = await company.api("POST", path, company.jwt(), {"repositories": ["elsewhere"]})
    assert (status, "not accessible to the parent installation" in body["message"]) == (422, True)


async def test_a_permission_the_manifest_does_not_ask_for_is_refused(company: Company) -> None:
    token = await company.token()
    status, _, _ = await company.api("PATCH", "/repos/acme/shop", token, {"archived": True})
    assert status == 403
    assert company.hub.violations[0].kind == "permission"
    assert not company.shop.archived


async def test_tokens_end(company: Company) -> None:
    token = await company.token()
    status, body, _ = await company.api("GET", "/installation/repositories", token)
    assert (status, body["total_count"]) == (200, 2)
    assert (await company.api("DELETE", "/installation/token", token))[0] == 204
    assert (await company.api("GET", "/repos/acme/shop", token))[0] == 401
    token = await company.token()
    company.hub.faults.clock_skew = 3601
    status, body, _ = await company.api("GET", "/repos/acme/shop", token)
    assert (status, body["message"]) == (401, "Bad credentials")


async def test_suspended_and_uninstalled(company: Company) -> None:
    token = await company.token()
    path = f"/app/installations/{company.installation}/access_tokens"
    company.hub.suspend(company.installation)
    assert (await company.api("GET", "/repos/acme/shop", token))[0] == 403
    assert (await company.api("POST", path, company.jwt()))[0] == 403
    company.hub.suspend(company.installation, False)
    assert (await company.api("GET", "/repos/acme/shop", token))[0] == 200
    company.hub.uninstall(company.installation)
    assert (await company.api("GET", "/repos/acme/shop", token))[0] == 401
    assert (await company.api("POST", path, company.jwt()))[0] == 404
    assert (await company.api("GET", "/repos/acme/shop/installation", company.jwt()))[0] == 404
    await company.hub.settle()
    assert [each["action"] for each in company.receiver.events("installation")] == ["suspend", "unsuspend", "deleted"]


async def test_an_unknown_route_is_remembered(company: Company) -> None:
    status, body, _ = await company.api("GET", "/repos/acme/shop/moods", await company.token())
    assert (status, body["message"], body["status"]) == (404, "Not Found", "404")
    assert company.hub.unknown_routes == ["GET /repos/acme/shop/moods"]
    assert company.hub.requests[-1].route == ""


async def test_the_log_tells_who_asked_with_what(company: Company) -> None:
    token = await company.token(company.shop, issues="write")
    await company.api("POST", "/repos/acme/shop/issues/1/comments", token, {"body": "hi"})
    record = company.hub.requests[-1]
    assert record.route == "/repos/{owner}/{repo}/issues/{issue_number}/comments"
    assert (record.method, record.status, record.actor) == ("POST", 201, "speckit-bot[bot]")
    assert record.token_permissions == {"metadata": "read", "issues": "write"}
    assert record.token_repository_ids == (company.shop.id,)
    assert record.is_write
    assert record.sent == {"body": "hi"}
