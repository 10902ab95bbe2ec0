"""What models cost and how much may be spent on them. Values only; pure.

An operator's budget is for a run or for a repository's day; a repository's own configuration may lower the one for a
run. Tokens are all that a model read and wrote; those it had in a cache count as read, and cost less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

ARGUMENT = "budget"
"""Where a run's arguments keep what the repository's configuration lets it spend: ``{tokens, cost, requests}``."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer took, or many. ``cached`` is the part of ``read`` that a cache had."""

    read: int = 0
    cached: int = 0
    written: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.read + other.read, self.cached + other.cached, self.written + other.written)

    @property
    def total(self) -> int:
        """Read and written."""
        return self.read + self.written


NOTHING = Tokens()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    read: float
    cached: float
    written: float

    def of(self, tokens: Tokens) -> float:
        """US dollars."""
        fresh = max(0, tokens.read - tokens.cached)
        return (fresh * self.read + tokens.cached * self.cached + tokens.written * self.written) / 1_000_000


Prices = Mapping[str, Price]
"""By the model's name."""


class Measure(StrEnum):
    """What a budget counts."""

    TOKENS = "tokens"
    COST = "cost"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent; None: as much as it takes. ``cost`` in US dollars."""

    tokens: int | None = None
    cost: float | None = None
    requests: int | None = None

    def __bool__(self) -> bool:
        return any(self.most(measure) is not None for measure in Measure)

    def most(self, measure: Measure) -> float | None:
        """The number for one measure."""
        number: float | None = getattr(self, measure.value)
        return number

    def at_most(self, other: Budget) -> Budget:
        """The smaller of both, number by number."""
        lower: dict[str, Any] = {}
        for one in fields(self):
            known = [n for n in (getattr(self, one.name), getattr(other, one.name)) if n is not None]
            lower[one.name] = min(known) if known else None
        return Budget(**lower)


NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent so far. ``cost`` in US dollars, as far as prices are known."""

    tokens: int = 0
    cost: float = 0.0
    requests: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.cost + other.cost, self.requests + other.requests)

    def of(self, measure: Measure) -> float:
        """The number for one measure."""
        number: float = getattr(self, measure.value)
        return number


NOTHING_SPENT = Spent()


@dataclass(frozen=True, slots=True)
class SpendingRules:
    """What the operator decided: prices, and the most that a run and all runs of a repository in a day may spend."""

    prices: Prices = field(default_factory=dict)
    run: Budget = NO_BUDGET
    repository_day: Budget = NO_BUDGET


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How far a run is: its budget and what it spent (with the runs it took over from), and the same of its repository
    today."""

    run: Budget = NO_BUDGET
    spent: Spent = NOTHING_SPENT
    repository_day: Budget = NO_BUDGET
    spent_today: Spent = NOTHING_SPENT


def used_up(budget: Budget, spent: Spent) -> Measure | None:
    """The first measure that has nothing left, if any."""
    for measure in Measure:
        most = budget.most(measure)
        if most is not None and spent.of(measure) >= most:
            return measure
    return None


def asked_for(arguments: Mapping[str, Any] | None) -> Budget:
    """What the repository's configuration lets a run spend, from the run's arguments; what is no number is nothing."""
    found = (arguments or {}).get(ARGUMENT)
    kept = found if isinstance(found, Mapping) else {}
    tokens, cost, requests = (kept.get(measure.value) for measure in Measure)
    return Budget(
        tokens=tokens if type(tokens) is int and tokens > 0 else None,
        cost=float(cost) if isinstance(cost, int | float) and cost is not True and cost > 0 else None,
        requests=requests if type(requests) is int and requests > 0 else None,
    )
