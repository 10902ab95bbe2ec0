"""A hub as its own process: ``python -m localhub --root DIR --port N --setup FILE --state FILE``.

Prints one line of JSON (``url``, ``api_url``, ``pid``) when it is ready; SIGTERM and SIGINT end it cleanly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from localhub import setup_file
from localhub.hub import LocalHub


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localhub", description="A GitHub on localhost.")
    parser.add_argument("--root", type=Path, required=True, help="folder for its repositories, made when missing")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--setup", type=Path, help="JSON file: users, repositories, issues, apps")
    parser.add_argument("--state", type=Path, help="file to write ids, addresses and tokens to (mode 0600)")
    return parser.parse_args(given)


def _write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.rename(path)


async def serve(arguments: argparse.Namespace) -> None:
    """Run a hub until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with LocalHub(arguments.root, arguments.host, arguments.port) as hub:
        if arguments.setup is not None:
            text = await asyncio.to_thread(arguments.setup.read_text, encoding="utf-8")
            setup: dict[str, Any] = json.loads(text)
            setup_file.apply(hub, setup, arguments.setup.parent)
        if arguments.state is not None:
            state = json.dumps({**setup_file.state_of(hub), "pid": os.getpid()}, indent=2)
            await asyncio.to_thread(_write_private, arguments.state, state + "\n")
        ready = json.dumps({"url": hub.url, "api_url": hub.api_url, "pid": os.getpid()})
        sys.stdout.write(ready + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(given: list[str] | None = None) -> int:
    """Return the exit code: 0 after a stop, 2 when the set-up or the port is wrong."""
    arguments = _arguments(given)
    try:
        asyncio.run(serve(arguments))
    except (OSError, ValueError, KeyError) as wrong:
        sys.stderr.write(f"localhub: starting: {type(wrong).__name__}: {wrong}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
