"""What a delivery leaves on GitHub at once: a reaction, the place of runs that wait, the label off, and one reply.

Each can be repeated: a reaction is there or not, a label is off or not, and the reply carries a marker that is looked
for before it is posted a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from bot.github.errors import GitHubError
from bot.github.markers import reply_marker
from bot.handling import Handling, TellsPlaces
from bot.reporting import messages
from db.vocabulary import Trigger

logger = logging.getLogger(__name__)


async def acknowledge(handling: Handling, reporter: TellsPlaces, owner: str, *, label: str | None = None) -> None:
    """Tell that it was heard and what came of it. ``label`` is the one that asked; ``owner`` names this process.

    Raises GitHubError when the same may succeed later; what can never be said here is left unsaid.
    """
    await _react(handling)
    if label is not None and (handling.accepted or handling.refused):
        await _if_it_can_be(handling, "label", handling.repo.remove_label(handling.talk.issue_number, label))
    for run_id in handling.waiting:
        await reporter.waiting(run_id, owner)
    if handling.parts:
        await _if_it_can_be(handling, "reply", _reply(handling))


async def _react(handling: Handling) -> None:
    talk, repo = handling.talk, handling.repo
    if not handling.accepted or talk.comment_id is None:
        return
    react = repo.react_to_review_comment if talk.trigger is Trigger.REVIEW_COMMENT else repo.react
    try:
        await react(talk.comment_id, "eyes")
    except GitHubError as error:
        # A nicety: the run's own comment follows, and must not wait for it.
        logger.warning("reaction_not_left", extra={"delivery": handling.delivery_id, "reason": str(error)})


async def _if_it_can_be(handling: Handling, what: str, write: Awaitable[None]) -> None:
    try:
        await write
    except GitHubError as error:
        if error.transient:
            raise
        # Nobody can be told here (locked, archived, deleted); what was asked is done all the same.
        logger.warning(
            "acknowledgement_not_left", extra={"delivery": handling.delivery_id, "what": what, "reason": str(error)}
        )


async def _reply(handling: Handling) -> None:
    talk, repo = handling.talk, handling.repo
    body, marker = messages.reply(handling.delivery_id, handling.parts), reply_marker(handling.delivery_id)
    number = talk.issue_number
    if talk.thread_id is not None:
        if not handling.is_repeat or await repo.find_reply(number, marker) is None:
            await repo.reply_to_review_comment(number, talk.thread_id, body)
    elif not handling.is_repeat or await repo.find_comment(number, marker) is None:
        await repo.comment(number, body)
