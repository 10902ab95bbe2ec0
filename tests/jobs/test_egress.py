"""What an agent's programs try to reach is refused and counted, at a cost that is bounded whatever they do."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jobs.egress import EgressGuard, EgressLimits
from jobs.egress.tally import LONGEST_SHOWN, MOST_HOSTS, Tally, shown
from jobs.egress.variables import PROXY_VARIABLES
from jobs.phases.egress_notes import note_egress
from jobs.ports import EgressReport
from jobs.redaction import Redactor
from tests.jobs.egress_rig import Client, client_hello, guarded


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the tests connect to the socket by its name, which may have about 100 bytes."""
    with TemporaryDirectory(prefix="eg") as name:
        yield Path(name)


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[Client]:
    guard = EgressGuard(limits=EgressLimits(pace_seconds=0.0))
    async with guarded(folder, guard) as made:
        yield made
    await guard.close()


ASKED = [
    (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "example.com"),
    (b"CONNECT EXAMPLE.com.:443 HTTP/1.1\r\nHost: x\r\n\r\n", "example.com"),
    (b"CONNECT github.com:22 HTTP/1.1\r\nHost: x\r\n\r\n", "github.com:22"),
    (b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n", "169.254.169.254"),
    (b"CONNECT [::1]:6379 HTTP/1.1\r\nHost: x\r\n\r\n", "[::1]:6379"),
    (b"CONNECT pypi.org@evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", "evil.example"),
    (b"CONNECT evil.example HTTP/1.1\r\nHost: x\r\n\r\n", "evil.example"),
    (b"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "a.example"),
    (b"GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\n\r\n", "example.com"),
    (b"GET http://user:word@example.com:8080/ HTTP/1.0\r\n\r\n", "example.com:8080"),
    (b"POST http://10.0.0.1:6379/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nPING", "10.0.0.1:6379"),
    (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", ""),
    (b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    (b"\x05\x01\x00", ""),
    (b"*1\r\n$4\r\nPING\r\n", ""),
    (b"\0\0\0\0\r\n\r\n", ""),
    (b"CONNECT ex\xc3\xa4mple.com:443 HTTP/1.1\r\n\r\n", ""),
    (b"CONNECT example.com:443 HTTP/1.1\r\nHost : x\r\n\r\n", "example.com"),
    (b"CONNECT example.com:443 HTTP/1.1\r\n\r\n", "example.com"),
    (b"A" * 40_000, ""),
]


@pytest.mark.parametrize(("words", "host"), ASKED)
async def test_whatever_is_asked_is_refused_and_counted(client: Client, words: bytes, host: str) -> None:
    async with client.egress.turn() as tally:
        answer = await client.say(words, end=True)
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n"), answer
        assert b"is refused" in answer
        assert tally.report() == EgressReport({host: 1} if host else {}, 0 if host else 1)


async def test_tls_to_the_proxy_itself_names_no_host(client: Client) -> None:
    async with client.egress.turn() as tally:
        await client.say(client_hello("example.com"), end=True)
        assert tally.report() == EgressReport({}, 1)


async def test_every_attempt_counts_and_the_next_turn_begins_at_nothing(client: Client) -> None:
    async with client.egress.turn() as first:
        for _ in range(3):
            await client.connect("example.com:443")
        await client.say(b"GET http://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.connect("pypi.org:443")
    async with client.egress.turn() as second:
        await client.connect("npmjs.org:443")
    assert first.report() == EgressReport({"example.com": 4, "pypi.org": 1})
    assert second.report() == EgressReport({"npmjs.org": 1})


async def test_between_turns_nobody_is_answered(client: Client) -> None:
    assert await client.connect("example.com:443") == b""
    async with client.egress.turn() as tally:
        pass
    assert await client.connect("example.com:443") == b""
    assert tally.refusals == 0


async def test_a_connection_does_not_outlive_its_turn(client: Client) -> None:
    async with client.egress.turn() as tally:
        reader, writer = await client.open()
        writer.write(b"CONNECT example.com:443 HT")
        await asyncio.sleep(0.05)
    assert await reader.read() == b""
    writer.close()
    assert tally.refusals == 0


async def test_who_is_slow_is_cut_off(folder: Path) -> None:
    guard = EgressGuard(limits=EgressLimits(request_seconds=0.2))
    async with guarded(folder, guard) as client, client.egress.turn():
        reader, writer = await client.open()
        writer.write(b"CONNECT example.com:443 HT")
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_only_so_many_connections_at_once(client: Client) -> None:
    async with client.egress.turn() as tally:
        held = [await client.open() for _ in range(EgressLimits().connections)]
        await asyncio.sleep(0.1)
        assert await client.connect("example.com:443") == b""
        assert tally.report() == EgressReport({}, 1)
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(20):
            while not await client.connect("example.com:443"):
                await asyncio.sleep(0.01)


async def test_a_hundred_thousand_names_cost_little_and_are_counted(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tracemalloc.start()
    try:
        async with client.egress.turn() as tally:
            for number in range(1500):
                await client.connect(f"n{number}.{'a' * 60}.example:443")
            for number in range(100_000 - 1500):
                tally.refuse(f"n{number}.{'b' * 60}.example")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    report = tally.report()
    assert len(report.refused) == MOST_HOSTS
    assert sum(report.refused.values()) + report.unnamed == 100_000
    assert most < 8 << 20
    ours = [record for record in caplog.records if record.name.startswith("jobs.")]
    assert [record.message for record in ours] == ["egress_counted"]
    assert "example" not in str([vars(record) for record in ours])


HOSTILE = [
    "x\x1b]8;;https://evil.example\x07y",
    "<script>alert(1)</script>",
    "`@everyone` #1",
    "a\r\nSet-Cookie: b",
    "\u202egnp.exe",
    "x" * 10_000,
    "[click](javascript:alert(1))",
    "| a | b |",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_harmless_wherever_it_is_shown(name: str) -> None:
    tally = Tally()
    tally.refuse(name)
    ((kept, _),) = tally.report().refused.items()
    assert len(kept) <= LONGEST_SHOWN + 1
    assert set(kept) <= set("abcdefghijklmnopqrstuvwxyz0123456789._:[]-?…")
    assert shown(kept.removesuffix("…")) == kept.removesuffix("…")


def test_what_was_tried_is_noted_over_the_attempts_of_a_phase() -> None:
    notes: dict[str, object] = {}
    redactor = Redactor(("very-secret-value",))
    note_egress(notes, EgressReport(), redactor)
    assert notes == {}
    note_egress(notes, EgressReport({"a.example": 2, "very-secret-value.example": 1}, 3, {"pypi.org": 1}), redactor)
    note_egress(notes, EgressReport({"a.example": 1, "b.example": 1}, 0, {"pypi.org": 2}), redactor)
    assert "very-secret-value" not in str(notes)
    refused = notes["refused_hosts"]
    assert isinstance(refused, list)
    assert [item["times"] for item in refused] == [3, 1, 1]
    assert notes["reached_hosts"] == [{"host": "pypi.org", "times": 3}]
    assert notes["refused_unnamed"] == 3
    for number in range(3):
        note_egress(notes, EgressReport({f"{number}-{name}.example": 1 for name in range(MOST_HOSTS)}), redactor)
    refused = notes["refused_hosts"]
    assert isinstance(refused, list)
    assert len(refused) == MOST_HOSTS
    assert sum(item["times"] for item in refused) + int(str(notes["refused_unnamed"])) == 3 + 5 + 3 * MOST_HOSTS


def test_both_spellings_of_the_variables_lead_to_the_forwarder() -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        assert PROXY_VARIABLES[name] == PROXY_VARIABLES[name.upper()] == "http://127.0.0.1:8378"
    assert PROXY_VARIABLES["no_proxy"] == PROXY_VARIABLES["NO_PROXY"] == "127.0.0.1,localhost"
