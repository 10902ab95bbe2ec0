"""100,000 texts put together from what does harm, and those hypothesis thinks of: nothing is live, nothing is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.reporting import sanitize
from tests.bot.gfm_oracle import findings_in_text, hidden_characters, rendered
from tests.bot.test_reporting_sanitize import MISCHIEF
from tests.bot.test_sanitize_vectors import (
    SKIPS_CI,
    Placed,
    assert_again_is_the_same,
    assert_harmless,
    assert_nothing_is_live,
    everywhere,
    is_word_or_number,
    made_harmless,
)

MARKDOWN = MarkdownIt("commonmark")

GENERATED = 100_000
SHARES = 20
AT_ONCE = 100

WORDS = ["Quittung", "Umsatz42", "pay", "Rechnung", "übung"]
LIVE = [
    "@alice", "@", "acme/shop", "#12", "#", "12", "GH-", "gh-7", "Fixes ", "closes: ", "0123abc", "defaced", "1234567",
    "https://", "http:", "//", "www.", ".example.org", "mailto:", "a@b.example", "CVE-2021-1", "＠", "＃", "１",
    "[skip  ci]", "[no ", "ci]",
]  # fmt: skip
MARKUP = [
    "[", "]", "(", ")", "](x)", "](x \"", "[x]: ", "![", "!", "<", ">", "<b>", "</b>", "<!--", "-->", "<img src=x>",
    "`", "``", "```", "*", "**", "_", "__", "~", "~~", "\\", "\\|", "|", "$", "$$", "^", "[^1]", "[^1]: ", "{", "}",
    "&", ";", "=", ":", "&#64;", "&#x23;", "&amp;", "&nbsp;", "&#10;", "&#8203;", "&lt;", "&#124;", "&num;", '"', "'",
]  # fmt: skip
LINE_STARTS = [
    "\n", "\n\n", "\r\n", "\r", "\n- ", "\n* ", "\n+ ", "\n1. ", "\n2) ", "\n# ", "\n> ", "\n    ", "\n\t", "\n---",
    "\n===", "\n:--", "\n|-|", "\n[ ] ", "\n- [x] ", "\n> [!NOTE]", "\n/speckit status", "/speckit cancel", "\n```",
    "\n~~~", "\n<details>",
]  # fmt: skip
HIDDEN = [
    "\u200b", "\u200d", "\ufe0f", "\u202e", "\u2066", "\u00ad", "\u00a0", "\x00", "\x1b", "\ud800",
    "\U000e0041", "\u2028",
]  # fmt: skip
OTHER = [" ", " ", "  ", "\t", "😀", "👩", "☀", "é", "\u0301", "请", ".", ",", "-", "--", "/", "…", "1.", "a"]
FRAGMENTS = [WORDS, WORDS, LIVE, LIVE, MARKUP, MARKUP, MARKUP, LINE_STARTS, HIDDEN, OTHER, OTHER, [" "]]


def generated(share: int) -> list[str]:
    """One share of the texts, always the same."""
    chance = random.Random(share)
    return [
        "".join(chance.choice(chance.choice(FRAGMENTS)) for _ in range(chance.randint(1, 9)))
        for _ in range(GENERATED // SHARES)
    ]


def assert_words_survive(text: str, *made: str) -> None:
    for word in WORDS:
        times = text.count(word)
        assert not times or min(one.count(word) for one in made) >= times, (word, made)


def placed_by_turns(turn: int, text: str) -> list[Placed]:
    """The text made harmless, in some of the places where it may stand: in all of them in the course of three turns."""
    line = sanitize.inline(text)
    assert sanitize.inline(line) == line
    assert_words_survive(text, line)
    match turn % 3:
        case 0:
            lines = sanitize.block(text, 3000)
            assert sanitize.block(lines, 3000) == lines
            assert_words_survive(text, lines)
            return [Placed("paragraph", line), Placed("block", lines)]
        case 1:
            limit = 1 + turn % 23
            cell = sanitize.table_cell(text, limit)
            assert sanitize.table_cell(cell, limit) == cell
            return [Placed("item", line), Placed("cell", cell)]
        case _:
            code, quoted = sanitize.code(text), sanitize.quoted_block(text)
            assert_words_survive(text, code, quoted)
            return [
                Placed("cell", line),
                Placed(("item", "cell", "paragraph")[turn % 9 // 3], code),
                Placed("quoted", quoted),
            ]


def assert_dead_in_a_title(text: str) -> None:
    title = sanitize.plain(text)
    assert sanitize.plain(title) == title
    assert_words_survive(text, title)
    assert not title.startswith("/")
    assert not SKIPS_CI.search(title)
    assert not [one for one in findings_in_text(title) if not is_word_or_number(one.text)], title


@pytest.mark.parametrize("share", range(SHARES))
def test_no_generated_text_does_anything(share: int) -> None:
    texts = generated(share)
    assert len(texts) * SHARES == GENERATED
    for first in range(0, len(texts), AT_ONCE):
        placed: list[Placed] = []
        for turn in range(first, first + AT_ONCE):
            placed.extend(placed_by_turns(turn, texts[turn]))
            assert_dead_in_a_title(texts[turn])
        assert_nothing_is_live(placed)
        assert not hidden_characters("\n".join(one.text for one in placed).replace("\t", ""))


@settings(max_examples=250, deadline=None)
@given(MISCHIEF)
def test_no_text_does_anything(text: str) -> None:
    part = made_harmless(text)
    assert_harmless(text, part)
    assert_again_is_the_same(part)
    assert_nothing_is_live(everywhere(part))


@settings(max_examples=150, deadline=None)
@given(MISCHIEF, st.integers(-1, 60))
def test_no_clipped_text_does_anything(text: str, limit: int) -> None:
    line, lines = sanitize.inline(text, limit), sanitize.block(text, limit)
    assert sanitize.inline(line, limit) == line
    assert sanitize.block(lines, limit) == lines
    assert len(rendered(line).shown) <= max(limit, 0)
    assert_nothing_is_live(
        [Placed("paragraph", line), Placed("item", line), Placed("cell", line), Placed("block", lines)]
    )


@settings(max_examples=100, deadline=None)
@given(MISCHIEF)
def test_hidden_characters_go_and_clipping_is_bounded(text: str) -> None:
    seen = sanitize.visible(text)
    assert not hidden_characters(seen.replace("\t", ""))
    assert sanitize.visible(seen) == seen
    for limit in (0, 1, 2, 10):
        assert len(sanitize.clip(text, limit)) <= limit


def fastest(work: Callable[[], object]) -> float:
    """Seconds of CPU, without what the machine does beside."""
    took = []
    for _ in range(100):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def test_a_line_costs_little_more_than_reading_it() -> None:
    line = ("The **quick** brown `fox` jumps over [the](https://example.org) lazy dog, see #12 and @alice. " * 4)[:300]
    assert fastest(lambda: sanitize.inline(line)) < 5 * fastest(lambda: MARKDOWN.parseInline(line))
