"""Conversations and configurations to decide in, without a database and without GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.commands.model import Place
from bot.configuration.effective import EffectiveConfig, Layer, effective
from bot.configuration.reading import read_config
from bot.conversation import Conversation
from bot.events import Event, parse_event
from db.vocabulary import Trigger
from tests.bot.deliveries import REPOSITORY_ID

SAID_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def config_of(text: str = "") -> EffectiveConfig:
    """What holds where ``.github/speckit.yml`` says ``text``."""
    reading = read_config(text.encode())
    return effective([Layer("acme/shop", reading.config, problems=reading.problems)])


def event_of(event_name: str, payload: Mapping[str, Any]) -> Event:
    """The event of a payload that is one of ours."""
    event = parse_event(event_name, payload)
    assert event is not None
    return event


def on_issue(**changes: Any) -> Conversation:
    """Mona speaks on issue 7."""
    fields: dict[str, Any] = {
        "installation_id": 4711,
        "repository": "acme/shop",
        "repository_id": REPOSITORY_ID,
        "private": False,
        "archived": False,
        "default_branch": "main",
        "actor": "mona",
        "actor_id": 583231,
        "happened_at": SAID_AT,
        "place": Place.ISSUE,
        "issue_number": 7,
        "issue_title": "Invoices",
        "issue_body": "We want invoices.",
        "key": "4711:77",
        "trigger": Trigger.COMMENT,
        "comment_id": 77,
    }
    return Conversation(**{**fields, **changes})


def on_pull_request(**changes: Any) -> Conversation:
    """Mona speaks on pull request 12."""
    fields: dict[str, Any] = {"place": Place.PULL_REQUEST, "issue_number": 12, "issue_body": ""}
    return on_issue(**{**fields, **changes})


def on_a_line(**changes: Any) -> Conversation:
    """Mona speaks on a line of the specification in pull request 12."""
    fields: dict[str, Any] = {
        "place": Place.REVIEW_COMMENT,
        "trigger": Trigger.REVIEW_COMMENT,
        "section": {"path": "specs/001-invoices/spec.md", "line": 12},
        "thread_id": 70,
    }
    return on_pull_request(**{**fields, **changes})
