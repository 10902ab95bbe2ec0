"""What ``.github/speckit.yml`` can say: the one model that the reader, the schema and the documentation are made from.

Every key is optional: None means that the file says nothing about it, so that another layer decides
(bot/configuration/effective.py). DEFAULTS is what holds where nobody says anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from bot.configuration import values
from db.vocabulary import Verb

CONFIG_PATH = ".github/speckit.yml"
"""Where the file lies, in a repository and in an organisation's ``.github`` repository."""

LONGEST_LIST = 50
OFF = "off"

CommandVerb = Literal[
    "specify", "clarify", "plan", "tasks", "checklist", "analyze", "implement", "constitution", "refine",
    "retry", "cancel", "status", "config", "help",
]  # fmt: skip
"""Every verb people can say; the first nine are ``db.vocabulary.Verb``."""

PhaseName = Literal[
    "constitution", "specify", "clarify", "refine", "plan", "tasks", "checklist", "analyze", "implement"
]
"""The agent phases by the names people know from Spec Kit."""

LabelVerb = Literal["specify", "clarify", "plan", "tasks", "checklist", "analyze", "implement", "off"]
"""What a label can start: the verbs that need no text and no place. ``off`` takes a label of another layer away."""

RoleName = Literal["read", "triage", "write", "maintain", "admin"]
TriggerName = Literal["labels", "mentions", "assignment", "buttons", "review_comments"]

VERBS: tuple[CommandVerb, ...] = get_args(CommandVerb)
ROLES: tuple[RoleName, ...] = get_args(RoleName)
"""GitHub's repository roles, each including the ones before it."""

Path = tuple[str, ...]
"""Where a value stands: ``("commands", "implement", "role")``."""

Value = bool | int | float | str | tuple[str, ...]


def _text(rule: values.TextRule) -> Any:
    return Field(min_length=1, max_length=rule.longest, title=rule.title, json_schema_extra={"pattern": rule.pattern})


AgentName = Annotated[str, _text(values.AGENT), AfterValidator(values.AGENT.check)]
ModelName = Annotated[str, _text(values.MODEL), AfterValidator(values.MODEL.check)]
BranchName = Annotated[str, _text(values.BRANCH), AfterValidator(values.BRANCH.check)]
Folder = Annotated[str, _text(values.FOLDER), AfterValidator(values.FOLDER.check)]
Glob = Annotated[str, _text(values.GLOB), AfterValidator(values.GLOB.check)]
HostName = Annotated[str, _text(values.HOST), AfterValidator(values.HOST.check)]
LabelName = Annotated[str, _text(values.LABEL), AfterValidator(values.LABEL.check)]
Person = Annotated[str, _text(values.PERSON), AfterValidator(values.PERSON.check)]
Actor = Annotated[str, _text(values.ACTOR), AfterValidator(values.ACTOR.check)]
Team = Annotated[str, _text(values.TEAM), AfterValidator(values.TEAM.check)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CommandRule(_Part):
    """Who may give one command."""

    role: RoleName | None = Field(
        default=None, description="The least role in the repository that may give the command.", examples=["maintain"]
    )
    people: tuple[Actor, ...] | None = Field(
        default=None,
        max_length=LONGEST_LIST,
        description="Who may give it besides, whatever their role.",
        examples=[["octocat", "release-app[bot]"]],
    )
    off: bool | None = Field(
        default=None, description="Nobody may: the command is turned off in this repository.", examples=[True]
    )


class PhaseChoice(_Part):
    """What works in one phase."""

    agent: AgentName | None = Field(default=None, description="The agent for this phase.", examples=["codex_cli"])
    model: ModelName | None = Field(default=None, description="The model for this phase.", examples=["gpt-5-codex"])


class PullRequestWishes(_Part):
    """What a pull request of ours gets when it is opened."""

    labels: tuple[LabelName, ...] | None = Field(
        default=None,
        max_length=LONGEST_LIST,
        description="Labels put on the pull request.",
        examples=[["specification"]],
    )
    reviewers: tuple[Person, ...] | None = Field(
        default=None, max_length=LONGEST_LIST, description="People asked for a review.", examples=[["octocat"]]
    )
    team_reviewers: tuple[Team, ...] | None = Field(
        default=None, max_length=LONGEST_LIST, description="Teams asked for a review.", examples=[["product"]]
    )
    assignees: tuple[Person, ...] | None = Field(
        default=None,
        max_length=LONGEST_LIST,
        description="People the pull request is assigned to.",
        examples=[["octocat"]],
    )


class WritablePaths(_Part):
    """What an agent may write."""

    implement: tuple[Glob, ...] | None = Field(
        default=None,
        max_length=LONGEST_LIST,
        description="What an agent may write in `implement`, which stays off while this is empty. `*` and `?` stand for"
        " characters of a name, `**` for any folders; none of them for a name that begins with a dot. A folder with"
        " its `/` means all that is in it.",
        examples=[["src/**", "tests/"]],
    )


class TriggerSwitches(_Part):
    """How a run can be asked for, besides a command at the start of a line, which always works."""

    labels: bool | None = Field(default=None, description="A label of `labels` starts a run.", examples=[False])
    mentions: bool | None = Field(
        default=None, description="A command may begin with a mention of the App.", examples=[False]
    )
    assignment: bool | None = Field(
        default=None, description="An issue that is assigned to the App starts `specify`.", examples=[False]
    )
    buttons: bool | None = Field(
        default=None, description="Check runs have buttons, and *Re-run* is taken as `retry`.", examples=[False]
    )
    review_comments: bool | None = Field(
        default=None, description="Commands in review comments on lines of a specification count.", examples=[False]
    )


class LimitNumbers(_Part):
    """How much at once, and how much in all."""

    runs: int | None = Field(default=None, ge=1, le=64, description="Runs at once in this repository.", examples=[2])
    runs_per_person: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Runs at once that one person asked for in this repository.",
        examples=[1],
    )
    run_timeout: int | None = Field(
        default=None, ge=60, le=86_400, description="Seconds a run may take before it is stopped.", examples=[1800]
    )
    commands_per_comment: int | None = Field(
        default=None,
        ge=1,
        le=10,
        description="Commands that count in one comment; who writes more is told.",
        examples=[3],
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        le=10**12,
        description="Tokens that a run may spend on models, read and written, together with the runs it retries.",
        examples=[2_000_000],
    )
    cost: float | None = Field(
        default=None,
        ge=0.01,
        le=1_000_000,
        description="US dollars that a run may spend on models, by the operator's prices, together with the runs it"
        " retries.",
        examples=[2.5],
    )
    requests: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="Requests that a run may send to models, together with the runs it retries.",
        examples=[200],
    )


class RepositoryConfig(_Part):
    """Settings of speckit-bot for one repository, or in an organisation's .github repository for all of them."""

    commands: Mapping[CommandVerb, CommandRule] = Field(
        default={}, description="Who may give which command, by its verb."
    )
    agent: AgentName | None = Field(
        default=None, description="The agent that works unless a command names one.", examples=["codex_cli"]
    )
    model: ModelName | None = Field(
        default=None, description="The model it works with unless a command names one.", examples=["gpt-5-codex"]
    )
    phases: Mapping[PhaseName, PhaseChoice] = Field(default={}, description="Agent and model for single phases.")
    base_branch: BranchName | None = Field(
        default=None, description="The branch that runs start from and pull requests go to.", examples=["develop"]
    )
    project: Folder | None = Field(
        default=None,
        description="The folder of a monorepo that runs work in unless a command names one.",
        examples=["services/billing"],
    )
    labels: Mapping[LabelName, LabelVerb] = Field(
        default={},
        description="Which label starts which command when it is put on an issue or a pull request; `off` takes one"
        " away that another layer has. Capital and small letters are the same, as on GitHub.",
        examples=["specify"],
        json_schema_extra={"maxProperties": LONGEST_LIST},
    )
    pull_request: PullRequestWishes = Field(
        default=PullRequestWishes(), description="What a pull request of ours gets when it is opened."
    )
    allowed_hosts: tuple[HostName, ...] | None = Field(
        default=None,
        max_length=LONGEST_LIST,
        description="The hosts that the programs of an agent may reach over https besides its model, out of those that"
        " the operator allows: a list can leave some out and add none. `*.` means every name that ends with the rest.",
        examples=[["pypi.org", "*.pythonhosted.org"]],
    )
    paths: WritablePaths = Field(default=WritablePaths(), description="What an agent may write.")
    triggers: TriggerSwitches = Field(
        default=TriggerSwitches(), description="How a run can be asked for besides a command in a comment."
    )
    retention_days: int | None = Field(
        default=None,
        ge=7,
        le=3650,
        description="Days that the artifacts of a run are kept after it ended.",
        examples=[90],
    )
    limits: LimitNumbers = Field(
        default=LimitNumbers(),
        description="How much at once, where runs over a limit wait their turn, and how much a run may spend on models,"
        " where it stops.",
    )

    @field_validator("labels")
    @classmethod
    def _labels_without_case(cls, labels: Mapping[str, LabelVerb]) -> Mapping[str, LabelVerb]:
        return {folded(name): verb for name, verb in labels.items()}


def folded(label: str) -> str:
    """A label's name as it is compared: in small letters, never longer than it was."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in label)


DEFAULT_ROLES: Mapping[CommandVerb, RoleName] = {
    verb: "read" if verb in {"status", "config", "help"} else "write" for verb in VERBS
}

DEFAULTS = RepositoryConfig(
    commands={verb: CommandRule(role=role) for verb, role in DEFAULT_ROLES.items()},
    labels={"speckit:specify": Verb.SPECIFY.value},
    triggers=TriggerSwitches(labels=True, mentions=True, assignment=True, buttons=True, review_comments=True),
    retention_days=30,
    limits=LimitNumbers(runs=4, runs_per_person=3, run_timeout=3600, commands_per_comment=10),
)
"""What holds where no layer says anything."""


def leaves(part: BaseModel | Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Every value that is said, with where it stands, in the order of the model. A list is one value."""
    entries = (
        part.items() if isinstance(part, Mapping) else ((name, getattr(part, name)) for name in type(part).model_fields)
    )
    for name, value in entries:
        if isinstance(value, BaseModel | Mapping):
            yield from leaves(value, (*path, name))
        elif value is not None:
            yield (*path, name), value
