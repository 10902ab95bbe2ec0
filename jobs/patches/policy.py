"""What may cross the border: which paths, which kinds of file, how much, and nothing that is a secret.

A refusal names the path and says what would have been allowed; it never repeats a secret.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.patches.globs import matches
from jobs.patches.model import Change, Patch
from jobs.redaction import SECRET_PATTERNS, encodings

REGULAR_MODES = frozenset({"100644", "100755"})
LONGEST_NAME = 255
LONGEST_PATH = 1000
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class PatchPolicy:
    """``folders`` end with a slash: what lies in them may change; ``files`` are exact paths, ``globs`` as ``globs.py``
    reads them. ``refused`` are globs that no other rule makes good, whatever the case of a name. ``max_bytes`` counts
    what the patch brings in. All paths are from the repository's root."""

    folders: Sequence[str] = ()
    files: Sequence[str] = ()
    globs: Sequence[str] = ()
    refused: Sequence[str] = ()
    max_files: int = 100
    max_bytes: int = 4 << 20


# Characters that HFS+ ignores when it compares names (git's utf8.c, next_hfs_char).
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_NOT_IN_NAMES = frozenset('\\:*?"<>|')
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PROTECTED_NAMES = frozenset({".gitmodules", ".gitattributes", ".github", "codeowners"})
_GIT_SHORT_NAME = re.compile(r"\.?git~\d+|gi[0-9a-f]{4,5}~\d+")


SHORTEST_JUDGED = 12
"""Characters. A shorter one, such as a database's password ``speckit``, is a word that honest work holds too."""


def judge(patch: Patch, policy: PatchPolicy, secrets: Sequence[str] = ()) -> None:
    """Hold ``patch`` against ``policy``; ``secrets`` are values that must not be in it besides the known patterns.

    Raises UserError ``publish.protected_path``, ``publish.forbidden_file``, ``publish.too_large``, ``publish.secret``.
    """
    known = [form for secret in secrets if len(secret) >= SHORTEST_JUDGED for form in encodings(secret)]
    for change in patch.changes:
        # First, because every other refusal names the file.
        if change.kind == "deleted":
            continue
        if what := _secret_in(change.path.encode("utf-8", "surrogateescape"), known):
            raise _secret(what, "a file whose name holds it")
    for change in patch.changes:
        _judge_name(change)
        _judge_place(change, policy)
        _judge_mode(change)
    _judge_collisions(patch.changes)
    _judge_size(patch.changes, policy)
    for change in patch.changes:
        if what := _secret_in(change.added_bytes, known):
            raise _secret(what, f"`{show(change.path)}`")


def show(path: str) -> str:
    """``path`` as it may stand in a sentence: one line, nothing hidden, nothing that ends a code span."""
    plain = "".join(
        character
        if character != "`" and unicodedata.category(character) not in _REFUSED_CATEGORIES
        else character.encode("unicode_escape", "backslashreplace").decode()
        if character != "`"
        else "\\x60"
        for character in path
    )
    return plain if len(plain) <= 200 else plain[:200] + "…"


def _judge_name(change: Change) -> None:
    path = change.path
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in path):
        raise _forbidden(change, "its name holds characters that cannot be shown")
    if any(character in _NOT_IN_NAMES for character in path):
        raise _forbidden(change, "its name cannot be checked out on every system")
    if unicodedata.normalize("NFC", path) != path:
        raise _forbidden(change, "its name is not in Unicode's composed form (NFC)")
    if len(path.encode()) > LONGEST_PATH:
        raise _forbidden(change, "its path is too long")
    for name in path.split("/"):
        if name in {"", ".", ".."} or name != name.strip() or name.endswith("."):
            raise _forbidden(change, "its path is not a plain one")
        if len(name.encode()) > LONGEST_NAME:
            raise _forbidden(change, "its name is too long")
        folded = unicodedata.normalize("NFKC", _IGNORED_BY_HFS.sub("", name)).casefold()
        if folded == ".git" or _GIT_SHORT_NAME.fullmatch(folded) or folded in _PROTECTED_NAMES:
            raise _protected(change, "git and GitHub take their own settings from such a file")


def _judge_place(change: Change, policy: PatchPolicy) -> None:
    path = change.path
    folded = unicodedata.normalize("NFKC", path).casefold()
    for glob in policy.refused:
        if matches(folded, glob):
            raise _protected(change, f"no run may change `{glob}`, whatever is allowed besides")
    inside = any(path.startswith(folder) for folder in policy.folders) or path in policy.files
    if inside or any(matches(path, glob) for glob in policy.globs):
        return
    places = (*policy.folders, *policy.files, *policy.globs)
    if not places:
        raise _protected(change, "this phase may change no file")
    named = ", ".join(f"`{show(place)}`" for place in places[:MOST_NAMED])
    more = f" and {len(places) - MOST_NAMED} more places" if len(places) > MOST_NAMED else ""
    raise _protected(change, f"this phase may change only {named}{more}")


def _judge_mode(change: Change) -> None:
    for mode in (change.old_mode, change.new_mode):
        if mode is None or mode in REGULAR_MODES:
            continue
        what = {"120000": "a symbolic link", "160000": "a nested repository"}.get(mode, f"of mode {mode}")
        raise _forbidden(change, f"it is {what}, and only regular files are taken")


def _judge_collisions(changes: Iterable[Change]) -> None:
    """Two names that one file system takes for the same, or a file where another file needs a folder."""
    seen: dict[str, str] = {}
    kept = [change for change in changes if change.kind != "deleted"]
    for change in kept:
        folded = unicodedata.normalize("NFKC", change.path.casefold()).casefold()
        if folded in seen:
            raise _forbidden(change, f"on some systems it is the same file as `{show(seen[folded])}`")
        seen[folded] = change.path
    for change in kept:
        parts = unicodedata.normalize("NFKC", change.path.casefold()).casefold().split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in seen:
                raise _forbidden(change, "it needs a folder where the patch puts a file")


def _judge_size(changes: Sequence[Change], policy: PatchPolicy) -> None:
    if len(changes) > policy.max_files:
        raise UserError(
            ErrorCode.PUBLISH_TOO_LARGE,
            f"The agent changed {len(changes)} files, and at most {policy.max_files} are taken from one phase.",
        )
    total = sum(change.size_bytes for change in changes)
    if total > policy.max_bytes:
        largest = max(changes, key=lambda change: change.size_bytes)
        raise UserError(
            ErrorCode.PUBLISH_TOO_LARGE,
            f"The agent's changes hold {total} bytes, and at most {policy.max_bytes} are taken from one phase; "
            f"the largest is `{show(largest.path)}`.",
        )


def _secret_in(content: bytes, known: Sequence[bytes]) -> str:
    """What kind of secret is in there, in our words; empty for none."""
    for pattern in SECRET_PATTERNS:
        if next(pattern.spans(content), None) is not None:
            return pattern.name
    return "a secret of this installation" if any(form in content for form in known) else ""


def _protected(change: Change, why: str) -> UserError:
    return UserError(ErrorCode.PUBLISH_PROTECTED_PATH, f"The agent changed `{show(change.path)}`: {why}.")


def _forbidden(change: Change, why: str) -> UserError:
    return UserError(ErrorCode.PUBLISH_FORBIDDEN_FILE, f"The agent left `{show(change.path)}`: {why}.")


def _secret(what: str, where: str) -> UserError:
    return UserError(
        ErrorCode.PUBLISH_SECRET,
        f"The agent's changes seem to hold {what} in {where}, so nothing was published. Take it out of the request.",
    )
