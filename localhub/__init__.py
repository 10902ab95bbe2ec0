"""GitHub on localhost, for the demo and the tests: stateful, strict, and ignorant of the product."""

from localhub.errors import ApiError
from localhub.faults import Faults
from localhub.git_repository import Executable, Submodule, Symlink, TreeEntry
from localhub.hub import LocalHub
from localhub.model import (
    App,
    CheckRun,
    CheckSuite,
    Comment,
    Installation,
    Issue,
    Label,
    PullRequest,
    Reaction,
    Repository,
    ReviewComment,
    Team,
    User,
)
from localhub.records import Delivery, RequestRecord, Violation

__all__ = [
    "ApiError",
    "App",
    "CheckRun",
    "CheckSuite",
    "Comment",
    "Delivery",
    "Executable",
    "Faults",
    "Installation",
    "Issue",
    "Label",
    "LocalHub",
    "PullRequest",
    "Reaction",
    "Repository",
    "RequestRecord",
    "ReviewComment",
    "Submodule",
    "Symlink",
    "Team",
    "TreeEntry",
    "User",
    "Violation",
]
