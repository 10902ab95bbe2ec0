"""What GitHub would make of a text: the judge of the sanitizer, which shares nothing with it but the Markdown parser.

The text is rendered as GitHub does (GFM with tables, strikethrough, task lists, alerts, footnotes and raw HTML), then
the text nodes outside code are searched for what GitHub acts on. In doubt it counts as live: references to issues and
commits that may not exist, forms in full width, text that only emphasis divides.

https://github.github.com/gfm/ and
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token


class Finding(NamedTuple):
    """Something GitHub acts on: its kind, and the text of it."""

    kind: str
    text: str


_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]")
_FOOTNOTE_DEFINITION = re.compile(r"\[\^[^\]\s]+\]:")


def _footnote(state: StateInline, silent: bool) -> bool:
    found = _FOOTNOTE.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("footnote", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _footnote_definition(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    found = _FOOTNOTE_DEFINITION.match(state.src, state.bMarks[start] + state.tShift[start], state.eMarks[start])
    if found is None or state.is_code_block(start):
        return False
    if not silent:
        state.line = start + 1
        state.push("footnote", "", 0).content = found[0]
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("gfm-like2", {"linkify": False, "maxNesting": 200}).disable("linkify")
    parser.inline.ruler.before("link", "footnote", _footnote)
    interrupted = ["paragraph", "reference", "blockquote", "list", "table"]
    parser.block.ruler.before("reference", "footnote", _footnote_definition, {"alt": interrupted})
    return parser


_PARSER = _parser()

_BLOCKS = {
    "heading_open": "heading",
    "blockquote_open": "quote",
    "alert_open": "alert",
    "fence": "fence",
    "code_block": "indented code",
    "hr": "rule",
    "table_open": "table",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "html_block": "html",
    "footnote": "footnote",
}
_INLINES = {"image": "image", "link_open": "link", "html_inline": "html", "footnote": "footnote"}

# A table of one column needs no pipe in its first line on GitHub; markdown-it wants one. Dashes alone make a heading of
# the line above.
_LONE_DELIMITER = re.compile(r"(?![ \t]*-+[ \t]*\Z)[ \t]*\|?[ \t]*:?-+:?[ \t]*\|?[ \t]*")

_REFERENCE = r"#\d+|(?<![a-z0-9])gh-\d+"
_TEXTS = {
    "mention": r"(?<![a-z0-9])@[a-z0-9][a-z0-9-]*(?:/[a-z0-9][\w.-]*)?",
    "reference": _REFERENCE,
    "closing": r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b:?\s*(?:[\w.-]*/?[\w.-]*#\d|gh-\d|https?://)",
    "commit": r"(?<![a-z0-9])[0-9a-f]{7,40}(?![a-z0-9])|[\w-]@[0-9a-f]{7,40}(?![a-z0-9])",
    "address": r"(?:https?|ftp)://[^\x00- <]|(?<![a-z0-9])www\.|[\w.+-]@[\w.-]*\.[\w-]",
    "advisory": r"(?<![a-z0-9])(?:ghsa(?:-[0-9a-z]{4}){3}|cve-\d{4}-\d+)",
}
_TEXT = {kind: re.compile(pattern, re.IGNORECASE | re.ASCII) for kind, pattern in _TEXTS.items()}
_ANY_TEXT = re.compile(r"[@#]|://|www\.|gh-|ghsa|cve|[0-9a-f]{7}", re.IGNORECASE)
_FOLD = {code_point: code_point - 0xFEE0 for code_point in range(0xFF01, 0xFF5F)} | {0xFE5F: "#", 0xFE6B: "@"}

_PICTURE = "[\u00a9\u00ae\u203c\u2049\u2190-\u27ff\u2900-\u2bff\u3030\u3297\u3299\U0001f000-\U0001faff]"
_PICTURES = re.compile(f"{_PICTURE}\ufe0f?(?:\u200d{_PICTURE}\ufe0f?)*|[0-9#*]\ufe0f\u20e3")
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]")


class Rendered(NamedTuple):
    """What becomes of a text of Markdown.

    ``findings`` is everything live in it, blocks included. ``skeleton`` has its blocks by depth and kind, and the raw
    HTML. ``shown`` is the text that can be read.
    """

    findings: list[Finding]
    skeleton: list[str]
    shown: str


def rendered(markdown: str) -> Rendered:
    """Render a text as GitHub would; any text will do."""
    found: list[Finding] = []
    skeleton: list[str] = []
    shown: list[str] = []
    for token in _PARSER.parse(markdown):
        html = token.content.strip("\n") if token.type == "html_block" else ""
        skeleton.append(f"{token.level} {token.type} {html}")
        if token.type in _BLOCKS:
            found.append(Finding(_BLOCKS[token.type], token.content))
        if token.type == "list_item_open" and token.meta.get("checked") is not None:
            found.append(Finding("task", ""))
        if token.type == "inline":
            found.extend(_in_inline(token))
            shown.append("".join(_text_shown(child) for child in token.children or []))
        elif token.type in {"fence", "code_block"}:
            shown.append(token.content.removesuffix("\n"))
    return Rendered(found, skeleton, "\n".join(shown))


def _text_shown(token: Token) -> str:
    return "\n" if token.type in {"softbreak", "hardbreak"} else token.content


def _in_inline(token: Token) -> Iterator[Finding]:
    yield from (Finding("table", line) for line in token.content.split("\n")[1:] if _LONE_DELIMITER.fullmatch(line))
    for child in token.children or []:
        if child.type in _INLINES:
            yield Finding(_INLINES[child.type], child.content or str(child.attrs))
    segments = [list(segment) for segment in _segments(token.children or [])]
    for nodes in segments:
        for text in {*nodes, "".join(nodes)}:
            yield from findings_in_text(text)
    if sum(text.count("$") for nodes in segments for text in nodes) > 1:
        yield Finding("math", token.content)


def _segments(children: Iterable[Token]) -> Iterator[list[str]]:
    """The text nodes between code and images: what stands there is never one word for GitHub."""
    nodes: list[str] = []
    for child in children:
        if child.type in {"code_inline", "image"}:
            yield nodes
            nodes = []
        elif child.type in {"softbreak", "hardbreak"}:
            nodes.append("\n")
        elif child.type == "text":
            nodes.append(child.content)
    yield nodes


def findings_in_text(text: str) -> list[Finding]:
    """What is live in one text node, or in a field that is not Markdown."""
    folded = text.translate(_FOLD)
    if _ANY_TEXT.search(folded) is None:
        return []
    return [
        Finding(kind, found[0])
        for kind, pattern in _TEXT.items()
        for form in sorted({text, folded})
        for found in pattern.finditer(form)
    ]


def hidden_characters(text: str) -> list[str]:
    """The characters nobody sees, but for those that join emoji and give them colour."""
    rest = _PICTURES.sub("", text)
    return [
        character
        for character in rest
        if (unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character != "\n") or _BLANK.match(character)
    ]
