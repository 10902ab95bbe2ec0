"""``speckit-forward PORT SOCKET [PORT SOCKET ...]``: each 127.0.0.1:PORT in the container is a socket outside it.

The container has no network: these sockets are the only way out. The gateway of the run's model and the egress guard
listen there, and decide what passes. One process for both: it holds no state, and another one costs as much again.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

_Forward = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


def _forward_to(path: str) -> _Forward:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            out_reader, out_writer = await asyncio.open_unix_connection(path)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_copy(reader, out_writer), _copy(out_reader, writer))
        finally:
            out_writer.close()
            writer.close()

    return forward


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
