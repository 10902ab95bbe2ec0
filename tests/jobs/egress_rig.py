"""For the tests of what agents reach: a guard on a socket, clients that say anything, and TLS servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from db.allowed_hosts import AllowedHost
from jobs.egress import EgressGuard, RunEgress
from jobs.egress.variables import EGRESS_SOCKET


@dataclass
class Client:
    """Programs in the container, as the guard sees them."""

    socket: Path
    egress: RunEgress

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.socket))

    async def say(self, words: bytes, *, end: bool = False) -> bytes:
        """Everything that comes back on a connection of its own."""
        reader, writer = await self.open()
        try:
            writer.write(words)
            if end:
                writer.write_eof()
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def connect(self, authority: str, then: bytes = b"") -> bytes:
        return await self.say(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + then)

    async def fetch(self, authority: str, name: str, context: ssl.SSLContext, send: bytes = b"hello") -> bytes:
        """CONNECT, then TLS for ``name``, then what an echoing server answers. Raises OSError where TLS fails."""
        reader, writer = await self.open()
        try:
            writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            async with asyncio.timeout(20):
                await writer.start_tls(context, server_hostname=name)
                writer.write(send)
                return await reader.readexactly(len(send))
        finally:
            writer.close()


@asynccontextmanager
async def guarded(folder: Path, guard: EgressGuard, allowed: Sequence[AllowedHost] = ()) -> AsyncIterator[Client]:
    """A run whose agent may begin to work."""
    run_id = uuid4()
    egress = await guard.open_run(run_id, folder, allowed)
    try:
        yield Client(folder / EGRESS_SOCKET, egress)
    finally:
        await guard.close_run(run_id)
        (folder / EGRESS_SOCKET).unlink()


@dataclass
class EchoServer:
    """A TLS server that gives back what it gets; ``seen`` are the names it was asked for, ``bytes`` what it read."""

    port: int = 0
    seen: list[str | None] = field(default_factory=list)
    connections: int = 0
    client: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@asynccontextmanager
async def echo_server(folder: Path, *names: str, at: str = "127.0.0.1") -> AsyncIterator[EchoServer]:
    """Serve on an address of loopback with a certificate for ``names``; ``client`` is a context that trusts it."""
    made = EchoServer()
    context, certificate = server_context(folder, *names)
    context.sni_callback = lambda _, name, __: made.seen.append(name)
    made.client.load_verify_locations(cadata=certificate.decode())

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1 << 16):
                writer.write(chunk)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    class Counting(asyncio.StreamReaderProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.connections += 1
            super().connection_made(transport)

    server = await asyncio.start_server(echo, at, 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def server_context(folder: Path, *names: str) -> tuple[ssl.SSLContext, bytes]:
    """What a server of these names needs, and its certificate (PEM) for those who are to trust it."""
    certificate, key = _certificate(names)
    (folder / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, certificate


def _certificate(names: Sequence[str]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's own server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def client_hello(name: str | None, **changes: object) -> bytes:
    """The first flight of OpenSSL's client, as bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for attribute, value in changes.items():
        setattr(context, attribute, value)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")
