"""A hundred secrets that never were, and the forms in which a thief would carry them out."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping
from urllib.parse import quote

_CHANCE = random.Random(7)
_ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+ "é\\&<'
CANARIES = [
    f"{number:02d}{''.join(_CHANCE.choices(_ALPHABET, k=_CHANCE.randint(14, 60))).strip()}x9" for number in range(100)
]
"""Each is one line, and none begins or ends with a space."""

ENCODINGS: Mapping[str, Callable[[str], bytes]] = {
    "plain": lambda value: value.encode(),
    "reversed": lambda value: value.encode()[::-1],
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64 behind one byte": lambda value: base64.b64encode(b"x" + value.encode()),
    "base64 behind two bytes": lambda value: base64.b64encode(b"xy" + value.encode() + b"z"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()),
    "basic authentication": lambda value: base64.b64encode(f"x-access-token:{value}".encode()),
    "hexadecimal": lambda value: value.encode().hex().encode(),
    "hexadecimal in capitals": lambda value: value.encode().hex().upper().encode(),
    "percent-encoded": lambda value: quote(value, safe="").encode(),
    "in JSON": lambda value: json.dumps(value)[1:-1].encode(),
}

TELLING = 12
"""So many bytes in a row of a secret are a leak: fewer are at the edges of base64, where neighbours have a say."""


def middles(value: str) -> set[bytes]:
    """Of each form the bytes in its middle: a leak shows at least these, whatever was cut off at the ends."""
    found = set()
    for encode in ENCODINGS.values():
        travelling = encode(value)
        start = (len(travelling) - TELLING) // 2
        found.add(travelling[start : start + TELLING])
    return found


def leaks(travelling: bytes, output: bytes) -> bool:
    """Whether twelve bytes in a row of the secret are there."""
    return any(travelling[start : start + TELLING] in output for start in range(max(1, len(travelling) - TELLING + 1)))
