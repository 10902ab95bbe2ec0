"""Whose turn it is: which waiting run begins next, and what place the others have.

Wanted: first come, first served within a repository; round robin between installations, so that nobody who asks for
fifty runs keeps the others waiting; one writer per branch; and no more runs at once than the limits allow, whoever
claims. The job in the queue is a doorbell only: a worker that hears it takes the run whose turn it is, which need not
be the one the job names.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import Lease, claim, database_now, lease_is_free
from db.models import SpecAutomationRun as Run
from db.vocabulary import RunStatus

MOST_WAITING = 200
"""Waiting runs of an installation that are looked at, oldest first: whoever asks for more keeps nobody else waiting."""

HISTORY = 20
"""Finished runs an estimate is made from."""

_CLAIM_LOCK = 0x5BEC_7042
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """Runs at once: in an installation, in a repository, of a person in a repository. A repository's own configuration
    may ask for less, never for more."""

    installation: int = 10
    repository: int = 4
    person: int = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides about a run's turn. ``key`` is the branch it writes to, within its repository."""

    run_id: UUID
    installation_id: int
    repository_id: int
    requested_by_id: int
    key: str
    most_in_repository: int | None = None
    most_of_person: int | None = None


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a waiting run stands: ``place`` 1 is next in its repository; ``behind`` are the short ids of the runs that
    write to the same branch before it; ``usual_seconds`` is how long such a run took here, None without a history."""

    place: int
    behind: tuple[str, ...]
    usual_seconds: float | None


def in_turn(
    waiting: Sequence[Candidate], working: Sequence[Candidate], last_served: dict[int, datetime], limits: Limits
) -> list[UUID]:
    """The waiting runs (oldest first) that may begin now, in the order they should. Pure.

    ``last_served``: installation -> when a run of it last began. Each run that is chosen counts as working for the ones
    after it.
    """
    load = _Load(working)
    queues: dict[int, list[Candidate]] = {}
    for candidate in waiting:
        queues.setdefault(candidate.installation_id, []).append(candidate)
    order = sorted(queues, key=lambda installation: last_served.get(installation, _LONG_AGO))
    chosen: list[UUID] = []
    while order:
        for installation in tuple(order):
            found = _first_that_may(queues[installation], load, limits)
            if found is None:
                order.remove(installation)
                continue
            queues[installation].remove(found)
            load.add(found)
            chosen.append(found.run_id)
    return chosen


class _Load:
    """What is under way."""

    def __init__(self, working: Iterable[Candidate]) -> None:
        self.installations: Counter[int] = Counter()
        self.repositories: Counter[int] = Counter()
        self.persons: Counter[tuple[int, int]] = Counter()
        self.writers: set[tuple[int, str]] = set()
        for candidate in working:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        self.installations[candidate.installation_id] += 1
        self.repositories[candidate.repository_id] += 1
        self.persons[candidate.repository_id, candidate.requested_by_id] += 1
        self.writers.add((candidate.repository_id, candidate.key))

    def admits(self, candidate: Candidate, limits: Limits) -> bool:
        repository = min(limits.repository, candidate.most_in_repository or limits.repository)
        person = min(limits.person, candidate.most_of_person or limits.person)
        return (
            self.installations[candidate.installation_id] < limits.installation
            and self.repositories[candidate.repository_id] < repository
            and self.persons[candidate.repository_id, candidate.requested_by_id] < person
        )


def _first_that_may(queue: Sequence[Candidate], load: _Load, limits: Limits) -> Candidate | None:
    earlier: set[tuple[int, str]] = set()
    for candidate in queue:
        writes = (candidate.repository_id, candidate.key)
        if writes not in load.writers and writes not in earlier and load.admits(candidate, limits):
            return candidate
        # What waits for the same branch waits in its order, also behind one that a limit holds back.
        earlier.add(writes)
    return None


async def claim_in_turn(
    session: AsyncSession, woken: UUID, owner: str, ttl_seconds: float, limits: Limits
) -> Lease | None:
    """Take a run to work on: ``woken`` itself when it was begun and nobody holds it, else the one whose turn it is.

    None when there is nothing to do now.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Two workers that count at the same moment would both find room for one more.
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CLAIM_LOCK})
    status = await session.scalar(select(Run.status).where(Run.run_id == woken))
    if status is RunStatus.IN_PROGRESS:
        lease = await claim(session, woken, owner, ttl_seconds)
        if lease is not None:
            return lease
    for run_id in (await runs_in_turn(session, limits))[:1]:
        return await claim(session, run_id, owner, ttl_seconds)
    return None


async def runs_in_turn(session: AsyncSession, limits: Limits, *, waiting_for_seconds: float = 0) -> list[UUID]:
    """The queued runs that may begin now, in the order they should; only those that wait for so long."""
    now = await database_now(session)
    columns = (
        Run.run_id,
        Run.installation_id,
        Run.repository_id,
        Run.requested_by_id,
        Run.writer_key,
        Run.most_in_repository,
        Run.most_of_person,
    )
    place = func.row_number().over(partition_by=Run.installation_id, order_by=(Run.created_at, Run.run_id))
    queued = (
        select(*columns, Run.created_at, place.label("place"))
        .where(Run.status == RunStatus.QUEUED, lease_is_free(now))
        .subquery()
    )
    waiting = await session.execute(
        select(queued).where(queued.c.place <= MOST_WAITING).order_by(queued.c.created_at, queued.c.run_id)
    )
    rows = waiting.all()
    if not rows:
        return []
    working = await session.execute(
        select(*columns).where(
            (Run.status == RunStatus.IN_PROGRESS) | ((Run.status == RunStatus.QUEUED) & ~lease_is_free(now))
        )
    )
    installations = {row.installation_id for row in rows}
    served = await session.execute(
        select(Run.installation_id, func.max(Run.started_at).label("at"))
        .where(Run.installation_id.in_(installations), Run.started_at > now - timedelta(days=1))
        .group_by(Run.installation_id)
    )
    last_served: dict[int, datetime] = {row.installation_id: row.at for row in served if row.at is not None}
    chosen = in_turn([Candidate(*row[:7]) for row in rows], [Candidate(*row) for row in working], last_served, limits)
    old_enough = {row.run_id for row in rows if row.created_at <= now - timedelta(seconds=waiting_for_seconds)}
    return [run_id for run_id in chosen if run_id in old_enough]


async def place_in_queue(session: AsyncSession, run: Run) -> QueuePlace | None:
    """Where a run that waits stands in its repository; None once it waits no more."""
    if run.status is not RunStatus.QUEUED:
        return None
    before = (Run.created_at < run.created_at) | ((Run.created_at == run.created_at) & (Run.run_id < run.run_id))
    ahead = await session.scalar(
        select(func.count()).where(Run.repository_id == run.repository_id, Run.status == RunStatus.QUEUED, before)
    )
    behind = await session.scalars(
        select(Run.run_id)
        .where(
            Run.repository_id == run.repository_id,
            Run.writer_key == run.writer_key,
            Run.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
            before,
        )
        .order_by(Run.created_at, Run.run_id)
    )
    return QueuePlace((ahead or 0) + 1, tuple(str(run_id)[:8] for run_id in behind), await usual_seconds(session, run))


async def usual_seconds(session: AsyncSession, run: Run) -> float | None:
    """The median time of the last runs of this kind that went well in this repository, in seconds."""
    times = await session.execute(
        select(Run.started_at, Run.completed_at)
        .where(
            Run.repository_id == run.repository_id,
            Run.verb == run.verb,
            Run.status == RunStatus.SUCCEEDED,
            Run.run_id != run.run_id,
        )
        .order_by(Run.completed_at.desc())
        .limit(HISTORY)
    )
    seconds = [(row.completed_at - row.started_at).total_seconds() for row in times if row.started_at]
    return statistics.median(seconds) if seconds else None
