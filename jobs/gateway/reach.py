"""What a model's endpoint would reach for an agent, on the internet or in the operator's account: none of it passes.

An agent in a box without a network could else have the model's own servers search, fetch or call what it may not: with
a tool that the endpoint runs itself, an MCP server, or the address of an image. Tools that the agent runs pass: what
those may reach is for the box to say. What was looked at is what is sent, here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from jobs.model_apis import NotUnderstood
from jobs.ports import ModelApi

_OPENAI_TOOLS = frozenset({"function", "custom", "local_shell", "apply_patch", "tool_search"})
_ANTHROPIC_TOOLS = ("bash_", "text_editor_", "memory_", "computer_", "tool_search_tool_")
_GEMINI_TOOLS = frozenset({"functionDeclarations", "function_declarations"})

_SERVERS = frozenset({"mcp_servers", "container", "prompt", "conversation"})
"""Fields of a request that name something at the endpoint: servers to call, programs, stored prompts with tools."""

# Text of people and programs stands in JSON strings, where its quotes are escaped: it cannot look like this.
_ADDRESSES: Mapping[ModelApi, re.Pattern[bytes]] = {
    ModelApi.OPENAI: re.compile(rb'"(image_url|file_url)"\s*:\s*"(?!data:)|"(server_url|connector_id)"\s*:\s*"'),
    ModelApi.ANTHROPIC: re.compile(rb'"(type)"\s*:\s*"url"'),
    ModelApi.GEMINI: re.compile(rb'"(fileUri|file_uri)"\s*:\s*"'),
}
_PLAIN_ESCAPED = re.compile(rb"\\u00[2-7]")
"""Escapes that no writer of JSON needs: letters hidden from the patterns above."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TOOLS = msgspec.json.Decoder(list[Any] | None)


def within_reach(api: ModelApi, body: bytes) -> bytes:
    """The body to pass on. Raises NotUnderstood for what is no JSON object and for what would reach further."""
    try:
        if _PLAIN_ESCAPED.search(body):
            body = msgspec.json.encode(msgspec.json.decode(body))
        fields = _FIELDS.decode(body)
        tools = _TOOLS.decode(fields["tools"]) if "tools" in fields else None
    except (ValueError, RecursionError):
        raise NotUnderstood("the body is no JSON object that can be read") from None
    for name in fields:
        if name in _SERVERS or (name != "tools" and name.lower() == "tools"):
            raise _refused(f"the field {name}")
    for tool in tools or ():
        if (named := _OWN_TOOL[api](tool)) is not None:
            raise _refused(f"the tool {named}")
    if found := _ADDRESSES[api].search(body):
        raise _refused(f"an address ({next(filter(None, found.groups())).decode()})")
    if tools is None:
        return body
    fields["tools"] = msgspec.Raw(msgspec.json.encode(tools))
    return msgspec.json.encode(fields)


def _refused(what: str) -> NotUnderstood:
    return NotUnderstood(f"{what[:200]} is not passed on: a model reaches nothing for an agent here")


def _openai(tool: Any) -> str | None:
    """The name of what the endpoint would run, or None for a tool of the agent's own."""
    for each in _flat(tool):
        kind = each.get("type") if isinstance(each, dict) else None
        if kind not in _OPENAI_TOOLS:
            return str(kind)
    return None


def _flat(tool: Any) -> Iterator[Any]:
    """A namespace is a list of tools."""
    inner = tool.get("tools") if isinstance(tool, dict) and tool.get("type") == "namespace" else None
    if not isinstance(inner, Sequence):
        yield tool
        return
    yield from inner


def _anthropic(tool: Any) -> str | None:
    kind = tool.get("type", "custom") if isinstance(tool, dict) else None
    own = kind is None or kind == "custom" or (isinstance(kind, str) and kind.startswith(_ANTHROPIC_TOOLS))
    return None if own and isinstance(tool, dict) else str(kind)


def _gemini(tool: Any) -> str | None:
    if not isinstance(tool, dict):
        return str(tool)
    return next((name for name in tool if name not in _GEMINI_TOOLS), None)


_OWN_TOOL: Mapping[ModelApi, Callable[[Any], str | None]] = {
    ModelApi.OPENAI: _openai,
    ModelApi.ANTHROPIC: _anthropic,
    ModelApi.GEMINI: _gemini,
}
