"""The three ways agents talk to models, as far as the gateway must know them: paths, keys, the model's name.

Sources: https://platform.openai.com/docs/api-reference/responses, https://docs.anthropic.com/en/api/messages,
https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

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

    @property
    def names_model(self) -> bool:
        """Whether it asks a model for something, so that it is counted."""
        return self.in_body or bool(self.model)


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


OPERATOR_VARIABLES: Mapping[ModelApi, tuple[str, str]] = {
    ModelApi.OPENAI: ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    ModelApi.ANTHROPIC: ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    ModelApi.GEMINI: ("GEMINI_API_KEY", "GEMINI_BASE_URL"),
}
"""Where the operator says what the key is and where the endpoint is."""

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


class NotUnderstood(Exception):  # noqa: N818 - it says what the request is, for whoever reads the answer
    """A request whose model cannot be told. The message is a sentence for the agent."""


def understood(call: ModelCall, body: bytes) -> tuple[str, bytes]:
    """The model a request is for (empty where its path needs none), and the body to pass on: what was looked at is what
    is sent, so no second ``model`` can hide in it. Raises NotUnderstood."""
    if not call.in_body:
        return call.model, body
    try:
        fields = _FIELDS.decode(body)
        model = msgspec.json.decode(fields["model"], type=str)
    except (ValueError, KeyError, RecursionError):
        raise NotUnderstood("the body is no JSON object that names a model") from None
    # Some readers of JSON take `Model` for `model`.
    if sum(name.lower() == "model" for name in fields) > 1:
        raise NotUnderstood("the body names more than one model")
    return model, msgspec.json.encode(fields)


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def key_presented(headers: Mapping[str, str]) -> str:
    """The key of the run, in whichever header the agent's API has it; empty where there is none."""
    for name in ("x-api-key", "x-goog-api-key"):
        if name in headers:
            return headers[name]
    return headers.get("Authorization", "").removeprefix("Bearer ")
