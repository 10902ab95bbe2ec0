"""The door under big bodies, slow senders and senders who give up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.session import Database
from tests.bot.deliveries import comment_payload, headers
from tests.bot.doors import Door, open_door

MEBIBYTE = 1024 * 1024


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with open_door(database) as opened:
        yield opened


async def test_a_body_beyond_the_cap_is_413_before_it_is_sent(door: Door) -> None:
    reader, writer = await asyncio.open_connection(door.client.host, door.client.port)
    writer.write(
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 27262976\r\n"
        b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\n"
    )
    answer = await asyncio.wait_for(reader.readline(), 2)
    assert b"413" in answer
    writer.close()


async def test_a_body_beyond_the_cap_is_413_also_without_a_length(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(26):
            yield b" " * MEBIBYTE

    request = headers(b"", X_Hub_Signature_256="sha256=" + "0" * 64)
    try:
        response = await door.client.post("/webhooks/github", data=chunks(), headers=request)
    except OSError:
        return  # the door closed while we were still sending
    assert response.status == 413


async def test_a_big_legal_payload_is_taken(door: Door) -> None:
    payload = comment_payload()
    payload["padding"] = "x" * (24 * MEBIBYTE)
    assert await door.deliver(payload) == 202
    assert await door.deliveries() == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_many_big_strangers_neither_fill_the_memory_nor_block_the_door(door: Door) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    piece = b" " * 65_536
    head = (
        f"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: {24 * MEBIBYTE}\r\n"
        f"X-Hub-Signature-256: sha256={'0' * 64}\r\n\r\n"
    ).encode()
    before, most, done = resident(), 0, asyncio.Event()

    async def watch() -> float:
        nonlocal most
        slowest = 0.0
        while not done.is_set():
            most = max(most, resident())
            begin = time.monotonic()
            assert (await door.client.get("/healthz")).status == 200
            slowest = max(slowest, time.monotonic() - begin)
            await asyncio.sleep(0.02)
        return slowest

    async def send() -> bytes:
        reader, writer = await asyncio.open_connection(door.client.host, door.client.port)
        writer.write(head)
        for _ in range(24 * 16):
            writer.write(piece)
            await writer.drain()
        answer = await reader.readline()
        writer.close()
        return answer[9:12]

    watching = asyncio.create_task(watch())
    statuses = await asyncio.gather(*(send() for _ in range(64)))
    done.set()
    slowest = await watching
    assert set(statuses) <= {b"401", b"408"}
    assert most - before < 200 * MEBIBYTE, f"{(most - before) // MEBIBYTE} MiB"
    assert slowest < 2.0


async def test_slow_strangers_do_not_hold_up_the_others(door: Door) -> None:
    start = (
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\n"
    )
    writers: list[asyncio.StreamWriter] = []
    try:
        for _ in range(200):
            _, writer = await asyncio.open_connection(door.client.host, door.client.port)
            writer.write(start)
            writers.append(writer)
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        assert await door.deliver(comment_payload()) == 202
        assert (await door.client.get("/healthz")).status == 200
        assert time.monotonic() - begin < 8.0
    finally:
        for writer in writers:
            writer.close()


async def test_a_sender_that_goes_away_leaves_nothing(door: Door) -> None:
    _, writer = await asyncio.open_connection(door.client.host, door.client.port)
    writer.write(
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    await asyncio.sleep(0.05)
    assert (await door.client.get("/healthz")).status == 200
    assert await door.deliveries() == 0


async def test_wrongly_chunked_bodies_are_refused(door: Door) -> None:
    reader, writer = await asyncio.open_connection(door.client.host, door.client.port)
    writer.write(
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\nZZ\r\n"
    )
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
