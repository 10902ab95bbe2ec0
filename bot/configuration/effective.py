"""Whose word counts: the layers of configuration laid over each other, and where each value comes from. Pure.

    default  <  the organisation's .github repository  <  the repository  <  what the operator locks

Values are laid over each other one by one (``commands.implement.role``); a list is one value. What a locking layer
names holds, whatever the others say; what they said is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast, get_args

from pydantic import BaseModel, ConfigDict

from bot.configuration.model import (
    CONFIG_PATH,
    DEFAULTS,
    OFF,
    VERBS,
    CommandRule,
    CommandVerb,
    Path,
    PhaseName,
    RepositoryConfig,
    RoleName,
    TriggerName,
    Value,
    folded,
    leaves,
)
from bot.configuration.problems import ConfigProblem, shown_path
from bot.configuration.schema import is_value, key_paths
from db.budgets import Measure
from db.vocabulary import Phase, Trigger, Verb

DEFAULT_ORIGIN = "default"
SETTINGS_ORIGIN = "the operator's settings"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says.

    ``origin`` is how people are told of it, such as ``acme/shop``; a layer with ``locks`` has the last word about every
    value it names. ``problems`` are those found in reading it: they explain why a command is left to admins.
    """

    origin: str
    config: RepositoryConfig
    locks: bool = False
    problems: tuple[ConfigProblem, ...] = ()


class Row(NamedTuple):
    """One line of the reply to ``config``. The texts are people's own: sanitise them before they stand in a comment."""

    key: str
    value: str
    origin: str
    note: str


class Overruled(BaseModel):
    """What a layer said about a value that is locked."""

    model_config = ConfigDict(frozen=True)

    path: Path
    value: Value
    origin: str


class Entry(BaseModel):
    """One value that counts, and where it comes from. ``mistake_in_line`` tells why a command is left to admins."""

    model_config = ConfigDict(frozen=True)

    path: Path
    value: Value
    origin: str
    locked: bool = False
    mistake_in_line: int | None = None


class _Kept(BaseModel):
    """An effective configuration as it is kept with a run."""

    entries: tuple[Entry, ...]
    overruled: tuple[Overruled, ...]


@dataclass(frozen=True, slots=True)
class PullRequestSettings:
    """What a pull request of ours gets when it is opened."""

    labels: tuple[str, ...]
    reviewers: tuple[str, ...]
    team_reviewers: tuple[str, ...]
    assignees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, ``run_timeout`` in seconds; and what a run may spend, ``cost`` in dollars. None: no limit."""

    runs: int
    runs_per_person: int
    run_timeout: int
    commands_per_comment: int
    tokens: int | None = None
    cost: float | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """What holds for one repository. Make it with ``effective``; keep it with a run as ``to_json``."""

    config: RepositoryConfig
    entries: Mapping[Path, Entry]
    overruled: tuple[Overruled, ...] = ()

    def role_of(self, verb: str) -> RoleName:
        """The least role that may give the command. Raises KeyError for what is no verb."""
        return self._rule(verb).role or "admin"

    def people_of(self, verb: str) -> tuple[str, ...]:
        """Who may give the command besides, as written. Raises KeyError for what is no verb."""
        return self._rule(verb).people or ()

    def names(self, verb: str, login: str) -> bool:
        """True if ``login`` (of an App: with its ``[bot]``) is one of ``people_of``; capital letters do not matter."""
        return login.lower() in {person.lower() for person in self.people_of(verb)}

    def is_off(self, verb: str) -> str | None:
        """Why nobody may give the command, in words that follow "``verb`` is ", or None if it is not off."""
        if self._rule(verb).off:
            return f"turned off by {self._origin(('commands', verb, 'off'))}"
        if verb != Verb.IMPLEMENT or self.implement_paths:
            return None
        entry = self.entries.get(_IMPLEMENT_PATHS)
        if entry is None:
            return f"off until `paths.implement` in `{CONFIG_PATH}` says what it may write"
        if entry.mistake_in_line is not None:
            return f"off because of {_mistake(entry)}"
        return f"off because `paths.implement` of {entry.origin} is empty"

    def closed_by_mistake(self, verb: str) -> str | None:
        """Which mistake leaves the command to admins, in words that follow "because of ", or None."""
        entry = self.entries.get(("commands", verb, "role"))
        return _mistake(entry) if entry is not None and entry.mistake_in_line is not None else None

    def verb_of_label(self, label: str) -> Verb | None:
        """What the label starts, if anything; capital letters do not matter. Ask ``trigger_on`` too."""
        verb = self.config.labels.get(folded(label), OFF)
        return None if verb == OFF else Verb(verb)

    def agent_for(self, phase: Phase | str | None = None) -> str | None:
        """The agent of a phase (with or without ``speckit_``), or of all others; None: the operator's default."""
        choice = self.config.phases.get(_short(phase)) if phase else None
        return (choice.agent if choice else None) or self.config.agent

    def model_for(self, phase: Phase | str | None = None) -> str | None:
        """The model of a phase, or of all others; None: the agent's own choice."""
        choice = self.config.phases.get(_short(phase)) if phase else None
        return (choice.model if choice else None) or self.config.model

    @property
    def base_branch(self) -> str | None:
        """Where runs start from; None: the repository's default branch."""
        return self.config.base_branch

    @property
    def project(self) -> str | None:
        """The folder of a monorepo; None: the top of the repository."""
        return self.config.project

    @property
    def pull_request(self) -> PullRequestSettings:
        """What a pull request gets when it is opened."""
        said = self.config.pull_request
        return PullRequestSettings(
            said.labels or (), said.reviewers or (), said.team_reviewers or (), said.assignees or ()
        )

    @property
    def implement_paths(self) -> tuple[str, ...]:
        """The globs an agent may write in ``implement``; none: it is off."""
        return self.config.paths.implement or ()

    @property
    def allowed_hosts(self) -> tuple[str, ...] | None:
        """The hosts that agents may reach, of those that the operator allows; None: all of those, as they are when
        the run works."""
        entry = self.entries.get(("allowed_hosts",))
        if entry is None or (entry.origin == SETTINGS_ORIGIN and not entry.locked):
            return None
        return self.config.allowed_hosts

    def trigger_on(self, trigger: Trigger | TriggerName) -> bool:
        """True if a run may be asked for in this way; a command in a comment always may."""
        if trigger == Trigger.COMMENT:
            return True
        name = _TRIGGERS.get(trigger, trigger)
        return bool(getattr(self.config.triggers, name))

    @property
    def retention_days(self) -> int:
        """Days that artifacts are kept after the run ended."""
        return _said(self.config.retention_days)

    @property
    def limits(self) -> Limits:
        """How much at once."""
        said = self.config.limits
        return Limits(
            _said(said.runs),
            _said(said.runs_per_person),
            _said(said.run_timeout),
            _said(said.commands_per_comment),
            *(said.tokens, said.cost, said.requests),
        )

    @property
    def own_budget(self) -> dict[str, Any]:
        """What a run may spend as far as somebody else than the operator's settings says so: ``{tokens, cost,
        requests}``, without what nobody limits. The settings hold in any case, as they are when the run works."""
        entries = {measure.value: self.entries.get(("limits", measure.value)) for measure in Measure}
        return {name: entry.value for name, entry in entries.items() if entry and entry.origin != SETTINGS_ORIGIN}

    def rows(self) -> list[Row]:
        """Every value that counts, in the order of the documentation, and the single keys that nobody set."""
        order = {path[0]: index for index, path in enumerate(path for path in key_paths() if len(path) == 1)}
        rows = [(order[path[0]], self._row(path, value)) for path, value in leaves(self.config)]
        rows += [
            (order[path[0]], Row(shown_path(path), "", DEFAULT_ORIGIN, note))
            for path, note in _WHEN_UNSET.items()
            if path not in self.entries
        ]
        return [row for _, row in sorted(rows, key=lambda each: each[0])]

    def to_json(self) -> dict[str, Any]:
        """As JSON knows it: dict, list, str, int, bool, None."""
        return _Kept(entries=tuple(self.entries.values()), overruled=self.overruled).model_dump(mode="json")

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave, of this version or an older one. Raises ValueError if it is nothing of the kind."""
        read = _Kept.model_validate(kept)
        entries = {entry.path: entry for entry in _default_entries()}
        entries |= {entry.path: entry for entry in read.entries if is_value(entry.path)}
        return cls(_nested(entries.values()), entries, read.overruled)

    def _rule(self, verb: str) -> CommandRule:
        return self.config.commands[_verb(verb)]

    def _origin(self, path: Path) -> str:
        return self.entries[path].origin

    def _row(self, path: Path, value: Value) -> Row:
        entry = self.entries[path]
        notes = ["locked"] if entry.locked else []
        notes += [
            f"{each.origin} says {_text(each.value)}" + (f" for {shown_path(each.path)}" if each.path != path else "")
            for each in self.overruled
            if _covers(path, each.path)
        ]
        if entry.mistake_in_line is not None:
            notes.append(f"because of {_mistake(entry)}")
        return Row(shown_path(path), _text(value), entry.origin, "; ".join(notes))


def effective(layers: Sequence[Layer]) -> EffectiveConfig:
    """Lay ``layers`` over DEFAULTS, the weakest first; those that lock come last, wherever they stand."""
    entries = {entry.path: entry for entry in _default_entries()}
    locks = {path for layer in layers if layer.locks for path, _ in leaves(layer.config)}
    overruled: list[Overruled] = []
    for layer in sorted(layers, key=lambda layer: layer.locks):
        for path, value in leaves(layer.config):
            if not layer.locks and any(_covers(lock, path) for lock in locks):
                overruled.append(Overruled(path=path, value=value, origin=layer.origin))
            else:
                line = _line_of_mistake(layer.problems, path)
                entries[path] = Entry(
                    path=path, value=value, origin=layer.origin, locked=layer.locks, mistake_in_line=line
                )
    return EffectiveConfig(_nested(entries.values()), entries, tuple(overruled))


def _default_entries() -> Iterator[Entry]:
    return (Entry(path=path, value=value, origin=DEFAULT_ORIGIN) for path, value in leaves(DEFAULTS))


def _covers(lock: Path, path: Path) -> bool:
    """True if who locks the one locks the other: an agent for everything is one for every phase."""
    return path == lock or (lock in {("agent",), ("model",)} and path[0] == "phases" and path[2:] == lock)


def _line_of_mistake(problems: Sequence[ConfigProblem], path: Path) -> int | None:
    """The line of the mistake that gave ``path`` its closed value."""
    if path == _IMPLEMENT_PATHS:
        return next((problem.line for problem in problems if problem.empties_paths), None)
    if path[0] != "commands" or path[2] == "off":
        return None
    return next((problem.line for problem in problems if path[1] in problem.closes), None)


def _nested(entries: Iterable[Entry]) -> RepositoryConfig:
    tree: dict[str, Any] = {}
    for entry in entries:
        below = tree
        for name in entry.path[:-1]:
            below = below.setdefault(name, {})
        below[entry.path[-1]] = entry.value
    return RepositoryConfig.model_validate(tree, strict=True)


def _verb(verb: str) -> CommandVerb:
    for known in VERBS:
        if known == verb:
            return known
    raise KeyError(verb)


def _short(phase: str) -> PhaseName:
    name = phase.removeprefix("speckit_")
    for known in get_args(PhaseName):
        if known == name:
            return cast("PhaseName", known)
    raise KeyError(phase)


def _said(number: int | None) -> int:
    """A value that DEFAULTS has, and so every configuration laid over them."""
    if number is None:
        raise ValueError("a configuration without the defaults")
    return number


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value) or "none"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _mistake(entry: Entry) -> str:
    return f"a mistake in line {entry.mistake_in_line} of `{CONFIG_PATH}` in {entry.origin}"


_IMPLEMENT_PATHS: Path = ("paths", "implement")

_TRIGGERS: Mapping[str, TriggerName] = {
    Trigger.LABEL: "labels",
    Trigger.MENTION: "mentions",
    Trigger.ASSIGNMENT: "assignment",
    Trigger.CHECK_RUN: "buttons",
    Trigger.REVIEW_COMMENT: "review_comments",
}

_WHEN_UNSET: Mapping[Path, str] = {
    ("agent",): "the operator's default agent",
    ("model",): "the agent's own model",
    ("base_branch",): "the repository's default branch",
    ("project",): "the top of the repository",
    ("pull_request", "labels"): "none",
    ("pull_request", "reviewers"): "none",
    ("pull_request", "team_reviewers"): "none",
    ("pull_request", "assignees"): "none",
    ("allowed_hosts",): "none but the agent's model",
    _IMPLEMENT_PATHS: "implement is off",
    **{("limits", measure.value): "no limit" for measure in Measure},
}
