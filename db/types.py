"""Column types that mean the same on SQLite and Postgres, and that make any input storable."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

JsonObject = dict[str, Any]

_SURROGATES = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Drop NUL and replace lone surrogates by U+FFFD: Postgres refuses both, and GitHub's JSON may hold both."""
    return _SURROGATES.sub("\ufffd", text.replace("\x00", ""))


def clean_json(value: Any) -> Any:
    """The same for every string inside a JSON value; NaN and infinities, which JSON does not know, become null."""
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value


class CleanText(TypeDecorator[str]):
    """Text of at most ``bound`` characters. Longer text is cut (``clip``, for prose) or refused (for identifiers)."""

    impl = String
    cache_ok = True

    def __init__(self, bound: int, *, clip: bool = False) -> None:
        super().__init__(bound)
        self.bound = bound
        self.clip = clip

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Raises ValueError for an identifier that is too long."""
        if value is None:
            return None
        text = clean_text(str(value))
        if len(text) <= self.bound:
            return text
        if self.clip:
            return text[: self.bound - 1] + "…"
        raise ValueError(f"text of {len(text)} characters where at most {self.bound} are allowed")


class CleanJson(TypeDecorator[JsonObject]):
    """A JSON object of at most ``max_bytes`` when serialized."""

    impl = JSON
    cache_ok = True

    def __init__(self, max_bytes: int) -> None:
        super().__init__(none_as_null=True)
        self.max_bytes = max_bytes

    def process_bind_param(self, value: JsonObject | None, dialect: Dialect) -> JsonObject | None:
        """Raises ValueError for an object that is too large, TypeError for what JSON cannot hold."""
        if value is None:
            return None
        cleaned: JsonObject = clean_json(value)
        size = len(json.dumps(cleaned))
        if size > self.max_bytes:
            raise ValueError(f"JSON of {size} bytes where at most {self.max_bytes} are allowed")
        return cleaned


class UtcDateTime(TypeDecorator[datetime]):
    """An aware timestamp, always UTC. SQLite stores it naive, with six digits, so that text order is time order."""

    impl = DateTime
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raises ValueError for a naive timestamp: nobody can tell which hour it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
