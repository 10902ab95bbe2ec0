"""GraphQL, for what REST has no call (https://docs.github.com/en/graphql).

It answers 200 also when it refused (F22). Here such an answer becomes the one REST would have given, so that everything
that knows REST's, from the rate gate to the errors, knows these too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MINIMIZE = (
    "mutation($subject: ID!) {"
    " minimizeComment(input: {subjectId: $subject, classifier: OUTDATED}) { minimizedComment { isMinimized } } }"
)

_STATUS: Mapping[object, int] = {
    "NOT_FOUND": 404,
    "FORBIDDEN": 403,
    "INSUFFICIENT_SCOPES": 403,
    "RATE_LIMITED": 429,
    "SERVICE_UNAVAILABLE": 503,
    "INTERNAL": 502,
}
_REFUSED = 422
_BROKEN = 502


def endpoint(api_url: str) -> str:
    """Where GraphQL is: beside REST on an Enterprise server (``/api/v3`` and ``/api/graphql``), else below its root."""
    base = api_url.rstrip("/")
    return f"{base.removesuffix('/v3') if base.endswith('/api/v3') else base}/graphql"


def as_rest(body: bytes) -> tuple[int, bytes]:
    """Status and body of an answer of 200: itself, or REST's for its first error."""
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, LookupError, TypeError):
        return 200, body
    if not errors:
        return 200, body
    first: Any = errors[0] if isinstance(errors, list) else None
    error = first if isinstance(first, Mapping) else {}
    said = str(error.get("message") or "GraphQL gave an error without a message")
    kind = error.get("type")
    status = _STATUS.get(kind, _REFUSED) if isinstance(kind, str) else _REFUSED
    if kind is None and said.startswith("Something went wrong"):
        # It timed out or broke inside, and says so without a type.
        status = _BROKEN
    return status, json.dumps({"message": said}).encode()
