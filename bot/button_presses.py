"""What the buttons of a check run ask for: *Retry*, *Next*, and GitHub's own *Re-run*."""

from __future__ import annotations

from uuid import UUID

from bot.asking import Asked
from bot.commands.model import Retry, RunCommand
from bot.configuration.effective import EffectiveConfig
from bot.events import ButtonPressed, CheckRerequested, SuiteRerequested
from bot.reporting.check_run import NEXT, RETRY
from db.errors import RunNotFound
from db.models import SpecAutomationRun
from db.runs import get_run, newest_at_commit, runs_of_pull_request
from db.session import Database
from db.vocabulary import AGENT_PHASES_OF, RunStatus, Trigger, Verb


async def pressed(
    database: Database, event: ButtonPressed | CheckRerequested | SuiteRerequested, config: EffectiveConfig
) -> tuple[SpecAutomationRun, list[Asked]] | None:
    """The run and what is asked of it; None where the button is not one of ours, or the repository wants none."""
    if not config.trigger_on(Trigger.CHECK_RUN):
        return None
    run = await _run_of(database, event)
    # What a check run's external id says is only as good as the App that wrote it; the door asked whose it is.
    if run is None or run.repository_id != event.repository_id:
        return None
    command: Retry | RunCommand
    match event:
        case ButtonPressed(identifier=identifier) if identifier == RETRY:
            command = Retry()
        case ButtonPressed(identifier=identifier) if identifier.startswith(NEXT):
            verb = next((verb for verb in Verb if verb == identifier.removeprefix(NEXT)), None)
            if verb is None:
                return None
            command = RunCommand(verb)
        case ButtonPressed():
            return None
        case CheckRerequested() | SuiteRerequested():
            first = AGENT_PHASES_OF[run.verb][0]
            command = Retry() if run.status is RunStatus.FAILED else Retry(first)
    return run, [Asked(command, 0, Trigger.CHECK_RUN)]


async def _run_of(
    database: Database, event: ButtonPressed | CheckRerequested | SuiteRerequested
) -> SpecAutomationRun | None:
    async with database.transaction() as session:
        if isinstance(event, SuiteRerequested):
            found = await newest_at_commit(session, event.repository_id, event.head_sha)
            # A commit that somebody pushed after the run is known by its pull request alone.
            for number in event.pull_numbers if found is None else ():
                found = found or next(iter(await runs_of_pull_request(session, event.repository_id, number)), None)
            return found
        try:
            return await get_run(session, UUID(event.external_id))
        except (ValueError, RunNotFound):
            return None
