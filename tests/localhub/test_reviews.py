"""Comments on lines of a pull request, their threads, and whom a review is asked of."""

from __future__ import annotations

import pytest

from localhub import ApiError, PullRequest
from tests.localhub.conftest import Company

SPEC = "".join(f"line {number}\n" for number in range(1, 21))
COMMENTS = "/repos/acme/shop/pulls/2/comments"


def pull(company: Company) -> PullRequest:
    """New ``specs/spec.md``, and one changed line of ``README.md``."""
    company.hub.commit_files(company.shop, "main", {"README.md": SPEC})
    changed = SPEC.replace("line 10\n", "line ten\n")
    company.hub.commit_files(company.shop, "side", {"specs/spec.md": SPEC, "README.md": changed})
    return company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")


async def test_a_person_comments_on_a_line(company: Company) -> None:
    company.listen("pull_request_review_comment", "issue_comment")
    found = pull(company)
    comment = await company.hub.review_comment(found, "specs/spec.md", 7, "/speckit refine shorter", author="bob")
    (payload,) = company.receiver.events("pull_request_review_comment")
    assert payload["action"] == "created"
    said = payload["comment"]
    assert (said["id"], said["path"], said["line"], said["side"]) == (comment.id, "specs/spec.md", 7, "RIGHT")
    assert said["node_id"].startswith("PRRC_")
    assert said["commit_id"] == said["original_commit_id"] == found.head_sha
    assert (said["user"]["login"], said["author_association"]) == ("bob", "NONE")
    assert said["diff_hunk"].endswith("+line 7")
    assert said["html_url"].endswith(f"/acme/shop/pull/2#discussion_r{comment.id}")
    assert said["performed_via_github_app"] is None
    assert "in_reply_to_id" not in said
    assert payload["pull_request"]["number"] == 2
    assert payload["pull_request"]["head"]["ref"] == "side"
    assert payload["pull_request"]["head"]["repo"]["full_name"] == "acme/shop"
    assert (payload["sender"]["login"], payload["installation"]["id"]) == ("bob", company.installation)
    assert company.receiver.events("issue_comment") == []


async def test_the_app_answers_in_the_thread(company: Company) -> None:
    company.listen("pull_request_review_comment")
    found = pull(company)
    comment = await company.hub.review_comment(found, "specs/spec.md", 7, "shorter", author="bob")
    token = await company.token(company.shop, pull_requests="write")
    path = f"{COMMENTS}/{comment.id}/replies"
    status, body, headers = await company.api("POST", path, token, {"body": "Done."})
    assert (status, body["in_reply_to_id"], headers["Location"]) == (201, comment.id, body["url"])
    assert (body["path"], body["line"], body["user"]["login"]) == ("specs/spec.md", 7, "speckit-bot[bot]")
    status, _, _ = await company.api("POST", f"{COMMENTS}/{body['id']}/replies", token, {"body": "More."})
    assert status == 422, "GitHub has no replies to replies"
    person = await company.hub.reply(company.hub.review_comments(found)[1], "Thanks!", author="bob")
    assert person.in_reply_to is comment
    assert [each.body for each in comment.replies] == ["Done.", "Thanks!"]
    assert (await company.api("POST", path, token, {"body": " "}))[0] == 422
    assert (await company.api("POST", f"{COMMENTS}/99/replies", token, {"body": "x"}))[0] == 404
    _, listed, _ = await company.api("GET", f"{COMMENTS}?per_page=2", token)
    assert [each["id"] for each in listed] == [comment.id, body["id"]]
    assert [each["action"] for each in company.receiver.events("pull_request_review_comment")] == ["created"] * 3


async def test_a_comment_through_the_api_must_be_within_the_diff(company: Company) -> None:
    found = pull(company)
    token = await company.token(company.shop, pull_requests="write")
    wish = {"body": "x", "commit_id": found.head_sha, "path": "README.md", "line": 10}
    status, body, _ = await company.api("POST", COMMENTS, token, wish)
    assert (status, body["line"], body["side"], body["subject_type"]) == (201, 10, "RIGHT", "line")
    status, body, _ = await company.api("POST", COMMENTS, token, {**wish, "side": "LEFT"})
    assert (status, body["diff_hunk"].endswith("-line 10")) == (201, True)
    status, body, _ = await company.api("POST", COMMENTS, token, {**wish, "line": 1})
    assert status == 422
    assert body["errors"][0]["message"] == "pull_request_review_thread.line must be part of the diff"
    person = await company.hub.review_comment(found, "README.md", 1, "people unfold the file", author="bob")
    assert person.diff_hunk == "@@ -1,1 +1,1 @@\n line 1"
    for wrong in (
        {"path": "src/app.py"},
        {"commit_id": company.hub.branches(company.shop)["main"]},
        {"line": None},
        {"side": "UP"},
        {"start_line": 10},
        {"body": ""},
    ):
        assert (await company.api("POST", COMMENTS, token, {**wish, **wrong}))[0] == 422, wrong
    status, body, _ = await company.api("POST", COMMENTS, token, {**wish, "line": None, "subject_type": "file"})
    assert (status, body["line"], body["subject_type"]) == (201, None, "file")
    with pytest.raises(ApiError, match="422"):
        await company.hub.review_comment(found, "specs/spec.md", 21, "past the end", author="bob")
    with pytest.raises(ApiError, match="422"):
        await company.hub.review_comment(found, "src/app.py", 1, "not in the diff", author="bob")


async def test_comments_follow_their_lines(company: Company) -> None:
    found = pull(company)
    kept = await company.hub.review_comment(found, "specs/spec.md", 7, "stays", author="bob")
    lost = await company.hub.review_comment(found, "specs/spec.md", 8, "goes", author="bob")
    first = found.head_sha
    changed = SPEC.replace("line 8\n", "line eight\n").replace("line 2\n", "line 2\nline 2a\nline 2b\n")
    company.hub.commit_files(company.shop, "side", {"specs/spec.md": changed})
    assert (kept.line, kept.original_line, kept.commit_sha) == (9, 7, found.head_sha)
    assert (lost.line, lost.original_line, lost.commit_sha, lost.original_commit_sha) == (None, 8, first, first)
    token = await company.token()
    _, body, _ = await company.api("GET", f"/repos/acme/shop/pulls/comments/{lost.id}", token)
    assert (body["line"], body["original_line"], body["commit_id"]) == (None, 8, first)


async def test_lines_are_counted_as_git_does(company: Company) -> None:
    company.hub.commit_files(company.shop, "side", {"odd.md": "one\x0c\u2028still one\ntwo\r\nthree"})
    found = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    comment = await company.hub.review_comment(found, "odd.md", 3, "the last", author="alice")
    assert comment.diff_hunk.endswith("+three")
    company.hub.commit_files(company.shop, "side", {"odd.md": "new\none\x0c\u2028still one\ntwo\r\nthree"})
    assert comment.line == 4
    with pytest.raises(ApiError, match="422"):
        await company.hub.review_comment(found, "odd.md", 5, "past the end", author="alice")


async def test_the_life_of_a_review_comment(company: Company) -> None:
    company.listen("pull_request_review_comment")
    found = pull(company)
    comment = await company.hub.review_comment(found, "specs/spec.md", 7, "one", author="alice")
    await company.hub.edit_comment(comment, "two")
    token = await company.token(company.shop, pull_requests="write")
    path = f"/repos/acme/shop/pulls/comments/{comment.id}"
    assert (await company.api("PATCH", path, token, {"body": "mine now"}))[0] == 403
    _, made, _ = await company.api("POST", f"{COMMENTS}/{comment.id}/replies", token, {"body": "ok"})
    await company.hub.settle()
    own = f"/repos/acme/shop/pulls/comments/{made['id']}"
    assert (await company.api("PATCH", own, token, {"body": "better"}))[1]["body"] == "better"
    await company.hub.settle()
    first = await company.api("POST", f"{path}/reactions", token, {"content": "eyes"})
    again = await company.api("POST", f"{path}/reactions", token, {"content": "eyes"})
    assert (first[0], again[0]) == (201, 200)
    assert [each.content for each in company.hub.reactions(comment)] == ["eyes"]
    assert [each["content"] for each in (await company.api("GET", f"{path}/reactions", token))[1]] == ["eyes"]
    assert (await company.api("DELETE", f"{path}/reactions/{first[1]['id']}", token))[0] == 204
    await company.hub.delete_comment(comment)
    assert (await company.api("GET", path, token))[0] == 404
    (left,) = company.hub.review_comments(found)
    assert (left.in_reply_to, left.body) == (None, "better")
    told = company.receiver.events("pull_request_review_comment")
    assert [each["action"] for each in told] == ["created", "edited", "created", "edited", "deleted"]
    assert told[1]["changes"] == {"body": {"from": "one"}}


async def test_review_comments_need_their_permission(company: Company) -> None:
    found = pull(company)
    comment = await company.hub.review_comment(found, "specs/spec.md", 7, "one", author="alice")
    token = await company.token(company.shop, issues="write", contents="write")
    path = f"/repos/acme/shop/pulls/comments/{comment.id}"
    assert (await company.api("POST", f"{COMMENTS}/{comment.id}/replies", token, {"body": "x"}))[0] == 403
    assert (await company.api("POST", f"{path}/reactions", token, {"content": "eyes"}))[0] == 403
    assert [each.kind for each in company.hub.violations] == ["permission", "permission"]
    company.hub.lock(found)
    token = await company.token(company.shop, pull_requests="write")
    assert (await company.api("POST", f"{COMMENTS}/{comment.id}/replies", token, {"body": "x"}))[0] == 403
    with pytest.raises(ApiError, match="locked"):
        await company.hub.review_comment(found, "specs/spec.md", 7, "x", author="bob")


async def test_reviews_are_asked_of_collaborators(company: Company) -> None:
    company.listen("pull_request")
    found = pull(company)
    company.hub.set_permission("acme/shop", "bob", "read")
    company.hub.create_team("acme", "writers", [company.shop])
    company.hub.create_team("acme", "strangers")
    token = await company.token(company.shop, pull_requests="write")
    path = "/repos/acme/shop/pulls/2/requested_reviewers"
    status, body, _ = await company.api("POST", path, token, {"reviewers": ["bob"], "team_reviewers": ["writers"]})
    assert (status, [each["login"] for each in body["requested_reviewers"]]) == (201, ["bob"])
    assert [each["slug"] for each in body["requested_teams"]] == ["writers"]
    for wish in ({"reviewers": ["mallory"]}, {"reviewers": ["ghost"]}, {"team_reviewers": ["strangers"]}):
        status, body, _ = await company.api("POST", path, token, wish)
        assert status == 422
        assert body["message"].startswith("Reviews may only be requested from collaborators.")
    status, body, _ = await company.api("POST", path, token, {"reviewers": ["alice"]})
    assert (status, body["message"]) == (422, "Review cannot be requested from pull request author.")
    assert (await company.api("GET", path, token))[1]["users"][0]["login"] == "bob"
    await company.hub.settle()
    asked = [each for each in company.receiver.events("pull_request") if each["action"] == "review_requested"]
    assert {each.get("requested_reviewer", {}).get("login") for each in asked} == {"bob", None}
    assert (await company.api("DELETE", path, token, {"reviewers": ["bob"]}))[0] == 200
    assert found.requested_reviewers == []
    await company.hub.request_review(found, "bob", author="alice")
    assert [each.login for each in found.requested_reviewers] == ["bob"]
