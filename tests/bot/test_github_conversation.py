"""The verbs about what people see and mark: files, branches, issues, labels, reviews, and comments folded away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bot.github import graphql
from bot.github.app_auth import PERMISSIONS, Purpose
from bot.github.errors import AccessLost, NotFound, RateLimited, Refused, Unavailable
from bot.github.markers import reply_marker
from bot.github.repo_client import IssueInfo, PullRequestInfo, RepoClient
from tests.bot.github_server import APP_ID, SLUG
from tests.bot.github_world import World, github_world

MEBIBYTE = 1024 * 1024
SETTINGS = ".github/speckit.yml"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with github_world() as made:
        yield made


def pull(number: int, **changes: object) -> dict[str, object]:
    """A pull request as GitHub lists it."""
    return {
        "number": number, "html_url": f"https://github.example/acme/shop/pull/{number}", "state": "open",
        "draft": True, "merged_at": None, "title": "Invoices", "body": None, "user": {"login": f"{SLUG}[bot]"},
        "head": {"ref": "speckit/x", "sha": "b" * 40, "repo": {"id": 2}}, "base": {"ref": "main"}, **changes,
    }  # fmt: skip


# The token of each verb

VERBS: dict[str, tuple[Callable[[RepoClient], Awaitable[object]], Purpose]] = {
    "file": (lambda repo: repo.file(SETTINGS), Purpose.READ),
    "branch_names": (lambda repo: repo.branch_names(), Purpose.READ),
    "issue": (lambda repo: repo.issue(7), Purpose.READ_CONVERSATION),
    "pull_request": (lambda repo: repo.pull_request(12), Purpose.READ_CONVERSATION),
    "open_pull_requests": (lambda repo: repo.open_pull_requests(), Purpose.READ_CONVERSATION),
    "pull_request_files": (lambda repo: repo.pull_request_files(12), Purpose.READ_CONVERSATION),
    "update_pull_request": (lambda repo: repo.update_pull_request(12, title="t"), Purpose.PULL_REQUEST),
    "request_reviewers": (lambda repo: repo.request_reviewers(12, ["bob"], []), Purpose.PULL_REQUEST),
    "add_labels": (lambda repo: repo.add_labels(7, ["spec"]), Purpose.REPORT),
    "remove_label": (lambda repo: repo.remove_label(7, "spec"), Purpose.REPORT),
    "add_assignees": (lambda repo: repo.add_assignees(7, ["bob"]), Purpose.REPORT),
    "reply_to_review_comment": (lambda repo: repo.reply_to_review_comment(12, 1, "x"), Purpose.REPORT),
    "react_to_review_comment": (lambda repo: repo.react_to_review_comment(1, "eyes"), Purpose.REPORT),
    "minimize_comment": (lambda repo: repo.minimize_comment("IC_900"), Purpose.REPORT),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_each_verb_has_the_least_token(world: World, verb: str) -> None:
    world.server.pulls.append(pull(12))
    world.server.issues[7] = {"number": 7}
    world.server.add_comment(7, "x", app_id=APP_ID, login="x")
    world.server.labels[7] = {"spec"}
    world.server.files["", SETTINGS] = b"x"
    call, purpose = VERBS[verb]
    await call(world.repo)
    (granted,) = world.server.tokens.values()
    assert granted == {"installation": 1, "repository_ids": [2], "permissions": dict(PERMISSIONS[purpose])}


# Files and branches


async def test_a_file_is_read_from_the_default_branch_or_from_where_it_is_said(world: World) -> None:
    world.server.files["", SETTINGS] = b"agent: codex\n" * 100
    world.server.files["b" * 40, "specs/001-\u00fc #?%/spec.md"] = "Gr\u00fc\u00dfe".encode()
    world.server.files["", "empty"] = b""
    assert await world.repo.file(SETTINGS) == b"agent: codex\n" * 100
    assert await world.repo.file("specs/001-\u00fc #?%/spec.md", "b" * 40) == "Gr\u00fc\u00dfe".encode()
    assert await world.repo.file("empty") == b""


async def test_a_file_that_is_not_there_is_none_at_once(world: World) -> None:
    assert await world.repo.file(SETTINGS) is None
    assert world.clock.slept == [], "a new token is proved, not waited for"
    asked = len(world.server.seen)
    assert await world.repo.file(SETTINGS, "elsewhere") is None
    assert len(world.server.seen) == asked + 1, "a token that worked is believed"


async def test_a_file_behind_a_token_that_has_not_arrived_yet_is_found(world: World) -> None:
    world.server.files["", SETTINGS] = b"x"
    world.server.fail("GET", "/shop", status=404, body={"message": "Not Found"}, times=3)
    assert await world.repo.file(SETTINGS) == b"x"
    assert world.clock.slept == [3.0, 10.0]


@pytest.mark.parametrize("path", ["..", "../x", "specs/../../y", "./x", ".", ""])
async def test_a_path_that_climbs_is_no_file_and_no_request(world: World, path: str) -> None:
    world.server.files["", ""] = []
    await world.repo.repository()
    asked = len(world.server.seen)
    if path:
        assert await world.repo.file(path) is None
        assert len(world.server.seen) == asked
    else:
        with pytest.raises(Refused, match="not a file"):
            await world.repo.file(path)


@pytest.mark.parametrize(
    "answer",
    [
        [{"type": "file", "name": "a"}],
        {"type": "symlink", "target": "/etc/passwd"},
        {"type": "submodule"},
        {"type": "file", "encoding": "none", "content": "", "size": MEBIBYTE + 1},
        {"type": "file"},
    ],
)
async def test_what_is_no_readable_file_is_refused(world: World, answer: dict[str, object]) -> None:
    world.server.files["", "x"] = answer
    with pytest.raises(Refused, match="reading x of acme/shop"):
        await world.repo.file("x")


async def test_a_mebibyte_is_a_file_and_no_more(world: World) -> None:
    world.server.files["", "x"] = bytes(MEBIBYTE)
    assert await world.repo.file("x") == bytes(MEBIBYTE)
    world.server.files["", "x"] = bytes(MEBIBYTE + 1)
    with pytest.raises(Refused, match="larger"):
        await world.repo.file("x")


async def test_content_that_is_no_base64_is_an_outage(world: World) -> None:
    world.server.files["", "x"] = {"type": "file", "encoding": "base64", "content": "a"}
    with pytest.raises(Unavailable):
        await world.repo.file("x")


async def test_branches_are_found_by_what_they_begin_with_on_any_page(world: World) -> None:
    world.server.page_size = 2
    world.server.branches = ["main", "speckit/a", "speckit/b", "speckit/c/d", "speckitten", "sp#?%\u00fc"]
    assert await world.repo.branch_names() == world.server.branches
    assert await world.repo.branch_names("speckit/") == ["speckit/a", "speckit/b", "speckit/c/d"]
    assert await world.repo.branch_names("sp#?%") == ["sp#?%\u00fc"]
    with pytest.raises(NotFound):
        await world.repo.branch_names("../../issues")


async def test_a_file_of_the_whole_organization(world: World) -> None:
    assert await world.github.org_file(1, "acme", "speckit.yml") is None, "no such repository, or not for us"
    world.server.org_files = {"speckit.yml": b"agent: codex"}
    assert await world.github.org_file(1, "acme", "speckit.yml") == b"agent: codex"
    assert await world.github.org_file(1, "acme", "other.yml") is None
    assert world.clock.slept == []
    scope = {"repositories": [".github"], "permissions": {"metadata": "read", "contents": "read"}}
    assert list(world.server.tokens.values()) == [{"installation": 1, **scope}] * 2, "nothing is kept"


async def test_an_uninstalled_app_reads_no_file_of_the_organization(world: World) -> None:
    world.server.fail("POST", "access_tokens", status=404, body={"message": "Not Found"})
    assert await world.github.org_file(1, "acme", "speckit.yml") is None
    world.server.fail("POST", "access_tokens", status=403, body={"message": "This installation has been suspended"})
    with pytest.raises(AccessLost):
        await world.github.org_file(1, "acme", "speckit.yml")


# Issues and pull requests


async def test_an_issue_is_read_as_it_is_now(world: World) -> None:
    world.server.issues[7] = {
        "number": 7, "title": "Invoices", "body": "Please.", "state": "closed", "locked": True,
        "labels": [{"name": "spec"}, {"name": "Grün: ja"}], "pull_request": None,
    }  # fmt: skip
    labels = ("spec", "Grün: ja")
    assert await world.repo.issue(7) == IssueInfo(7, "Invoices", "Please.", "closed", True, labels, False)
    world.server.issues[12] = {"number": 12, "title": "", "body": None, "state": "open", "pull_request": {"url": "u"}}
    assert await world.repo.issue(12) == IssueInfo(12, "", "", "open", False, (), True)
    with pytest.raises(NotFound, match="reading issue acme/shop#8"):
        await world.repo.issue(8)


async def test_a_pull_request_is_read_as_it_is_now(world: World) -> None:
    world.server.pulls.append(pull(12, body="text", state="closed", merged_at="2026-11-22T10:00:00Z"))
    assert await world.repo.pull_request(12) == PullRequestInfo(
        number=12, url="https://github.example/acme/shop/pull/12", state="closed", draft=True, merged=True,
        title="Invoices", body="text", head_branch="speckit/x", head_sha="b" * 40, head_repository_id=2,
        base_branch="main", author=f"{SLUG}[bot]", is_ours=True,
    )  # fmt: skip
    with pytest.raises(NotFound):
        await world.repo.pull_request(13)


async def test_pull_requests_of_others_and_of_nobody(world: World) -> None:
    world.server.pulls.append(pull(5, user={"login": "mallory"}, head={"ref": "speckit/x", "repo": {"id": 77}}))
    world.server.pulls.append(pull(6, user=None, head={"ref": "x", "repo": None}, draft=False))
    theirs, orphan = await world.repo.pull_request(5), await world.repo.pull_request(6)
    assert (theirs.author, theirs.is_ours, theirs.head_repository_id, theirs.merged) == ("mallory", False, 77, False)
    assert (orphan.author, orphan.is_ours, orphan.head_repository_id, orphan.draft) == (None, False, None, False)


async def test_open_pull_requests_on_any_page(world: World) -> None:
    world.server.page_size = 2
    world.server.pulls += [pull(number, state="closed" if number == 3 else "open") for number in range(1, 7)]
    assert [each.number for each in await world.repo.open_pull_requests()] == [1, 2, 4, 5, 6]


async def test_files_of_a_pull_request_on_any_page_up_to_a_bound(world: World) -> None:
    world.server.page_size = 2
    world.server.pull_files[12] = [f"specs/{number}" for number in range(5)]
    assert await world.repo.pull_request_files(12) == world.server.pull_files[12]
    world.server.pull_files[12] = [f"specs/{number}" for number in range(100)]
    assert len(await world.repo.pull_request_files(12)) == 60, "30 pages"


async def test_only_what_is_given_is_rewritten(world: World) -> None:
    world.server.pulls.append(pull(12, body="old"))
    await world.repo.update_pull_request(12, body="new")
    await world.repo.update_pull_request(12, title="Other")
    asked = len(world.server.seen)
    await world.repo.update_pull_request(12)
    assert len(world.server.seen) == asked
    assert (world.server.pulls[0]["title"], world.server.pulls[0]["body"]) == ("Other", "new")


async def test_labels_and_assignees_can_be_repeated(world: World) -> None:
    for _ in range(2):
        await world.repo.add_labels(7, ["spec", "speckit:specify"])
        await world.repo.add_assignees(7, ["bob"])
        await world.repo.remove_label(7, "speckit:specify")
    await world.repo.add_labels(7, ["kind/\u00fc 100%"])
    await world.repo.remove_label(7, "kind/\u00fc 100%")
    asked = len(world.server.seen)
    await world.repo.add_labels(7, [])
    await world.repo.add_assignees(7, [])
    assert len(world.server.seen) == asked
    assert (world.server.labels[7], world.server.assignees[7]) == ({"spec"}, {"bob"})


async def test_a_label_that_is_off_already_is_no_trouble(world: World) -> None:
    await world.repo.remove_label(7, "speckit:specify")
    assert world.clock.slept == []


@pytest.mark.parametrize("label", ["..", ".", ""])
async def test_no_label_takes_off_all_labels(world: World, label: str) -> None:
    await world.repo.remove_label(7, label)
    assert world.server.requests("DELETE", "") == []


async def test_who_cannot_review_is_told(world: World) -> None:
    await world.repo.request_reviewers(12, ["bob"], ["owners"])
    await world.repo.request_reviewers(12, [], [])
    with pytest.raises(Refused) as error:
        await world.repo.request_reviewers(12, ["stranger"], [])
    assert error.value.mentions("only be requested from collaborators")
    assert world.server.reviewers == {12: ["bob", "owners"]}


# Review comments


@pytest.mark.parametrize("fault", [{"status": 502}, {"cut": True}])
@pytest.mark.parametrize("after_write", [False, True])
async def test_a_reply_in_a_thread_is_there_once(world: World, fault: dict[str, object], after_write: bool) -> None:
    body = f"Done in 1234567\n\n{reply_marker('d1')}"
    world.server.review_comments.append({"id": 1, "pull": 12, "body": body, "user": {"login": "mallory"}})
    world.server.fail("POST", "/replies$", after_write=after_write, **fault)
    made = await world.repo.reply_to_review_comment(12, 41, body)
    (reply,) = world.server.review_comments[1:]
    assert (reply["id"], reply["in_reply_to_id"], reply["body"]) == (made.id, 41, body)
    assert (made.body, made.node_id) == (body, reply["node_id"])


async def test_a_comment_on_a_line_gets_its_own_reaction(world: World) -> None:
    await world.repo.react_to_review_comment(41, "eyes")
    assert (world.server.review_reactions, world.server.reactions) == ([(41, "eyes")], [])


# Comments folded away


async def test_a_comment_is_folded_away(world: World) -> None:
    comment = await world.repo.comment(7, "outdated")
    for _ in range(2):
        await world.repo.minimize_comment(comment.node_id)
    assert world.server.minimized == [comment.node_id] * 2


async def test_a_comment_that_is_gone_is_not_found_although_graphql_answers_200(world: World) -> None:
    await world.repo.comment(7, "x")
    with pytest.raises(NotFound, match="minimizing comment IC_1 of acme/shop: Could not resolve to a node"):
        await world.repo.minimize_comment("IC_1")
    assert world.clock.slept == []


def graphql_error(said: str, **more: object) -> dict[str, object]:
    return {"status": 200, "body": {"data": None, "errors": [{"message": said, **more}]}}


async def test_what_graphql_refuses_is_told_apart(world: World) -> None:
    comment = await world.repo.comment(7, "x")
    refusals: list[tuple[dict[str, object], type[Exception]]] = [
        (graphql_error("Resource not accessible by integration", type="FORBIDDEN"), AccessLost),
        (graphql_error("Field 'x' doesn't exist", extensions={"code": "undefinedField"}), Refused),
        (graphql_error("was submitted too quickly", type="UNPROCESSABLE"), Refused),
        ({"status": 200, "body": {"errors": ["odd"]}}, Refused),
        ({"status": 200, "body": {"errors": "odd"}}, Refused),
    ]
    for answer, kind in refusals:
        world.server.fail("POST", "/graphql$", **answer)
        with pytest.raises(kind, match="minimizing comment"):
            await world.repo.minimize_comment(comment.node_id)
    assert world.server.minimized == []


async def test_what_broke_inside_graphql_is_tried_again(world: World) -> None:
    comment = await world.repo.comment(7, "x")
    world.server.fail("POST", "/graphql$", **graphql_error("Something went wrong while executing your query."))
    await world.repo.minimize_comment(comment.node_id)
    assert world.clock.slept == [0.5]
    assert world.server.minimized == [comment.node_id]


async def test_graphqls_rate_limit_closes_the_gate_for_all(world: World) -> None:
    comment = await world.repo.comment(7, "x")
    limited = graphql_error("API rate limit exceeded for installation", type="RATE_LIMITED")
    world.server.fail("POST", "/graphql$", headers={"Retry-After": "40"}, **limited)
    began = world.clock.now()
    await world.repo.minimize_comment(comment.node_id)
    assert world.clock.now() >= began + 40
    world.server.fail("POST", "/graphql$", headers={"Retry-After": "4000"}, **limited)
    with pytest.raises(RateLimited):
        await world.repo.minimize_comment(comment.node_id)
    asked = len(world.server.seen)
    with pytest.raises(RateLimited):
        await world.repo.edit_comment(comment.id, "y")
    assert len(world.server.seen) == asked


@pytest.mark.parametrize(
    ("api_url", "expected"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://api.github.com/", "https://api.github.com/graphql"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com/graphql"),
        ("https://github.acme.example/api/v3", "https://github.acme.example/api/graphql"),
        ("https://github.acme.example/api/v3/", "https://github.acme.example/api/graphql"),
    ],
)
def test_graphql_is_where_each_github_has_it(api_url: str, expected: str) -> None:
    assert graphql.endpoint(api_url) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b'{"data": {}}', b'{"errors": []}'])
def test_an_answer_without_errors_stays_as_it_is(body: bytes) -> None:
    assert graphql.as_rest(body) == (200, body)


def test_an_error_becomes_what_rest_would_have_said() -> None:
    status, body = graphql.as_rest(json.dumps({"errors": [{"type": "NOT_FOUND", "message": "gone"}]}).encode())
    assert (status, json.loads(body)) == (404, {"message": "gone"})
