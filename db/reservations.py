"""Feature directories that belong to a run before anybody can see its branch.

Number and name are taken in one transaction that knows what the repository holds and what other runs took, so runs that
begin at the same moment never meet. A directory stays taken for as long as its run may still publish it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.records import FeatureReservation

_NUMBERED = re.compile(r"(\d{3,18})-")
_STAMPED = re.compile(r"\d{8}-\d{6}-")
_LOCK = 0x5BEC_0D18
LONGEST_NAME = 60


async def reserve_feature(
    session: AsyncSession, lease: Lease, *, name: str, taken: Collection[str], timestamped: bool = False
) -> str:
    """Take the next feature directory for the run and return its name below ``specs/``; the same again for a run that
    has one. A retry takes over the one of the run it repeats.

    ``name``: ``[a-z0-9-]``, without number. ``taken``: names of directories below ``specs/`` and of branches, as the
    remote has them now; those of another form do not matter. ``timestamped``: the repository begins its names with
    ``YYYYMMDD-HHMMSS`` instead of a number. Raises LeaseLost.
    """
    await guard(session, lease)
    run = await session.get_one(SpecAutomationRun, lease.run_id)
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:lock, :repository)"),
            {"lock": _LOCK, "repository": run.repository_id & 0x7FFF_FFFF},
        )
    known = await session.scalar(select(FeatureReservation).where(FeatureReservation.run_id == run.run_id))
    if known is not None:
        return known.directory
    if run.retry_of is not None:
        inherited = await session.scalar(select(FeatureReservation).where(FeatureReservation.run_id == run.retry_of))
        if inherited is not None:
            inherited.run_id = run.run_id
            await session.flush()
            return inherited.directory
    others = list(
        await session.scalars(
            select(FeatureReservation.directory).where(
                FeatureReservation.repository_id == run.repository_id, FeatureReservation.project == (run.project or "")
            )
        )
    )
    now = await database_now(session)
    present = {*others, *(branch.rpartition("/")[2] for branch in taken)}
    number = None if timestamped else next_number(present)
    directory = _free(f"{now:%Y%m%d-%H%M%S}-{name}", present) if number is None else f"{number:03}-{name}"
    session.add(
        FeatureReservation(
            run_id=run.run_id,
            repository_id=run.repository_id,
            project=run.project or "",
            directory=directory,
            number=number,
            reserved_at=now,
        )
    )
    await session.flush()
    return directory


async def give_back(session: AsyncSession, lease: Lease) -> None:
    """Free the directory of a run that will never publish it. Raises LeaseLost."""
    await guard(session, lease)
    await session.execute(
        delete(FeatureReservation)
        .where(FeatureReservation.run_id == lease.run_id)
        .execution_options(synchronize_session=False)
    )


def next_number(names: Collection[str]) -> int:
    """One more than the highest number any name begins with (Spec Kit's own rule: three digits or more, no stamp)."""
    found = (_NUMBERED.match(name) for name in names if not _STAMPED.match(name))
    return max((int(match[1]) for match in found if match), default=0) + 1


def _free(name: str, present: Collection[str]) -> str:
    """The name, with a counter where two runs meet in one second."""
    candidates = (name, *(f"{name}-{count}" for count in range(2, 10_000)))
    return next(candidate for candidate in candidates if candidate not in present)
