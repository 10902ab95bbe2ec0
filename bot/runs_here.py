"""The runs of an issue or a pull request, and how they look from there."""

from __future__ import annotations

from bot.conversation import Conversation
from bot.reporting import messages
from bot.reporting.run_view import RunView
from bot.settings import Settings
from db.models import SpecAutomationRun
from db.runs import database_now, runs_of_issue, runs_of_pull_request
from db.session import Database
from db.turns import place_in_queue
from db.usage import budget_state


async def runs_here(database: Database, talk: Conversation) -> list[SpecAutomationRun]:
    """The runs that were asked for here or work on this pull request, newest first, everything loaded."""
    async with database.transaction() as session:
        found = await runs_of_issue(session, talk.repository_id, talk.issue_number)
        if talk.on_pull_request:
            found += await runs_of_pull_request(session, talk.repository_id, talk.issue_number)
    unique = {run.run_id: run for run in found}
    return sorted(unique.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)


async def status_here(database: Database, settings: Settings, talk: Conversation) -> str:
    """The answer to ``status``."""
    runs = await runs_here(database, talk)
    async with database.transaction() as session:
        places = {run.run_id: place for run in runs if (place := await place_in_queue(session, run)) is not None}
        today = (await database_now(session)).date()
        budgets = {
            run.run_id: state
            for run in runs[: messages.MOST_RUNS_TOLD]
            if (state := await budget_state(session, run, settings.spending, today)) is not None
        }
    return messages.status_reply(runs, await view_from(database, settings, talk), places, budgets)


async def view_from(
    database: Database, settings: Settings, talk: Conversation, run: SpecAutomationRun | None = None
) -> RunView:
    """How a run is looked at in this conversation; with ``run`` its place in the queue is known."""
    async with database.transaction() as session:
        now = await database_now(session)
        place = await place_in_queue(session, run) if run is not None else None
    return RunView(
        now=now,
        run_page_base=None if talk.private else settings.run_page_base,
        prefix=settings.command_prefix,
        repository_url=f"{settings.github_web_url}/{talk.repository}",
        place=place,
        usual_seconds=place.usual_seconds if place else None,
    )
