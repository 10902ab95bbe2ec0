"""Branches, files, pull requests and check runs."""

from __future__ import annotations

import base64

import pytest

from tests.localhub.conftest import Company

PULLS = "/repos/acme/shop/pulls"


async def test_branches_commits_and_contents(company: Company) -> None:
    token = await company.token(company.shop, contents="read")
    sha = company.hub.branches(company.shop)["main"]
    _, body, _ = await company.api("GET", "/repos/acme/shop/branches/main", token)
    assert (body["name"], body["commit"]["sha"], body["protected"]) == ("main", sha, False)
    status, body, _ = await company.api("GET", "/repos/acme/shop/branches/no/such", token)
    assert (status, body["message"]) == (404, "Branch not found")
    _, body, _ = await company.api("GET", "/repos/acme/shop/git/ref/heads/main", token)
    assert (body["ref"], body["object"]["sha"]) == ("refs/heads/main", sha)
    _, body, _ = await company.api("GET", f"/repos/acme/shop/commits/{sha[:8]}", token)
    assert (body["sha"], [each["filename"] for each in body["files"]]) == (sha, ["README.md", "src/app.py"])
    _, body, _ = await company.api("GET", "/repos/acme/shop/contents/README.md", token)
    assert base64.b64decode(body["content"]) == b"# Shop\n"
    _, body, _ = await company.api("GET", "/repos/acme/shop/contents/", token)
    assert [(each["type"], each["path"]) for each in body] == [("dir", "src"), ("file", "README.md")]
    _, body, _ = await company.api("GET", "/repos/acme/shop/contents/src?ref=main", token)
    assert [each["path"] for each in body] == ["src/app.py"]
    assert (await company.api("GET", "/repos/acme/shop/contents/gone", token))[0] == 404
    status, body, _ = await company.api("GET", "/repos/acme/shop/contents/README.md?ref=gone", token)
    assert (status, body["message"]) == (404, "No commit found for the ref gone")


async def test_an_empty_repository_says_so(company: Company) -> None:
    company.hub.create_repository("acme/empty")
    status, body, _ = await company.api("GET", "/repos/acme/empty/contents/")
    assert (status, body["message"]) == (404, "This repository is empty.")
    status, body, _ = await company.api("GET", "/repos/acme/empty/commits")
    assert (status, body["message"]) == (409, "Git Repository is empty.")
    assert (await company.api("GET", "/repos/acme/empty/branches"))[1] == []


async def test_the_life_of_a_pull_request(company: Company) -> None:
    hub = company.hub
    token = await company.token()
    wish = {"title": "Spec", "head": "speckit/1", "base": "main", "draft": True, "body": "Refs #1"}
    status, body, _ = await company.api("POST", PULLS, token, wish)
    assert (status, body["errors"]) == (422, [{"resource": "PullRequest", "field": "head", "code": "invalid"}])
    base = hub.branches(company.shop)["main"]
    company.shop.git.write_ref("refs/heads/speckit/1", base)
    status, body, _ = await company.api("POST", PULLS, token, wish)
    assert (status, body["errors"][0]["message"]) == (422, "No commits between main and speckit/1")
    head = hub.commit_files(company.shop, "speckit/1", {"specs/1/spec.md": "# Spec\n"})
    status, body, _ = await company.api("POST", PULLS, token, wish)
    assert (status, body["number"], body["draft"], body["head"]["sha"]) == (201, 2, True, head)
    assert (body["user"]["login"], body["changed_files"], body["commits"]) == ("speckit-bot[bot]", 1, 1)
    status, body, _ = await company.api("POST", PULLS, token, wish)
    assert (status, body["errors"][0]["message"]) == (422, "A pull request already exists for acme:speckit/1.")
    _, body, _ = await company.api("GET", f"{PULLS}?head=acme:speckit/1&state=all", token)
    assert [each["number"] for each in body] == [2]
    assert (await company.api("GET", f"{PULLS}?head=acme:other", token))[1] == []
    assert (await company.api("PATCH", f"{PULLS}/2", token, {"body": "New"}))[1]["body"] == "New"
    _, files, _ = await company.api("GET", f"{PULLS}/2/files", token)
    assert [(each["filename"], each["status"], each["additions"]) for each in files] == [
        ("specs/1/spec.md", "added", 1)
    ]
    assert files[0]["patch"] == "@@ -0,0 +1 @@\n+# Spec"
    pull = hub.pull_request(company.shop, 2)
    assert (pull.title, pull.body, pull.draft, pull.files) == ("Spec", "New", True, ["specs/1/spec.md"])
    assert (pull.head_sha, pull.base_branch, pull.author) == (head, "main", "speckit-bot[bot]")
    assert pull.text_of("specs/1/spec.md") == "# Spec\n"
    moved = hub.commit_files(company.shop, "speckit/1", {"b": "b"})
    assert (pull.head_sha, len(pull.commits)) == (moved, 2)
    hub.delete_branch(company.shop, "speckit/1")
    assert pull.state == "closed"


async def test_a_comment_on_a_pull_request_says_so(company: Company) -> None:
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    await company.hub.comment(pull, "/speckit plan", author="alice")
    (payload,) = company.receiver.events("issue_comment")
    assert payload["issue"]["pull_request"]["url"].endswith("/repos/acme/shop/pulls/2")
    token = await company.token(company.shop, pull_requests="write")
    status, _, _ = await company.api("POST", "/repos/acme/shop/issues/2/comments", token, {"body": "ok"})
    assert status == 201
    status, _, _ = await company.api("POST", "/repos/acme/shop/issues/1/comments", token, {"body": "no"})
    assert status == 403


async def test_a_rename_a_removal_and_a_binary_file(company: Company) -> None:
    text = "".join(f"line {index}\n" for index in range(30))
    company.hub.commit_files(company.shop, "main", {"old.md": text, "gone.md": "x"})
    change = {"old.md": None, "new.md": text + "more\n", "gone.md": None, "bin": b"\0\1", "new\nline": "x\n"}
    company.hub.commit_files(company.shop, "side", change)
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side")
    found = {file.path: (file.status, file.additions, file.deletions, file.patch != "") for file in pull.changed_files}
    assert found == {
        "bin": ("added", 0, 0, False),
        "gone.md": ("removed", 0, 1, True),
        "new\nline": ("added", 1, 0, True),
        "new.md": ("renamed", 1, 0, True),
    }


async def test_the_life_of_a_check_run(company: Company) -> None:
    token = await company.token(company.shop, checks="write")
    sha = company.hub.branches(company.shop)["main"]
    runs = "/repos/acme/shop/check-runs"
    wish = {"name": "speckit", "head_sha": sha, "external_id": "run-1", "status": "in_progress"}
    status, body, _ = await company.api("POST", runs, token, wish)
    assert (status, body["status"], body["external_id"], body["conclusion"]) == (201, "in_progress", "run-1", None)
    assert (await company.api("POST", runs, token, {**wish, "head_sha": "0" * 40}))[0] == 422
    path = f"{runs}/{body['id']}"
    output = {"title": "Done", "summary": "All nine phases", "text": "x" * 65_535}
    done = {"conclusion": "success", "output": output}
    status, body, _ = await company.api("PATCH", path, token, done)
    assert (status, body["status"], body["conclusion"]) == (200, "completed", "success")
    output["text"] += "x"
    assert (await company.api("PATCH", path, token, done))[0] == 422
    _, body, _ = await company.api("GET", f"/repos/acme/shop/commits/{sha}/check-runs?check_name=speckit", token)
    assert (body["total_count"], body["check_runs"][0]["output"]["title"]) == (1, "Done")
    (run,) = company.hub.check_runs(company.shop, sha)
    assert (run.conclusion, run.updates, run.app) == ("success", 1, company.app)
    person = company.hub.user("alice").token
    status, body, _ = await company.api("POST", runs, person, wish)
    assert (status, body["message"]) == (403, "You must authenticate via a GitHub App.")


@pytest.mark.parametrize(
    "wish",
    [
        {"status": "completed"},
        {"conclusion": "great"},
        {"output": {"title": "t"}},
        {"actions": [{"label": "x" * 21, "identifier": "i", "description": "d"}]},
        {"actions": [{"label": "l", "identifier": "i", "description": "d"}] * 4},
        {"output": {"title": "t", "summary": "s", "annotations": [{}]}},
        {"started_at": "tomorrow"},
    ],
)
async def test_check_runs_github_would_refuse(company: Company, wish: dict[str, object]) -> None:
    sha = company.hub.branches(company.shop)["main"]
    sent = {"name": "speckit", "head_sha": sha, **wish}
    assert (await company.api("POST", "/repos/acme/shop/check-runs", await company.token(), sent))[0] == 422
    assert company.hub.check_runs(company.shop) == []


async def test_references_through_the_api(company: Company) -> None:
    token = await company.token(company.shop, contents="write")
    sha = company.hub.branches(company.shop)["main"]
    refs = "/repos/acme/shop/git/refs"
    assert (await company.api("POST", refs, token, {"ref": "refs/heads/a/b", "sha": sha}))[0] == 201
    status, body, _ = await company.api("POST", refs, token, {"ref": "refs/heads/a/b", "sha": sha})
    assert (status, body["message"]) == (422, "Reference already exists")
    _, body, _ = await company.api("GET", "/repos/acme/shop/git/matching-refs/heads/a", token)
    assert [each["ref"] for each in body] == ["refs/heads/a/b"]
    assert (await company.api("DELETE", f"{refs}/heads/a/b", token))[0] == 204
    assert set(company.hub.branches(company.shop)) == {"main"}
