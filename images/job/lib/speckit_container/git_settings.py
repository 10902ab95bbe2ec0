"""How git is called here: no configuration but ours, no hooks, no filters, and raw bytes in and out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

SETTINGS: Mapping[str, str] = {
    "core.autocrlf": "false",
    "core.compression": "1",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "true",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "credential.helper": "",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "transfer.fsckObjects": "true",
    # Old but harmless forms that real repositories hold.
    "fetch.fsck.zeroPaddedFilemode": "warn",
    "fetch.fsck.missingSpaceBeforeDate": "warn",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "user.useConfigOnly": "true",
    "diff.renames": "false",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
}

# The highest of git's attribute files: a repository's own .gitattributes changes no byte that passes here.
RAW_ATTRIBUTES = "* -text !eol !filter !ident !working-tree-encoding !diff !merge !export-ignore !export-subst\n"


def environment(extra: Sequence[tuple[str, str]] = (), variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of one git process. ``extra`` are settings of this process only, such as a header."""
    pairs = [*SETTINGS.items(), *extra]
    made = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_CONFIG_COUNT": str(len(pairs)),
        **(variables or {}),
    }
    for number, (key, value) in enumerate(pairs):
        made[f"GIT_CONFIG_KEY_{number}"] = key
        made[f"GIT_CONFIG_VALUE_{number}"] = value
    return made


def make_repository(path: Path) -> None:
    """Lay out an empty bare repository by hand: half the time of ``git init``, and no template directory."""
    for folder in ("objects/pack", "refs/heads", "info"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "HEAD").write_text("ref: refs/heads/speckit-none\n")
    (path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n")
    (path / "info/attributes").write_text(RAW_ATTRIBUTES)
