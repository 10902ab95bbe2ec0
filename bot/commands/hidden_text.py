"""What people wrote, without what nobody sees: an agent reads what its reviewers read, and no more (threat T42).

Taken out and counted by kind: HTML comments where Markdown hides them (in code they are visible and stay), characters
of no width, marks of direction, tags, variation selectors, soft hyphens, control characters, and what else is ignored
when text is shown. Left in: what joins emoji, chooses their form or makes a flag of them, and the joiners between
letters of scripts that are spelled with them. Every character left out is invisible, so what is seen stays as it is.

Sources: https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point),
https://www.unicode.org/reports/tr51/ (emoji), https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.commands.hidden_html import joined
from bot.commands.markdown import Comment, lines_of


class HiddenKind(StrEnum):
    """What was left out, by the name it is counted under."""

    HTML_COMMENT = "html_comments"
    ZERO_WIDTH = "zero_width"
    DIRECTION = "direction"
    TAG = "tags"
    VARIATION = "variation_selectors"
    SOFT_HYPHEN = "soft_hyphens"
    CONTROL = "controls"
    OTHER = "other_invisible"


_CHARACTERS: Mapping[HiddenKind, str] = {
    HiddenKind.ZERO_WIDTH: "\u180e\u200b-\u200d\u2060\ufeff",
    HiddenKind.DIRECTION: "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    HiddenKind.TAG: "\U000e0000-\U000e007f",
    HiddenKind.VARIATION: "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef",
    HiddenKind.SOFT_HYPHEN: "\u00ad",
    HiddenKind.CONTROL: "\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029",
    HiddenKind.OTHER: "\u034f\u115f\u1160\u17b4\u17b5\u2061-\u2065\u206a-\u206f\u3164\uffa0\ufdd0-\ufdef\ufff0-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0080-\U000e00ff"
    "\U000e01f0-\U000e0fff" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)),
}
PICTURE = "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
"""A character that can be an emoji, for a regular expression."""
_JOINED_PICTURES = f"{PICTURE}[\ufe0e\ufe0f]?(?:\u200d{PICTURE}[\ufe0e\ufe0f]?)*|[0-9#*]\ufe0f?\u20e3"
_FLAGS = "\U0001f3f4(?:{})\U000e007f".format(
    "|".join("".join(chr(0xE0000 + ord(letter)) for letter in name) for name in ("gbeng", "gbsct", "gbwls"))
)
# Arabic, Syriac and their kin, the scripts of India and its neighbours, Mongolian: joiners there change what is seen.
_LETTER = "[\u0620-\u08ff\u0900-\u0dff\u0e80-\u109f\u1780-\u17b3\u17b6-\u17ff\u1800-\u180a\u1810-\u18af\ufb50-\ufdcf]"
_BETWEEN_LETTERS = f"(?<={_LETTER})[\u200c\u200d](?={_LETTER})"
_HIDDEN = re.compile(
    f"(?P<seen>{_FLAGS}|{_JOINED_PICTURES}|{_BETWEEN_LETTERS})|"
    + "|".join(f"(?P<{kind.value}>[{characters}])" for kind, characters in _CHARACTERS.items())
)
# They part what stands on their two sides, also for the eye.
_GAPS = frozenset("\x0b\x0c\x85\u2028\u2029")
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as people see it, and how many things of each kind (``HiddenKind``) were left out."""

    text: str
    hidden: Mapping[str, int] = field(default_factory=dict)

    def after(self, earlier: Mapping[str, int]) -> Shown:
        """The same, with what was left out before counted too."""
        return Shown(self.text, dict(Counter(earlier) + Counter(self.hidden)))


def shown_text(text: str) -> Shown:
    """Text that is no Markdown, or whose HTML comments are out already. Lines end with LF."""
    counts: Counter[str] = Counter()
    parts: list[str] = []
    copied = 0
    text = "\n".join(lines_of(text))
    for found in _HIDDEN.finditer(text):
        if found["seen"] is not None:
            continue
        counts[str(found.lastgroup)] += 1
        parts.append(text[copied : found.start()])
        if found[0] in _GAPS:
            parts.append(" ")
        copied = found.end()
    return Shown(joined([*parts, text[copied:]]) if parts else text, dict(counts))


def shown_markdown(text: str) -> Shown:
    """A whole text of Markdown as GitHub shows it. Doing it twice changes nothing; it is never longer than it was.

    Takes a moment for what people write and up to a second of CPU for hostile text: off the event loop with it.
    """
    counts: Counter[str] = Counter()
    # Without what was between them, things may stand together that hide more. Each round but the last makes it shorter.
    for _ in range(_MOST_ROUNDS):
        lines = lines_of(text)
        seen = Comment(lines).visible_text(0, 0, len(lines))
        shown = shown_text(seen.text)
        if not seen.hidden and not shown.hidden:
            return Shown(shown.text, dict(+counts))
        counts[HiddenKind.HTML_COMMENT] += seen.hidden
        counts.update(shown.hidden)
        text = shown.text
    # Nobody writes like that.
    return Shown("", dict(+counts))
