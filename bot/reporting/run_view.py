"""What a report about a run shows that does not stand in the run's rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.budgets import BudgetState
from db.turns import QueuePlace
from db.vocabulary import Verb


@dataclass(frozen=True, slots=True)
class RunView:
    """From where and when a run is looked at.

    ``now`` is the database's clock; ``run_page_base`` is where people reach the run pages, if they do;
    ``repository_url`` is the repository on GitHub's web pages, such as ``https://github.com/acme/shop``; ``place`` is
    set while the run waits; ``usual_seconds`` is how long such a run takes in this repository; ``budget`` is how far
    the run is, if one holds; ``questions_url`` leads to the comment with the questions the run asked; ``commands_off``
    are the verbs that nobody may give here.
    """

    now: datetime
    run_page_base: str | None
    prefix: str
    repository_url: str
    place: QueuePlace | None = None
    usual_seconds: float | None = None
    budget: BudgetState | None = None
    questions_url: str | None = None
    commands_off: frozenset[str] = frozenset({Verb.IMPLEMENT.value})
