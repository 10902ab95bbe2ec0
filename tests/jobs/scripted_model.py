"""A model's endpoint on loopback that follows a script: it has the agent run shell commands, one a turn, then says it is
done. It speaks the three APIs by their paths, each in a file of its own beside this one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any

from aiohttp import web

from tests.jobs import scripted_anthropic, scripted_gemini, scripted_openai
from tests.jobs.scripted_turns import Turn

REAL_KEY = "sk-the-operators-real-key-0123456789abcdef"
SAYS = "The specification is written."
_GEMINI = re.compile(r"/v1beta/models/(?P<model>[^:/]+):(?P<method>\w+)")


class Fault(Enum):
    """What goes wrong with an answer that began well."""

    NONE = "none"
    CUT = "cut"
    """The connection breaks after the first event."""
    SILENT = "silent"
    """Nothing comes after the first event."""
    REFUSAL = "refusal"
    """The model declines."""


@dataclass
class ScriptedModel:
    """``commands`` are run one after the other; ``status`` other than 200 refuses every request, with ``retry_after``
    as its header. ``asked`` are the bodies of what was asked, ``told`` the same as text."""

    commands: Sequence[str]
    url: str = ""
    status: int = 200
    retry_after: str = ""
    fault: Fault = Fault.NONE
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def told(self, number: int = -1) -> str:
        """Everything that one request told the model."""
        return json.dumps(self.asked[number], ensure_ascii=False)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request of whichever API."""
        self.authorizations.append(_key(request))
        self.paths.append(request.path)
        if request.path == "/v1/responses":
            return await self._turn(request, scripted_openai, json.loads(await request.read()))
        if request.path == "/v1/messages":
            return await self._turn(request, scripted_anthropic, json.loads(await request.read()))
        if request.path == "/v1/messages/count_tokens":
            return web.json_response({"input_tokens": 100})
        if found := _GEMINI.fullmatch(request.path):
            asked = {"model": found["model"], **json.loads(await request.read())}
            if found["method"] == "countTokens":
                return web.json_response({"totalTokens": 100})
            return await self._turn(request, scripted_gemini, asked)
        return web.json_response({"data": [], "object": "list"})

    async def _turn(self, request: web.Request, api: ModuleType, asked: dict[str, Any]) -> web.StreamResponse:
        self.asked.append(asked)
        if self.status != 200:
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return web.json_response(api.error(self.status), status=self.status, headers=headers)
        done = api.turns_done(asked)
        command = self.commands[done] if done < len(self.commands) else None
        refuses = self.fault is Fault.REFUSAL
        turn = Turn(done, None if refuses else command, "I can not help with that." if refuses else SAYS, refuses)
        if request.path.endswith(":generateContent"):
            return web.json_response(scripted_gemini.answer(turn, asked))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in api.stream(turn, asked):
            await response.write(event[: len(event) // 2] if self.fault is Fault.CUT else event)
            if self.fault is Fault.CUT and request.transport is not None:
                request.transport.close()
                return response
            if self.fault is Fault.SILENT:
                await asyncio.sleep(3600)
        return response


def _key(request: web.Request) -> str:
    """The key as the API has it; OpenAI's with its ``Bearer``."""
    names = ("x-api-key", "x-goog-api-key", "Authorization")
    return next((request.headers[name] for name in names if name in request.headers), "")


@asynccontextmanager
async def scripted_model(*commands: str, status: int = 200, **rest: Any) -> AsyncIterator[ScriptedModel]:
    """Serve until the block ends."""
    model = ScriptedModel(commands, status=status, **rest)
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
