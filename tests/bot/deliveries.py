"""Deliveries as GitHub sends them: the payload of each event, trimmed, and a POST with the right headers."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

SECRET = "It's a Secret to Everybody"
"""The secret of GitHub's own example, https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""

_ids = itertools.count(2_000_000_001)


HEAD = "b" * 40
APP = {"id": 12345, "slug": "speckit-test"}
REPOSITORY_ID = 1296269


def now() -> str:
    """This second, as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _payload(action: str, **parts: object) -> dict[str, Any]:
    return {
        "action": action,
        **parts,
        "repository": {
            "id": REPOSITORY_ID,
            "full_name": "acme/shop",
            "private": False,
            "archived": False,
            "default_branch": "main",
        },
        "sender": _mona(),
        "installation": {"id": 4711, "node_id": "MDIz"},
    }


def _mona() -> dict[str, Any]:
    return {"login": "mona", "id": 583231, "type": "User"}


def _issue() -> dict[str, Any]:
    return {
        "number": 7,
        "title": "Invoices",
        "user": _mona(),
        "body": "We want invoices.",
        "state": "open",
        "updated_at": now(),
    }


def _pull_request() -> dict[str, Any]:
    repository = {"id": REPOSITORY_ID}
    return {
        "number": 12,
        "title": "Invoices",
        "user": _mona(),
        "body": "Closes nothing.",
        "state": "open",
        "updated_at": now(),
        "merged_at": None,
        "head": {"ref": "speckit/20261122/7f3a9c", "sha": HEAD, "repo": dict(repository)},
        "base": {"ref": "main", "sha": "a" * 40, "repo": dict(repository)},
    }


def comment_payload(body: object = "/speckit specify Pay by invoice", **paths: object) -> dict[str, Any]:
    """An ``issue_comment`` of action ``created``. Each ``a__b=value`` changes the field ``a.b``."""
    number = next(_ids)
    comment = {
        "id": number,
        "node_id": f"IC_{number}",
        "user": _mona(),
        "body": body,
        "created_at": now(),
        "author_association": "OWNER",
        "performed_via_github_app": None,
    }
    return changed(_payload("created", issue=_issue(), comment=comment), **paths)


def review_comment_payload(body: object = "/speckit refine Say which currency", **paths: object) -> dict[str, Any]:
    """A ``pull_request_review_comment`` of action ``created`` on line 12 of a specification."""
    number = next(_ids)
    comment = {
        "id": number,
        "node_id": f"PRRC_{number}",
        "user": _mona(),
        "body": body,
        "created_at": now(),
        "path": "specs/001-invoices/spec.md",
        "line": 12,
        "original_line": 10,
        "side": "RIGHT",
        "commit_id": HEAD,
    }
    return changed(_payload("created", pull_request=_pull_request(), comment=comment), **paths)


def labeled_payload(label: str = "speckit:specify", *, pull: bool = False, **paths: object) -> dict[str, Any]:
    """An ``issues`` event, or with ``pull`` a ``pull_request`` one, of action ``labeled``."""
    about = {"pull_request": _pull_request()} if pull else {"issue": _issue()}
    return changed(_payload("labeled", **about, label={"id": 1, "name": label, "color": "ededed"}), **paths)


def assigned_payload(*, pull: bool = False, **paths: object) -> dict[str, Any]:
    """The same of action ``assigned``, to our App's bot."""
    about = {"pull_request": _pull_request()} if pull else {"issue": _issue()}
    bot = {"login": f"{APP['slug']}[bot]", "id": 4242, "type": "Bot"}
    return changed(_payload("assigned", **about, assignee=bot), **paths)


def check_run_payload(action: str = "requested_action", **paths: object) -> dict[str, Any]:
    """A ``check_run`` event about a check run of ours."""
    check = {
        "id": 1494503112,
        "head_sha": HEAD,
        "external_id": "7f3a9c00-0000-4000-8000-000000000000",
        "status": "completed",
        "app": dict(APP),
        "pull_requests": _pull_references(),
    }
    pressed: dict[str, object] = {"requested_action": {"identifier": "retry"}} if action == "requested_action" else {}
    return changed(_payload(action, check_run=check, **pressed), **paths)


def check_suite_payload(**paths: object) -> dict[str, Any]:
    """A ``check_suite`` of action ``rerequested``."""
    suite = {
        "id": 1604239627,
        "head_sha": HEAD,
        "head_branch": "speckit/20261122/7f3a9c",
        "app": dict(APP),
        "pull_requests": _pull_references(),
    }
    return changed(_payload("rerequested", check_suite=suite), **paths)


def pull_request_payload(action: str = "synchronize", **paths: object) -> dict[str, Any]:
    """A ``pull_request`` event."""
    return changed(_payload(action, number=12, pull_request=_pull_request()), **paths)


def _pull_references() -> list[dict[str, Any]]:
    pull = _pull_request()
    return [{"number": pull["number"], "head": pull["head"], "base": pull["base"]}]


EVENTS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "comment": ("issue_comment", comment_payload),
    "review comment": ("pull_request_review_comment", review_comment_payload),
    "label of an issue": ("issues", labeled_payload),
    "label of a pull request": ("pull_request", lambda: labeled_payload(pull=True)),
    "assignment of an issue": ("issues", assigned_payload),
    "assignment of a pull request": ("pull_request", lambda: assigned_payload(pull=True)),
    "button": ("check_run", check_run_payload),
    "check again": ("check_run", lambda: check_run_payload("rerequested")),
    "suite again": ("check_suite", check_suite_payload),
    "opened": ("pull_request", lambda: pull_request_payload("opened")),
    "pushed": ("pull_request", lambda: pull_request_payload("synchronize")),
    "closed": ("pull_request", lambda: pull_request_payload("closed")),
    "reopened": ("pull_request", lambda: pull_request_payload("reopened")),
}
"""Everything that is an event of ours: the name in the header, and the payload."""


def changed(payload: dict[str, Any], **paths: object) -> dict[str, Any]:
    """The payload with fields replaced in place: ``comment__user=None``."""
    for path, value in paths.items():
        *parents, key = path.split("__")
        place = payload
        for parent in parents:
            place = place[parent]
        place[key] = value
    return payload


def signature(body: bytes, secret: str = SECRET) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def headers(body: bytes, event: str = "issue_comment", **changes: str | None) -> dict[str, str]:
    """The headers of a delivery; a header given as ``X_GitHub_Event=None`` is left out."""
    all_headers: dict[str, str | None] = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": str(uuid4()),
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": signature(body),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in all_headers.items() if value is not None}


def encoded(payload: Mapping[str, Any]) -> bytes:
    """The payload as bytes."""
    return json.dumps(payload).encode()
