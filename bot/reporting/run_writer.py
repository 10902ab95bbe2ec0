"""What is written on GitHub about a run, thing by thing: its comment, its check run, its questions, its reaction.

Each write can be repeated. That a thing is about to be created is committed before GitHub is asked; whoever finds the
intention without the result looks for the thing first. Before every write the lease is proved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Unpack

from bot.github.errors import NotFound
from bot.github.markers import questions_marker, run_marker
from bot.github.repo_client import RepoClient
from bot.reporting import messages
from bot.reporting.check_run import check_run, superseded_check_run
from bot.reporting.clarification_comment import clarification_comment
from bot.reporting.file_links import FilesAt
from bot.reporting.later_commit import later_commit_check_run
from bot.reporting.run_comment import run_comment
from bot.reporting.run_view import RunView
from db.clarifications import note_comment
from db.leases import Lease, guard
from db.models import SpecAutomationRun
from db.records import Clarification
from db.runs import ReportFields, note_report
from db.session import Database
from db.vocabulary import RunStatus, Trigger


@dataclass(frozen=True, slots=True)
class Picture:
    """A run as it was at one moment, what was asked about its pull request, and the client for its repository."""

    run: SpecAutomationRun
    view: RunView
    questions: tuple[Clarification, ...]
    client: RepoClient

    @property
    def pull_request_number(self) -> int | None:
        """The run's pull request, its own or the one it goes on with."""
        return self.run.report.pull_request_number or self.run.pull_request_number

    def digest(self) -> str:
        """What people would see, without the time that passes while nothing happens."""
        still = replace(self.view, now=self.run.created_at)
        shown: list[object] = [run_comment(self.run, still), [question_digest(asked) for asked in self.questions]]
        if sha := self.run.head_sha or self.run.report.check_run_sha:
            shown.append(check_run(self.run, still, head_sha=sha))
        return _digest(shown)


def question_digest(asked: Clarification) -> str:
    """What the comment with the questions shows."""
    return _digest([asked.questions, asked.answers, asked.answered_by, asked.closed_at is not None])


def _digest(shown: object) -> str:
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


class RunWriter:
    """The writes about one run under one lease. Every method raises GitHubError and LeaseLost.

    ``picture`` is kept true to what the writes made, so that its digest is that of what was told.
    """

    def __init__(self, database: Database, lease: Lease, picture: Picture, prefix: str) -> None:
        self._database = database
        self._lease = lease
        self.picture = picture
        self._prefix = prefix

    async def comment(self) -> None:
        """The one comment of the run, written or brought up to date."""
        run, client = self.picture.run, self.picture.client
        body = run_comment(run, self.picture.view)
        comment_id = run.report.comment_id
        if comment_id is not None:
            await self._prove()
            await client.edit_comment(comment_id, body)
            return
        existing = None
        if run.report.comment_intended_at is None:
            await self.note(comment_intended_at=self.picture.view.now)
        else:
            existing = await client.find_comment(run.issue_number, run_marker(run.run_id))
            await self._prove()
        if existing is None:
            existing = await client.comment(run.issue_number, body)
        elif existing.body != body:
            await client.edit_comment(existing.id, body)
        run.report.comment_id, run.report.comment_url = existing.id, existing.url
        await self.note(comment_id=existing.id, comment_url=existing.url, comment_node_id=existing.node_id)

    async def check_run(self) -> None:
        """The check run on the newest commit of the run's branch: its own once it pushed, before that the head of the
        pull request it goes on with. One on an older commit is ended."""
        run, client = self.picture.run, self.picture.client
        sha = run.head_sha or run.report.check_run_sha
        if sha is None and run.pull_request_number is not None:
            sha = (await client.pull_request(run.pull_request_number)).head_sha
        if sha is None:
            return
        check_run_id = run.report.check_run_id
        if check_run_id is not None and run.report.check_run_sha not in {None, sha}:
            await self._prove()
            await client.update_check_run(check_run_id, superseded_check_run(run, str(run.report.check_run_sha), sha))
            check_run_id = None
        if check_run_id is None and run.report.check_intended_at is not None:
            check_run_id = await client.find_check_run(sha, str(run.run_id))
        payload = check_run(run, self.picture.view, head_sha=sha)
        if check_run_id is None:
            await self.note(check_intended_at=self.picture.view.now)
            check_run_id = await client.create_check_run(payload)
        else:
            await self._prove()
            await client.update_check_run(check_run_id, payload)
        run.report.check_run_id, run.report.check_run_sha = check_run_id, sha
        await self.note(check_run_id=check_run_id, check_run_sha=sha)

    async def later_commit(self, head_sha: str) -> None:
        """A check run of its own for a commit that somebody else pushed: else a new head would have none."""
        run, client = self.picture.run, self.picture.client
        payload = later_commit_check_run(run, self.picture.view, head_sha=head_sha)
        existing = await client.find_check_run(head_sha, str(run.run_id))
        await self._prove()
        if existing is None:
            await client.create_check_run(payload)

    async def questions(self) -> None:
        """The comment with the questions this run asked, and those of earlier ones whose answers came since."""
        number = self.picture.pull_request_number
        for asked in self.picture.questions:
            if number is None or asked.told_digest == question_digest(asked):
                continue
            is_ours = asked.run_id == self.picture.run.run_id
            if asked.comment_id is None and not (is_ours and asked.closed_at is None):
                continue
            await self._tell_questions(number, asked)

    async def _tell_questions(self, number: int, asked: Clarification) -> None:
        client, digest = self.picture.client, question_digest(asked)
        at = FilesAt(self.picture.view.repository_url, self.picture.run.head_sha)
        body = clarification_comment(asked, prefix=self._prefix, marker=questions_marker(asked.run_id), at=at)
        if asked.comment_id is not None:
            await self._prove()
            with suppress(NotFound):
                await client.edit_comment(asked.comment_id, body)
            await self._note_questions(asked, told_digest=digest)
            return
        existing = None
        if asked.comment_intended_at is None:
            await self._note_questions(asked, comment_intended_at=self.picture.view.now)
        else:
            existing = await client.find_comment(number, questions_marker(asked.run_id))
            await self._prove()
        if existing is None:
            existing = await client.comment(number, body)
        elif existing.body != body:
            await client.edit_comment(existing.id, body)
        await self._note_questions(asked, comment_id=existing.id, comment_url=existing.url, told_digest=digest)
        self.picture = replace(self.picture, view=replace(self.picture.view, questions_url=existing.url))

    async def _note_questions(self, asked: Clarification, **fields: Any) -> None:
        async with self._database.transaction() as session:
            await guard(session, self._lease)
            await note_comment(session, asked.run_id, **fields)

    async def reaction(self) -> None:
        """How it ended, on the comment that asked for it."""
        run, client = self.picture.run, self.picture.client
        if run.comment_id is None:
            return
        await self._prove()
        react = client.react_to_review_comment if run.trigger is Trigger.REVIEW_COMMENT else client.react
        await react(run.comment_id, "confused" if run.status == RunStatus.FAILED else "rocket")

    async def thread_reply(self) -> None:
        """What became of a wish, in the thread of the review comment that had it; also where it came of a retry."""
        run, client = self.picture.run, self.picture.client
        thread, number = _number(run.arguments, "review_comment_id"), run.pull_request_number
        if thread is None or number is None:
            return
        marker = run_marker(run.run_id)
        if await client.find_reply(number, marker) is not None:
            return
        await self._prove()
        text = messages.refine_thread_reply(run, self.picture.view)
        await client.reply_to_review_comment(number, thread, f"{text}\n\n{marker}")

    async def fold(self, older: SpecAutomationRun) -> None:
        """Minimize the comment of an older run as outdated: this run's comment tells more."""
        if older.report.comment_node_id is None:
            return
        await self._prove()
        with suppress(NotFound):
            await self.picture.client.minimize_comment(older.report.comment_node_id)
        async with self._database.transaction() as session:
            await guard(session, self._lease)
            await note_report(session, None, older.run_id, comment_folded_at=self.picture.view.now)

    async def note(self, **fields: Unpack[ReportFields]) -> None:
        """Remember what was made, or is about to be."""
        async with self._database.transaction() as session:
            await note_report(session, self._lease, self._lease.run_id, **fields)

    async def _prove(self) -> None:
        async with self._database.transaction() as session:
            await guard(session, self._lease)


def _number(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    return value if type(value) is int else None
