"""Reading what an agent prints as JSON lines. Whatever its form, nothing here raises: an agent's words are no facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

LONGEST_MESSAGE = 500


def events(stdout: bytes) -> Iterator[dict[str, Any]]:
    """The objects among the lines. The first may be cut off, and a program it ran may have written between them."""
    for line in stdout.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def fields(value: object) -> dict[str, Any]:
    """An object's fields; none of what is no object."""
    return value if isinstance(value, dict) else {}


def count(value: object) -> int | None:
    """A number of tokens; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def total(*values: object) -> int | None:
    """The sum of the numbers of tokens among ``values``; None where there is none."""
    counted = [number for number in map(count, values) if number is not None]
    return sum(counted) if counted else None


def cost(value: object) -> float | None:
    """US dollars; None for what is no amount."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < float("inf") else None  # type: ignore[operator, arg-type]


def one_line(text: str) -> str:
    """What may stand in a sentence: printable, on one line, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_MESSAGE]
