"""What a reader of a comment sees where, as GitHub renders it.

The parser asks two things: which lines begin in the plain text of the comment, and which text is visible. Wanted
properties of the first:

* What stands *before* a line decides. An open fence, quote, list item, HTML block, comment, table, link or code span
  holds the line; the line is not plain then.
* What stands *after* it does not: a ``---`` below a line makes a heading of it for Markdown, not for its writer.
  Only a construct opened before the line and closed after it (a code span, a link) needs the text after it.

Blocks are found as cmark does: first the structure, with link reference definitions still inside their paragraphs;
then, for the paragraphs that matter, definitions and inline text. https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple
from unicodedata import category

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

from bot.commands.hidden_html import Seen, seen_in_block, seen_in_paragraph

# The line ends of CommonMark; str.splitlines() knows more.
_LINE_END = re.compile(r"\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})

_NESTING = 40
_MARK = "\ue000"
# No text holds one: lines_of() replaces them.
_QUOTE_MARK = "\ud800"
_MARKED = re.compile(f"{_MARK}(\\d+){_MARK}")

# markdown-it needs quadratic time for nested open brackets. No person writes that many into one paragraph; whoever
# does gets no command from it.
_MOST_BRACKETS = 800

# Emphasised text is plain text to its reader, so the inline parser need not find it.
# What can open an inline construct that holds later lines: code span, HTML, link or image, strikethrough.
_OPENERS = re.compile(r"[`<\[~]")

_FOOTNOTE = re.compile(r"( {0,3})\[\^[^\]\s]+\]:[ \t]*(.*)", re.DOTALL)
_HTML_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)\b", re.IGNORECASE)
_HTML_COMMENT = re.compile(r"<!--(?:-?>|.*?-->)|(?P<open><!--).*\Z", re.DOTALL)

# Elements that quote, fold or list what stands between their tags, over blank lines too; and elements that do so only
# when their tag stands on a line of its own, else reach to the end of their paragraph.
_HOLDING_BLOCKS = frozenset({"details", "blockquote", "table", "ul", "ol", "dl", "pre"})
_HOLDING_SPANS = frozenset({"a", "code", "kbd", "samp", "tt", "s", "strike", "del"})
_HOLDING_TAG = re.compile(rf"</?(?:{'|'.join(sorted(_HOLDING_BLOCKS))})\b", re.IGNORECASE)


def _structure_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    parser.block.ruler.at("table", _table_unless_heading, {"alt": ["paragraph", "reference"]})
    return parser.disable("reference")


def _table_unless_heading(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The table rule, except that a line of dashes alone makes a heading of the line above, never a table of it."""
    if start + 1 < end:
        below = state.src[state.bMarks[start + 1] + state.tShift[start + 1] : state.eMarks[start + 1]]
        if not below.strip("- \t"):
            return False
    return table(state, start, end, silent)


def _paragraph_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("strikethrough").disable("emphasis")
    parser.block.ruler.enableOnly(["reference", "paragraph"])
    return parser


def _definition_parser() -> MarkdownIt:
    parser = _paragraph_parser()
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


_STRUCTURE = _structure_parser()
_PARAGRAPH = _paragraph_parser()
_DEFINITIONS = _definition_parser()


def lines_of(body: str) -> list[str]:
    """The lines of a comment as GitHub sent it, without their line ends and lone surrogates."""
    return _LINE_END.split(_SURROGATE.sub("\ufffd", body))


def cleaned(text: str) -> str:
    """The text without NUL, blank lines around it, and spaces before its first line; a later line keeps its indent."""
    first, line_end, later = text.replace("\0", "").partition("\n")
    return _BLANK_LINES.sub("", first.lstrip() + line_end + later).rstrip()


def says_something(text: str) -> bool:
    """True if any character can be seen."""
    return any(category(character) not in _INVISIBLE for character in text)


class Comment:
    """The lines of one comment, as lines_of() makes them, and the Markdown structure they make.

    They hold no lone surrogates, because link targets are percent-encoded on the way.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._written = lines

    @cached_property
    def _lines(self) -> list[str]:
        return [line.replace(_MARK, "\ufffd") for line in self._written]

    @cached_property
    def _tokens(self) -> list[Token]:
        return _STRUCTURE.parse("\n".join(_without_footnotes(self._lines)))

    @cached_property
    def _hiding(self) -> list[_Segment]:
        return list(_segments(self._tokens))

    def begins_with(self, line: int) -> bool:
        """True if nothing stands before the line of this number. Such a line begins in plain text unless indented."""
        return not any(text.strip(" \t") for text in self._written[:line])

    def plain_lines(self, candidates: Sequence[int]) -> list[int]:
        """Those of the line numbers ``candidates`` (ascending, none indented) that begin in plain text."""
        if len(candidates) == 1 and self.begins_with(candidates[0]):
            return list(candidates)
        plain: list[int] = []
        held: Counter[str] = Counter()
        for token in self._tokens:
            if token.level != 0 or token.map is None:
                continue
            if token.type == "html_block":
                _count_block(token.content, held)
                continue
            start, end = _text_range(token, *token.map)
            if start < end:
                inside = candidates[bisect_left(candidates, start) : bisect_left(candidates, end)]
                plain.extend(self._plain_in_paragraph(start, end, inside, held))
        return plain

    def _plain_in_paragraph(self, start: int, end: int, candidates: Sequence[int], held: Counter[str]) -> list[int]:
        """As plain_lines, for the text lines ``start`` to ``end``; counts the HTML elements it opens into ``held``."""
        opener = next((line for line in range(start, end) if _OPENERS.search(self._lines[line])), end)
        unopened = bisect_right(candidates, opener)
        plain = [] if held.total() else list(candidates[:unopened])
        text = "\n".join(self._lines[start:end])
        if unopened == len(candidates) and not _HOLDING_TAG.search(text):
            return plain
        if text.count("[") > _MOST_BRACKETS:
            return plain
        marked = self._lines[start:end]
        for line in candidates[unopened:]:
            marked[line - start] = f"{_MARK}{line}{_MARK}{marked[line - start]}"
        tokens = _PARAGRAPH.parse("\n".join(marked), {"references": dict(self._references) if "[" in text else {}})
        children = [child for token in tokens for child in token.children or ()]
        return [*plain, *_marks_in_plain_text(children, held)]

    @cached_property
    def _references(self) -> dict[str, object]:
        """All link reference definitions of the comment, by label."""
        environment: dict[str, dict[str, object]] = {"references": {}}
        for token in self._tokens:
            if token.type == "inline" and token.content.startswith("[") and "]:" in token.content:
                _DEFINITIONS.parse(token.content, environment)
        return environment["references"]

    def reply_to_quote(self) -> str | None:
        """What stands outside the quotes of a comment that begins with one, as written, without its HTML comments.

        None if the comment begins otherwise, or if anything but quotes, paragraphs and lists is to be seen in it.
        """
        between_quotes: list[tuple[int, int]] = []
        for token in self._tokens:
            if token.level != 0 or token.map is None:
                continue
            end = token.map[1]
            if token.type == "blockquote_open":
                between_quotes.append((end, end))
            elif not between_quotes or not _is_plain_prose(token):
                return None
            else:
                between_quotes[-1] = (between_quotes[-1][0], end)
        if not between_quotes:
            return None
        return "\n".join(self.visible_text(start, 0, end).text for start, end in between_quotes if start < end)

    def visible_text(self, line: int, column: int, end: int) -> Seen:
        """The text from ``column`` of ``line`` up to line ``end``, without what its HTML hides.

        GitHub hides that from people, so it is no part of a request. In code it is visible and stays.
        """
        lines = [self._written[line][column:], *self._written[line + 1 : end]]
        if not any("<" in text for text in lines):
            return Seen("\n".join(lines), 0)
        parts: list[str] = []
        hidden, until, position = 0, None, line
        touched = bisect_right(self._hiding, line, key=lambda segment: segment.end)
        for start, stop, kind, quotes in self._hiding[touched:]:
            if start >= end:
                break
            first, last = max(start, position), min(stop, end)
            if until is None:
                parts.extend(lines[position - line : first - line])
            segment = "\n".join(_quotes_marked(lines[first - line : last - line], quotes))
            seen = seen_in_block(segment, until) if kind == "html_block" else seen_in_paragraph(segment, until)
            until = seen.until
            parts.append(seen.text.replace(_QUOTE_MARK, ">"))
            hidden += seen.hidden
            position = last
        if until is None:
            parts.extend(lines[position - line :])
        return Seen("\n".join(parts), hidden)


class _Segment(NamedTuple):
    """The lines from ``start`` up to ``end`` that may hide something, the kind of token they come from, and in how many
    quotes they stand."""

    start: int
    end: int
    kind: str
    quotes: int


def _segments(tokens: Sequence[Token]) -> Iterator[_Segment]:
    """The segments of a comment in order; none overlaps another."""
    position = quotes = 0
    for token in tokens:
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type in {"inline", "html_block"} and token.map is not None and token.map[0] >= position:
            yield _Segment(token.map[0], token.map[1], token.type, quotes)
            position = token.map[1]


def _quotes_marked(lines: Sequence[str], quotes: int) -> Sequence[str]:
    """The lines with another sign for the ``>`` of so many quotes, which is no end of a tag."""
    if not quotes:
        return lines
    before = re.compile(rf"(?:[ \t]*(?:(?:[-*+]|\d{{1,9}}[.)])[ \t]+)*>){{0,{quotes}}}")
    marks = (len(found[0]) if (found := before.match(text)) else 0 for text in lines)
    return [text[:end].replace(">", _QUOTE_MARK) + text[end:] for text, end in zip(lines, marks, strict=True)]


def _without_footnotes(lines: Sequence[str]) -> Iterator[str]:
    """The lines with footnotes written as list items: markdown-it does not know them, and lists hold the same lines."""
    for line in lines:
        footnote = _FOOTNOTE.fullmatch(line)
        if footnote is None:
            yield line
        else:
            yield footnote[1] + (f"-   {footnote[2]}" if footnote[2] else ">")


def _text_range(token: Token, start: int, end: int) -> tuple[int, int]:
    """The lines of a top-level block that hold its text, from the first line on; empty for all but plain blocks.

    A heading with an underline and the first row of a table were plain text until the line below them was written.
    """
    if token.type == "paragraph_open":
        return start, end
    if token.type == "heading_open" and token.markup in {"-", "="}:
        return start, end - 1
    if token.type == "table_open":
        return start, start + 1
    return start, start


def _is_plain_prose(block: Token) -> bool:
    """True for a top-level paragraph or list, and for an HTML comment that hides itself alone."""
    if block.type == "html_block":
        return not _HTML_COMMENT.sub("", block.content).strip()
    return block.type in {"paragraph_open", "bullet_list_open", "ordered_list_open"}


def _count_tags(html: str, names: frozenset[str], into: Counter[str]) -> None:
    for closing, tag in _HTML_TAG.findall(html):
        name = tag.lower()
        if name not in names:
            continue
        if not closing:
            into[name] += 1
        elif into[name]:
            into[name] -= 1


def _count_block(html: str, held: Counter[str]) -> None:
    """Count what a block of raw HTML opens or closes; a comment that it leaves open hides all up to a later block."""
    if held["<!--"]:
        _, closed, html = html.partition("-->")
        if not closed:
            return
        held["<!--"] = 0
    for comment in _HTML_COMMENT.finditer(html):
        if comment["open"]:
            held["<!--"] = 1
    _count_tags(_HTML_COMMENT.sub("", html), _HOLDING_BLOCKS | _HOLDING_SPANS, held)


def _marks_in_plain_text(children: Sequence[Token], held: Counter[str]) -> Iterator[int]:
    """The numbers of the marks that are shown as plain text: outside code, links, struck text and hidden places."""
    spans: Counter[str] = Counter()
    for child in children:
        if child.type in {"link_open", "s_open"}:
            spans[child.type] += 1
        elif child.type in {"link_close", "s_close"}:
            spans[child.type.replace("close", "open")] -= 1
        elif child.type == "html_inline" and not child.content.startswith("<!--"):
            _count_tags(child.content[:64], _HOLDING_BLOCKS, held)
            _count_tags(child.content[:64], _HOLDING_SPANS, spans)
        elif child.type == "text" and not spans.total() and not held.total():
            yield from (int(number) for number in _MARKED.findall(child.content))
