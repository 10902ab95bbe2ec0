"""Whom a TLS client asks for: read like OpenSSL reads it, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.egress.client_hello import LARGEST_HELLO, NotOneName, read_hello
from tests.jobs.egress_rig import client_hello

NAME = "files.pythonhosted.org"
PLAIN = client_hello(NAME)


async def read(content: bytes, *, early: int = 0) -> tuple[bytes, str]:
    reader = asyncio.StreamReader()
    reader.feed_data(content[early:])
    reader.feed_eof()
    return await read_hello(reader, content[:early])


def as_openssl_reads(content: bytes) -> str | None:
    """The name that OpenSSL's server would choose its certificate by."""
    found: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: found.append(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(content)
    with contextlib.suppress(ssl.SSLError):
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return found[0] if found else None


@pytest.mark.parametrize("early", [0, 1, 5, 100, len(PLAIN)])
async def test_the_name_is_read_and_no_byte_is_lost(early: int) -> None:
    assert await read(PLAIN, early=early) == (PLAIN, NAME)
    assert as_openssl_reads(PLAIN) == NAME


async def test_what_follows_the_hello_stays_where_it_is() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(PLAIN + b"later")
    assert await read_hello(reader) == (PLAIN, NAME)
    assert await reader.read(10) == b"later"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_are_read(version: ssl.TLSVersion) -> None:
    assert (await read(client_hello("PyPI.org", maximum_version=version)))[1] == "pypi.org"


def records(message: bytes, *sizes: int) -> bytes:
    """A handshake message in records of these sizes, the last one with the rest."""
    made, start = b"", 0
    for size in (*sizes, len(message) - sum(sizes)):
        made += b"\x16\x03\x01" + struct.pack(">H", size) + message[start : start + size]
        start += size
    return made


async def test_a_hello_in_several_records_is_one_hello() -> None:
    message = PLAIN[5:]
    for sizes in ((1,), (3, 1), (60, 60)):
        cut = records(message, *sizes)
        assert await read(cut) == (cut, NAME)


def hello(*extensions: tuple[int, bytes], tail: bytes = b"") -> bytes:
    """A ClientHello with these extensions, in one record."""
    inner = b"".join(struct.pack(">HH", kind, len(data)) + data for kind, data in extensions)
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\2\x13\x01" + b"\1\0" + struct.pack(">H", len(inner)) + inner + tail
    return records(b"\1" + len(body).to_bytes(3) + body)


def sni(*names: bytes, kind: bytes = b"\0") -> tuple[int, bytes]:
    inner = b"".join(kind + struct.pack(">H", len(name)) + name for name in names)
    return 0, struct.pack(">H", len(inner)) + inner


UNUSUAL = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "sslv2": b"\x80\x2e\x01\x03\x01" + bytes(44),
    "application data": b"\x17\x03\x03\0\5hello",
    "an alert": b"\x15\x03\x01\0\2\2\x28",
    "a record of nothing": b"\x16\x03\x01\0\0",
    "another message": records(b"\2\0\0\4abcd"),
    "cut in the middle": PLAIN[:-20],
    "a second message in the record": records(PLAIN[5:] + b"\x0b\0\0\0"),
    "no extensions": hello(),
    "no server name": hello((10, b"\0\2\0\x17")),
    "an empty name": hello(sni(b"")),
    "no name in the list": hello(sni()),
    "two names": hello(sni(b"pypi.org", b"evil.example")),
    "the extension twice": hello(sni(b"pypi.org"), sni(b"evil.example")),
    "another extension twice": hello(sni(b"pypi.org"), (10, b""), (10, b"")),
    "a name of another kind": hello(sni(b"pypi.org", kind=b"\1")),
    "a list that is too short": hello((0, b"\0\1\0\0\x08pypi.org")),
    "a list that is too long": hello((0, b"\0\xff\0\0\x08pypi.org")),
    "something behind the list": hello((0, sni(b"pypi.org")[1] + b"x")),
    "something behind the extensions": hello(sni(b"pypi.org"), tail=b"x"),
    "a hidden name": hello(sni(b"pypi.org"), (0xFE0D, b"\0" * 40)),
    "a hidden name of the draft": hello(sni(b"pypi.org"), (0xFFCE, b"\0" * 40)),
    "letters beyond ascii": hello(sni("bücher.example".encode())),
    "too long": records(b"\1" + (LARGEST_HELLO + 1).to_bytes(3) + bytes(2000)),
    "so many records": records(b"\1\0\xff\xff" + bytes(30_000), *([1000] * 25)),
}


@pytest.mark.parametrize("content", UNUSUAL.values(), ids=UNUSUAL)
async def test_what_is_unusual_is_refused(content: bytes) -> None:
    with pytest.raises(NotOneName):
        await read(content)


def test_a_plain_one_of_ours_is_not_unusual() -> None:
    assert asyncio.run(read(hello(sni(b"pypi.org"))))[1] == "pypi.org"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=3))
def test_no_change_of_bytes_makes_us_read_another_name_than_openssl(place: int, instead: bytes) -> None:
    content = PLAIN[:place] + instead + PLAIN[place + len(instead) :]
    try:
        _, name = asyncio.run(read(content))
    except NotOneName:
        return
    # OpenSSL may refuse for a reason of its own; what it goes on with has the name that we read.
    assert (as_openssl_reads(content) or name).lower() == name
