"""Labels of repositories, issues and pull requests. Each one put on or taken off is told by itself.

https://docs.github.com/en/rest/issues/labels
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from localhub import representation
from localhub.announcements import tell_either
from localhub.errors import ApiError, invalid, missing_field, not_found, unprocessable
from localhub.model import Issue, Label, Repository, User, utc_now
from localhub.state import State

_COLOR = re.compile(r"[0-9a-fA-F]{6}")
_NAME_LIMIT = 50
_DESCRIPTION_LIMIT = 100
_LABELS_LIMIT = 100


def label_of(repository: Repository, name: str) -> Label:
    """A repository's label; names are case-insensitive. Raises ApiError 404."""
    found = repository.labels.get(name.lower())
    if found is None:
        raise not_found()
    return found


def create(state: State, repository: Repository, wish: Mapping[str, object]) -> Label:
    """Add a label to a repository: ``name``, ``color`` (six hex digits, no #), ``description``. Raises ApiError 422."""
    if "name" not in wish:
        raise missing_field("Label", "name")
    name = _checked_name(wish["name"])
    if name.lower() in repository.labels:
        raise invalid("Label", "name", "already_exists")
    color, description = wish.get("color", "ededed"), wish.get("description")
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        raise invalid("Label", "color")
    if description is not None and (not isinstance(description, str) or len(description) > _DESCRIPTION_LIMIT):
        raise invalid("Label", "description")
    repository.labels[name.lower()] = Label(state.new_id(), name, color.lower(), description)
    return repository.labels[name.lower()]


def _checked_name(wished: object) -> str:
    name = wished.get("name") if isinstance(wished, Mapping) else wished
    if not isinstance(name, str) or not name.strip():
        raise invalid("Label", "name")
    if len(name) > _NAME_LIMIT:
        raise unprocessable("Label", f"name is too long (maximum is {_NAME_LIMIT} characters)", field="name")
    return name.strip()


def _wanted(state: State, repository: Repository, wished: Sequence[object]) -> list[Label]:
    """The labels of those names, made when missing. Nothing is made when one of them is wrong."""
    names = [_checked_name(each) for each in wished]
    for name in names:
        if name.lower() not in repository.labels:
            create(state, repository, {"name": name})
    return list(dict.fromkeys(repository.labels[name.lower()] for name in names))


def add(state: State, issue: Issue, wished: Sequence[object], sender: User) -> None:
    """Put labels (names, or objects with a ``name``) on an issue or pull request. Raises ApiError 422."""
    wanted = _wanted(state, issue.repository, wished)
    if len({*issue.labels, *wanted}) > _LABELS_LIMIT:
        raise unprocessable("Label", f"An issue can have at most {_LABELS_LIMIT} labels.")
    for label in wanted:
        if label not in issue.labels:
            issue.labels.append(label)
            _tell(state, issue, label, "labeled", sender)


def remove(state: State, issue: Issue, name: str, sender: User) -> None:
    """Take one label off. Raises ApiError 404 when it is not on."""
    for label in issue.labels:
        if label.name.lower() == name.lower():
            issue.labels.remove(label)
            _tell(state, issue, label, "unlabeled", sender)
            return
    raise ApiError(404, "Label does not exist")


def replace(state: State, issue: Issue, wished: Sequence[object], sender: User) -> None:
    """Leave exactly these labels on: those that go are told first. Raises ApiError 422."""
    wanted = _wanted(state, issue.repository, wished)
    for label in [each for each in issue.labels if each not in wanted]:
        remove(state, issue, label.name, sender)
    add(state, issue, [label.name for label in wanted], sender)


def _tell(state: State, issue: Issue, label: Label, action: str, sender: User) -> None:
    issue.updated_at = utc_now()
    shown = representation.label(state.urls, issue.repository, label)
    tell_either(state, issue, action, sender, {"label": shown})
