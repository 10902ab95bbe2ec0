"""What the agent ``template`` is asked for: one JSON file, read once and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from speckit_container.spec_project import Stuck


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that was asked, in its own words, and what somebody answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Place:
    """The lines of a file that a wish is about: from 1, both ends included."""

    path: str
    heading: str
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class Request:
    """One phase. ``date`` is YYYY-MM-DD; ``result_file`` is where findings and questions go, outside the project."""

    phase: str
    text: str
    date: str
    feature_directory: str = ""
    answers: tuple[Answer, ...] = ()
    section: Place | None = None
    paths: tuple[str, ...] = ()
    result_file: str = ""


def request_from(content: object) -> Request:
    """Raises Stuck, naming the field, where the content is not a request."""
    if not isinstance(content, dict):
        raise Stuck("the request is no JSON object")
    date = _text(content, "date")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise Stuck("the request's `date` is not YYYY-MM-DD")
    return Request(
        phase=_text(content, "phase"),
        text=_text(content, "text"),
        date=date,
        feature_directory=_text(content, "feature_directory"),
        answers=tuple(
            Answer(_text(answer, "question"), _text(answer, "answer")) for answer in _objects(content, "answers")
        ),
        section=_place(content.get("section")),
        paths=tuple(path for path in _list(content, "paths") if isinstance(path, str)),
        result_file=_text(content, "result_file"),
    )


def _place(value: object) -> Place | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Stuck("the request's `section` is no object")
    first, last = value.get("first_line"), value.get("last_line")
    if not isinstance(first, int) or not isinstance(last, int):
        raise Stuck("the request's `section` has no line numbers")
    return Place(_text(value, "path"), _text(value, "heading"), first, last)


def _text(content: dict[str, Any], name: str) -> str:
    value = content.get(name) or ""
    if not isinstance(value, str):
        raise Stuck(f"the request's `{name}` is no text")
    return value


def _list(content: dict[str, Any], name: str) -> list[Any]:
    value = content.get(name) or []
    if not isinstance(value, list):
        raise Stuck(f"the request's `{name}` is no list")
    return value


def _objects(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = _list(content, name)
    if not all(isinstance(value, dict) for value in values):
        raise Stuck(f"the request's `{name}` holds something else than objects")
    return values
