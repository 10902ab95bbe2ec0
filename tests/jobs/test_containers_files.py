"""What leaves the job container besides patches: files that are asked for, and what an agent left as its result."""

from __future__ import annotations

import base64
import json

import pytest

from db.vocabulary import ErrorCode
from jobs.containers import ContainerLimits
from jobs.containers.job_container import DockerJobContainer
from jobs.errors import UserError
from jobs.ports import PhaseOutput
from tests.jobs.test_containers_session import frame, run_answered, saying, session
from tests.jobs.workplace import Rig, Sink

LARGEST = 512 << 10
LARGEST_RESULT = 256 << 10


@pytest.mark.engine
async def test_files_of_the_present_tree_are_read(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        assert await w.job.read_files(["specs/old.md", "src/shop.py", "specs/new.md", "README.md"], w.output) == {
            "specs/old.md": b"old\n",
            "src/shop.py": b"price = 1\n",
            "README.md": b"# Shop\n",
        }
        await w.run("echo more >> specs/old.md; printf 'a\\0b' > specs/new.md; : > specs/empty; rm README.md")
        wanted = ["specs/old.md", "specs/new.md", "specs/empty", "README.md"]
        read = await w.job.read_files(wanted, w.output)
        assert read == {"specs/old.md": b"old\nmore\n", "specs/new.md": b"a\0b", "specs/empty": b""}
        assert await w.job.read_files([], w.output) == {}
        assert set(await w.paths()) == set(wanted)


@pytest.mark.engine
async def test_what_is_no_plain_file_is_left_out(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        await w.run(
            "cd specs; ln -s old.md link; ln -s / root; ln -s ../src folder; mkfifo pipe; mkdir inside;"
            " echo x > inside/x;"
            f" head -c {LARGEST} /dev/zero > fits; head -c {LARGEST + 1} /dev/zero > large; truncate -s 900G sparse;"
            " echo x > locked; chmod 0 locked; mkdir -m 0300 closed; echo x > closed/x; ln old.md hard;"
            " python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'"
        )
        names = ["link", "root", "root/etc/passwd", "folder/shop.py", "pipe", "inside", "inside/x", "fits", "large"]
        names += ["sparse", "locked", "closed/x", "hard", "socket", "old.md/x", "x" * 300, "\udcff", "\ud800", "a\0b"]
        outside = ["", "/etc/passwd", "specs/../README.md", "../etc/passwd", "./README.md", "specs//old.md", "specs/"]
        read = await w.job.read_files([*(f"specs/{name}" for name in names), *outside], w.output)
        assert {path: len(content) for path, content in read.items()} == {
            "specs/inside/x": 2,
            "specs/fits": LARGEST,
            "specs/closed/x": 2,
            "specs/hard": 4,
        }


@pytest.mark.engine
async def test_many_large_files_are_read_at_once_and_no_more(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(patch=1 << 20)) as w:
        await w.take_in("acme/ready")
        await w.run(f"for i in $(seq 50); do head -c {LARGEST} /dev/zero > specs/$i; done")
        names = [f"specs/{number}" for number in range(1, 51)]
        assert {len(content) for content in (await w.job.read_files(names, w.output)).values()} == {LARGEST}
        with pytest.raises(ValueError, match="51 files"):
            await w.job.read_files([*names, "specs/old.md"], w.output)


@pytest.mark.engine
async def test_a_result_is_handed_back_once(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        where = "speckit/result.json"
        wrote = await w.run(f"echo '{{\"findings\": []}}' > ~/{where}", result_file=where)
        assert wrote.result == b'{"findings": []}\n'
        assert (await w.run("true", result_file=where)).result == b""
        assert (await w.run(f"echo x > ~/{where}")).result == b""
        assert (await w.run("true", result_file=where)).result == b""
        assert await w.paths() == {}


RESULTS = {
    "nothing": ("true", 0),
    "as much as there may be": (f"head -c {LARGEST_RESULT} /dev/zero > ~/r/x", LARGEST_RESULT),
    "too much": (f"head -c {LARGEST_RESULT + 1} /dev/zero > ~/r/x", 0),
    "a link": ("ln -s /etc/passwd ~/r/x", 0),
    "a link in its way": ("cp /etc/passwd ~/x; rm -r ~/r; ln -s ~ ~/r", 0),
    "a pipe": ("mkfifo ~/r/x", 0),
    "a folder": ("mkdir ~/r/x; echo x > ~/r/x/y", 0),
    "a file in its way": ("rm -r ~/r; echo x > ~/r", 0),
    "what a process writes afterwards": (
        "setsid bash -c 'sleep 0.5; while :; do echo late > ~/r/x; done' >/dev/null 2>&1 &\nsleep 0.1",
        0,
    ),
}


@pytest.mark.engine
async def test_a_result_is_a_plain_file_or_nothing(rig: Rig) -> None:
    """Whatever one run leaves in the place of the next one's result."""
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        for name, (script, size) in RESULTS.items():
            assert (name, len((await w.run(script, result_file="r/x")).result)) == (name, size)
        await w.run("rm -rf ~/r ~/agent.sh; ln -s /work/specs ~/r; ln -s /work/README.md ~/agent.sh")
        assert (await w.run("echo mine > ~/r/x", result_file="r/x")).result == b"mine\n"
        assert await w.paths() == {}


@pytest.mark.parametrize(
    ("result", "content"),
    [
        (base64.b64encode(b"fine").decode(), b"fine"),
        (base64.b64encode(b"x" * (LARGEST_RESULT + 1)).decode(), b""),
        ("no base64!", b""),
        (None, b""),
        ({"a": 1}, b""),
        ("ü", b""),
    ],
)
async def test_a_container_that_lies_about_a_result_is_given_none(result: object, content: bytes) -> None:
    assert (await run_answered({"exit_code": 0, "result": result})).result == content


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"x", []),
        (b"", [["specs/a", 1]]),
        (b"xy", [["specs/a", 1]]),
        (b"x", [["specs/a", -1], ["specs/a", 2]]),
        (b"x", [["specs/a", "1"]]),
        (b"x", [["specs/other", 1]]),
        (b"x", [["specs/a"]]),
        (b"x", "specs/a"),
        (b"x" * (LARGEST + 1), [["specs/a", LARGEST + 1]]),
    ],
)
async def test_a_container_that_lies_about_files_is_believed_nothing(data: bytes, found: object) -> None:
    speech = frame(b"d", data) + frame(b"r", json.dumps({"found": found}).encode())
    async with session() as (made, theirs), saying(theirs, speech):
        job = DockerJobContainer(made, ContainerLimits(), None)
        with pytest.raises(UserError) as refused:
            await job.read_files(["specs/a"], PhaseOutput(Sink(), Sink()))
        assert refused.value.code is ErrorCode.PUBLISH_PATCH_UNREADABLE
