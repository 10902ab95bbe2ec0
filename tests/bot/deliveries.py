"""Deliveries as GitHub sends them: the payload of a comment, trimmed, and a POST with the right headers."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

SECRET = "It's a Secret to Everybody"
"""The secret of GitHub's own example, https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""

_ids = itertools.count(2_000_000_001)


def comment_payload(body: object = "/speckit specify Pay by invoice", **paths: object) -> dict[str, Any]:
    """An ``issue_comment`` of action ``created``. Each ``a__b=value`` changes the field ``a.b``."""
    user = {"login": "mona", "id": 583231, "type": "User"}
    payload: dict[str, Any] = {
        "action": "created",
        "issue": {"number": 7, "title": "Invoices", "user": user, "body": "We want invoices.", "state": "open"},
        "comment": {
            "id": next(_ids),
            "user": dict(user),
            "body": body,
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "author_association": "OWNER",
            "performed_via_github_app": None,
        },
        "repository": {
            "id": 1296269,
            "full_name": "acme/shop",
            "private": False,
            "archived": False,
            "default_branch": "main",
        },
        "sender": dict(user),
        "installation": {"id": 4711, "node_id": "MDIz"},
    }
    return changed(payload, **paths)


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
