"""What the log says, and that no secret is ever in it."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from bot.logs import RedactingFormatter, configure_logging
from bot.settings import Settings
from jobs.redaction import MASK as MASKED
from jobs.redaction import Redactor

MASK = MASKED.decode()

SECRET = 'p@ss/wörd "with" +everything='
TOKENS = [
    "ghs_" + "Ab1.-_" * 86,
    "ghs_" + "a" * 36,
    "ghp_" + "b" * 36,
    "github_pat_" + "c" * 40,
    "sk-proj-" + "d" * 40,
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2lnbmF0dXJl",
]


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(settings_values: dict[str, object]) -> io.StringIO:
    stream = io.StringIO()
    settings = Settings.model_validate(settings_values)
    configure_logging(settings, Redactor(settings.secrets()).redact_text, stream)
    return stream


@pytest.fixture
def values(app_key: str) -> dict[str, object]:
    return {
        "GITHUB_APP_ID": 1,
        "GITHUB_APP_PRIVATE_KEY": app_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": f"postgresql+asyncpg://u:{quote(SECRET, safe='')}@h/db",
    }


def spellings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        raw.hex(),
        json.dumps(secret),
        *(base64.b64encode(b"x" * shift + raw + b"tail").decode() for shift in range(3)),
        base64.urlsafe_b64encode(f"x-access-token:{secret}".encode()).decode(),
    ]


def leaks(secret: str, line: str) -> bool:
    raw = secret.encode()
    forms = [secret, quote(secret), quote(secret, safe=""), raw.hex(), json.dumps(secret)[1:-1]]
    forms += [base64.b64encode(raw[skip : skip + (len(raw) - skip) // 3 * 3]).decode() for skip in range(3)]
    return any(form in line for form in forms)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_in_any_spelling_gets_out(
    root_logger: logging.Logger, values: dict[str, object], log_format: str
) -> None:
    stream = lines({**values, "SPECKIT_LOG_FORMAT": log_format})
    log = logging.getLogger("test")
    for spelling in [*spellings(SECRET), *TOKENS]:
        log.warning("event %s", spelling)
        log.warning("event", extra={"field": spelling, "nested": {"list": [spelling]}})
        try:
            raise ValueError(f"https://x-access-token:{spelling}@github.com")
        except ValueError:
            log.exception("broke")
    written = stream.getvalue()
    assert written.count(MASK) >= 3 * len([*spellings(SECRET), *TOKENS])
    assert not leaks(SECRET, written)
    for token in TOKENS:
        assert token not in written
        assert token[8:30] not in written


def test_no_line_of_the_private_key_gets_out(
    root_logger: logging.Logger, values: dict[str, object], app_key: str
) -> None:
    stream = lines(values)
    log = logging.getLogger("test")
    log.warning(app_key)
    log.warning("key", extra={"pem": app_key, "half": app_key[: len(app_key) // 2]})
    log.warning(app_key.splitlines()[3])
    log.warning(base64.b64encode(app_key.encode()).decode())
    written = stream.getvalue()
    for line in app_key.splitlines()[1:-1]:
        assert line not in written


def test_json_lines_hold_event_and_fields(root_logger: logging.Logger, values: dict[str, object]) -> None:
    stream = lines({**values, "SPECKIT_LOG_FORMAT": "json"})
    logging.getLogger("bot.test").info("run_opened", extra={"run": "7f3a", "attempt": 2, "odd": object})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["run"], line["attempt"]) == ("run_opened", "7f3a", 2)
    assert (line["level"], line["logger"]) == ("INFO", "bot.test")
    assert line["time"].endswith("+00:00")


def test_text_lines_cannot_be_forged_by_what_others_wrote(
    root_logger: logging.Logger, values: dict[str, object]
) -> None:
    stream = lines(values)
    forged = "x\n2026-11-22 INFO bot.intake run_opened run=fake\x1b[2J"
    logging.getLogger("bot.test").info("said", extra={"text": forged})
    logging.getLogger("bot.test").info(forged)
    written = stream.getvalue()
    assert written.count("\n") == 2
    assert "\x1b" not in written


def test_a_traceback_is_told_whole_and_redacted(root_logger: logging.Logger, values: dict[str, object]) -> None:
    stream = lines(values)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("bot.test").exception("broke")
    written = stream.getvalue()
    assert "Traceback" in written
    assert f"RuntimeError: {MASK}" in written


def test_a_record_that_cannot_be_formatted_is_dropped_and_raises_nothing() -> None:
    formatter = RedactingFormatter(Redactor([SECRET]).redact_text, as_json=False)
    record = logging.makeLogRecord({"name": "x", "msg": "%s %s", "args": (SECRET,), "levelname": "INFO"})
    assert "dropped" in formatter.format(record)
    assert SECRET not in formatter.format(record)


def test_what_cannot_be_redacted_is_dropped() -> None:
    def breaks(text: str) -> str:
        raise MemoryError

    record = logging.makeLogRecord({"name": "x", "msg": SECRET, "levelname": "INFO"})
    assert RedactingFormatter(breaks, as_json=True).format(record) == "record dropped: x:0 could not be formatted"


def test_short_values_do_not_riddle_the_log() -> None:
    assert Redactor(["", "a", "ab"]).redact_text("a cab") == "a cab"


def test_a_password_in_a_url_is_known_as_it_is_and_as_the_url_has_it(values: dict[str, object]) -> None:
    assert {SECRET, quote(SECRET, safe="")} <= set(Settings.model_validate(values).secrets())
