"""Where an agent's programs tried to go, as the task state of its phase keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.ports import EgressReport
from jobs.redaction import Redactor

MOST_HOSTS = 50
"""Of one phase, over all of its attempts."""


def note_egress(notes: dict[str, object], report: EgressReport, redactor: Redactor) -> None:
    """Add one turn to what was noted of the phase's earlier attempts: ``refused_hosts`` and ``reached_hosts`` as
    ``[{host, times}]``, ``refused_unnamed`` a number. Where there is nothing to tell, nothing is noted."""
    unnamed = notes.get("refused_unnamed", 0)
    more = report.unnamed + _merge(notes, "refused_hosts", report.refused, redactor)
    _merge(notes, "reached_hosts", report.reached, redactor)
    if more and isinstance(unnamed, int):
        notes["refused_unnamed"] = unnamed + more


def _merge(notes: dict[str, object], key: str, counts: Mapping[str, int], redactor: Redactor) -> int:
    """Returns how much belongs to hosts that are one too many."""
    kept = notes.get(key)
    known: dict[str, int] = {item["host"]: item["times"] for item in kept} if isinstance(kept, list) else {}
    left_over = 0
    for host, times in counts.items():
        name = redactor.redact_text(host)
        if name in known or len(known) < MOST_HOSTS:
            known[name] = known.get(name, 0) + times
        else:
            left_over += times
    if known:
        notes[key] = [{"host": host, "times": times} for host, times in known.items()]
    return left_over
