"""The client and the reporter against localhub, which checks the JWT, every token's permissions, and every route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.github.app_auth import AppAuth, Purpose
from bot.github.errors import AccessLost, Locked
from bot.github.markers import reply_marker
from bot.github.repo_client import GitHub, RepoClient
from bot.reporting.pull_request import open_pull_request
from bot.reporting.reporter import RunReporter
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

MANIFEST: dict[str, object] = {
    "name": "speckit-bot",
    "url": "https://speckit.example.org",
    "default_permissions": {
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "pull_requests": "write",
        "metadata": "read",
    },
    "default_events": ["issue_comment"],
}
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
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with LocalHub(tmp_path / "hub") as hub, aiohttp.ClientSession() as http:
        for login in ("alice", "bob"):
            hub.create_user(login)
        shop = hub.create_repository("acme/shop", {"README.md": "# Shop"}, permissions={"alice": "write"})
        app = hub.register_app(
            "speckit-bot", MANIFEST, webhook_url="", webhook_secret="x" * 16, public_key_pem=PUBLIC_KEY
        )
        installation = hub.install(app, [shop])
        issue = hub.create_issue(shop, "Invoices", "Please.", author="alice")
        auth = AppAuth(http, app_id=app.id, private_key=PRIVATE_KEY, api_url=hub.api_url)
        yield Company(hub, shop, app, installation, issue, auth, GitHub(http, auth, hub.api_url))
        assert hub.unknown_routes == []
        assert hub.violations == []


async def test_everything_the_client_does_is_permitted(company: Company) -> None:
    hub, repo, issue = company.hub, company.repo, company.issue
    asked = await hub.comment(issue, "/speckit specify x", author="alice")
    info = await company.auth.app()
    assert (info.id, info.permissions) == (company.app.id, MANIFEST["default_permissions"])
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
    reporter = RunReporter(database, company.github, run_page_base=None, prefix="/speckit")
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
    number, _ = await open_pull_request(database, company.repo, lease)
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
    assert [run.conclusion for run in hub.check_runs(company.shop, head)] == ["success"]
    assert [reaction.content for reaction in hub.reactions(asked)] == ["rocket"]
    await asyncio.sleep(0)


async def a_run(company: Company, database: Database, comment_id: int) -> Lease:
    new = NewRun(
        command_key="k", repository="acme/shop", repository_id=company.shop.id, installation_id=company.installation,
        private=False, issue_number=company.issue.number, on_pull_request=False, issue_title="Invoices",
        comment_id=comment_id, requested_by="alice", requested_by_id=1, base_branch=None, requested_spec_input="x",
        until_phase=Phase.SPECKIT_TASKS, dry_run=False, requested_agent=None,
    )  # fmt: skip
    async with database.transaction() as session:
        run, _ = await open_run(session, new)
        lease = await claim(session, run.run_id, "me", 45)
        assert lease is not None
        await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
    return lease
