"""The conversation with a container, when what speaks there is not what we put there. No engine needed."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.containers import ContainerLimits, git_container
from jobs.containers.engine import Engine
from jobs.containers.git_container import DockerGitContainer
from jobs.containers.job_container import DockerJobContainer
from jobs.containers.session import Session
from jobs.errors import AppError, TransientError, UserError
from jobs.ports import AgentReport, AgentRequest, CloneSource, CommitIdentity, NamedPatch, PhaseOutput
from tests.jobs.workplace import DATE, ScriptAgent, Sink


def frame(kind: bytes, payload: bytes, length: int | None = None) -> bytes:
    return struct.pack(">cI", kind, len(payload) if length is None else length) + payload


def docker(payload: bytes, stream: int = 1) -> bytes:
    return struct.pack(">B3xI", stream, len(payload)) + payload


RESULT = frame(b"r", json.dumps({"commit": "x"}).encode())


@asynccontextmanager
async def session() -> AsyncIterator[tuple[Session, socket.socket]]:
    """A session, and the socket that the other end speaks through."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    made = Session(Engine("unix:///nowhere/docker.sock", "image:x"), "0" * 64, reader, writer)
    try:
        yield made, theirs
    finally:
        made.hang_up()
        made.engine.close()
        await asyncio.sleep(0)
        theirs.close()


@asynccontextmanager
async def saying(theirs: socket.socket, speech: bytes) -> AsyncIterator[None]:
    """Say more than a socket holds while nobody listens yet."""
    speaking = asyncio.create_task(asyncio.to_thread(theirs.sendall, docker(speech)))
    yield
    await speaking


async def ask(made: Session, output: PhaseOutput, seconds: float = 5) -> object:
    return await made.ask({"op": "x"}, output, timeout=seconds)


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
async def test_frames_may_be_cut_anywhere(size: int) -> None:
    stdout, stderr = Sink(), Sink()
    speech = frame(b"o", b"out") + frame(b"e", b"err") + frame(b"o", b"") + RESULT
    async with session() as (made, theirs):
        theirs.sendall(b"".join(docker(speech[start : start + size]) for start in range(0, len(speech), size)))
        theirs.sendall(docker(b"", 2))
        assert await ask(made, PhaseOutput(stdout, stderr)) == {"commit": "x"}
        theirs.sendall(docker(b"a complaint", 2) + docker(RESULT))
        assert await ask(made, PhaseOutput(stdout, stderr)) == {"commit": "x"}
    assert (stdout.content, stderr.content) == (b"out", b"erra complaint")


@pytest.mark.parametrize(
    "speech",
    [
        b"",
        b"\x01",
        docker(b"hello, I am no frame"),
        docker(frame(b"Q", b"{}")),
        docker(frame(b"r", b"no json")),
        docker(frame(b"r", b"[1]")),
        docker(frame(b"r", b"{}", length=1 << 31)),
        docker(frame(b"d", b"data nobody asked for")),
        docker(frame(b"o", b"cut", length=10)),
        docker(b"\xff" * 100, 1),
    ],
)
async def test_nonsense_ends_the_session_with_a_reason(speech: bytes) -> None:
    async with session() as (made, theirs):
        theirs.sendall(speech)
        theirs.shutdown(socket.SHUT_WR)
        for _ in range(2):
            with pytest.raises(TransientError) as lost:
                await ask(made, PhaseOutput(Sink(), Sink()))
            assert lost.value.code is ErrorCode.ENGINE_UNREACHABLE


async def test_a_program_that_is_not_there_means_another_image() -> None:
    async with session() as (made, theirs):
        theirs.sendall(
            docker(b'OCI runtime exec failed: exec failed: "speckit-session": executable file not found\r\n')
        )
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(AppError, match="image:x") as failed:
            await ask(made, PhaseOutput(Sink(), Sink()))
        assert failed.value.code is ErrorCode.ENGINE_IMAGE_MISSING


async def test_silence_is_a_timeout_and_the_session_is_not_used_again() -> None:
    async with session() as (made, theirs):
        with pytest.raises(TimeoutError):
            await ask(made, PhaseOutput(Sink(), Sink()), 0.05)
        theirs.sendall(docker(RESULT))
        with pytest.raises(TransientError):
            await ask(made, PhaseOutput(Sink(), Sink()))


async def run_answered(answer: Mapping[str, object]) -> AgentReport:
    """Run an agent in a container that answers so."""
    async with session() as (made, theirs), saying(theirs, frame(b"r", json.dumps(answer).encode())):
        request = AgentRequest(UUID(int=7), Phase.SPECKIT_PLAN, "", DATE)
        job = DockerJobContainer(made, ContainerLimits(), None)
        return await job.run_agent(ScriptAgent(), request, PhaseOutput(Sink(), Sink()), 5)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"exit_code": 0, "out_of_memory": True}, None),
        ({"exit_code": 1, "out_of_memory": False}, None),
        ({"exit_code": 137, "out_of_memory": True}, ErrorCode.AGENT_OUT_OF_MEMORY),
        ({"exit_code": 0, "timed_out": True}, ErrorCode.AGENT_TIMED_OUT),
        ({"exit_code": 0, "too_much": True}, ErrorCode.AGENT_TOO_MUCH_OUTPUT),
        ({"refused": "system", "errno": 28}, ErrorCode.AGENT_FAILED),
        ({"exit_code": "0"}, ErrorCode.AGENT_FAILED),
        ({}, ErrorCode.AGENT_FAILED),
    ],
)
async def test_how_an_agent_ended_is_told_by_what_it_did_not_survive(
    answer: dict[str, object], code: ErrorCode | None
) -> None:
    """A child that the kernel took for its memory is nothing to tell when the agent went on without it."""
    if code is None:
        assert (await run_answered(answer)).exit_code == answer["exit_code"]
        return
    with pytest.raises(UserError) as failed:
        await run_answered(answer)
    assert failed.value.code is code


async def test_a_token_in_gits_last_words_reaches_nobody() -> None:
    token = "ghs_not-in-any-pattern"
    async with session() as (made, theirs):
        said = f"remote: who sent {token}?\nfatal: something never heard of {token}"
        theirs.sendall(docker(frame(b"r", json.dumps({"refused": "fetch", "said": said}).encode())))
        source = CloneSource("https://github.example/acme/shop.git", "main", None)
        with pytest.raises(AppError, match="never heard of") as failed:
            await DockerGitContainer(made, ContainerLimits()).clone(source, token, PhaseOutput(Sink(), Sink()))
        assert token not in failed.value.message


async def test_a_commit_that_takes_too_long_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_container, "SHORT_SECONDS", 0.05)
    async with session() as (made, _):
        container = DockerGitContainer(made, ContainerLimits())
        identity = CommitIdentity("a", "a@example.org", DATE, ())
        with pytest.raises(TransientError, match="committing"):
            await container.commit("speckit/x", [NamedPatch("x", b"x")], identity, PhaseOutput(Sink(), Sink()))
