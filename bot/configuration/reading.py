"""From the text of ``.github/speckit.yml`` to what it says, and what in it is wrong. Pure.

A mistake is told with its line and left out; the rest of the file counts. Only what guards something is closed rather
than left out: a command whose entry holds a mistake needs the admin role until it is corrected, and so does every
command that does something if the file cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from bot.configuration.model import (
    LONGEST_LIST,
    VERBS,
    CommandRule,
    CommandVerb,
    RepositoryConfig,
    WritablePaths,
    folded,
)
from bot.configuration.problems import (
    ConfigProblem,
    bad_label_name,
    repeated_key,
    unknown_key,
    unreadable,
    wrong_value,
)
from bot.configuration.schema import schema_at
from bot.configuration.tree import (
    Mapping,
    Node,
    NodePath,
    NotReadableError,
    Scalar,
    find,
    plain,
    read_tree,
    walk,
    without,
)

MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """What a file says, and what in it does not count, by line; at most MOST_PROBLEMS, what closes commands first."""

    config: RepositoryConfig
    problems: tuple[ConfigProblem, ...]


_Found = dict[NodePath, ConfigProblem | None]
"""What is left out, by its path, and why; None: told with another path."""


def read_config(text: str | bytes, agents: Sequence[str] = (), *, besides: Collection[str] = ()) -> ConfigReading:
    """Read a file of at most 64 KiB. Never raises.

    ``agents`` are the names that the operator offers; empty: any name will do. ``besides`` are keys that somebody else
    reads. Milliseconds for what people write, and
    up to two seconds of CPU for hostile files: off the event loop with it.
    """
    try:
        root = read_tree(text)
        if root is None:
            return ConfigReading(RepositoryConfig(), ())
        if not isinstance(root, Mapping):
            raise NotReadableError(root.line, "The file is not a mapping of keys to values")
        if len(root.entries) > LONGEST_LIST:
            raise NotReadableError(root.line, f"The file has more than {LONGEST_LIST} keys")
    except NotReadableError as error:
        problem = unreadable(error.line, error.message)
        return ConfigReading(_closed(RepositoryConfig(), [problem]), (problem,))
    root = without(root, {(key,) for key in besides})
    found = dict(_flaws(root, agents))
    config = _what_counts(without(root, found), found)
    told = [problem for problem in found.values() if problem is not None]
    problems = sorted(told, key=lambda problem: problem.line)
    return ConfigReading(_closed(config, problems), _most_telling(problems))


def _flaws(root: Node, agents: Sequence[str]) -> Iterator[tuple[NodePath, ConfigProblem | None]]:
    """What the model cannot see: keys that are there twice, keys without a value, too many entries, unknown agents."""
    for node in walk(root):
        if schema_at(node.path) is None:
            continue
        match node:
            case Mapping():
                yield from _repeated(node)
                if len(node.entries) > LONGEST_LIST:
                    yield node.path, wrong_value(node)
            case Scalar(value=None) if not _is_section(node.path):
                yield node.path, wrong_value(node)
            case Scalar(value=str(name)) if agents and _names_agent(node.path) and name not in agents:
                yield node.path, wrong_value(node, choices=agents)


def _repeated(mapping: Mapping) -> Iterator[tuple[NodePath, ConfigProblem | None]]:
    seen: dict[str, Node] = {}
    for key, node in mapping.entries:
        # As on GitHub, the names of labels differ by more than capital letters.
        first = seen.setdefault(folded(key) if mapping.path == ("labels",) else key, node)
        if first is not node:
            yield first.path, None
            yield node.path, repeated_key(node, first)


def _is_section(path: NodePath) -> bool:
    return len(path) == 1 and isinstance((schema_at(path) or {}).get("type"), list)


def _names_agent(path: NodePath) -> bool:
    return path == ("agent",) or (path[:1] == ("phases",) and path[2:] == ("agent",))


def _what_counts(root: Node, found: _Found) -> RepositoryConfig:
    """Validate, leave out what is wrong, and again, until nothing is. Adds to ``found``."""
    empty = {node.path for node in walk(root) if isinstance(node, Scalar) and node.value is None}
    root = without(root, {path for path in empty if _is_section(path)})
    while True:
        try:
            return RepositoryConfig.model_validate(plain(root), strict=True)
        except ValidationError as error:
            known = len(found)
            for each in error.errors(include_url=False):
                _add(found, root, each["type"], each["loc"], each["msg"])
            if len(found) == known:
                raise
        root = without(root, found)


def _add(found: _Found, root: Node, kind: str, place: tuple[str | int, ...], message: str) -> None:
    """Add one of pydantic's errors in our words, under the path of the node it is about."""
    # Pydantic marks a mistake in the key of a mapping by one more step; a key may also be called that.
    is_key = len(place) == 3 and place[0] in {"commands", "phases", "labels"} and place[2] == "[key]"
    node = find(root, place[:2] if is_key and kind != "extra_forbidden" else place)
    if node.path in found or schema_at(node.path[:-1]) is None:
        return
    fault = _fault(node, kind, message)
    if schema_at(node.path) is None:
        found[node.path] = unknown_key(node)
    elif is_key:
        found[node.path] = bad_label_name(node, fault or "it is empty or longer than 50 characters")
    else:
        found[node.path] = wrong_value(node, fault)


def _fault(node: Node, kind: str, message: str) -> str:
    match kind, node:
        case "value_error", _:
            return message.removeprefix("Value error, ")
        case "string_too_long", Scalar():
            return f"it has {len(node.text)} characters"
        case _:
            return ""


def _closed(config: RepositoryConfig, problems: Sequence[ConfigProblem]) -> RepositoryConfig:
    """The configuration with everything closed that a problem closes."""
    rules: dict[CommandVerb, CommandRule] = dict(config.commands)
    closed = {verb for problem in problems for verb in problem.closes}
    for verb in (verb for verb in VERBS if verb in closed):
        rules[verb] = CommandRule(role="admin", people=(), off=rules[verb].off if verb in rules else None)
    empties_paths = any(problem.empties_paths for problem in problems)
    paths = WritablePaths(implement=()) if empties_paths else config.paths
    return config.model_copy(update={"commands": rules, "paths": paths})


def _most_telling(problems: Sequence[ConfigProblem]) -> tuple[ConfigProblem, ...]:
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    kept = sorted(problems, key=lambda problem: not problem.closes)[: MOST_PROBLEMS - 1]
    left_out = len(problems) - len(kept)
    kept.append(
        ConfigProblem("", problems[-1].line, f"There are {left_out} more mistakes in the file, not listed here.")
    )
    return tuple(sorted(kept, key=lambda problem: problem.line))
