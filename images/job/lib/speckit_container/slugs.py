"""Names for folders and files, from words that people wrote."""

from __future__ import annotations

import re
import unicodedata

from speckit_container.markdown import title_of

SLUG_WORDS = 4
_LEFT_OUT = (
    "a an and are as at be by can could for from has have i in is it let lets of on or our should so that the "
    "their this to us want we when will with would you your"
)
LEFT_OUT = frozenset(_LEFT_OUT.split())


def slug(text: str) -> str:
    """Two to four words for the feature's folder, from the title; ``feature`` where it has no Latin letters."""
    ascii_only = unicodedata.normalize("NFKD", title_of(text)).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.findall(r"[a-z0-9]+", ascii_only) if word not in LEFT_OUT]
    return "-".join(word[:20] for word in words[:SLUG_WORDS]) or "feature"
