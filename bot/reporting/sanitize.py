"""Text of people and agents, made harmless in GitHub's Markdown.

What comes out shows what was written, yet pings nobody, links nothing, closes no issue, loads no image and hides
nothing: the text is parsed as Markdown, only words and code survive, and every word GitHub would act on (mentions,
references, addresses, commit hashes, formulas) becomes a code span, where GitHub looks for none of these. No line is a
command, and what is one line can stand in a paragraph, a list item or a table cell. Doing it twice changes nothing.

What GitHub acts on: https://github.github.com/gfm/ and
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.commands.hidden_text import PICTURE

LONGEST_LINE = 4_000
"""The most characters that one line shows; what is longer belongs into quoted_block()."""

# How much of a text is read to show so many characters of it. Less than they become here would make twice unlike once.
_SOURCE_PER_CHARACTER = 5
_SHORTEST_SOURCE = 2_000

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
# markdown-it needs quadratic time for open brackets. No person writes so many into a line; they are shown as typed.
_WITHOUT_LINKS = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable(["link", "image"])
_MOST_BRACKETS = 100
_MARKUP = re.compile(r"[\\`*_~<\[!&]")

_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\u0085\v\f]")
# All spaces but a single common one.
_SPACES = re.compile(r"[^\S ]\s*| \s+")
_TICKS = re.compile(r"`+")
_WORD = re.compile(r"[^ ]+")

# Invisible, though no controls: fillers, blanks, variation selectors, the plane of tags, and what is no character.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\U0001d159\ufe00-\ufe0e\U000e0000-\U000e0fff"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
# What is invisible alone but makes one picture of several: the joiner, and the selector of the coloured form.
_JOINERS = "\u200d\ufe0f"
_JOINED = re.compile(f"{PICTURE}\ufe0f?(?:\u200d{PICTURE}\ufe0f?)*|[0-9#*]\ufe0f\u20e3|(?P<stray>[{_JOINERS}])")

# What GitHub acts on. Numbers and words are hashes too if they are long enough: whether there is such a commit is
# nothing we know. Escaping a dollar does not keep GitHub from making a formula of what follows.
_ACTIVE = re.compile(
    r"[@$]|#\d|://|www\.|mailto:|xmpp:|(?<![0-9a-z])(?:gh-\d|ghsa-\w|cve-\d|[0-9a-f]{7,40}(?![0-9a-z]))", re.IGNORECASE
)
_EDGES = re.compile(r"([(\[{\"'*_]*)(.*?)([)\]}\"'*_.,;:!?]*)", re.DOTALL)
_FULL_WIDTH = {code_point: code_point - 0xFEE0 for code_point in range(0xFF01, 0xFF5F)} | {0xFE5F: "#", 0xFE6B: "@"}

_SPECIAL = re.compile(r"([\\`*_\[\]<>&|~#!^{}])")
_BLOCK_START = re.compile(r"(\d{1,9}(?=[.)](?: |$))|(?=[-+=/]|:-))(.)")
# What must not stand in code: a table ends its cell there, and our marks are found in the source, code or not.
_NEVER_CODE = re.compile(r"(\||<!--)")
_BULLET = re.compile(r"[-*+]\s+(.*)")
_HEADING = re.compile(r"^#{1,6}\s+")

_MIXED_HASH = re.compile(r"(?<![0-9a-z])(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7,}", re.IGNORECASE)
_SKIP_CI = re.compile(r"\[\s*(skip ci|ci skip|no ci|skip actions|actions skip)\s*\]", re.IGNORECASE)


class _Piece(NamedTuple):
    text: str
    is_code: bool = False


def visible(text: str) -> str:
    """Drop what cannot be seen (controls, bidi marks, zero-width and tag characters); every line ends with \\n."""
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_ENDS.sub("\n", text)
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable() or _is_visible(character))
    if text.isascii():
        return text
    return _JOINED.sub(lambda found: "" if found["stray"] else found[0], _BLANK.sub("", text))


def _is_visible(character: str) -> bool:
    """The same for a character that Python does not print, such as a line end or another space than the common one."""
    return character in "\n\t" or character in _JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis where something was cut."""
    if len(text) <= limit:
        return text
    return _cut(text, limit - 1) + "…" if limit > 0 else ""


def _cut(text: str, length: int) -> str:
    """The beginning of ``text``; no space is at its end, nor half of a joined picture."""
    end = max(length, 0)
    while end and (text[end - 1].isspace() or text[end - 1] in _JOINERS):
        end -= 1
    return text[:end]


def inline(text: str, limit: int = LONGEST_LINE) -> str:
    """One line of harmless Markdown that shows the text; emphasis is dropped, code stays code.

    At most ``limit`` characters are shown (never more than LONGEST_LINE); the Markdown is at most five times as long.
    """
    return _line(_read(text, limit))


def table_cell(text: str, limit: int = 300) -> str:
    """One line of harmless Markdown for a cell of a GFM table, of which at most ``limit`` characters are shown."""
    return inline(text, limit)


def block(text: str, limit: int) -> str:
    """Paragraphs and ``- `` bullets of harmless Markdown: one line for each line of the text, made as by inline().

    Lists become flat, headings plain lines. At most ``limit`` characters are shown, line ends counted; the Markdown is
    at most five times as long.
    """
    lines: list[_BlockLine] = []
    length = -1
    for source in visible(text).split("\n"):
        line = _block_line(source.strip(), limit)
        if not line.pieces and not (lines and lines[-1].pieces):
            continue
        lines.append(line)
        length += _length(line.pieces) + 1
        if length > limit and line.pieces:
            lines = _first_lines(lines, limit)
            break
    return "\n".join(line.mark + _line(line.pieces) for line in lines).rstrip("\n")


def quoted_block(text: str, language: str = "text") -> str:
    """A quoted fence that shows the text letter by letter. Every line begins with ``>``: no bot sees a command."""
    body = visible(text).strip("\n")
    fence = "`" * max(3, _longest_ticks(body) + 1)
    return "\n".join(f"> {line}".rstrip() for line in [f"{fence}{language}", *body.split("\n"), fence])


def code(text: str) -> str:
    """One line in a code span. Only ``|`` and ``<!--`` stand beside the code: it can stand in a table cell too."""
    return _line([_Piece(_SPACES.sub(" ", visible(text)).strip() or "(empty)", is_code=True)])


def plain(text: str) -> str:
    """One line for a field that is not Markdown (a title, an annotation): no reference or mention survives.

    Titles become the first line of commits: nothing there may skip a workflow either. A number or a word stays as it is
    though a commit's hash may begin so.
    """
    line = visible(text)
    folded = line.translate(_FULL_WIDTH)
    line = folded if _ACTIVE.search(folded) or _MIXED_HASH.search(folded) else line
    line = re.sub(r"(?<=\w)@(?=\w)", " at ", line).replace("@", "").replace("://", " ")
    line = re.sub(r"(?<=\w)#(?=\d)", "# ", line)
    line = re.sub(r"#(?=\d)", "no. ", line)
    line = re.sub(r"(?<![0-9a-z])(gh|ghsa|cve)-(?=\w)", r"\1 ", line, flags=re.IGNORECASE)
    line = re.sub(r"www\.", "www ", line, flags=re.IGNORECASE)
    line = _MIXED_HASH.sub(lambda found: " ".join(re.findall(".{1,6}", found[0])), line)
    return _SKIP_CI.sub(r"(\1)", _SPACES.sub(" ", line)).lstrip("/ ").rstrip()


class _BlockLine(NamedTuple):
    """A line of a block; without pieces it is blank."""

    mark: str
    pieces: Sequence[_Piece]


def _block_line(source: str, limit: int) -> _BlockLine:
    bullet = _BULLET.match(source)
    # One more than fits tells that it does not.
    pieces = _read(_HEADING.sub("", bullet[1] if bullet else source), limit + 1)
    return _BlockLine("- " if bullet and pieces else "", pieces)


def _first_lines(lines: Iterable[_BlockLine], limit: int) -> list[_BlockLine]:
    """As many of the lines, which are too long together, as can be shown in ``limit`` characters with an ellipsis."""
    kept: list[_BlockLine] = []
    room = limit - 2
    for line in lines:
        if _length(line.pieces) > room:
            # Either the ellipsis is part of the last line, or it has the two characters left for it: a line of its own.
            kept.append(
                _BlockLine(line.mark, _clipped(line.pieces, room)) if room > 0 else _BlockLine("", [_Piece("…")])
            )
            break
        kept.append(line)
        room -= _length(line.pieces) + 1
    return kept if limit > 0 else []


def _read(text: str, limit: int) -> list[_Piece]:
    """The text as Markdown has it: one line without spaces at its ends, of at most ``limit`` characters."""
    limit = max(0, min(limit, LONGEST_LINE))
    line = _SPACES.sub(" ", visible(text)).strip()
    source = line[: max(_SOURCE_PER_CHARACTER * limit, _SHORTEST_SOURCE)]
    if _MARKUP.search(source):
        markdown = _MARKDOWN if source.count("[") <= _MOST_BRACKETS else _WITHOUT_LINKS
        found = _pieces(markdown.parseInline(source)[0].children or [])
    else:
        found = iter([_Piece(source)])
    pieces = _merged(_Piece(visible(piece.text), piece.is_code) for piece in found)
    if len(line) > len(source):
        pieces.append(_Piece("…"))
    if pieces and not pieces[0].is_code:
        pieces[0] = _Piece(pieces[0].text.lstrip())
    if pieces and not pieces[-1].is_code:
        pieces[-1] = _Piece(pieces[-1].text.rstrip())
    return _clipped([piece for piece in pieces if piece.text], limit)


def _pieces(tokens: Iterable[Token]) -> Iterator[_Piece]:
    """What can be read in the parsed line: words, code, and the addresses links and images would have led to."""
    addresses: list[list[_Piece]] = []
    for token in tokens:
        if token.type == "code_inline":
            yield _Piece(token.content, is_code=True)
        elif token.type == "link_open":
            addresses.append([] if token.info == "auto" else _address(token, "href"))
        elif token.type == "link_close":
            yield from addresses.pop()
        elif token.type == "image":
            yield from _pieces(token.children or [])
            yield from _address(token, "src")
        else:
            yield _Piece(token.content)


def _address(token: Token, attribute: str) -> list[_Piece]:
    target, title = str(token.attrGet(attribute) or ""), str(token.attrGet("title") or "")
    if not target and not title:
        return []
    return [_Piece(" ("), _Piece(target, is_code=True), _Piece(f" {title}" if title else ""), _Piece(")")]


def _merged(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Neighbours of one kind become one piece; spaces are single, and none is at the edge of code."""
    merged: list[_Piece] = []
    for is_code, group in groupby(_with_spaces_outside(pieces), key=lambda piece: piece.is_code):
        merged.append(_Piece(_SPACES.sub(" ", "".join(piece.text for piece in group)), is_code))
    return merged


def _with_spaces_outside(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """The pieces that are not empty; spaces at the edges of code become text."""
    for piece in pieces:
        if not piece.is_code:
            if piece.text:
                yield piece
            continue
        content = piece.text.strip()
        if piece.text[:1].isspace():
            yield _Piece(" ")
        if content:
            yield _Piece(content, is_code=True)
            if piece.text[-1].isspace():
                yield _Piece(" ")


def _length(pieces: Iterable[_Piece]) -> int:
    return sum(len(piece.text) for piece in pieces)


def _clipped(pieces: Sequence[_Piece], limit: int) -> list[_Piece]:
    """The first pieces, of which ``limit`` characters can be seen, with an ellipsis where something was cut."""
    if _length(pieces) <= limit:
        return list(pieces)
    kept: list[_Piece] = []
    room = limit - 1
    for piece in pieces:
        kept.append(_Piece(_cut(piece.text, room), piece.is_code) if len(piece.text) > room else piece)
        room -= len(piece.text)
        if room <= 0:
            break
    return _merged([*kept, _Piece("…")]) if limit > 0 else []


def _line(pieces: Iterable[_Piece]) -> str:
    """The pieces as Markdown. What they show stays the same, so reading the line gives them again."""
    harmless = _merged(part for piece in pieces for part in _activity_as_code(piece))
    written = _with_spaces_outside(part for piece in harmless for part in _without_marks_in_code(piece))
    line = "".join(_code_span(piece.text) if piece.is_code else _SPECIAL.sub(r"\\\1", piece.text) for piece in written)
    # Within a list or after a line break the first characters could begin a block, or a command.
    start = _BLOCK_START.match(line)
    return f"{start[1]}\\{start[2]}{line[start.end() :]}" if start else line


def _activity_as_code(piece: _Piece) -> Iterator[_Piece]:
    """Words that GitHub would act on become code; the punctuation around them stays text."""
    if piece.is_code or not _is_active(piece.text):
        yield piece
        return
    inactive_from = 0
    for word in _WORD.finditer(piece.text):
        edges = _EDGES.fullmatch(word[0]) if _is_active(word[0]) else None
        if edges is not None:
            yield _Piece(piece.text[inactive_from : word.start() + edges.start(2)])
            yield _Piece(edges[2], is_code=True)
            inactive_from = word.start() + edges.end(2)
    yield _Piece(piece.text[inactive_from:])


def _is_active(text: str) -> bool:
    if _ACTIVE.search(text):
        return True
    return not text.isascii() and _ACTIVE.search(text.translate(_FULL_WIDTH)) is not None


def _without_marks_in_code(piece: _Piece) -> Iterator[_Piece]:
    if not piece.is_code:
        yield piece
        return
    for index, part in enumerate(_NEVER_CODE.split(piece.text)):
        yield _Piece(part, is_code=index % 2 == 0)


def _code_span(content: str) -> str:
    ticks = "`" * (_longest_ticks(content) + 1)
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
