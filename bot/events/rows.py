"""Events as the delivery row keeps them: plain JSON values, times in ISO 8601, and a ``kind`` to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

from bot.events.fields import MalformedPayload
from bot.events.model import CommentPosted, Event

_KINDS: Mapping[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}

_FORMER_NAMES = {
    "author": "actor",
    "author_id": "actor_id",
    "author_is_person": "actor_is_person",
    "written_at": "happened_at",
}
"""Of rows without a kind: before there were others, each held a comment."""


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as the delivery row keeps it."""
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(event).items()}
    values["happened_at"] = event.happened_at.isoformat() if event.happened_at else None
    return {"kind": event.kind, **values}


def event_from_json(values: Mapping[str, Any]) -> Event:
    """The event of a delivery row. Raises MalformedPayload when the row holds none that this version reads."""
    fields = dict(values) if "kind" in values else _former(values)
    try:
        kind = _KINDS.get(fields.pop("kind"))
        if kind is None:
            raise MalformedPayload("the kept event is of no kind that is known")
        happened_at = fields.get("happened_at")
        fields["happened_at"] = datetime.fromisoformat(happened_at) if happened_at else None
        revived: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return kind(**revived)
    except (TypeError, ValueError) as error:
        raise MalformedPayload(f"the kept event: {error}") from error


def _former(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the version that knew comments only."""
    renamed = {_FORMER_NAMES.get(key, key): value for key, value in values.items()}
    return {
        "kind": CommentPosted.kind, "issue_body": "", "issue_state": "open", "comment_node_id": None, **renamed,
    }  # fmt: skip
