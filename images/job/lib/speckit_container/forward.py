"""``speckit-forward PORT SOCKET``: 127.0.0.1:PORT in the container is the gateway's socket outside it.

The container has no network: this socket is the only way out, and the gateway decides what passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


async def main() -> None:
    """Listen, say so on stdout, forward for ever."""
    port, path = int(sys.argv[1]), sys.argv[2]

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

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
