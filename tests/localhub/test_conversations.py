"""Issues, comments, reactions, permissions of people, and the webhooks they cause."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from localhub import ApiError
from tests.localhub.conftest import SECRET, Company

COMMENTS = "/repos/acme/shop/issues/1/comments"


async def test_a_comment_is_told_with_both_signatures(company: Company) -> None:
    comment = await company.hub.comment(company.issue, "/speckit help", author="alice")
    headers, payload = company.receiver.received[0]
    body = company.receiver.bodies[0]
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert headers["X-Hub-Signature"].startswith("sha1=")
    assert headers["X-GitHub-Event"] == "issue_comment"
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(company.app.id)
    assert payload["action"] == "created"
    assert payload["comment"]["id"] == comment.id
    assert payload["comment"]["user"]["type"] == "User"
    assert payload["comment"]["performed_via_github_app"] is None
    assert payload["issue"]["number"] == 1
    assert "pull_request" not in payload["issue"]
    assert payload["installation"]["id"] == company.installation
    assert payload["repository"]["full_name"] == "acme/shop"
    assert payload["organization"]["login"] == "acme"
    assert payload["sender"]["login"] == "alice"
    assert company.hub.deliveries[-1].succeeded


async def test_edits_and_deletions_are_told_and_unwanted_events_are_not(company: Company) -> None:
    hub = company.hub
    comment = await hub.comment(company.issue, "one", author="alice")
    await hub.edit_comment(comment, "two")
    await hub.delete_comment(comment)
    hub.create_issue(company.shop, "Another", author="alice")
    await hub.settle()
    assert [each["action"] for each in company.receiver.events("issue_comment")] == ["created", "edited", "deleted"]
    assert company.receiver.events("issue_comment")[1]["changes"] == {"body": {"from": "one"}}
    assert company.receiver.events("issues") == []
    assert hub.issue_thread(company.issue) == []


async def test_an_app_writes_one_comment_and_edits_it(company: Company) -> None:
    token = await company.token(company.shop, issues="write")
    status, body, headers = await company.api("POST", COMMENTS, token, {"body": "queued"})
    assert (status, headers["Location"]) == (201, body["url"])
    assert body["user"]["login"] == "speckit-bot[bot]"
    assert body["user"]["type"] == "Bot"
    assert body["performed_via_github_app"]["slug"] == "speckit-bot"
    path = f"/repos/acme/shop/issues/comments/{body['id']}"
    assert (await company.api("PATCH", path, token, {"body": "done"}))[0] == 200
    (comment,) = company.hub.issue_thread(company.issue)
    assert (comment.body, comment.edits, comment.history, comment.author) == (
        "done",
        1,
        ["queued"],
        "speckit-bot[bot]",
    )


async def test_an_app_does_not_touch_what_a_person_wrote(company: Company) -> None:
    comment = await company.hub.comment(company.issue, "mine", author="alice")
    token = await company.token()
    status, _, _ = await company.api("DELETE", f"/repos/acme/shop/issues/comments/{comment.id}", token)
    assert status == 403
    mallory = company.hub.user("mallory").token
    status, _, _ = await company.api("PATCH", f"/repos/acme/shop/issues/comments/{comment.id}", mallory, {"body": "x"})
    assert status == 403
    assert comment.body == "mine"


@pytest.mark.parametrize(
    ("body", "status", "word"), [("x" * 65_536, 201, ""), ("é" * 65_537, 422, "65536"), (" \n", 422, "blank")]
)
async def test_the_limits_of_a_comment(company: Company, body: str, status: int, word: str) -> None:
    found, answer, _ = await company.api("POST", COMMENTS, await company.token(), {"body": body})
    assert found == status
    assert word in str(answer.get("errors", ""))


async def test_locked_and_archived_conversations(company: Company) -> None:
    token = await company.token()
    company.hub.lock(company.issue)
    status, body, _ = await company.api("POST", COMMENTS, token, {"body": "x"})
    assert (status, body["message"]) == (403, "Unable to create comment because issue is locked.")
    with pytest.raises(ApiError, match="403"):
        await company.hub.comment(company.issue, "x", author="bob")
    company.hub.lock(company.issue, False)
    company.shop.archived = True
    status, body, _ = await company.api("POST", COMMENTS, token, {"body": "x"})
    assert (status, body["message"]) == (403, "Repository was archived so is read-only.")


async def test_a_reaction_counts_once(company: Company) -> None:
    comment = await company.hub.comment(company.issue, "hello", author="alice")
    token = await company.token()
    path = f"/repos/acme/shop/issues/comments/{comment.id}/reactions"
    first = await company.api("POST", path, token, {"content": "eyes"})
    second = await company.api("POST", path, token, {"content": "eyes"})
    assert (first[0], second[0], first[1]["id"]) == (201, 200, second[1]["id"])
    assert (await company.api("POST", path, token, {"content": "shrug"}))[0] == 422
    assert [(each.content, each.author) for each in company.hub.reactions(comment)] == [("eyes", "speckit-bot[bot]")]
    assert (await company.api("DELETE", f"{path}/{first[1]['id']}", token))[0] == 204
    assert company.hub.reactions(comment) == []


async def test_lists_come_in_pages(company: Company) -> None:
    for index in range(5):
        await company.hub.comment(company.issue, f"c{index}", author="alice")
    token = await company.token()
    found, path, links = [], f"{COMMENTS}?per_page=2", ""
    while path:
        status, body, headers = await company.api("GET", path, token)
        assert status == 200
        found += [each["body"] for each in body]
        links = headers.get("Link", "")
        following = [part for part in links.split(", ") if 'rel="next"' in part]
        path = following[0].split(">")[0].lstrip("<") if following else ""
    assert found == ["c0", "c1", "c2", "c3", "c4"]
    assert 'rel="prev"' in links


async def test_who_may_what(company: Company) -> None:
    hub = company.hub
    hub.set_permission("acme/shop", "bob", "triage", role_name="Helper")
    token = await company.token(company.vault, company.shop, metadata="read")
    for repo, login, permission, role in (
        ("shop", "alice", "write", "write"),
        ("shop", "bob", "read", "Helper"),
        ("shop", "mallory", "read", "read"),
        ("vault", "bob", "read", "read"),
        ("vault", "mallory", "none", "none"),
    ):
        path = f"/repos/acme/{repo}/collaborators/{login}/permission"
        status, body, _ = await company.api("GET", path, token)
        assert (status, body["permission"], body["role_name"]) == (200, permission, role)
        assert body["user"]["login"] == login
    status, body, _ = await company.api("GET", "/repos/acme/shop/collaborators/ghost/permission", token)
    assert (status, body["message"]) == (404, "ghost is not a user")
    hub.set_permission("acme/shop", "alice", "maintain")
    _, body, _ = await company.api("GET", "/repos/acme/shop/collaborators/alice/permission", token)
    assert (body["permission"], body["role_name"]) == ("write", "maintain")


async def test_private_things_are_not_there_for_others(company: Company) -> None:
    for token in (None, company.hub.user("mallory").token):
        status, body, _ = await company.api("GET", "/repos/acme/vault", token)
        assert (status, body["message"]) == (404, "Not Found")
    assert (await company.api("GET", "/repos/acme/vault", company.hub.user("bob").token))[0] == 200
    status, body, _ = await company.api("POST", COMMENTS, None, {"body": "x"})
    assert (status, body["message"]) == (401, "Requires authentication")
    assert (await company.api("GET", "/user", "ghp_nobody"))[0] == 401
    assert (await company.api("GET", "/user", company.hub.user("bob").token))[1]["login"] == "bob"


async def test_a_delivery_can_be_seen_and_sent_again(company: Company) -> None:
    company.receiver.status = 500
    await company.hub.comment(company.issue, "hello", author="alice")
    await company.hub.comment(company.issue, "again", author="alice")
    assert len(company.receiver.received) == 2, "GitHub never sends again by itself"
    _, listed, headers = await company.api("GET", "/app/hook/deliveries?per_page=1", company.jwt())
    assert (listed[0]["status_code"], listed[0]["event"], listed[0]["redelivery"]) == (500, "issue_comment", False)
    path = headers["Link"].split(">")[0].lstrip("<")
    _, (first,), headers = await company.api("GET", path, company.jwt())
    assert "Link" not in headers
    _, detail, _ = await company.api("GET", f"/app/hook/deliveries/{first['id']}", company.jwt())
    assert detail["request"]["payload"]["comment"]["body"] == "hello"
    company.receiver.status = 202
    status, _, _ = await company.api("POST", f"/app/hook/deliveries/{first['id']}/attempts", company.jwt())
    assert status == 202
    await company.hub.settle()
    assert company.receiver.received[2][0]["X-GitHub-Delivery"] == first["guid"]
    assert company.receiver.bodies[2] == company.receiver.bodies[0]
    assert company.hub.deliveries[-1].redelivery
    replay = await company.hub.redeliver(first["guid"], new_id=True)
    assert (replay.succeeded, replay.guid != first["guid"]) == (True, True)


async def test_lost_and_late_deliveries(company: Company) -> None:
    company.hub.faults.lose_deliveries()
    await company.hub.comment(company.issue, "lost", author="alice")
    assert company.receiver.received == []
    assert (company.hub.deliveries[-1].status, company.hub.deliveries[-1].status_code) == (
        "failed to connect to host",
        0,
    )
    company.hub.faults.delay_deliveries(0.2)
    await company.hub.comment(company.issue, "late", author="alice", wait=False)
    await company.hub.comment(company.issue, "early", author="alice", wait=False)
    await company.hub.settle()
    assert [each["comment"]["body"] for each in company.receiver.events("issue_comment")] == ["early", "late"]


async def test_a_ping(company: Company) -> None:
    delivery = await company.hub.ping(company.app)
    assert delivery.succeeded
    assert company.receiver.events("ping")[0]["hook"]["app_id"] == company.app.id


async def test_a_deleted_issue_is_gone(company: Company) -> None:
    company.hub.delete_issue(company.issue)
    token = await company.token()
    status, body, _ = await company.api("POST", COMMENTS, token, {"body": "x"})
    assert (status, body["message"]) == (410, "This issue was deleted")
    assert company.hub.create_issue(company.shop, "Next").number == 2


async def test_issues_close_and_reopen(company: Company) -> None:
    company.hub.set_state(company.issue, "closed", author="alice")
    assert (await company.api("GET", "/repos/acme/shop/issues"))[1] == []
    _, (issue,), _ = await company.api("GET", "/repos/acme/shop/issues?state=closed")
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    company.hub.set_state(company.issue, "open")
    assert company.issue.state == "open"


async def test_any_payload_can_be_sent_well_signed(company: Company) -> None:
    delivery = await company.hub.send_webhook(company.app, "star", {"action": "created", "sender": None})
    assert delivery.succeeded
    assert company.receiver.events("star") == [{"action": "created", "sender": None}]


async def test_writes_in_a_hurry_are_counted(company: Company) -> None:
    token = await company.token()
    for body in ("a", "b"):
        await company.api("POST", COMMENTS, token, {"body": body})
    ((first, second),) = company.hub.hurried_writes()
    assert (first.sent, second.sent) == ({"body": "a"}, {"body": "b"})
    assert company.hub.hurried_writes(gap=0) == []
