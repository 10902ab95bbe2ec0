"""Markdown as GitHub shows it: tables, task lists, a few bare HTML tags.

HTML comments vanish; every other tag is shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_PARTS = re.compile(r"<!--.*?-->|<[^<>]*>|[^<]+|<", re.DOTALL)
_ALLOWED = re.compile(r"<(/?(?:details|summary|br|hr|sub|sup|kbd|b|i|em|strong|del|ins)|details open(?:=\"\")?)\s*/?>")

_REFERENCE = re.compile(r"(?<![\w&/])#(\d{1,9})\b")
_MENTION = re.compile(r"(?<![\w@/.`-])@([A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}(?:/[a-z0-9][a-z0-9-]*)?)(?![\w-])")


def _bare_tags_only(raw: str) -> str:
    shown = []
    for part in _PARTS.findall(raw):
        if part.startswith("<!--"):
            continue
        shown.append(part if _ALLOWED.fullmatch(part) else html.escape(part))
    return "".join(shown)


def _render_html(_self: object, tokens: Sequence[Token], index: int, _options: object, _env: Any) -> str:
    return _bare_tags_only(tokens[index].content)


def _render_text(_self: object, tokens: Sequence[Token], index: int, _options: object, env: Any) -> str:
    """Escaped text; outside a link ``#12`` leads to that issue or pull request, and ``@somebody`` stands out."""
    shown = html.escape(tokens[index].content)
    depth = sum({"link_open": 1, "link_close": -1}.get(token.type, 0) for token in tokens[:index])
    if depth or not env.get("base"):
        return shown
    shown = _REFERENCE.sub(rf'<a href="{html.escape(env["base"])}/issues/\1">#\1</a>', shown)
    return _MENTION.sub(r'<b class="mention">@\1</b>', shown)


def _parser(breaks: bool) -> MarkdownIt:
    # Raw HTML is parsed only to be recognised: nothing but the bare tags above is handed on.
    parser = MarkdownIt("commonmark", {"html": True, "breaks": breaks}).enable(["table", "strikethrough"])
    parser.add_render_rule("html_block", _render_html)
    parser.add_render_rule("html_inline", _render_html)
    parser.add_render_rule("text", _render_text)
    return parser


_CONVERSATION, _FILE = _parser(breaks=True), _parser(breaks=False)


def render(text: str | None, base: str = "", *, file: bool = False) -> Markup:
    """Safe HTML for a Markdown text. ``base``: the repository's path, for ``#12``. In a file, unlike in a comment, a
    line's end is no line break."""
    shown = (_FILE if file else _CONVERSATION).render(text or "", {"base": base})
    for mark, box in (("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")):
        shown = shown.replace(f"<li>{mark}", f"<li>{box}").replace(f"<li>\n<p>{mark}", f"<li>\n<p>{box}")
    return Markup(shown)  # noqa: S704 - made by the renderer above, which escapes
