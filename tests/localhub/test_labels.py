"""Labels and assignees: by hand and through the API, and what is told about them."""

from __future__ import annotations

import pytest

from localhub import ApiError, PullRequest
from tests.localhub.conftest import Company

LABELS = "/repos/acme/shop/issues/1/labels"
ASSIGNEES = "/repos/acme/shop/issues/1/assignees"


def pull(company: Company) -> PullRequest:
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    return company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")


async def test_a_person_labels_an_issue(company: Company) -> None:
    company.listen("issues")
    await company.hub.label(company.issue, "speckit:specify", author="alice")
    (payload,) = company.receiver.events("issues")
    assert payload["action"] == "labeled"
    assert payload["label"]["name"] == "speckit:specify"
    assert [each["name"] for each in payload["issue"]["labels"]] == ["speckit:specify"]
    assert payload["issue"]["body"] == "Let customers pay."
    assert (payload["sender"]["login"], payload["repository"]["full_name"]) == ("alice", "acme/shop")
    assert payload["installation"]["id"] == company.installation
    assert "speckit:specify" in company.shop.labels, "a label that is put on is made when missing"
    await company.hub.unlabel(company.issue, "Speckit:Specify", author="alice")
    assert company.receiver.events("issues")[1]["action"] == "unlabeled"
    assert company.issue.labels == []


async def test_a_label_on_a_pull_request_is_told_as_such(company: Company) -> None:
    company.listen("issues", "pull_request")
    found = pull(company)
    await company.hub.settle()
    await company.hub.label(found, "speckit:plan", author="alice")
    assert company.receiver.events("issues") == []
    opened, labeled = company.receiver.events("pull_request")
    assert (opened["action"], labeled["action"], labeled["number"]) == ("opened", "labeled", 2)
    assert labeled["label"]["name"] == "speckit:plan"
    assert [each["name"] for each in labeled["pull_request"]["labels"]] == ["speckit:plan"]


async def test_a_label_that_is_on_is_not_told_again(company: Company) -> None:
    company.listen("issues")
    for _ in range(2):
        await company.hub.label(company.issue, "bug", author="alice")
    assert len(company.receiver.events("issues")) == 1


async def test_only_those_who_may_triage_label_and_assign(company: Company) -> None:
    for act in (
        company.hub.label(company.issue, "bug", author="mallory"),
        company.hub.assign(company.issue, "alice", author="mallory"),
    ):
        with pytest.raises(ApiError, match="403"):
            await act
    mallory = company.hub.user("mallory").token
    assert (await company.api("POST", LABELS, mallory, {"labels": ["bug"]}))[0] == 403
    assert (await company.api("POST", ASSIGNEES, mallory, {"assignees": ["alice"]}))[0] == 403
    company.hub.set_permission("acme/shop", "mallory", "triage")
    await company.hub.label(company.issue, "bug", author="mallory")
    assert company.issue.label_names == ["bug"]


async def test_labels_of_an_issue_through_the_api(company: Company) -> None:
    company.listen("issues")
    token = await company.token(company.shop, issues="write")
    status, body, _ = await company.api("POST", LABELS, token, {"labels": ["bug", {"name": "later"}]})
    assert (status, [each["name"] for each in body]) == (200, ["bug", "later"])
    _, body, _ = await company.api("PUT", LABELS, token, ["later", "new"])
    assert [each["name"] for each in body] == ["later", "new"]
    status, body, _ = await company.api("DELETE", f"{LABELS}/later", token)
    assert (status, [each["name"] for each in body]) == (200, ["new"])
    status, body, _ = await company.api("DELETE", f"{LABELS}/later", token)
    assert (status, body["message"]) == (404, "Label does not exist")
    assert [each["name"] for each in (await company.api("GET", LABELS, token))[1]] == ["new"]
    assert (await company.api("DELETE", LABELS, token))[0] == 204
    await company.hub.settle()
    told = [(each["action"], each["label"]["name"]) for each in company.receiver.events("issues")]
    assert len(told) == 6
    assert set(told) == {(action, name) for action in ("labeled", "unlabeled") for name in ("bug", "later", "new")}
    assert company.receiver.events("issues")[0]["sender"]["type"] == "Bot"


async def test_labels_of_a_repository(company: Company) -> None:
    token = await company.token(company.shop, issues="write")
    wish = {"name": "speckit:specify", "color": "0E8A16", "description": "Starts a run"}
    status, body, _ = await company.api("POST", "/repos/acme/shop/labels", token, wish)
    assert (status, body["color"], body["description"]) == (201, "0e8a16", "Starts a run")
    status, body, _ = await company.api("POST", "/repos/acme/shop/labels", token, {"name": "SPECKIT:specify"})
    assert (status, body["errors"][0]["code"]) == (422, "already_exists")
    for wrong in ({}, {"name": ""}, {"name": "x" * 51}, {"name": "x", "color": "#fff"}, {"name": "x", "color": 7}):
        assert (await company.api("POST", "/repos/acme/shop/labels", token, wrong))[0] == 422
    status, body, _ = await company.api("GET", "/repos/acme/shop/labels/speckit%3Aspecify", token)
    assert (status, body["name"]) == (200, "speckit:specify")
    assert (await company.api("GET", "/repos/acme/shop/labels/gone", token))[0] == 404
    assert [each["name"] for each in (await company.api("GET", "/repos/acme/shop/labels"))[1]] == ["speckit:specify"]


async def test_labels_need_their_permission(company: Company) -> None:
    token = await company.token(company.shop, contents="write")
    assert (await company.api("POST", LABELS, token, {"labels": ["bug"]}))[0] == 403
    token = await company.token(company.shop, pull_requests="write")
    assert (await company.api("POST", LABELS, token, {"labels": ["bug"]}))[0] == 403
    assert [each.kind for each in company.hub.violations] == ["permission", "permission"]
    pull(company)
    assert (await company.api("POST", "/repos/acme/shop/issues/2/labels", token, {"labels": ["bug"]}))[0] == 200


async def test_the_app_is_assigned(company: Company) -> None:
    company.listen("issues", "pull_request")
    await company.hub.assign(company.issue, company.app, author="alice")
    (payload,) = company.receiver.events("issues")
    assert (payload["action"], payload["assignee"]["login"]) == ("assigned", "speckit-bot[bot]")
    assert payload["assignee"]["type"] == "Bot"
    assert [each["login"] for each in payload["issue"]["assignees"]] == ["speckit-bot[bot]"]
    await company.hub.unassign(company.issue, "speckit-bot[bot]", author="alice")
    assert company.receiver.events("issues")[1]["action"] == "unassigned"
    await company.hub.assign(pull(company), "alice", author="alice")
    assert company.receiver.events("pull_request")[-1]["assignee"]["login"] == "alice"
    with pytest.raises(ApiError, match="422"):
        await company.hub.assign(company.issue, "mallory", author="alice")


async def test_assignees_through_the_api(company: Company) -> None:
    token = await company.token(company.shop, issues="write")
    status, body, _ = await company.api("POST", ASSIGNEES, token, {"assignees": ["alice", "mallory", "ghost"]})
    assert (status, [each["login"] for each in body["assignees"]]) == (201, ["alice"])
    assert body["assignee"]["login"] == "alice"
    assert (await company.api("GET", "/repos/acme/shop/assignees/alice", token))[0] == 204
    assert (await company.api("GET", "/repos/acme/shop/assignees/mallory", token))[0] == 404
    await company.hub.comment(company.issue, "me too", author="mallory")
    _, body, _ = await company.api("POST", ASSIGNEES, token, {"assignees": ["mallory"]})
    assert [each["login"] for each in body["assignees"]] == ["alice", "mallory"], "who took part may be assigned"
    status, body, _ = await company.api("DELETE", ASSIGNEES, token, {"assignees": ["alice"]})
    assert (status, [each["login"] for each in body["assignees"]]) == (200, ["mallory"])
    assert (await company.api("POST", ASSIGNEES, token, {"assignees": "alice"}))[0] == 422


async def test_an_issue_is_edited(company: Company) -> None:
    company.listen("issues")
    await company.hub.edit_issue(company.issue, title="Invoices!", body="Net 30.", author="alice")
    (payload,) = company.receiver.events("issues")
    assert payload["action"] == "edited"
    assert payload["changes"] == {"title": {"from": "Invoices"}, "body": {"from": "Let customers pay."}}
    assert (payload["issue"]["title"], payload["issue"]["body"]) == ("Invoices!", "Net 30.")
    with pytest.raises(ApiError, match="403"):
        await company.hub.edit_issue(company.issue, title="Mine", author="mallory")
    token = await company.token(company.shop, issues="write")
    wish = {"labels": ["bug"], "assignees": ["alice"], "state": "closed"}
    status, body, _ = await company.api("PATCH", "/repos/acme/shop/issues/1", token, wish)
    assert (status, body["state"], body["closed_by"]["login"]) == (200, "closed", "speckit-bot[bot]")
    assert [each["name"] for each in body["labels"]] == ["bug"]
    await company.hub.settle()
    assert {each["action"] for each in company.receiver.events("issues")} == {"edited", "closed", "labeled", "assigned"}


async def test_a_comment_tells_of_its_issue(company: Company) -> None:
    await company.hub.label(company.issue, "bug", author="alice")
    comment = await company.hub.comment(company.issue, "hello", author="alice")
    (payload,) = company.receiver.events("issue_comment")
    assert payload["issue"]["body"] == "Let customers pay."
    assert (payload["issue"]["state"], payload["issue"]["locked"]) == ("open", False)
    assert payload["issue"]["user"]["login"] == "alice"
    assert [each["name"] for each in payload["issue"]["labels"]] == ["bug"]
    assert payload["comment"]["node_id"].startswith("IC_")
    token = await company.token()
    _, body, _ = await company.api("GET", f"/repos/acme/shop/issues/comments/{comment.id}", token)
    assert body["node_id"] == payload["comment"]["node_id"]
