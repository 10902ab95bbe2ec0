"""A tunnel to an allowed host: looked up, judged by its first message, and bounded in time and bytes. What passes is
not read, kept or logged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from db.allowed_hosts import AllowedHost
from jobs.egress.addresses import LeadsNowhere, NotPublic, public_addresses
from jobs.egress.client_hello import NotOneName, read_hello
from jobs.egress.forward_proxy import ForwardProxy, NoConnection
from jobs.egress.limits import EgressLimits
from jobs.egress.requests import GRANTED, Asked, refusal, unavailable
from jobs.egress.tally import Tally, shown

_CHUNK = 1 << 16

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Allowance:
    """What one turn may still send and receive through all of its tunnels."""

    limits: EgressLimits
    bytes_out: int = field(init=False)
    bytes_in: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes_out = self.limits.bytes_out
        self.bytes_in = self.limits.bytes_in


class Spent(Exception):  # noqa: N818 - what happened to the allowance
    """The turn may send or receive no more."""


async def tunnel(asked: Asked, entry: AllowedHost, peer: Streams, turn: Turn) -> None:
    """Serve one CONNECT that the list allows, to its end. ``peer`` is the agent's side."""
    reader, writer = peer
    try:
        addresses = [entry.address] if entry.address else await public_addresses(asked.host, entry.port)
    except NotPublic:
        turn.tally.refuse(asked.label)
        writer.write(refusal(shown(asked.label)))
        return
    except LeadsNowhere:
        writer.write(unavailable())
        return
    writer.write(GRANTED)
    try:
        async with asyncio.timeout(turn.allowance.limits.hello_seconds):
            await writer.drain()
            hello, name = await read_hello(reader, asked.early)
    except (NotOneName, TimeoutError):
        turn.tally.refuse(asked.label)
        return
    if name != asked.host:
        turn.tally.refuse(name)
        return
    if (out := await _connected(turn.proxy, addresses, entry.port)) is None:
        return
    turn.tally.reach(asked.host)
    try:
        async with asyncio.timeout(turn.allowance.limits.tunnel_seconds):
            out[1].write(hello)
            await _both_ways(peer, out, turn.allowance)
    except Spent:
        turn.tally.refuse(asked.host)
        _cut(writer, out[1])
    except TimeoutError:
        _cut(writer, out[1])
    finally:
        out[1].close()


def _cut(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.transport.abort()


async def _connected(proxy: ForwardProxy, addresses: Sequence[str], port: int) -> Streams | None:
    """To the first of the addresses that can be reached."""
    for address in addresses:
        with contextlib.suppress(NoConnection):
            return await proxy.connect(address, port)
    return None


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of an agent, as far as tunnels need to know."""

    tally: Tally
    allowance: Allowance
    proxy: ForwardProxy


async def _both_ways(
    peer: Streams,
    out: Streams,
    allowance: Allowance,
) -> None:
    """Until both sides have ended, or one broke, or nothing moved for too long. Raises Spent and TimeoutError."""
    moved = asyncio.Event()

    async def outwards() -> None:
        while chunk := await peer[0].read(_CHUNK):
            allowance.bytes_out -= len(chunk)
            await _pass_on(chunk, out[1], allowance.bytes_out, moved)
        await _end(out[1])

    async def inwards() -> None:
        while chunk := await out[0].read(_CHUNK):
            allowance.bytes_in -= len(chunk)
            await _pass_on(chunk, peer[1], allowance.bytes_in, moved)
        await _end(peer[1])

    ways = [asyncio.create_task(outwards()), asyncio.create_task(inwards())]
    watch = asyncio.create_task(_no_longer_moves(moved, allowance.limits.idle_seconds))
    try:
        pending: set[asyncio.Task[None]] = set(ways)
        while pending:
            done, _ = await asyncio.wait({*pending, watch}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                pending.discard(task)
                with contextlib.suppress(ConnectionError):
                    task.result()
                    continue
                return
    finally:
        for task in (*ways, watch):
            task.cancel()
        await asyncio.gather(*ways, watch, return_exceptions=True)


async def _pass_on(chunk: bytes, writer: asyncio.StreamWriter, left: int, moved: asyncio.Event) -> None:
    if left < 0:
        raise Spent
    moved.set()
    writer.write(chunk)
    await writer.drain()


async def _end(writer: asyncio.StreamWriter) -> None:
    """Tell the other side that no more comes, once it has taken everything."""
    writer.transport.set_write_buffer_limits(high=0)
    await writer.drain()
    # One that is gone cannot be told (ENOTCONN).
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _no_longer_moves(moved: asyncio.Event, seconds: float) -> None:
    """Raises TimeoutError once nothing moved for ``seconds``."""
    while True:
        moved.clear()
        async with asyncio.timeout(seconds):
            await moved.wait()
