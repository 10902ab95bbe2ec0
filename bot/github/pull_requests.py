"""Pull requests of one repository (https://docs.github.com/en/rest/pulls). What each function promises is said at
the verb of RepoClient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.github.app_auth import Purpose
from bot.github.calls import RepoCalls, flag, number, text
from bot.github.transport import Call

MOST_OPEN_PAGES = 20
MOST_FILE_PAGES = 30
"""GitHub itself lists no more than 3,000 files of a pull request."""


@dataclass(frozen=True, slots=True)
class PullRequestInfo:
    """A pull request as GitHub has it now. ``is_ours``: our App opened it."""

    number: int
    url: str
    state: str
    draft: bool
    merged: bool
    title: str
    body: str
    head_branch: str
    head_sha: str
    head_repository_id: int | None
    """None when the repository of its branch is gone."""
    base_branch: str
    author: str | None
    """A login; None when the account is gone."""
    is_ours: bool


async def create(calls: RepoCalls, fields: Mapping[str, object]) -> PullRequestInfo:
    head = str(fields["head"])

    async def found() -> Any:
        return await _find(calls, head)

    # Asked before: once it is open, nothing may keep us from knowing its number.
    await calls.bot_login()
    doing = f"opening the pull request of {calls.slug}:{head}"
    call = Call(doing, "POST", "/pulls", body=dict(fields), found=found)
    return await _pull_request(calls, await calls.write(call, Purpose.PULL_REQUEST))


async def find(calls: RepoCalls, head: str) -> PullRequestInfo | None:
    data = await _find(calls, head)
    return None if data is None else await _pull_request(calls, data)


async def read(calls: RepoCalls, pull_number: int) -> PullRequestInfo:
    doing = f"reading pull request {calls.slug}#{pull_number}"
    data = await calls.get(doing, "/pulls/{number}", Purpose.READ_CONVERSATION, number=str(pull_number))
    return await _pull_request(calls, data)


async def open_ones(calls: RepoCalls) -> list[PullRequestInfo]:
    doing = f"reading the open pull requests of {calls.slug}"
    listed = calls.pages(
        doing, "/pulls{?state,per_page}", Purpose.READ_CONVERSATION, most=MOST_OPEN_PAGES, state="open"
    )
    return [await _pull_request(calls, item) async for item in listed]


async def files(calls: RepoCalls, pull_number: int) -> list[str]:
    doing = f"reading the files of {calls.slug}#{pull_number}"
    path = "/pulls/{number}/files{?per_page}"
    listed = calls.pages(doing, path, Purpose.READ_CONVERSATION, most=MOST_FILE_PAGES, number=str(pull_number))
    return [text(item, "filename") async for item in listed]


async def update(calls: RepoCalls, pull_number: int, fields: Mapping[str, str | None]) -> None:
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        return
    doing = f"editing pull request {calls.slug}#{pull_number}"
    call = Call(doing, "PATCH", "/pulls/{number}", {"number": str(pull_number)}, given)
    await calls.write(call, Purpose.PULL_REQUEST)


async def request_reviewers(
    calls: RepoCalls, pull_number: int, reviewers: Sequence[str], team_reviewers: Sequence[str]
) -> None:
    if not reviewers and not team_reviewers:
        return
    doing = f"requesting reviewers of {calls.slug}#{pull_number}"
    body = {"reviewers": list(reviewers), "team_reviewers": list(team_reviewers)}
    path, variables = "/pulls/{number}/requested_reviewers", {"number": str(pull_number)}
    await calls.write(Call(doing, "POST", path, variables, body), Purpose.PULL_REQUEST)


async def _find(calls: RepoCalls, head: str) -> dict[str, Any] | None:
    doing = f"looking for the pull request of {calls.slug}:{head}"
    path = "/pulls{?head,state,per_page}"
    listed = calls.pages(doing, path, Purpose.PULL_REQUEST, state="all", head=f"{calls.owner}:{head}")
    async for item in listed:
        origin = item.get("head")
        if text(origin, "ref") == head and _repository_id(origin) == calls.repository_id:
            return item
    return None


async def _pull_request(calls: RepoCalls, data: Any) -> PullRequestInfo:
    pull_number = number(data, "number", "reading a pull request")
    head = data.get("head")
    return PullRequestInfo(
        number=pull_number,
        url=text(data, "html_url"),
        state=text(data, "state"),
        draft=flag(data, "draft"),
        # Lists tell only when it was merged.
        merged=flag(data, "merged") or bool(text(data, "merged_at")),
        title=text(data, "title"),
        body=text(data, "body"),
        head_branch=text(head, "ref"),
        head_sha=text(head, "sha"),
        head_repository_id=_repository_id(head),
        base_branch=text(data.get("base"), "ref"),
        author=text(data.get("user"), "login") or None,
        is_ours=await calls.is_ours(data),
    )


def _repository_id(origin: Any) -> int | None:
    repository = origin.get("repo") if isinstance(origin, Mapping) else None
    value = repository.get("id") if isinstance(repository, Mapping) else None
    return value if isinstance(value, int) else None
