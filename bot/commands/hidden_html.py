"""What raw HTML hides from the reader of a comment: HTML comments, and whatever else browsers take for one.

Two readers decide, one after the other. Markdown says what is raw HTML at all: ``<!-- -->``, ``<? ?>``, ``<!X >`` and
``<![CDATA[ ]]>`` within a paragraph, anything within a block of HTML. Of that, a browser hides what it takes for a
comment, also across blocks where one is left open. https://github.github.com/gfm/#raw-html and
https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from markdown_it.common.html_re import close_tag, open_tag

_IN_PARAGRAPH = re.compile(rf"\\.|(?P<ticks>`+)|(?P<tag>{open_tag}|{close_tag})|(?P<begins><[!?])", re.DOTALL)
_DECLARATION = re.compile(r"<![A-Za-z]")
_CDATA = "<![CDATA["
_COMMENT_ENDS = re.compile(r"--!?>")
_EMPTY_COMMENT = re.compile(r"<!---?>")
_COMMENT = re.compile(r"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_IN_BLOCK = re.compile(r"<(?=[!?/A-Za-z])")
# As browsers read a tag: only behind an equals sign a quote is one.
_ATTRIBUTE_NAME = r"(?:=[^\s/>=]*+|[^\s/>=]++)"
_ATTRIBUTE = rf"{_ATTRIBUTE_NAME}(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?=>)|[^\s>\"'][^\s>]*+)|(?!\s*+=))"
_TAG_SO_FAR = rf"</?[A-Za-z][^\s/>]*+(?:[\s/]++|{_ATTRIBUTE})*+"
_TAG = re.compile(rf"{_TAG_SO_FAR}>")
_OPEN_QUOTE = re.compile(rf"{_TAG_SO_FAR}{_ATTRIBUTE_NAME}\s*+=\s*+(?P<quote>[\"'])")
_QUOTE_ENDS = {quote: re.compile(rf"{quote}[^>]*(?:>|\Z)") for quote in "\"'"}
# What would be hidden if it were written without what stood in it.
_BEGINS_HIDDEN = re.compile(r"<(?:!--|\?|!\[|![A-Za-z])")


class Seen(NamedTuple):
    """What is left of a text, and how many things were hidden in it. ``until`` ends what is still hidden at its end."""

    text: str
    hidden: int
    until: re.Pattern[str] | None = None


def seen_in_paragraph(text: str, until: re.Pattern[str] | None = None) -> Seen:
    """One paragraph as it is seen. ``until`` ends what blocks before it left open, where it is raw HTML: in text it is
    none."""
    kept: list[str] = []
    copied = hidden = 0
    for start, end, is_tag in _raw_html(text):
        if is_tag and until is None:
            continue
        if until is None:
            kept.append(text[copied:start])
        seen = seen_in_block(text[start:end], until)
        kept.append(seen.text)
        hidden, until, copied = hidden + seen.hidden, seen.until, end
    return Seen(joined([*kept, "" if until is not None else text[copied:]]), hidden, until)


def seen_in_block(html: str, until: re.Pattern[str] | None = None) -> Seen:
    """A block of HTML as it is seen. ``until`` ends what blocks before it left open."""
    kept: list[str] = []
    copied = hidden = 0
    if until is not None:
        ends = until.search(html)
        if ends is None:
            return Seen("", 0, until)
        copied = ends.end()
    position = copied
    while found := _IN_BLOCK.search(html, position):
        start = found.start()
        if tag := _TAG.match(html, start):
            position = tag.end()
            continue
        end, left_open = _hidden_in_block(html, start)
        if not end:
            # All up to the next tag is taken for attributes: hidden, but no text of its own.
            break
        kept.append(html[copied:start])
        copied = position = end
        hidden += 1
        if left_open is not None:
            return Seen(joined(kept), hidden, left_open)
    return Seen(joined([*kept, html[copied:]]), hidden)


def joined(parts: Iterable[str]) -> str:
    """The parts put together, with a space where otherwise something would seem hidden that was seen."""
    made = ""
    pieces: list[str] = []
    for part in parts:
        seam = made[-8:]
        found = _BEGINS_HIDDEN.search(seam + part[:8], max(0, len(seam) - 3))
        between = " " if found and found.start() < len(seam) < found.end() else ""
        pieces += [between, part]
        made = (seam + between + part)[-8:]
    return "".join(pieces)


def _raw_html(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where the HTML of a paragraph begins and ends, and whether it is a tag; backslash escapes and code spans are
    respected."""
    runs: dict[int, list[int]] = {}
    for run in re.finditer("`+", text):
        runs.setdefault(len(run[0]), []).append(run.start())
    position = 0
    while found := _IN_PARAGRAPH.search(text, position):
        start, position = found.span()
        if found["ticks"]:
            same = runs.get(len(found["ticks"]), [])
            closing = bisect_left(same, position)
            if closing < len(same):
                position = same[closing] + len(found["ticks"])
        elif found["tag"]:
            yield start, position, True
        elif found["begins"] and (end := _end_in_markdown(text, start)):
            position = end
            yield start, end, False


def _end_in_markdown(text: str, start: int) -> int:
    """Where the raw HTML ends that ``<!`` or ``<?`` at ``start`` begins; 0 where it begins none."""
    if text.startswith("<!--", start):
        if short := _EMPTY_COMMENT.match(text, start):
            return short.end()
        end, ending = text.find("-->", start + 4), 3
    elif text.startswith(_CDATA, start):
        end, ending = text.find("]]>", start), 3
    elif text.startswith("<?", start):
        end, ending = text.find("?>", start + 2), 2
    elif _DECLARATION.match(text, start):
        end, ending = text.find(">", start), 1
    else:
        return 0
    return end + ending if end >= 0 else 0


def _hidden_in_block(html: str, start: int) -> tuple[int, re.Pattern[str] | None]:
    """Where the hidden thing at ``start`` ends, 0 where nothing is; and what ends it where the block does not."""
    if html.startswith("<!--", start):
        comment = _COMMENT.match(html, start)
        return (comment.end(), None) if comment else (len(html), _COMMENT_ENDS)
    if html[start + 1] in "!?" or (html[start + 1] == "/" and not html[start + 2 : start + 3].isalpha()):
        end = html.find(">", start) + 1
        return end or len(html), None
    # A tag without an end: browsers take all up to the next quote for the value of its attribute.
    quote = _OPEN_QUOTE.match(html, start)
    return (len(html), _QUOTE_ENDS[quote["quote"]]) if quote else (0, None)
