"""OpenAI's Responses API as codex calls it, from a script: events of a stream. Source:
https://platform.openai.com/docs/api-reference/responses-streaming."""

from __future__ import annotations

import json
from typing import Any

from tests.jobs.scripted_turns import Turn, sse


def turns_done(asked: dict[str, Any]) -> int:
    """How many commands the agent ran already, as the conversation shows."""
    return sum(item.get("type", "").endswith("call_output") for item in asked["input"])


def stream(turn: Turn, asked: dict[str, Any]) -> list[bytes]:
    """The answer to one request, event by event."""
    name = f"r{turn.number}"
    return [
        sse({"type": "response.created", "response": {"id": name}}),
        sse({"type": "response.output_item.done", "output_index": 0, "item": _item(turn, asked)}),
        sse({"type": "response.completed", "response": {"id": name, "usage": _usage(turn)}}),
    ]


ERRORS = {
    400: ("Your input exceeds the context window of this model.", "invalid_request_error", "context_length_exceeded"),
    401: ("Incorrect API key provided: sk-***cdef.", "invalid_request_error", "invalid_api_key"),
    404: ("The model `gpt-test` does not exist or you do not have access to it.", "error", "model_not_found"),
    429: ("Rate limit reached for gpt-test. Please try again in 1s.", "tokens", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
}


def error(status: int) -> dict[str, Any]:
    """The body of a refused request."""
    message, kind, code = ERRORS.get(status, ("Overloaded", "server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _item(turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    if turn.command is not None:
        return _call(asked, turn.command, turn.number)
    part = {"type": "refusal", "refusal": turn.says} if turn.refuses else {"type": "output_text", "text": turn.says}
    return {"type": "message", "role": "assistant", "id": "m", "content": [part]}


def _usage(turn: Turn) -> dict[str, Any]:
    return {
        "input_tokens": turn.input_tokens,
        "input_tokens_details": {"cached_tokens": turn.cached_tokens},
        "output_tokens": turn.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.input_tokens + turn.output_tokens,
    }


def _call(asked: dict[str, Any], command: str, number: int) -> dict[str, Any]:
    """A call of whichever shell tool codex offers."""
    names = {tool.get("name") for tool in asked.get("tools", [])}
    for name, arguments in (
        ("exec_command", {"cmd": command, "login": False}),
        ("shell_command", {"command": command}),
        ("shell", {"command": ["bash", "-c", command]}),
    ):
        if name in names:
            return {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": f"c{number}"}
    raise AssertionError(f"codex offers no shell: {names}")
