"""Text of people and agents, made harmless in GitHub's Markdown.

What comes out shows what was written, yet pings nobody, links nothing, closes no issue, loads no image and hides
nothing: the text is parsed as Markdown, only words and code survive, and every word GitHub would act on (mentions,
references, addresses, commit hashes) becomes a code span, where GitHub looks for none of these. Doing it twice changes
nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")

_BLANK_LETTERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f\u180b\u180c\u180d\u180f"
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\u0085\v\f]")
_SPACES = re.compile(r"\s+")
_TICKS = re.compile(r"`+")
# What GitHub acts on: mentions, references, bare addresses, commit hashes. Judged word by word.
_ACTIVE = re.compile(
    r"@|#\d|://|www\.|\bgh-\d|mailto:|xmpp:|\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}\b", re.IGNORECASE
)
_EDGES = re.compile(r"([(\[{\"'*_]*)(.*?)([)\]}\"'*_.,;:!?]*)", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_\[\]<>&|~$#!^{}])")
_BLOCK_START = re.compile(r"(\d{1,9}(?=[.)](?: |$))|(?=[-+=/]))(.)")


def visible(text: str) -> str:
    """Drop what cannot be seen (controls, bidi marks, zero-width and tag characters); every line ends with \\n."""
    text = _LINE_ENDS.sub("\n", text)
    return "".join(character for character in text if _is_visible(character))


def _is_visible(character: str) -> bool:
    if character in "\n\t":
        return True
    if unicodedata.category(character) in {"Cc", "Cf", "Cs"} or character in _BLANK_LETTERS:
        return False
    code_point = ord(character)
    # Variation selectors (the one that makes emoji colourful stays), the plane of tags, and what is no character.
    return not (0xFE00 <= code_point <= 0xFE0E or 0xE0000 <= code_point <= 0xE0FFF or code_point & 0xFFFE == 0xFFFE)


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def inline(text: str) -> str:
    """One line of harmless Markdown that shows the text; emphasis is dropped, code stays code."""
    tokens = _MARKDOWN.parseInline(_SPACES.sub(" ", visible(text)).strip())
    words = _merged(piece for part in _merged(_pieces(tokens)) for piece in _activity_as_code(part))
    line = "".join(_code_span(piece.text) if piece.is_code else _SPECIAL.sub(r"\\\1", piece.text) for piece in words)
    # Within a list or after a line break the first characters could begin a block, or a command.
    start = _BLOCK_START.match(line.strip())
    return f"{start[1]}\\{start[2]}{line.strip()[start.end() :]}" if start else line.strip()


def quoted_block(text: str, language: str = "text") -> str:
    """A quoted fence that shows the text letter by letter. Every line begins with ``>``: no bot sees a command."""
    body = visible(text).strip("\n")
    fence = "`" * max(3, _longest_ticks(body) + 1)
    return "\n".join(f"> {line}".rstrip() for line in [f"{fence}{language}", *body.split("\n"), fence])


def code(text: str) -> str:
    """One code span."""
    return _code_span(_SPACES.sub(" ", visible(text)).strip() or "(empty)")


def plain(text: str) -> str:
    """One line for a field that is not Markdown (a title, an annotation): no reference or mention survives."""
    line = visible(text).replace("@", "").replace("://", " ")
    line = re.sub(r"#(?=\d)", "no. ", line)
    line = re.sub(r"\b(gh)-(?=\d)", r"\1 ", line, flags=re.IGNORECASE)
    return _SPACES.sub(" ", line).lstrip("/ ").rstrip()


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    is_code: bool = False


def _pieces(tokens: list[Token]) -> Iterator[_Piece]:
    """What can be read in the parsed line: words, code, and the addresses links and images would have led to."""
    targets: list[str] = []
    for token in (child for outer in tokens for child in outer.children or []):
        if token.type == "code_inline":
            yield _Piece(token.content, is_code=True)
        elif token.type == "link_open":
            targets.append("" if token.info == "auto" else str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            yield from _address(targets.pop())
        elif token.type == "image":
            yield _Piece(token.content)
            yield from _address(str(token.attrGet("src") or ""))
        elif token.type in {"softbreak", "hardbreak"}:
            yield _Piece(" ")
        elif token.content:
            yield _Piece(token.content)


def _address(target: str) -> Iterator[_Piece]:
    if target:
        yield _Piece(" (")
        yield _Piece(target, is_code=True)
        yield _Piece(")")


def _merged(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Neighbours of one kind become one piece; spaces are single, and none is at the edge of code."""
    held: _Piece | None = None
    for piece in pieces:
        text = _SPACES.sub(" ", visible(piece.text))
        if piece.is_code:
            text = text.strip()
        current = _Piece(text or " ", piece.is_code) if text or piece.is_code else None
        if current is None:
            continue
        if current.is_code and not text:
            current = _Piece(" ")
        if held is not None and held.is_code == current.is_code:
            held = _Piece(_SPACES.sub(" ", held.text + current.text), held.is_code)
            continue
        if held is not None:
            yield held
        held = current
    if held is not None:
        yield held


def _activity_as_code(piece: _Piece) -> Iterator[_Piece]:
    """Words that GitHub would act on become code; the punctuation around them stays text."""
    if piece.is_code:
        yield piece
        return
    for word in re.split("( )", piece.text):
        edges = _EDGES.fullmatch(word) if _ACTIVE.search(word) else None
        if edges is None:
            yield _Piece(word)
        else:
            yield from (_Piece(edges[1]), _Piece(edges[2], is_code=True), _Piece(edges[3]))


def _code_span(content: str) -> str:
    ticks = "`" * (_longest_ticks(content) + 1)
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
