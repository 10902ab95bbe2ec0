"""Reads GitHub's JSON strictly: a field of the wrong type, an impossible number or a name that is no name is refused.

Text people wrote is never refused for what is in it; what a database cannot keep (NUL, half a surrogate pair) is
replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

LARGEST_ID = 2**63 - 1
LARGEST_NUMBER = 2**31 - 1

# A login goes into the path of an API call, so "." and "/" never pass. "_" is in the logins of managed users.
LOGIN = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,100}(\[bot\])?", re.ASCII)
SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}", re.ASCII)
SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
NODE_ID = re.compile(r"[A-Za-z0-9_=+/-]{1,255}", re.ASCII)

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\x00\ud800-\udfff]+"
PATH = re.compile(f"{_SEGMENT}(?:/{_SEGMENT})*")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_Choice = TypeVar("_Choice", bound=str)


class MalformedPayload(Exception):  # noqa: N818 - it names the payload, not the code that met it
    """The payload does not have the shape GitHub documents for its event. The message names the field."""


class Fields:
    """One object of the payload, with the name it has there. Every reader raises MalformedPayload."""

    def __init__(self, value: object, name: str = "") -> None:
        if not isinstance(value, dict):
            raise MalformedPayload(f"{name or 'the payload'} is not an object")
        self.values: dict[str, Any] = value
        self._name = name

    def get(self, key: str) -> object:
        """The value as it came; None when there is none."""
        return self.values.get(key)

    def has(self, key: str) -> bool:
        """True unless it is missing or null."""
        return self.values.get(key) is not None

    def object(self, key: str) -> Fields:
        """An object in this one."""
        return Fields(self.values.get(key), self._path(key))

    def objects(self, key: str, most: int) -> Iterable[Fields]:
        """The first ``most`` objects of a list; a missing or null list is an empty one."""
        values = self.values.get(key)
        if values is None:
            return
        if not isinstance(values, list):
            raise MalformedPayload(f"{self._path(key)} is not a list")
        for number, value in enumerate(values[:most]):
            yield Fields(value, f"{self._path(key)}[{number}]")

    def text(self, key: str, longest: int) -> str:
        """Text of at most ``longest`` characters."""
        value = self.values.get(key)
        if not isinstance(value, str):
            raise MalformedPayload(f"{self._path(key)} is not a string")
        if len(value) > longest:
            raise MalformedPayload(f"{self._path(key)} is longer than {longest} characters")
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)

    def prose(self, key: str, longest: int) -> str:
        """Text that is read only: cut after ``longest`` characters; a missing or null one is empty."""
        value = self.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise MalformedPayload(f"{self._path(key)} is not a string")
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value[:longest])

    def name(self, key: str, pattern: re.Pattern[str]) -> str:
        """Text that fits the pattern from end to end."""
        value = self.values.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise MalformedPayload(f"{self._path(key)} is not a name GitHub gives")
        return value

    def one_of(self, key: str, choices: tuple[_Choice, ...], otherwise: _Choice) -> _Choice:
        """One of the words GitHub has for it; ``otherwise`` when it is missing or null."""
        value = self.values.get(key)
        for choice in choices:
            if value == choice:
                return choice
        if value is not None:
            raise MalformedPayload(f"{self._path(key)} is none of {', '.join(choices)}")
        return otherwise

    def id(self, key: str, largest: int = LARGEST_ID) -> int:
        """A positive number."""
        value = self.values.get(key)
        if type(value) is not int or not 0 < value <= largest:
            raise MalformedPayload(f"{self._path(key)} is not a positive number GitHub gives")
        return value

    def number(self, key: str) -> int:
        """The number of an issue, a pull request or a line."""
        return self.id(key, LARGEST_NUMBER)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.values.get(key)
        if not isinstance(value, bool):
            raise MalformedPayload(f"{self._path(key)} is not true or false")
        return value

    def time(self, key: str) -> datetime | None:
        """A moment in UTC, or None when it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        try:
            parsed = datetime.fromisoformat(value)
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            raise MalformedPayload(f"{self._path(key)} is not a time") from None

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key
