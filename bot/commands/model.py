"""What a person can ask for. The table COMMANDS drives the parser, the help and the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from db.vocabulary import AGENT_PHASES, Phase


class Role(StrEnum):
    """The least repository role that may give a command (GitHub's role names)."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Specify:
    """Make a specification from ``text``; ``until`` is the last agent phase to run."""

    text: str
    base: str | None = None
    until: Phase = Phase.SPECKIT_TASKS
    agent: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Tell how the runs of this issue stand."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a run of this issue: the one named (a run id or at least its first 8 characters), or the newest alive."""

    run: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """List what can be asked, or explain one verb."""

    verb: str | None = None


Command = Specify | Status | Cancel | Help


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
    """A mistake as data: worded in bot/reporting/messages.py only. ``did_you_mean`` is the nearest right spelling."""

    kind: ProblemKind
    verb: str | None
    found: str
    did_you_mean: str | None = None
    allowed: Sequence[str] = ()


ParsedCommand = Command | ParseProblem


class Place(StrEnum):
    """Where a comment can stand."""

    ISSUE = "issue"
    PULL_REQUEST = "pull request"


@dataclass(frozen=True, slots=True)
class FlagSpec:
    """One flag of a verb. ``rule`` names how its value is judged (bot/commands/values.py); a switch takes no value."""

    name: str
    summary: str
    rule: Literal["switch", "choice", "branch", "agent"]
    value: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """The flag as written, such as ``--base BRANCH``."""
        return f"{self.name} {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One verb: all that the parser, the help and the documentation know about it.

    ``text`` tells whether a description follows; ``argument`` is the placeholder of the one optional word that verbs
    without a description may take; ``example`` is what stands after the prefix.
    """

    verb: str
    summary: str
    role: Role
    places: tuple[Place, ...]
    example: str
    text: Literal["required", "optional", "none"] = "none"
    argument: str | None = None
    flags: tuple[FlagSpec, ...] = ()

    @property
    def usage(self) -> str:
        """The whole form, such as ``specify [--base BRANCH] TEXT``."""
        parts = [self.verb, *(f"[{flag.usage}]" for flag in self.flags)]
        if self.argument:
            parts.append(f"[{self.argument}]")
        if self.text != "none":
            parts.append("TEXT" if self.text == "required" else "[TEXT]")
        return " ".join(parts)

    def permits(self, role: Role | None) -> bool:
        """True if somebody who holds ``role`` may give this command."""
        return role is not None and (self.role is Role.READ or role is Role.WRITE)


UNTIL_PHASES: Mapping[str, Phase] = {phase.value.removeprefix("speckit_"): phase for phase in AGENT_PHASES}
"""The values of ``--until``: the agent phases by the names people know from Spec Kit."""

_EVERYWHERE = (Place.ISSUE, Place.PULL_REQUEST)

COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        verb="specify",
        summary="Write a specification, a plan and tasks from TEXT and open a draft pull request with them.",
        role=Role.WRITE,
        places=_EVERYWHERE,
        example="specify Let customers pay by invoice. Net 30, EU only.",
        text="required",
        flags=(
            FlagSpec("--base", "Start from this branch instead of the default branch.", "branch", "BRANCH"),
            FlagSpec("--until", "Stop after this phase.", "choice", "PHASE", tuple(UNTIL_PHASES)),
            FlagSpec("--agent", "Work with this agent instead of the default one.", "agent", "NAME"),
            FlagSpec("--dry-run", "Do everything except pushing a branch and opening a pull request.", "switch"),
        ),
    ),
    CommandSpec(
        verb="status",
        summary="Tell how the runs of this issue or pull request stand.",
        role=Role.READ,
        places=_EVERYWHERE,
        example="status",
    ),
    CommandSpec(
        verb="cancel",
        summary="Stop the newest run that is still alive, or the one that RUN names (its id, or at least 8 characters"
        " of it).",
        role=Role.WRITE,
        places=_EVERYWHERE,
        example="cancel 7f3a9c21",
        argument="RUN",
    ),
    CommandSpec(
        verb="help",
        summary="List what can be asked here, or explain VERB.",
        role=Role.READ,
        places=_EVERYWHERE,
        example="help specify",
        argument="VERB",
    ),
)

COMMANDS_BY_VERB: Mapping[str, CommandSpec] = {spec.verb: spec for spec in COMMANDS}

SPEC_KIT_VERBS: tuple[str, ...] = (
    "analyze",
    "checklist",
    "clarify",
    "constitution",
    "implement",
    "plan",
    "specify",
    "tasks",
    "taskstoissues",
)
"""Spec Kit's own commands (https://github.com/github/spec-kit): ``/speckit.plan`` is meant for us and gets an answer
even while no verb ``plan`` exists; ``/speckit-staging`` is somebody else's."""
