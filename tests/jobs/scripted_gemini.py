"""Google's Gemini API as Gemini CLI calls it, from a script: events of a stream. Source:
https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from typing import Any

from tests.jobs.scripted_turns import Turn, sse


def turns_done(asked: dict[str, Any]) -> int:
    """How many commands the agent ran already, as the conversation shows."""
    return sum("functionResponse" in part for content in asked["contents"] for part in content.get("parts", []))


def stream(turn: Turn, asked: dict[str, Any]) -> list[bytes]:
    """The answer to one request, event by event."""
    return [sse(answer(turn, asked), named=False)]


def answer(turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer as one object, as for a request without a stream."""
    reason = "SAFETY" if turn.refuses else "STOP"
    candidate: dict[str, Any] = {"index": 0, "finishReason": reason}
    if not turn.refuses:
        candidate["content"] = {"role": "model", "parts": [_part(turn, asked)]}
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": turn.input_tokens,
            "cachedContentTokenCount": turn.cached_tokens,
            "candidatesTokenCount": turn.output_tokens,
            "totalTokenCount": turn.input_tokens + turn.output_tokens,
        },
        "modelVersion": asked["model"],
    }


ERRORS = {
    400: (
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    404: ("NOT_FOUND", "models/gemini-test is not found for API version v1beta, or is not supported."),
    429: (
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing. Please retry in 1s.",
    ),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def error(status: int) -> dict[str, Any]:
    """The body of a refused request."""
    kind, message = ERRORS.get(status, ("UNKNOWN", "Unknown error."))
    return {"error": {"code": status, "message": message, "status": kind}}


def _part(turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    if turn.command is None:
        return {"text": turn.says}
    names = {
        function.get("name") for tool in asked.get("tools", []) for function in tool.get("functionDeclarations", [])
    }
    assert "run_shell_command" in names, f"Gemini CLI offers no shell: {names}"
    return {"functionCall": {"name": "run_shell_command", "args": {"command": turn.command}}}
