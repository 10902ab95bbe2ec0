"""Questions put to people about a pull request's specification, and their answers.

While people think there is nothing but these rows. Questions of a later run close the ones before them; whoever answers
opens a new run with the answers in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.records import Clarification
from db.types import JsonObject


class ClarificationFields(TypedDict, total=False):
    """What the reporter may note about the comment."""

    comment_id: int | None
    comment_url: str | None
    comment_intended_at: datetime | None
    told_digest: str | None


async def ask(session: AsyncSession, lease: Lease, pull_request_number: int, questions: Sequence[JsonObject]) -> None:
    """Put questions; those that were open on this pull request are closed. Asking again changes nothing.

    ``questions``: as ``Clarification.questions`` holds them. Raises LeaseLost.
    """
    await guard(session, lease)
    run = await session.get_one(SpecAutomationRun, lease.run_id)
    if await session.get(Clarification, run.run_id) is not None:
        return
    now = await database_now(session)
    await close_open(session, lease, pull_request_number)
    session.add(
        Clarification(
            run_id=run.run_id,
            repository_id=run.repository_id,
            pull_request_number=pull_request_number,
            questions={"questions": list(questions)},
            asked_at=now,
            answers={},
        )
    )
    await session.flush()


async def close_open(session: AsyncSession, lease: Lease, pull_request_number: int) -> None:
    """Nothing is asked about this pull request any more. Raises LeaseLost."""
    await guard(session, lease)
    run = await session.get_one(SpecAutomationRun, lease.run_id)
    await session.execute(
        update(Clarification)
        .where(
            Clarification.repository_id == run.repository_id,
            Clarification.pull_request_number == pull_request_number,
            Clarification.closed_at.is_(None),
            Clarification.run_id != run.run_id,
        )
        .values(closed_at=await database_now(session))
        .execution_options(synchronize_session=False)
    )


async def open_questions(session: AsyncSession, repository_id: int, pull_request_number: int) -> Clarification | None:
    """The newest questions about a pull request that still wait for an answer, or None."""
    return await session.scalar(
        select(Clarification)
        .where(
            Clarification.repository_id == repository_id,
            Clarification.pull_request_number == pull_request_number,
            Clarification.closed_at.is_(None),
        )
        .order_by(Clarification.asked_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


async def record_answers(
    session: AsyncSession, asked_by_run: UUID, answers: Sequence[JsonObject], by: str
) -> Clarification | None:
    """Add answers (``{number, question, answer}``; one given before is replaced); all answered closes the questions."""
    asked = await session.get(Clarification, asked_by_run, with_for_update=True, populate_existing=True)
    if asked is None:
        return None
    now = await database_now(session)
    given: dict[Any, JsonObject] = {item["number"]: item for item in asked.answers.get("answers", [])}
    given.update({item["number"]: dict(item) for item in answers})
    asked.answers = {"answers": [given[number] for number in sorted(given)]}
    asked.answered_by, asked.answered_at = by, now
    if {item["number"] for item in asked.questions.get("questions", [])} <= given.keys():
        asked.closed_at = asked.closed_at or now
    await session.flush()
    return asked


async def of_run(session: AsyncSession, run_id: UUID) -> Clarification | None:
    """What a run asked."""
    return await session.get(Clarification, run_id, populate_existing=True)


async def to_tell(session: AsyncSession, repository_id: int, pull_request_number: int) -> list[Clarification]:
    """Everything that was asked about a pull request and has a comment, newest first."""
    return list(
        await session.scalars(
            select(Clarification)
            .where(
                Clarification.repository_id == repository_id,
                Clarification.pull_request_number == pull_request_number,
                Clarification.comment_id.is_not(None),
            )
            .order_by(Clarification.asked_at.desc())
            .limit(20)
            .execution_options(populate_existing=True)
        )
    )


async def note_comment(session: AsyncSession, run_id: UUID, **fields: Unpack[ClarificationFields]) -> None:
    """Remember the comment that shows the questions, or that it is about to be written."""
    await session.execute(
        update(Clarification)
        .where(Clarification.run_id == run_id)
        .values(**fields)
        .execution_options(synchronize_session=False)
    )
