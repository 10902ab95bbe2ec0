"""Which hosts an agent's programs may reach: how an operator names them, and what that covers. Pure.

A run keeps the names that were asked for; what they are held against is always the operator's list of today.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

HTTPS_PORT = 443
LONGEST_NAME = 253
HOSTS_ARGUMENT = "allowed_hosts"
"""Where a run keeps the names that were asked for."""

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?P<wild>\*\.)?(?P<name>{_LABEL}(?:\.{_LABEL})*)")
_ADDRESS = re.compile(r"\[(?P<v6>[0-9a-fA-F:.]+)\](?::(?P<v6_port>\d{1,5}))?|(?P<v4>[0-9.]+)(?::(?P<v4_port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of a list. ``name`` is a host in small letters, or ``*.`` and the name that those it means end with.

    ``address``: where it is, whatever the name resolves to, and then at ``port``; empty: the name is looked up, and
    must lead to a public address.
    """

    name: str
    address: str = ""
    port: int = HTTPS_PORT

    def covers(self, name: str) -> bool:
        """True for a host, or an entry's name, that means nothing this one does not mean."""
        if not self.name.startswith("*."):
            return name == self.name
        return name.endswith(self.name[1:]) and len(name) > len(self.name) - 1

    def __str__(self) -> str:
        if not self.address:
            return self.name
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name}={where}" if self.port == HTTPS_PORT else f"{self.name}={where}:{self.port}"


def allowed_host(text: str) -> AllowedHost:
    """Read ``pypi.org``, ``*.pythonhosted.org``, ``mirror.corp=10.0.0.5`` or ``mirror.corp=[fd00::5]:8443``.

    Raises ValueError with words that follow "but".
    """
    name, equals, where = text.strip().lower().partition("=")
    if fault := fault_of_name(name, with_address=bool(equals)):
        raise ValueError(fault)
    if not equals:
        return AllowedHost(name)
    found = _ADDRESS.fullmatch(where)
    try:
        address = ip_address((found["v6"] or found["v4"]) if found else "")
    except ValueError:
        raise ValueError("what follows = is no address; write it like 10.0.0.5, 10.0.0.5:8443 or [fd00::5]") from None
    port = int((found and (found["v6_port"] or found["v4_port"])) or HTTPS_PORT)
    if not 0 < port < 65_536:
        raise ValueError("its port is none; write a number up to 65535")
    return AllowedHost(name, str(address), port)


def fault_of_name(name: str, *, with_address: bool = False) -> str:
    """What is wrong with the name of an entry, in words that follow "but"; empty where nothing is."""
    if len(name) > LONGEST_NAME or not name.isascii():
        return "a name is at most 253 characters of ASCII; others are written in their xn-- form"
    if "/" in name or ":" in name or "@" in name:
        return "it is the name of a host alone, without https://, a port, a path or a user"
    found = _NAME.fullmatch(name)
    if found is None:
        return "it has small letters, digits, hyphens and dots, and perhaps *. before them"
    labels = found["name"].split(".")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return "it is an address, and a certificate is for a name"
    if len(labels) == 1 and (found["wild"] or not with_address):
        return "it is one word; a name has a dot, or its address after ="
    return ""


def entry_for(allowed: Sequence[AllowedHost], host: str) -> AllowedHost | None:
    """The entry that lets ``host`` through (small letters, no dot at its end); one that names it in full comes
    first."""
    fitting = [entry for entry in allowed if entry.covers(host)]
    return min(fitting, key=lambda entry: (entry.name != host, -len(entry.name)), default=None)


def narrowed(given: Sequence[AllowedHost], asked: Sequence[str] | None) -> tuple[AllowedHost, ...]:
    """What remains of ``given`` where only the names in ``asked`` are wanted; None: nobody wants less. A name that is
    not covered by what is given falls away."""
    if asked is None:
        return tuple(given)
    found = []
    for name in asked:
        if (entry := entry_for(given, name)) is not None:
            found.append(AllowedHost(name, entry.address, entry.port))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """The operator's lists: one for every repository, and those that single ones have instead.

    ``instead``: by ``owner/name`` or ``owner/*``, in small letters.
    """

    everywhere: tuple[AllowedHost, ...] = ()
    instead: Mapping[str, tuple[AllowedHost, ...]] = field(default_factory=dict)

    def given_to(self, repository: str) -> tuple[AllowedHost, ...]:
        """The most that a repository (``owner/name``) may have."""
        slug = repository.lower()
        for name in (slug, f"{slug.partition('/')[0]}/*"):
            if name in self.instead:
                return self.instead[name]
        return self.everywhere

    @property
    def every(self) -> tuple[AllowedHost, ...]:
        """All entries there are."""
        return (*self.everywhere, *(entry for entries in self.instead.values() for entry in entries))
