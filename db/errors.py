"""What the database part refuses, and why."""

from __future__ import annotations

from uuid import UUID


class RunNotFound(Exception):  # noqa: N818 - named after what happened, as its callers say it
    """There is no run with that id."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"run {run_id} is unknown")
        self.run_id = run_id


class IllegalTransition(Exception):  # noqa: N818
    """The tables of db/vocabulary.py do not allow this status to follow that one."""

    def __init__(self, subject: str, current: str, wanted: str) -> None:
        super().__init__(f"{subject} is {current} and cannot become {wanted}")
        self.current = current
        self.wanted = wanted


class LeaseLost(Exception):  # noqa: N818
    """Somebody else took the run, or the lease was given back: its former holder must not write any more."""

    def __init__(self, run_id: UUID, epoch: int) -> None:
        super().__init__(f"the lease on run {run_id} of epoch {epoch} is no longer held")
        self.run_id = run_id
        self.epoch = epoch


class ImmutableRecord(Exception):  # noqa: N818
    """The record is a snapshot: written once, never changed."""


class AgentNotAllowed(Exception):  # noqa: N818
    """The agent backend is not in the operator's whitelist."""


class SchemaOutdated(Exception):  # noqa: N818
    """The database's schema is not the one this version needs. The message names the cure."""


class ArtifactUnavailable(Exception):  # noqa: N818
    """The artifact's content cannot be read: gone, not a regular file, or not where artifacts live."""
