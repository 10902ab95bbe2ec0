"""The job container: the agent's tree, the baseline it is compared with, and six requests about them.

git runs here on a tree the agent touched, which may make it run what the agent planted: that is no more than the agent
may do anyway, in a container that holds nothing. What leaves is a patch, judged outside, and the bytes of files.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from speckit_container.frames import Channel, Refused
from speckit_container.git_settings import environment, make_repository
from speckit_container.instructions import ABSENT, index_lines
from speckit_container.lent_commands import lacking, lend
from speckit_container.made_ahead import MadeAhead, init_argv
from speckit_container.plain_files import free_place, is_plain_folder, read_plain
from speckit_container.programs import CHUNK, Bounds, collect, pipe, run
from speckit_container.self_test import prove
from speckit_container.set_aside import remove, settings_below

TREE = Path("/work")
BASELINE = Path("/baseline/repository.git")
HOME = Path("/home/agent")
MOST_TOLD = 50
TEMPLATES = tuple(f"{name}-template.md" for name in ("spec", "plan", "tasks", "checklist", "constitution"))
DIFF = (
    *("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff"),
    *("--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"),
)


class JobRole:
    """Answers the worker's requests, one at a time."""

    def __init__(self, channel: Channel, integration: str) -> None:
        self._channel = channel
        self._integration = integration
        self._git_environment = environment(
            variables={
                "GIT_DIR": str(BASELINE),
                "GIT_WORK_TREE": str(TREE),
                "GIT_INDEX_FILE": "/baseline/index",
            }
        )
        self._baseline = ""
        self._kept: dict[str, tuple[str, str, str]] = {}
        self._project = ""
        self._root = TREE
        self._made = {integration: MadeAhead(integration, _plain_environment())}
        self._lent: set[str] = set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what ``op`` names. Raises Refused with what the program said."""
        match request["op"]:
            case "self_test":
                return {"checks": prove(request)}
            case "receive":
                return self._receive(request)
            case "prepare":
                return self._prepare(request)
            case "replay":
                return self._replay()
            case "run":
                return self._run(request)
            case "patch":
                return self._patch(request)
            case "read":
                return self._read(request)
        raise Refused("unknown request")

    def _receive(self, request: dict[str, Any]) -> dict[str, Any]:
        process = subprocess.Popen(
            [
                "tar",
                "-x",
                "-f",
                "-",
                "-C",
                str(TREE),
                "--no-same-owner",
                "--no-same-permissions",
                "--delay-directory-restore",
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        into, complaints = pipe(process.stdin), pipe(process.stderr)
        os.set_blocking(complaints.fileno(), False)
        received = 0
        broken = False
        for chunk in self._channel.data():
            received += len(chunk)
            if received <= request["max_bytes"] and not broken:
                try:
                    into.write(chunk)
                except BrokenPipeError:
                    broken = True
        with contextlib.suppress(BrokenPipeError):
            into.close()
        code = process.wait()
        said = (complaints.read() or b"").decode("utf-8", "replace")[-4096:]
        complaints.close()
        if received > request["max_bytes"]:
            raise Refused("large", bytes=received)
        if code != 0:
            raise Refused("large" if "No space left" in said else "extract", said=said)
        make_repository(BASELINE)
        self._baseline = self._snapshot(every=True)
        self._kept = self._entries_of(request["kept"])
        return {"bytes": received}

    def _prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        """Set Spec Kit up in the project's folder, which is the agent's work folder from now on."""
        self._project = request["project"]
        self._root = self._project_folder()
        init_patch = b""
        if not (self._root / ".specify").is_dir():
            self._init()
            init_patch = self._changes(request["max_patch"])
        if request["commands"]:
            self._lend_commands(request["commands"])
        self._made[self._integration].stop()
        templates = {}
        for name in TEMPLATES:
            path = self._root / ".specify/templates" / name
            if path.is_file() and path.stat().st_size <= CHUNK:
                templates[name] = base64.b64encode(path.read_bytes()).decode()
        self._channel.send(b"d", init_patch)
        return {
            "prompt_pack_version": _spec_kit_version(),
            "agent_version": self._version_of(request["version_argv"]),
            "templates": templates,
        }

    def _project_folder(self) -> Path:
        """Raises Refused ``no_project`` where it is not there, or lies behind a link."""
        if not is_plain_folder(TREE, self._project):
            raise Refused("no_project")
        return TREE / self._project

    def _init(self) -> None:
        """Take the files made ahead, or run ``specify init`` in the tree where one of them is there already."""
        made = self._made[self._integration]
        code, files = made.wait(), made.files()
        taken = any(_occupied(self._root / path.relative_to(made.folder)) for path in files)
        if code != 0 or not files or taken:
            argv, cwd = init_argv(self._integration), str(self._root)
            code, out, said = collect(argv, _plain_environment(), cwd=cwd, timeout=120)
            self._channel.send(b"o", out)
            self._channel.send(b"e", said)
            if code != 0:
                raise Refused("init", exit_code=code, said=(out + said).decode("utf-8", "replace")[-4096:])
            return
        self._channel.send(b"o", made.said)
        for path in files:
            target = self._root / path.relative_to(made.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)

    def _lend_commands(self, wanted: dict[str, Any]) -> None:
        """A repository set up for another agent, or by an older Spec Kit, lacks commands, and some agents must not look
        for them there: they find them in their home. Raises Refused where one is nowhere."""
        integration, folder = wanted["integration"], wanted["folder"]
        if integration in self._lent:
            return
        own = self._root / folder
        if wanted["home_only"] or lacking(own):
            made = self._made.get(integration) or MadeAhead(integration, _plain_environment())
            self._made[integration] = made
            made.wait()
            if nowhere := lend(made.folder / folder, own, folder, HOME, home_only=wanted["home_only"]):
                said = f"no command {', '.join(nowhere)} of Spec Kit in {folder}. {made.said.decode(errors='replace')}"
                raise Refused("init", said=said[:4096])
        self._lent.add(integration)

    def _version_of(self, argv: list[str]) -> str:
        try:
            code, out, _ = collect(argv, _plain_environment(), cwd=str(HOME), timeout=30)
        except FileNotFoundError:
            raise Refused("no_agent", program=argv[0]) from None
        except subprocess.TimeoutExpired:
            raise Refused("no_agent", program=argv[0]) from None
        lines = out.decode("utf-8", "replace").splitlines()
        if code != 0 or not lines:
            raise Refused("no_agent", program=argv[0])
        return lines[0].strip()[:100]

    def _replay(self) -> dict[str, Any]:
        patch = b"".join(self._channel.data())
        if patch.strip():
            # They are as the base branch has them, which may have changed them since the patch was made.
            kept = [f"--exclude={path}" for path in self._kept]
            self._git("apply", "--index", "--whitespace=nowarn", *kept, "-", stdin=patch, refuse="apply")
            self._baseline = self._git("write-tree").decode().strip()
        return {}

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        for name, content in request["files"].items():
            _write(name, base64.b64decode(content))
        if request["result_file"]:
            # What an earlier run left there is not this run's result.
            free_place(HOME, request["result_file"])
        self._project_folder()
        if request["commands"]:
            self._lend_commands(request["commands"])
        aside = self._set_aside(request["set_aside"])
        forwarder = _start_forwarder(request["forward"]) if request["forward"] else None
        failures_before = _out_of_memory_kills()
        try:
            ended = run(
                request["argv"],
                {**_plain_environment(), **request["environment"]},
                self._channel.send,
                cwd=str(self._root),
                bounds=Bounds(request["timeout"], request["idle_timeout"], request["max_output"]),
                after=kill_everything,
            )
        except FileNotFoundError:
            raise Refused("no_agent", program=request["argv"][0]) from None
        finally:
            kill_everything()
            if forwarder is not None:
                forwarder.wait()
            self._put_back(aside)
        return {
            "exit_code": ended.exit_code,
            "timed_out": ended.timed_out,
            "idle": ended.idle,
            "too_much": ended.too_much,
            "out_of_memory": _out_of_memory_kills() > failures_before,
            "result": _result(request["result_file"], request["max_result"]),
        }

    def _set_aside(self, patterns: list[str]) -> bytes:
        """Take what these name out of the project's folder and those above it while an agent works. The baseline holds
        it. Returns the paths, as git lists them."""
        folders = [self._root, *(folder for folder in self._root.parents if folder.is_relative_to(TREE))]
        found = [path for folder in folders for path in settings_below(folder, patterns)]
        if not found:
            return b""
        inside = [str(path.relative_to(TREE)) for path in found]
        listed = self._git("--literal-pathspecs", "ls-files", "-z", "--", *inside)
        for path in found:
            remove(path)
        told = ", ".join(ascii(path)[1:-1] for path in inside[:MOST_TOLD])
        self._channel.send(b"e", f"not there while the agent works, since it is settings: {told}\n".encode())
        return listed

    def _put_back(self, listed: bytes) -> None:
        """What lies in the way now is the agent's, and will be seen as that."""
        if listed:
            argv = ["git", "checkout-index", "--quiet", "-z", "--stdin"]
            collect(argv, self._git_environment, stdin=listed, cwd=str(TREE))

    def _patch(self, request: dict[str, Any]) -> dict[str, Any]:
        kill_everything()
        self._channel.send(b"d", self._changes(request["max_patch"]))
        return {}

    def _read(self, request: dict[str, Any]) -> dict[str, Any]:
        kill_everything()
        found: list[tuple[str, int]] = []
        for path in request["paths"]:
            content = read_plain(TREE, path, request["max_bytes"])
            if content is not None:
                self._channel.send(b"d", content)
                found.append((path, len(content)))
        return {"found": found}

    def _changes(self, max_patch: int) -> bytes:
        """The patch from the baseline to the present tree; the baseline moves on."""
        before, self._baseline = self._baseline, self._snapshot(every=False)
        if before == self._baseline:
            return b""
        made = bytearray()

        def keep(kind: bytes, chunk: bytes) -> None:
            if kind == b"o":
                made.extend(chunk)
            else:
                self._channel.send(kind, chunk)

        ended = run(
            ["git", *DIFF, before, self._baseline],
            self._git_environment,
            keep,
            cwd=str(TREE),
            bounds=Bounds(limit=max_patch),
        )
        if ended.too_much:
            raise Refused("patch_large", limit=max_patch)
        if ended.exit_code != 0:
            raise Refused("diff", exit_code=ended.exit_code)
        return bytes(made)

    def _snapshot(self, *, every: bool) -> str:
        """Write the tree as git objects. ``every``: what .gitignore names too, for the base has it tracked."""
        self._git("add", "--all", *(["--force"] if every else []), "--", ".", refuse="snapshot")
        if self._kept:
            lines = index_lines(list(self._kept.values()))
            self._git("update-index", "--replace", "-z", "--index-info", stdin=lines, refuse="snapshot")
        return self._git("write-tree", refuse="snapshot").decode().strip()

    def _entries_of(self, paths: list[str]) -> dict[str, tuple[str, str, str]]:
        """How the baseline has ``paths``: what an agent makes of them is in no patch, since it would not fit the
        branch, which has them otherwise."""
        entries = {path: ("0", ABSENT, path) for path in paths}
        if not entries:
            return {}
        listed = self._git("ls-tree", "-r", "-z", self._baseline).decode("utf-8", "surrogateescape")
        for line in listed.split("\0")[:-1]:
            facts, _, path = line.partition("\t")
            if path in entries:
                mode, _, object_id = facts.split(" ")
                entries[path] = (mode, object_id, path)
        return entries

    def _git(self, *arguments: str, stdin: bytes = b"", refuse: str = "git") -> bytes:
        code, out, said = collect(["git", *arguments], self._git_environment, stdin=stdin, cwd=str(TREE))
        if said:
            self._channel.send(b"e", said[-16_384:])
        if code != 0:
            raise Refused(refuse, said=said.decode("utf-8", "replace")[-4096:])
        return out


def kill_everything() -> None:
    """Kill every process of ours but this one: nothing the agent started may write on after its turn.

    The container's first process belongs to another user and stays.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)


def _plain_environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(HOME),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _occupied(path: Path) -> bool:
    return path.is_symlink() or path.exists() or any(parent.is_symlink() for parent in path.parents if parent != TREE)


def _spec_kit_version() -> str:
    for found in Path("/opt/speckit/venv/lib").glob("python3*/site-packages/specify_cli-*.dist-info"):
        return found.name.removeprefix("specify_cli-").removesuffix(".dist-info")
    raise Refused("no_spec_kit")


def _write(name: str, content: bytes) -> None:
    place = free_place(HOME, name)
    place.write_bytes(content)


def _result(name: str, most: int) -> str:
    """The file an agent was told to leave, in base64; empty where it left none, or something else."""
    content = read_plain(HOME, name, most) if name else None
    return base64.b64encode(content or b"").decode()


def _start_forwarder(sockets: dict[str, str]) -> subprocess.Popen[bytes]:
    """``sockets``: the ports of loopback to listen on -> the names of the sockets that they lead to."""
    pairs = [part for port, name in sockets.items() for part in (port, f"/run/speckit-gateway/{name}")]
    process = subprocess.Popen(
        ["speckit-forward", *pairs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # Whoever connects to it must not be able to write into our own output by it.
        stderr=subprocess.DEVNULL,
    )
    with pipe(process.stdout) as words:
        if words.readline().strip() != b"listening":
            raise Refused("no_gateway")
    return process


def _out_of_memory_kills() -> int:
    """How often the kernel killed one of this container's processes for memory (cgroup v1 and v2)."""
    for name in ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"):
        with contextlib.suppress(OSError, ValueError):
            for line in Path(name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0
