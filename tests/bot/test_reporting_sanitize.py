"""The sanitizer, by what people read. That nothing else comes of it: test_sanitize_vectors.py and its neighbours."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.reporting import sanitize
from tests.bot.test_sanitize_vectors import TEXTS

MISCHIEF = st.lists(
    st.one_of(
        st.sampled_from(
            [*TEXTS, *"@#`*_[]()<>!&;\\/~|$-+=:. \n\t1a\u200b\u00a0", "gh-", "://", "&#64;", "\n- ", "\n\n"]
        ),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


def test_words_survive() -> None:
    assert sanitize.inline("Pay by **invoice** (net 30), `EU` only") == "Pay by invoice (net 30), `EU` only"
    assert sanitize.inline("ask @alice, see #12.") == "ask `@alice`, see `#12`."
    assert sanitize.inline("List<String> & more") == r"List\<String\> \& more"
    assert sanitize.inline("see [the docs](https://example.org/a|b 'all of them')") == snapshot(
        "see the docs (`https://example.org/a%7Cb` all of them)"
    )
    assert sanitize.inline("from $5 to 10$") == snapshot("from `$5` to `10$`")


def test_a_cell_keeps_its_pipes_outside_code() -> None:
    assert sanitize.table_cell("one\ntwo | three") == r"one two \| three"
    assert sanitize.table_cell("`a|b` or @alice|@bob") == r"`a`\|`b` or `@alice`\|`@bob`"


@pytest.mark.parametrize(
    ("limit", "shows"),
    [(6, "a \\| b"), (5, "a \\| b"), (4, "a \\|…"), (3, "a…"), (2, "a…"), (1, "…"), (0, ""), (-1, "")],
)
def test_a_cell_is_clipped_by_what_it_shows(limit: int, shows: str) -> None:
    assert sanitize.table_cell("a | b", limit) == shows


def test_a_clipped_word_does_not_come_to_life() -> None:
    assert sanitize.inline("see 0123456x", 12) == "see 0123456x"
    assert sanitize.inline("see 0123456xyz", 12) == "see `0123456…`"
    assert sanitize.inline("ask @alice", 8) == "ask `@al…`"


SUMMARY = """# Summary

Wrote the **specification** for #12.
Two lines of one paragraph, for @alice.


* pay by invoice
  - net 30
+ [x] only in the EU | and Norway

1. not a list
```python
print("x")
```
> quoted
<details>
---
| a | b |
:--
/speckit plan
"""


def test_a_block_keeps_paragraphs_and_bullets() -> None:
    assert sanitize.block(SUMMARY, 2000) == snapshot("""\
Summary

Wrote the specification for `#12`.
Two lines of one paragraph, for `@alice`.

- pay by invoice
- net 30
- \\[x\\] only in the EU \\| and Norway

1\\. not a list
\\`\\`\\`python
print("x")
\\`\\`\\`
\\> quoted
\\<details\\>
\\---
\\| a \\| b \\|
\\:--
\\/speckit plan\
""")


def test_a_block_is_clipped_by_what_it_shows() -> None:
    assert sanitize.block("one\ntwo\nthree", 13) == "one\ntwo\nthree"
    assert [sanitize.block("one\ntwo\nthree", limit) for limit in (12, 9, 8, 5, 4, 2, 1, 0)] == snapshot(
        [
            """\
one
two
t…\
""",
            """\
one
two
…\
""",
            """\
one
t…\
""",
            """\
one
…\
""",
            "o…",
            "…",
            "…",
            "",
        ]
    )
    assert [sanitize.block("- one\n- two three", limit) for limit in (13, 12, 6)] == snapshot(
        [
            """\
- one
- two three\
""",
            """\
- one
- two t…\
""",
            """\
- one
…\
""",
        ]
    )
    assert sanitize.block("one\n\n\n\ntwo\n\n", 8) == "one\n\ntwo"


def test_code_is_shown_as_it_stands() -> None:
    assert sanitize.code("specs/001/spec.md") == "`specs/001/spec.md`"
    assert sanitize.code(" a\n`b` ") == "`` a `b` ``"
    assert sanitize.code("\u200b") == "`(empty)`"
    assert sanitize.code("a | <!-- b") == r"`a` \| \<\!-- `b`"


def test_a_title_refers_to_nothing() -> None:
    assert [
        sanitize.plain(text)
        for text in (
            "Fixes #12 for @alice, see https://example.org",
            "Write to a@b.example about acme/shop#3 and GH-4 in C#",
            "Revert 0123abc4567 of 20261122, 1000000 times defaced",
            "[skip ci] （購入）＠alice",
            "（購入）ページ",
            "www.example.org",
            "/speckit plan",
        )
    ] == snapshot(
        [
            "Fixes no. 12 for alice, see https example.org",
            "Write to a at b.example about acme/shop# 3 and GH 4 in C#",
            "Revert 0123ab c4567 of 20261122, 1000000 times defaced",
            "(skip ci) (購入)alice",
            "（購入）ページ",
            "www example.org",
            "speckit plan",
        ]
    )


def test_hidden_characters_go_and_emoji_stay() -> None:
    assert sanitize.visible("a\u200b\u202eb\U000e0041 ☀️ 🚀\x00") == "ab ☀️ 🚀"
    assert sanitize.visible("👨‍👩‍👧 1️⃣ 🏳️‍🌈 a\u200db\ufe0f") == "👨‍👩‍👧 1️⃣ 🏳️‍🌈 ab"
    assert sanitize.clip("👨‍👩‍👧", 3) == "👨…"
