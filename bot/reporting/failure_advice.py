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
    WHO_PAYS = "Whoever set the budget can cure this"
    TIME = "This is nobody's fault"


@dataclass(frozen=True, slots=True)
class Advice:
    """The next step, as the rest of a sentence that begins with who takes it. ``{prefix}`` is the command prefix.

    ``retry`` tells whether the same run tried again can end otherwise: not where its own words are the trouble.
    """

    cure: Cure
    step: str
    retry: bool = True


_RETRY = "`{prefix} retry`"
_THEN_RETRY = f"then {_RETRY} goes on where it stopped"
_IF_IT_STAYS = f"{_RETRY} tries it again; if it stays, ask whoever runs this bot"
_KEPT = "the work is kept as an artifact of the run"

ADVICE: Mapping[ErrorCode, Advice] = {
    ErrorCode.RUN_CANCELLED: Advice(Cure.REQUESTER, f"{_RETRY} goes on where it stopped, when you want it after all"),
    ErrorCode.RUN_TIMED_OUT: Advice(
        Cure.REQUESTER, f"{_RETRY} goes on where it stopped; asking for less at once, as with `--until specify`, helps"
    ),
    ErrorCode.RUN_INTERNAL: Advice(Cure.OPERATOR, "give them the run id below"),
    ErrorCode.RUN_CRASHED_REPEATEDLY: Advice(
        Cure.OPERATOR, "give them the run id below; the workers' logs tell why they died"
    ),
    ErrorCode.REQUEST_INVALID: Advice(Cure.REQUESTER, "`{prefix} help` shows what can be asked", retry=False),
    ErrorCode.REQUEST_NO_FEATURE: Advice(
        Cure.REQUESTER, "do what is said above, then give the command again", retry=False
    ),
    ErrorCode.REQUEST_PULL_REQUEST_CLOSED: Advice(Cure.REQUESTER, f"reopen the pull request, {_THEN_RETRY}"),
    ErrorCode.AGENT_NOT_ALLOWED: Advice(Cure.REQUESTER, "choose one of the agents named above", retry=False),
    ErrorCode.AGENT_NOT_CONFIGURED: Advice(Cure.OPERATOR, "the agent's key or address is missing from the settings"),
    ErrorCode.AGENT_FAILED: Advice(Cure.TIME, _IF_IT_STAYS),
    ErrorCode.AGENT_RATE_LIMITED: Advice(Cure.TIME, f"{_RETRY} in some minutes goes on where it stopped"),
    ErrorCode.AGENT_MODEL_UNAVAILABLE: Advice(
        Cure.TIME, f"once the model's endpoint answers, {_RETRY} goes on where it stopped"
    ),
    ErrorCode.AGENT_DECLINED: Advice(
        Cure.REQUESTER,
        f"ask for it in other words, or for another model with `--model`; {_RETRY} tries the same words once more",
    ),
    ErrorCode.AGENT_SANDBOX_BROKEN: Advice(
        Cure.OPERATOR, "the agent's own sandbox does not start in the job container; `speckit-bot doctor` tells why"
    ),
    ErrorCode.AGENT_TIMED_OUT: Advice(
        Cure.REQUESTER, f"{_RETRY} tries this phase again; asking for less, or stopping earlier with `--until`, helps"
    ),
    ErrorCode.AGENT_NO_OUTPUT: Advice(
        Cure.REQUESTER,
        f"say more about what you want and give the command again, or {_RETRY} tries the same words once more",
    ),
    ErrorCode.AGENT_TOO_MUCH_OUTPUT: Advice(
        Cure.REQUESTER, f"ask for less and give the command again, or {_RETRY} tries the same words once more"
    ),
    ErrorCode.AGENT_OUT_OF_MEMORY: Advice(Cure.OPERATOR, "the agent needs more memory than the container may have"),
    ErrorCode.AGENT_BUDGET_REACHED: Advice(
        Cure.WHO_PAYS, f"what was finished is kept, and once the budget is raised {_RETRY} goes on after it"
    ),
    ErrorCode.ENGINE_UNREACHABLE: Advice(
        Cure.OPERATOR, f"the container engine does not answer the worker; once it does, {_RETRY} goes on"
    ),
    ErrorCode.ENGINE_IMAGE_MISSING: Advice(Cure.OPERATOR, "the job image is not on the worker's machine"),
    ErrorCode.ENGINE_CONTAINER_LOST: Advice(Cure.TIME, f"{_RETRY} goes on where it stopped"),
    ErrorCode.ENGINE_BOX_OPEN: Advice(
        Cure.OPERATOR, "the container for the agent is not closed as it must be; the run page names what was found open"
    ),
    ErrorCode.CLONE_NOT_FOUND: Advice(Cure.MAINTAINER, f"let the App see the repository, {_THEN_RETRY}"),
    ErrorCode.CLONE_REFUSED: Advice(Cure.MAINTAINER, f"check what the App may do in this repository, {_THEN_RETRY}"),
    ErrorCode.CLONE_EMPTY_REPOSITORY: Advice(Cure.MAINTAINER, f"push a first commit, {_THEN_RETRY}"),
    ErrorCode.CLONE_BASE_NOT_FOUND: Advice(
        Cure.REQUESTER, "name a branch that exists with `--base BRANCH`", retry=False
    ),
    ErrorCode.CLONE_PROJECT_NOT_FOUND: Advice(
        Cure.REQUESTER, "name a folder that exists on that branch with `--project PATH`", retry=False
    ),
    ErrorCode.CLONE_UNSAFE_TREE: Advice(
        Cure.MAINTAINER, f"remove what is named above from the repository, {_THEN_RETRY}"
    ),
    ErrorCode.CLONE_TOO_LARGE: Advice(Cure.OPERATOR, "the repository is larger than the container's disk may be"),
    ErrorCode.CLONE_FAILED: Advice(Cure.TIME, _IF_IT_STAYS),
    ErrorCode.REPOSITORY_ARCHIVED: Advice(Cure.MAINTAINER, f"unarchive the repository, {_THEN_RETRY}"),
    ErrorCode.SPECKIT_INIT_FAILED: Advice(Cure.OPERATOR, "Spec Kit could not be set up; the run's logs tell why"),
    ErrorCode.PUBLISH_PROTECTED_PATH: Advice(Cure.REQUESTER, f"say in the request to leave these paths alone; {_KEPT}"),
    ErrorCode.PUBLISH_FORBIDDEN_FILE: Advice(Cure.REQUESTER, f"say in the request to write plain files only; {_KEPT}"),
    ErrorCode.PUBLISH_TOO_LARGE: Advice(Cure.REQUESTER, f"ask for less; {_KEPT}"),
    ErrorCode.PUBLISH_SECRET: Advice(
        Cure.REQUESTER, f"remove the secret from where the agent found it, replace it, {_THEN_RETRY}"
    ),
    ErrorCode.PUBLISH_PATCH_UNREADABLE: Advice(
        Cure.OPERATOR, "the agent's changes could not be read; the log tells why"
    ),
    ErrorCode.PUBLISH_CONFLICT: Advice(
        Cure.TIME, "give the command again, and it starts from the branch as it is now", retry=False
    ),
    ErrorCode.PUBLISH_REFUSED: Advice(
        Cure.MAINTAINER, f"check the rules for branches named `speckit/` and what the App may do, {_THEN_RETRY}"
    ),
    ErrorCode.PUBLISH_BRANCH_TAKEN: Advice(Cure.MAINTAINER, f"remove or rename the branch named above, {_THEN_RETRY}"),
    ErrorCode.PUBLISH_BRANCH_MOVED: Advice(
        Cure.TIME, f"somebody pushed to the branch meanwhile; {_RETRY} puts the work on top of it"
    ),
    ErrorCode.GITHUB_ACCESS_LOST: Advice(
        Cure.MAINTAINER, f"install the App here again, or grant what is lacking, {_THEN_RETRY}"
    ),
    ErrorCode.GITHUB_UNAVAILABLE: Advice(Cure.TIME, f"once GitHub answers, {_RETRY} goes on where it stopped"),
    ErrorCode.GITHUB_REFUSED: Advice(Cure.MAINTAINER, f"check what the App may do in this repository, {_THEN_RETRY}"),
    ErrorCode.STORAGE_FULL: Advice(Cure.OPERATOR, f"the disk for artifacts is full; with room on it, {_RETRY} goes on"),
}


def advice(error_code: str | None, prefix: str) -> str:
    """One sentence: who can cure it, and how. An unknown code is the operator's."""
    found = _advice_of(error_code)
    return f"{found.cure.value}: {found.step.replace('{prefix}', prefix)}."


def retry_helps(error_code: str | None) -> bool:
    """True where the same run, tried again, can end otherwise."""
    return _advice_of(error_code).retry


def _advice_of(error_code: str | None) -> Advice:
    known = next((code for code in ErrorCode if code == error_code), ErrorCode.RUN_INTERNAL)
    return ADVICE[known]
