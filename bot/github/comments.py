"""Comments of ours, on issues and pull requests and in the threads of a review, and reactions to those of others. What
each function promises is said at the verb of RepoClient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.github import graphql
from bot.github.app_auth import Purpose
from bot.github.calls import RepoCalls, number, text
from bot.github.markers import marker_in
from bot.github.transport import Call, Variable

Reaction = Literal["eyes", "rocket", "confused"]
Kind = Literal["issues", "pulls"]
"""Of a comment: on the issue or pull request, or on a line of its files. The ids of the two are counted apart."""


@dataclass(frozen=True, slots=True)
class CommentInfo:
    """A comment of ours; ``url`` is where people read it, ``node_id`` its name for GraphQL."""

    id: int
    url: str
    body: str
    node_id: str


async def post(calls: RepoCalls, issue_number: int, body: str) -> CommentInfo:
    doing = f"commenting on {calls.slug}#{issue_number}"
    call = Call(doing, "POST", "/issues/{number}/comments", {"number": str(issue_number)})
    return await _post_once(calls, call, "issues", body)


async def reply(calls: RepoCalls, pull_number: int, comment_id: int, body: str) -> CommentInfo:
    doing = f"replying to review comment {comment_id} of {calls.slug}#{pull_number}"
    variables = {"number": str(pull_number), "comment": str(comment_id)}
    call = Call(doing, "POST", "/pulls/{number}/comments/{comment}/replies", variables)
    return await _post_once(calls, call, "pulls", body)


async def edit(calls: RepoCalls, comment_id: int, body: str) -> None:
    doing = f"editing comment {comment_id} of {calls.slug}"
    path, variables = "/issues/comments/{comment}", {"comment": str(comment_id)}
    await calls.write(Call(doing, "PATCH", path, variables, {"body": body}), Purpose.REPORT)


async def find(calls: RepoCalls, kind: Kind, issue_number: int, marker: str) -> CommentInfo | None:
    found = await _find(calls, kind, str(issue_number), marker)
    return None if found is None else _comment(found)


async def react(calls: RepoCalls, kind: Kind, comment_id: int, content: Reaction) -> None:
    doing = f"reacting to comment {comment_id} of {calls.slug}"
    path, variables = f"/{kind}/comments/{{comment}}/reactions", {"comment": str(comment_id)}
    # That somebody looks at it is said at once or not at all; how it ended is worth waiting for.
    call = Call(doing, "POST", path, variables, {"content": content}, optional=content == "eyes")
    await calls.write(call, Purpose.REPORT)


async def minimize(calls: RepoCalls, node_id: str) -> None:
    doing = f"minimizing comment {node_id} of {calls.slug}"
    await calls.mutate(doing, graphql.MINIMIZE, {"subject": node_id}, Purpose.REPORT)


async def _post_once(calls: RepoCalls, call: Call, kind: Kind, body: str) -> CommentInfo:
    """A body with one of our markers is looked for before it is posted a second time."""
    marker = marker_in(body)

    async def found() -> dict[str, Any] | None:
        return await _find(calls, kind, call.variables["number"], marker) if marker else None

    posting = replace(call, body={"body": body}, found=found if marker else None)
    return _comment(await calls.write(posting, Purpose.REPORT))


async def _find(calls: RepoCalls, kind: Kind, issue_number: Variable, marker: str) -> dict[str, Any] | None:
    doing = f"reading the comments of {calls.slug}#{issue_number}"
    path = f"/{kind}/{{number}}/comments{{?per_page}}"
    async for item in calls.pages(doing, path, Purpose.REPORT, number=issue_number):
        if marker_in(text(item, "body")) == marker and await calls.is_ours(item):
            return item
    return None


def _comment(data: Any) -> CommentInfo:
    return CommentInfo(
        number(data, "id", "reading a comment"), text(data, "html_url"), text(data, "body"), text(data, "node_id")
    )
