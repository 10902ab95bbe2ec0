"""From a command to its run: opened once, queued, and a worker woken when its turn is now."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.asking import Asked
from bot.commands.model import RunCommand
from bot.conversation import Conversation, on_pull_request_of
from bot.handling import Handling
from bot.permitting import may_give
from bot.queue import QueueUnavailable, WakesRuns
from bot.reporting import messages, refusals
from bot.retrying import retry, run_to_retry
from bot.runs_here import runs_here, view_from
from bot.settings import Settings
from bot.starting import ON_A_BRANCH, Offer, Refusal, Situation, command_key, requested_run, same_request
from db.clarifications import open_questions, record_answers
from db.models import SpecAutomationRun
from db.runs import NewRun, hold_issue, open_run, run_of_command, runs_of_issue, runs_of_pull_request
from db.session import Database
from db.turns import runs_in_turn
from db.vocabulary import Phase, RunStatus

logger = logging.getLogger(__name__)


class RunOpener:
    """Opens runs. Everything it does for a command can be done again: the run is known by what was said."""

    def __init__(self, settings: Settings, database: Database, queue: WakesRuns) -> None:
        self._settings = settings
        self._database = database
        self._queue = queue

    async def start(self, handling: Handling, command: RunCommand, asked: Asked) -> None:
        """Open the run the command asks for, or say why there is none."""
        if not await self._is_open_already(handling, asked):
            await self._start(handling, command, asked, handling.talk)

    async def retry(self, handling: Handling, phase: Phase | None, asked: Asked) -> None:
        """Open a run that goes on where another ended, or say why there is none."""
        if await self._is_open_already(handling, asked):
            return
        talk, prefix = handling.talk, self._settings.command_prefix
        run = run_to_retry(await runs_here(self._database, talk), phase, handling.pressed_for)
        if run is None:
            handling.refuse(refusals.nothing_to_retry(prefix))
            return
        new = retry(run, phase, talk, handling.config, asked.index, prefix)
        match new:
            case Refusal(sentence=sentence):
                handling.refuse(sentence)
            # Whoever may retry may not for that do what only others may begin.
            case RunCommand() if may_give(handling, new, prefix):
                there = on_pull_request_of(run, talk) if new.verb in ON_A_BRANCH else talk
                await self._start(handling, new, asked, there)
            case NewRun() if may_give(handling, RunCommand(new.verb), prefix):
                async with self._database.transaction() as session:
                    opened, created = await _open(session, new, talk.default_branch)
                await self._opened(handling, opened, new.command_key, created=created)

    async def _is_open_already(self, handling: Handling, asked: Asked) -> bool:
        """A delivery that is handled again finds the run it opened, whatever that run changed since."""
        key = command_key(handling.talk, asked.index)
        async with self._database.transaction() as session:
            run = await run_of_command(session, key)
        if run is not None:
            await self._opened(handling, run, key, created=False)
        return run is not None

    async def _start(self, handling: Handling, command: RunCommand, asked: Asked, talk: Conversation) -> None:
        async with self._database.transaction() as session:
            number = talk.issue_number
            line = await runs_of_pull_request(session, talk.repository_id, number) if talk.on_pull_request else []
            questions = await open_questions(session, talk.repository_id, number) if talk.on_pull_request else None
        situation = Situation(talk, handling.config, self._offer, line, questions)
        new = await asyncio.to_thread(requested_run, situation, command, asked.index, asked.trigger)
        if isinstance(new, Refusal):
            handling.refuse(new.sentence)
            return
        async with self._database.transaction() as session:
            run, created = await _open(session, new, talk.default_branch)
            if created and questions is not None and new.arguments.get("answers"):
                await record_answers(session, questions.run_id, new.arguments["answers"], talk.actor)
        await self._opened(handling, run, new.command_key, created=created)

    @property
    def _offer(self) -> Offer:
        settings = self._settings
        return Offer(settings.agent_backends, settings.allowed_models, settings.default_agent, settings.command_prefix)

    async def _opened(self, handling: Handling, run: SpecAutomationRun, key: str, *, created: bool) -> None:
        handling.accepted = True
        logger.info("run_opened" if created else "run_already_open", extra={"run": str(run.run_id)})
        if run.command_key != key:
            view = await view_from(self._database, self._settings, handling.talk, run)
            handling.say(messages.same_command(run, view))
            return
        if run.status is not RunStatus.QUEUED:
            return
        async with self._database.transaction() as session:
            begins = run.run_id in await runs_in_turn(session, self._settings.limits)
        if begins:
            await self._wake(run.run_id, run.lease_epoch + 1)
        else:
            handling.waiting.append(run.run_id)

    async def _wake(self, run_id: UUID, epoch: int) -> None:
        try:
            await self._queue.enqueue_run(run_id, epoch)
        except QueueUnavailable as unavailable:
            # The database is the truth: the sweeper enqueues whatever it says is queued.
            logger.warning("run_not_enqueued", extra={"run": str(run_id), "reason": str(unavailable)})


async def _open(session: AsyncSession, new: NewRun, default_branch: str) -> tuple[SpecAutomationRun, bool]:
    """Open the run, unless one that does the very same waits or works already."""
    await hold_issue(session, new.repository_id, new.issue_number)
    for run in await runs_of_issue(session, new.repository_id, new.issue_number, alive_only=True):
        is_its_own = run.command_key == new.command_key
        if not is_its_own and run.cancel_requested_at is None and same_request(new, run, default_branch):
            return run, False
    return await open_run(session, new)
