"""How many tokens an answer took is read out of it while it passes, wherever it is cut, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.budgets import Tokens
from jobs.gateway.usage_reader import LONGEST_PIECE, UsageReader
from jobs.ports import ModelApi

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"


def stream(*events: dict[str, Any], end: str = "\n") -> bytes:
    return b"".join(
        f"event: {event.get('type', 'x')}{end}data: {json.dumps(event)}{end}{end}".encode() for event in events
    )


OPENAI = stream(
    {"type": "response.created", "response": {"id": "r", "usage": None, "tools": [{"name": "usage"}]}},
    {"type": "response.output_text.delta", "delta": 'my "usage": {"input_tokens": 9}'},
    {
        "type": "response.completed",
        "response": {
            "id": "r",
            # What the agent sent comes back: no tool of its own making can say what the answer took.
            "tools": [{"usage": {"input_tokens": 0, "output_tokens": 0}}],
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 10},
                "output_tokens": 20,
                "output_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 120,
            },
        },
    },
)
ANTHROPIC = stream(
    {
        "type": "message_start",
        "message": {
            "id": "m",
            "usage": {
                "input_tokens": 25,
                "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 70,
                "cache_creation": {"ephemeral_5m_input_tokens": 5},
                "output_tokens": 1,
            },
        },
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "usage"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 0, "output_tokens": 15}},
    {"type": "message_stop"},
)
GEMINI_PIECES = (
    {"candidates": [{"content": {"parts": [{"text": "usageMetadata"}]}}], "usageMetadata": {"promptTokenCount": 40}},
    {
        "candidates": [],
        "usageMetadata": {
            "promptTokenCount": 40,
            "cachedContentTokenCount": 30,
            "toolUsePromptTokenCount": 2,
            "candidatesTokenCount": 6,
            "thoughtsTokenCount": 4,
            "totalTokenCount": 52,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
        },
    },
)
GEMINI = stream(*GEMINI_PIECES, end="\r\n")

ANSWERS: dict[str, tuple[ModelApi, str, bytes, Tokens]] = {
    "openai": (ModelApi.OPENAI, SSE, OPENAI, Tokens(100, 10, 20)),
    "anthropic": (ModelApi.ANTHROPIC, SSE, ANTHROPIC, Tokens(100, 70, 15)),
    "gemini": (ModelApi.GEMINI, SSE, GEMINI, Tokens(42, 30, 10)),
    "openai, plain": (
        ModelApi.OPENAI,
        JSON,
        json.dumps({"output": [], "usage": {"input_tokens": 3, "output_tokens": 4}}, indent=1).encode(),
        Tokens(3, 0, 4),
    ),
    "anthropic, plain": (
        ModelApi.ANTHROPIC,
        JSON,
        json.dumps({"type": "message", "usage": {"input_tokens": 3, "output_tokens": 4}}).encode(),
        Tokens(3, 0, 4),
    ),
    "gemini, plain": (ModelApi.GEMINI, JSON, json.dumps(GEMINI_PIECES[1]).encode(), Tokens(42, 30, 10)),
    "gemini, a list that grows": (ModelApi.GEMINI, JSON, json.dumps(GEMINI_PIECES).encode(), Tokens(42, 30, 10)),
}


def read(api: ModelApi, content_type: str, chunks: Sequence[bytes]) -> Tokens:
    reader = UsageReader(api)
    reader.begin(content_type)
    for chunk in chunks:
        reader.see(chunk)
    return reader.end()


@pytest.mark.parametrize(("api", "kind", "answer", "tokens"), ANSWERS.values(), ids=ANSWERS)
def test_usage_is_read_wherever_the_chunks_are_cut(api: ModelApi, kind: str, answer: bytes, tokens: Tokens) -> None:
    assert read(api, kind, [answer]) == tokens
    for place in range(len(answer) + 1):
        assert read(api, kind, [answer[:place], answer[place:]]) == tokens
    for size in (1, 2, 7):
        assert read(api, kind, [answer[at : at + size] for at in range(0, len(answer), size)]) == tokens


@pytest.mark.parametrize(("api", "kind", "answer", "tokens"), ANSWERS.values(), ids=ANSWERS)
def test_a_broken_answer_tells_what_it_told(api: ModelApi, kind: str, answer: bytes, tokens: Tokens) -> None:
    told = [read(api, kind, [answer[:place]]) for place in range(len(answer) + 1)]
    assert told[0] == Tokens()
    assert told[-1] == tokens
    assert all(before.total <= after.total for before, after in pairwise(told))


def test_an_answer_of_anthropic_that_breaks_off_counts_what_went_in() -> None:
    assert read(ModelApi.ANTHROPIC, SSE, [ANTHROPIC.partition(b"event: content_block")[0]]) == Tokens(100, 70, 1)


def test_the_last_event_needs_no_line_end() -> None:
    assert read(ModelApi.OPENAI, SSE, [OPENAI.rstrip(b"\n")]) == Tokens(100, 10, 20)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "many",
        {"input_tokens": "12"},
        {"input_tokens": -1, "output_tokens": True},
        {"input_tokens": 1e3},
        {"input_tokens": 1 << 60},
        {"input_tokens": {"input_tokens": 5}},
        {"input_tokens_details": {"cached_tokens": 5}},
    ],
)
def test_what_is_no_count_is_nothing(usage: object) -> None:
    assert read(ModelApi.OPENAI, SSE, [stream({"type": "x", "response": {"usage": usage}})]) == Tokens()


def test_more_from_a_cache_than_there_was_is_what_there_was() -> None:
    usage = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 50}, "output_tokens": 1}
    assert read(ModelApi.OPENAI, JSON, [json.dumps({"usage": usage}).encode()]) == Tokens(5, 5, 1)


@pytest.mark.parametrize("kind", [SSE, JSON])
def test_an_endless_line_is_not_kept(kind: str) -> None:
    reader = UsageReader(ModelApi.OPENAI)
    reader.begin(kind)
    piece = b"data: usage" + b"x" * (1 << 20)
    for _ in range(3 * LONGEST_PIECE // len(piece)):
        reader.see(piece)
        assert sum(map(len, reader._held)) <= LONGEST_PIECE
    reader.see(b'data: {"usage": {"input_tokens": 7}}\n')
    if kind == SSE:
        # The line ends here, and what comes after it counts again.
        reader.see(OPENAI)
        assert reader.end() == Tokens(100, 10, 20)
    else:
        assert reader.end() == Tokens()


@given(
    st.sampled_from(list(ModelApi)),
    st.sampled_from([SSE, JSON, ""]),
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"data: ", b'{"usage":', b'{"usageMetadata":', b"[" * 2000, b"}", b"\n", b"\r", b"\r\n\r\n"]
            ),
            st.sampled_from([OPENAI, ANTHROPIC, GEMINI]),
        ),
        max_size=12,
    ),
)
@settings(deadline=None, max_examples=200)
def test_no_bytes_make_it_stumble(api: ModelApi, kind: str, chunks: list[bytes]) -> None:
    tokens = read(api, kind, chunks)
    assert 0 <= tokens.cached <= tokens.read
    assert tokens.written >= 0
