"""What the gateway costs on the way to a model: ``python -m bench.gateway``.

The way of an agent's request is measured against a direct connection, in turns and in one run, on loopback: agent ->
forwarder of the job container -> unix socket -> gateway -> model. Model and forwarder are processes of their own as
they are in a run; the gateway has its ledger in an SQLite file and its budgets set, so that every answer is metered,
checked and written. Printed are the time to the first byte of an answer, as the difference of the medians, and the
throughput of streamed answers, as the ratio of the medians.

The model sends events of the size that real ones have, at a pace far beyond that of any model: the bound is for
that. Then the same without any pace, for the record: there four programs share the processors, and the figure says as
much about this machine as about the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from db import migrate
from db.budgets import Budget, Price, SpendingRules
from db.opening import NewRun, open_run
from db.runs import Lease, get_run
from db.session import Database
from db.vocabulary import Phase
from jobs.gateway import DatabaseLedger, Gateway, Turn
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi

FIRST_BYTE_MS = 3.0
"""The most that may be added to the first byte, median."""
THROUGHPUT_LOSS = 0.05
"""The most of the throughput that may be lost."""

EVENTS = 20_000
EVENTS_A_SECOND = 20_000
"""Of about a token each: a hundred times what fast models write."""
UNPACED_EVENTS = 40_000

FORWARDER = Path(__file__).parents[1] / "images/job/lib/speckit_container/forward.py"
_MODEL = "bench-model"
_DELTA = {
    "type": "response.output_text.delta",
    "sequence_number": 1000,
    "item_id": "msg_0123456789abcdef0123456789abcdef0123456789abcdef",
    "output_index": 0,
    "content_index": 0,
    "delta": " invoice",
    "logprobs": [],
    "obfuscation": "0123456789",
}
_EVENT = f"event: response.output_text.delta\ndata: {json.dumps(_DELTA)}\n\n".encode()
_USAGE = {"input_tokens": 20000, "input_tokens_details": {"cached_tokens": 19000}, "output_tokens": EVENTS}
_END = (
    "event: response.completed\ndata: "
    + json.dumps({"type": "response.completed", "response": {"output": " invoice" * EVENTS, "usage": _USAGE}})
    + "\n\n"
).encode()


async def _serve_model(announced: multiprocessing.connection.Connection) -> None:
    """A model's endpoint that costs as little as can be: what it is asked for stands in the request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            asked = json.loads(await reader.readexactly(_length(head)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            await _send_events(writer, int(asked["bench"]["events"]), float(asked["bench"]["events_a_second"]))
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(_END), _END))
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    announced.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _send_events(writer: asyncio.StreamWriter, events: int, events_a_second: float) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
    began, sent = time.perf_counter(), 0
    while sent < events:
        due = events if not events_a_second else int((time.perf_counter() - began) * events_a_second) + 1
        for _ in range(min(due, events) - sent):
            writer.write(chunk)
            sent += 1
            if sent % 64 == 0:
                await writer.drain()
        await writer.drain()
        if events_a_second and sent < events:
            await asyncio.sleep(0.0005)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


def _run_model(announced: multiprocessing.connection.Connection) -> None:
    asyncio.run(_serve_model(announced))


def _run_gateway(folder: Path, model_port: int, announced: multiprocessing.connection.Connection) -> None:
    asyncio.run(_serve_gateway(folder, model_port, announced))


async def _serve_gateway(folder: Path, model_port: int, announced: multiprocessing.connection.Connection) -> None:
    """A worker's gateway with one run in its turn."""
    url = f"sqlite+aiosqlite:///{folder / 'speckit.db'}"
    await migrate.upgrade(url)
    database = Database.open(url)
    run_id = await _open_run(database)
    much = Budget(tokens=10**12, cost=10.0**6, requests=10**9)
    rules = SpendingRules({_MODEL: Price(1.25, 0.125, 10.0)}, run=much, repository_day=much)
    gateway = Gateway(
        [ModelEndpoint(ModelApi.OPENAI, f"http://127.0.0.1:{model_port}/v1", "sk-bench")],
        ledger=DatabaseLedger(database, rules.prices),
        rules=rules,
    )
    access = await gateway.open_run(Lease(run_id=run_id, epoch=1, owner="bench"), folder / "g")
    async with access.turn(Turn(Phase.SPECKIT_PLAN, 1, "codex_cli", [_MODEL])):
        announced.send((str(access.folder / "socket"), access.key))
        await asyncio.to_thread(announced.recv)
    async with database.transaction() as session:
        run = await get_run(session, run_id)
    announced.send(sum(row.requests for row in run.model_usage))
    await gateway.close()
    await database.close()


async def _open_run(database: Database) -> UUID:
    new = NewRun(
        command_key="bench",
        repository="acme/shop",
        repository_id=1,
        installation_id=1,
        private=False,
        issue_number=1,
        on_pull_request=False,
        issue_title="Bench",
        comment_id=None,
        requested_by="bench",
        requested_by_id=1,
        base_branch=None,
        requested_spec_input="",
        until_phase=None,
        dry_run=False,
        requested_agent=None,
        writer_key="bench",
    )
    async with database.transaction() as session:
        run, _ = await open_run(session, new)
    return run.run_id


@dataclass(frozen=True)
class Way:
    """How requests reach the model, and with which key."""

    port: int
    key: str


class Connection:
    """An agent's connection, kept open from request to request as agents do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    async def ask(self, body: bytes) -> tuple[float, float]:
        """Milliseconds to the first byte of the answer's body, and to its end."""
        head = (
            f"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        self._writer.write(head.encode() + body)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answered.partition(b"\r\n")[0]:
            raise SystemExit(f"the answer was {answered[:80]!r}")
        received = await self._reader.read(1 << 16)
        first = time.perf_counter()
        while not received.endswith(b"0\r\n\r\n"):
            received = received[-8:] + await self._reader.read(1 << 16)
        return (first - began) * 1000, (time.perf_counter() - began) * 1000


@asynccontextmanager
async def connected(way: Way) -> AsyncIterator[Connection]:
    """One connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port, limit=1 << 20)
    try:
        yield Connection(reader, writer, way.key)
    finally:
        writer.close()


def body_of(events: int, events_a_second: float) -> bytes:
    """A request of the size that agents' are, some turns into their work."""
    text = "Let customers pay by invoice. " * 40
    items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}] * 80
    asked = {"events": events, "events_a_second": events_a_second}
    return json.dumps({"model": _MODEL, "stream": True, "bench": asked, "input": items}).encode()


def free_port() -> int:
    """A port of loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Figures:
    """Medians of both ways, in ms; the first is direct."""

    first_byte: tuple[float, float]
    paced: tuple[float, float]
    unpaced: tuple[float, float]

    @property
    def added_ms(self) -> float:
        return self.first_byte[1] - self.first_byte[0]

    @property
    def throughput(self) -> float:
        """Of a direct connection's."""
        return self.paced[0] / self.paced[1]


async def measure(direct: Way, through: Way, rounds: int) -> Figures:
    """Ask in turns, so that whatever else the machine does disturbs both alike."""
    async with connected(direct) as one, connected(through) as other:

        async def compare(body: bytes, times: int, which: int) -> tuple[float, float]:
            found: tuple[list[float], list[float]] = ([], [])
            for number in range(times + 2):
                for kept, connection in zip(found, (one, other), strict=True):
                    taken = (await connection.ask(body))[which]
                    if number >= 2:
                        kept.append(taken)
            return statistics.median(found[0]), statistics.median(found[1])

        return Figures(
            first_byte=await compare(body_of(1, 0), 20 * rounds, 0),
            paced=await compare(body_of(EVENTS, EVENTS_A_SECOND), rounds, 1),
            unpaced=await compare(body_of(UNPACED_EVENTS, 0), rounds, 1),
        )


def _bench(folder: Path, rounds: int) -> Figures:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    model = context.Process(target=_run_model, args=(theirs,), daemon=True)
    model.start()
    model_port = int(ours.recv())
    talk, its = context.Pipe()
    gateway = context.Process(target=_run_gateway, args=(folder, model_port, its), daemon=True)
    gateway.start()
    socket_path, key = talk.recv()
    port = free_port()
    forwarder = subprocess.Popen([sys.executable, "-IS", FORWARDER, str(port), socket_path], stdout=subprocess.PIPE)
    try:
        if forwarder.stdout is None or forwarder.stdout.readline().strip() != b"listening":
            raise SystemExit("the forwarder does not listen")
        figures = asyncio.run(measure(Way(model_port, ""), Way(port, key), rounds))
        talk.send("end")
        counted = int(talk.recv())
    finally:
        forwarder.kill()
        forwarder.wait()
        gateway.join(10)
        model.terminate()
    expected = (20 * rounds + 2) + 2 * (rounds + 2)
    if counted != expected:
        raise SystemExit(f"the table counts {counted} requests, and {expected} were sent")
    return figures


def main() -> None:
    """Print the figures; exit code 1 when one is beyond its bound."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="streams of each kind (default: 9)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        found = _bench(Path(folder), arguments.rounds)
    megabytes = len(_EVENT) * UNPACED_EVENTS / 1e6
    if arguments.json:
        print(
            json.dumps(
                {
                    "first_byte_ms": found.first_byte,
                    "added_ms": round(found.added_ms, 2),
                    "added_ms_limit": FIRST_BYTE_MS,
                    "stream_ms": found.paced,
                    "throughput": round(found.throughput, 4),
                    "throughput_limit": 1 - THROUGHPUT_LOSS,
                    "unpaced_ms": found.unpaced,
                }
            )
        )
    else:
        print(f"first byte    direct {found.first_byte[0]:.2f} ms, gateway {found.first_byte[1]:.2f} ms, medians")
        print(f"added         {found.added_ms:.2f} ms (at most {FIRST_BYTE_MS})")
        print(
            f"stream        direct {found.paced[0]:.0f} ms, gateway {found.paced[1]:.0f} ms, {EVENTS_A_SECOND} events/s"
        )
        print(f"throughput    {found.throughput:.3f} of direct (at least {1 - THROUGHPUT_LOSS:.2f})")
        most = [f"{megabytes / taken * 1000:.0f} MB/s" for taken in found.unpaced]
        print(f"without pace  direct {most[0]}, gateway {most[1]}")
    sys.exit(0 if found.added_ms <= FIRST_BYTE_MS and found.throughput >= 1 - THROUGHPUT_LOSS else 1)


if __name__ == "__main__":
    main()
