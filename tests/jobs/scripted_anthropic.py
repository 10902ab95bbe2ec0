"""Anthropic's Messages API as Claude Code calls it, from a script: events of a stream. Source:
https://docs.anthropic.com/en/api/messages-streaming."""

from __future__ import annotations

import json
from typing import Any

from tests.jobs.scripted_turns import Turn, sse


def turns_done(asked: dict[str, Any]) -> int:
    """How many commands the agent ran already, as the conversation shows."""
    return sum(
        part.get("type") == "tool_result"
        for message in asked["messages"]
        for part in (message["content"] if isinstance(message["content"], list) else [])
    )


def stream(turn: Turn, asked: dict[str, Any]) -> list[bytes]:
    """The answer to one request, event by event."""
    usage = {
        "input_tokens": turn.input_tokens - turn.cached_tokens,
        "cache_read_input_tokens": turn.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    message = {
        "id": f"msg_{turn.number}",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    reason = "refusal" if turn.refuses else "tool_use" if turn.command is not None else "end_turn"
    return [
        sse({"type": "message_start", "message": message}),
        sse({"type": "content_block_start", "index": 0, "content_block": _block(turn, asked)}),
        sse({"type": "content_block_delta", "index": 0, "delta": _delta(turn)}),
        sse({"type": "content_block_stop", "index": 0}),
        sse(
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": None},
                "usage": {"output_tokens": turn.output_tokens},
            }
        ),
        sse({"type": "message_stop"}),
    ]


ERRORS = {
    400: ("invalid_request_error", "prompt is too long: 240000 tokens > 200000 maximum"),
    401: ("authentication_error", "invalid x-api-key"),
    404: ("not_found_error", "model: claude-test"),
    429: ("rate_limit_error", "This request would exceed your account's rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def error(status: int) -> dict[str, Any]:
    """The body of a refused request."""
    kind, message = ERRORS.get(status, ("api_error", "Internal server error"))
    return {"type": "error", "error": {"type": kind, "message": message}}


def _block(turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    if turn.command is None:
        return {"type": "text", "text": ""}
    names = {tool.get("name") for tool in asked.get("tools", [])}
    assert "Bash" in names, f"Claude Code offers no shell: {names}"
    return {"type": "tool_use", "id": f"toolu_{turn.number}", "name": "Bash", "input": {}}


def _delta(turn: Turn) -> dict[str, Any]:
    if turn.command is None:
        return {"type": "text_delta", "text": turn.says}
    arguments = {"command": turn.command, "description": "Do the next step"}
    return {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
