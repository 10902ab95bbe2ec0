"""What a person can ask for, as data. Which verbs there are and how they are written: bot/commands/table.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from db.vocabulary import Phase, Verb


class Role(StrEnum):
    """The roles somebody can hold on a repository, by GitHub's names, each including the ones before it."""

    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"


class Place(StrEnum):
    """Where a command can stand. A review comment is one on a line of a pull request's changes."""

    ISSUE = "issue"
    PULL_REQUEST = "pull request"
    REVIEW_COMMENT = "review comment"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question of ``clarify``: one of its choices (a capital letter, A to F), or a text."""

    question: int
    choice: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless it is exactly one of the two."""
        if (self.choice is None) == (self.text is None):
            raise ValueError("an answer is either a choice or a text")


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Open a run. What the verb does not take keeps its default; None means that the person named nothing.

    ``until`` is the last agent phase to go through, ``project`` a folder of the repository without a slash at its ends.
    ``hidden_comments`` is how many HTML comments were left out of what was written.
    """

    verb: Verb
    text: str = ""
    base: str | None = None
    until: Phase | None = None
    agent: str | None = None
    model: str | None = None
    dry_run: bool = False
    project: str | None = None
    answers: tuple[Answer, ...] = ()
    accept_recommended: bool = False
    hidden_comments: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """Do the newest run again, from ``phase`` on; None: from where it ended."""

    phase: Phase | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a run of this issue: the one named (a run id or at least its first 8 characters), or the newest alive."""

    run: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Tell how the runs of this issue stand."""


@dataclass(frozen=True, slots=True)
class Config:
    """Tell which settings are in force here, and where each comes from."""


@dataclass(frozen=True, slots=True)
class Help:
    """List what can be asked, or explain one verb."""

    verb: str | None = None


Command = RunCommand | Retry | Cancel | Status | Config | Help


class ProblemKind(StrEnum):
    """Why a line that begins with the prefix is not a command we can carry out."""

    MISSING_VERB = "missing_verb"
    UNKNOWN_VERB = "unknown_verb"
    UNKNOWN_FLAG = "unknown_flag"
    MISSING_VALUE = "missing_value"
    INVALID_VALUE = "invalid_value"
    REPEATED_FLAG = "repeated_flag"
    MISSING_TEXT = "missing_text"
    UNEXPECTED_TEXT = "unexpected_text"


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """A mistake as data: worded in bot/reporting/messages.py only.

    ``did_you_mean`` is the nearest right spelling, ``allowed`` all that would have been right where that can be listed,
    ``example`` one thing that would have been right where it cannot.
    """

    kind: ProblemKind
    verb: str | None
    found: str
    did_you_mean: str | None = None
    allowed: tuple[str, ...] = ()
    example: str | None = None


ParsedCommand = Command | ParseProblem


@dataclass(frozen=True, slots=True)
class Parsed:
    """One command of a comment; ``mentioned`` tells that it was asked for by the App's name and not by the prefix."""

    command: ParsedCommand
    mentioned: bool = False
