"""Which events are for us: they cost a row and perhaps calls to GitHub; all others cost nothing.

Wanted: no wish of a person is lost, and neither talk nor what programs do, least of all our own App, is ever looked at
twice. What only the repository's configuration can tell, such as which labels start something, intake finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.commands.answers import reply_answers
from bot.commands.parser import mentions_command
from bot.events import (
    Assigned,
    ButtonPressed,
    CheckRerequested,
    CommentPosted,
    Event,
    Labeled,
    PullRequestChanged,
    ReviewCommentPosted,
    SuiteRerequested,
)

OLDEST = timedelta(days=4)
"""GitHub redelivers for three days, and its clock may differ from ours. What was said before that is a replay."""

_SHORT_COMMENT = 2000
"""Characters. A longer one is parsed beside the event loop: somebody may have made it to take long."""


class Relevance:
    """``app_id`` is our App's; ``slug`` tells its name, for mentions and assignments, as soon as it is known."""

    def __init__(self, command_prefix: str, app_id: int, slug: Callable[[], str | None]) -> None:
        self._prefix = command_prefix
        self._app_id = app_id
        self._slug = slug

    async def is_for_us(self, event: Event) -> bool:
        """Judge one event. Asks nobody."""
        if event.happened_at is not None and datetime.now(UTC) - event.happened_at > OLDEST:
            return False
        match event:
            case CommentPosted(body=body):
                return event.actor_is_person and await self._speaks_to_us(body, may_answer=True)
            case ReviewCommentPosted(body=body):
                return event.actor_is_person and await self._speaks_to_us(body, may_answer=False)
            case Labeled():
                return event.actor_is_person
            case Assigned(assignee=assignee):
                return event.actor_is_person and self._may_be_our_login(assignee)
            case ButtonPressed(app_id=owner) | CheckRerequested(app_id=owner) | SuiteRerequested(app_id=owner):
                return event.actor_is_person and owner == self._app_id
            case PullRequestChanged(action=action):
                # Other Apps close what they merge; what they open and push is no person's wish.
                others_close = action == "closed" and not self._is_our_login(event.actor)
                return event.actor_is_person or others_close

    async def _speaks_to_us(self, body: str, *, may_answer: bool) -> bool:
        slug = self._slug()
        may_answer = may_answer and body.lstrip().startswith(">")
        if not may_answer and self._prefix not in body and (not slug or f"@{slug}".lower() not in body.lower()):
            return False

        def judge() -> bool:
            return mentions_command(body, self._prefix, slug) or (may_answer and reply_answers(body) is not None)

        return judge() if len(body) <= _SHORT_COMMENT else await asyncio.to_thread(judge)

    def _is_our_login(self, login: str) -> bool:
        slug = self._slug()
        return slug is not None and login.lower() == f"{slug}[bot]".lower()

    def _may_be_our_login(self, login: str) -> bool:
        """As long as our name is not known, it may be any bot's."""
        return login.endswith("[bot]") and (self._slug() is None or self._is_our_login(login))
