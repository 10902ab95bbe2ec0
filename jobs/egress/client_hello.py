"""The first thing a TLS client says, read just far enough to know whom it asks for. Strict: what is not plainly one
ClientHello with one server name is refused, since a server may read what is unusual in another way than we do.

RFC 8446, 4.1.2 and 5.1 (ClientHello, records); RFC 6066, 3 (server_name); RFC 9849 (encrypted ClientHello, by which the
name that counts would be another than the one we read).
"""

from __future__ import annotations

import asyncio

LARGEST_HELLO = 16 << 10
"""Bytes: post-quantum key shares take two thousand."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME = 0
_HIDDEN_NAMES = frozenset({0xFE0D, 0xFFCE})
"""encrypted_client_hello, and the draft before it."""


class NotOneName(Exception):  # noqa: N818 - what was found, said of the hello
    """The connection does not begin with a ClientHello that names one server."""


async def read_hello(reader: asyncio.StreamReader, early: bytes = b"") -> tuple[bytes, str]:
    """Every byte of the records that hold the ClientHello, and the server name in small letters.

    ``early`` goes before what the reader has. Raises NotOneName, and nothing for what the peer does but
    ConnectionError.
    """
    feed = _Feed(reader, early)
    message = b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4]):
        head = await feed.take(5)
        length = int.from_bytes(head[3:5])
        if head[0] != _HANDSHAKE or head[1] != 3 or not length or len(message) + length > LARGEST_HELLO:
            raise NotOneName("no ClientHello")
        message += await feed.take(length)
        if message[0] != _CLIENT_HELLO or (len(message) >= 4 and int.from_bytes(message[1:4]) > LARGEST_HELLO):
            raise NotOneName("no ClientHello")
    if len(message) != 4 + int.from_bytes(message[1:4]):
        raise NotOneName("something follows the ClientHello in its record")
    return feed.taken + feed.left, server_name(message[4:])


def server_name(hello: bytes) -> str:
    """The one name in the body of a ClientHello, in small letters. Raises NotOneName."""
    found: dict[int, bytes] = {}
    parts = _Parts(hello)
    parts.take(2 + 32)  # legacy_version, random
    for width in (1, 2, 1):  # legacy_session_id, cipher_suites, legacy_compression_methods
        parts.vector(width)
    extensions = _Parts(parts.vector(2))
    parts.end()
    while extensions.more:
        kind = int.from_bytes(extensions.take(2))
        if kind in found or kind in _HIDDEN_NAMES:
            raise NotOneName("an extension is there twice, or hides the name")
        found[kind] = extensions.vector(2)
    if _SERVER_NAME not in found:
        raise NotOneName("no server name")
    whole = _Parts(found[_SERVER_NAME])
    names = _Parts(whole.vector(2))
    whole.end()
    if names.take(1) != b"\0":
        raise NotOneName("a name of another kind")
    name = names.vector(2)
    names.end()
    if not name or not name.isascii():
        raise NotOneName("no server name")
    return name.decode().lower()


class _Parts:
    """Bytes, cut from the front. Raises NotOneName where there are fewer than are asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def more(self) -> bool:
        return bool(self._content)

    def take(self, count: int) -> bytes:
        if len(self._content) < count:
            raise NotOneName("a part of the ClientHello is missing")
        taken, self._content = self._content[:count], self._content[count:]
        return taken

    def vector(self, width: int) -> bytes:
        """What follows its own length, a number of ``width`` bytes."""
        return self.take(int.from_bytes(self.take(width)))

    def end(self) -> None:
        if self._content:
            raise NotOneName("something stands where nothing may")


class _Feed:
    """Bytes that were there early, and then those of the reader."""

    def __init__(self, reader: asyncio.StreamReader, early: bytes) -> None:
        self._reader = reader
        self.left = early
        self.taken = b""

    async def take(self, count: int) -> bytes:
        if count > len(self.left):
            try:
                self.left += await self._reader.readexactly(count - len(self.left))
            except asyncio.IncompleteReadError:
                raise NotOneName("the connection ended in the ClientHello") from None
        part, self.left = self.left[:count], self.left[count:]
        self.taken += part
        return part
