"""What a person is told when a run ends badly: one table from kinds of trouble to a code and a sentence.

``summary`` is for everybody; ``detail`` is for the operator (log and database, never a page or GitHub).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.runs import LeaseLost
from db.vocabulary import ErrorCode
from jobs.errors import AppError, PipelineError, RunCancelled, UserError

GENERAL_SENTENCES = {
    "engine": "The container engine had a problem.",
    "github": "GitHub could not be reached, or it refused the bot.",
    "clone": "The repository could not be cloned.",
    "publish": "The work could not be published.",
    "agent": "The agent did not finish its work.",
    "storage": "There is no space left to keep the run's files.",
    "speckit": "Spec Kit could not be set up in the repository.",
}
"""For the area before the dot of an error code; anything else is ``SOMETHING_WRONG``."""

SENTENCES = {
    ErrorCode.AGENT_NOT_CONFIGURED: "The agent cannot work: its key, its model or its program is not set up right.",
    ErrorCode.AGENT_RATE_LIMITED: "The agent's model takes no more requests just now.",
    ErrorCode.AGENT_MODEL_UNAVAILABLE: "The agent's model did not answer, or its answer broke off in the middle.",
    ErrorCode.AGENT_SANDBOX_BROKEN: "The agent's own sandbox does not start in its container, so it could do nothing.",
}
"""For codes that say more than their area."""

SOMETHING_WRONG = "Something went wrong inside speckit-bot."


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run did not succeed."""

    code: ErrorCode
    summary: str
    detail: str


def describe(error: BaseException, run_id: UUID) -> Failure:
    """Word ``error`` for people. An unknown error says nothing of itself but its type: its text may hold anything."""
    if isinstance(error, RunCancelled):
        return Failure(ErrorCode.RUN_CANCELLED, f"Cancelled by {error.by}.", f"cancelled by {error.by}")
    if isinstance(error, UserError):
        return Failure(error.code, error.message, error.message)
    if isinstance(error, PipelineError):
        return Failure(error.code, _general(error.code, run_id), error.message)
    if is_disk_full(error):
        code = ErrorCode.STORAGE_FULL
        return Failure(code, _general(code, run_id), "keeping the run's files: no space left on the device")
    return Failure(
        ErrorCode.RUN_INTERNAL,
        _general(ErrorCode.RUN_INTERNAL, run_id),
        f"{type(error).__name__}; the log has the traceback under this run's id",
    )


def general_sentence(code: ErrorCode) -> str:
    """What everybody may know of trouble only the operator or time can cure."""
    return SENTENCES.get(code) or GENERAL_SENTENCES.get(code.partition(".")[0], SOMETHING_WRONG)


def _general(code: ErrorCode, run_id: UUID) -> str:
    return f"{general_sentence(code)} Whoever runs this bot finds the details under run {run_id} ({code})."


def is_disk_full(error: BaseException) -> bool:
    """True when a disk, a quota or SQLite's file is full."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(error, OperationalError) and "disk is full" in str(error.orig)


def is_database_away(error: BaseException) -> bool:
    """True when the database cannot be asked just now, so that nothing about the run can be said or written."""
    if is_disk_full(error):
        return False
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout | ConnectionError)


def leaves_run_alone(error: BaseException) -> bool:
    """True when this worker has no right or no way to write about the run: another one continues it."""
    return isinstance(error, LeaseLost) or is_database_away(error)


def out_of_tries(error: PipelineError) -> AppError:
    """What a transient error is once its tries are used up."""
    return AppError(error.code, error.message)
