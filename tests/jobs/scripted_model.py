"""A model's endpoint on loopback that follows a script: it has codex run shell commands, one per turn, then says it is
done. The form is that of the Responses API as a stream of server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

REAL_KEY = "sk-the-operators-real-key-0123456789abcdef"


@dataclass
class ScriptedModel:
    """``commands`` are run one after the other; ``status`` other than 200 refuses every request."""

    commands: Sequence[str]
    url: str = ""
    status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if request.path != "/v1/responses":
            return web.json_response({"data": [], "object": "list"})
        asked = json.loads(await request.read())
        self.asked.append(asked)
        if self.status != 200:
            return web.json_response({"error": {"message": "refused by the script"}}, status=self.status)
        done = sum(item.get("type", "").endswith("call_output") for item in asked["input"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        item = _call(asked, self.commands[done], done) if done < len(self.commands) else _message()
        for event in (
            {"type": "response.created", "response": {"id": f"r{done}"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": f"r{done}", "usage": _usage()}},
        ):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return response


def _usage() -> dict[str, Any]:
    return {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 120,
    }


def _message() -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "id": "m",
        "content": [{"type": "output_text", "text": "The specification is written."}],
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


@asynccontextmanager
async def scripted_model(*commands: str, status: int = 200) -> AsyncIterator[ScriptedModel]:
    """Serve until the block ends."""
    model = ScriptedModel(commands, status=status)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", model.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield model
    finally:
        await runner.cleanup()
