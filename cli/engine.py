"""The Docker engine of this machine: one that runs already, or one of our own, shared by everything here that needs it.

Two engines on one machine fight over the bridge ``docker0``, so one that runs is always taken, wherever it listens. Our
own keeps its images in a cache folder of the machine, not of the clone: a fresh clone finds them again. An engine that
we did not start is never stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import FrameType

import docker
from docker.errors import DockerException

from cli.debian import install, privilege
from cli.errors import CommandError, StartError
from cli.shared_service import SharedService
from cli.socket_folder import socket_folder

DEFAULT_HOST = "unix:///var/run/docker.sock"
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
_START_SECONDS = 60.0
# overlay2 cannot work on these; Docker would copy every image whole for every layer, or not start.
_ODD_FILESYSTEMS = {"overlay", "aufs", "nfs", "nfs4", "9p", "virtiofs", "fuse", "fuseblk", "ecryptfs", "ramfs"}
_NO_BRIDGE = ("--bridge=none", "--iptables=false")


class Reply(Enum):
    """What an address said when asked for its version."""

    ANSWERS = "answers"
    REFUSES = "is there, but this user may not use it"
    SILENT = "does not answer"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that can be used. ``host`` is as DOCKER_HOST has it; ``own`` when the mechanism here started it."""

    host: str
    own: bool


def ask(host: str) -> Reply:
    """Ping the engine at ``host`` (as DOCKER_HOST has it). Never raises."""
    is_socket = host.startswith("unix://")
    try:
        if is_socket:
            # Knock first: Docker's client cannot tell "refused" from "nobody there", and leaves its socket open.
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(host.removeprefix("unix://"))
        client = docker.DockerClient(base_url=host, timeout=5) if is_socket else docker.from_env(timeout=5)
        with closing(client):
            return Reply.ANSWERS if client.ping() else Reply.SILENT
    except PermissionError:
        return Reply.REFUSES
    except (DockerException, OSError, ValueError):
        return Reply.SILENT


def find() -> Engine | None:
    """An engine that runs now. Raises StartError when one is there that cannot be used."""
    named = os.environ.get("DOCKER_HOST")
    if named:
        if (reply := ask(named)) is not Reply.ANSWERS:
            raise StartError(f"DOCKER_HOST is {named}, which {reply.value}; start that engine, or unset DOCKER_HOST")
        return Engine(named, own=False)
    service, host = own_service()
    if service.is_alive and ask(host) is Reply.ANSWERS:
        return Engine(host, own=True)
    for candidate in (DEFAULT_HOST, *_hosts_of_running_engines()):
        reply = ask(candidate)
        if reply is Reply.ANSWERS:
            return Engine(candidate, own=False)
        if reply is Reply.REFUSES:
            raise StartError(
                f"{candidate} {reply.value}; join its group (sudo usermod -aG docker $USER, then log in again) "
                "or run this as root"
            )
    return None


@contextmanager
def engine_in_use() -> Iterator[str]:
    """Have an engine for as long as the block runs: found, or installed and started. Yields its host.

    Raises StartError.
    """
    found = find()
    if found is not None and not found.own:
        yield found.host
        return
    service, host = _installed_service()
    with ExitStack() as users:
        start_with_or_without_bridge(service, lambda chosen: users.enter_context(chosen.in_use()))
        yield host


def up() -> Engine:
    """Have an engine that stays up after this process. Raises StartError."""
    found = find()
    if found is not None and not found.own:
        return found
    service, host = _installed_service()
    start_with_or_without_bridge(service, SharedService.keep_up)
    return Engine(host, own=True)


def down() -> str:
    """Stop our own engine unless somebody uses it. Returns one line that says what happened."""
    service, host = own_service()
    if not service.is_alive:
        return "no engine of our own runs"
    stopped = service.let_go()
    return f"stopped {host}" if stopped else f"{host} is in use; it stops with its last user"


def run_with_engine(argv: Sequence[str], images: Sequence[str]) -> int:
    """Run a command with DOCKER_HOST set, after the named images were built. Returns its exit code."""
    with engine_in_use() as host:
        environment = {**os.environ, "DOCKER_HOST": host}
        for image in images:
            build_image(image, environment)
        return _in_foreground(argv, environment)


def build_image(name: str, environment: dict[str, str]) -> None:
    """Build the image ``name`` ("job", "all", "codex,claude") with ``images/build``: instant when nothing changed.

    Raises CommandError. What the build says goes to stderr.
    """
    script = Path(__file__).resolve().parent.parent / "images" / "build"
    if not script.exists():
        raise CommandError(f"building the image {name}: {script} is missing; run this in a clone of the repository")
    if shutil.which("docker", path=environment.get("PATH")) is None:
        install(["docker.io"], "images are built with Docker's client")
    done = subprocess.run(
        [str(script), name], env=environment, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise CommandError(f"building the image {name}: images/build ended with {done.returncode}; it said why above")


def own_service() -> tuple[SharedService, str]:
    """Our own engine and the host it listens at. Starts nothing, and works before Docker is installed."""
    folder = _engine_folder()
    sockets = socket_folder(folder, "exec/containerd/containerd.sock.ttrpc")
    host = f"unix://{sockets / 'docker.sock'}"
    root = [] if os.geteuid() == 0 else ["sudo"]
    argv = [
        *root,
        shutil.which("dockerd", path=_search_path()) or "dockerd",
        *("--data-root", str(folder / "data"), "--exec-root", str(sockets / "exec"), "-H", host),
        *("--pidfile", str(folder / "dockerd.pid"), "--group", str(os.getgid())),
    ]
    service = SharedService(
        name="the Docker engine",
        folder=folder,
        argv=argv,
        answers=lambda: ask(host) is Reply.ANSWERS,
        start_seconds=_START_SECONDS,
        pid_file=folder / "dockerd.pid",
        privilege=root,
    )
    return service, host


def _installed_service() -> tuple[SharedService, str]:
    privilege()
    if shutil.which("dockerd", path=_search_path()) is None:
        install(["docker.io"], "no Docker engine runs here")
    # dockerd looks for iptables, containerd and runc on its own PATH.
    os.environ["PATH"] = _search_path()
    return own_service()


def start_with_or_without_bridge(service: SharedService, begin: Callable[[SharedService], object]) -> None:
    """Begin to use the engine, without a bridge network where this machine lets nobody make one.

    Where no iptables rule can be set (a sandbox without the kernel's modules) dockerd with a bridge ends at once. It
    then still serves containers without a network and on the host's: enough for localhub.
    """
    try:
        begin(service)
        return
    except StartError as error:
        if not any(word in str(error).lower() for word in ("iptables", "bridge", "network controller")):
            raise
        print(f"speckit-bot: {error}", file=sys.stderr)
    print(
        "speckit-bot: trying without a bridge network: containers reach this machine only, so runs work with a GitHub "
        "on this machine and not with github.com",
        file=sys.stderr,
    )
    begin(replace(service, argv=[*service.argv, *_NO_BRIDGE]))


def _engine_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    candidates = (
        cache / "speckit-bot" / "engine",
        *(Path(base) / "speckit-bot-engine" for base in ("/var/lib", "/srv")),
    )
    for folder in candidates[: 3 if os.geteuid() == 0 else 1]:
        if _filesystem(folder) not in _ODD_FILESYSTEMS:
            return folder
    return candidates[0]


def _filesystem(path: Path) -> str:
    """The type of the filesystem that holds ``path``, from the longest mount point above it (proc(5), mounts)."""
    best, kind = "", ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            fields = line.split(" ")
            mount = fields[1].replace("\\040", " ")
            if path.is_relative_to(mount) and len(mount) >= len(best):
                best, kind = mount, fields[2]
    return kind.partition(".")[0]


def _hosts_of_running_engines() -> Iterator[str]:
    """Where the ``dockerd`` processes of this machine listen, as their command lines say."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if Path(words[0]).name != "dockerd":
                continue
            for flag, value in pairwise(words):
                if flag in {"-H", "--host"} and value.startswith("unix://"):
                    yield value


def _search_path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}"


def _in_foreground(argv: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command as if it were ours: Ctrl-C reaches it through the terminal, SIGTERM is passed on."""
    try:
        child = subprocess.Popen(argv, env=environment)
    except OSError as error:
        raise CommandError(f"running {argv[0]}: {error.strerror}") from None

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            child.send_signal(number)

    earlier = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = child.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
