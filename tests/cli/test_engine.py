"""The engine of our own is found, shared and stopped; here a small program stands in for ``dockerd``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.engine import Reply, ask, engine_in_use, find, own_service, run_with_engine, start_with_or_without_bridge
from cli.errors import StartError
from tests.cli.conftest import Said

DOCKERD = f"""#!{sys.executable}
import http.server, os, socketserver, sys
from pathlib import Path

arguments = dict(zip(sys.argv[1:], sys.argv[2:]))
if "--bridge=none" not in sys.argv and Path(__file__).with_name("no-iptables").exists():
    print("failed to start daemon: Error initializing network controller: iptables not found")
    sys.exit(1)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"ApiVersion": "1.41", "Version": "20.10.24"}}' if self.path.endswith("version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

Path(arguments["--pidfile"]).write_text(str(os.getpid()))
print("flags", *[word for word in sys.argv if "=" in word], flush=True)
path = arguments["-H"].removeprefix("unix://")
Path(path).unlink(missing_ok=True)
socketserver.UnixStreamServer(path, Answer).serve_forever()
"""


@pytest.fixture
def dockerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose ``dockerd`` is ours, with a cache folder of its own and no DOCKER_HOST."""
    program = tmp_path / "bin" / "dockerd"
    program.parent.mkdir()
    program.write_text(DOCKERD)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return program


def test_our_own_is_found_while_it_is_in_use_and_gone_afterwards(dockerd: Path, tmp_path: Path) -> None:
    service, host = own_service()
    assert service.folder == tmp_path / "cache" / "speckit-bot" / "engine"
    assert ask(host) is Reply.SILENT
    with service.in_use():
        found = find()
        assert found is not None
        assert (found.host, found.own) == (host, True)
        with engine_in_use() as inner:
            assert inner == host
        assert ask(host) is Reply.ANSWERS, "the inner user stopped it for the outer one"
        code = run_with_engine(["sh", "-c", f'test "$DOCKER_HOST" = {host} && exit 7'], [])
        assert code == 7
    assert ask(host) is Reply.SILENT


def test_where_no_bridge_can_be_made_it_goes_on_without(dockerd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dockerd.with_name("no-iptables").touch()
    service, host = own_service()
    start_with_or_without_bridge(service, type(service).keep_up)
    try:
        assert ask(host) is Reply.ANSWERS
        assert "flags --bridge=none --iptables=false" in service.log.read_text()
        assert "trying without a bridge network" in capsys.readouterr().err
    finally:
        assert service.let_go()
    assert ask(host) is Reply.SILENT


def test_a_named_engine_that_does_not_answer_is_an_error_not_a_reason_to_start_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")
    with pytest.raises(StartError, match="which does not answer; start that engine, or unset DOCKER_HOST"):
        find()


def test_a_named_engine_is_used_and_never_stopped(
    dockerd: Path, monkeypatch: pytest.MonkeyPatch, speckit_bot: Callable[..., Said]
) -> None:
    service, host = own_service()
    with service.in_use():
        monkeypatch.setenv("DOCKER_HOST", host)
        monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")
        said = speckit_bot("engine", "status")
        assert (said.code, said.out) == (0, f"{host} (not ours)\n")
        said = speckit_bot("engine", "run", "--", "sh", "-c", "echo $DOCKER_HOST; exit 3")
        assert (said.code, said.out) == (3, f"{host}\n")
        assert ask(host) is Reply.ANSWERS


def test_a_command_that_is_not_there_is_one_line(
    dockerd: Path, monkeypatch: pytest.MonkeyPatch, speckit_bot: Callable[..., Said]
) -> None:
    service, host = own_service()
    with service.in_use():
        monkeypatch.setenv("DOCKER_HOST", host)
        said = speckit_bot("engine", "run", "--", "no-such-command")
    assert (said.code, said.err) == (1, "speckit-bot: running no-such-command: No such file or directory\n")
