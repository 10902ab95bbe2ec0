"""Logging of a process: text lines or JSON lines, static event names, data in ``extra``, no secret.

One handler, one formatter: every line, with its fields and its traceback, passes the Redactor as finished text. What
cannot be redacted is dropped. The redactor knows the exact values of the settings in the spellings they travel in, and
the patterns of credentials that are minted later (GitHub's token formats, keys, JWTs, passwords in URLs).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote, unquote

from bot.settings import Settings

MASK = "[redacted]"

_SHORTEST_SECRET = 6
_SHORTEST_PEM_LINE = 16

_PATTERNS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bgh[oprsu]_[\w.-]{20,}"
    r"|\bgithub_pat_\w{20,}"
    r"|\bsk-[\w-]{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|(?i:(?<=bearer )|(?<=token )|(?<=basic ))[\w.~+/=-]{20,}",
    re.DOTALL,
)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Masks secrets in text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redact(self, text: str) -> str:
        """The text with every known value and everything that looks like a credential replaced by MASK."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        return _PATTERNS.sub(MASK, text)


class RedactingFormatter(logging.Formatter):
    """One record as one line of text or JSON, redacted. A traceback follows its text line, indented."""

    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The finished line. A record that cannot be formatted or redacted is replaced by a line that says so."""
        try:
            line = self._json(record) if self._as_json else self._text(record)
            return self._redactor.redact(line)
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


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every logger of the process through the redactor to ``stream`` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(RedactingFormatter(Redactor(settings.secrets()), as_json=settings.log_format == "json"))
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


def _spellings(secret: str) -> set[str]:
    """The ways a secret may be written: as it is, in a URL, hexadecimal, in JSON, in base64 at each of its alignments,
    and for a key of many lines also line by line."""
    if len(secret) < _SHORTEST_SECRET:
        return set()
    raw = secret.encode()
    spellings = {secret, quote(secret, safe=""), quote(secret), unquote(secret), raw.hex(), raw.hex().upper()}
    spellings |= {json.dumps(secret)[1:-1], secret.replace("\n", "\\n")}
    for skipped in range(3):
        # The first and the last characters of base64 depend on the neighbours; what is between them does not.
        encoded = base64.b64encode(b"\0" * skipped + raw).decode().rstrip("=")
        middle = encoded[(0, 2, 3)[skipped] : len(encoded) - (1 if (len(raw) + skipped) % 3 else 0)]
        spellings |= {middle, middle.replace("+", "-").replace("/", "_")}
    if "\n" in secret:
        spellings |= {line for line in secret.splitlines() if len(line) >= _SHORTEST_PEM_LINE}
    return {spelling for spelling in spellings if len(spelling) >= _SHORTEST_SECRET}
