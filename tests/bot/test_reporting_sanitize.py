"""The sanitizer against a Markdown renderer: what comes out shows text and does nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.reporting import sanitize

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ACTS = re.compile(r"@\w|#\d|://|www\.\w|\bgh-\d", re.IGNORECASE)
ALLOWED = {"paragraph_open", "paragraph_close", "inline", "text", "code_inline", "list_item_open", "list_item_close"}
ALLOWED |= {"bullet_list_open", "bullet_list_close"}

VECTORS = """
@alice|hello @org/team!|(@alice)|a@b.example|#1|Fixes #12|closes: GH-7|fixes acme/shop#3|see https://example.org/a
[x](javascript:alert(1))|[@alice](https://example.org)|![beacon](https://example.org/x.png)|<img src=x onerror=alert(1)>
<!-- hidden -->|<details><summary>x</summary>
&#64;alice|&commat;alice|&amp;#64;alice|@<b></b>alice|#**1**|@*alice*|**bold**
`code`|``a`b``|`@alice|`unclosed|\\@alice|\\\\@alice|\\`@alice\\`
/speckit cancel|- item|+ item|1. item|1) item|# heading|> quote
=====|---|***|~~~|```|    code|[^1]: note|[a]: https://example.org|a | b|$x$
<https://example.org>|<a@b.example>|{{x}}|:tada:
@\u200balice|@\u202ealice|\u2066x\u2069|\ue000|a\U000e0041b|0123abc4567|deadbee1|www.example.org|x&nbsp;y|&#x200b;@a|@a@b#1
!\\[x](y)|[x][y]|![x][y]
`a`@b`c`|a`@b|@`b`|` `|`` ` ``|&lt;img&gt;|http&#58;//example.org|\tx|\r\n/speckit help|mailto:x
""".replace("\n", "|").split("|")


def tokens_of(markdown: str) -> list[Token]:
    found: list[Token] = []
    for token in MARKDOWN.parse(markdown):
        found.append(token)
        found.extend(token.children or [])
    return found


def assert_inert(markdown: str) -> None:
    assert "\n" not in markdown
    assert not markdown.startswith("/")
    for context in (markdown, f"- {markdown}", f"Words first.\n{markdown}" if markdown else ""):
        tokens = tokens_of(context)
        assert {token.type for token in tokens} - {"softbreak"} <= ALLOWED, (context, tokens)
        live = " ".join(token.content for token in tokens if token.type == "text")
        assert not ACTS.search(live), (context, live)


@pytest.mark.parametrize("text", VECTORS)
def test_known_tricks_do_nothing(text: str) -> None:
    assert_inert(sanitize.inline(text))
    assert sanitize.inline(sanitize.inline(text)) == sanitize.inline(text)


MISCHIEF = st.lists(
    st.one_of(
        st.sampled_from([*VECTORS, *"@#`*_[]()<>!&;\\/~|-+=. \n\t1a\u200b\u00a0", "gh-", "://", "&#64;"]),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=250, deadline=None)
@given(MISCHIEF)
def test_no_text_does_anything(text: str) -> None:
    once = sanitize.inline(text)
    assert_inert(once)
    assert sanitize.inline(once) == once


@settings(max_examples=120, deadline=None)
@given(MISCHIEF)
def test_a_quoted_block_cannot_be_left(text: str) -> None:
    block = sanitize.quoted_block(text)
    assert all(line.startswith(">") for line in block.split("\n"))
    kinds = [token.type for token in MARKDOWN.parse(f"{block}\n\nafter")]
    assert kinds == [
        "blockquote_open", "fence", "blockquote_close", "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(MISCHIEF)
def test_a_plain_line_refers_to_nothing(text: str) -> None:
    once = sanitize.plain(text)
    assert "\n" not in once
    assert not once.startswith("/")
    assert not ACTS.search(once.replace("www.", ""))
    assert sanitize.plain(once) == once


def test_words_survive() -> None:
    assert sanitize.inline("Pay by **invoice** (net 30), `EU` only") == "Pay by invoice (net 30), `EU` only"
    assert sanitize.inline("ask @alice, see #12.") == "ask `@alice`, see `#12`."
    assert sanitize.inline("List<String> & more") == r"List\<String\> \& more"
    assert (
        sanitize.plain("Fixes #12 for @alice, see https://example.org")
        == "Fixes no. 12 for alice, see https example.org"
    )


def test_hidden_characters_go_and_emoji_stay() -> None:
    assert sanitize.visible("a\u200b\u202eb\U000e0041 ☀️ 🚀\x00") == "ab ☀️ 🚀"
