"""What to do about a failure, by its code: who can cure it, and the next step. Pure.

The run's own summary says what happened; it is written where the failure is known (and says nothing of an internal
error but where to find it). Here is only what helps next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from db.vocabulary import ErrorCode


class Cure(Enum):
    """Who can do something about it."""

    REQUESTER = "You can cure this"
    MAINTAINER = "Whoever maintains this repository can cure this"
    OPERATOR = "Only whoever runs this bot can cure this"
    TIME = "This is nobody's fault"


@dataclass(frozen=True, slots=True)
class Advice:
    """The next step, as the rest of a sentence that begins with who takes it. ``{prefix}`` is the command prefix."""

    cure: Cure
    step: str


_AGAIN = "then give the command again"

ADVICE: Mapping[ErrorCode, Advice] = {
    ErrorCode.RUN_CANCELLED: Advice(Cure.REQUESTER, "give the command again when you want it after all"),
    ErrorCode.RUN_TIMED_OUT: Advice(
        Cure.REQUESTER, "ask for less at once with `{prefix} specify --until specify TEXT`"
    ),
    ErrorCode.RUN_INTERNAL: Advice(Cure.OPERATOR, "give them the run id below"),
    ErrorCode.RUN_CRASHED_REPEATEDLY: Advice(
        Cure.OPERATOR, "give them the run id below; the workers' logs tell why they died"
    ),
    ErrorCode.REQUEST_INVALID: Advice(Cure.REQUESTER, "`{prefix} help specify` shows what can be asked"),
    ErrorCode.AGENT_NOT_ALLOWED: Advice(Cure.REQUESTER, "choose one of the agents named above"),
    ErrorCode.AGENT_NOT_CONFIGURED: Advice(Cure.OPERATOR, "the agent's key or address is missing from the settings"),
    ErrorCode.AGENT_FAILED: Advice(Cure.TIME, "give the command again; if it stays, ask whoever runs this bot"),
    ErrorCode.AGENT_TIMED_OUT: Advice(Cure.REQUESTER, "ask for less, or stop earlier with `--until specify`"),
    ErrorCode.AGENT_NO_OUTPUT: Advice(Cure.REQUESTER, "say more about the feature and give the command again"),
    ErrorCode.AGENT_TOO_MUCH_OUTPUT: Advice(Cure.REQUESTER, "ask for less and give the command again"),
    ErrorCode.AGENT_OUT_OF_MEMORY: Advice(Cure.OPERATOR, "the agent needs more memory than the container may have"),
    ErrorCode.ENGINE_UNREACHABLE: Advice(Cure.OPERATOR, "the container engine does not answer the worker"),
    ErrorCode.ENGINE_IMAGE_MISSING: Advice(Cure.OPERATOR, "the job image is not on the worker's machine"),
    ErrorCode.ENGINE_CONTAINER_LOST: Advice(Cure.TIME, "give the command again"),
    ErrorCode.CLONE_NOT_FOUND: Advice(Cure.MAINTAINER, f"let the App see the repository, {_AGAIN}"),
    ErrorCode.CLONE_REFUSED: Advice(Cure.MAINTAINER, f"check what the App may do in this repository, {_AGAIN}"),
    ErrorCode.CLONE_EMPTY_REPOSITORY: Advice(Cure.MAINTAINER, f"push a first commit, {_AGAIN}"),
    ErrorCode.CLONE_BASE_NOT_FOUND: Advice(Cure.REQUESTER, "name a branch that exists with `--base BRANCH`"),
    ErrorCode.CLONE_UNSAFE_TREE: Advice(Cure.MAINTAINER, f"remove what is named above from the repository, {_AGAIN}"),
    ErrorCode.CLONE_TOO_LARGE: Advice(Cure.OPERATOR, "the repository is larger than the container's disk may be"),
    ErrorCode.CLONE_FAILED: Advice(Cure.TIME, "give the command again; if it stays, ask whoever runs this bot"),
    ErrorCode.REPOSITORY_ARCHIVED: Advice(Cure.MAINTAINER, f"unarchive the repository, {_AGAIN}"),
    ErrorCode.SPECKIT_INIT_FAILED: Advice(Cure.OPERATOR, "Spec Kit could not be set up; the run's logs tell why"),
    ErrorCode.PUBLISH_PROTECTED_PATH: Advice(
        Cure.REQUESTER, "say in the request to leave these paths alone; the work is kept as an artifact of the run"
    ),
    ErrorCode.PUBLISH_FORBIDDEN_FILE: Advice(
        Cure.REQUESTER, "say in the request to write plain files only; the work is kept as an artifact of the run"
    ),
    ErrorCode.PUBLISH_TOO_LARGE: Advice(Cure.REQUESTER, "ask for less; the work is kept as an artifact of the run"),
    ErrorCode.PUBLISH_SECRET: Advice(Cure.REQUESTER, "remove the secret from where the agent found it, and replace it"),
    ErrorCode.PUBLISH_PATCH_UNREADABLE: Advice(
        Cure.OPERATOR, "the agent's changes could not be read; the log tells why"
    ),
    ErrorCode.PUBLISH_CONFLICT: Advice(Cure.TIME, "give the command again: it starts from the branch as it is now"),
    ErrorCode.PUBLISH_REFUSED: Advice(
        Cure.MAINTAINER, f"check the rules for branches named `speckit/` and what the App may do, {_AGAIN}"
    ),
    ErrorCode.PUBLISH_BRANCH_TAKEN: Advice(Cure.MAINTAINER, f"remove or rename the branch named above, {_AGAIN}"),
    ErrorCode.GITHUB_ACCESS_LOST: Advice(
        Cure.MAINTAINER, f"install the App here again, or grant what is lacking, {_AGAIN}"
    ),
    ErrorCode.GITHUB_UNAVAILABLE: Advice(Cure.TIME, "give the command again when GitHub answers"),
    ErrorCode.GITHUB_REFUSED: Advice(Cure.MAINTAINER, f"check what the App may do in this repository, {_AGAIN}"),
    ErrorCode.STORAGE_FULL: Advice(Cure.OPERATOR, "the disk for artifacts is full"),
}


def advice(error_code: str | None, prefix: str) -> str:
    """One sentence: who can cure it, and how. An unknown code is the operator's."""
    known = next((code for code in ErrorCode if code == error_code), ErrorCode.RUN_INTERNAL)
    found = ADVICE[known]
    return f"{found.cure.value}: {found.step.replace('{prefix}', prefix)}."
