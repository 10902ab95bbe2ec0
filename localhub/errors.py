"""How localhub says no: GitHub's status codes, sentences and error bodies.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """A request that GitHub would refuse. ``errors`` is the list GitHub adds to a 422."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[dict[str, object]] | None = None,
        headers: Mapping[str, str] | None = None,
        violation: str | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})
        self.violation = violation
        """Set when a well-made client would not have asked: its kind in ``LocalHub.violations``."""

    def body(self) -> dict[str, object]:
        """The JSON GitHub answers with."""
        body: dict[str, object] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return {**body, "documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found(message: str = "Not Found") -> ApiError:
    """404: missing, or not to be seen by the one who asks."""
    return ApiError(404, message)


def bad_credentials() -> ApiError:
    """401: unknown, expired or revoked token."""
    return ApiError(401, "Bad credentials")


def requires_authentication() -> ApiError:
    """401: nobody said who they are."""
    return ApiError(401, "Requires authentication")


def not_accessible(accepted: str) -> ApiError:
    """403 to an App that lacks a permission. ``accepted`` goes into ``X-Accepted-GitHub-Permissions``."""
    return ApiError(
        403,
        "Resource not accessible by integration",
        headers={"X-Accepted-GitHub-Permissions": accepted},
        violation="permission",
    )


def missing_field(resource: str, field: str) -> ApiError:
    """422: a field that must be there is not."""
    return invalid(resource, field, "missing_field")


def invalid(resource: str, field: str, code: str = "invalid") -> ApiError:
    """422 with GitHub's machine-readable reason."""
    return ApiError(422, "Validation Failed", errors=[{"resource": resource, "field": field, "code": code}])


def unprocessable(resource: str, message: str, *, field: str | None = None, code: str = "custom") -> ApiError:
    """422 with a sentence of its own."""
    error: dict[str, object] = {"resource": resource, "code": code, "message": message}
    if field is not None:
        error["field"] = field
    return ApiError(422, "Validation Failed", errors=[error])
