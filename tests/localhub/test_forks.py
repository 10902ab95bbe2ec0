"""Pull requests that people open, from branches and forks: pushed to, edited, closed, merged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from localhub import ApiError, PullRequest, Repository
from tests.localhub.conftest import Company
from tests.localhub.test_git import basic, git

PULLS = "/repos/acme/shop/pulls"


def from_fork(company: Company) -> tuple[Repository, PullRequest]:
    """Mallory's fork with a branch, and the pull request she opens from it."""
    fork = company.hub.fork(company.shop, "mallory")
    company.hub.commit_files(fork, "fix", {"fix.md": "fixed\n"}, author="mallory")
    pull = company.hub.open_pull_request(company.shop, "fix", "main", "Fix", author="mallory", from_fork=fork)
    return fork, pull


async def test_a_pull_request_from_a_fork(company: Company) -> None:
    company.listen("pull_request")
    fork, pull = from_fork(company)
    await company.hub.settle()
    (payload,) = company.receiver.events("pull_request")
    shown = payload["pull_request"]
    assert (payload["action"], payload["number"], payload["sender"]["login"]) == ("opened", 2, "mallory")
    assert shown["head"]["repo"]["full_name"] == "mallory/shop"
    assert (shown["head"]["repo"]["fork"], shown["head"]["label"]) == (True, "mallory:fix")
    assert shown["base"]["repo"]["full_name"] == "acme/shop"
    assert (shown["user"]["login"], shown["author_association"]) == ("mallory", "NONE")
    assert (shown["commits"], shown["changed_files"], shown["mergeable"]) == (1, 1, None)
    assert (pull.from_fork, pull.files, pull.text_of("fix.md")) == (True, ["fix.md"], "fixed\n")
    token = await company.token(company.shop, pull_requests="read", contents="read")
    _, files, _ = await company.api("GET", f"{PULLS}/2/files", token)
    assert [each["filename"] for each in files] == ["fix.md"]
    _, found, _ = await company.api("GET", f"{PULLS}?head=mallory:fix", token)
    assert [each["number"] for each in found] == [2]
    assert (await company.api("GET", f"{PULLS}?head=acme:fix", token))[1] == []
    _, ref, _ = await company.api("GET", "/repos/acme/shop/git/ref/pull/2/head", token)
    assert ref["object"]["sha"] == pull.head_sha
    company.hub.delete_repository(fork)
    _, body, _ = await company.api("GET", f"{PULLS}/2", token)
    assert (body["head"]["repo"], body["head"]["label"]) == (None, "mallory:fix")
    assert pull.files == ["fix.md"]


async def test_a_push_to_the_head_is_told(company: Company) -> None:
    company.listen("pull_request", "push")
    fork, pull = from_fork(company)
    before = pull.head_sha
    await company.hub.settle()
    after = company.hub.commit_files(fork, "fix", {"more.md": "more\n"}, author="mallory")
    await company.hub.settle()
    payload = company.receiver.events("pull_request")[-1]
    assert (payload["action"], payload["before"], payload["after"]) == ("synchronize", before, after)
    assert payload["pull_request"]["head"]["sha"] == pull.head_sha == after
    assert payload["sender"]["login"] == "mallory"
    assert company.receiver.events("push") == [], "the App is not installed on the fork"
    company.hub.commit_files(company.shop, "main", {"x": "x"}, "Say x", author="alice")
    await company.hub.settle()
    (push,) = company.receiver.events("push")
    assert (push["ref"], push["pusher"]["name"], push["forced"]) == ("refs/heads/main", "alice", False)
    assert [(each["message"], each["added"]) for each in push["commits"]] == [("Say x", ["x"])]
    assert push["head_commit"]["id"] == push["after"]


async def test_people_close_reopen_and_edit(company: Company) -> None:
    company.listen("pull_request")
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    company.hub.commit_files(company.shop, "release", {"r": "r"})
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    await company.hub.settle()
    company.hub.set_state(pull, "closed", author="alice")
    await company.hub.settle()
    company.hub.set_state(pull, "open", author="alice")
    await company.hub.settle()
    await company.hub.edit_issue(pull, title="Better", author="alice")
    token = await company.token(company.shop, pull_requests="write")
    _, body, _ = await company.api("PATCH", f"{PULLS}/2", token, {"base": "release", "body": "x", "draft": True})
    assert (body["base"]["ref"], body["draft"]) == ("release", False)
    await company.hub.settle()
    told = company.receiver.events("pull_request")
    assert [each["action"] for each in told] == ["opened", "closed", "reopened", "edited", "edited"]
    assert told[1]["pull_request"]["merged"] is False
    assert told[3]["changes"] == {"title": {"from": "Side"}}
    assert told[4]["changes"]["base"]["ref"] == {"from": "main"}
    for wrong in ({"state": "merged"}, {"base": "gone"}, {"title": ""}):
        assert (await company.api("PATCH", f"{PULLS}/2", token, wrong))[0] == 422
    company.hub.delete_branch(company.shop, "side")
    status, body, _ = await company.api("PATCH", f"{PULLS}/2", token, {"state": "open"})
    assert (status, "branch was deleted" in body["errors"][0]["message"]) == (422, True)


async def test_a_merge(company: Company) -> None:
    company.listen("pull_request")
    _, pull = from_fork(company)
    with pytest.raises(ApiError, match="403"):
        await company.hub.merge_pull_request(pull, author="mallory")
    await company.hub.set_draft(pull, True, author="mallory")
    with pytest.raises(ApiError, match="draft"):
        await company.hub.merge_pull_request(pull, author="alice")
    await company.hub.set_draft(pull, False, author="mallory")
    commit = await company.hub.merge_pull_request(pull, author="alice")
    assert company.hub.branches(company.shop)["main"] == commit
    told = company.receiver.events("pull_request")
    assert [each["action"] for each in told] == ["opened", "converted_to_draft", "ready_for_review", "closed"]
    shown = told[-1]["pull_request"]
    assert (shown["merged"], shown["merge_commit_sha"], shown["merged_by"]["login"]) == (True, commit, "alice")
    assert pull.files == ["fix.md"], "what it changed stays to be seen"
    with pytest.raises(ApiError, match="422"):
        company.hub.set_state(pull, "open")


async def test_a_conflict_is_not_merged(company: Company) -> None:
    company.hub.commit_files(company.shop, "side", {"README.md": "# Side\n"})
    company.hub.commit_files(company.shop, "main", {"README.md": "# Main\n"})
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    with pytest.raises(ApiError, match="not mergeable"):
        await company.hub.merge_pull_request(pull, author="alice")
    assert pull.state == "open"


async def test_who_may_open_one_through_the_api(company: Company) -> None:
    fork = company.hub.fork(company.shop, "mallory")
    company.hub.commit_files(fork, "fix", {"fix.md": "fixed\n"})
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    mallory, bob = company.hub.user("mallory").token, company.hub.user("bob").token
    wish = {"title": "Fix", "head": "mallory:fix", "base": "main"}
    assert (await company.api("POST", PULLS, bob, wish))[0] == 403
    assert (await company.api("POST", PULLS, await company.token(), wish))[0] == 422
    assert (await company.api("POST", PULLS, mallory, {**wish, "head": "side"}))[0] == 403
    assert (await company.api("POST", PULLS, mallory, {**wish, "head": "bob:fix"}))[0] == 422
    status, body, _ = await company.api("POST", PULLS, mallory, wish)
    assert (status, body["head"]["repo"]["full_name"]) == (201, "mallory/shop")
    status, body, _ = await company.api("POST", PULLS, mallory, wish)
    assert body["errors"][0]["message"] == "A pull request already exists for mallory:fix."


async def test_nobody_pushes_to_the_references_of_pull_requests(company: Company, tmp_path: Path) -> None:
    _, pull = from_fork(company)
    header = basic(company.hub.user("alice").token)
    assert (await git(tmp_path, "clone", "-q", f"{company.hub.url}/acme/shop.git", "work", header=header))[0] == 0
    code, said = await git(tmp_path / "work", "push", "origin", "HEAD:refs/pull/2/head", header=header)
    assert (code, "deny updating a hidden ref" in said) == (1, True)
    code, _ = await git(tmp_path / "work", "fetch", "-q", "origin", "refs/pull/2/head", header=header)
    assert code == 0
    assert (await git(tmp_path / "work", "rev-parse", "FETCH_HEAD"))[1].strip() == pull.head_sha


async def test_pushes_at_once_are_told_once_each(company: Company, tmp_path: Path) -> None:
    company.listen("push")
    header = basic(await company.token())
    for index in range(6):
        where = tmp_path / str(index)
        await git(where, "clone", "-q", f"{company.hub.url}/acme/shop.git", "work", header=header)
        await git(where / "work", "commit", "-q", "--allow-empty", "-m", str(index))
    done = await asyncio.gather(
        *(
            git(tmp_path / str(index) / "work", "push", "-q", "origin", f"HEAD:refs/heads/b{index}", header=header)
            for index in range(6)
        )
    )
    assert [code for code, _ in done] == [0] * 6
    await company.hub.settle()
    told = sorted(each["ref"] for each in company.receiver.events("push"))
    assert told == [f"refs/heads/b{index}" for index in range(6)]
