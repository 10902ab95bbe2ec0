"""What a delivery meant: small frozen objects of ours. GitHub's JSON ends in this file.

Only what is read later is parsed (https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment), and
that strictly: a field of the wrong type, an impossible number or a name that is no name is a MalformedPayload. Text
people wrote is never refused for what is in it; what a database cannot keep (NUL, half a surrogate pair) is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

LONGEST_BODY = 131_072
"""Characters. GitHub's own limit of a comment is 65,536; an Enterprise server may allow more."""

LONGEST_TITLE = 256
LARGEST_ID = 2**63 - 1
LARGEST_NUMBER = 2**31 - 1

# A login goes into the path of an API call, so "." and "/" never pass. "_" is in the logins of managed users.
_LOGIN = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,100}(\[bot\])?", re.ASCII)
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class MalformedPayload(Exception):  # noqa: N818 - it names the payload, not the code that met it
    """The payload does not have the shape GitHub documents for its event. The message names the field."""


@dataclass(frozen=True, slots=True)
class CommentPosted:
    """Somebody wrote a new comment on an issue or a pull request (``issue_comment``, action ``created``)."""

    installation_id: int
    repository: str
    repository_id: int
    private: bool
    archived: bool
    default_branch: str
    issue_number: int
    issue_title: str
    on_pull_request: bool
    comment_id: int
    body: str
    author: str
    author_id: int
    author_is_person: bool
    """True for a user account that wrote it with their own hands: no bot, no App in their name."""
    written_at: datetime | None = None
    """When GitHub says it was written (UTC); None when the payload does not tell."""

    @property
    def said_key(self) -> str:
        """What was said, by whom we were told: the same for every delivery of it. GitHub does not sign the headers,
        so a delivery id alone would not stop a replay."""
        return f"{self.installation_id}:{self.comment_id}:created:{sha256(self.body.encode()).hexdigest()}"


Event = CommentPosted


def parse_event(event_name: str, payload: object) -> Event | None:
    """Read one delivery.

    ``event_name`` is the ``X-GitHub-Event`` header, ``payload`` the decoded JSON. Returns None for everything this
    version does not act on: other events, other actions than ``created``, a deleted author, a repository webhook
    (which has no installation). Raises MalformedPayload.
    """
    fields = _object(payload, "the payload")
    if event_name != "issue_comment":
        return None
    action = _text(fields, "action", 64)
    comment, issue = _object(fields.get("comment"), "comment"), _object(fields.get("issue"), "issue")
    repository = _object(fields.get("repository"), "repository")
    if action != "created" or fields.get("installation") is None:
        return None
    if comment.get("user") is None or fields.get("sender") is None:
        return None
    installation = _object(fields["installation"], "installation")
    author, sender = _object(comment["user"], "comment.user"), _object(fields["sender"], "sender")
    return CommentPosted(
        installation_id=_id(installation, "id", "installation."),
        repository=_match(_SLUG, repository, "full_name", "repository."),
        repository_id=_id(repository, "id", "repository."),
        private=_flag(repository, "private", "repository."),
        archived=_flag(repository, "archived", "repository."),
        default_branch=_text(repository, "default_branch", 255, "repository."),
        issue_number=_id(issue, "number", "issue.", LARGEST_NUMBER),
        issue_title=_text(issue, "title", LONGEST_BODY, "issue.")[:LONGEST_TITLE],
        on_pull_request=issue.get("pull_request") is not None,
        comment_id=_id(comment, "id", "comment."),
        body=_text(comment, "body", LONGEST_BODY, "comment."),
        author=_match(_LOGIN, author, "login", "comment.user."),
        author_id=_id(author, "id", "comment.user."),
        author_is_person=_is_person(comment, author, sender),
        written_at=_time(comment.get("created_at")),
    )


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as the delivery row keeps it: plain JSON values, times in ISO 8601."""
    values = asdict(event)
    values["written_at"] = event.written_at.isoformat() if event.written_at else None
    return values


def event_from_json(values: Mapping[str, Any]) -> Event:
    """The event of a delivery row. Raises MalformedPayload when the row holds none that this version reads."""
    try:
        written_at = values.get("written_at")
        return CommentPosted(**{**values, "written_at": datetime.fromisoformat(written_at) if written_at else None})
    except (TypeError, ValueError) as error:
        raise MalformedPayload(f"the kept event: {error}") from error


def _is_person(comment: Mapping[str, Any], author: Mapping[str, Any], sender: Mapping[str, Any]) -> bool:
    accounts_are_users = author.get("type") == "User" and sender.get("type") == "User"
    same = author.get("id") == sender.get("id")
    bot_login = str(author.get("login")).endswith("[bot]")
    return accounts_are_users and same and not bot_login and comment.get("performed_via_github_app") is None


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedPayload(f"{name} is not an object")
    return value


def _text(fields: Mapping[str, Any], key: str, longest: int, parent: str = "") -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise MalformedPayload(f"{parent}{key} is not a string")
    if len(value) > longest:
        raise MalformedPayload(f"{parent}{key} is longer than {longest} characters")
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


def _match(pattern: re.Pattern[str], fields: Mapping[str, Any], key: str, parent: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedPayload(f"{parent}{key} is not a name GitHub gives")
    return value


def _id(fields: Mapping[str, Any], key: str, parent: str, largest: int = LARGEST_ID) -> int:
    value = fields.get(key)
    if type(value) is not int or not 0 < value <= largest:
        raise MalformedPayload(f"{parent}{key} is not a positive number GitHub gives")
    return value


def _flag(fields: Mapping[str, Any], key: str, parent: str) -> bool:
    value = fields.get(key)
    if not isinstance(value, bool):
        raise MalformedPayload(f"{parent}{key} is not true or false")
    return value


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise MalformedPayload("comment.created_at is not a time") from None
