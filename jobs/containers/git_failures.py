"""What git and the server said, in our words: whose fault it is, and what to do."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from db.vocabulary import ErrorCode
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.patches.policy import show

_AWAY = re.compile(
    r"Could not resolve host|Connection (?:refused|reset|timed out)|Failed to connect|Empty reply|early EOF"
    r"|unexpected disconnect|RPC failed|returned error: (?:429|5\d\d)|Operation (?:timed out|too slow)|SSL_|TLS"
    r"|transfer closed|hung up unexpectedly|invalid index-pack output|HTTP/2 stream",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"Authentication failed|could not read Username|Access denied|returned error: 40[13]|terminal prompts disabled"
)
_ABSENT = re.compile(r"returned error: 404|repository '[^']*' not found|Repository not found", re.IGNORECASE)
_UNSAFE = re.compile(r"fsck error|hasDotgit|hasDot\b|gitmodules|badTree|nullSha1|fullPathname|invalid path|bad tree")
_FULL = re.compile(r"No space left|out of memory|pack exceeds|mmap failed|unable to write", re.IGNORECASE)
_NO_COMMIT = re.compile(r"not our ref|unadvertised object|no such remote ref|remote error: upload-pack")
_TAKEN = re.compile(
    r"stale info|fetch first|non-fast-forward|already exists|cannot lock ref|failed to lock|reference already"
)
_REMOTE_LINE = re.compile(r"^remote:\s?(.*\S)", re.MULTILINE)
_REMOTE_REASON = re.compile(r"\[remote rejected\] \((.+)\)")


def repository_name(url: str) -> str:
    """``owner/name`` from a clone URL."""
    return urlsplit(url).path.strip("/").removesuffix(".git") or url


def fetch_failure(url: str, base_branch: str, commit: str | None, said: str) -> PipelineError:
    """Why a clone did not work. ``said`` is the end of git's stderr."""
    name = repository_name(url)
    if "couldn't find remote ref" in said:
        return no_branch(url, base_branch)
    if commit is not None and _NO_COMMIT.search(said):
        return UserError(
            ErrorCode.CLONE_BASE_NOT_FOUND,
            f"{name} no longer has the commit {commit[:12]} this run began with. Give the command again.",
        )
    if _UNSAFE.search(said):
        return UserError(
            ErrorCode.CLONE_UNSAFE_TREE,
            f"Cloning {name}: its tree holds something git refuses as unsafe ({_last_line(said)}).",
        )
    if _FULL.search(said):
        return UserError(ErrorCode.CLONE_TOO_LARGE, f"Cloning {name}: it is larger than a run can take.")
    if _ABSENT.search(said):
        return UserError(ErrorCode.CLONE_NOT_FOUND, f"Cloning {name}: there is no such repository for this app.")
    if _REFUSED.search(said):
        return UserError(
            ErrorCode.CLONE_REFUSED, f"Cloning {name}: access was refused. Is the app still installed there?"
        )
    if _AWAY.search(said):
        return TransientError(ErrorCode.CLONE_FAILED, f"cloning {name}: {_last_line(said)}")
    return AppError(ErrorCode.CLONE_FAILED, f"cloning {name}: {_last_line(said)}")


def no_branch(url: str, branch: str) -> UserError:
    """There is no such branch to begin with."""
    return UserError(
        ErrorCode.CLONE_BASE_NOT_FOUND,
        f"{repository_name(url)} has no branch `{show(branch)}`. Name one with `--base`.",
    )


def push_failure(url: str, branch: str, said: str) -> PipelineError:
    """Why a push did not work. ``said`` is git's porcelain lines and the end of its stderr."""
    name = repository_name(url)
    reason = _REMOTE_REASON.search(said)
    remote = " ".join(_REMOTE_LINE.findall(said))[:500].strip()
    if reason is None and _AWAY.search(said):
        return TransientError(ErrorCode.GITHUB_UNAVAILABLE, f"pushing to {name}: {_last_line(said)}")
    if _TAKEN.search(said):
        return UserError(
            ErrorCode.PUBLISH_BRANCH_TAKEN,
            f"{name} already has a branch `{branch}` with other commits; it was left alone. Give the command again.",
        )
    if reason is not None or "archived" in remote.lower() or "workflow" in remote.lower():
        sentence = remote or (reason.group(1) if reason is not None else "")
        return UserError(ErrorCode.PUBLISH_REFUSED, f"{name} refused the branch `{branch}`: {_plain(sentence)}")
    if _REFUSED.search(said) or _ABSENT.search(said) or "denied to" in said:
        return AppError(ErrorCode.GITHUB_ACCESS_LOST, f"pushing to {name}: {_last_line(said)}")
    return AppError(ErrorCode.PUBLISH_REFUSED, f"pushing to {name}: {_last_line(said)}")


def continue_failure(url: str, branch: str, expected: str, remote: object, said: str) -> PipelineError:
    """Why a push on top of ``expected`` did not work. ``remote`` is the commit the branch was at afterwards, empty
    where it was gone, None where nobody could tell."""
    if remote == "":
        return UserError(
            ErrorCode.PUBLISH_BRANCH_MOVED,
            f"Somebody deleted `{show(branch)}` while the run worked, so nothing was pushed. "
            "Restore the branch, then give the command again.",
        )
    is_stale = "[rejected]" in said or "stale info" in said
    if (isinstance(remote, str) and remote != expected) or (remote is None and is_stale):
        return UserError(
            ErrorCode.PUBLISH_BRANCH_MOVED,
            f"Somebody pushed to `{show(branch)}` while the run worked; nothing was overwritten.",
        )
    if remote == expected and _TAKEN.search(said):
        # It moved and came back, or another push holds its lock.
        return TransientError(
            ErrorCode.GITHUB_UNAVAILABLE, f"pushing to {repository_name(url)}: the branch is being changed"
        )
    return push_failure(url, branch, said)


def project_not_found(project: str) -> UserError:
    """There is no such folder to be Spec Kit's root."""
    return UserError(
        ErrorCode.CLONE_PROJECT_NOT_FOUND,
        f"The repository has no folder `{show(project)}` at that commit. Name one with `--project`.",
    )


def _last_line(said: str) -> str:
    """The line that says most: the last one that begins with ``fatal:`` or ``error:``, else the last."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote: error:"))]
    return _plain((telling or lines or ["git gave no reason"])[-1])


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:300]
