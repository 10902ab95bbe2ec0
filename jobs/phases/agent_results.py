"""What an agent hands back besides files: questions and findings, as JSON that it wrote. Bounded and strictly read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.phases.spec_reading import one_line

MOST_QUESTIONS = 20
MOST_FINDINGS = 50
MOST_OPTIONS = 6
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
LONGEST_TEXT = 500
LONGEST_PATH = 300
LARGEST_QUESTIONS = 100_000
"""Bytes of JSON for all questions of a run: a row holds them, and so does a comment."""


def questions_of(result: bytes, *, in_project: str) -> list[dict[str, object]]:
    """The questions of ``speckit_clarify``, without numbers: ``{text, why, options: [{letter, text}], recommended,
    path, line}``. ``in_project`` goes before every path. Raises UserError ``agent.no_output``."""
    found = (_question(item, in_project) for item in _items(result, "questions"))
    return [question for question in found if question is not None][:MOST_QUESTIONS]


def findings_of(result: bytes, *, in_project: str) -> list[dict[str, object]]:
    """The findings of ``speckit_analyze``: ``{id, category, severity, path, line, summary, recommendation}``, the
    gravest first. Raises UserError ``agent.no_output``."""
    found: list[dict[str, object]] = []
    for item in _items(result, "findings"):
        summary = _text(item, "summary")
        if not summary:
            continue
        severity = _text(item, "severity").upper()
        found.append(
            {
                "id": _text(item, "id")[:20] or f"F{len(found) + 1}",
                "category": _text(item, "category")[:80],
                "severity": severity if severity in SEVERITIES else "LOW",
                **_place(item, in_project),
                "summary": summary,
                "recommendation": _text(item, "recommendation"),
            }
        )
    found.sort(key=lambda finding: SEVERITIES.index(str(finding["severity"])))
    return found[:MOST_FINDINGS]


def numbered(questions: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The questions with the numbers people answer by, from 1: as many as may be asked at once."""
    kept: list[dict[str, object]] = []
    room = LARGEST_QUESTIONS
    for number, question in enumerate(questions[:MOST_QUESTIONS], start=1):
        asked = {"number": number, **question}
        room -= len(json.dumps(asked))
        if room < 0:
            break
        kept.append(asked)
    return kept


def _question(item: Mapping[str, Any], in_project: str) -> dict[str, object] | None:
    text = _text(item, "question")
    if not text:
        return None
    given = item.get("options")
    usable = [option for option in _mappings(given) if _text(option, "text")][:MOST_OPTIONS]
    # The agent's letters may be missing or the same twice; the letters people answer with are in order.
    lettered = list(zip(ascii_uppercase, usable, strict=False))
    wanted = _text(item, "recommended").upper()
    return {
        "text": text,
        "why": _text(item, "why"),
        "options": [{"letter": letter, "text": _text(option, "text")} for letter, option in lettered],
        "recommended": next(
            (letter for letter, option in lettered if wanted and _text(option, "letter").upper() == wanted), None
        ),
        **_place(item, in_project),
    }


def _place(item: Mapping[str, Any], in_project: str) -> dict[str, object]:
    path, line = item.get("path"), item.get("line")
    if not isinstance(path, str) or not _is_plain(path):
        return {"path": None, "line": None}
    return {
        "path": f"{in_project}/{path}" if in_project else path,
        "line": line if type(line) is int and 0 < line < 1_000_000 else None,
    }


def _is_plain(path: str) -> bool:
    return 0 < len(path) <= LONGEST_PATH and path.isprintable() and ".." not in path and not path.startswith("/")


def _items(result: bytes, key: str) -> Iterator[Mapping[str, Any]]:
    try:
        found = json.loads(result)
        items = found[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            ErrorCode.AGENT_NO_OUTPUT, f"The agent finished, but it left no {key} in the form it was asked for."
        ) from None
    if not isinstance(items, list):
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent finished, but its {key} are no list.")
    return _mappings(items)


def _mappings(items: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def _text(item: Mapping[str, Any], key: str) -> str:
    found = item.get(key)
    return one_line(found, LONGEST_TEXT) if isinstance(found, str) else ""
