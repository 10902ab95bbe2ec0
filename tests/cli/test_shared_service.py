"""A Redis of our own: the first user in starts it, the last one out stops it, whatever happens to the others."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from cli.errors import StartError
from cli.redis_server import own_redis, redis_service
from cli.shared_service import SharedService
from cli.socket_folder import SOCKET_PATH_LIMIT, socket_folder

USER = """
import sys, time
from pathlib import Path
from cli.redis_server import own_redis
with own_redis(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("unix://")
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def pid_of(data_dir: Path) -> int:
    return int(json.loads((data_dir / "redis" / "process.json").read_text())["pid"])


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(what: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_it_is_persistent_never_evicts_and_is_ours_alone(tmp_path: Path) -> None:
    with own_redis(tmp_path) as url, Redis.from_url(url) as client:
        for name, value in (("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction")):
            assert client.config_get(name) == {name: value}
        assert client.config_get("port") == {"port": "0"}
        assert (tmp_path / "redis").stat().st_mode & 0o077 == 0
        client.set("kept", "yes")
    with own_redis(tmp_path) as url, Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_two_processes_share_one_and_the_last_one_out_stops_it(tmp_path: Path) -> None:
    with own_redis(tmp_path):
        first = pid_of(tmp_path)
        with another_process(tmp_path) as other:
            assert pid_of(tmp_path) == first
            other.communicate("")
        assert runs(first), "the first one out stopped it for the other"
    assert not runs(first)
    assert not (tmp_path / "redis" / "process.json").exists()


def test_it_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    with another_process(tmp_path) as starter:
        pid = pid_of(tmp_path)
        with own_redis(tmp_path) as url:
            starter.communicate("")
            with Redis.from_url(url) as client:
                assert client.ping()
            assert pid_of(tmp_path) == pid
    assert not runs(pid)


def test_a_user_killed_without_warning_neither_takes_it_away_nor_strands_it(tmp_path: Path) -> None:
    with own_redis(tmp_path):
        pid = pid_of(tmp_path)
        with another_process(tmp_path) as other:
            other.send_signal(signal.SIGKILL)
            other.wait()
        assert runs(pid)
    assert not runs(pid)


def test_it_is_started_again_when_it_dies(tmp_path: Path) -> None:
    with own_redis(tmp_path) as url, Redis.from_url(url) as client:
        client.set("kept", "yes")
        time.sleep(1.2)  # everysec
        first = pid_of(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: (tmp_path / "redis" / "process.json").exists() and pid_of(tmp_path) != first)
        wait_for(redis_service(tmp_path)[0].answers)
        assert client.get("kept") == b"yes"


def test_a_process_we_did_not_start_is_never_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        folder = tmp_path / "redis"
        folder.mkdir()
        (folder / "process.json").write_text(json.dumps({"pid": stranger.pid, "started": 1}))
        with own_redis(tmp_path):
            assert pid_of(tmp_path) != stranger.pid
        assert stranger.poll() is None
        stranger.kill()


def test_a_service_that_does_not_start_shows_its_last_words(tmp_path: Path) -> None:
    service = SharedService("the lamp", tmp_path / "lamp", ["sh", "-c", "echo no oil left; exit 3"], lambda: False)
    with pytest.raises(StartError, match=r"starting the lamp: .*no oil left"), service.in_use():
        raise AssertionError("it cannot have started")


def test_a_kept_service_stays_until_it_is_let_go(tmp_path: Path) -> None:
    service, _ = redis_service(tmp_path)
    service.keep_up()
    pid = pid_of(tmp_path)
    with service.in_use():
        pass
    assert runs(pid)
    with another_process(tmp_path):
        assert service.let_go() is False
        assert runs(pid)
    service.let_go()
    wait_for(lambda: not runs(pid))


def test_a_deep_data_dir_gets_a_short_private_socket(tmp_path: Path, runtime_dir: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 6)
    with own_redis(deep) as url, Redis.from_url(url) as client:
        assert client.ping()
        path = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(path)) <= SOCKET_PATH_LIMIT
        assert path.parent.parent == runtime_dir
        assert path.parent.stat().st_mode & 0o077 == 0
        assert (deep / "redis" / "appendonly.aof").exists() or (deep / "redis" / "appendonlydir").exists()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 6)
    short = socket_folder(deep, "redis.sock")
    short.chmod(0o755)
    with pytest.raises(StartError, match="not ours alone"):
        socket_folder(deep, "redis.sock")


def test_many_processes_at_once_start_one(tmp_path: Path) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        for user in users:
            assert user.stdout is not None
            assert user.stdout.readline().startswith("unix://")
        log = (tmp_path / "redis" / "log").read_text()
        assert log.count("Redis is starting") == 1
    finally:
        for user in users:
            user.communicate("")
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(OSError, match=r"No such file|refused"):
        connection.connect(str(tmp_path / "redis" / "redis.sock"))
