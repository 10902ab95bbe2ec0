"""The client and the reporter against localhub, which checks the JWT, every token's permissions, and every route; and
the events we read from what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.events import ButtonPressed, parse_event
from bot.github.app_auth import AppAuth, Purpose
from bot.github.errors import AccessLost, Locked, NotFound, Refused
from bot.github.markers import reply_marker
from bot.github.repo_client import GitHub, IssueInfo, RepoClient
from bot.relevance import Relevance
from bot.reporting.publishing import publish_pull_request
from bot.reporting.reporter import RunReporter
from cli.manifest import manifest
from db.leases import Lease, claim, database_now
from db.runs import (
    NewRun,
    ReportFields,
    begin,
    finish_phase,
    finish_run,
    note_report,
    open_run,
    record_branch,
    record_head,
    record_source,
    start_phase,
)
from db.session import Database
from db.vocabulary import Phase, RunStatus, TaskStatus
from localhub import App, Issue, LocalHub, Repository
from tests.bot.github_world import PRIVATE_KEY, PUBLIC_KEY

BRANCH = "speckit/20261122/7f3a9c"


@dataclass
class Company:
    """A repository with an issue, the App installed on it, and our client."""

    hub: LocalHub
    shop: Repository
    app: App
    installation: int
    issue: Issue
    auth: AppAuth
    github: GitHub

    @property
    def repo(self) -> RepoClient:
        return self.github.repo(self.installation, self.shop.id, "acme/shop")


@pytest.fixture
async def ear() -> AsyncIterator[str]:
    """The address of somebody who takes every webhook."""

    async def hear(_request: web.Request) -> web.Response:
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", hear)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest.fixture
async def company(tmp_path: Path, ear: str) -> AsyncIterator[Company]:
    async with LocalHub(tmp_path / "hub") as hub, aiohttp.ClientSession() as http:
        for login in ("alice", "bob"):
            hub.create_user(login)
        shop = hub.create_repository("acme/shop", {"README.md": "# Shop"}, permissions={"alice": "write"})
        app = hub.register_app(
            "speckit-bot", manifest(), webhook_url=ear, webhook_secret="x" * 16, public_key_pem=PUBLIC_KEY
        )
        installation = hub.install(app, [shop])
        issue = hub.create_issue(shop, "Invoices", "Please.", author="alice")
        auth = AppAuth(http, app_id=app.id, private_key=PRIVATE_KEY, api_url=hub.api_url)
        yield Company(hub, shop, app, installation, issue, auth, GitHub(http, auth, hub.api_url))
        assert hub.unknown_routes == []
        # Whether there is a .github repository for us can only be found out by asking for it.
        assert [each for each in hub.violations if "'.github'" not in each.detail] == []


async def test_everything_the_client_does_is_permitted(company: Company) -> None:
    hub, repo, issue = company.hub, company.repo, company.issue
    asked = await hub.comment(issue, "/speckit specify x", author="alice")
    info = await company.auth.app()
    assert (info.id, info.permissions) == (company.app.id, manifest()["default_permissions"])
    assert [await repo.permission_of(login) for login in ("alice", "bob", "nobody-here")] == ["write", "read", "none"]
    repository = await repo.repository()
    assert (repository.slug, repository.default_branch, repository.clone_url) == (
        "acme/shop",
        "main",
        f"{hub.url}/acme/shop.git",
    )
    head = hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n"})
    await repo.react(asked.id, "eyes")
    marker = reply_marker("d1")
    comment = await repo.comment(issue.number, f"Hello\n\n{marker}")
    assert await repo.find_comment(issue.number, marker) == comment
    await repo.edit_comment(comment.id, f"Changed\n\n{marker}")
    payload = {
        "name": "speckit", "head_sha": head, "external_id": "r1", "status": "in_progress",
        "output": {"title": "t", "summary": "s", "annotations": []},
    }  # fmt: skip
    check = await repo.create_check_run(payload)
    assert await repo.find_check_run(head, "r1") == check
    await repo.update_check_run(check, {**payload, "status": "completed", "conclusion": "success"})
    pull = await repo.create_pull_request(head=BRANCH, base="main", title="t", body="b")
    assert await repo.find_pull_request(BRANCH) == pull

    assert [reaction.content for reaction in hub.reactions(asked)] == ["eyes"]
    assert hub.issue_thread(issue)[-1].body.startswith("Changed")
    assert [run.conclusion for run in hub.check_runs(company.shop, head)] == ["success"]
    assert hub.pull_request(company.shop, pull.number).draft


async def test_files_and_branches_are_read(company: Company) -> None:
    hub, repo = company.hub, company.repo
    head = hub.commit_files(company.shop, BRANCH, {"specs/001-ü x/spec.md": "# X\n", "run.sh": "true\n" * 300})
    assert await repo.file("README.md") == b"# Shop"
    assert await repo.file("specs/001-ü x/spec.md") is None
    assert (
        await repo.file("specs/001-ü x/spec.md", head) == await repo.file("specs/001-ü x/spec.md", BRANCH) == b"# X\n"
    )
    assert await repo.file("run.sh", BRANCH) == b"true\n" * 300
    assert await repo.file("README.md", "no-such-branch") is None
    with pytest.raises(Refused):
        await repo.file("specs", BRANCH)
    assert sorted(await repo.branch_names()) == sorted(["main", BRANCH])
    assert await repo.branch_names("speckit/") == [BRANCH]
    assert await repo.branch_names("spec/") == []


async def test_a_file_of_the_organization_needs_an_installation_there(company: Company) -> None:
    hub, github = company.hub, company.github
    assert await github.org_file(company.installation, "acme", "speckit.yml") is None, "there is no such repository"
    shared = hub.create_repository("acme/.github", {"speckit.yml": "agent: template\n"})
    assert await github.org_file(company.installation, "acme", "speckit.yml") is None, "not installed there"
    hub.uninstall(company.installation)
    assert await github.org_file(company.installation, "acme", "speckit.yml") is None, "not installed at all"
    company.installation = hub.install(company.app, [company.shop, shared])
    assert await github.org_file(company.installation, "acme", "speckit.yml") == b"agent: template\n"
    assert await github.org_file(company.installation, "acme", "other.yml") is None


async def test_issues_and_pull_requests_are_read_and_marked(company: Company) -> None:
    hub, repo, issue = company.hub, company.repo, company.issue
    assert await repo.issue(issue.number) == IssueInfo(issue.number, "Invoices", "Please.", "open", False, (), False)
    for _ in range(2):
        await repo.add_labels(issue.number, ["speckit:specify", "kind/ü"])
        await repo.add_assignees(issue.number, ["alice"])
    for _ in range(2):
        await repo.remove_label(issue.number, "speckit:specify")
    assert (await repo.issue(issue.number)).labels == ("kind/ü",)
    assert [each.login for each in issue.assignees] == ["alice"]

    head = hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n", "specs/001-x/plan.md": "# P\n"})
    made = await repo.create_pull_request(head=BRANCH, base="main", title="t", body="b")
    await repo.update_pull_request(made.number, body="new")
    await repo.request_reviewers(made.number, ["alice"], [])
    with pytest.raises(Refused):
        await repo.request_reviewers(made.number, ["bob"], [])
    read = await repo.pull_request(made.number)
    assert (read.title, read.body, read.head_sha, read.head_branch) == ("t", "new", head, BRANCH)
    assert (read.state, read.draft, read.merged, read.base_branch) == ("open", True, False, "main")
    assert (read.is_ours, read.author, read.head_repository_id) == (True, "speckit-bot[bot]", company.shop.id)
    assert await repo.open_pull_requests() == [read]
    assert await repo.pull_request_files(made.number) == ["specs/001-x/plan.md", "specs/001-x/spec.md"]
    assert (await repo.issue(made.number)).is_pull_request
    with pytest.raises(NotFound):
        await repo.pull_request(issue.number)


async def test_threads_are_answered_and_comments_folded_away(company: Company) -> None:
    hub, repo = company.hub, company.repo
    hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n\nPay.\n"})
    made = await repo.create_pull_request(head=BRANCH, base="main", title="t", body="b")
    pull = hub.pull_request(company.shop, made.number)
    asked = await hub.review_comment(pull, "specs/001-x/spec.md", 3, "/speckit refine Say how", author="alice")
    await repo.react_to_review_comment(asked.id, "eyes")
    reply = await repo.reply_to_review_comment(made.number, asked.id, f"Done.\n\n{reply_marker('d1')}")
    assert await repo.find_reply(made.number, reply_marker("d1")) == reply
    assert await repo.find_reply(made.number, reply_marker("d2")) is None
    assert [(each.id, each.body[:5]) for each in hub.review_comments(pull)[1:]] == [(reply.id, "Done.")]
    assert [each.content for each in hub.reactions(asked)] == ["eyes"]

    comment = await repo.comment(made.number, "outdated")
    for _ in range(2):
        await repo.minimize_comment(comment.node_id)
    folded = hub.issue_thread(pull)[-1]
    assert (folded.id, folded.minimized) == (comment.id, "outdated")
    await hub.delete_comment(folded)
    with pytest.raises(NotFound):
        await repo.minimize_comment(comment.node_id)


async def test_each_event_is_read_from_what_is_sent(company: Company) -> None:
    hub, repo, issue = company.hub, company.repo, company.issue
    head = hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n\nPay.\n"})
    made = await repo.create_pull_request(head=BRANCH, base="main", title="t", body="b")
    pull = hub.pull_request(company.shop, made.number)
    output = {"title": "t", "summary": "s"}
    button = {"label": "Retry", "description": "Again", "identifier": "retry"}
    await repo.create_check_run(
        {"name": "speckit", "head_sha": head, "external_id": "r1", "status": "completed", "conclusion": "failure",
         "output": output, "actions": [button]}
    )  # fmt: skip
    (check,) = hub.check_runs(company.shop, head)
    await hub.comment(issue, "/speckit specify x", author="alice")
    await hub.review_comment(pull, "specs/001-x/spec.md", 3, "/speckit refine x", author="alice")
    for target in (issue, pull):
        await hub.label(target, "speckit:specify", author="alice")
        await hub.assign(target, company.app, author="alice")
    await hub.press_button(check, "retry", author="alice")
    await hub.rerequest(check, author="alice")
    await hub.rerequest_suite(company.shop, head, author="alice", app=company.app)
    hub.set_state(pull, "closed", author="alice")
    await hub.settle()
    read = [parse_event(sent.event, sent.payload) for sent in hub.deliveries]
    events = [event for event in read if event is not None and event.actor == "alice"]
    assert [type(event).__name__ for event in events] == [
        "CommentPosted", "ReviewCommentPosted", "Labeled", "Assigned", "Labeled", "Assigned",
        "ButtonPressed", "CheckRerequested", "SuiteRerequested", "PullRequestChanged",
    ]  # fmt: skip
    assert all(event.actor_is_person and event.installation_id == company.installation for event in events)
    assert all(event.repository_id == company.shop.id for event in events)
    relevance = Relevance("/speckit", company.app.id, lambda: company.app.slug)
    assert [await relevance.is_for_us(event) for event in events] == [True] * len(events)
    assert len({event.said_key for event in events}) == len(events)
    ours = [event for event in read if event is not None and event.actor != "alice"]
    assert [event for event in ours if await relevance.is_for_us(event)] == []


async def test_a_button_pressed_after_something_happened_says_something_new(company: Company) -> None:
    hub, repo = company.hub, company.repo
    head = hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n"})
    button = {"label": "Retry", "description": "Again", "identifier": "retry"}
    ended = {
        "name": "speckit", "head_sha": head, "status": "completed", "conclusion": "failure",
        "output": {"title": "t", "summary": "s"}, "actions": [button],
    }  # fmt: skip
    first = await repo.create_check_run({**ended, "external_id": "r1"})
    (check,) = hub.check_runs(company.shop, head)
    await hub.press_button(check, "retry", author="alice")
    # The retry ran and failed too: its check run has the button now.
    await repo.create_check_run({**ended, "external_id": "r2"})
    _, newest = hub.check_runs(company.shop, head)
    await hub.press_button(newest, "retry", author="alice")
    await repo.update_check_run(first, {**ended, "external_id": "r1", "output": {"title": "t", "summary": "later"}})
    await hub.press_button(check, "retry", author="alice")
    read = [parse_event(sent.event, sent.payload) for sent in hub.deliveries if sent.event == "check_run"]
    presses = [event for event in read if isinstance(event, ButtonPressed)]
    assert [event.external_id for event in presses] == ["r1", "r2", "r1"]
    assert len({event.said_key for event in presses}) == 3


async def test_losses_are_told(company: Company) -> None:
    company.hub.lock(company.issue)
    await company.repo.repository()
    await company.auth.token(company.installation, company.shop.id, Purpose.REPORT)
    with pytest.raises(Locked):
        await company.repo.comment(company.issue.number, "x")
    company.hub.lock(company.issue, locked=False)
    await company.repo.comment(company.issue.number, "x")
    company.hub.revoke_tokens()
    await company.repo.comment(company.issue.number, "with a new token")
    company.hub.uninstall(company.installation)
    with pytest.raises(AccessLost):
        await company.repo.comment(company.issue.number, "gone")


async def test_a_run_from_its_first_comment_to_its_last_word(company: Company, database: Database) -> None:
    hub, issue = company.hub, company.issue
    asked = await hub.comment(issue, "/speckit specify x", author="alice")
    lease = await a_run(company, database, asked.id)
    reporter = RunReporter(database, company.github, run_page_base=None, web_url=hub.url, prefix="/speckit")
    reporter.changed(lease)
    head = hub.commit_files(company.shop, BRANCH, {"specs/001-x/spec.md": "# X\n"})
    question = {"path": "specs/001-x/spec.md", "line": 1, "text": "Which?"}
    async with database.transaction() as session:
        await start_phase(session, lease, Phase.SPECKIT_SPECIFY)
        await finish_phase(
            session, lease, Phase.SPECKIT_SPECIFY, TaskStatus.SUCCEEDED, details={"open_questions": [question]}
        )
        await record_source(session, lease, "main", hub.branches(company.shop)["main"])
        await record_branch(session, lease, BRANCH)
        await record_head(session, lease, head)
    number, _ = await publish_pull_request(database, company.repo, lease)
    async with database.transaction() as session:
        await finish_run(session, lease, RunStatus.SUCCEEDED, "done")
    await reporter.finish(lease)
    # As after a crash before the last row, and before the row that knows the check run.
    for forgotten in ({}, {"check_run_id": None, "check_run_sha": None}):
        async with database.transaction() as session:
            forget: ReportFields = {"final_reported_at": None, **forgotten}  # type: ignore[typeddict-item]
            await note_report(session, lease, lease.run_id, **forget)
        await reporter.finish(lease)
    await reporter.close()
    (check,) = hub.check_runs(company.shop, head)
    assert [note["message"] for note in check.annotations] == ["Which?"]
    said = [comment.body for comment in hub.issue_thread(issue)[1:]]
    assert len(said) == 1
    assert f"[Pull request {number}]" in said[0]
    assert check.conclusion == "action_required", "a question is open"
    assert [reaction.content for reaction in hub.reactions(asked)] == ["rocket"]
    await asyncio.sleep(0)


async def a_run(company: Company, database: Database, comment_id: int) -> Lease:
    new = NewRun(
        command_key="k", repository="acme/shop", repository_id=company.shop.id, installation_id=company.installation,
        private=False, issue_number=company.issue.number, on_pull_request=False, issue_title="Invoices",
        comment_id=comment_id, requested_by="alice", requested_by_id=1, base_branch=None, requested_spec_input="x",
        until_phase=Phase.SPECKIT_TASKS, dry_run=False, requested_agent=None, writer_key="k",
    )  # fmt: skip
    async with database.transaction() as session:
        run, _ = await open_run(session, new)
        lease = await claim(session, run.run_id, "me", 45)
        assert lease is not None
        await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
    return lease
