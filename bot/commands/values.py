"""Which values a flag or an argument may have. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands.table import FlagSpec
from bot.configuration.values import FOLDER

QUOTES: Mapping[str, str] = {'"': '"', "'": "'", "\u201c": "\u201d"}
"""What may stand around a value: opening to closing. Telephones type the last pair."""

# https://git-scm.com/docs/git-check-ref-format, rules 3 to 10 for one name below refs/heads/.
_FORBIDDEN_IN_BRANCH = re.compile(r"\.\.|@\{|//|[\x00-\x20\x7f~^:?*\[\\]")
_LONGEST_BRANCH = 244
_AGENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MODEL = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")
_RUN = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]|-(?!-)){0,28}")


def is_branch_name(name: str) -> bool:
    """True if git would take ``name`` as a branch, it cannot be read as an option, and all of it can be seen.

    The length limit (in bytes) leaves room for ``refs/heads/`` in GitHub's limit of 255.
    """
    return (
        0 < len(name.encode(errors="replace")) <= _LONGEST_BRANCH
        and name.isprintable()
        and not _FORBIDDEN_IN_BRANCH.search(name)
        and not name.startswith(("-", "/"))
        and not name.endswith(("/", "."))
        and name not in {"@", "HEAD"}
        and not any(part.startswith(".") or part.endswith(".lock") for part in name.split("/"))
    )


def is_agent_name(name: str) -> bool:
    """True if ``name`` has the form of an agent's name; whether this service offers it is decided later."""
    return _AGENT.fullmatch(name) is not None


def is_run_reference(word: str) -> bool:
    """True for a run id or its first 8 or more characters, in lower case."""
    return _RUN.fullmatch(word) is not None and len(word) <= 36


def is_model_name(name: str) -> bool:
    """True if ``name`` has the form of a model's name: it can be read neither as an option nor as a path upwards."""
    return _MODEL.fullmatch(name) is not None


def project_folder(path: str) -> str | None:
    """The folder of a repository that ``path`` names, without a slash at its end; None if it cannot name one.

    The rule is that of the repository's configuration, where a project can stand too. Nor can it be read as an option
    or as a pattern of git's (https://git-scm.com/docs/gitglossary, "pathspec").
    """
    folder = path.removeprefix("./").removesuffix("/")
    if (
        not 0 < len(folder) <= FOLDER.longest
        or FOLDER.fault_of(folder) is not None
        or folder.startswith(("-", ":"))
        or not folder.isprintable()
    ):
        return None
    return folder


def value_of(flag: FlagSpec, written: str) -> str | None:
    """The value of ``flag`` when ``written`` is given to it; None if it cannot have that. A switch has none."""
    if flag.rule == "folder":
        return project_folder(written)
    accepted = {
        "switch": False,
        "choice": written in flag.allowed,
        "branch": is_branch_name(written),
        "agent": is_agent_name(written),
        "model": is_model_name(written),
    }
    return written if accepted[flag.rule] else None
