"""Captured output as text for a page: no terminal codes, nothing invisible, nothing that turns the text around."""

from __future__ import annotations

import re
import unicodedata

# ECMA-48: CSI ... final byte; OSC/DCS/SOS/PM/APC ... until BEL, ST or the end; two-character escapes.
_TERMINAL_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def readable(text: str) -> str:
    """The text with terminal codes gone, line ends as ``\\n`` and every other invisible character made visible."""
    text = _TERMINAL_CODES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _INVISIBLE.sub(lambda found: _visible(found.group()), text)


def last_lines(data: bytes, count: int) -> str:
    """The last ``count`` lines of UTF-8 output, readable; bytes that are no UTF-8 become U+FFFD."""
    lines = readable(data.decode("utf-8", errors="replace")).rstrip("\n").split("\n")
    return "\n".join(lines[-count:])


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return f"<U+{code:04X}{' ' + name if (name := unicodedata.name(character, '')) else ''}>"
