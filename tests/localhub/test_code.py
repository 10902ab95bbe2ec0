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


async def test_contents_as_a_configuration_reader_needs_them(company: Company) -> None:
    hub = company.hub
    config = hub.create_repository(
        "acme/.github", {"speckit.yml": "agent: template\n", "big": b"x" * (1024 * 1024 + 1)}
    )
    hub.installation(company.installation).repositories.append(config)
    token = await company.token(config, contents="read")
    status, body, _ = await company.api("GET", "/repos/acme/.github/contents/speckit.yml", token)
    assert (status, body["type"], body["encoding"], body["size"], body["path"]) == (
        200,
        "file",
        "base64",
        16,
        "speckit.yml",
    )
    assert base64.b64decode(body["content"]) == b"agent: template\n"
    assert body["sha"] == config.git.write_object("blob", b"agent: template\n")
    _, body, _ = await company.api("GET", "/repos/acme/.github/contents/big", token)
    assert (body["encoding"], body["content"], body["size"]) == ("none", "", 1024 * 1024 + 1)
    assert (await company.api("GET", "/repos/acme/.github/contents/gone.yml", token))[0] == 404
    sha = hub.commit_files(config, "side", {"speckit.yml": None})
    assert (await company.api("GET", f"/repos/acme/.github/contents/speckit.yml?ref={sha}", token))[0] == 404
    assert (await company.api("GET", "/repos/acme/.github/contents/speckit.yml?ref=main", token))[0] == 200
    deaf = await company.token(config, issues="read")
    assert (await company.api("GET", "/repos/acme/.github/contents/speckit.yml", deaf))[0] == 403
    assert [each.kind for each in hub.violations] == ["permission"]
    assert (await look_at(company, "/acme/.github")).startswith("<!doctype html>")


async def look_at(company: Company, path: str) -> str:
    async with company.http.get(company.hub.url + path) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_branches_come_in_pages_and_by_prefix(company: Company) -> None:
    sha = company.hub.branches(company.shop)["main"]
    for number in range(5):
        company.shop.git.write_ref(f"refs/heads/speckit/{number:03}-x", sha)
    token = await company.token(company.shop, contents="read")
    _, first, headers = await company.api("GET", "/repos/acme/shop/branches?per_page=4", token)
    assert 'rel="next"' in headers["Link"]
    _, second, _ = await company.api("GET", "/repos/acme/shop/branches?per_page=4&page=2", token)
    assert [each["name"] for each in first + second] == ["main", *(f"speckit/{number:03}-x" for number in range(5))]
    _, found, _ = await company.api("GET", "/repos/acme/shop/git/matching-refs/heads/speckit/00", token)
    assert len(found) == 5
    assert found[0]["object"] == {"sha": sha, "type": "commit", "url": found[0]["object"]["url"]}
    assert (await company.api("GET", "/repos/acme/shop/git/matching-refs/heads/none", token))[1] == []


async def test_pull_requests_are_filtered_and_come_in_pages(company: Company) -> None:
    for number in range(3):
        company.hub.commit_files(company.shop, f"b{number}", {f"{number}": "x"})
        company.hub.open_pull_request(company.shop, f"b{number}", "main", f"P{number}", author="alice")
    company.hub.commit_files(company.shop, "release", {"r": "r"})
    company.hub.commit_files(company.shop, "b9", {"9": "x"})
    company.hub.open_pull_request(company.shop, "b9", "release", "P9", author="alice")
    company.hub.set_state(company.hub.pull_request(company.shop, 2), "closed")
    token = await company.token(company.shop, pull_requests="read")

    async def titles(query: str) -> list[str]:
        return [each["title"] for each in (await company.api("GET", f"{PULLS}?{query}", token))[1]]

    assert await titles("state=open&base=main") == ["P2", "P1"]
    assert await titles("state=all&head=acme:b0&base=main") == ["P0"]
    assert await titles("base=release") == ["P9"]
    assert await titles("state=all&per_page=2&page=2") == ["P1", "P0"]
    assert await titles("state=all&direction=asc&per_page=1") == ["P0"]


async def test_two_commits_are_compared(company: Company) -> None:
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    token = await company.token(company.shop, contents="read")
    _, body, _ = await company.api("GET", "/repos/acme/shop/compare/main...side", token)
    assert (body["status"], body["ahead_by"], body["behind_by"]) == ("ahead", 1, 0)
    assert [each["filename"] for each in body["files"]] == ["b"]


async def test_apps_and_accounts_can_be_looked_up(company: Company) -> None:
    _, body, _ = await company.api("GET", "/users/speckit-bot%5Bbot%5D")
    assert (body["login"], body["type"], body["id"]) == ("speckit-bot[bot]", "Bot", company.app.bot.id)
    assert (await company.api("GET", "/users/nobody"))[0] == 404
    _, body, _ = await company.api("GET", "/apps/speckit-bot")
    assert body["id"] == company.app.id
    assert (await company.api("GET", "/apps/none"))[0] == 404
    token = await company.token(company.shop, metadata="read")
    assert (await company.api("GET", "/repos/acme/shop/collaborators/alice", token))[0] == 204
    assert (await company.api("GET", "/repos/acme/shop/collaborators/mallory", token))[0] == 404


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
