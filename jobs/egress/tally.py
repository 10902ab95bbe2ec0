"""How often which host was asked for in one turn of an agent. Bounded, whatever the agent asks for, and harmless to
show: names come from the agent."""

from __future__ import annotations

import re

from jobs.ports import EgressReport

MOST_HOSTS = 50
LONGEST_SHOWN = 100

_STRANGE = re.compile(r"[^a-z0-9._:\[\]-]")


class Tally:
    """Counts, for as long as the turn lasts."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}
        self._reached: dict[str, int] = {}
        self._unnamed = 0
        self.refusals = 0
        """All that were refused, also those whose host is not kept."""

    def refuse(self, host: str) -> None:
        """``host`` as it was asked for, any text at all; empty where none was named."""
        self.refusals += 1
        if not _count(self._refused, host):
            self._unnamed += 1

    def reach(self, host: str) -> None:
        """A connection to an allowed host was made."""
        _count(self._reached, host)

    def report(self) -> EgressReport:
        """What was counted so far."""
        return EgressReport(dict(self._refused), self._unnamed, dict(self._reached))


def shown(host: str) -> str:
    """A host as it may stand in a log, on a page and in a comment: small letters, digits and a few signs."""
    harmless = _STRANGE.sub("?", host[: LONGEST_SHOWN + 1].lower())
    return harmless if len(harmless) <= LONGEST_SHOWN else f"{harmless[:LONGEST_SHOWN]}…"


def _count(counts: dict[str, int], host: str) -> bool:
    """False where the host is none, or one more than are kept."""
    name = shown(host)
    if not name or (name not in counts and len(counts) >= MOST_HOSTS):
        return False
    counts[name] = counts.get(name, 0) + 1
    return True
