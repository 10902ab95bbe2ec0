"""The gateway: the right key, two paths, the real key in its place, and nothing else."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web

from db.runs import Lease
from jobs.gateway import Gateway, GatewayAccess
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi

REAL_KEY = "sk-real-key-of-the-operator"


@dataclass
class Model:
    """A model's endpoint: keeps what it was asked, answers as a stream."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    cut: bool = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, dict(request.headers), await request.read()))
        if self.status != 200:
            headers = {"Location": "http://elsewhere.invalid/", "Retry-After": "7", "Set-Cookie": "a=b"}
            return web.json_response({"error": "x"}, status=self.status, headers=headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: one\n\n")
        await self.release.wait()
        if self.cut and request.transport is not None:
            request.transport.abort()
            return response
        await response.write(b"data: two\n\n")
        return response


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield made
    made.release.set()
    await runner.cleanup()


@pytest.fixture
def root() -> Iterator[Path]:
    """A short path: the tests connect to the socket by its name, which may have about 100 bytes."""
    with TemporaryDirectory(prefix="gw") as folder:
        yield Path(folder) / "g"


@pytest.fixture
async def gateway(model: Model) -> AsyncIterator[Gateway]:
    made = Gateway([ModelEndpoint(ModelApi.OPENAI, model.url, REAL_KEY)])
    yield made
    await made.close()


def lease(run_id: UUID | None = None, epoch: int = 1) -> Lease:
    return Lease(run_id=run_id or uuid4(), epoch=epoch, owner="test")


def client(access: GatewayAccess) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(access.folder / "socket")))


def key(access: GatewayAccess) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.key}"}


async def test_the_answer_streams_through_with_the_real_key_in_place(
    gateway: Gateway, model: Model, root: Path
) -> None:
    access = await gateway.open_run(lease(), root)
    async with (
        client(access) as session,
        session.post("http://x/v1/responses", data=b'{"model":"m"}', headers={**key(access), "X-Other": "1"}) as answer,
    ):
        assert await answer.content.readuntil(b"\n\n") == b"data: one\n\n"
        model.release.set()
        assert await answer.content.read() == b"data: two\n\n"
    ((method, path, headers, body),) = model.asked
    assert (method, path, body) == ("POST", "/v1/responses", b'{"model":"m"}')
    assert headers["Authorization"] == f"Bearer {REAL_KEY}"
    assert "X-Other" not in headers
    assert access.key not in str(headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses"),
        ("POST", "/v1/models"),
        ("POST", "/v1/responses/"),
        ("POST", "/v1/responses/abc"),
        ("DELETE", "/v1/responses"),
        ("POST", "/v1/files"),
        ("POST", "/v1/../v1/files"),
        ("POST", "/v1/%72esponses"),
        ("GET", "/"),
        ("POST", "//evil.invalid/v1/responses"),
    ],
)
async def test_nothing_else_passes(gateway: Gateway, model: Model, root: Path, method: str, path: str) -> None:
    model.release.set()
    access = await gateway.open_run(lease(), root)
    reader, writer = await asyncio.open_unix_connection(str(access.folder / "socket"))
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {access.key}\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )
    assert (await reader.readline()).split()[1] in {b"404", b"400"}
    writer.close()
    await writer.wait_closed()
    assert model.asked == []


@pytest.mark.parametrize("presented", ["", "Bearer ", "Bearer wrong", f"Bearer {REAL_KEY}", "Basic {key}", "Bearer é"])
async def test_only_the_key_of_this_run_opens(gateway: Gateway, model: Model, root: Path, presented: str) -> None:
    other = await gateway.open_run(lease(), root)
    access = await gateway.open_run(lease(), root)
    for wrong in (presented.format(key=access.key), f"Bearer {other.key}"):
        async with (
            client(access) as session,
            session.get("http://x/v1/models", headers={"Authorization": wrong} if wrong else {}) as answer,
        ):
            assert answer.status == 401
            assert REAL_KEY not in await answer.text()
    assert model.asked == []


@pytest.mark.parametrize("status", [302, 401, 429, 500])
async def test_refusals_and_redirects_come_back_as_they_are(
    gateway: Gateway, model: Model, root: Path, status: int
) -> None:
    model.status = status
    access = await gateway.open_run(lease(), root)
    async with (
        client(access) as session,
        session.get("http://x/v1/models", headers=key(access), allow_redirects=False) as answer,
    ):
        assert answer.status == status
        assert answer.headers["Retry-After"] == "7"
        assert "Location" not in answer.headers
        assert "Set-Cookie" not in answer.headers
    assert len(model.asked) == 1


async def test_a_dead_endpoint_is_a_bad_gateway(root: Path) -> None:
    gateway = Gateway([ModelEndpoint(ModelApi.OPENAI, "http://127.0.0.1:1/v1", REAL_KEY)])
    access = await gateway.open_run(lease(), root)
    async with client(access) as session, session.get("http://x/v1/models", headers=key(access)) as answer:
        assert answer.status == 502
        assert REAL_KEY not in await answer.text()
    await gateway.close()


async def test_a_stream_that_breaks_is_seen_as_broken(gateway: Gateway, model: Model, root: Path) -> None:
    model.cut = True
    access = await gateway.open_run(lease(), root)
    async with (
        client(access) as session,
        session.post("http://x/v1/responses", data=b"{}", headers=key(access)) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        model.release.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()


async def test_a_closed_run_has_no_socket_and_no_key(gateway: Gateway, model: Model, root: Path) -> None:
    ours = lease()
    access = await gateway.open_run(ours, root)
    await gateway.close_run(ours.run_id)
    assert not access.folder.exists()
    again = await gateway.open_run(ours, root)
    assert again.key != access.key


async def test_a_worker_that_lost_its_lease_leaves_its_successors_socket_alone(
    gateway: Gateway, model: Model, root: Path
) -> None:
    run_id = uuid4()
    late = Gateway([ModelEndpoint(ModelApi.OPENAI, model.url, "sk-another-process")])
    lost = await late.open_run(lease(run_id, epoch=9), root)
    neighbour = await late.open_run(lease(), root)
    access = await gateway.open_run(lease(run_id, epoch=10), root)
    assert not lost.folder.exists()
    assert neighbour.folder.exists()
    await late.close_run(run_id)
    model.status = 429
    async with client(access) as session, session.get("http://x/v1/models", headers=key(access)) as answer:
        assert answer.status == 429
    await late.close()


async def test_an_older_epoch_that_comes_late_leaves_the_newer_one_alone(gateway: Gateway, root: Path) -> None:
    run_id = uuid4()
    late = Gateway([ModelEndpoint(ModelApi.OPENAI, "http://127.0.0.1:1", "sk-another-process")])
    access = await gateway.open_run(lease(run_id, epoch=2), root)
    older = await late.open_run(lease(run_id, epoch=1), root)
    assert older.folder != access.folder
    await late.close()
    assert (access.folder / "socket").exists()


async def test_what_a_dead_worker_left_goes_with_the_next_start(gateway: Gateway, root: Path) -> None:
    run_id = uuid4()
    left = root / f"{run_id.hex[:12]}-3"
    left.mkdir(parents=True)
    (left / "socket").touch()
    await gateway.open_run(lease(run_id, epoch=4), root)
    assert not left.exists()


async def test_the_folder_is_closed_to_others_and_open_to_the_container(gateway: Gateway, root: Path) -> None:
    deep = root / ("d" * 100) / ("e" * 100) / "gateway"
    access = await gateway.open_run(lease(), deep)
    assert stat.S_IMODE(deep.stat().st_mode) == 0o700
    assert stat.S_IMODE(access.folder.stat().st_mode) == 0o711
    assert stat.S_IMODE((access.folder / "socket").stat().st_mode) == 0o666
