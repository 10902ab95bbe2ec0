"""Check runs and check suites. Part of ``localhub.model``, which everybody imports instead."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from localhub.clock import utc_now

if TYPE_CHECKING:
    from localhub.model import App, Repository

_CONCLUSIONS_BY_WEIGHT = (
    "action_required",
    "timed_out",
    "failure",
    "cancelled",
    "stale",
    "success",
    "neutral",
    "skipped",
)
"""A suite concludes as the first of these that one of its runs concluded as."""


@dataclass(eq=False, slots=True)
class CheckSuite:
    """All check runs of one App on one commit. ``requeued``: asked for again, and nothing was done about it yet."""

    repository: Repository
    id: int
    app: App
    head_sha: str
    head_branch: str | None = None
    before: str | None = None
    """What the branch pointed to before the push that made the suite."""
    requeued: bool = False
    created_at: datetime = field(default_factory=utc_now)

    @property
    def runs(self) -> list[CheckRun]:
        """The newest check run of each name, oldest first."""
        own = [run for run in self.repository.check_runs.values() if run.suite is self]
        return sorted({run.name: run for run in own}.values(), key=lambda run: run.id)

    @property
    def status(self) -> str:
        """``queued``, ``in_progress`` or ``completed``."""
        runs = self.runs
        if self.requeued or all(run.status == "queued" for run in runs):
            return "queued"
        return "completed" if all(run.status == "completed" for run in runs) else "in_progress"

    @property
    def conclusion(self) -> str | None:
        """The weightiest conclusion of its runs, once all are completed."""
        if self.status != "completed":
            return None
        reached = {run.conclusion for run in self.runs}
        return next((each for each in _CONCLUSIONS_BY_WEIGHT if each in reached), None)


@dataclass(eq=False)
class CheckRun:
    """A check run; ``output``, ``annotations`` and ``actions`` (its buttons) hold what the App sent."""

    repository: Repository
    id: int
    app: App
    suite: CheckSuite
    name: str
    head_sha: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str = ""
    output: dict[str, str | None] = field(default_factory=dict)
    annotations: list[dict[str, object]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updates: int = 0
    """How many PATCH requests it took."""
    born: float = field(default_factory=time.monotonic)

    @property
    def buttons(self) -> dict[str, str]:
        """Identifier -> label of what people can press now: GitHub shows buttons on completed runs only."""
        if self.status != "completed":
            return {}
        return {each["identifier"]: each["label"] for each in self.actions}
