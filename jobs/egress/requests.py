"""What a program asks of its proxy, read with h11 and answered. Nothing here decides.

``CONNECT host:port`` (RFC 9110, 9.3.6) asks for a tunnel, ``GET http://host/`` (RFC 9112, 3.2.2) for a page; whatever
else arrives (TLS, SOCKS, noise) names no host.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

LARGEST_HEAD = 16 << 10
_CHUNK = 4096
_USUAL_PORTS = (80, 443)
# Exactly a host and a port: no user before them, no brackets, nothing after.
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})")

_FIRST_LINE = re.compile(rb"(?P<method>[A-Z]{3,10}) (?P<target>[\x21-\x7e]{1,1000}) HTTP/")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``label`` is the host for people, with its port unless that is the usual one; empty where none is
    named. ``host`` is in small letters without a dot at its end, and empty unless a tunnel was asked for in the one
    form that may be granted. ``early`` came with the request, before any answer."""

    label: str
    host: str = ""
    port: int = 0
    early: bytes = b""


async def read_request(reader: asyncio.StreamReader) -> Asked:
    """The first request of a connection. What is none, or a wrong one, has at most a label. Raises EOFError where
    nothing came."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
    fed = _Fed(reader)
    try:
        request = await _next(parser, fed)
        if not isinstance(request, h11.Request):
            return Asked("")
        target = request.target.decode("ascii", "replace")
        if request.method != b"CONNECT":
            return Asked(_label_of_url(target))
        if not isinstance(await _next(parser, fed), h11.EndOfMessage):
            return Asked(_label(target))
    except h11.RemoteProtocolError:
        return Asked(_label_at_a_glance(fed.beginning))
    found = _AUTHORITY.fullmatch(target)
    if found is None:
        return Asked(_label(target))
    host = found["host"].lower()
    return Asked(_label(target), host.removesuffix("."), int(found["port"]), parser.trailing_data[0])


def refusal(label: str) -> bytes:
    """The answer to what is refused. ``label`` must be harmless already."""
    what = f"{label or 'this'} is refused"
    body = (
        f"speckit-bot: {what}. What an agent runs has no network; whoever runs the bot may allow single hosts, "
        "over https and by name.\n"
    )
    return _answer(403, b"Forbidden", body.encode("ascii", "replace"))


def unavailable() -> bytes:
    """The answer where an allowed host could not be looked up."""
    return _answer(502, b"Bad Gateway", b"speckit-bot: this host is allowed, but its name leads nowhere.\n")


GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def _answer(status: int, reason: bytes, body: bytes) -> bytes:
    writer = h11.Connection(h11.SERVER)
    headers = [
        ("Content-Type", "text/plain; charset=us-ascii"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    parts = (h11.Response(status_code=status, headers=headers, reason=reason), h11.Data(body), h11.EndOfMessage())
    return b"".join(writer.send(part) or b"" for part in parts)


class _Fed:
    """What was read, whose beginning is remembered."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.beginning = b""

    async def read(self) -> bytes:
        chunk = await self._reader.read(_CHUNK)
        self.beginning = (self.beginning + chunk)[:_CHUNK]
        if not self.beginning:
            raise EOFError
        return chunk


async def _next(parser: h11.Connection, fed: _Fed) -> object:
    while (event := parser.next_event()) is h11.NEED_DATA:
        parser.receive_data(await fed.read())
    return event


def _label(authority: str) -> str:
    """``host:port`` for people: without whoever it names before an @, and without a port that goes without saying."""
    host, colon, port = authority.rpartition("@")[2].rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, port = authority.rpartition("@")[2], ""
    host = host.lower()
    host = host.removesuffix(".") or host
    return host if not port or port in {str(usual) for usual in _USUAL_PORTS} else f"{host}:{port}"


def _label_at_a_glance(beginning: bytes) -> str:
    """Whom a request that is none was for, as far as one can tell."""
    found = _FIRST_LINE.match(beginning)
    if found is None:
        return ""
    target = found["target"].decode("ascii")
    return _label(target) if found["method"] == b"CONNECT" else _label_of_url(target)


def _label_of_url(target: str) -> str:
    try:
        authority = urlsplit(target).netloc
    except ValueError:
        return ""
    return _label(authority)
