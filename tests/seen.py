"""What people see, with all that differs from day to day put out of it, so that it can stand as a snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CHANGING = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "HUB"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "RUN-ID"),
    (re.compile(r"(?<=run `)[0-9a-f]{8}(?=`)|(?<=Run `)[0-9a-f]{8}(?=`)|(?<=- `)[0-9a-f]{8}(?=`)"), "RUN"),
    (re.compile(r"(?<=cancel )[0-9a-f]{8}\b"), "RUN"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "SHA"),
    (re.compile(r"(?<=`)[0-9a-f]{7}(?=`)"), "SHORT-SHA"),
    (re.compile(r"speckit/\d{8}/[0-9a-f]{6}"), "speckit/DATE/TOKEN"),
    (re.compile(r"\b(?:\d+ h \d\d min|\d+ min \d\d s|\d+(?:\.\d)? s)\b"), "T"),
    (re.compile(r"usually takes? about [^.;·]*? here"), "usually takes T here"),
    (re.compile(r"issuecomment-\d+|discussion_r\d+"), "COMMENT"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "DAY"),
)


def seen(text: str, names: Mapping[str, str] | None = None) -> str:
    """``text`` with addresses, ids, hashes and times replaced by words; ``names``: what else, and by what."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    for name, word in (names or {}).items():
        text = text.replace(name, word)
    return text
