"""What an agent is answered instead of its model's answer, in the form of its API.

A request that can never go through gets 400: every agent takes that for final, while 403, 404 and 429 are tried again
and again by one or the other.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from jobs.ports import ModelApi

NEVER = 400
"""The status of what may not be asked at all, or not any more."""

_GEMINI_STATUS = {400: "FAILED_PRECONDITION", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
_ANTHROPIC_TYPE = {401: "authentication_error", 403: "permission_error"}


def refusal(status: int, message: str, api: ModelApi | None = None, code: str = "gateway") -> web.Response:
    """The answer. ``code`` is for programs, ``message`` for people; without an API the form is OpenAI's."""
    # The clients of OpenAI and Anthropic obey this header.
    headers = {"x-should-retry": "false"} if status == NEVER else None
    return web.json_response(_body(status, message, api, code), status=status, headers=headers)


def _body(status: int, message: str, api: ModelApi | None, code: str) -> dict[str, Any]:
    if api is ModelApi.ANTHROPIC:
        kind = "api_error" if status >= 500 else _ANTHROPIC_TYPE.get(status, "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": message}}
    if api is ModelApi.GEMINI:
        return {"error": {"code": status, "message": message, "status": _GEMINI_STATUS.get(status, "UNAVAILABLE")}}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
