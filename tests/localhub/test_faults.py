"""GitHub's bad days."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from tests.localhub.conftest import Company

COMMENTS = "/repos/acme/shop/issues/1/comments"


async def test_a_server_error_once(company: Company) -> None:
    token = await company.token()
    fault = company.hub.faults.add("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", status=502)
    assert (await company.api("POST", COMMENTS, token, {"body": "x"}))[0] == 502
    assert (await company.api("POST", COMMENTS, token, {"body": "x"}))[0] == 201
    assert (fault.hits, len(company.hub.issue_thread(company.issue))) == (1, 1)


async def test_a_reply_lost_after_the_write(company: Company) -> None:
    token = await company.token()
    company.hub.faults.add("POST", "/repos/*/issues/*/comments", after_write=True)
    with pytest.raises(aiohttp.ClientError):
        await company.api("POST", COMMENTS, token, {"body": "x"})
    assert len(company.hub.issue_thread(company.issue)) == 1
    assert company.hub.requests[-1].status == 0
    company.hub.faults.add("POST", "/repos/*/issues/*/comments", status=502, after_write=True)
    assert (await company.api("POST", COMMENTS, token, {"body": "y"}))[0] == 502
    assert len(company.hub.issue_thread(company.issue)) == 2


async def test_a_connection_cut_before_the_write_and_a_late_answer(company: Company) -> None:
    token = await company.token()
    company.hub.faults.add("POST", "/repos/*/issues/*/comments")
    with pytest.raises(aiohttp.ClientError):
        await company.api("POST", COMMENTS, token, {"body": "x"})
    assert company.hub.issue_thread(company.issue) == []
    company.hub.faults.add("GET", "*", delay=0.2)
    started = time.monotonic()
    assert (await company.api("GET", COMMENTS, token))[0] == 200
    assert time.monotonic() - started >= 0.2


async def test_what_is_fresh_is_not_seen_at_once(company: Company) -> None:
    token = await company.token()
    company.hub.faults.lag(0.3)
    late = await company.token()
    assert (await company.api("GET", COMMENTS, late))[0] == 401
    await asyncio.sleep(0.35)
    _, body, _ = await company.api("POST", COMMENTS, token, {"body": "x"})
    path = f"/repos/acme/shop/issues/comments/{body['id']}"
    assert (await company.api("GET", path, token))[0] == 404
    assert (await company.api("GET", COMMENTS, token))[1] == []
    await asyncio.sleep(0.35)
    assert (await company.api("GET", path, token))[0] == 200


@pytest.mark.parametrize("status", [403, 429])
async def test_a_secondary_limit_and_who_ignores_it(company: Company, status: int) -> None:
    token = await company.token()
    window = company.hub.faults.rate_limit(seconds=1.0, pattern="/repos/*", status=status)
    found, body, headers = await company.api("GET", COMMENTS, token)
    assert (found, headers["Retry-After"]) == (status, "1")
    assert "secondary rate limit" in body["message"]
    assert company.hub.violations == []
    await asyncio.sleep(0.2)
    await company.api("GET", COMMENTS, token)
    assert [each.kind for each in company.hub.violations] == ["rate_limit"]
    assert window.refused == 2
    await asyncio.sleep(0.9)
    assert (await company.api("GET", COMMENTS, token))[0] == 200


async def test_a_primary_limit(company: Company) -> None:
    token = await company.token()
    company.hub.faults.rate_limit("primary", 30)
    status, body, headers = await company.api("GET", COMMENTS, token)
    assert (status, headers["X-RateLimit-Remaining"]) == (403, "0")
    assert int(headers["X-RateLimit-Reset"]) > time.time() + 25
    assert body["message"].startswith("API rate limit exceeded for")
    company.hub.faults.clear()
    assert (await company.api("GET", COMMENTS, token))[0] == 200
