"""Where an allowed name leads, and whether that is out in the public: a name that its owner points at a private address
must not lead into the operator's own network (DNS rebinding). The connection goes to the address that was judged here.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

LOOKUP_SECONDS = 5.0
MOST_ADDRESSES = 3

_NOT_FOR_AGENTS = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's platform address, public by its number
        "192.0.0.0/24",  # IETF's own, and Oracle's metadata at .192
        "64:ff9b::/96",  # NAT64, whose last 32 bits are an IPv4 address of any kind
        "64:ff9b:1::/48",
    )
)


class LeadsNowhere(Exception):  # noqa: N818 - what a look-up came to
    """The name could not be looked up."""


class NotPublic(Exception):  # noqa: N818 - what a look-up came to
    """The name leads to no public address."""


async def public_addresses(host: str, port: int) -> list[str]:
    """The public addresses of ``host``, at most three, the nearest first. Raises LeadsNowhere and NotPublic."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise LeadsNowhere(type(error).__name__) from error
    public = [address for *_, (address, *_) in found if is_public(str(address))]
    if not public:
        raise NotPublic(host)
    return [str(address) for address in dict.fromkeys(public)][:MOST_ADDRESSES]


def is_public(text: str) -> bool:
    """True for an address of the internet: not this machine, not a private network, not a cloud's metadata."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return is_public(str(inner))
    if address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return not any(address in network for network in _NOT_FOR_AGENTS if network.version == address.version)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
