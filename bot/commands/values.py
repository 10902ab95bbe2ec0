"""Which values a flag or an argument may have. Pure: every answer is a bool."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands.model import FlagSpec

QUOTES: Mapping[str, str] = {'"': '"', "'": "'", "\u201c": "\u201d"}
"""What may stand around a value: opening to closing. Telephones type the last pair."""

# https://git-scm.com/docs/git-check-ref-format, rules 3 to 10 for one name below refs/heads/.
_FORBIDDEN_IN_BRANCH = re.compile(r"\.\.|@\{|//|[\x00-\x20\x7f~^:?*\[\\]")
_LONGEST_BRANCH = 244
_AGENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
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


def accepts(flag: FlagSpec, value: str) -> bool:
    """True if ``value`` may be given to ``flag``. A switch accepts none."""
    match flag.rule:
        case "choice":
            return value in flag.allowed
        case "branch":
            return is_branch_name(value)
        case "agent":
            return is_agent_name(value)
        case "switch":
            return False
