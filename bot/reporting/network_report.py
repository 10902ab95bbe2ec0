"""Where the agent's programs tried to go, as its phases noted it: what was refused, and what the operator allows. Pure.

The names are the agent's: they were made harmless when they were counted, and are sanitized again where they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from bot.reporting import sanitize
from db.models import SpecAutomationRun
from db.vocabulary import AGENT_PHASES, TAKEN_OVER, Phase

MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class HostCount:
    """How often a phase asked for a host. ``host`` is empty for requests that named none, or one too many."""

    phase: Phase
    host: str
    times: int
    refused: bool


def host_counts(run: SpecAutomationRun) -> list[HostCount]:
    """Every host that the phases of this run asked for, not those of a run it took over from; in the order of phases,
    what was refused first."""
    counts: list[HostCount] = []
    by_phase = {state.phase: state.details or {} for state in run.task_states}
    for phase in AGENT_PHASES:
        details = by_phase.get(phase, {})
        if TAKEN_OVER in details:
            continue
        counts += (HostCount(phase, host, times, True) for host, times in _pairs(details.get("refused_hosts")))
        if _is_count(unnamed := details.get("refused_unnamed")):
            counts.append(HostCount(phase, "", unnamed, True))
        counts += (HostCount(phase, host, times, False) for host, times in _pairs(details.get("reached_hosts")))
    return counts


def network_report(run: SpecAutomationRun) -> str:
    """A sentence or two of Markdown, a paragraph each, empty where the agent asked for nothing but its model."""
    counts = host_counts(run)
    lines = []
    if refused := _listed(count for count in counts if count.refused):
        lines.append(f"**The agent tried to reach** {refused}: refused.")
    if reached := _listed(count for count in counts if not count.refused):
        lines.append(f"**The agent reached** {reached}, as whoever runs this bot allows.")
    return "\n\n".join(lines)


def _listed(counts: Iterable[HostCount]) -> str:
    """`` `example.com` (3×), `pypi.org` (1×) and 4 more hosts``, the most wanted first."""
    by_host: dict[str, int] = {}
    for count in counts:
        by_host[count.host] = by_host.get(count.host, 0) + count.times
    unnamed = by_host.pop("", 0)
    ordered = sorted(by_host.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{sanitize.code(host)} ({times}×)" for host, times in ordered[:MOST_SHOWN]]
    if left_out := len(ordered) - MOST_SHOWN:
        parts += [f"{left_out} more host{'s' * (left_out > 1)}"] if left_out > 0 else []
    if unnamed:
        parts.append(f"other places ({unnamed}×)" if parts else f"something without a name ({unnamed}×)")
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _pairs(found: object) -> Iterator[tuple[str, int]]:
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping) and isinstance(host := item.get("host"), str) and host:
            times = item.get("times")
            if _is_count(times):
                yield host, times


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
