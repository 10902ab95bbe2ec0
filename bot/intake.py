"""The story of a delivery on one screen: parse -> authorize -> open run -> commit -> enqueue -> acknowledge.

Wanted: whoever may give a command gets what it asks for or a sentence that says why not, once; nobody else is
bothered. Every step can be repeated, because a process may die between any two of them and the sweeper then handles the
delivery again: a run is keyed by comment and position, enqueueing an id twice does nothing, a reaction is there or not,
and the one reply of a delivery carries a marker that is looked for before it is posted a second time.

Known race: two handlers of one delivery at once could post the reply twice. So the web process gives up a delivery
before the sweeper begins to look at it: it starts within DrainedTasks' patience (10 s) and stops after HANDLE_SECONDS,
while the sweeper takes only what is older than UNHANDLED_AFTER_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.authorization import Allowed, Denied, authorize
from bot.commands.model import Cancel, Help, ParsedCommand, ParseProblem, Specify, Status
from bot.commands.parser import parse
from bot.events import Event, MalformedPayload, event_from_json
from bot.github.errors import GitHubError
from bot.github.markers import reply_marker
from bot.queue import QueueUnavailable, WakesRuns
from bot.reporting import messages
from bot.settings import Settings
from db.cancelling import cancel_waiting
from db.deliveries import finish_delivery, get_delivery, next_unhandled
from db.models import SpecAutomationRun
from db.runs import (
    NewRun,
    find_run,
    get_run,
    open_run,
    request_cancel,
    runs_of_issue,
    set_visibility,
)
from db.session import Database
from db.vocabulary import DeliveryOutcome, RunStatus

logger = logging.getLogger(__name__)

HANDLE_SECONDS = 45.0
UNHANDLED_AFTER_SECONDS = 60
GIVE_UP_AFTER = timedelta(hours=24)
FRESH = timedelta(minutes=5)
"""How long what a delivery says of its repository may be taken for how it is now."""

MOST_COMMANDS = 10
"""Commands of one comment that are carried out; a comment of 65,536 characters could hold thousands."""


class Repo(Protocol):
    """What intake says to GitHub about one repository. Every call raises GitHubError."""

    async def permission_of(self, login: str) -> str: ...
    async def find_comment(self, issue_number: int, marker: str) -> object | None: ...
    async def comment(self, issue_number: int, body: str) -> object: ...
    async def react(self, comment_id: int, content: Literal["eyes"]) -> None: ...


class Repos(Protocol):
    """Where the repositories come from: ``bot.github.repo_client.GitHub``."""

    def repo(self, installation_id: int, repository_id: int, slug: str) -> Repo: ...


@dataclass(slots=True)
class _Handling:
    """One delivery while it is handled."""

    event: Event
    repo: Repo
    role: str
    is_repeat: bool = False
    """Somebody may have come some way with it before."""
    accepted: bool = False
    refused: bool = False
    parts: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        """Add to the one reply; saying the same twice adds nothing."""
        if sentence not in self.parts:
            self.parts.append(sentence)

    def refuse(self, sentence: str) -> None:
        """Say why something is not done."""
        self.refused = True
        self.say(sentence)

    @property
    def outcome(self) -> DeliveryOutcome:
        """What the delivery row keeps."""
        if self.accepted:
            return DeliveryOutcome.ACCEPTED
        if self.refused:
            return DeliveryOutcome.REFUSED
        return DeliveryOutcome.ANSWERED if self.parts else DeliveryOutcome.IGNORED


class IntakeService:
    """Handles deliveries that were recorded; the web process and the sweeper both use it."""

    def __init__(self, settings: Settings, database: Database, github: Repos, queue: WakesRuns) -> None:
        self._settings = settings
        self._database = database
        self._github = github
        self._queue = queue

    async def handle(self, delivery_id: str, *, first_try: bool = False) -> DeliveryOutcome | None:
        """Do what the comment of a delivery asks for. Returns None when there was nothing to do, or when it could not
        be done now: then the delivery stays unhandled, and the sweeper comes back to it."""
        async with self._database.transaction() as session:
            delivery = await get_delivery(session, delivery_id)
        if delivery is None or delivery.handled_at is not None or (first_try and delivery.tries > 0):
            return None
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                event = event_from_json(delivery.payload)
                outcome = await self._carry_out(delivery_id, event, look_for_reply=delivery.tries > 0)
        except MalformedPayload:
            logger.exception("delivery_unreadable", extra={"delivery": delivery_id})
            outcome = DeliveryOutcome.FAILED
        except (GitHubError, TimeoutError) as error:
            logger.warning("intake_interrupted", extra={"delivery": delivery_id, "reason": str(error) or "timeout"})
            may_heal = isinstance(error, TimeoutError) or error.transient
            if may_heal and datetime.now(UTC) - delivery.received_at < GIVE_UP_AFTER:
                await self._postpone(delivery_id)
                return None
            outcome = DeliveryOutcome.FAILED
        async with self._database.transaction() as session:
            await finish_delivery(session, delivery_id, outcome)
        logger.info("delivery_handled", extra={"delivery": delivery_id, "outcome": outcome.value})
        return outcome

    async def _postpone(self, delivery_id: str) -> None:
        """GitHub was away: that is not the delivery's fault, so the tries begin anew; but one stays counted, since the
        reply may have arrived and must be looked for."""
        async with self._database.transaction() as session:
            delivery = await get_delivery(session, delivery_id)
            if delivery is not None:
                delivery.tries = 1

    async def _carry_out(self, delivery_id: str, event: Event, *, look_for_reply: bool) -> DeliveryOutcome:
        commands = await asyncio.to_thread(parse, event.body, self._settings.command_prefix)
        if not commands or not event.author_is_person:
            return DeliveryOutcome.IGNORED
        await self._note_visibility(event)
        repo = self._github.repo(event.installation_id, event.repository_id, event.repository)
        handling = _Handling(event, repo, await repo.permission_of(event.author), look_for_reply)
        for index, command in enumerate(commands[:MOST_COMMANDS]):
            match authorize(command, handling.role, author_is_person=event.author_is_person):
                case Allowed():
                    await self._obey(handling, command, index)
                case Denied(verb=verb, role_needed=needed, role_held=held, told=True):
                    handling.refuse(messages.not_allowed(event.author, verb, needed, held))
                case Denied():
                    pass
        if len(commands) > MOST_COMMANDS and (handling.accepted or handling.parts):
            handling.refuse(messages.too_many_commands(MOST_COMMANDS, len(commands)))
        await self._acknowledge(delivery_id, handling, look_for_reply=look_for_reply)
        return handling.outcome

    async def _obey(self, handling: _Handling, command: ParsedCommand, index: int) -> None:
        match command:
            case Specify():
                await self._specify(handling, command, index)
            case Cancel(run=asked):
                handling.say(messages.cancel_reply(await self._cancel(handling, asked), asked))
            case Status():
                handling.say(await self._status(handling.event))
            case Help(verb=verb):
                handling.say(messages.help_reply(self._settings.command_prefix, handling.role, verb))
            case ParseProblem():
                handling.refuse(messages.parse_problem(command, self._settings.command_prefix))

    async def _specify(self, handling: _Handling, command: Specify, index: int) -> None:
        event, settings = handling.event, self._settings
        if command.agent is not None and command.agent not in settings.agent_backends:
            handling.refuse(messages.agent_not_allowed(command.agent, settings.agent_backends))
            return
        if event.archived:
            handling.refuse(messages.repository_archived(event.repository))
            return
        async with self._database.transaction() as session:
            run, created = await open_run(session, _new_run(event, command, index))
        logger.info("run_opened" if created else "run_already_open", extra={"run": str(run.run_id)})
        handling.accepted = True
        if run.status == RunStatus.QUEUED:
            await self._wake(run.run_id, run.lease_epoch + 1)

    async def _wake(self, run_id: UUID, epoch: int) -> None:
        try:
            await self._queue.enqueue_run(run_id, epoch)
        except QueueUnavailable as unavailable:
            # The database is the truth: the sweeper enqueues whatever it says is queued.
            logger.warning("run_not_enqueued", extra={"run": str(run_id), "reason": str(unavailable)})

    async def _cancel(self, handling: _Handling, asked: str | None) -> SpecAutomationRun | None:
        event = handling.event
        async with self._database.transaction() as session:
            run = await _run_meant(session, event, asked, handling.is_repeat)
            if run is None or not await request_cancel(session, run.run_id, event.author):
                return run
            # With every slot busy no worker would see the wish for a long time. The sweeper reports the end.
            hostname = socket.gethostname()
            await cancel_waiting(
                session,
                run.run_id,
                event.author,
                owner=f"{hostname}:intake",
                hostname=hostname,
                retention_days=self._settings.retention_days,
            )
            return await get_run(session, run.run_id)

    async def _note_visibility(self, event: Event) -> None:
        """A repository made private hides its runs at once. An old delivery may say what was, so it opens nothing."""
        fresh = event.written_at is not None and datetime.now(UTC) - event.written_at < FRESH
        if event.private or fresh:
            async with self._database.transaction() as session:
                await set_visibility(session, event.repository_id, event.private)

    async def _status(self, event: Event) -> str:
        async with self._database.transaction() as session:
            runs = await runs_of_issue(session, event.repository_id, event.issue_number)
        page_base = None if event.private else self._settings.run_page_base
        return messages.status_reply(runs, page_base)

    async def _acknowledge(self, delivery_id: str, handling: _Handling, *, look_for_reply: bool) -> None:
        event, repo = handling.event, handling.repo
        if handling.accepted:
            try:
                await repo.react(event.comment_id, "eyes")
            except GitHubError as error:
                # A nicety: the run's own comment follows, and must not wait for it.
                logger.warning("reaction_not_left", extra={"delivery": delivery_id, "reason": str(error)})
        if not handling.parts:
            return
        try:
            if look_for_reply and await repo.find_comment(event.issue_number, reply_marker(delivery_id)):
                return
            await repo.comment(event.issue_number, messages.reply(delivery_id, handling.parts))
        except GitHubError as error:
            if error.transient:
                raise
            # Nobody can be told here (locked, archived, deleted); what was asked is done all the same.
            logger.warning("reply_not_left", extra={"delivery": delivery_id, "reason": str(error)})


async def drain_unhandled(database: Database, intake: IntakeService, *, at_most: int = 50) -> int:
    """For the sweeper: handle deliveries that nobody finished (a crash, a full web process, GitHub away).

    Returns how many were tried.
    """
    for tried in range(at_most):
        async with database.transaction() as session:
            delivery = await next_unhandled(session, UNHANDLED_AFTER_SECONDS)
        if delivery is None:
            return tried
        await intake.handle(delivery.delivery_id)
    return at_most


async def _run_meant(
    session: AsyncSession, event: Event, asked: str | None, is_repeat: bool
) -> SpecAutomationRun | None:
    if asked is not None:
        return await find_run(session, event.repository_id, event.issue_number, asked)
    if is_repeat and event.written_at is not None:
        # The run this very comment may have stopped already: an older one is not to be stopped in its place.
        for run in await runs_of_issue(session, event.repository_id, event.issue_number):
            by, at = run.cancel_requested_by, run.cancel_requested_at
            if by == event.author and at is not None and at >= event.written_at:
                return run
    # A delivery may be handled again much later: never stop a run that was asked for after this comment was written.
    alive = await runs_of_issue(session, event.repository_id, event.issue_number, alive_only=True)
    return next((run for run in alive if run.comment_id is None or run.comment_id <= event.comment_id), None)


def _new_run(event: Event, command: Specify, index: int) -> NewRun:
    return NewRun(
        command_key=f"{event.installation_id}:{event.comment_id}:{index}",
        repository=event.repository,
        repository_id=event.repository_id,
        installation_id=event.installation_id,
        private=event.private,
        issue_number=event.issue_number,
        on_pull_request=event.on_pull_request,
        issue_title=event.issue_title,
        comment_id=event.comment_id,
        requested_by=event.author,
        requested_by_id=event.author_id,
        base_branch=command.base,
        requested_spec_input=command.text,
        until_phase=command.until,
        dry_run=command.dry_run,
        requested_agent=command.agent,
    )
