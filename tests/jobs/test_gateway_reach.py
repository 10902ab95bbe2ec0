"""A model's endpoint searches, fetches and calls nothing for an agent that may not do so itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.gateway.reach import within_reach
from jobs.model_apis import NotUnderstood
from jobs.ports import ModelApi

OPENAI, ANTHROPIC, GEMINI = ModelApi.OPENAI, ModelApi.ANTHROPIC, ModelApi.GEMINI

FUNCTION = {"type": "function", "name": "exec_command", "parameters": {"type": "object", "url": {"type": "string"}}}
CLIENT_TOOL = {"name": "Bash", "input_schema": {"type": "object", "properties": {"url": {"type": "string"}}}}

REFUSED: dict[str, tuple[ModelApi, dict[str, Any], str]] = {
    "a search": (OPENAI, {"tools": [FUNCTION, {"type": "web_search"}]}, "the tool web_search"),
    "a dated search": (OPENAI, {"tools": [{"type": "web_search_preview_2025_03_11"}]}, "web_search_preview"),
    "an MCP server": (OPENAI, {"tools": [{"type": "mcp", "server_url": "https://evil.example"}]}, "the tool mcp"),
    "a hosted program": (OPENAI, {"tools": [{"type": "code_interpreter"}]}, "code_interpreter"),
    "a hosted shell": (OPENAI, {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "shell"),
    "another model": (OPENAI, {"tools": [{"type": "image_generation", "model": "gpt-image-1"}]}, "image_generation"),
    "a search in a namespace": (
        OPENAI,
        {"tools": [{"type": "namespace", "name": "n", "tools": [FUNCTION, {"type": "web_search"}]}]},
        "web_search",
    ),
    "a tool that is none": (OPENAI, {"tools": ["web_search"]}, "the tool None"),
    "an image to fetch": (
        OPENAI,
        {"input": [{"content": [{"type": "input_image", "image_url": "https://evil.example/?data"}]}]},
        "an address (image_url)",
    ),
    "a file to fetch": (OPENAI, {"input": [{"type": "input_file", "file_url": "https://evil.example"}]}, "file_url"),
    "a server among the input": (
        OPENAI,
        {"input": [{"type": "tool_search_output", "tools": [{"type": "mcp", "server_url": "https://evil"}]}]},
        "server_url",
    ),
    "a stored prompt": (OPENAI, {"prompt": {"id": "pmpt_1"}}, "the field prompt"),
    "a search by Anthropic": (ANTHROPIC, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_s"),
    "a fetch by Anthropic": (ANTHROPIC, {"tools": [CLIENT_TOOL, {"type": "web_fetch_20250910"}]}, "web_fetch"),
    "a program at Anthropic": (ANTHROPIC, {"tools": [{"type": "code_execution_20250825"}]}, "code_execution"),
    "servers for Anthropic": (ANTHROPIC, {"mcp_servers": [{"type": "url", "url": "https://evil"}]}, "mcp_servers"),
    "a document to fetch": (
        ANTHROPIC,
        {"messages": [{"content": [{"type": "document", "source": {"type": "url", "url": "https://evil"}}]}]},
        "an address",
    ),
    "a search by Google": (GEMINI, {"tools": [{"functionDeclarations": [], "googleSearch": {}}]}, "googleSearch"),
    "addresses for Google": (GEMINI, {"tools": [{"urlContext": {}}]}, "urlContext"),
    "a file for Google": (
        GEMINI,
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://evil", "mimeType": "text/plain"}}]}]},
        "fileUri",
    ),
}


@pytest.mark.parametrize(("api", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_endpoint_would_reach_is_refused(api: ModelApi, asked: dict[str, Any], words: str) -> None:
    for text in (json.dumps(asked), json.dumps(asked, indent=3), json.dumps(asked, separators=(",", ":"))):
        with pytest.raises(NotUnderstood, match="a model reaches nothing for an agent here") as refused:
            within_reach(api, text.encode())
        assert words in str(refused.value)


@pytest.mark.parametrize(("api", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_letters_written_as_numbers_hide_nothing(api: ModelApi, asked: dict[str, Any], words: str) -> None:
    def hidden(text: str) -> str:
        """Every letter in quotes as an escape."""
        parts = json.dumps(text)[1:-1]
        return '"' + "".join(f"\\u{ord(letter):04x}" if letter.isalnum() else letter for letter in parts) + '"'

    def written(value: Any) -> str:
        match value:
            case dict():
                return "{" + ",".join(f"{hidden(name)}:{written(inner)}" for name, inner in value.items()) + "}"
            case list():
                return f"[{','.join(map(written, value))}]"
            case str():
                return hidden(value)
            case _:
                return json.dumps(value)

    assert json.loads(written(asked)) == asked
    with pytest.raises(NotUnderstood, match="a model reaches nothing"):
        within_reach(api, written(asked).encode())


def test_the_second_of_two_names_hides_nothing() -> None:
    sent = within_reach(OPENAI, b'{"tools":[{"type":"web_search","type":"function"}],"tools":[{"type":"custom"}]}')
    assert sent == b'{"tools":[{"type":"custom"}]}'
    assert within_reach(OPENAI, b'{"tools":[{"type":"web_search","type":"function"}]}') == (
        b'{"tools":[{"type":"function"}]}'
    )
    for body in (b'{"Tools":[{"type":"web_search"}]}', b'{"tools":[],"TOOLS":[{"type":"web_search"}]}'):
        with pytest.raises(NotUnderstood):
            within_reach(OPENAI, body)


PASSED: dict[str, tuple[ModelApi, dict[str, Any]]] = {
    "tools of codex": (
        OPENAI,
        {
            "tools": [FUNCTION, {"type": "custom", "name": "apply_patch"}, {"type": "namespace", "tools": [FUNCTION]}],
            "input": [
                {"type": "function_call", "arguments": '{"image_url": "https://x", "type": "url"}'},
                {"content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, {"image_url": None}]},
            ],
        },
    ),
    "tools of Claude Code": (
        ANTHROPIC,
        {
            "tools": [CLIENT_TOOL, {"type": "bash_20250124", "name": "bash"}, {"type": "custom", "name": "x"}],
            "messages": [
                {"content": 'He wrote "type": "url" and {"type":"url"}.'},
                {"content": [{"type": "tool_use", "name": "WebFetch", "input": {"url": "https://docs.example"}}]},
                {"content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]},
            ],
        },
    ),
    "tools of Gemini CLI": (
        GEMINI,
        {
            "tools": [{"functionDeclarations": [{"name": "web_fetch"}]}],
            "contents": [{"parts": [{"text": '"fileUri": "https://x"'}, {"inlineData": {"data": "AAAA"}}]}],
        },
    ),
    "nothing of the kind": (OPENAI, {"input": "x", "tools": None}),
}


@pytest.mark.parametrize(("api", "asked"), PASSED.values(), ids=PASSED)
def test_what_an_agent_runs_itself_passes_unchanged(api: ModelApi, asked: dict[str, Any]) -> None:
    assert json.loads(within_reach(api, json.dumps(asked).encode())) == asked


@pytest.mark.parametrize("body", [b"", b"[]", b"x", b'{"tools":' + b"[" * 100_000, b'{"a":"\\u0041\xff"}'])
def test_what_cannot_be_read_is_not_passed_on(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        within_reach(GEMINI, body)


def test_tools_that_are_no_list_are_refused() -> None:
    for tools in ({"type": "web_search"}, "web_search", 7):
        with pytest.raises(NotUnderstood):
            within_reach(OPENAI, json.dumps({"tools": tools}).encode())
