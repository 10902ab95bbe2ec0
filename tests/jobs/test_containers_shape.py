"""The whole configuration of both containers, for each option: nothing more and nothing less than what is written here,
and what the engine says of a real container is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from jobs.containers import ContainerLimits
from jobs.containers.shape import Role, host_config
from tests.jobs.workplace import Rig, ScriptAgent

MIB = 1 << 20
MEMORY = "rw,exec,nosuid,nodev,uid=1000,gid=1000,mode=0700,nr_inodes=250000"
GIT_TMPFS = {
    "/tmp": f"{MEMORY},size={256 * MIB}",
    "/home/agent": f"{MEMORY},size={256 * MIB}",
    "/work": f"{MEMORY},size={1024 * MIB}",
}
JOB_TMPFS = {**GIT_TMPFS, "/baseline": f"{MEMORY},size={1024 * MIB}"}
BOTH: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "privileged": False,
    "pids_limit": 512,
    "nano_cpus": 2_000_000_000,
    "ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}, {"Name": "core", "Soft": 0, "Hard": 0}],
    "init": True,
    "ipc_mode": "private",
    "log_config": {"Type": "none", "Config": {}},
    "binds": [],
}
JOB = {
    **BOTH,
    "network_mode": "none",
    "tmpfs": JOB_TMPFS,
    "mem_limit": 4096 * MIB,
    "memswap_limit": 4096 * MIB,
}
GIT = {
    **BOTH,
    "network_mode": "bridge",
    "tmpfs": GIT_TMPFS,
    "mem_limit": 2048 * MIB,
    "memswap_limit": 2048 * MIB,
}
GATEWAY = {"binds": ["/var/gateway/7-1:/run/speckit-gateway:ro"]}


@pytest.mark.parametrize(
    ("role", "options", "expected"),
    [
        ("job", {}, JOB),
        ("job", {"cpus": 1}, {**JOB, "nano_cpus": 1_000_000_000}),
        ("job", {"gateway_folder": Path("/var/gateway/7-1")}, {**JOB, **GATEWAY}),
        ("job", {"runtime": "runsc"}, {**JOB, "runtime": "runsc"}),
        ("job", {"host_network": True}, JOB),
        ("git", {}, GIT),
        ("git", {"runtime": "runsc"}, GIT),
        ("git", {"host_network": True}, {**GIT, "network_mode": "host", "userns_mode": "host"}),
    ],
)
def test_a_container_is_made_like_this_and_not_otherwise(
    role: Role, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert host_config(role, ContainerLimits(), **{"cpus": 64, **options}) == expected


TOLD: dict[str, Any] = {
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges:true"],
    "PidsLimit": 512,
    "Ulimits": [{"Name": "nofile", "Hard": 4096, "Soft": 4096}, {"Name": "core", "Hard": 0, "Soft": 0}],
    "Init": True,
    "IpcMode": "private",
    "CgroupnsMode": "host",
    "Isolation": "",
    "LogConfig": {"Type": "none", "Config": {}},
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "Runtime": "runc",
    "ShmSize": 64 * MIB,
    "ConsoleSize": [0, 0],
}
"""What an engine says of every container of ours, its own defaults included."""

PROTECTED = {
    *("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats"),
    *("/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
}
DEPENDS_ON_THE_ENGINE = {"CgroupnsMode", "ConsoleSize", "ShmSize", "MaskedPaths", "ReadonlyPaths", "NanoCpus"}


def said_of(inspected: dict[str, Any]) -> dict[str, Any]:
    """What the engine says that means anything: empty, zero and off are left out."""
    host = {name: value for name, value in inspected["HostConfig"].items() if value not in (None, "", 0, False, [], {})}
    assert set(host["MaskedPaths"]) >= PROTECTED
    assert set(host["ReadonlyPaths"]) >= {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
    return {name: value for name, value in host.items() if name not in DEPENDS_ON_THE_ENGINE}


def expected_of(**more: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in {**TOLD, **more}.items()
        if value not in (None, "", 0, False, [], {}) and name not in DEPENDS_ON_THE_ENGINE
    }


@pytest.mark.engine
async def test_the_engine_says_the_same_of_real_containers(rig: Rig, engine: docker.DockerClient) -> None:
    async with rig.workplace(agent=ScriptAgent()) as w:
        found = {
            container["Labels"]["speckit-bot.role"]: engine.api.inspect_container(container["Id"])
            for container in engine.api.containers(filters={"label": f"speckit-bot.run={w.run_id}"})
        }
    job, git = found["job"], found["git"]
    memory = {"Memory": 4096 * MIB, "MemorySwap": 4096 * MIB}
    assert said_of(job) == expected_of(NetworkMode="none", Tmpfs=JOB_TMPFS, **memory)
    memory = {"Memory": 2048 * MIB, "MemorySwap": 2048 * MIB}
    assert said_of(git) == expected_of(NetworkMode="host", UsernsMode="host", Tmpfs=GIT_TMPFS, **memory)
    for inspected in (job, git):
        assert inspected["Mounts"] == []
        assert inspected["Config"]["User"] == "65534:65534"
        assert not any("SECRET" in entry or "TOKEN" in entry for entry in inspected["Config"]["Env"])
    assert list(job["NetworkSettings"]["Networks"]) == ["none"]
