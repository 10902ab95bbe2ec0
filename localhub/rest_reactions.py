"""REST: reactions, the same three routes below whatever one can react to.

https://docs.github.com/en/rest/reactions/reactions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from localhub import conversations, representation
from localhub.api import Answer, Call, Permissions, Route
from localhub.model import Issue, Reaction


class Reacted(NamedTuple):
    """What somebody reacts to: its reactions, and the issue or pull request that may be locked."""

    issue: Issue
    reactions: list[Reaction]


def routes(path: str, found: Callable[[Call], Reacted], read: Permissions, write: Permissions) -> list[Route]:
    """List, create and delete. ``found`` reads what is reacted to from the path, and raises ApiError."""

    async def listed(call: Call) -> Answer:
        wanted = call.query("content")
        given = [each for each in found(call).reactions if wanted in {"", each.content}]
        return call.listing([representation.reaction(call.state.urls, each) for each in given])

    async def create(call: Call) -> Answer:
        on = found(call)
        conversations.refuse_locked(call.state, on.issue, call.user)
        given, new = conversations.react(call.state, on.reactions, call.sent.get("content"), call.user)
        return Answer(representation.reaction(call.state.urls, given), 201 if new else 200)

    async def delete(call: Call) -> Answer:
        conversations.unreact(found(call).reactions, call.number("reaction_id"), call.user)
        return Answer(status=204)

    return [
        Route("GET", f"{path}/reactions", listed, read),
        Route("POST", f"{path}/reactions", create, write),
        Route("DELETE", f"{path}/reactions/{{reaction_id}}", delete, write),
    ]
