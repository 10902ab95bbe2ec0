"""Logging of a process: text lines or JSON lines, static event names, data in ``extra``, no secret.

One handler, one formatter: every line, with its fields and its traceback, is redacted as finished text. What cannot be
redacted is dropped.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from bot.settings import Settings

Redact = Callable[[str], str]
"""Takes the secrets out of a text. Whoever starts the process gives the one that everything it keeps passes too."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFormatter(logging.Formatter):
    """One record as one line of text or JSON, redacted. A traceback follows its text line, indented."""

    def __init__(self, redact: Redact, *, as_json: bool) -> None:
        super().__init__()
        self._redact = redact
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The finished line. A record that cannot be formatted or redacted is replaced by a line that says so."""
        try:
            line = self._json(record) if self._as_json else self._text(record)
            return self._redact(line)
        except Exception:  # noqa: BLE001 - a line we cannot vouch for must not get out, and logging must not raise
            return f"record dropped: {record.name}:{record.lineno} could not be formatted"

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        return {key: value for key, value in vars(record).items() if key not in _STANDARD}

    def _json(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname, "logger": record.name, "event": record.getMessage()}
        line |= {key: value for key, value in self._fields(record).items() if key not in line}
        if traceback := self._traceback(record):
            line["exception"] = traceback
        return json.dumps(line, default=str)

    def _text(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_one_line(value)}" for key, value in self._fields(record).items())
        line = (
            f"{_time(record)} {record.levelname:<7} {record.name} {_one_line(record.getMessage(), bare=True)}{fields}"
        )
        traceback = self._traceback(record)
        return line + "".join(f"\n    {part}" for part in traceback.splitlines())

    def _traceback(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
        if record.stack_info:
            parts.append(record.stack_info)
        return "\n".join(parts)


def configure_logging(settings: Settings, redact: Redact, stream: TextIO | None = None) -> None:
    """Send every logger of the process, redacted, to ``stream`` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(RedactingFormatter(redact, as_json=settings.log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("aiohttp.access", "sqlalchemy.engine", "docker", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _one_line(value: object, *, bare: bool = False) -> str:
    """A value that cannot begin a line of its own: others may have chosen it."""
    text = str(value)
    plain = text.isprintable() and (bare or (text and not re.search(r'[\s="]', text)))
    return text if plain else json.dumps(text)
