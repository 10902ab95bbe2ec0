"""The one table of commands: the parser, the help, docs/commands.md and the authorization are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.commands.model import Place, Role
from db.vocabulary import AGENT_PHASES, MAIN_PHASES, Phase


@dataclass(frozen=True, slots=True)
class FlagSpec:
    """One flag of a verb.

    ``rule`` names how its value is judged (bot/commands/values.py); a switch takes no value, a choice one of
    ``allowed``, and all others have an ``example``.
    """

    name: str
    summary: str
    rule: Literal["switch", "choice", "branch", "agent", "model", "folder"]
    value: str | None = None
    allowed: tuple[str, ...] = ()
    example: str | None = None

    @property
    def usage(self) -> str:
        """The flag as written, such as ``--base BRANCH``."""
        return f"{self.name} {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One verb: all that the parser, the help and the documentation know about it.

    ``role`` is the least role that may give it unless a repository's configuration says otherwise. ``text`` tells what
    follows the flags, over as many lines as people like; ``argument`` is the placeholder of the one optional word that
    verbs without a text may take; ``examples`` are what stands after the prefix.
    """

    verb: str
    summary: str
    role: Role
    places: tuple[Place, ...]
    examples: tuple[str, ...]
    text: Literal["required", "optional", "answers", "none"] = "none"
    argument: str | None = None
    flags: tuple[FlagSpec, ...] = ()
    details: str = ""

    @property
    def form(self) -> str:
        """The verb and what follows the flags, such as ``specify [TEXT]``."""
        following = {
            "required": "TEXT",
            "optional": "[TEXT]",
            "answers": "[ANSWERS]",
            "none": f"[{self.argument}]" if self.argument else "",
        }
        return f"{self.verb} {following[self.text]}".rstrip()

    @property
    def usage(self) -> str:
        """The whole form, such as ``specify [--base BRANCH] [TEXT]``."""
        _, space, following = self.form.partition(" ")
        return " ".join([self.verb, *(f"[{flag.usage}]" for flag in self.flags)]) + space + following


UNTIL_PHASES: Mapping[str, Phase] = {phase.value.removeprefix("speckit_"): phase for phase in MAIN_PHASES}
"""The values of ``--until``: the phases of the way to tasks, by the names people know from Spec Kit."""

RETRY_PHASES: Mapping[str, Phase] = {
    **{phase.value.removeprefix("speckit_"): phase for phase in AGENT_PHASES},
    "push": Phase.COMMIT_PUSH,
    "pr": Phase.OPEN_PR,
}
"""What ``retry`` takes; it also takes the same phases by their names in tables and check runs."""

_ISSUE = (Place.ISSUE,)
_PULL_REQUEST = (Place.PULL_REQUEST,)
_CONVERSATIONS = (Place.ISSUE, Place.PULL_REQUEST)
_EVERYWHERE = tuple(Place)

_BASE = FlagSpec(
    "--base", "Start from this branch instead of the default branch.", "branch", "BRANCH", example="release/1.2"
)
_AGENT = FlagSpec("--agent", "Work with this agent instead of the default one.", "agent", "NAME", example="codex_cli")
_MODEL = FlagSpec(
    "--model", "Let the agent use this model instead of its default one.", "model", "MODEL", example="vendor/name-1.2"
)
_PROJECT = FlagSpec(
    "--project", "Work in this folder of a repository that holds several.", "folder", "PATH", example="services/shop"
)
_DRY_RUN = FlagSpec("--dry-run", "Do everything except pushing and opening a pull request; keep the patch.", "switch")
_AGENT_FLAGS = (_AGENT, _MODEL)
_BRANCH_FLAGS = (*_AGENT_FLAGS, _DRY_RUN)


def _until(*names: str) -> FlagSpec:
    return FlagSpec("--until", "Stop after this phase.", "choice", "PHASE", names)


COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        verb="specify",
        summary="Write a specification, a plan and tasks from TEXT and open a draft pull request with them.",
        details="On an issue TEXT may be left out: it is then the issue's title and description. On a pull request that"
        " this App opened, TEXT starts a new round of its specification, on the same branch.",
        role=Role.WRITE,
        places=_CONVERSATIONS,
        examples=("specify Let customers pay by invoice. Net 30, EU only.", "specify --until plan --base release/1.2"),
        text="optional",
        flags=(_BASE, _until(*UNTIL_PHASES), *_BRANCH_FLAGS, _PROJECT),
    ),
    CommandSpec(
        verb="clarify",
        summary="Ask what is unclear in the specification, or take the ANSWERS.",
        details="An answer is the number of its question and the letter of a choice, or the number, a colon and a text."
        " A reply that quotes the questions and holds nothing but answers needs no command.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("clarify", "clarify 1A 2C 3: only EU", "clarify --accept-recommended"),
        text="answers",
        flags=(
            *_AGENT_FLAGS,
            FlagSpec(
                "--accept-recommended",
                "Take the recommended choice of every question that is not answered here.",
                "switch",
            ),
        ),
    ),
    CommandSpec(
        verb="plan",
        summary="Make the plan and the tasks anew on the branch of this pull request, heeding TEXT.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("plan", "plan --until plan Use the queue we have."),
        text="optional",
        flags=(_until(*tuple(UNTIL_PHASES)[1:]), *_BRANCH_FLAGS),
    ),
    CommandSpec(
        verb="tasks",
        summary="Make the tasks anew from the plan of this pull request, heeding TEXT.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("tasks", "tasks One task for each screen."),
        text="optional",
        flags=_BRANCH_FLAGS,
    ),
    CommandSpec(
        verb="checklist",
        summary="Write a checklist that tests the requirements, about TEXT or about everything.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("checklist", "checklist Security and privacy"),
        text="optional",
        flags=_BRANCH_FLAGS,
    ),
    CommandSpec(
        verb="analyze",
        summary="Tell where specification, plan and tasks do not fit together. Changes no file.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("analyze",),
        flags=_BRANCH_FLAGS,
    ),
    CommandSpec(
        verb="implement",
        summary="Carry out the tasks, or those that TEXT names, in the paths this repository's configuration allows.",
        details="Off unless the configuration of the repository allows some paths.",
        role=Role.WRITE,
        places=_PULL_REQUEST,
        examples=("implement", "implement T001 to T004"),
        text="optional",
        flags=_BRANCH_FLAGS,
    ),
    CommandSpec(
        verb="constitution",
        summary="Write or amend the project's constitution from TEXT and open a draft pull request with it.",
        role=Role.WRITE,
        places=_ISSUE,
        examples=("constitution Every feature has an accessible interface.",),
        text="required",
        flags=(_BASE, *_BRANCH_FLAGS, _PROJECT),
    ),
    CommandSpec(
        verb="refine",
        summary="Change one section of the specification as TEXT says.",
        details="In a review comment on a line of `spec.md` it is the section of that line; elsewhere TEXT names it.",
        role=Role.WRITE,
        places=(Place.PULL_REQUEST, Place.REVIEW_COMMENT),
        examples=("refine Success criteria: name the time limit.",),
        text="required",
        flags=_BRANCH_FLAGS,
    ),
    CommandSpec(
        verb="retry",
        summary="Do the newest run again, from where it ended or from PHASE.",
        details=f"PHASE is one of {', '.join(f'`{name}`' for name in RETRY_PHASES)}.",
        role=Role.WRITE,
        places=_CONVERSATIONS,
        examples=("retry", "retry plan"),
        argument="PHASE",
    ),
    CommandSpec(
        verb="cancel",
        summary="Stop the newest run that is still alive, or the one that RUN names (its id, or at least 8 characters"
        " of it).",
        role=Role.WRITE,
        places=_CONVERSATIONS,
        examples=("cancel", "cancel 7f3a9c21"),
        argument="RUN",
    ),
    CommandSpec(
        verb="status",
        summary="Tell how the runs of this issue or pull request stand.",
        role=Role.READ,
        places=_CONVERSATIONS,
        examples=("status",),
    ),
    CommandSpec(
        verb="config",
        summary="Show the settings in force here, and where each comes from.",
        role=Role.READ,
        places=_CONVERSATIONS,
        examples=("config",),
    ),
    CommandSpec(
        verb="help",
        summary="List what you can ask for here, or explain VERB.",
        role=Role.READ,
        places=_EVERYWHERE,
        examples=("help", "help specify"),
        argument="VERB",
    ),
)

COMMANDS_BY_VERB: Mapping[str, CommandSpec] = {spec.verb: spec for spec in COMMANDS}

DEFAULT_ROLES: Mapping[str, str] = {spec.verb: spec.role.value for spec in COMMANDS}
"""The least role for each verb where nobody configured another."""

SPEC_KIT_VERBS: tuple[str, ...] = (
    "analyze",
    "checklist",
    "clarify",
    "constitution",
    "converge",
    "implement",
    "plan",
    "specify",
    "tasks",
    "taskstoissues",
)
"""Spec Kit's own commands (https://github.github.com/spec-kit/reference/agentic-sdd.html): ``/speckit.converge`` is
meant for us and gets an answer even while no verb ``converge`` exists; ``/speckit-staging`` is somebody else's."""
