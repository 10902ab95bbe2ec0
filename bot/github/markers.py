"""The hidden lines by which we know our own comments again: HTML comments that GitHub keeps and nobody sees."""

from __future__ import annotations

import re
from uuid import UUID

_MARKER = re.compile(r"<!-- speckit-bot:(?:run|reply|questions)=[0-9A-Za-z-]{1,100} -->")
_UNSAFE = re.compile(r"[^0-9A-Za-z-]")


def run_marker(run_id: UUID) -> str:
    """Marks the one comment of a run."""
    return f"<!-- speckit-bot:run={run_id} -->"


def reply_marker(delivery_id: str) -> str:
    """Marks the answer to one delivery; what is not a letter, a digit or a dash in the id becomes a dash."""
    return f"<!-- speckit-bot:reply={_UNSAFE.sub('-', delivery_id)[:100]} -->"


def questions_marker(run_id: UUID) -> str:
    """Marks the comment with the questions that a run asked."""
    return f"<!-- speckit-bot:questions={run_id} -->"


def marker_in(body: str) -> str | None:
    """The last marker of a body, or None. Text of others cannot hold one: it is sanitized before it gets there."""
    markers = _MARKER.findall(body)
    return markers[-1] if markers else None
