"""What a scripted model does in one turn, whichever API it is asked through."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Turn:
    """One answer: run ``command``, or, where it is None, say ``says`` and be done. ``number`` counts from 0.

    ``refuses``: what is said is that the model does not do what was asked, in the form its API has for that.
    """

    number: int
    command: str | None = None
    says: str = "The specification is written."
    refuses: bool = False
    input_tokens: int = 100
    cached_tokens: int = 10
    output_tokens: int = 20


def sse(event: dict[str, Any], *, named: bool = True) -> bytes:
    """One server-sent event."""
    name = f"event: {event['type']}\n" if named else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
