"""``cancel``: which run it means, and its end where no worker has it yet."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from bot.conversation import Conversation
from db.cancelling import cancel_waiting
from db.models import SpecAutomationRun
from db.runs import get_run, request_cancel
from db.session import Database
from db.vocabulary import RunStatus, Trigger

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries to end a run that waits for a worker while somebody holds it."""


async def cancel(
    database: Database, run: SpecAutomationRun, by: str, *, owner: str, retention_days: int
) -> SpecAutomationRun:
    """Ask for the run to stop, and return it as it is then. ``owner`` names this process in leases."""
    for pause in (*PAUSES, None):
        async with database.transaction() as session:
            if not await request_cancel(session, run.run_id, by):
                return await get_run(session, run.run_id)
            # With every slot busy no worker would see the wish for a long time. The sweeper reports the end.
            ended = await cancel_waiting(
                session, run.run_id, by, owner=owner, hostname=socket.gethostname(), retention_days=retention_days
            )
            run = await get_run(session, run.run_id)
        # Who tells its place in the queue holds a waiting run for a moment, and does not look for the wish.
        if ended or run.status is not RunStatus.QUEUED or pause is None:
            break
        await asyncio.sleep(pause)
    return run


def run_meant(
    runs: Sequence[SpecAutomationRun], talk: Conversation, asked: str | None, *, is_repeat: bool
) -> SpecAutomationRun | None:
    """The run that ``cancel`` means among ``runs``, newest first. Pure.

    ``asked`` that fits several means none: no run is hit that nobody meant.
    """
    if asked is not None:
        wanted = asked.lower().replace("-", "")
        found = [run for run in runs if wanted and run.run_id.hex.startswith(wanted)]
        return found[0] if len(found) == 1 else None
    if is_repeat and talk.happened_at is not None:
        # The run this very comment may have stopped already: an older one is not to be stopped in its place.
        for run in runs:
            by, at = run.cancel_requested_by, run.cancel_requested_at
            if by == talk.actor and at is not None and at >= talk.happened_at:
                return run
    alive = (run for run in runs if not run.status.is_terminal)
    return next((run for run in alive if not _asked_for_later(run, talk)), None)


def _asked_for_later(run: SpecAutomationRun, talk: Conversation) -> bool:
    """A delivery may be handled again much later: what was asked for after its comment is none of its business."""
    if run.comment_id is None or talk.comment_id is None:
        return False
    # The comments on lines are counted apart from the others, so their ids tell nothing about the order.
    same_kind = (run.trigger is Trigger.REVIEW_COMMENT) == (talk.trigger is Trigger.REVIEW_COMMENT)
    return same_kind and run.comment_id > talk.comment_id
