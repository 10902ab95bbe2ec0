"""The requirements of a specification, and what a round changed about them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.reporting import sanitize
from bot.reporting.agent_facts import Requirement
from bot.reporting.sections import first_rows

MOST_ROWS = 60
TABLE_CHARACTERS = 20_000


class ChangeKind(StrEnum):
    """What became of a requirement since the last round."""

    SAME = "same"
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """A requirement and what became of it; of one that is gone, the text it had."""

    id: str
    text: str
    kind: ChangeKind


def requirement_changes(before: Sequence[Requirement], after: Sequence[Requirement]) -> list[Change]:
    """Every requirement of both, in the order of ``after``; one that is gone stands behind the one it followed.

    They are matched by id, and several with the same id by their order. Spaces make no difference.
    """
    old, new = _by_key(before), _by_key(after)
    places: list[tuple[str, int]] = list(new)
    follows: tuple[str, int] | None = None
    for key in old:
        if key not in new:
            places.insert(0 if follows is None else places.index(follows) + 1, key)
        follows = key
    return [_change(old.get(key), new.get(key)) for key in places]


def requirements_table(before: Sequence[Requirement] | None, after: Sequence[Requirement]) -> str:
    """The table, as many rows as fit; without ``before`` it has no column for what changed. Empty without any."""
    if before is None:
        head = ["| | requirement |", "|---|---|"]
        rows, total = (_row(each.id, each.text) for each in after), len(after)
    else:
        head = ["| | requirement | since the last round |", "|---|---|---|"]
        changes = requirement_changes(before, after)
        if len(changes) > MOST_ROWS:
            # What changed is what people came to see.
            changes.sort(key=lambda change: change.kind is ChangeKind.SAME)
        rows, total = (_row(each.id, each.text, _KIND_WORDS[each.kind]) for each in changes), len(changes)
    kept = first_rows(rows, MOST_ROWS, TABLE_CHARACTERS)
    more = [f"\nAnd {total - len(kept)} more."] if total > len(kept) else []
    return "\n".join([*head, *kept, *more]) if total else ""


_KIND_WORDS = {kind: "" if kind is ChangeKind.SAME else f"*{kind.value}*" for kind in ChangeKind}


def _by_key(requirements: Sequence[Requirement]) -> dict[tuple[str, int], Requirement]:
    seen: Counter[str] = Counter()
    keyed = {}
    for requirement in requirements:
        seen[requirement.id] += 1
        keyed[requirement.id, seen[requirement.id]] = requirement
    return keyed


def _change(old: Requirement | None, new: Requirement | None) -> Change:
    if new is None:
        if old is None:
            raise ValueError("a requirement that is in neither round")
        return Change(old.id, old.text, ChangeKind.REMOVED)
    if old is None:
        return Change(new.id, new.text, ChangeKind.ADDED)
    same = old.text.split() == new.text.split()
    return Change(new.id, new.text, ChangeKind.SAME if same else ChangeKind.CHANGED)


def _row(name: str, text: str, *more: str) -> str:
    return f"| {' | '.join([sanitize.table_cell(name, 40), sanitize.table_cell(text), *more])} |"
