"""An agent reads what people see, and nothing else; what is left out is counted."""

from __future__ import annotations

import html
import re
import sys
import time
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.commands.hidden_text import HiddenKind, Shown, shown_markdown, shown_text
from bot.commands.markdown import Comment, lines_of
from bot.commands.model import RunCommand
from bot.commands.parser import parse
from bot.reporting.hidden_text import hidden_by_kind, hidden_sentence
from db.models import SpecAutomationRun
from db.vocabulary import HIDDEN_TEXT
from tests.bot.hidden_vectors import VECTORS, Vector


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_what_is_seen_stays_and_what_is_not_is_counted(vector: Vector) -> None:
    shown = shown_markdown(vector.text)
    assert (shown.text, {str(kind): count for kind, count in shown.hidden.items()}) == (vector.seen, vector.kinds)


def test_there_are_two_hundred_vectors() -> None:
    assert len({vector.text for vector in VECTORS}) == len(VECTORS) >= 200


def test_a_title_is_no_markdown() -> None:
    assert shown_text("Pay <!-- now --> by\u200b invoice") == Shown("Pay <!-- now --> by invoice", {"zero_width": 1})


# Which characters nobody sees is Unicode's word, not ours.
VISIBLE_FORMATS = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Signs of Arabic, Syriac and Kaithi that enclose the number after them."""


def test_every_control_and_format_character_is_known() -> None:
    left = [
        point
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) in {"Cc", "Cf"}
        and chr(point) not in "\t\n\r"
        and chr(point) in shown_text(f"a{chr(point)}b").text
    ]
    assert set(left) == VISIBLE_FORMATS


# What GitHub shows: Markdown to HTML, and of that what is no tag and no comment.
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False}).disable("linkify")
# As browsers read: a comment is open until it is closed, and so is a tag with an open quote.
NOT_SEEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[?!][^>]*(?:>|\Z)|</(?![A-Za-z])[^>]*(?:>|\Z)"
    r"|</?[A-Za-z][^\s/>]*+(?:[\s/]|=?[^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|(?=>)|[^\s>\"'][^\s>]*+)"
    r"|(?<=[^\s/>])(?!\s*+=)))*+(?:>|\Z)",
    re.DOTALL,
)
WHOLE_TAG = re.compile(
    r"</?[A-Za-z][^\s/>]*+(?:[\s/]|=?[^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?=>)|[^\s>\"'][^\s>]*+)"
    r"|(?<=[^\s/>])(?!\s*+=)))*+(?:>|\Z)"
)


def words_seen(text: str) -> list[str]:
    """The words of the form ``w12`` that are to be seen, in their order."""
    return re.findall(r"w\d+", html.unescape(NOT_SEEN.sub(" ", MARKDOWN.render(text))))


class Reader(HTMLParser):
    """Python's own reader of HTML, so that the oracle is not alone with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words += re.findall(r"w\d+", data)


def test_the_oracle_reads_as_python_does() -> None:
    for text in ("a w1 <!-- w2 --> w3", "<div>w1<!-- w2 --></div>\n\n`w3 <!-- w4 -->`", '<b title="w1">w2</b>'):
        reader = Reader()
        reader.feed(MARKDOWN.render(text))
        assert words_seen(text) == reader.words


PIECES = ["<!--", "-->", "<!-->", "<!--->", "--", "`", "``", "\n```\n", "\n~~~\n", "\n\n", "\n", "\n    ", "\n- ", "\n> ",
          "<div>", "</div>", "\n<div>", "\n\n<p>\n", "<b>", "</b>", "\\", " ", "|", "# ", "<?", "?>", "<!A", "&lt;!--",
          "1. ", "*", "[", "](x)", '<i title="', '">', "--!>", '"', "="]  # fmt: skip
HIDDEN = ["\u200b", "\u202e", "\u00ad", "\U000e0041", "\ufe0f", "\u2060", "\x07"]


def _numbered(pieces: list[str]) -> str:
    return "".join(f" w{number} " if piece == "w" else piece for number, piece in enumerate(pieces))


# markdown-it sees no end of a comment in three dashes, against its own specification.
TEXTS = (
    st.lists(st.sampled_from(["w"] * 20 + PIECES), max_size=24).map(_numbered).filter(lambda text: "--->" not in text)
)
WITH_HIDDEN = st.lists(st.sampled_from(["w"] * 10 + PIECES + HIDDEN), max_size=24).map(_numbered)


@settings(max_examples=300)
@given(TEXTS)
@example("<div><!--\n\n w1 \n\n<div>--></div>\n\n w2 ")
@example("\n- <!-- w1 -->\n    w2 ")
@example('<div "><!-- w1 " --> w2 </div>')
@example('<div a=b"><!-- w1 " --> w2 </div>')
@example('<div><i title="\n\n<i title=""> w5 ')
def test_every_word_that_github_shows_stays_and_no_other_does(text: str) -> None:
    shown = shown_markdown(text)
    # What stands within a tag, or names the language of a fence, is no text of its own, and stays.
    besides = [*WHOLE_TAG.findall(MARKDOWN.render(text)), *(token.info for token in MARKDOWN.parse(text))]
    no_text = set(re.findall(r"w\d+", " ".join(besides)))
    kept = [word for word in re.findall(r"w\d+", shown.text) if word not in no_text]
    seen = [word for word in words_seen(text) if word not in no_text]
    lines = lines_of(text)
    at_once = Comment(lines).visible_text(0, 0, len(lines)).hidden
    assert set(kept) <= set(seen)
    # Without what was hidden the text may mean something else, which hides more: that is taken out too. And a quote that
    # a block left open is closed by any link or fence, whose HTML has quotes.
    if sum(shown.hidden.values()) == at_once and '="' not in text:
        assert kept == seen


@settings(max_examples=300)
@given(st.one_of(WITH_HIDDEN, st.text(max_size=200)))
@example("<!-<!-- x -->- y -->")
@example("<\u200b!-- x -->")
def test_it_is_never_longer_and_twice_is_once(text: str) -> None:
    shown = shown_markdown(text)
    assert len(shown.text) <= len(text)
    assert shown_markdown(shown.text) == Shown(shown.text)
    assert shown_text(shown.text) == Shown(shown.text)
    assert not shown.hidden or shown.text != text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_of_plain_text_nothing_that_can_be_seen_is_lost(text: str) -> None:
    left = shown_text(text).text
    seen = [character for character in text if unicodedata.category(character)[0] in "LNPS" and character != "\u3164"]
    blank = "\u115f\u1160\u3164\uffa0\U0001d159"
    assert [c for c in left if unicodedata.category(c)[0] in "LNPS"] == [c for c in seen if c not in blank]


def test_hostile_text_takes_no_time() -> None:
    began = time.monotonic()
    for piece in (
        "<!--",
        "<!",
        "<?",
        "<a'",
        '<a"',
        "<![CDATA[",
        "`<!--",
        "\u200b<",
        "<!-<!---->- ",
        "[",
        "<div>",
        "> ",
    ):
        shown_markdown((piece * 65_536)[:65_536])
    assert time.monotonic() - began < 60


# From a comment to what people are told


def test_what_a_command_hid_is_known() -> None:
    (parsed,) = parse("/speckit specify Pay <!-- x --> now\n\n<!-- y -->\n\n`<!-- seen -->`")
    assert isinstance(parsed.command, RunCommand)
    assert parsed.command.hidden_comments == 2
    assert parsed.command.text == "Pay  now\n\n\n\n`<!-- seen -->`"


def told(**hidden: object) -> tuple[str, str]:
    run = SpecAutomationRun(arguments={HIDDEN_TEXT: hidden})
    return hidden_sentence(run), hidden_by_kind(run)


def test_people_are_told_how_much_was_left_out() -> None:
    assert told(zero_width=2, direction=1, html_comments=1) == (
        "3 hidden characters and 1 HTML comment were left out of what the agent read.",
        "2 zero-width characters, 1 direction mark, 1 HTML comment",
    )
    assert told(tags=1) == ("1 hidden character was left out of what the agent read.", "1 tag character")
    assert told(html_comments=2)[0] == "2 HTML comments were left out of what the agent read."


def test_nothing_is_said_where_nothing_was_hidden() -> None:
    for hidden in ({}, {"zero_width": 0}, {"zero_width": "many"}, {"unheard_of": 3}):
        assert told(**hidden) == ("", "")
    assert hidden_sentence(SpecAutomationRun(arguments={HIDDEN_TEXT: "x"})) == ""
    assert hidden_sentence(SpecAutomationRun(arguments={})) == ""


def test_every_kind_has_words() -> None:
    for kind in HiddenKind:
        assert told(**{kind.value: 1})[0].startswith("1 "), kind
