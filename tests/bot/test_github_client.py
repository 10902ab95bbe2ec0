"""The client against a server that behaves, and misbehaves, like GitHub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.github.app_auth import PERMISSIONS, AppAuth, Purpose
from bot.github.errors import AccessLost, Locked, NotFound, RateLimited, Refused, Unavailable
from bot.github.repo_client import GitHub
from db.vocabulary import ErrorCode
from tests.bot.github_server import APP_ID, SLUG
from tests.bot.github_world import PRIVATE_KEY, World, github_world

COMMENTS = "/issues/7/comments$"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with github_world() as made:
        yield made


# Tokens


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_token_is_for_one_repository_and_one_purpose(world: World, purpose: Purpose) -> None:
    token = await world.auth.token(1, 2, purpose)
    granted = {"installation": 1, "repository_ids": [2], "permissions": dict(PERMISSIONS[purpose])}
    assert world.server.tokens == {token: granted}


async def test_no_purpose_may_do_more_than_it_needs() -> None:
    writes = {
        purpose: {name for name, level in PERMISSIONS[purpose].items() if level == "write"} for purpose in Purpose
    }
    assert writes == {
        Purpose.READ: set(),
        Purpose.READ_CONVERSATION: set(),
        Purpose.REPORT: {"issues", "pull_requests", "checks"},
        Purpose.CLONE: set(),
        Purpose.PUSH: {"contents"},
        Purpose.PULL_REQUEST: {"pull_requests"},
    }


async def test_a_token_is_minted_once_for_everybody_and_again_before_it_expires(world: World) -> None:
    tokens = await asyncio.gather(*(world.auth.token(1, 2, Purpose.READ) for _ in range(20)))
    assert len(set(tokens)) == 1
    await world.clock.sleep(54 * 60)
    assert await world.auth.token(1, 2, Purpose.READ) == tokens[0]
    await world.clock.sleep(2 * 60)
    assert await world.auth.token(1, 2, Purpose.READ) != tokens[0]
    assert len(world.server.tokens) == 2


@pytest.mark.parametrize("ahead", [-2400.0, -240.0, 240.0, 2400.0])
async def test_a_wrong_clock_of_ours_is_corrected_by_githubs_date(world: World, ahead: float) -> None:
    world.server.clock_ahead = ahead
    token = await world.auth.token(1, 2, Purpose.READ)
    await world.clock.sleep(54 * 60)
    assert await world.auth.token(1, 2, Purpose.READ) == token
    info = await world.auth.app()
    assert abs(info.server_date.timestamp() - world.server.now().timestamp()) < 1.5


async def test_the_slug_is_asked_once_and_then_known(world: World) -> None:
    assert world.auth.known_slug is None
    assert (await world.auth.app_slug(), await world.auth.bot_login()) == (SLUG, f"{SLUG}[bot]")
    assert world.auth.known_slug == SLUG
    assert len(world.server.requests("GET", "^/app$")) == 1


async def test_app_info(world: World) -> None:
    info = await world.auth.app()
    assert (info.id, info.slug, info.permissions, info.events) == (
        APP_ID,
        SLUG,
        {"issues": "write"},
        ("issue_comment",),
    )


async def test_an_uninstalled_app_is_access_lost_at_once(world: World) -> None:
    world.server.fail("POST", "access_tokens", status=404, body={"message": "Not Found"}, times=99)
    with pytest.raises(AccessLost) as error:
        await world.repo.repository()
    assert error.value.code == ErrorCode.GITHUB_ACCESS_LOST
    assert not error.value.transient
    assert world.clock.slept == []


async def test_a_suspended_or_narrowed_installation_is_access_lost(world: World) -> None:
    for status, said in ((403, "This installation has been suspended"), (422, "not accessible to the parent")):
        world.server.fail("POST", "access_tokens", status=status, body={"message": said})
        with pytest.raises(AccessLost, match=said):
            await world.repo.repository()


async def test_a_wrong_key_is_told(world: World) -> None:
    auth = AppAuth(world.http, app_id=APP_ID, private_key="nonsense", api_url=world.server.url)
    with pytest.raises(AccessLost, match="private key"):
        await auth.app()


async def test_a_refused_token_is_minted_again_once(world: World) -> None:
    await world.repo.repository()
    world.server.fail("GET", "/shop$", status=401, body={"message": "Bad credentials"})
    assert (await world.repo.repository()).slug == "acme/shop"
    assert len(world.server.tokens) == 2
    assert world.clock.slept == []


async def test_a_token_that_is_refused_for_ever_ends_the_tries(world: World) -> None:
    world.server.fail("GET", "/shop$", status=401, body={"message": "Bad credentials"}, times=99)
    with pytest.raises(AccessLost):
        await world.repo.repository()
    assert len(world.server.tokens) == 2
    assert world.clock.slept == [3.0, 10.0, 30.0]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_fresh_token_may_need_some_seconds_to_arrive(world: World, status: int) -> None:
    world.server.fail("GET", "/shop$", status=status, body={"message": "Not Found"}, times=2)
    assert (await world.repo.repository()).slug == "acme/shop"
    assert world.clock.slept == [3.0, 10.0]


async def test_a_token_that_worked_is_believed_at_once(world: World) -> None:
    await world.repo.repository()
    world.server.fail("GET", "/shop$", status=404, body={"message": "Not Found"}, times=99)
    with pytest.raises(NotFound):
        await world.repo.repository()
    assert world.clock.slept == []


# Trouble


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_transient_errors_are_tried_again_with_growing_pauses(world: World, status: int) -> None:
    world.server.fail("GET", "/shop$", status=status, times=4)
    assert (await world.repo.repository()).default_branch == "main"
    assert world.clock.slept == [0.5, 1.0, 2.0, 4.0]


async def test_an_outage_ends_in_a_transient_error(world: World) -> None:
    world.server.fail("GET", "/shop$", cut=True, times=99)
    with pytest.raises(Unavailable) as error:
        await world.repo.repository()
    assert error.value.transient
    assert len(world.clock.slept) == 4


async def test_nobody_listening_is_unavailable(world: World) -> None:
    github = GitHub(world.http, world.auth, "http://127.0.0.1:9", timing=world.clock.timing)
    with pytest.raises(Unavailable, match="connection"):
        await github.repo(1, 2, "acme/shop").repository()


async def test_an_answer_that_is_no_json_is_unavailable(world: World) -> None:
    async def html(_request: web.Request) -> web.Response:
        return web.Response(text="<html>proxy</html>", content_type="application/json")

    app = web.Application()
    app.router.add_get("/repos/acme/shop", html)
    proxy = TestServer(app)
    await proxy.start_server()
    github = GitHub(world.http, world.auth, str(proxy.make_url("")).rstrip("/"), timing=world.clock.timing)
    with pytest.raises(Unavailable, match="could not be read"):
        await github.repo(1, 2, "acme/shop").repository()
    await proxy.close()


async def test_refusals_are_told_apart(world: World) -> None:
    await world.repo.comment(7, "first")
    cases = [
        (410, "This issue was deleted", NotFound),
        (403, "Unable to create comment because issue is locked.", Locked),
        (403, "Repository was archived so is read-only.", Locked),
        (403, "Resource not accessible by integration", AccessLost),
        (422, "Validation Failed", Refused),
    ]
    for status, said, kind in cases:
        world.server.fail("POST", COMMENTS, status=status, body={"message": said})
        with pytest.raises(kind, match=f"commenting on acme/shop#7: {said}"):
            await world.repo.comment(7, "x")


async def test_details_of_a_refusal_are_kept(world: World) -> None:
    errors = [{"resource": "Issue", "field": "body", "code": "invalid"}, {"message": "too long"}, "odd"]
    world.server.fail("POST", COMMENTS, status=422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(Refused) as error:
        await world.repo.comment(7, "x")
    assert error.value.details == ("body: invalid", "too long", "odd")
    assert error.value.mentions("TOO LONG")


# Rate limits


async def test_nothing_is_sent_while_github_says_wait(world: World) -> None:
    world.server.fail("GET", "/shop$", status=403, headers={"Retry-After": "40"}, body={"message": "slow down"})
    began = world.clock.now()
    world.clock.held = asyncio.Event()
    calls: list[asyncio.Task[object]] = [asyncio.create_task(world.repo.repository())]
    while not world.clock.slept:
        await asyncio.sleep(0.001)
    refused = world.server.seen[-1]
    assert refused.path.endswith("/shop")
    # The refusal is known now; whoever comes while it holds waits as well.
    calls += [asyncio.create_task(world.repo.permission_of("bob")), asyncio.create_task(world.repo.comment(7, "x"))]
    while len(world.clock.slept) < 3:
        await asyncio.sleep(0.001)
    assert [seen for seen in world.server.seen if "/repos/" in seen.path][-1] is refused
    world.clock.held.set()
    await asyncio.gather(*calls)
    later = [seen.at for seen in world.server.seen[world.server.seen.index(refused) + 1 :] if "/repos/" in seen.path]
    assert later
    assert min(later) >= began + 40


async def test_an_emptied_budget_closes_the_gate_until_it_is_filled(world: World) -> None:
    reset = str(int(world.clock.now()) + 30)
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    world.server.fail(
        "GET",
        "/shop$",
        status=200,
        headers=headers,
        body={
            "full_name": "acme/shop",
            "default_branch": "main",
            "private": False,
            "html_url": "https://h.example/acme/shop",
        },
    )
    await world.repo.repository()
    before = world.clock.now()
    await world.repo.repository()
    assert world.clock.now() >= before + 30
    world.server.fail("GET", "/shop$", status=403, headers=headers, body={"message": "API rate limit exceeded"})
    await world.repo.repository()


async def test_a_secondary_limit_without_a_time_waits_a_minute_and_grows(world: World) -> None:
    limited = {"message": "You have exceeded a secondary rate limit"}
    world.server.fail("GET", "/shop$", status=403, body=limited)
    await world.repo.repository()
    assert world.clock.slept == [60.0]
    world.server.fail("GET", "/shop$", status=429, body=limited, times=2)
    with pytest.raises(RateLimited) as error:
        await world.repo.repository()
    assert error.value.transient
    assert error.value.retry_after == pytest.approx(120, abs=1)


async def test_a_long_wait_is_an_error_and_costs_no_request(world: World) -> None:
    world.server.fail("GET", "/shop$", status=429, headers={"Retry-After": "3000"}, body={"message": "wait"})
    for _ in range(3):
        with pytest.raises(RateLimited):
            await world.repo.repository()
    assert len(world.server.requests("GET", "/shop$")) == 1
    assert (await world.github.repo(8, 2, "acme/shop").repository()).slug == "acme/shop", "another installation"


async def test_new_content_keeps_to_eighty_a_minute_and_leaves_some_for_last_words(world: World) -> None:
    began = world.clock.now()
    for number in range(70):
        await world.repo.comment(7, f"x {number}")
    assert world.clock.now() == began, "a burst is allowed"
    edited = await seed(world)
    for _ in range(100):
        await world.repo.edit_comment(int(str(edited["id"])), "x")
    assert world.clock.now() == began, "an edit makes nothing new"
    with pytest.raises(RateLimited):
        await world.repo.react(900, "eyes")
    assert world.clock.now() == began, "a nicety does not wait, and nothing waits for it"
    await world.github.repo(1, 2, "acme/shop", final=True).react(900, "rocket")
    assert world.clock.now() == began, "last words do not wait"
    await world.repo.comment(7, "x")
    assert world.clock.now() >= began + 60
    times = [seen.at for seen in world.server.seen if seen.method == "POST" and "access_tokens" not in seen.path]
    assert all(sum(1 for other in times if at <= other < at + 60) <= 80 for at in times)


async def seed(world: World) -> dict[str, object]:
    return world.server.add_comment(7, "x", app_id=APP_ID, login="x")


# Hosts


async def test_no_token_follows_a_redirect_to_another_host(world: World) -> None:
    heard: list[str | None] = []

    async def listen(request: web.Request) -> web.Response:
        heard.append(request.headers.get("authorization"))
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listen)
    other = TestServer(app)
    await other.start_server()
    for status in (301, 302, 307, 308):
        target = str(other.make_url("/stolen"))
        world.server.fail("GET", "/shop$", status=status, headers={"Location": target})
        with pytest.raises(Refused, match="another host"):
            await world.repo.repository()
    assert heard == []
    await other.close()


async def test_a_renamed_repository_is_followed_on_the_same_host(world: World) -> None:
    old = world.github.repo(1, 2, "acme/old")
    world.server.fail("GET", "/acme/old$", status=301, headers={"Location": f"{world.server.url}/repos/acme/shop"})
    assert (await old.repository()).slug == "acme/shop"
    target = f"{world.server.url}/repos/acme/shop/issues/7/comments"
    world.server.fail("POST", "/acme/old/issues/7", status=307, headers={"Location": target})
    await old.comment(7, "still heard")
    assert [comment["body"] for comment in world.server.comments] == ["still heard"]


async def test_redirects_end(world: World) -> None:
    world.server.fail("GET", "/shop$", status=302, headers={"Location": "/repos/acme/shop"}, times=99)
    with pytest.raises(Refused, match="more than 3 times"):
        await world.repo.repository()


async def test_a_silent_server_is_given_up(world: World) -> None:
    async def silence(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    app = web.Application()
    app.router.add_get("/repos/acme/shop", silence)
    quiet = TestServer(app)
    await quiet.start_server()
    impatient = replace(world.clock.timing, longest_call=0.05)
    github = GitHub(world.http, world.auth, str(quiet.make_url("")).rstrip("/"), timing=impatient)
    with pytest.raises(Unavailable, match="did not answer in time"):
        await github.repo(1, 2, "acme/shop").repository()
    await quiet.close()


async def test_no_token_in_any_error_or_representation(world: World) -> None:
    world.server.fail("GET", "/shop$", status=422, body={"message": "no"})
    with pytest.raises(Refused) as error:
        await world.repo.repository()
    assert not any(minted in f"{error.value!r} {error.value.__cause__!r}" for minted in world.server.tokens)
    assert PRIVATE_KEY not in repr(vars(world.github))
