"""Questions are put to people together with the end of the phase that raised them, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.clarifications import ask, close_open
from db.runs import Lease
from db.vocabulary import Phase, Verb
from jobs.phases.agent_results import numbered
from jobs.phases.reading import questions_of_marks
from jobs.run_context import Attempt, Details, RunRequest, Write


def after_phase(attempt: Attempt, request: RunRequest, details: Details) -> Write | None:
    """For ``speckit_clarify`` that asked: the questions are there when the phase has ended."""
    questions = details.get("questions")
    number = request.pull_request_number
    if attempt.phase is not Phase.SPECKIT_CLARIFY or not isinstance(questions, list) or number is None:
        return None
    return _put(attempt.lease, number, questions)


def about_marks(attempt: Attempt, number: int, request: RunRequest, marks: Sequence[Mapping[str, Any]]) -> Write | None:
    """For a run that wrote the specification: its marks become questions on the pull request; none closes those of
    earlier rounds. Runs of other verbs leave the questions as they are."""
    if request.verb is not Verb.SPECIFY:
        return None
    if marks:
        return _put(attempt.lease, number, numbered(questions_of_marks(marks)))

    async def nothing_open(session: AsyncSession) -> None:
        await close_open(session, attempt.lease, number)

    return nothing_open


def _put(lease: Lease, number: int, questions: Sequence[Mapping[str, Any]]) -> Write:
    async def put(session: AsyncSession) -> None:
        if questions:
            await ask(session, lease, number, [dict(question) for question in questions])

    return put
