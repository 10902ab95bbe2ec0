"""Issues, and what issues and pull requests have in common: labels and assignees
(https://docs.github.com/en/rest/issues). What each function promises is said at the verb of RepoClient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.github.app_auth import Purpose
from bot.github.calls import RepoCalls, flag, number, text
from bot.github.transport import Call


@dataclass(frozen=True, slots=True)
class IssueInfo:
    """An issue or a pull request as GitHub has it now; ``labels`` are names."""

    number: int
    title: str
    body: str
    state: str
    locked: bool
    labels: tuple[str, ...]
    is_pull_request: bool


async def read(calls: RepoCalls, issue_number: int) -> IssueInfo:
    doing = f"reading issue {calls.slug}#{issue_number}"
    data = await calls.get(doing, "/issues/{number}", Purpose.READ_CONVERSATION, number=str(issue_number))
    found = number(data, "number", doing)
    labels = data.get("labels")
    return IssueInfo(
        number=found,
        title=text(data, "title"),
        body=text(data, "body"),
        state=text(data, "state"),
        locked=flag(data, "locked"),
        labels=tuple(text(label, "name") for label in labels) if isinstance(labels, list) else (),
        is_pull_request=data.get("pull_request") is not None,
    )


async def add_labels(calls: RepoCalls, issue_number: int, labels: Sequence[str]) -> None:
    await _add(calls, issue_number, {"labels": list(labels)})


async def add_assignees(calls: RepoCalls, issue_number: int, logins: Sequence[str]) -> None:
    await _add(calls, issue_number, {"assignees": list(logins)})


async def remove_label(calls: RepoCalls, issue_number: int, label: str) -> None:
    doing = f"taking a label off {calls.slug}#{issue_number}"
    variables = {"number": str(issue_number), "label": label}
    call = Call(doing, "DELETE", "/issues/{number}/labels/{label}", variables, writes=True)
    await calls.unless_missing(call, Purpose.REPORT)


async def _add(calls: RepoCalls, issue_number: int, fields: Mapping[str, list[str]]) -> None:
    ((what, names),) = fields.items()
    if not names:
        return
    doing = f"adding {what} to {calls.slug}#{issue_number}"
    call = Call(doing, "POST", f"/issues/{{number}}/{what}", {"number": str(issue_number)}, dict(fields))
    await calls.write(call, Purpose.REPORT)
