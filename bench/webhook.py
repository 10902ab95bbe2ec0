"""How fast the webhook answers: ``python -m bench.webhook``. Prints one line of JSON.

A real ``speckit-bot web`` with its own Redis and an SQLite file, on loopback, gets 200 signed deliveries a second for
ten seconds, each of about 12 KB, as GitHub sends them. Twice: once every comment holds a command (each costs a row, and
then intake's work: permission, run, job, reaction, against a stand-in for GitHub that says yes), once none does. A
latency counts from the moment the delivery was due, so that a slow answer cannot hide the wait of those behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

BOUND_MS = 50.0
"""The median that must hold."""
SECRET = "a secret that only the bench knows"
COMMAND = "/speckit specify Let customers pay by invoice. Net 30, EU only."
TALK = "I think customers should pay by invoice. Net 30, EU only."
_PADDING = "https://api.github.example/repos/acme/shop/issues{/number}" * 190


def delivery_body(text: str, number: int) -> bytes:
    """The payload of a comment, filled up to the size GitHub's have."""
    user = {"login": "mona", "id": 583231, "type": "User"}
    payload = {
        "action": "created",
        "issue": {"number": number % 500 + 1, "title": "Invoices", "user": user, "body": "", "urls": _PADDING},
        "comment": {
            "id": 1_000_000 + number,
            "user": user,
            "body": text,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "performed_via_github_app": None,
        },
        "repository": {
            "id": 1296269,
            "full_name": "acme/shop",
            "private": False,
            "archived": False,
            "default_branch": "main",
        },
        "sender": user,
        "installation": {"id": 4711},
    }
    return json.dumps(payload).encode()


async def send(http: aiohttp.ClientSession, url: str, body: bytes, due: float) -> float:
    """Deliver once. Returns milliseconds from when it was due until the answer was read."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "issue_comment",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
    }
    async with http.post(url, data=body, headers=headers) as response:
        await response.read()
        if response.status != 202:
            raise SystemExit(f"the webhook answered {response.status}")
    return (time.perf_counter() - due) * 1000


async def load(url: str, text: str, rate: int, seconds: float, first: int = 0) -> dict[str, float]:
    """Deliver at an even pace, whatever the answers take. Returns median, p99 and maximum in milliseconds."""
    count = int(rate * seconds)
    bodies = [delivery_body(text, first + number) for number in range(count)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        begin, sending = time.perf_counter() + 0.1, []
        for number, body in enumerate(bodies):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sending.append(asyncio.create_task(send(http, url, body, due)))
        took = sorted(await asyncio.gather(*sending))
    return {
        "deliveries": count,
        "median_ms": round(statistics.median(took), 2),
        "p99_ms": round(took[int(count * 0.99) - 1], 2),
        "max_ms": round(took[-1], 2),
    }


async def github_that_says_yes() -> None:
    """A stand-in that answers each call of intake; prints its address and serves until it is killed."""

    async def token(_: web.Request) -> web.Response:
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"token": "ghs_" + "x" * 40, "expires_at": expires}, status=201)

    async def permission(_: web.Request) -> web.Response:
        return web.json_response({"permission": "write", "role_name": "write"})

    async def created(_: web.Request) -> web.Response:
        return web.json_response({"id": 1, "html_url": "https://github.example/1", "body": ""}, status=201)

    app = web.Application()
    app.router.add_post("/app/installations/{id}/access_tokens", token)
    app.router.add_get("/repos/acme/shop/collaborators/{login}/permission", permission)
    app.router.add_post("/repos/acme/shop/issues/{rest:.*}", created)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and kernel mode (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def started(argv: list[str], environment: dict[str, str], log: Path) -> AsyncIterator[tuple[str, int]]:
    """A process, until the block ends. Yields the last word of its first line, its address, and its id."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            if not line:
                raise SystemExit(f"{argv[-1]} did not start:\n{await asyncio.to_thread(log.read_text)}")
            yield line.decode().split()[-1], process.pid
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def measure(rate: int, seconds: float) -> dict[str, object]:
    """Start everything in a folder of its own and load it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder_name:
        folder = Path(folder_name)
        key = generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        speckit_bot = [sys.executable, "-c", "from cli.main import main; main()"]
        stand_in = [sys.executable, "-m", "bench.webhook", "--stand-in"]
        async with started(stand_in, {}, folder / "github.log") as (github, _):
            settings = {
                "GITHUB_APP_ID": "1",
                "GITHUB_APP_PRIVATE_KEY": pem,
                "GITHUB_WEBHOOK_SECRET": SECRET,
                "GITHUB_API_URL": github,
                "GITHUB_WEB_URL": github,
                "SPECKIT_DATA_DIR": str(folder / "var"),
                "DATABASE_URL": "",
                "REDIS_URL": "",
                "HOST": "127.0.0.1",
                "PORT": "0",
            }
            migrate = await asyncio.create_subprocess_exec(*speckit_bot, "migrate", env={**os.environ, **settings})
            if await migrate.wait() != 0:
                raise SystemExit("speckit-bot migrate did not work")
            async with started([*speckit_bot, "web"], settings, folder / "web.log") as (address, pid):
                url = f"{address}/webhooks/github"
                for text in (TALK, COMMAND):  # a process that has just begun is no steady state
                    await load(url, text, 20, 2, first=10_000)
                await asyncio.sleep(3)
                results = {}
                for name, text in (("without_command", TALK), ("with_command", COMMAND)):
                    used = cpu_seconds(pid)
                    results[name] = await load(url, text, rate, seconds)
                    results[name]["web_cpu_share"] = round((cpu_seconds(pid) - used) / seconds, 2)
    slowest = max(result["median_ms"] for result in results.values())
    return {
        "requests_per_second": rate,
        "seconds": seconds,
        **results,
        "median_ms": slowest,
        "p99_ms": max(result["p99_ms"] for result in results.values()),
        "bound_ms": BOUND_MS,
        "ratio": round(slowest / BOUND_MS, 3),
    }


def main() -> None:
    """Measure and print; exit 1 when the bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=int, default=200, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--stand-in", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stand_in:
        asyncio.run(github_that_says_yes())
        return
    result = asyncio.run(measure(arguments.rate, arguments.seconds))
    print(json.dumps(result))
    sys.exit(0 if float(str(result["ratio"])) <= 1 else 1)


if __name__ == "__main__":
    main()
