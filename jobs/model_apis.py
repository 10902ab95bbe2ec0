"""The three ways agents talk to models, as far as the gateway must know them: paths, keys, the model's name.

Sources: https://platform.openai.com/docs/api-reference/responses, https://docs.anthropic.com/en/api/messages,
https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.ports import ModelApi


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """Where the operator's models are. ``base_url`` has no path but perhaps ``/v1`` at its end; ``key`` never
    leaves but in requests to it."""

    api: ModelApi
    base_url: str
    key: str


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What an agent asks of its model's endpoint. ``model`` is empty for a path that names none, or whose body does."""

    api: ModelApi
    path: str
    model: str = ""
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: re.Pattern[str]
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class ApiRules:
    """One API. ``key_header`` is the one the real key goes into, with ``key_prefix`` before it; ``passed`` are the
    headers of the agent that reach the model."""

    routes: tuple[_Route, ...]
    key_header: str
    key_prefix: str
    passed: tuple[str, ...]


def _route(method: str, path: str, *, in_body: bool = False) -> _Route:
    return _Route(method, re.compile(path), in_body)


_COMMON = ("content-type", "accept", "user-agent")

RULES: Mapping[ModelApi, ApiRules] = {
    ModelApi.OPENAI: ApiRules(
        routes=(_route("POST", "/v1/responses", in_body=True), _route("GET", "/v1/models")),
        key_header="Authorization",
        key_prefix="Bearer ",
        passed=(*_COMMON, "openai-beta"),
    ),
    ModelApi.ANTHROPIC: ApiRules(
        routes=(
            _route("POST", "/v1/messages", in_body=True),
            _route("POST", "/v1/messages/count_tokens", in_body=True),
        ),
        key_header="x-api-key",
        key_prefix="",
        passed=(*_COMMON, "anthropic-version", "anthropic-beta"),
    ),
    ModelApi.GEMINI: ApiRules(
        routes=(
            _route(
                "POST",
                r"/v1beta/models/(?P<model>[\w.-]{1,100}):(?:generateContent|streamGenerateContent|countTokens)",
            ),
        ),
        key_header="x-goog-api-key",
        key_prefix="",
        passed=_COMMON,
    ),
}


def call_of(method: str, path: str) -> ModelCall | None:
    """What a request is, by its method and its path without the query; None where no API has that."""
    for api, rules in RULES.items():
        for route in rules.routes:
            if route.method == method and (found := route.path.fullmatch(path)):
                return ModelCall(api, path, found.groupdict().get("model", ""), route.in_body)
    return None


def model_named(call: ModelCall, body: bytes) -> str:
    """The model a request is for; empty where it names none."""
    if not call.in_body:
        return call.model
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    name = asked.get("model") if isinstance(asked, dict) else None
    return name if isinstance(name, str) else ""


def key_presented(headers: Mapping[str, str]) -> str:
    """The key of the run, in whichever header the agent's API has it; empty where there is none."""
    for name in ("x-api-key", "x-goog-api-key"):
        if name in headers:
            return headers[name]
    return headers.get("Authorization", "").removeprefix("Bearer ")
