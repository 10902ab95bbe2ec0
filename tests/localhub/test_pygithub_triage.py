"""PyGithub on labels, assignees, reviews, edits of pull requests and folded comments: a second opinion on the API."""

from __future__ import annotations

import pytest
from github import GithubException

from localhub import PullRequest
from tests.localhub.conftest import Company, in_thread
from tests.localhub.test_pygithub import as_app, as_user


def pull(company: Company) -> PullRequest:
    company.hub.commit_files(company.shop, "side", {"specs/spec.md": "# Spec\n\nIt remembers.\n"})
    return company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")


async def test_labels(company: Company) -> None:
    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            made = repository.create_label("speckit:specify", "0e8a16", "Starts a run")
            assert (made.name, made.color, made.description) == ("speckit:specify", "0e8a16", "Starts a run")
            assert repository.get_label("speckit:specify").color == "0e8a16"
            assert [each.name for each in repository.get_labels()] == ["speckit:specify"]
            with pytest.raises(GithubException, match="already_exists"):
                repository.create_label("speckit:specify", "0e8a16")
            issue = repository.get_issue(1)
            issue.add_to_labels("speckit:specify", "bug")
            assert [each.name for each in issue.get_labels()] == ["speckit:specify", "bug"]
            issue.remove_from_labels("speckit:specify")
            issue.set_labels("later")
            assert [each.name for each in repository.get_issue(1).labels] == ["later"]
            issue.delete_labels()
            with pytest.raises(GithubException, match="Label does not exist"):
                issue.remove_from_labels("later")

    await in_thread(use)
    assert company.issue.labels == []
    assert company.hub.unknown_routes == []


async def test_assignees_and_edits_of_issues(company: Company) -> None:
    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            issue = repository.get_issue(1)
            issue.add_to_assignees("alice")
            assert [each.login for each in issue.assignees] == ["alice"]
            assert repository.has_in_assignees("alice")
            assert not repository.has_in_assignees("mallory")
            assert {each.login for each in repository.get_assignees()} == {"alice", "speckit-bot[bot]"}
            issue.remove_from_assignees("alice")
            issue.edit(title="New", labels=["bug"], assignees=["alice"])
            found = repository.get_issue(1)
            assert (found.title, found.labels[0].name, found.assignees[0].login) == ("New", "bug", "alice")

    await in_thread(use)
    assert company.hub.unknown_routes == []


async def test_reviews(company: Company) -> None:
    found = pull(company)
    company.hub.set_permission(company.shop, "bob", "read")

    def use() -> None:
        with as_app(company) as client:
            there = client.get_repo("acme/shop").get_pull(2)
            comment = there.create_review_comment("Long?", found.head_sha, "specs/spec.md", line=3)
            assert (comment.path, comment.line, comment.side, comment.commit_id) == (
                "specs/spec.md",
                3,
                "RIGHT",
                found.head_sha,
            )
            reply = there.create_review_comment_reply(comment.id, "A year.")
            assert reply.in_reply_to_id == comment.id
            assert [each.body for each in there.get_review_comments()] == ["Long?", "A year."]
            assert there.get_review_comment(comment.id).diff_hunk.endswith("+It remembers.")
            comment.edit("How long?")
            comment.create_reaction("+1")
            assert [each.content for each in comment.get_reactions()] == ["+1"]
            there.create_review_request(reviewers=["bob"])
            assert [each.login for each in there.get_review_requests()[0]] == ["bob"]
            with pytest.raises(GithubException, match="Reviews may only be requested from collaborators"):
                there.create_review_request(reviewers=["mallory"])
            there.delete_review_request(reviewers=["bob"])
            reply.delete()

    await in_thread(use)
    (left,) = company.hub.review_comments(found)
    assert (left.body, left.edits, left.author) == ("How long?", 1, "speckit-bot[bot]")
    assert (found.requested_reviewers, company.hub.unknown_routes) == ([], [])


async def test_comments_are_folded(company: Company) -> None:
    comment = await company.hub.comment(company.issue, "an older report", author="alice")

    def use() -> None:
        with as_app(company) as client:
            there = client.get_repo("acme/shop").get_issue(1).get_comment(comment.id)
            assert there.minimize("OUTDATED")
            assert company.hub.issue_thread(company.issue)[0].minimized == "outdated"
            assert there.unminimize()
        with as_user(company, "mallory") as client:
            there = client.get_repo("acme/shop").get_issue(1).get_comment(comment.id)
            with pytest.raises(GithubException, match="does not have the correct permissions"):
                there.minimize()

    await in_thread(use)
    assert (comment.minimized, company.hub.violations) == (None, [])


async def test_pull_requests_are_edited_and_checks_asked_for_again(company: Company) -> None:
    found = pull(company)

    def use() -> None:
        with as_app(company) as client:
            repository = client.get_repo("acme/shop")
            there = repository.get_pull(2)
            there.edit(title="Better", body="Refs #1", state="closed")
            there.edit(state="open")
            there.add_to_labels("bug")
            run = repository.create_check_run("speckit", found.head_sha, conclusion="neutral")
            assert [each.number for each in run.pull_requests] == [2]
            suite = repository.get_check_suite(run.check_suite.id)
            assert (suite.head_branch, suite.conclusion) == ("side", "neutral")
            assert suite.rerequest()
            assert repository.get_check_suite(suite.id).status == "queued"
            assert repository.get_git_matching_refs("heads/si")[0].ref == "refs/heads/side"
            assert repository.compare("main", "side").ahead_by == 1

    await in_thread(use)
    assert (found.title, found.body, found.state, found.issue.label_names) == ("Better", "Refs #1", "open", ["bug"])
    assert company.hub.unknown_routes == []
