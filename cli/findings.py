"""What a check of ``doctor`` finds."""

from __future__ import annotations

from dataclasses import dataclass


class Ill(Exception):  # noqa: N818 - the finding of a check
    """What is wrong, and the cure."""

    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer. ``ok`` None: could not be looked at, because an earlier check failed."""

    name: str
    ok: bool | None
    detail: str
    cure: str = ""
