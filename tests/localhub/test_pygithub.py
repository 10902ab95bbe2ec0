"""PyGithub, a client that knows GitHub and nothing of us, does with the hub what it does with GitHub."""

from __future__ import annotations

from typing import Any

import github
import pytest
from github import Auth, Github, GithubException, GithubIntegration

from tests.localhub.conftest import Company, in_thread

QUICK: dict[str, Any] = {"retry": None, "seconds_between_requests": 0, "seconds_between_writes": 0}


def integration(company: Company) -> GithubIntegration:
    auth = Auth.AppAuth(company.app.id, company.key_pem)
    return GithubIntegration(auth=auth, base_url=company.hub.api_url, **QUICK)


def as_app(company: Company, permissions: dict[str, str] | None = None) -> Github:
    return integration(company).get_github_for_installation(company.installation, permissions)


def as_user(company: Company, login: str) -> Github:
    return Github(auth=Auth.Token(company.hub.user(login).token), base_url=company.hub.api_url, **QUICK)


async def test_the_app_and_its_installation(company: Company) -> None:
    def use() -> None:
        with integration(company) as app:
            assert app.get_app().slug == "speckit-bot"
            installation = app.get_repo_installation("acme", "shop")
            assert installation.id == company.installation
            assert [each.id for each in app.get_installations()] == [company.installation]
            assert app.get_org_installation("acme").app_id == company.app.id
            token = app.get_access_token(company.installation, permissions={"issues": "write"})
            assert token.permissions["issues"] == "write"
            names = {repository.full_name for repository in installation.get_repos()}
            assert names == {"acme/shop", "acme/vault"}

    await in_thread(use)


async def test_comments_and_reactions(company: Company) -> None:
    def use() -> None:
        with as_app(company) as client:
            issue = client.get_repo("acme/shop").get_issue(1)
            comment = issue.create_comment("queued")
            comment.edit("done")
            assert comment.create_reaction("rocket").content == "rocket"
            assert [each.content for each in comment.get_reactions()] == ["rocket"]
            assert [each.body for each in issue.get_comments()] == ["done"]
            assert comment.user.type == "Bot"
            second = issue.create_comment("second")
            second.delete()
            assert issue.get_comments().totalCount == 1

    await in_thread(use)
    (comment,) = company.hub.issue_thread(company.issue)
    assert (comment.body, comment.edits, comment.author) == ("done", 1, "speckit-bot[bot]")


async def test_pull_requests(company: Company) -> None:
    head = company.hub.commit_files(company.shop, "speckit/1", {"specs/1/spec.md": "# Spec\n"})

    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            pull = repository.create_pull(base="main", head="speckit/1", title="Spec", body="Refs #1", draft=True)
            assert (pull.number, pull.draft, pull.head.sha, pull.state) == (2, True, head, "open")
            assert [file.filename for file in pull.get_files()] == ["specs/1/spec.md"]
            assert [commit.sha for commit in pull.get_commits()] == [head]
            pull.edit(body="More")
            found = repository.get_pulls(state="open", head="acme:speckit/1")
            assert [each.body for each in found] == ["More"]
            with pytest.raises(GithubException) as refused:
                repository.create_pull(base="main", head="speckit/1", title="Again")
            assert refused.value.status == 422
            assert "A pull request already exists for acme:speckit/1." in str(refused.value.data)

    await in_thread(use)
    pull = company.hub.pull_request(company.shop, 2)
    assert (pull.body, pull.draft, pull.files) == ("More", True, ["specs/1/spec.md"])


async def test_check_runs(company: Company) -> None:
    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            commit = repository.get_commit("main")
            run = repository.create_check_run("speckit", commit.sha, external_id="1", status="in_progress")
            note = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "?"}
            run.edit(
                conclusion="success",
                output={"title": "Done", "summary": "ok", "annotations": [note]},
                actions=[{"label": "Retry", "identifier": "retry", "description": "Run again"}],
            )
            assert (run.status, run.conclusion, run.output.title) == ("completed", "success", "Done")
            assert [each.message for each in run.get_annotations()] == ["?"]
            assert [each.id for each in commit.get_check_runs()] == [run.id]
            assert repository.get_check_suite(run.check_suite.id).conclusion == "success"

    await in_thread(use)


async def test_code(company: Company) -> None:
    def use() -> None:
        with as_app(company, {"contents": "read"}) as client:
            repository = client.get_repo("acme/shop")
            readme, below = repository.get_contents("README.md"), repository.get_contents("")
            assert not isinstance(readme, list)
            assert isinstance(below, list)
            assert readme.decoded_content == b"# Shop\n"
            assert {each.path for each in below} == {"README.md", "src"}
            assert repository.get_branch("main").commit.sha == repository.get_git_ref("heads/main").object.sha
            assert [branch.name for branch in repository.get_branches()] == ["main"]

    await in_thread(use)


async def test_permissions_of_people(company: Company) -> None:
    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            assert repository.get_collaborator_permission("alice") == "write"
            assert repository.get_collaborator_role_name("alice") == "write"
            with pytest.raises(GithubException, match="ghost is not a user"):
                repository.get_collaborator_permission("ghost")
        with as_user(company, "bob") as client:
            assert client.get_user().login == "bob"
            with pytest.raises(GithubException, match="Must have push access"):
                client.get_repo("acme/shop").create_git_ref("refs/heads/x", company.hub.branches("acme/shop")["main"])

    await in_thread(use)


async def test_pages_of_issues(company: Company) -> None:
    for index in range(45):
        company.hub.create_issue(company.shop, f"issue {index}")

    def use() -> None:
        with as_app(company) as client:
            issues = client.get_repo("acme/shop").get_issues(direction="asc")
            assert issues.totalCount == 46
            assert [each.number for each in issues] == list(range(1, 47))
            assert [each.number for each in issues.reversed][:2] == [46, 45]

    await in_thread(use)


async def test_refusals_arrive_as_pygithub_knows_them(company: Company) -> None:
    def use() -> None:
        with as_app(company, {"issues": "read"}) as client:
            issue = client.get_repo("acme/shop").get_issue(1)
            with pytest.raises(github.GithubException, match="Resource not accessible by integration"):
                issue.create_comment("no")
        with (
            Github(auth=Auth.Token("ghp_wrong"), base_url=company.hub.api_url, **QUICK) as client,
            pytest.raises(github.BadCredentialsException),
        ):
            client.get_user().login  # noqa: B018 - the read asks
        with as_user(company, "mallory") as client, pytest.raises(github.UnknownObjectException):
            client.get_repo("acme/vault")

    await in_thread(use)
    assert [each.kind for each in company.hub.violations] == ["permission"]
    company.hub.faults.rate_limit("primary", 60)

    def limited() -> None:
        with as_user(company, "alice") as client, pytest.raises(github.RateLimitExceededException):
            client.get_repo("acme/shop")

    await in_thread(limited)
