"""From the text of a YAML file to a tree in which every value knows its line. Pure.

A small part of YAML is enough for a configuration, and only that is read: one document of mappings with plain keys,
lists and scalars. Anchors and aliases (with which a few lines become gigabytes) and tags are refused. Scalars are
resolved by the core schema of YAML 1.2, where ``off`` and ``no`` are words and not false.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

LARGEST_FILE = 64 * 1024
"""Bytes in UTF-8."""
DEEPEST = 8

_ANCHOR = "An anchor (&) or an alias (*) stands here; write the value out, and a glob in quotes"

NodePath = tuple[str | int, ...]
"""Names, and indexes in lists."""

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class NotReadableError(Exception):
    """The text is no file of ours at all. ``line`` counts from 1; the message is a sentence without its full stop."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. ``text`` is how it was written."""

    path: NodePath
    line: int
    key_line: int
    text: str
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class List:
    """Items in order; ``path`` of each holds the index it has in the file."""

    path: NodePath
    line: int
    key_line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Entries in order, those with the same key among them."""

    path: NodePath
    line: int
    key_line: int
    entries: tuple[tuple[str, Node], ...]


Node = Scalar | List | Mapping


def read_tree(text: str | bytes) -> Node | None:
    """The tree of a file, or None if it holds nothing but comments. Raises NotReadableError and nothing else.

    Takes milliseconds for what people write, and up to two seconds of CPU for a hostile file of the largest size.
    """
    decoded = _decoded(text)
    try:
        loader = yaml.SafeLoader(decoded)
    except yaml.YAMLError as error:
        raise NotReadableError(*_told(error, decoded)) from None
    try:
        return _Reading(loader, _Lines(decoded)).document()
    except yaml.YAMLError as error:
        raise NotReadableError(*_told(error, decoded)) from None
    except (ValueError, OverflowError):
        # PyYAML lets escapes and version numbers beyond what Python can hold through to chr() and int().
        line = _Lines(decoded).at(loader.get_mark().index)
        raise NotReadableError(line, "The file is not YAML: a number or an escape is too large") from None
    finally:
        loader.dispose()


def plain(node: Node) -> Any:
    """The values alone: dict, tuple, scalars. Of entries with the same key the last stays."""
    match node:
        case Scalar():
            return node.value
        case List():
            return tuple(plain(item) for item in node.items)
        case Mapping():
            return {key: plain(inner) for key, inner in node.entries}


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the file."""
    yield node
    match node:
        case List():
            for item in node.items:
                yield from walk(item)
        case Mapping():
            for _, inner in node.entries:
                yield from walk(inner)


def without(node: Node, paths: Collection[NodePath]) -> Node:
    """The tree without the nodes at ``paths``; the root stays."""
    match node:
        case Scalar():
            return node
        case List():
            return replace(node, items=tuple(without(item, paths) for item in node.items if item.path not in paths))
        case Mapping():
            kept = tuple((key, without(inner, paths)) for key, inner in node.entries if inner.path not in paths)
            return replace(node, entries=kept)


def find(node: Node, steps: tuple[str | int, ...]) -> Node:
    """The node reached by keys and by positions in the lists as they are now; the last one there is, where none is."""
    for step in steps:
        match node:
            case Mapping():
                below = [inner for key, inner in node.entries if key == step]
            case List() if isinstance(step, int):
                below = list(node.items[step : step + 1])
            case _:
                below = []
        if not below:
            break
        node = below[-1]
    return node


class _Lines:
    """Which line a character is in, as GitHub counts them; PyYAML also counts the line ends of Unicode."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._last = max(1, len(text.removesuffix("\n").split("\n")))

    def at(self, index: int) -> int:
        """The line of the character at ``index``, from 1 to the number of lines."""
        return min(bisect_right(self._ends, index - 1) + 1, self._last)


class _Reading:
    """Builds the tree from PyYAML's events, one pass, and stops at the first thing that has no place in it."""

    def __init__(self, loader: yaml.SafeLoader, lines: _Lines) -> None:
        self._loader = loader
        self._lines = lines

    def document(self) -> Node | None:
        root: Node | None = None
        while (event := self._next()) and not isinstance(event, yaml.StreamEndEvent):
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            first = self._next()
            if root is not None:
                raise NotReadableError(self._line(event), "The file holds a second document after ---")
            root = self._node(first, (), self._line(first))
        return None if isinstance(root, Scalar) and root.value is None else root

    def _next(self) -> Any:
        return self._loader.get_event()  # type: ignore[no-untyped-call]

    def _line(self, event: Any) -> int:
        return self._lines.at(event.start_mark.index)

    def _node(self, event: Any, path: NodePath, key_line: int) -> Node:
        line = self._line(event)
        self._refuse_what_is_not_needed(event, line)
        if isinstance(event, yaml.ScalarEvent):
            written = event.value
            value = _value(written) if event.style is None else written
            return Scalar(path, line, key_line, written, value)
        if len(path) >= DEEPEST:
            raise NotReadableError(line, f"The file is nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return List(path, line, key_line, tuple(self._items(path)))
        return Mapping(path, line, key_line, tuple(self._entries(path)))

    def _items(self, path: NodePath) -> Iterator[Node]:
        index = 0
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._node(event, (*path, index), self._line(event))
            index += 1

    def _entries(self, path: NodePath) -> Iterator[tuple[str, Node]]:
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = self._line(event)
            self._refuse_what_is_not_needed(event, line)
            if not isinstance(event, yaml.ScalarEvent):
                raise NotReadableError(line, "A key is a list or a mapping; a key is one word")
            yield event.value, self._node(self._next(), (*path, event.value), line)

    @staticmethod
    def _refuse_what_is_not_needed(event: Any, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise NotReadableError(line, _ANCHOR)
        if event.tag is not None:
            raise NotReadableError(line, "A tag (!) stands here; write the value without it, or in quotes")
        if isinstance(event, yaml.ScalarEvent) and re.search("[\ud800-\udfff]", event.value):
            raise NotReadableError(line, "The file is not YAML: it holds half a character")


def _decoded(text: str | bytes) -> str:
    size = len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    if size > LARGEST_FILE:
        raise NotReadableError(1, f"The file is larger than {LARGEST_FILE // 1024} KiB")
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise NotReadableError(line, "The file is not text in UTF-8") from None


def _value(written: str) -> bool | int | float | str | None:
    if _NULL.fullmatch(written):
        return None
    if _TRUE.fullmatch(written) or _FALSE.fullmatch(written):
        return written[0] in "tT"
    if _INTEGER.fullmatch(written):
        return int(written)
    return float(written) if _NUMBER.fullmatch(written) else written


def _told(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Line and sentence for what PyYAML found."""
    lines = _Lines(text)
    if isinstance(error, yaml.reader.ReaderError):
        return lines.at(error.position), "The file is not YAML: it holds a character that YAML does not allow"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = lines.at(mark.index) if mark is not None else 1
    problem = getattr(error, "problem", None) or "it cannot be read"
    if getattr(error, "context", None) in {"while scanning an alias", "while scanning an anchor"}:
        return line, _ANCHOR
    found = re.fullmatch(r"found character '(.+)' that cannot start any token", problem)
    if found and found[1] == "\\t":
        return line, "A tab stands here; YAML is indented with spaces"
    if found:
        return line, f"A value begins with {found[1]} here; put it in quotes"
    return line, f"The file is not YAML: {problem}"
