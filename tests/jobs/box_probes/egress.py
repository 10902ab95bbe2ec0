"""Ways out: addresses, names, and the two sockets that lead to the worker."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request

from tests.jobs.box_probes.registry import FACTS, Denied, each, probe, run


def connect(address: tuple[str, int]) -> str:
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as connection:
        connection.settimeout(2)
        connection.connect(address)
        return f"{address} answers"


def send(address: tuple[str, int]) -> str:
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01", address
        )
        return f"{address} was sent to"


HOST_PORT = int(FACTS["host_port"])
each(
    "egress",
    [
        ("the machine's loopback", ("127.0.0.1", HOST_PORT)),
        ("the machine's loopback in IPv6", ("::1", HOST_PORT)),
        *((f"the machine at {address}", (address, HOST_PORT)) for address in FACTS["host_addresses"]),
        ("Redis of the machine", ("172.17.0.1", 6379)),
        ("Postgres of the machine", ("172.17.0.1", 5432)),
        ("Docker of the machine", ("172.17.0.1", 2375)),
        ("Docker of the machine, with TLS", ("172.17.0.1", 2376)),
        ("SSH of the machine", ("172.17.0.1", 22)),
        ("a neighbour on the bridge", ("172.17.0.2", 80)),
        ("a private network", ("10.0.0.1", 80)),
        ("a home network", ("192.168.0.1", 80)),
        ("the metadata of a cloud", ("169.254.169.254", 80)),
        ("the metadata of a task", ("169.254.170.2", 80)),
        ("the metadata of another cloud", ("100.100.100.200", 80)),
        ("the metadata in IPv6", ("fd00:ec2::254", 80)),
        ("the internet", ("1.1.1.1", 443)),
        ("the internet in IPv6", ("2606:4700:4700::1111", 443)),
        ("a name server by TCP", ("8.8.8.8", 53)),
        ("a link-local neighbour", ("fe80::1", 80)),
        ("an address of IPv4 in IPv6", ("::ffff:1.1.1.1", 443)),
    ],
    connect,
)
each(
    "egress",
    [
        ("a name server by UDP", ("8.8.8.8", 53)),
        ("the engine's name server", ("127.0.0.11", 53)),
        ("a time server", ("162.159.200.1", 123)),
        ("everybody near by multicast", ("224.0.0.251", 5353)),
        ("everybody near by multicast in IPv6", ("ff02::fb", 5353)),
        ("everybody near by broadcast", ("255.255.255.255", 67)),
        ("QUIC", ("1.1.1.1", 443)),
    ],
    lambda address: refused_later(address) if address[0].startswith("127.") else send(address),
)


def refused_later(address: tuple[str, int]) -> str:
    """On loopback everything can be sent; whether somebody is there shows in an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(1)
        sender.connect(address)
        sender.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
        return repr(sender.recv(512))


each(
    "egress",
    [
        (f"look {name} up", name)
        for name in (
            *("example.com", "host.docker.internal", "gateway.docker.internal", "metadata.google.internal"),
            *("dns.google", "cloudflare-dns.com", "kubernetes.default.svc"),
        )
    ],
    lambda name: socket.getaddrinfo(name, 443),
)
probe("egress", "ping")(
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).sendto(b"\x08" + bytes(15), ("1.1.1.1", 0))
)
probe("egress", "SCTP")(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).connect(("1.1.1.1", 80)))
probe("egress", "git over HTTPS")(lambda: run("git", "ls-remote", "https://github.com/octocat/Hello-World"))


def ask(url: str, key: str = "", proxy: str = "") -> str:
    """What the gateway says. Raises Denied for a refusal."""
    handler = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.build_opener(handler).open(request, timeout=4) as answer:
            return f"{answer.status} {answer.read(60)!r}"
    except urllib.error.HTTPError as refusal:
        raise Denied(f"{refusal.code}") from None


for variable in ("no_proxy", "NO_PROXY"):
    os.environ.pop(variable, None)
URL, KEY = os.environ.get("GATEWAY_URL", ""), os.environ.get("GATEWAY_KEY", "")
PROXY = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY") or URL
each(
    "egress",
    [
        ("the gateway without a key", lambda: ask(f"{URL}/v1/models")),
        ("the gateway with another run's key", lambda: ask(f"{URL}/v1/models", KEY[:-4] + "AAAA")),
        ("another path of the model's server", lambda: ask(f"{URL}/v1/files", KEY)),
        ("a path that climbs", lambda: ask(f"{URL}/v1/responses/../../metrics", KEY)),
        ("another server through the gateway", lambda: ask(f"http://127.0.0.1:{HOST_PORT}/", KEY, URL)),
        ("the metadata through the proxy", lambda: ask("http://169.254.169.254/latest/meta-data/", "", PROXY)),
        ("the machine through the proxy", lambda: ask(f"http://127.0.0.1:{HOST_PORT}/", "", PROXY)),
        ("the internet through the proxy", lambda: ask("https://example.com/", "", PROXY)),
    ],
    lambda attempt: attempt(),
)
