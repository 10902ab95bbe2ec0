"""GraphQL documents, as far as mutations need them: operations with fields, arguments, variables, inline fragments.

https://spec.graphql.org/October2021/ . Pure. Fragment definitions and directives are not read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<skip>[\s,\ufeff]+|\#[^\n\r]*)
  | (?P<spread>\.\.\.)
  | (?P<mark>[!$()\[\]{}:=@|])
  | (?P<name>[_A-Za-z][_0-9A-Za-z]*)
  | (?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<block>\"\"\"(?:[^"\\]|\\.|"(?!\"\"))*\"\"\")
  | (?P<text>"(?:[^"\\\n]|\\.)*")
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = ("query", "mutation", "subscription")


class GraphqlSyntaxError(Exception):
    """A document that is no GraphQL. ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``."""

    name: str


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A bare word as a value."""

    name: str


Value = Variable | EnumValue | str | int | float | bool | None | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a selection. ``key``: its alias, else its name."""

    name: str
    key: str
    arguments: dict[str, Value]
    selections: tuple[Selection, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """``... on Type { ... }``; without a type it is for all."""

    type_name: str | None
    selections: tuple[Selection, ...]


Selection = Field | Fragment


@dataclass(frozen=True, slots=True)
class Operation:
    """``mutation Name($variable: Type = default) { ... }``. ``variables``: name -> its type as written."""

    kind: str
    name: str | None
    variables: dict[str, str]
    defaults: dict[str, Value]
    selections: tuple[Selection, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int


def parse(document: str) -> list[Operation]:
    """The operations of a document, at least one. Raises GraphqlSyntaxError."""
    reader = _Reader(_tokens(document))
    found = [reader.operation()]
    while reader.next.kind != "end":
        found.append(reader.operation())
    return found


def _tokens(document: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(document):
        line = document.count("\n", 0, at) + 1
        column = at - (document.rfind("\n", 0, at) + 1) + 1
        match = _TOKEN.match(document, at)
        if match is None or match.lastgroup is None:
            sentence = f'Expected an allowed character, actual: UNKNOWN_CHAR ("{document[at]}") at [{line}, {column}]'
            raise GraphqlSyntaxError(sentence, line, column)
        if match.lastgroup != "skip":
            found.append(_Token(match.lastgroup, match[0], line, column))
        at = match.end()
    found.append(_Token("end", "", document.count("\n") + 1, len(document) - document.rfind("\n")))
    return found


@dataclass(slots=True)
class _Reader:
    tokens: list[_Token]
    at: int = field(default=0)

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self, kind: str, text: str | None = None) -> _Token:
        token = self.next
        if token.kind != kind or (text is not None and token.text != text):
            raise self.unexpected()
        self.at += 1
        return token

    def has(self, text: str) -> bool:
        """Take the next token when it is this mark."""
        if self.next.text != text or self.next.kind not in {"mark", "spread"}:
            return False
        self.at += 1
        return True

    def unexpected(self) -> GraphqlSyntaxError:
        token = self.next
        shown = f'Parse error on "{token.text}" ({token.kind.upper()}) at [{token.line}, {token.column}]'
        if token.kind == "end":
            shown = "Unexpected end of document"
        return GraphqlSyntaxError(shown, token.line, token.column)

    def operation(self) -> Operation:
        if self.next.text == "{":
            return Operation("query", None, {}, {}, self.selections())
        if self.next.text not in _KINDS:
            raise self.unexpected()
        kind = self.take("name").text
        name = self.take("name").text if self.next.kind == "name" else None
        variables: dict[str, str] = {}
        defaults: dict[str, Value] = {}
        if self.has("("):
            while not self.has(")"):
                self.take("mark", "$")
                variable = self.take("name").text
                self.take("mark", ":")
                variables[variable] = self.type_name()
                if self.has("="):
                    defaults[variable] = self.value()
        return Operation(kind, name, variables, defaults, self.selections())

    def type_name(self) -> str:
        if self.has("["):
            shown = f"[{self.type_name()}]"
            self.take("mark", "]")
        else:
            shown = self.take("name").text
        return f"{shown}!" if self.has("!") else shown

    def selections(self) -> tuple[Selection, ...]:
        self.take("mark", "{")
        found = [self.selection()]
        while not self.has("}"):
            found.append(self.selection())
        return tuple(found)

    def selection(self) -> Selection:
        if self.has("..."):
            type_name = None
            if self.next.text == "on":
                self.take("name")
                type_name = self.take("name").text
            return Fragment(type_name, self.selections())
        first = self.take("name")
        name = self.take("name").text if self.has(":") else first.text
        arguments: dict[str, Value] = {}
        if self.has("("):
            while not self.has(")"):
                argument = self.take("name").text
                self.take("mark", ":")
                arguments[argument] = self.value()
        below = self.selections() if self.next.text == "{" else ()
        return Field(name, first.text, arguments, below, first.line, first.column)

    def value(self) -> Value:
        if self.has("$"):
            return Variable(self.take("name").text)
        if self.has("["):
            items: list[Value] = []
            while not self.has("]"):
                items.append(self.value())
            return items
        if self.has("{"):
            members: dict[str, Value] = {}
            while not self.has("}"):
                name = self.take("name").text
                self.take("mark", ":")
                members[name] = self.value()
            return members
        return self.scalar()

    def unescaped(self, token: _Token) -> str:
        try:
            return str(json.loads(token.text, strict=False))
        except ValueError:
            raise GraphqlSyntaxError("Bad escape in a string", token.line, token.column) from None

    def scalar(self) -> Value:
        token = self.next
        if token.kind not in {"name", "number", "text", "block"}:
            raise self.unexpected()
        self.at += 1
        match token.kind:
            case "number":
                return float(token.text) if any(sign in token.text for sign in ".eE") else int(token.text)
            case "text":
                return self.unescaped(token)
            case "block":
                return token.text[3:-3].replace('\\"""', '"""').strip()
        return {"true": True, "false": False, "null": None}.get(token.text, EnumValue(token.text))
