"""What it means that an agent could not work: one table for all of them, from kinds of trouble to whose fault it is.

Agents tell of the same trouble in different words, and by exit codes that say little. Each backend finds the status of
its model's endpoint where its CLI has it; where there is none the words decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from db.vocabulary import ErrorCode
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.model_apis import OPERATOR_VARIABLES
from jobs.ports import ModelApi

LONGEST_WAIT = 120.0
"""Seconds: what a model asks to wait beyond that is not waited for before the next try."""


class Trouble(Enum):
    """Why an agent could not do its work."""

    KEY_REFUSED = "key refused"
    MODEL_UNKNOWN = "model unknown"
    QUOTA_USED_UP = "quota used up"
    RATE_LIMITED = "rate limited"
    MODEL_AWAY = "model away"
    TOO_LONG = "too long"
    DECLINED = "declined"
    SANDBOX_BROKEN = "sandbox broken"


@dataclass(frozen=True, slots=True)
class _Row:
    """``sentence`` may name the ``{agent}``, what it ``{said}``, the operator's variables ``{key}`` and ``{url}``."""

    kind: type[PipelineError]
    code: ErrorCode
    sentence: str


_TABLE: Mapping[Trouble, _Row] = {
    Trouble.KEY_REFUSED: _Row(
        AppError,
        ErrorCode.AGENT_NOT_CONFIGURED,
        "running {agent}: its model's endpoint refused the key; check {key} and {url}.{said}",
    ),
    Trouble.MODEL_UNKNOWN: _Row(
        AppError,
        ErrorCode.AGENT_NOT_CONFIGURED,
        "running {agent}: its endpoint does not know the model, or not for this key; check the model's name and {url}."
        "{said}",
    ),
    Trouble.QUOTA_USED_UP: _Row(
        AppError,
        ErrorCode.AGENT_NOT_CONFIGURED,
        "running {agent}: the account behind {key} has nothing left to spend.{said}",
    ),
    Trouble.RATE_LIMITED: _Row(
        TransientError, ErrorCode.AGENT_RATE_LIMITED, "running {agent}: its model takes no more requests now.{said}"
    ),
    Trouble.MODEL_AWAY: _Row(
        TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE, "running {agent}: its model did not answer whole.{said}"
    ),
    Trouble.TOO_LONG: _Row(
        UserError,
        ErrorCode.AGENT_FAILED,
        "The request and the repository are too long for the model. Ask for less at a time.",
    ),
    Trouble.DECLINED: _Row(UserError, ErrorCode.AGENT_DECLINED, "The model declined to do this.{said}"),
    Trouble.SANDBOX_BROKEN: _Row(
        AppError,
        ErrorCode.AGENT_SANDBOX_BROKEN,
        "running {agent}: its own sandbox does not start in this container.{said}",
    ),
}


def failure(trouble: Trouble, agent: str, api: ModelApi | None, said: str) -> PipelineError:
    """The error for it. ``said`` is one line of the agent's own."""
    row = _TABLE[trouble]
    key, url = OPERATOR_VARIABLES[api] if api is not None else ("its key", "its address")
    error = row.kind(
        row.code, row.sentence.format(agent=agent, said=f" It said: {said}" if said else "", key=key, url=url)
    )
    if isinstance(error, TransientError):
        error.retry_after = _seconds_asked_for(said)
    return error


def trouble_of(said: str, status: int | None = None) -> Trouble | None:
    """What an agent's words and the status it got from the endpoint mean; None where they tell nothing known."""
    for pattern, trouble in _BY_WORDS_FIRST:
        if pattern.search(said):
            # Google speaks of billing where a minute's quota is used up; it then says when to come again.
            return Trouble.RATE_LIMITED if trouble is Trouble.QUOTA_USED_UP and _ASKED.search(said) else trouble
    if status is not None and (trouble_there := _by_status(status)) is not None:
        return trouble_there
    return next((trouble for pattern, trouble in _BY_WORDS if pattern.search(said)), None)


def _by_status(status: int) -> Trouble | None:
    match status:
        case 401 | 403:
            return Trouble.KEY_REFUSED
        case 402:
            return Trouble.QUOTA_USED_UP
        case 404:
            return Trouble.MODEL_UNKNOWN
        case 408 | 409 | 425:
            return Trouble.MODEL_AWAY
        case 429:
            return Trouble.RATE_LIMITED
        case 413:
            return Trouble.TOO_LONG
    return Trouble.MODEL_AWAY if status >= 500 else None


def _words(*patterns: str) -> re.Pattern[str]:
    """Any of these as a word of its own: the 404 of ``status 404``, not that of ``14040 tokens`` or ``12,404``."""
    return re.compile(rf"(?<![^\W_])(?<!\d[.,])(?:{'|'.join(patterns)})(?![^\W_])(?![.,]\d)", re.IGNORECASE)


# Statuses are shared: OpenAI's empty account is a 429, Google's wrong key a 400 like a request that is too long.
_BY_WORDS_FIRST = (
    (
        _words("context[ _]window", "context_length", "maximum context", "prompt is too long", "input token count"),
        Trouble.TOO_LONG,
    ),
    (_words("insufficient_quota", "credit balance is too low", "billing"), Trouble.QUOTA_USED_UP),
    (_words("api key not valid", "api_key_invalid", "invalid_api_key", "invalid api key"), Trouble.KEY_REFUSED),
    (
        _words(
            *("safeguards flagged", "flagged as potentially violating", "blocked due to safety"),
            *("usage polic(?:y|ies)", "content[ _]filter", "prohibited_content"),
        ),
        Trouble.DECLINED,
    ),
)
_BY_WORDS = (
    (_words("bwrap", "landlock", "user namespaces?", "sandbox-exec"), Trouble.SANDBOX_BROKEN),
    (
        _words("401", "403", "unauthorized", "unauthenticated", "permission_denied", "authentication"),
        Trouble.KEY_REFUSED,
    ),
    (
        _words(
            *("404", "model_not_found", "is not found for api version", "does not exist"),
            "issue with the selected model",
        ),
        Trouble.MODEL_UNKNOWN,
    ),
    (_words("429", "rate[ _]limit", "too many requests", "resource_exhausted", "quota"), Trouble.RATE_LIMITED),
    (
        _words(
            *("500", "502", "503", "504", "529", "overloaded", "timed out", "terminated", "stream disconnected"),
            *("fetch failed", "econnreset", "connection (?:to the api )?(?:was )?(?:lost|reset|closed|refused|error)"),
            *("server_error", "internal server error", "error sending request", "experiencing high demand"),
        ),
        Trouble.MODEL_AWAY,
    ),
)
_ASKED = re.compile(r"(?:try again|retry(?:ing)?) (?:in|after) (\d{1,6}(?:\.\d{1,9})?)\s*(ms|s|m|h)?", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds_asked_for(said: str) -> float:
    """How long the model asked to be left alone, in seconds, at most ``LONGEST_WAIT``; 0 where it did not."""
    found = _ASKED.search(said)
    if found is None:
        return 0.0
    return min(float(found[1]) * _UNITS[(found[2] or "s").lower()], LONGEST_WAIT)
