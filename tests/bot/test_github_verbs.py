"""The verbs that runs live from: permissions, comments, check runs, pull requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.github.errors import Unavailable
from bot.github.markers import marker_in, reply_marker
from tests.bot.github_server import APP_ID, SLUG
from tests.bot.github_world import World, github_world

COMMENTS = "/issues/7/comments$"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with github_world() as made:
        yield made


@pytest.mark.parametrize(
    ("permission", "role_name", "expected"),
    [
        ("admin", "admin", "admin"), ("write", "maintain", "maintain"), ("write", "write", "write"),
        ("read", "triage", "triage"), ("read", "read", "read"), ("none", "", "none"),
        ("write", "our-own-role", "write"), ("read", "our-own-role", "read"), ("odd", "odder", "none"),
    ],
)  # fmt: skip
async def test_permission(world: World, permission: str, role_name: str, expected: str) -> None:
    world.server.permissions["bob"] = (permission, role_name)
    assert await world.repo.permission_of("bob") == expected


async def test_whoever_github_does_not_know_may_nothing(world: World) -> None:
    assert await world.repo.permission_of("ghost") == "none"
    assert world.clock.slept == [], "a new token is proved, not waited for"
    world.server.fail("GET", "/permission", status=500, times=99)
    with pytest.raises(Unavailable):
        await world.repo.permission_of("bob")


async def test_repository(world: World) -> None:
    info = await world.repo.repository()
    assert (info.default_branch, info.private, info.clone_url) == (
        "main",
        False,
        "https://github.example/acme/shop.git",
    )


@pytest.mark.parametrize(
    "fault", [{"status": 502}, {"cut": True}, {"status": 502, "after_write": True}, {"cut": True, "after_write": True}]
)
async def test_a_lost_answer_leaves_one_of_everything(world: World, fault: dict[str, object]) -> None:
    body = f"Hello\n\n{reply_marker('d1')}"
    world.server.fail("POST", COMMENTS, **fault)
    world.server.fail("POST", "/check-runs$", **fault)
    world.server.fail("POST", "/pulls$", **fault)
    comment = await world.repo.comment(7, body)
    check = await world.repo.create_check_run({"head_sha": "a" * 40, "external_id": "r", "name": "n", "output": {}})
    pull = await world.repo.create_pull_request(head="speckit/x", base="main", title="t", body="b")
    assert [item["id"] for item in world.server.comments] == [comment.id]
    assert [item["id"] for item in world.server.checks] == [check]
    assert [item["number"] for item in world.server.pulls] == [pull.number]
    assert pull.draft


async def test_only_our_own_comments_are_found_again_on_any_page(world: World) -> None:
    marker = reply_marker("d1")
    world.server.page_size = 3
    for number in range(7):
        world.server.add_comment(7, f"chatter {number}", app_id=None, login="alice")
    world.server.add_comment(7, f"pasted {marker}", app_id=None, login="mallory")
    world.server.add_comment(7, f"another app {marker}", app_id=99, login="other[bot]")
    quoting = world.server.add_comment(7, f"`{marker}`\n\n{reply_marker('d2')}", app_id=APP_ID, login="x")
    assert await world.repo.find_comment(7, marker) is None
    ours = world.server.add_comment(7, f"ours {marker}", app_id=None, login=f"{SLUG}[bot]")
    found = await world.repo.find_comment(7, marker)
    assert found is not None
    assert found.id == ours["id"] != quoting["id"]
    assert len(world.server.requests("GET", COMMENTS)) == 4 + 4


async def test_reactions_can_be_repeated(world: World) -> None:
    await world.repo.react(41, "eyes")
    await world.repo.react(41, "eyes")
    assert world.server.reactions == [(41, "eyes")]


async def test_buttons_go_along_with_a_completed_check(world: World) -> None:
    button = {"label": "Retry", "description": "Do it again", "identifier": "retry"}
    fields = {"head_sha": "a" * 40, "external_id": "r", "name": "n", "output": {"title": "t", "summary": "s"}}
    check = await world.repo.create_check_run({**fields, "status": "queued"})
    await world.repo.update_check_run(check, {**fields, "status": "completed", "actions": [button]})
    assert world.server.checks[0]["actions"] == [button]


async def test_many_annotations_go_fifty_at_a_time(world: World) -> None:
    notes = [{"path": "a", "start_line": n, "end_line": n, "message": "?"} for n in range(120)]
    payload = {
        "head_sha": "a" * 40,
        "external_id": "r",
        "name": "n",
        "output": {"title": "t", "summary": "s", "annotations": notes},
    }
    await world.repo.create_check_run(payload)
    assert world.server.checks[0]["all_annotations"] == notes
    sent = [seen.body["output"]["annotations"] for seen in world.server.seen if "check-runs" in seen.path]
    assert [len(batch) for batch in sent] == [50, 50, 20]


@pytest.mark.parametrize("after_write", [False, True], ids=["before", "after"])
async def test_annotations_are_never_there_twice(world: World, after_write: bool) -> None:
    notes = [{"path": "a", "start_line": n, "end_line": n, "message": "?"} for n in range(120)]
    fields = {"head_sha": "a" * 40, "external_id": "r", "name": "n", "status": "completed"}
    payload = {**fields, "output": {"title": "t", "summary": "s", "annotations": notes}}
    check = await world.repo.create_check_run({**payload, "output": {"title": "t", "summary": "s"}})
    world.server.fail("PATCH", "/check-runs/", status=502, times=2, after_write=after_write)
    await world.repo.update_check_run(check, payload)
    await world.repo.update_check_run(check, payload)
    assert world.server.checks[0]["all_annotations"] == notes


async def test_pull_requests_of_others_are_not_ours(world: World) -> None:
    world.server.pulls.append({"number": 5, "head": {"ref": "speckit/x", "repo": {"id": 77}}, "html_url": "u"})
    world.server.pulls.append({"number": 6, "head": {"ref": "speckit/x", "repo": None}, "html_url": "u"})
    assert await world.repo.find_pull_request("speckit/x") is None
    await world.repo.comment(7, "x")
    made = {
        "number": 8,
        "state": "closed",
        "head": {"ref": "speckit/x", "repo": {"id": 2}},
        "html_url": "u",
        "body": None,
    }
    world.server.pulls.append(made)
    found = await world.repo.find_pull_request("speckit/x")
    assert found is not None
    assert (found.number, found.state, found.body) == (8, "closed", "")
    assert world.server.requests("GET", "/pulls$")[0].query == "head=acme:speckit/x&state=all&per_page=100"


def test_markers() -> None:
    assert marker_in("no marker") is None
    assert marker_in("<!-- speckit-bot:run=a -->\n<!-- speckit-bot:reply=b -->") == "<!-- speckit-bot:reply=b -->"
    assert reply_marker("x --><b>") == "<!-- speckit-bot:reply=x-----b- -->"
