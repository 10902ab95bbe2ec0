"""Intake with a real database and a real Redis: people do something on GitHub, and it is handled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from redis import asyncio as redis_asyncio
from sqlalchemy import select

from bot.configuration.source import ConfigurationSource
from bot.events import event_to_json, parse_event
from bot.intake import IntakeService
from bot.queue import RunQueue
from bot.settings import Settings
from db.deliveries import next_unhandled
from db.leases import claim, database_now, release
from db.models import SpecAutomationRun
from db.records import Clarification, Delivery
from db.runs import (
    NewRun,
    begin,
    finish_phase,
    finish_run,
    get_run,
    note_report,
    open_run,
    record_branch,
    record_head,
    record_source,
    start_phase,
)
from db.session import Database
from db.vocabulary import DeliveryOutcome, ErrorCode, Phase, RunStatus, TaskStatus
from tests.bot.deliveries import (
    HEAD,
    REPOSITORY_ID,
    assigned_payload,
    changed,
    check_run_payload,
    check_suite_payload,
    comment_payload,
    labeled_payload,
    pull_request_payload,
    review_comment_payload,
)
from tests.bot.example_runs import QUESTIONS
from tests.bot.fake_repos import FakeRepos
from tests.db.rows import record_delivery

PULL = 12
BRANCH = "speckit/20261122/7f3a9c"
OURS = NewRun(
    command_key="4711:1:0",
    repository="acme/shop",
    repository_id=REPOSITORY_ID,
    installation_id=4711,
    private=False,
    issue_number=7,
    on_pull_request=False,
    issue_title="Invoices",
    comment_id=1,
    requested_by="mona",
    requested_by_id=583231,
    base_branch=None,
    requested_spec_input="Pay by invoice",
    until_phase=None,
    dry_run=False,
    requested_agent=None,
    writer_key="issue:7",
)


@dataclass
class Teller:
    """In the reporter's place: it only hears whose place should be told."""

    told: list[UUID] = field(default_factory=list)
    later: list[tuple[UUID, str]] = field(default_factory=list)

    async def waiting(self, run_id: UUID, owner: str) -> None:
        self.told.append(run_id)

    async def later_commit(self, run_id: UUID, head_sha: str, owner: str) -> None:
        self.later.append((run_id, head_sha))


class Door:
    """Records deliveries and hands them to intake."""

    def __init__(self, settings: Settings, database: Database, redis_url: str) -> None:
        self.database = database
        self.github = FakeRepos(
            roles={"mona": "write", "reader": "read", "triager": "triage", "keeper": "maintain", "boss": "admin"}
        )
        self.redis_url = redis_url
        self.queue = RunQueue(redis_url)
        self.settings = settings
        self.teller = Teller()
        self.configuration = ConfigurationSource(self.github, settings)
        self.intake = IntakeService(settings, database, self.github, self.queue, self.configuration, self.teller)
        self._count = 0

    # What people do

    async def record(self, body: str, author: str = "mona", *, on_pull: bool = False, **paths: Any) -> str:
        """A comment whose delivery was recorded and not handled; returns its id."""
        if on_pull:
            paths = {"issue__number": PULL, "issue__pull_request": {"url": "https://api.example/pulls/12"}, **paths}
        payload = comment_payload(body, comment__user__login=author, sender__login=author, **paths)
        return await self.record_event("issue_comment", payload)

    async def record_event(self, event_name: str, payload: dict[str, Any]) -> str:
        """The same of any event."""
        event = parse_event(event_name, payload)
        assert event is not None
        self._count += 1
        delivery = f"d-{self._count}"
        async with self.database.transaction() as session:
            assert await record_delivery(session, delivery, event.said_key, event_to_json(event))
        return delivery

    async def say(self, body: str, author: str = "mona", **how: Any) -> DeliveryOutcome | None:
        """Somebody comments, and the delivery is handled; ``on_pull``: on our pull request."""
        return await self.intake.handle(await self.record(body, author, **how))

    async def say_on_a_line(self, body: str, author: str = "mona", **paths: Any) -> DeliveryOutcome | None:
        """Somebody comments on line 12 of the specification in our pull request."""
        payload = review_comment_payload(body, comment__user__login=author, sender__login=author, **paths)
        return await self._happens("pull_request_review_comment", payload)

    async def label(
        self, label: str = "speckit:specify", author: str = "mona", *, pull: bool = False, **paths: Any
    ) -> DeliveryOutcome | None:
        """Somebody puts a label on the issue or on our pull request."""
        payload = labeled_payload(label, pull=pull, sender__login=author, **paths)
        return await self._happens("pull_request" if pull else "issues", payload)

    async def assign(self, author: str = "mona", *, pull: bool = False, **paths: Any) -> DeliveryOutcome | None:
        """Somebody assigns it to our App's bot."""
        payload = assigned_payload(pull=pull, sender__login=author, **paths)
        return await self._happens("pull_request" if pull else "issues", payload)

    async def press(
        self, run_id: object, identifier: str = "retry", author: str = "mona", **paths: Any
    ) -> DeliveryOutcome | None:
        """Somebody presses a button of a run's check run."""
        return await self._happens("check_run", self.press_payload(run_id, identifier, author, **paths))

    def press_payload(
        self, run_id: object, identifier: str = "retry", author: str = "mona", **paths: Any
    ) -> dict[str, Any]:
        payload = check_run_payload(check_run__external_id=str(run_id), sender__login=author, **paths)
        return changed(payload, requested_action={"identifier": identifier})

    async def rerun(self, external_id: object, author: str = "mona", **paths: Any) -> DeliveryOutcome | None:
        """Somebody asks for a check run again."""
        payload = check_run_payload(
            "rerequested", check_run__external_id=str(external_id), sender__login=author, **paths
        )
        return await self._happens("check_run", payload)

    async def rerun_all(self, author: str = "mona", **paths: Any) -> DeliveryOutcome | None:
        """Somebody asks for all check runs of the commit again."""
        return await self._happens("check_suite", check_suite_payload(sender__login=author, **paths))

    async def pull_request(self, action: str = "synchronize", **paths: Any) -> DeliveryOutcome | None:
        """A pull request gets commits, or is opened or closed."""
        return await self._happens("pull_request", pull_request_payload(action, **paths))

    async def _happens(self, event_name: str, payload: dict[str, Any]) -> DeliveryOutcome | None:
        return await self.intake.handle(await self.record_event(event_name, payload))

    async def as_sweeper(self, delivery: str) -> DeliveryOutcome | None:
        """What the sweeper does with a delivery that lies about."""
        async with self.database.transaction() as session:
            handed_out = await next_unhandled(session, -1)
        assert handed_out is None or handed_out.delivery_id == delivery
        return await self.intake.handle(delivery)

    async def again(self, delivery: str) -> DeliveryOutcome | None:
        """As if the process had died right before it noted the end of a delivery."""
        async with self.database.transaction() as session:
            for row in await session.scalars(select(Delivery)):
                if row.delivery_id == delivery:
                    row.handled_at = row.outcome = None
        return await self.as_sweeper(delivery)

    # What was there before

    async def our_pull_request(self, **changes: Any) -> UUID:
        """Pull request 12 is ours: a run for issue 7 opened it and went well. Returns that run."""
        return await self.run_of(RunStatus.SUCCEEDED, pull=PULL, **changes)

    async def run_of(
        self,
        status: RunStatus,
        *,
        phases: Sequence[Phase] = (),
        failed: Phase | None = None,
        pull: int | None = None,
        branch: str | None = None,
        **changes: Any,
    ) -> UUID:
        """A run that ended, or works, after ``phases`` succeeded and one ``failed``; with ``pull`` it pushed."""
        self._count += 1
        new = replace(OURS, **{"command_key": f"4711:{self._count}:0", "comment_id": self._count, **changes})
        async with self.database.transaction() as session:
            run, _ = await open_run(session, new)
            if status is RunStatus.QUEUED:
                return run.run_id
            lease = await claim(session, run.run_id, "worker", 45)
            assert lease is not None
            await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
            for phase in (*phases, *([failed] if failed else [])):
                await start_phase(session, lease, phase)
                ended = TaskStatus.FAILED if phase is failed else TaskStatus.SUCCEEDED
                await finish_phase(session, lease, phase, ended, details={"x": phase.value})
            if pull is not None:
                await record_source(session, lease, "main", "a" * 40)
                await record_branch(session, lease, branch or BRANCH)
                await record_head(session, lease, HEAD)
                url = f"https://github.com/acme/shop/pull/{pull}"
                await note_report(session, lease, run.run_id, pull_request_number=pull, pull_request_url=url)
            if status.is_terminal:
                code = ErrorCode.AGENT_FAILED if status is RunStatus.FAILED else None
                await finish_run(session, lease, status, "It is over.", code)
                await release(session, lease)
        return run.run_id

    async def end(self, run_id: UUID, status: RunStatus = RunStatus.SUCCEEDED) -> None:
        """A worker takes the queued run and brings it to its end."""
        async with self.database.transaction() as session:
            lease = await claim(session, run_id, "worker", 45)
            assert lease is not None
            await begin(session, lease, "host", await database_now(session) + timedelta(hours=1))
            code = ErrorCode.AGENT_FAILED if status is RunStatus.FAILED else None
            await finish_run(session, lease, status, "It is over.", code)
            await release(session, lease)

    async def ask_questions(self, run_id: UUID, comment_id: int | None = 900) -> None:
        """Three questions about our pull request, in a comment of ours."""
        async with self.database.transaction() as session:
            session.add(
                Clarification(
                    run_id=run_id,
                    repository_id=REPOSITORY_ID,
                    pull_request_number=PULL,
                    questions={"questions": QUESTIONS},
                    asked_at=await database_now(session),
                    comment_id=comment_id,
                    answers={},
                )
            )

    async def age(self, by: timedelta) -> None:
        """Let the deliveries so far have arrived earlier."""
        async with self.database.transaction() as session:
            for delivery in await session.scalars(select(Delivery)):
                delivery.received_at -= by

    # What there is now

    async def runs(self) -> Sequence[SpecAutomationRun]:
        """All runs, in the order in which they were opened."""
        async with self.database.transaction() as session:
            query = select(SpecAutomationRun).order_by(SpecAutomationRun.created_at, SpecAutomationRun.command_key)
            return (await session.scalars(query)).all()

    async def only_run(self) -> SpecAutomationRun:
        (run,) = await self.runs()
        return run

    async def newest(self) -> SpecAutomationRun:
        """The newest run, everything loaded."""
        newest = (await self.runs())[-1]
        async with self.database.transaction() as session:
            return await get_run(session, newest.run_id)

    async def questions(self, run_id: UUID) -> Clarification:
        """What a run asked, and the answers so far."""
        async with self.database.transaction() as session:
            return await session.get_one(Clarification, run_id, populate_existing=True)

    async def jobs(self) -> list[str]:
        """The ids that wait in Redis."""
        socket = self.redis_url.removeprefix("unix://")
        async with redis_asyncio.Redis(unix_socket_path=socket, decode_responses=True) as redis:
            waiting = await redis.zrange("arq:queue", 0, -1)
        return sorted(str(job) for job in waiting)

    @property
    def replies(self) -> list[str]:
        """What was said in conversations."""
        return [body for _, body in self.github.comments]
