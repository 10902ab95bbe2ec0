"""Whose fault it is, and what we say: the four ways a phase can end other than well.

UserError is told in full with what to do next; AppError gets a general sentence and the run id, its details go to the
log; TransientError is tried again with backoff; RunCancelled and LeaseLost are not failures of the phase at all.
"""

from __future__ import annotations

from db.vocabulary import ErrorCode


class PipelineError(Exception):
    """A phase could not be finished. ``code`` is stable; ``message`` is worded by the action, without "failed to"."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class UserError(PipelineError):
    """Somebody who may start runs can cure it: ``message`` is shown to them whole."""


class AppError(PipelineError):
    """Only the operator can cure it: people see a general sentence, ``message`` is for the log."""


class TransientError(PipelineError):
    """The world may be better in a moment: the phase is tried again, then becomes an AppError with the same code.

    ``retry_after``: whoever refused asked to be left alone for so many seconds; 0 where nobody did.
    """

    retry_after: float = 0.0


class RunCancelled(Exception):  # noqa: N818 - the design's word; being cancelled is no error
    """Somebody asked for the run to stop. ``by`` is their login."""

    def __init__(self, by: str) -> None:
        super().__init__(f"cancelled by {by}")
        self.by = by
