"""What GitHub's refusals mean to us: a small tree by meaning, not by status code.

Every error carries the stable code a run ends with when nothing can be done, and whether trying again later may help.
The messages are worded by the action ("commenting on acme/shop#3: the issue is locked") and hold no token.
"""

# ruff: noqa: N818 - named after what they mean, as the jobs' own errors are

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gidgethub import HTTPException

from db.vocabulary import ErrorCode


class GitHubError(Exception):
    """A call to GitHub did not do what was asked. ``transient`` tells whether the same call may succeed later."""

    def __init__(self, code: ErrorCode, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.transient = transient


class NotFound(GitHubError):
    """404 or 410: the thing is gone, or hidden from us."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.GITHUB_REFUSED, message)


class AccessLost(GitHubError):
    """The App was uninstalled or suspended, lost the repository, or lacks a permission."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.GITHUB_ACCESS_LOST, message)


class Unavailable(GitHubError):
    """GitHub did not answer, or answered 5xx. A write may have happened all the same: look before repeating it."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.GITHUB_UNAVAILABLE, message, transient=True)


class RateLimited(GitHubError):
    """The rate limit is used up for longer than a call is allowed to wait. ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(ErrorCode.GITHUB_UNAVAILABLE, message, transient=True)
        self.retry_after = retry_after


class Refused(GitHubError):
    """GitHub understood and said no (400, 409, 422 and their like). ``details`` are its own short reasons."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(ErrorCode.GITHUB_REFUSED, message)
        self.details = tuple(details)

    def mentions(self, *words: str) -> bool:
        """Tell whether one of the words occurs in what GitHub said (compared without case)."""
        said = " ".join((self.message, *self.details)).lower()
        return any(word.lower() in said for word in words)


class Locked(Refused):
    """The conversation is locked, or the repository is archived: nothing can be written there by anybody like us."""


def from_http(error: HTTPException, doing: str) -> GitHubError:
    """Translate gidgethub's exception. ``doing`` names the action and its object; rate limits are not judged here."""
    status, said = int(error.status_code), _said(error)
    message = f"{doing}: {said}"
    if status in {404, 410}:
        return NotFound(message)
    if status in {403, 423} and any(word in said.lower() for word in ("locked", "archived")):
        return Locked(message)
    if status in {401, 403, 451}:
        return AccessLost(message)
    if status >= 500 or status == 408:
        return Unavailable(f"{doing}: GitHub answered {status}")
    return Refused(message, _details(getattr(error, "errors", None)))


def _said(error: HTTPException) -> str:
    said = str(error.args[-1]) if error.args else ""
    return said or error.status_code.phrase


def _details(errors: object) -> tuple[str, ...]:
    """The reasons of a 422 (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api)."""
    if isinstance(errors, str):
        return (errors,)
    if not isinstance(errors, Sequence):
        return ()
    return tuple(_detail(item) for item in errors)


def _detail(item: object) -> str:
    if isinstance(item, Mapping):
        return str(item.get("message") or f"{item.get('field', item.get('resource', '?'))}: {item.get('code', '?')}")
    return str(item)
