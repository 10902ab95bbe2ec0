"""What the operator allows is reachable through the forward proxy, and nothing beside it: a TLS server on loopback,
which the operator's list names by its address, and clients that try to get elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from db.allowed_hosts import AllowedHost, allowed_host
from jobs.egress import EgressGuard, EgressLimits
from jobs.egress.forward_proxy import ForwardProxy, NoConnection, NotThere, program
from jobs.ports import EgressReport
from tests.jobs.egress_rig import Client, EchoServer, client_hello, echo_server, guarded

pytestmark = pytest.mark.tinyproxy

NAME, OTHER, BESIDE = "registry.example", "files.registry.example", "evil.example"


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="eg") as name:
        yield Path(name)


@dataclass
class World:
    """A server that is allowed, and clients of one run."""

    client: Client
    server: EchoServer
    proxy: ForwardProxy

    async def echoes(self, authority: str, name: str, send: bytes = b"hello") -> bool:
        """Whether it came through and back."""
        try:
            return await self.client.fetch(authority, name, self.server.client, send) == send
        except (OSError, asyncio.IncompleteReadError):
            return False


@contextlib.asynccontextmanager
async def world(folder: Path, limits: EgressLimits | None = None) -> AsyncIterator[World]:
    async with echo_server(folder, NAME, f"*.{NAME}", BESIDE) as server:
        here = f"127.0.0.1:{server.port}"
        allowed = [allowed_host(f"{name}={here}") for name in (NAME, f"*.{NAME}")]
        # One whose name leads to this machine, and one that leads nowhere.
        allowed += [AllowedHost("localhost"), AllowedHost("gone.invalid")]
        proxy = ForwardProxy(program(), [server.port])
        guard = EgressGuard(proxy, limits)
        async with guarded(folder, guard, allowed) as client:
            yield World(client, server, proxy)
        await guard.close()


async def test_what_is_allowed_is_reached_whatever_the_spelling(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        for authority, name in (
            (f"{NAME}:443", NAME),
            (f"{NAME.upper()}:443", NAME),
            (f"{NAME}.:443", NAME),
            (f"{NAME}:443", NAME.upper()),
            (f"{OTHER}:443", OTHER),
        ):
            assert await w.echoes(authority, name), (authority, name)
        big = bytes(range(256)) * 400
        assert await w.echoes(f"{NAME}:443", NAME, big)
        assert tally.report() == EgressReport({}, 0, {NAME: 5, OTHER: 1})
        assert {str(name).lower() for name in w.server.seen} == {NAME, OTHER}


REFUSED = [
    (f"{BESIDE}:443", BESIDE),
    (f"{NAME}:80", NAME),
    (f"{NAME}:22", f"{NAME}:22"),
    (f"{NAME}:8443", f"{NAME}:8443"),
    (f"{NAME}:0443x", f"{NAME}:0443x"),
    (f"{NAME}", NAME),
    (f"{NAME}..:443", f"{NAME}."),
    (f".{NAME}:443", f".{NAME}"),
    (f"{NAME}.{BESIDE}:443", f"{NAME}.{BESIDE}"),
    (f"evil{NAME}:443", f"evil{NAME}"),
    (f"{NAME}@{BESIDE}:443", BESIDE),
    (f"{BESIDE}@{NAME}:443", NAME),
    (f"{NAME}/:443", f"{NAME}/"),
    (f"{NAME}%2e:443", f"{NAME}%2e"),
    (f"{NAME}#{BESIDE}:443", f"{NAME}#{BESIDE}"),
    (f"xn--{NAME}:443", f"xn--{NAME}"),
    ("127.0.0.1:443", "127.0.0.1"),
    ("[::1]:443", "[::1]"),
    ("2130706433:443", "2130706433"),
    ("0x7f.1:443", "0x7f.1"),
]


async def test_what_is_not_allowed_is_refused_and_reaches_nobody(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        for authority, _ in REFUSED:
            assert (await w.client.connect(authority)).startswith(b"HTTP/1.1 403 "), authority
        plain = f"GET http://{NAME}/ HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
        assert (await w.client.say(plain)).startswith(b"HTTP/1.1 403 ")
        secure = f"GET https://{NAME}/ HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
        assert (await w.client.say(secure)).startswith(b"HTTP/1.1 403 ")
        report = tally.report()
    expected: dict[str, int] = {}
    for host in [host for _, host in REFUSED] + [NAME, NAME]:
        shown = "".join(letter if letter.isalnum() or letter in "._:[]-" else "?" for letter in host)
        expected[shown] = expected.get(shown, 0) + 1
    assert (report.refused, report.reached) == (expected, {})
    assert w.server.connections == 0


async def test_a_name_that_leads_into_the_operators_network_is_refused(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        assert (await w.client.connect("localhost:443")).startswith(b"HTTP/1.1 403 ")
        assert (await w.client.connect("gone.invalid:443")).startswith(b"HTTP/1.1 502 ")
        assert tally.report() == EgressReport({"localhost": 1})


async def test_a_tunnel_is_for_the_name_it_was_asked_for(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        assert not await w.echoes(f"{NAME}:443", BESIDE)
        assert not await w.echoes(f"{NAME}:443", OTHER)
        assert not await w.echoes(f"{OTHER}:443", NAME)
        assert tally.report() == EgressReport({BESIDE: 1, OTHER: 1, NAME: 1})
        assert w.server.connections == 0


NO_NAME = {
    "no name": client_hello(None),
    "plain http": f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode(),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "http/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an alert first": b"\x15\x03\x01\0\2\1\0" + client_hello(NAME),
    "another request": f"CONNECT {BESIDE}:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a second hello in the record": client_hello(NAME)[:3]
    + struct.pack(">H", 2 * len(client_hello(NAME)) - 10)
    + 2 * client_hello(NAME)[5:],
}


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_tunnel_begins_with_tls_for_that_name_or_is_cut(folder: Path, at_once: bool) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        for what, words in NO_NAME.items():
            reader, writer = await w.client.open()
            head = f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
            writer.write(head + (words if at_once else b""))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            if not at_once:
                writer.write(words)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    assert await reader.read() == b"", what
            writer.close()
        assert tally.report() == EgressReport({NAME: len(NO_NAME)})
        assert w.server.connections == 0


async def test_a_hello_that_comes_with_the_request_is_no_other(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn() as tally:
        answer = await w.client.connect(f"{NAME}:443", client_hello(BESIDE))
        assert answer.count(b"\r\n\r\n") == 1
        assert answer.endswith(b"\r\n\r\n"), "nothing but the grant came back"
        assert tally.report() == EgressReport({BESIDE: 1})
        assert w.server.connections == 0


async def test_who_is_slow_with_the_hello_is_cut_off(folder: Path) -> None:
    async with world(folder, EgressLimits(hello_seconds=0.3)) as w, w.client.egress.turn() as tally:
        reader, writer = await w.client.open()
        writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode() + client_hello(NAME)[:50])
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert tally.report() == EgressReport({NAME: 1})
        assert w.server.connections == 0


@pytest.mark.parametrize(
    "limits", [EgressLimits(idle_seconds=0.5), EgressLimits(tunnel_seconds=0.5)], ids=["idle", "in all"]
)
async def test_a_tunnel_ends_with_its_time(folder: Path, limits: EgressLimits) -> None:
    async with world(folder, limits) as w, w.client.egress.turn():
        reader, writer = await w.client.open()
        writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(w.server.client, server_hostname=NAME)
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await reader.read() == b""
        writer.transport.abort()


@pytest.mark.parametrize("limits", [EgressLimits(bytes_out=100_000), EgressLimits(bytes_in=100_000)], ids=["out", "in"])
async def test_a_turn_ends_with_its_bytes_over_all_tunnels(folder: Path, limits: EgressLimits) -> None:
    async with world(folder, limits) as w:
        async with w.client.egress.turn() as tally:
            assert await w.echoes(f"{NAME}:443", NAME, bytes(60_000))
            assert not await w.echoes(f"{NAME}:443", NAME, bytes(60_000))
            assert not await w.echoes(f"{NAME}:443", NAME, bytes(1000))
            assert tally.report() == EgressReport({NAME: 2}, 0, {NAME: 3})
        async with w.client.egress.turn():
            assert await w.echoes(f"{NAME}:443", NAME, bytes(60_000))


async def test_a_tunnel_does_not_outlive_the_turn(folder: Path) -> None:
    async with world(folder) as w:
        async with w.client.egress.turn():
            reader, writer = await w.client.open()
            writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await writer.start_tls(w.server.client, server_hostname=NAME)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        writer.transport.abort()
        assert await w.client.connect(f"{NAME}:443") == b""


async def test_the_forward_proxy_takes_nothing_from_others_and_comes_back_when_it_was_killed(folder: Path) -> None:
    async with world(folder) as w, w.client.egress.turn():
        assert await w.echoes(f"{NAME}:443", NAME)
        process = w.proxy._process
        assert process is not None
        there = f"127.0.0.1:{w.server.port}"
        reader, writer = await asyncio.open_connection("127.0.0.1", w.proxy._port)
        writer.write(f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n".encode())
        assert b" 407 " in await reader.readline(), "without the password nothing passes"
        writer.close()
        configuration = Path(f"/proc/{process.pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
        assert configuration.endswith("/tinyproxy.conf")
        assert not Path(configuration).exists(), "the password lies nowhere"
        with pytest.raises(NoConnection, match="403"):
            await w.proxy.connect("127.0.0.1", 6379)

        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert await w.echoes(f"{NAME}:443", NAME)


async def test_an_allowed_address_may_be_one_of_ipv6(folder: Path) -> None:
    async with echo_server(folder, NAME, at="::1") as server:
        guard = EgressGuard(ForwardProxy(program(), [server.port]))
        async with (
            guarded(folder, guard, [allowed_host(f"{NAME}=[::1]:{server.port}")]) as client,
            client.egress.turn(),
        ):
            assert await client.fetch(f"{NAME}:443", NAME, server.client) == b"hello"
        await guard.close()


async def test_who_reads_nothing_is_sent_no_more_than_the_way_holds(folder: Path) -> None:
    most = 150 << 20
    async with world(folder, EgressLimits(bytes_out=2 * most)) as w, w.client.egress.turn():
        reader, writer = await w.client.open()
        writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(w.server.client, server_hostname=NAME)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                writer.write(bytes(1 << 18))
                sent += 1 << 18
                async with asyncio.timeout(1):
                    await writer.drain()
        # The server echoes and nobody takes it: sockets hold some tens of megabytes, and no program anything.
        assert sent < most
        writer.transport.abort()


def test_without_a_usable_tinyproxy_the_operator_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "tinyproxy" else real(name))
    with pytest.raises(NotThere, match="apt-get install tinyproxy-bin"):
        program()
    old = tmp_path / "tinyproxy"
    old.write_text("#!/bin/sh\necho tinyproxy 1.10.0\n")
    old.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: str(old))
    with pytest.raises(NotThere, match=r"older than 1\.11"):
        program()
