"""Credentials, and what belongs to the machine or to other runs."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from tests.jobs.box_probes.registry import ARM, FACTS, GATEWAY, Denied, call, each, probe, read, run, write


def there(path: str) -> str:
    if Path(path).is_symlink() or Path(path).exists():
        return path
    raise Denied("it is not there")


each(
    "credentials",
    [
        (name, path)
        for name, path in (
            ("Docker's socket", "/var/run/docker.sock"),
            ("Docker's socket in /run", "/run/docker.sock"),
            ("containerd's socket", "/run/containerd/containerd.sock"),
            ("podman's socket", "/run/podman/podman.sock"),
            ("CRI-O's socket", "/run/crio/crio.sock"),
            ("the engine's files", "/var/lib/docker"),
            ("mounted secrets", "/run/secrets"),
            ("a token of Kubernetes", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
            ("keys for SSH", "/home/agent/.ssh"),
            ("credentials of git", "/home/agent/.git-credentials"),
            ("credentials of a cloud", "/home/agent/.aws"),
            ("a login of Docker", "/home/agent/.docker/config.json"),
            ("a login of npm", "/home/agent/.npmrc"),
            ("a .netrc", "/home/agent/.netrc"),
            ("git's folder of the clone", "/work/.git"),
            ("the worker's data", FACTS["data_folder"]),
            ("the canary in the worker's data", FACTS["canary"]),
            ("what lies beside the gateway's folder", f"{GATEWAY}/../{Path(FACTS['canary']).name}"),
            ("another run's gateway", f"{GATEWAY}/../{FACTS['neighbour']}"),
        )
    ],
    there,
)
each(
    "credentials",
    [("the passwords", "/etc/shadow"), ("the home of root", "/root/.bashrc")],
    read,
)


@probe("credentials", "a secret in any process's environment")
def environments() -> str:
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            for name in FACTS["secret_names"]:
                if f"{name}=".encode() in content:
                    return f"{name} in {path}"
    raise Denied(f"none of {len(FACTS['secret_names'])}")


@probe("credentials", "a process of the machine or of another run")
def foreign_processes() -> str:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            content = path.read_bytes().decode(errors="replace")
            if any(word in content for word in ("dockerd", "containerd", "pytest", "redis-server", "worker")):
                return content[:60]
    raise Denied("only our own are there")


@probe("credentials", "a listening socket of the machine")
def foreign_sockets() -> str:
    lines = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if len(line.split()) > 7]
    ours = [name for name in lines if not name.startswith(GATEWAY)]
    if ours:
        return str(ours[:3])
    raise Denied("none")


@probe("credentials", "an abstract socket of the machine")
def abstract() -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + FACTS["abstract"])


each(
    "credentials",
    [
        ("a file in the gateway's folder", lambda: write(f"{GATEWAY}/new")),
        ("take the gateway's socket away", lambda: Path(f"{GATEWAY}/socket").unlink()),
        ("another socket in the gateway's place", lambda: Path("/tmp").rename(f"{GATEWAY}/socket")),
        ("a link in the gateway's folder", lambda: Path(f"{GATEWAY}/root").symlink_to("/")),
        ("other rights for the gateway's folder", lambda: Path(GATEWAY).chmod(0o777)),
        ("memory that another run shares", lambda: call(29 if not ARM else 194, FACTS["shared_key"], 0, 0)),
        ("a message queue of another run", lambda: there(f"/dev/mqueue/{FACTS['abstract']}")),
        ("a shared file of another run", lambda: there(f"/dev/shm/{FACTS['abstract']}")),
        ("a password for git", lambda: run("git", "credential", "fill")),
    ],
    lambda attempt: attempt(),
)
