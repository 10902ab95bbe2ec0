"""The part of the operator's file that is about single repositories: the hosts that agents may reach there.

repositories:
  acme/shop: {allowed_hosts: [pypi.org, "*.pythonhosted.org"]}
  acme/*: {allowed_hosts: []}
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from pathlib import Path

from bot.configuration.model import LONGEST_LIST
from bot.configuration.tree import List, Mapping, Node, NotReadableError, Scalar, read_tree
from bot.settings import SettingsError
from db.allowed_hosts import AllowedHost, allowed_host

REPOSITORIES = "repositories"
ALLOWED_HOSTS = "allowed_hosts"

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}/(?:\*|[a-z0-9._-]{1,100})")


def operator_hosts(path: Path | None) -> MappingOf[str, tuple[AllowedHost, ...]]:
    """The lists of single repositories, by ``owner/name`` or ``owner/*`` in small letters; each stands instead of
    SPECKIT_ALLOWED_HOSTS. Raises SettingsError with one line that names the line of the file."""
    if path is None:
        return {}
    try:
        root = read_tree(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"SPECKIT_CONFIG_FILE: reading {path}: {error.strerror}; set it to a readable file"
        ) from None
    except NotReadableError as error:
        raise SettingsError(f"SPECKIT_CONFIG_FILE: {path}, line {error.line}: {error.message}; correct it") from None
    try:
        return _lists(root)
    except _Mistake as mistake:
        raise SettingsError(f"SPECKIT_CONFIG_FILE: {path}, line {mistake.line}: {mistake}; correct the line") from None


class _Mistake(Exception):  # noqa: N818 - the finding, with its line
    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.line = node.key_line


def _lists(root: Node | None) -> MappingOf[str, tuple[AllowedHost, ...]]:
    found: dict[str, tuple[AllowedHost, ...]] = {}
    for key, node in root.entries if isinstance(root, Mapping) else ():
        if key == ALLOWED_HOSTS:
            raise _Mistake(
                node,
                f"{ALLOWED_HOSTS} stands for all repositories; SPECKIT_ALLOWED_HOSTS is the list for all, and "
                f"{REPOSITORIES} has those of single ones",
            )
        if key != REPOSITORIES:
            continue
        if not isinstance(node, Mapping):
            raise _Mistake(node, f"{REPOSITORIES} takes names like owner/name, and below each {ALLOWED_HOSTS}")
        for name, below in node.entries:
            slug = name.lower()
            if not _SLUG.fullmatch(slug):
                raise _Mistake(below, f"{REPOSITORIES} names {_shown(name)}; it takes owner/name, or owner/* for all")
            if slug in found:
                raise _Mistake(below, f"{REPOSITORIES} names {slug} twice")
            found[slug] = _hosts(slug, below)
    return found


def _hosts(slug: str, node: Node) -> tuple[AllowedHost, ...]:
    match node:
        case Mapping(entries=((str(key), List(items=items)),)) if key == ALLOWED_HOSTS and len(items) <= LONGEST_LIST:
            return tuple(_host(item) for item in items)
    raise _Mistake(node, f"{slug} takes {ALLOWED_HOSTS}, a list of at most {LONGEST_LIST} hosts, and nothing else")


def _host(node: Node) -> AllowedHost:
    text = node.text if isinstance(node, Scalar) else ""
    try:
        return allowed_host(text)
    except ValueError as fault:
        raise _Mistake(node, f"{ALLOWED_HOSTS} names {_shown(text) or 'no host'}, but {fault}") from None


def _shown(text: str) -> str:
    return text[:60].encode("ascii", "backslashreplace").decode()
