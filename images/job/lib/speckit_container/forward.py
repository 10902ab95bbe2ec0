"""``speckit-forward PORT SOCKET [PORT SOCKET ...]``: each 127.0.0.1:PORT in the container is a socket outside it.

The container has no network: these sockets are the only way out. The gateway of the run's model and the egress guard
listen there, and decide what passes. One process for both: it holds no state, and another one costs as much again.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

# The event loop itself holds no task: one whose connections both wait would be collected as garbage.
_forwarding: set[asyncio.Task[None]] = set()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


async def _forward(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        out_reader, out_writer = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    ways = [asyncio.create_task(_copy(reader, out_writer)), asyncio.create_task(_copy(out_reader, writer))]
    try:
        # One side may end while the other goes on. One that breaks, or is gone when it is to be told so (ENOTCONN),
        # ends both: whoever waits on the other side must not wait for ever.
        with contextlib.suppress(OSError):
            await asyncio.gather(*ways)
    finally:
        for way in ways:
            way.cancel()
        out_writer.close()
        writer.close()


def _forward_to(path: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_forward(path, reader, writer))
        _forwarding.add(task)
        task.add_done_callback(_forwarding.discard)

    return connected


async def main() -> None:
    """Listen, say so on stdout, forward for ever."""
    arguments = sys.argv[1:]
    async with AsyncExitStack() as open_servers:
        for port, path in zip(arguments[::2], arguments[1::2], strict=True):
            server = await asyncio.start_server(_forward_to(path), "127.0.0.1", int(port))
            await open_servers.enter_async_context(server)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
