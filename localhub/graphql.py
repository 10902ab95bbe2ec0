"""GraphQL: the mutations ``minimizeComment`` and ``unminimizeComment``, and nothing else.

https://docs.github.com/en/graphql/reference/mutations#minimizecomment . GitHub answers 200 also when something is
wrong; then ``errors`` says what. A document that asks for anything else is remembered as an unknown route is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localhub import apps, conversations, representation
from localhub.api import Answer, Audience, Call, Route
from localhub.auth import Actor
from localhub.errors import ApiError
from localhub.graphql_parser import (
    EnumValue,
    Field,
    Fragment,
    GraphqlSyntaxError,
    Operation,
    Selection,
    Value,
    Variable,
    parse,
)
from localhub.model import Comment, Repository, ReviewComment
from localhub.representation import Json
from localhub.state import State

_HEADERS = {"X-RateLimit-Resource": "graphql"}
_INPUTS = {"minimizeComment": ("subjectId", "classifier"), "unminimizeComment": ("subjectId",)}
_RESULTS = {"minimizeComment": "minimizedComment", "unminimizeComment": "unminimizedComment"}
_TYPES = {Comment: "IssueComment", ReviewComment: "PullRequestReviewComment"}
_INTERFACES = {"Minimizable", "Comment", "Node"}
_ON_EVERY_COMMENT = {"isMinimized", "minimizedReason", "viewerCanMinimize", "viewerCanUnminimize", "__typename"}
_ON_A_TYPE = {"id", "body", "url"}


class _Wrong(Exception):  # noqa: N818 - an answer of GitHub's, not a fault of ours
    """One entry of ``errors``. ``kind``: NOT_FOUND, FORBIDDEN, ...; None: the document does not fit the schema."""

    def __init__(
        self, message: str, kind: str | None = None, code: str | None = None, *, unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.message, self.kind, self.code, self.unknown = message, kind, code, unknown

    def shown(self, at: Field, path: list[str]) -> Json:
        """As GitHub answers."""
        place = [{"line": at.line, "column": at.column}]
        error: Json = {"path": path, "locations": place, "message": self.message}
        if self.code is not None:
            error["extensions"] = {"code": self.code}
        return error if self.kind is None else {"type": self.kind, **error}


@dataclass(frozen=True, slots=True)
class _Mutation:
    """One of our two mutations, checked against the schema. ``given``: the members of its ``input``."""

    at: Field
    given: Mapping[str, object]


async def answer(call: Call) -> Answer:
    """Serve ``POST /graphql``."""
    if call.actor.is_jwt:
        raise ApiError(401, "Bad credentials", violation="permission")
    if call.actor.user is None:
        raise ApiError(401, "This endpoint requires you to be authenticated.")
    document, variables = call.sent.get("query"), call.sent.get("variables") or {}
    if not isinstance(document, str) or not document.strip():
        raise ApiError(400, "A query attribute must be specified and must be a string.")
    if not isinstance(variables, dict):
        raise ApiError(400, "Variables are invalid JSON.")
    try:
        operation = _operation(parse(document), call.sent.get("operationName"))
    except GraphqlSyntaxError as wrong:
        place = [{"line": wrong.line, "column": wrong.column}]
        return Answer({"errors": [{"message": wrong.message, "locations": place}]}, headers=_HEADERS)
    except _Wrong as wrong:
        return Answer({"errors": [{"message": wrong.message}]}, headers=_HEADERS)
    return Answer(_served(call, operation, variables), headers=_HEADERS)


def _operation(found: list[Operation], name: object) -> Operation:
    wanted = [each for each in found if name in {None, "", each.name}]
    if len(wanted) == 1:
        return wanted[0]
    raise _Wrong(f"No operation named {name!r}" if name else "An operation name is required")


def _served(call: Call, operation: Operation, variables: Mapping[str, object]) -> Json:
    """All fields are checked first: a document that does not fit does nothing."""
    refused: list[Json] = []
    checked: list[_Mutation] = []
    for each in operation.selections:
        at = each if isinstance(each, Field) else Field("...", "...", {}, (), 1, 1)
        try:
            checked.append(_Mutation(at, _checked(operation, each, variables)))
        except _Wrong as wrong:
            refused.append(wrong.shown(at, [operation.kind, at.key]))
            if wrong.unknown:
                call.state.record_violation("unknown_route", f"POST /graphql: {operation.kind} {at.name}")
    if refused:
        return {"errors": refused}
    data: Json = {}
    errors: list[Json] = []
    for mutation in checked:
        try:
            data[mutation.at.key] = _perform(call, mutation)
        except _Wrong as wrong:
            data[mutation.at.key] = None
            errors.append(wrong.shown(mutation.at, [mutation.at.key]))
    return {"data": data, "errors": errors} if errors else {"data": data}


# Against the schema


def _checked(operation: Operation, each: Selection, variables: Mapping[str, object]) -> dict[str, object]:
    """The members of the mutation's input. Raises _Wrong."""
    if isinstance(each, Fragment) or operation.kind != "mutation" or each.name not in _INPUTS:
        name = "..." if isinstance(each, Fragment) else each.name
        sentence = f"Field '{name}' doesn't exist on type '{operation.kind.capitalize()}'"
        raise _Wrong(sentence, code="undefinedField", unknown=True)
    type_name = f"{each.name[0].upper()}{each.name[1:]}"
    written = each.arguments.get("input")
    given = _plain(operation, written, variables)
    if not isinstance(given, dict):
        sentence = f"Field '{each.name}' is missing required arguments: input"
        raise _Wrong(sentence, code="missingRequiredArguments")
    for name in given.keys() - {*_INPUTS[each.name], "clientMutationId"}:
        sentence = f"InputObject '{type_name}Input' doesn't accept argument '{name}'"
        raise _Wrong(sentence, code="argumentNotAccepted")
    for name in _INPUTS[each.name]:
        if given.get(name) is None:
            sentence = f"Argument '{name}' on InputObject '{type_name}Input' is required."
            raise _Wrong(sentence, code="missingRequiredInputObjectAttribute")
    if "classifier" in given:
        written_classifier = written.get("classifier") if isinstance(written, dict) else None
        # A quoted word is no enum value in the document itself; in the variables there is no other way to write one.
        if isinstance(written_classifier, str) or given["classifier"] not in conversations.CLASSIFIERS:
            sentence = (
                f"Argument 'classifier' on InputObject '{type_name}Input' has an invalid value "
                f"({given['classifier']}). Expected type 'ReportedContentClassifiers!'."
            )
            raise _Wrong(sentence, code="argumentLiteralsIncompatible")
    _check_selections(each, f"{type_name}Payload")
    return given


def _plain(operation: Operation, value: Value, variables: Mapping[str, object]) -> object:
    """A value with its variables put in. Raises _Wrong for a variable that was not declared or not given."""
    match value:
        case Variable(name):
            if name not in operation.variables:
                raise _Wrong(f"Variable ${name} is used but not declared", code="variableNotDefined")
            if name in variables:
                return variables[name]
            if operation.variables[name].endswith("!") and name not in operation.defaults:
                kind = operation.variables[name]
                raise _Wrong(f"Variable ${name} of type {kind} was provided invalid value")
            return _plain(operation, operation.defaults.get(name), {})
        case EnumValue(name):
            return name
        case dict():
            return {name: _plain(operation, member, variables) for name, member in value.items()}
        case list():
            return [_plain(operation, member, variables) for member in value]
    return value


def _check_selections(at: Field, type_name: str) -> None:
    result = _RESULTS[at.name]
    allowed = {"clientMutationId", "__typename", result}
    if not at.selections:
        sentence = f"Field must have selections (field '{at.name}' returns {type_name} but has no selections.)"
        raise _Wrong(sentence, code="selectionMismatch")
    for each in _fields(at.selections, {type_name}):
        if each.name not in allowed:
            raise _Wrong(f"Field '{each.name}' doesn't exist on type '{type_name}'", code="undefinedField")
        if each.name == result and not each.selections:
            sentence = f"Field must have selections (field '{result}' returns Minimizable but has no selections.)"
            raise _Wrong(sentence, code="selectionMismatch")
        if each.name == result:
            _check_comment(each.selections, "Minimizable")


def _check_comment(selections: tuple[Selection, ...], type_name: str) -> None:
    known = _ON_EVERY_COMMENT | (_ON_A_TYPE if type_name in _TYPES.values() else set())
    for each in selections:
        if isinstance(each, Fragment):
            _check_comment(each.selections, each.type_name or type_name)
        elif each.name not in known:
            raise _Wrong(f"Field '{each.name}' doesn't exist on type '{type_name}'", code="undefinedField")


def _fields(selections: tuple[Selection, ...], types: set[str]) -> list[Field]:
    """The fields that a selection has for an object of these types, fragments opened."""
    found: list[Field] = []
    for each in selections:
        if isinstance(each, Field):
            found.append(each)
        elif each.type_name is None or each.type_name in types:
            found += _fields(each.selections, types)
    return found


# What the mutations do


def _perform(call: Call, mutation: _Mutation) -> Json:
    comment = _subject(call.state, call.actor, str(mutation.given["subjectId"]))
    _judge(call, comment, mutation.at.name)
    if mutation.at.name == "minimizeComment":
        conversations.minimize(comment, str(mutation.given["classifier"]))
    else:
        conversations.unminimize(comment)
    payload: Json = {}
    for each in _fields(mutation.at.selections, set()):
        if each.name == "clientMutationId":
            payload[each.key] = mutation.given.get("clientMutationId")
        elif each.name == "__typename":
            payload[each.key] = f"{mutation.at.name[0].upper()}{mutation.at.name[1:]}Payload"
        else:
            payload[each.key] = _shown(call.state, comment, each)
    return payload


def _shown(state: State, comment: Comment | ReviewComment, at: Field) -> Json:
    kind = _TYPES[type(comment)]
    if isinstance(comment, Comment):
        node, url = representation.node_id("IC", comment.id), representation.comment_page(state.urls, comment)
    else:
        node = representation.node_id("PRRC", comment.id)
        page = f"{state.urls.web}/{comment.repository.full_name}/pull/{comment.pull.number}"
        url = f"{page}#discussion_r{comment.id}"
    values: Json = {
        "__typename": kind,
        "id": node,
        "body": comment.body,
        "url": url,
        "isMinimized": comment.minimized is not None,
        "minimizedReason": comment.minimized,
        "viewerCanMinimize": True,
        "viewerCanUnminimize": True,
    }
    return {each.key: values[each.name] for each in _fields(at.selections, {kind, *_INTERFACES})}


def _subject(state: State, actor: Actor, node: str) -> Comment | ReviewComment:
    """The comment of a global id, if the actor may see it. Raises _Wrong."""
    unknown = _Wrong(f"Could not resolve to a node with the global id of '{node}'", "NOT_FOUND")
    numbered = representation.number_of_node(node)
    if numbered is None:
        raise unknown
    kind, number = numbered
    found: Comment | ReviewComment | None = None
    for repository in state.repositories.values():
        held: Mapping[int, Comment | ReviewComment]
        held = repository.comments if kind == "IC" else repository.review_comments if kind == "PRRC" else {}
        found = found or held.get(number)
    if found is None:
        raise unknown
    if actor.token is not None and found.repository not in actor.token.repositories:
        name = found.repository.full_name
        state.record_violation("scope", f"{actor.name}: GraphQL on {name} with a token not made for it")
        raise unknown if found.repository.private else _Wrong("Resource not accessible by integration", "FORBIDDEN")
    if actor.token is None and not state.may(found.repository, actor.user, "read"):
        raise unknown
    return found


def _judge(call: Call, comment: Comment | ReviewComment, name: str) -> None:
    """Raise _Wrong when the actor may not fold this comment away or unfold it."""
    repository: Repository = comment.repository
    if repository.archived:
        raise _Wrong("Repository was archived so is read-only.", "UNPROCESSABLE")
    if call.actor.token is None:
        if comment.user is not call.user and not call.state.may(repository, call.user, "triage"):
            mutation = f"{name[0].upper()}{name[1:]}"
            sentence = f"{call.user.login} does not have the correct permissions to execute `{mutation}`"
            raise _Wrong(sentence, "FORBIDDEN")
        return
    accepted = ["pull_requests"] if isinstance(comment, ReviewComment) else ["issues"]
    if comment.issue.pull is not None and isinstance(comment, Comment):
        accepted.append("pull_requests")
    if not any(apps.covers(call.actor.token.permissions, each, "write") for each in accepted):
        call.state.record_violation("permission", f"POST /graphql {name}: needs one of {', '.join(accepted)} to write")
        raise _Wrong("Resource not accessible by integration", "FORBIDDEN")


ROUTES = [Route("POST", "/graphql", answer, audience=Audience.ANYONE)]
