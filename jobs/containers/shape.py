"""How the two containers are made: everything that keeps what runs in them from reaching anything else.

The job container has no network at all; the git container sits on the engine's bridge, or on the host's network where
the repository's server is this machine. Both: no capabilities, no new privileges, a read-only root, an ordinary user,
memory file systems of bounded size. The first process belongs to another user than the agent, which can not end it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["git", "job"]

USER = "1000:1000"
IDLE_USER = "65534:65534"
DEADLINE_EXIT = 42
"""The exit code of a container whose own deadline passed."""

MIB = 1 << 20
LABEL = "speckit-bot"


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """What the containers of one run may use. Sizes in bytes; memory file systems count as memory."""

    job_memory: int = 4096 * MIB
    git_memory: int = 2048 * MIB
    tree: int = 1024 * MIB
    baseline: int = 1024 * MIB
    home: int = 256 * MIB
    temporary: int = 256 * MIB
    tree_files: int = 200_000
    tree_bytes: int = 512 * MIB
    cpus: float = 2.0
    processes: int = 512
    open_files: int = 4096
    agent_output: int = 64 * MIB
    patch: int = 32 * MIB
    clone_seconds: float = 300.0
    agent_idle_seconds: float = 900.0


def host_config(
    role: Role,
    limits: ContainerLimits,
    *,
    cpus: float,
    host_network: bool = False,
    gateway_folder: Path | None = None,
    runtime: str = "",
) -> dict[str, Any]:
    """The keyword arguments of ``docker.APIClient.create_host_config``: the whole configuration, and the only place
    that makes one. ``runtime`` is for the job container, where untrusted code runs; empty is the engine's own."""
    memory = limits.job_memory if role == "job" else limits.git_memory
    options: dict[str, Any] = {}
    if runtime and role == "job":
        options["runtime"] = runtime
    if host_network and role == "git":
        # An engine that remaps user ids lets nobody else join its own network.
        options["userns_mode"] = "host"
    return {
        **options,
        "network_mode": "none" if role == "job" else "host" if host_network else "bridge",
        "read_only": True,
        "tmpfs": _memory_file_systems(role, limits),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "pids_limit": limits.processes,
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": int(min(limits.cpus, cpus) * 1e9),
        "ulimits": [
            {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "init": True,
        "ipc_mode": "private",
        "log_config": {"Type": "none", "Config": {}},
        "binds": [f"{gateway_folder}:/run/speckit-gateway:ro"] if gateway_folder is not None else [],
    }


def _memory_file_systems(role: Role, limits: ContainerLimits) -> dict[str, str]:
    common = f"rw,exec,nosuid,nodev,uid=1000,gid=1000,mode=0700,nr_inodes={limits.tree_files + 50_000}"
    sizes = {"/tmp": limits.temporary, "/home/agent": limits.home, "/work": limits.tree}  # noqa: S108 - in a container
    if role == "job":
        sizes["/baseline"] = limits.baseline
    return {path: f"{common},size={size}" for path, size in sizes.items()}


def idle_command(deadline_seconds: float) -> Sequence[str]:
    """The first process: it waits, and ends the container by itself when its time is over."""
    return ["sh", "-c", f'sleep "$1"; exit {DEADLINE_EXIT}', "idle", str(max(1, round(deadline_seconds)))]


def labels(run_id: str, epoch: int, host: str, role: Role) -> Mapping[str, str]:
    """How a container is found again, by whoever cleans up."""
    return {
        f"{LABEL}.run": run_id,
        f"{LABEL}.epoch": str(epoch),
        f"{LABEL}.host": host,
        f"{LABEL}.role": role,
    }
