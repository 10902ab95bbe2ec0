"""The gateway: the right key, the right turn, a few paths, the real key in its place, and nothing else."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from jobs.gateway import Gateway
from jobs.gateway.forwarding import LARGEST_REQUEST
from jobs.gateway.turns import MOST_AT_ONCE
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi
from tests.jobs.gateway_world import REAL_KEY, TURN, Model, ask, client, key, lease, served


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with served(Model()) as made:
        yield made


@pytest.fixture
def root() -> Iterator[Path]:
    """A short path: the tests connect to the socket by its name, which may have about 100 bytes."""
    with TemporaryDirectory(prefix="gw") as folder:
        yield Path(folder) / "g"


@pytest.fixture
async def gateway(model: Model) -> AsyncIterator[Gateway]:
    made = Gateway([ModelEndpoint(api, model.url, REAL_KEY) for api in ModelApi])
    yield made
    await made.close()


async def test_the_answer_streams_through_with_the_real_key_in_place(
    gateway: Gateway, model: Model, root: Path
) -> None:
    access = await gateway.open_run(lease(), root)
    async with (
        access.turn(TURN),
        client(access) as session,
        session.post("http://x/v1/responses", data=b'{"model":"m"}', headers={**key(access), "X-Other": "1"}) as answer,
    ):
        assert await answer.content.readuntil(b"\n\n") == b"data: one\n\n"
        model.release.set()
        assert await answer.content.read() == b"data: two\n\n"
        assert "Set-Cookie" not in answer.headers
        await ask(access)
    (method, path, headers, body), (_, _, again, _) = model.asked
    assert (method, path, body) == ("POST", "/v1/responses", b'{"model":"m"}')
    assert headers["Authorization"] == f"Bearer {REAL_KEY}"
    assert "X-Other" not in headers
    assert access.key not in str(headers)
    assert "Cookie" not in again, "an endpoint's cookies are not kept"


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
        ("POST", "/v1beta/models/m:batchGenerateContent"),
        ("POST", "/v1beta/models/a/b:generateContent"),
        ("GET", "/"),
        ("POST", "//evil.invalid/v1/responses"),
    ],
)
async def test_nothing_else_passes(gateway: Gateway, model: Model, root: Path, method: str, path: str) -> None:
    model.release.set()
    access = await gateway.open_run(lease(), root)
    async with access.turn(TURN):
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
    async with access.turn(TURN), other.turn(TURN):
        for wrong in (presented.format(key=access.key), f"Bearer {other.key}"):
            async with (
                client(access) as session,
                session.get("http://x/v1/models", headers={"Authorization": wrong} if wrong else {}) as answer,
            ):
                assert answer.status == 401
                assert REAL_KEY not in await answer.text()
    assert model.asked == []


async def test_a_key_of_strange_bytes_is_just_a_wrong_one(gateway: Gateway, model: Model, root: Path) -> None:
    access = await gateway.open_run(lease(), root)
    async with access.turn(TURN):
        reader, writer = await asyncio.open_unix_connection(str(access.folder / "socket"))
        writer.write(
            b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n"
        )
        assert (await reader.readline()).split()[1] == b"401"
        writer.close()
        await writer.wait_closed()


BROKEN = {
    "cut": b"Content-Length: 100\r\n\r\nSECRET",
    "chunks that are none": b"Transfer-Encoding: chunked\r\n\r\nSECRET\r\n",
    "another protocol": b"\r\n\r\nGET / SECRET/9.9\r\n\r\n",
    "too large": b"Content-Length: 99999999\r\n\r\n" + b"a" * (LARGEST_REQUEST + 1),
}


async def test_what_an_agent_breaks_off_or_garbles_is_refused_and_fills_no_log(
    gateway: Gateway, model: Model, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    access = await gateway.open_run(lease(), root)
    head = f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {access.key}\r\n".encode()
    async with access.turn(TURN):
        for rest in BROKEN.values():
            reader, writer = await asyncio.open_unix_connection(str(access.folder / "socket"))
            writer.write(head + rest)
            writer.write_eof()
            with suppress(ConnectionError):
                answer = await reader.read()
                assert b" 200 " not in answer
            writer.close()
    assert model.asked == []
    assert {record.message for record in caplog.records} <= {"requests_refused"}
    assert "SECRET" not in caplog.text


async def test_outside_a_turn_every_request_is_refused(gateway: Gateway, model: Model, root: Path) -> None:
    model.release.set()
    access = await gateway.open_run(lease(), root)
    assert (await ask(access))[0] == 403
    async with access.turn(TURN):
        assert (await ask(access))[0] == 200
    status, body = await ask(access)
    assert (status, json.loads(body)["error"]["message"]) == (
        403,
        "no agent is at work in this run now, so nothing is passed on",
    )
    assert len(model.asked) == 1


async def test_a_request_that_waited_past_the_end_of_the_turn_is_refused(
    gateway: Gateway, model: Model, root: Path
) -> None:
    access = await gateway.open_run(lease(), root)
    async with access.turn(TURN):
        asking = [asyncio.create_task(ask(access)) for _ in range(MOST_AT_ONCE + 2)]
        while len(model.asked) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.1, model.release.set)
    statuses = sorted(status for status, _ in await asyncio.gather(*asking))
    assert statuses == [200] * MOST_AT_ONCE + [403, 403]
    assert (len(model.asked), model.most_at_once) == (MOST_AT_ONCE, MOST_AT_ONCE)


FORBIDDEN = {
    "another": b'{"model":"gpt-expensive"}',
    "none": b'{"input":"x"}',
    "empty": b'{"model":""}',
    "a number": b'{"model":7}',
    "no object": b'["m"]',
    "no JSON": b"model=m",
    "no UTF-8": b'{"model":"m\xff"}',
    "two, the last one forbidden": b'{"model":"m","model":"gpt-expensive"}',
    "an escaped name": b'{"model":"m","\\u006dodel":"gpt-expensive"}',
    "another spelling": b'{"model":"m","Model":"gpt-expensive"}',
    "a search by the endpoint": b'{"model":"m","tools":[{"type":"web_search"}]}',
    "cut": b'{"model":"m"',
    "deep": b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_only_the_models_of_the_turn_are_asked(gateway: Gateway, model: Model, root: Path, body: bytes) -> None:
    model.release.set()
    access = await gateway.open_run(lease(), root)
    async with access.turn(TURN):
        status, answer = await ask(access, body)
        assert status == 400
        if body == FORBIDDEN["another"]:
            assert json.loads(answer)["error"] == {
                "message": "the model gpt-expensive is not allowed in this run; allowed: m, mini",
                "type": "invalid_request_error",
                "param": None,
                "code": "model_not_allowed",
            }
        assert (await ask(access, b'{"model":"mini"}'))[0] == 200
    assert [asked[3] for asked in model.asked] == [b'{"model":"mini"}']


async def test_what_was_looked_at_is_what_is_sent(gateway: Gateway, model: Model, root: Path) -> None:
    """Whoever reads JSON may take the first of two names; after the gateway there is one."""
    model.release.set()
    access = await gateway.open_run(lease(), root)
    text = '{ "input": ["a \\" model", {"model": "x"}, 1.50, 1e400], "model": "gpt-expensive", "model": "m" }'
    async with access.turn(TURN):
        assert (await ask(access, text.encode()))[0] == 200
    (asked,) = model.asked
    assert asked[3] == b'{"input":["a \\" model", {"model": "x"}, 1.50, 1e400],"model":"m"}'


FORMS: dict[ModelApi, tuple[str, dict[str, str], dict[str, Any]]] = {
    ModelApi.ANTHROPIC: (
        "/v1/messages",
        {"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "the model other is not allowed in this run; allowed: m, mini",
            },
        },
    ),
    ModelApi.GEMINI: (
        "/v1beta/models/other:streamGenerateContent?alt=sse&key=x",
        {"x-goog-api-key": "{key}"},
        {
            "error": {
                "code": 400,
                "message": "the model other is not allowed in this run; allowed: m, mini",
                "status": "FAILED_PRECONDITION",
            }
        },
    ),
}


@pytest.mark.parametrize("api", FORMS)
async def test_each_api_has_its_own_paths_keys_and_words(
    gateway: Gateway, model: Model, root: Path, api: ModelApi
) -> None:
    model.release.set()
    path, headers, refused = FORMS[api]
    access = await gateway.open_run(lease(), root)
    presented = {name: value.format(key=access.key) for name, value in headers.items()}
    async with access.turn(TURN), client(access) as session:
        async with session.post(f"http://x{path}", data=b'{"model":"other"}', headers=presented) as answer:
            assert (answer.status, await answer.json()) == (400, refused)
            assert answer.headers["x-should-retry"] == "false"
        path = path.replace("other", "m")
        async with session.post(f"http://x{path}", data=b'{"model":"m"}', headers=presented) as answer:
            assert answer.status == 200
            await answer.read()
    ((_, asked, sent, _),) = model.asked
    assert asked == path.removesuffix("&key=x")
    assert {sent[name] for name in presented if "key" in name.lower()} == {REAL_KEY}
    assert access.key not in str(sent)


@pytest.mark.parametrize("status", [302, 401, 429, 500])
async def test_refusals_and_redirects_come_back_as_they_are(
    gateway: Gateway, model: Model, root: Path, status: int
) -> None:
    model.status = status
    access = await gateway.open_run(lease(), root)
    async with (
        access.turn(TURN),
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
    async with access.turn(TURN):
        status, body = await ask(access)
        assert (status, json.loads(body)["error"]["type"]) == (502, "server_error")
        assert REAL_KEY.encode() not in body
        # An API nobody has a key for is no path at all.
        assert (await ask(access, path="/v1/messages"))[0] == 404
    await gateway.close()


async def test_a_stream_that_breaks_is_seen_as_broken(gateway: Gateway, model: Model, root: Path) -> None:
    model.cut = True
    access = await gateway.open_run(lease(), root)
    async with (
        access.turn(TURN),
        client(access) as session,
        session.post("http://x/v1/responses", data=b'{"model":"m"}', headers=key(access)) as answer,
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
    assert access.key not in repr(gateway)


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
    async with access.turn(TURN):
        assert (await ask(access))[0] == 429
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
