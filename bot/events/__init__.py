"""What a delivery meant: small frozen objects of ours. GitHub's JSON ends in this package.

``model`` has the events, ``payloads`` reads them from GitHub's JSON, ``rows`` writes them to the delivery row and back.
"""

from __future__ import annotations

from bot.events.fields import MalformedPayload
from bot.events.model import (
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
from bot.events.payloads import parse_event
from bot.events.rows import event_from_json, event_to_json

__all__ = [
    "Assigned",
    "ButtonPressed",
    "CheckRerequested",
    "CommentPosted",
    "Event",
    "Labeled",
    "MalformedPayload",
    "PullRequestChanged",
    "ReviewCommentPosted",
    "SuiteRerequested",
    "event_from_json",
    "event_to_json",
    "parse_event",
]
