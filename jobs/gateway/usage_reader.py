"""How many tokens an answer took, read out of it while it passes. Nothing is held back and nothing is kept.

OpenAI: ``response.usage`` of the event that ends a stream, ``usage`` of a plain answer. Anthropic: ``message.usage`` of
``message_start``, then ``usage`` of ``message_delta``, whose numbers are totals so far; what a cache gave or took comes
on top of ``input_tokens``. Gemini: ``usageMetadata``, a total so far in every piece. An answer that breaks off counts
with what it had told by then.

Sources: https://platform.openai.com/docs/api-reference/responses-streaming,
https://docs.anthropic.com/en/docs/build-with-claude/streaming,
https://ai.google.dev/api/generate-content#UsageMetadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from db.budgets import Tokens
from jobs.ports import ModelApi

LONGEST_PIECE = 8 << 20
"""Bytes of one event or of one plain answer that are looked at. The last event of OpenAI's stream repeats the whole
answer and all tools."""

MOST_TOKENS = 1 << 40
"""More in one answer is nonsense."""

Usage = Mapping[str, Any]


class _Holder(msgspec.Struct):
    usage: Any = None


class _OpenAi(msgspec.Struct):
    usage: Any = None
    response: _Holder | None = None


class _Anthropic(msgspec.Struct):
    usage: Any = None
    message: _Holder | None = None


class _Gemini(msgspec.Struct):
    usage: Any = msgspec.field(default=None, name="usageMetadata")


class UsageReader:
    """Looks at one answer: ``begin``, ``see`` each chunk, ``end``. Never raises, whatever the bytes are."""

    def __init__(self, api: ModelApi) -> None:
        self._usage: dict[str, int] = {}
        self._find, self._count = _READERS[api]
        self._in_lines = False
        self._held: list[bytes] = []
        self._size = 0
        self._too_long = False

    def begin(self, content_type: str) -> None:
        """The answer's head is there."""
        self._in_lines = content_type.lower().startswith("text/event-stream")

    def see(self, chunk: bytes) -> None:
        """The next bytes of the answer."""
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1 if self._in_lines else 0
        if not cut:
            self._hold(chunk)
            return
        lines = chunk[:cut]
        if self._held or self._too_long:
            lines = self._take() + (lines if not self._too_long else _after_first_line(lines))
            self._too_long = False
        # Most events say nothing of usage: they cost one look.
        if b"usage" in lines:
            for line in lines.splitlines():
                if line.startswith(b"data:") and b"usage" in line:
                    self._read(line[5:])
        if cut < len(chunk):
            self._hold(chunk[cut:])

    def end(self) -> Tokens:
        """No more comes: what the answer took, as far as it told."""
        if self._held:
            rest = self._take()
            if not self._in_lines:
                self._read(rest)
            elif rest.startswith(b"data:"):
                self._read(rest[5:])
        return self._count(self._usage)

    def _hold(self, piece: bytes) -> None:
        if self._too_long:
            return
        self._held.append(piece)
        self._size += len(piece)
        if self._size > LONGEST_PIECE:
            self._take()
            self._too_long = True

    def _take(self) -> bytes:
        held = b"".join(self._held)
        self._held.clear()
        self._size = 0
        return held

    def _read(self, text: bytes) -> None:
        try:
            found = self._find(text)
        except (ValueError, RecursionError):
            return
        for usage in found:
            if isinstance(usage, dict):
                for name, number in _numbers(usage).items():
                    # Totals so far only grow.
                    self._usage[name] = max(number, self._usage.get(name, 0))


def _after_first_line(lines: bytes) -> bytes:
    """What follows the end of a line that was too long to be looked at."""
    return b"".join(lines.splitlines(keepends=True)[1:])


def _numbers(usage: Usage, below: str = "") -> dict[str, int]:
    """The counts that may be true, by name; one level down as ``name.name``."""
    found: dict[str, int] = {}
    for name, value in usage.items():
        if type(value) is int and 0 <= value < MOST_TOKENS:
            found[below + name] = value
        elif isinstance(value, dict) and not below:
            found |= _numbers(value, f"{name}.")
    return found


def _find_openai(text: bytes) -> list[Any]:
    event = _OPENAI.decode(text)
    return [event.usage, event.response.usage if event.response else None]


def _find_anthropic(text: bytes) -> list[Any]:
    event = _ANTHROPIC.decode(text)
    return [event.message.usage if event.message else None, event.usage]


def _find_gemini(text: bytes) -> list[Any]:
    found = _GEMINI.decode(text)
    return [piece.usage for piece in (found if isinstance(found, list) else [found])]


def _count_openai(usage: Mapping[str, int]) -> Tokens:
    read = usage.get("input_tokens", 0)
    cached = min(usage.get("input_tokens_details.cached_tokens", 0), read)
    return Tokens(read, cached, usage.get("output_tokens", 0))


def _count_anthropic(usage: Mapping[str, int]) -> Tokens:
    cached = usage.get("cache_read_input_tokens", 0)
    fresh = usage.get("input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return Tokens(fresh + cached, cached, usage.get("output_tokens", 0))


def _count_gemini(usage: Mapping[str, int]) -> Tokens:
    read = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    written = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return Tokens(read, min(usage.get("cachedContentTokenCount", 0), read), written)


_OPENAI = msgspec.json.Decoder(_OpenAi)
_ANTHROPIC = msgspec.json.Decoder(_Anthropic)
_GEMINI = msgspec.json.Decoder(_Gemini | list[_Gemini])

_READERS: Mapping[ModelApi, tuple[Callable[[bytes], list[Any]], Callable[[Mapping[str, int]], Tokens]]] = {
    ModelApi.OPENAI: (_find_openai, _count_openai),
    ModelApi.ANTHROPIC: (_find_anthropic, _count_anthropic),
    ModelApi.GEMINI: (_find_gemini, _count_gemini),
}
