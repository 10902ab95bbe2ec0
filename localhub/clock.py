"""The moments that GitHub's objects carry."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, to the second, aware, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
