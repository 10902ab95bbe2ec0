"""The story of a delivery on one screen: parse -> authorize -> open run -> commit -> enqueue -> acknowledge.

Wanted: whoever may give a command gets what it asks for or a sentence that says why not, once; nobody else is
bothered. Every step can be repeated, because a process may die between any two of them and the sweeper then handles the
delivery again: a run is keyed by what was said and the position in it, enqueueing an id twice does nothing, a reaction
is there or not, and the one reply of a delivery carries a marker that is looked for before it is posted a second time.

Known race: two handlers of one delivery at once could post the reply twice. So the web process gives up a delivery
before the sweeper begins to look at it: it starts within DrainedTasks' patience (10 s) and stops after HANDLE_SECONDS,
while the sweeper takes only what is older than UNHANDLED_AFTER_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from datetime import UTC, datetime, timedelta

from bot.acknowledging import acknowledge
from bot.answering import quotes_questions
from bot.asking import Asked, Hearing, asked_in
from bot.button_presses import pressed
from bot.cancelling import cancel, run_meant
from bot.commands.help import help_text
from bot.commands.model import Cancel, Config, Help, ParseProblem, Retry, RunCommand, Status
from bot.commands.table import DEFAULT_ROLES
from bot.configuration.checking import ConfigurationCheck
from bot.configuration.effective import EffectiveConfig
from bot.configuration.source import ConfigurationSource
from bot.conversation import Conversation, conversation_about, conversation_of
from bot.events import (
    ButtonPressed,
    CheckRerequested,
    Event,
    Labeled,
    MalformedPayload,
    PullRequestChanged,
    SuiteRerequested,
    event_from_json,
)
from bot.github.errors import GitHubError
from bot.handling import Handling, Repo, Repos, TellsPlaces
from bot.opening import RunOpener
from bot.permitting import may_give, role_of, roles_for
from bot.queue import WakesRuns
from bot.reporting import messages, refusals
from bot.runs_here import runs_here, status_here, view_from
from bot.settings import Settings
from db.clarifications import to_tell
from db.deliveries import finish_delivery, get_delivery, next_unhandled
from db.models import SpecAutomationRun
from db.records import Delivery
from db.runs import runs_of_pull_request, set_visibility
from db.session import Database
from db.vocabulary import DeliveryOutcome

__all__ = ["IntakeService", "Repo", "Repos", "TellsPlaces", "drain_unhandled"]

logger = logging.getLogger(__name__)

HANDLE_SECONDS = 45.0
UNHANDLED_AFTER_SECONDS = 60
GIVE_UP_AFTER = timedelta(hours=24)
FRESH = timedelta(minutes=5)
"""How long what a delivery says of its repository may be taken for how it is now."""


class IntakeService:
    """Handles deliveries that were recorded; the web process and the sweeper both use it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        github: Repos,
        queue: WakesRuns,
        configuration: ConfigurationSource,
        reporter: TellsPlaces,
    ) -> None:
        self._settings = settings
        self._database = database
        self._github = github
        self._configuration = configuration
        self._reporter = reporter
        self._check = ConfigurationCheck(configuration)
        self._runs = RunOpener(settings, database, queue)
        self._owner = f"{socket.gethostname()}:intake"

    async def handle(self, delivery_id: str, *, first_try: bool = False) -> DeliveryOutcome | None:
        """Do what a delivery asks for. Returns None when there was nothing to do, or when it could not be done now:
        then the delivery stays unhandled, and the sweeper comes back to it."""
        async with self._database.transaction() as session:
            delivery = await get_delivery(session, delivery_id)
        if delivery is None or delivery.handled_at is not None or (first_try and delivery.tries > 0):
            return None
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                outcome = await self._carry_out(delivery, event_from_json(delivery.payload))
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

    async def _carry_out(self, delivery: Delivery, event: Event) -> DeliveryOutcome:
        await self._note_visibility(event)
        repo = self._github.repo(event.installation_id, event.repository_id, event.repository)
        checked = await self._check.heard(repo, event)
        checked = await self._told_of_new_head(event) or checked
        if isinstance(event, PullRequestChanged) or not event.actor_is_person:
            return DeliveryOutcome.ANSWERED if checked else DeliveryOutcome.IGNORED
        config = await self._configuration.of(repo)
        talk, asked, run = await self._understood(event, config)
        if talk is None or not asked:
            return DeliveryOutcome.ANSWERED if checked else DeliveryOutcome.IGNORED
        role = await repo.permission_of(event.actor)
        handling = Handling(delivery.delivery_id, talk, repo, config, role, delivery.tries > 0, run)
        most = config.limits.commands_per_comment
        for each in asked[:most]:
            if may_give(handling, each.command, self._settings.command_prefix):
                await self._obey(handling, each)
        if len(asked) > most and (handling.accepted or handling.parts):
            handling.refuse(refusals.too_many_commands(most, len(asked)))
        label = event.label if isinstance(event, Labeled) else None
        await acknowledge(handling, self._reporter, self._owner, label=label)
        return handling.outcome

    async def _told_of_new_head(self, event: Event) -> bool:
        """Whoever pushes to a pull request of ours finds a check run on the new head, too."""
        if not isinstance(event, PullRequestChanged) or event.action != "synchronize":
            return False
        async with self._database.transaction() as session:
            line = await runs_of_pull_request(session, event.repository_id, event.number)
        if not line or not line[0].status.is_terminal or any(run.head_sha == event.head_sha for run in line):
            return False
        await self._reporter.later_commit(line[0].run_id, event.head_sha, self._owner)
        return True

    async def _understood(
        self, event: Event, config: EffectiveConfig
    ) -> tuple[Conversation | None, list[Asked], SpecAutomationRun | None]:
        """Where something was asked, what, and of which run, if a button of its check run asked."""
        match event:
            case ButtonPressed() | CheckRerequested() | SuiteRerequested():
                found = await pressed(self._database, event, config)
                if found is None:
                    return None, [], None
                run, asked = found
                return conversation_about(event, run), asked, run
            case PullRequestChanged():
                return None, [], None
            case _:
                hearing = Hearing(self._settings.command_prefix, await self._github.app_slug())
                talk, asked = conversation_of(event), await asked_in(event, config, hearing)
                return talk, [each for each in asked if await self._is_meant_for_us(talk, each)], None

    async def _is_meant_for_us(self, talk: Conversation, asked: Asked) -> bool:
        """Answers without a command are, if they answer questions of ours: people quote and number other things too."""
        if asked.quoting is None:
            return True
        async with self._database.transaction() as session:
            told = await to_tell(session, talk.repository_id, talk.issue_number)
        return any(quotes_questions(asked.quoting, questions) for questions in told)

    async def _obey(self, handling: Handling, asked: Asked) -> None:
        talk, settings = handling.talk, self._settings
        match asked.command:
            case RunCommand():
                await self._runs.start(handling, asked.command, asked)
            case Retry(phase=phase):
                await self._runs.retry(handling, phase, asked)
            case Cancel(run=wanted):
                run = run_meant(await runs_here(self._database, talk), talk, wanted, is_repeat=handling.is_repeat)
                if run is not None:
                    days = settings.retention_days
                    run = await cancel(self._database, run, talk.actor, owner=self._owner, retention_days=days)
                handling.say(messages.cancel_reply(run, wanted, await view_from(self._database, settings, talk)))
            case Status():
                handling.say(await status_here(self._database, settings, talk))
            case Config():
                handling.say(messages.config_reply(handling.config.rows(), talk.repository))
            case Help(verb=verb):
                handling.say(
                    help_text(
                        settings.command_prefix,
                        role_held=role_of(handling),
                        place=talk.place,
                        roles_needed=roles_for(handling),
                        commands_off=[name for name in DEFAULT_ROLES if handling.config.is_off(name) is not None],
                        verb=verb,
                    )
                )
            case ParseProblem():
                handling.refuse(messages.parse_problem(asked.command, settings.command_prefix))

    async def _note_visibility(self, event: Event) -> None:
        """A repository made private hides its runs at once. An old delivery may say what was, so it opens nothing."""
        fresh = event.happened_at is not None and datetime.now(UTC) - event.happened_at < FRESH
        if event.private or fresh:
            async with self._database.transaction() as session:
                await set_visibility(session, event.repository_id, event.private)


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
