"""What is wrong in a configuration, as data, and how it is worded. Pure.

The words quote the file, which is text of people: sanitise a message before it stands in a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.commands.mistakes import closest
from bot.configuration.model import CONFIG_PATH, DEFAULT_ROLES, LONGEST_LIST, VERBS, CommandVerb
from bot.configuration.schema import Schema, key_paths, schema_at
from bot.configuration.tree import List, Mapping, Node, NodePath, Scalar

GUARDED_VERBS: tuple[CommandVerb, ...] = tuple(verb for verb in VERBS if DEFAULT_ROLES[verb] != "read")
"""What a file that cannot be understood leaves to admins: every command that does something."""

_LONGEST_QUOTE = 60
_LONGEST_TITLE = 255
_YES_AND_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A mistake in the file: where it is (``commands.implement.role``, empty for the whole file), and one sentence.

    ``line`` counts from 1. Until it is corrected, the commands in ``closes`` need the admin role, and with
    ``empties_paths`` nothing may be written by ``implement``, which is off then.
    """

    path: str
    line: int
    message: str
    did_you_mean: str | None = None
    closes: tuple[CommandVerb, ...] = ()
    empties_paths: bool = False


def check_annotations(problems: Iterable[ConfigProblem], path: str = CONFIG_PATH) -> list[dict[str, Any]]:
    """GitHub's annotations of a check run, a mistake each, in the order given; 50 fit into a request.

    https://docs.github.com/en/rest/checks/runs#create-a-check-run
    """
    return [
        {
            "path": path,
            "start_line": problem.line,
            "end_line": problem.line,
            "annotation_level": "failure" if problem.closes or problem.empties_paths else "warning",
            "title": f"speckit.yml: {problem.path or 'not readable'}"[:_LONGEST_TITLE],
            "message": f"{problem.message} Did you mean {problem.did_you_mean}?"
            if problem.did_you_mean
            else problem.message,
        }
        for problem in problems
    ]


def unreadable(line: int, reason: str) -> ConfigProblem:
    """Nothing of the file counts. Its author may have restricted any command, so all that do something are closed."""
    message = f"{reason}; until this is corrected, only admins may give commands that do something."
    return ConfigProblem("", line, message, closes=GUARDED_VERBS, empties_paths=True)


def unknown_key(node: Node) -> ConfigProblem:
    """There is no such key."""
    *above, name = node.path
    keys = _keys_of(schema_at(tuple(above)) or {})
    near = closest(str(name), keys) or _elsewhere(str(name))
    meant = (*above, near) if near in keys else node.path
    message = f"{shown_path(node.path)} is no key; {shown_path(tuple(above)) or 'the file'} takes {_choice(keys)}"
    return _problem(node, node.key_line, message, near, meant)


def repeated_key(node: Node, other: Node) -> ConfigProblem:
    """The same key twice: nobody can know which was meant, so neither counts."""
    message = f"{shown_path(node.path)} is there twice, here and in line {other.key_line}, and neither counts"
    return _problem(node, node.key_line, message, None, node.path)


def bad_label_name(node: Node, fault: str) -> ConfigProblem:
    """A key of ``labels`` that no label can be called."""
    message = f"{shown_path(node.path)} names no label: {fault}"
    return _problem(node, node.key_line, message, None, node.path)


def wrong_value(node: Node, fault: str = "", choices: Sequence[str] = ()) -> ConfigProblem:
    """The key is right and its value is not. ``choices`` is what it takes, where that is less than the schema says."""
    schema = {"enum": list(choices), "type": "string"} if choices else schema_at(node.path) or {}
    if schema.get("type") == "string" and isinstance(node, Scalar) and isinstance(node.value, bool | int | float):
        fault = "text like this stands in quotes"
    but = f", but {fault}" if fault else ""
    message = f"{shown_path(node.path)} is {_shown(node)}{but}; it takes {allowed(schema)}"
    line = node.line if isinstance(node, Scalar) else node.key_line
    return _problem(node, line, message, _correction(node, schema), node.path)


def allowed(schema: Schema) -> str:
    """What the schema takes, in words that follow "it takes"."""
    if "enum" in schema:
        return _choice(schema["enum"])
    kinds = schema.get("type", "")
    if kinds == "boolean":
        return "true or false"
    if kinds == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    if kinds == "number":
        return f"a number from {schema['minimum']:g} to {schema['maximum']:.0f}"
    if kinds == "array":
        return f"a list of at most {schema['maxItems']}, each {allowed(schema['items'])}"
    if kinds == "string":
        return str(schema["title"])
    if keys := _keys_of(schema):
        return f"a mapping with the keys {', '.join(keys)}"
    return f"a mapping of at most {LONGEST_LIST} names, each to {allowed(schema['additionalProperties'])}"


def _problem(node: Node, line: int, message: str, near: str | None, meant: NodePath) -> ConfigProblem:
    """``meant`` is the path that the author most likely wanted to write."""
    closes = _closed_by(meant)
    # A single bad glob closes nothing: without it less may be written.
    empties_paths = meant in {("paths",), ("paths", "implement")}
    consequence = ""
    if closes:
        verbs = "every command that does something" if closes == GUARDED_VERBS else closes[0]
        consequence = f"; until this is corrected, {verbs} needs the admin role"
    if empties_paths:
        consequence = "; until this is corrected, implement is off"
    return ConfigProblem(shown_path(node.path), line, f"{message}{consequence}.", near, closes, empties_paths)


def _closed_by(path: NodePath) -> tuple[CommandVerb, ...]:
    """The commands a mistake at ``path`` closes: who wrote it may have wanted to restrict them."""
    match path:
        case ("commands",):
            return GUARDED_VERBS
        case ("commands", name, *_):
            return tuple(verb for verb in VERBS if verb == name)
        case _:
            return ()


def _keys_of(schema: Schema) -> list[str]:
    return list(schema.get("properties", {}))


def _elsewhere(name: str) -> str | None:
    """The key of that name in another section."""
    found = (".".join(path) for path in key_paths() if path[-1] == name and path[0] not in {"commands", "phases"})
    return next(found, None)


def _correction(node: Node, schema: Schema) -> str | None:
    """A value that would be right and is near to what was written."""
    if not isinstance(node, Scalar) or not node.text:
        return None
    if "enum" in schema:
        return closest(node.text, schema["enum"])
    match schema.get("type"):
        case "boolean":
            return _YES_AND_NO.get(node.text.lower())
        case "integer" if isinstance(node.value, str) and re.fullmatch(r"[0-9]{1,9}", node.text):
            return node.text if schema["minimum"] <= int(node.text) <= schema["maximum"] else None
        case "number" if isinstance(node.value, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", node.text):
            return node.text if schema["minimum"] <= float(node.text) <= schema["maximum"] else None
        case "array" if isinstance(node.value, str) and _fits(node.text, schema["items"]):
            return f"[{node.text}]"
        case "string" if not isinstance(node.value, str):
            return f'"{node.text}"' if _fits(node.text, schema) else None
        case "string":
            bare = node.text.strip().lstrip("@").strip("/")
            nearly = [bare, bare.rpartition("/")[2]] if "team_reviewers" in node.path else [bare]
            return next((text for text in nearly if _fits(text, schema)), None)
        case _:
            return None


def _fits(text: str, schema: Schema) -> bool:
    return 0 < len(text) <= schema["maxLength"] and re.search(schema["pattern"], text) is not None


def _shown(node: Node) -> str:
    match node:
        case List():
            return f"a list of {len(node.items)}" if len(node.items) > LONGEST_LIST else "a list"
        case Mapping():
            return f"a mapping of {len(node.entries)}" if len(node.entries) > LONGEST_LIST else "a mapping"
        case Scalar(value=None):
            return "empty"
        case Scalar(value=bool()):
            return node.text.lower()
        case Scalar(value=str()):
            return _quoted(node.text)
        case _:
            return node.text[:_LONGEST_QUOTE]


def shown_path(path: NodePath) -> str:
    """As in ``pull_request.reviewers[2]``, counted from 0; names that are none of ours in quotes."""
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{part if re.fullmatch(r'[a-z_]{1,40}', part) else _quoted(part)}"
        for part in path
    ]
    return "".join(parts).removeprefix(".")


def _quoted(text: str) -> str:
    """In double quotes, on one line, and not too long."""
    visible = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[: _LONGEST_QUOTE + 1])
    clipped = visible if len(text) <= _LONGEST_QUOTE else f"{visible[: _LONGEST_QUOTE - 1]}…"
    return json.dumps(clipped, ensure_ascii=False)


def _choice(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
