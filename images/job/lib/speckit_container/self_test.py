"""The box proves itself: what must not be possible in this container is tried, before anything untrusted comes in.

Each check has a name, a result, and what was seen. Nothing here waits: whether an address can be reached is asked of
the kernel's routes, by ``connect`` on a datagram socket, which sends nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from speckit_container import syscall_filter
from speckit_container.programs import collect

GATEWAY = "/run/speckit-gateway"
OWN_PLACES = frozenset({GATEWAY, "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"})
"""Where the engine or the worker puts something of the machine's into a container: the names, and the gateway."""

INIT_NAMES = frozenset({"docker-init", "tini", "init"})
KERNEL_FOLDERS = ("/proc", "/sys", "/dev")
KERNEL_TYPES = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "tmpfs"})
OWN_MEMORY = frozenset({"/tmp", "/home/agent", "/work", "/baseline"})  # noqa: S108 - in a container of its own
PLAIN_DEVICES = frozenset({"/null", "/zero", "/full", "/random", "/urandom", "/tty"})
"""An engine that remaps user ids may make no devices: it mounts these of the machine's, which hold nothing."""

DISKS = frozenset({"ext4", "xfs", "btrfs", "zfs", "overlay", "9p", "virtiofs", "nfs", "nfs4", "cgroup", "cgroup2"})
DEVICES = ("kvm", "mem", "kmsg", "fuse", "net/tun", "vsock", "vhost-vsock", "vhost-net", "mapper/control", "dri")
ANY_ADDRESS = "192.0.2.1"
"""Nobody's, and reached the same way as everybody's (RFC 5737)."""

MOST_LOOKED_AT = 20_000
LONGEST_SEEN = 300
SANDBOX_SECONDS = 10

Check = tuple[str, bool, str]


def prove(request: dict[str, Any]) -> list[Check]:
    """Try everything. ``request`` names what to look for: ``canaries`` (paths on the worker's machine), ``token`` (what
    is in them), ``secret_names`` (variables), ``addresses``, ``names``, ``remapped`` (whether user ids must be),
    ``sandbox`` (an argument list that has to end well; empty where the agent works without an inner sandbox)."""
    return [
        _checked("canary", lambda: _canary(request["canaries"], request["token"])),
        _checked("host folders", _host_folders),
        _checked("environment", lambda: _environment(request["secret_names"], request["token"])),
        _checked("network", lambda: _network(request["addresses"])),
        _checked("names", lambda: _names(request["names"])),
        _checked("writing", _writing),
        _checked("privileges", _privileges),
        _checked("system calls", _system_calls),
        _checked("user ids", lambda: _user_ids(required=request["remapped"])),
        _checked("inner sandbox", lambda: _inner_sandbox(request["sandbox"])),
    ]


def _checked(name: str, check: Callable[[], tuple[list[str], str]]) -> Check:
    """``check`` returns what it found that must not be, and what is to be said when that is nothing."""
    try:
        found, well = check()
    except Exception as error:  # noqa: BLE001 - a check that cannot be made has not been passed
        return name, False, f"not looked at: {type(error).__name__}: {error}"[:LONGEST_SEEN]
    return name, not found, ("; ".join(found) if found else well)[:LONGEST_SEEN]


def _canary(canaries: Sequence[str], token: str) -> tuple[list[str], str]:
    """What was seen is for everybody: it names places in the container, and none of the machine's."""
    places: list[tuple[str, str]] = []
    for path in canaries:
        name = path.rpartition("/")[2]
        places += [(path, "its own path"), (f"{GATEWAY}/../{name}", f"{GATEWAY}/.."), (f"{GATEWAY}/{name}", GATEWAY)]
        places += [(f"{way}{path}", way) for way in ("/proc/1/root", "/proc/1/cwd", "/host", "/mnt", "/rootfs")]
    wanted = {path.rpartition("/")[2] for path in canaries}
    for mount in _foreign_mounts():
        places += [(found, mount) for found in _files_below(mount) if found.rpartition("/")[2] in wanted]
    found = [f"it can be read at {shown}" for place, shown in places if _holds(place, token)]
    return found, f"in none of {len(places)} places"


def _holds(path: str, token: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return token.encode() in file.read(4096)
    except OSError:
        return False


def _files_below(mount: str) -> Iterator[str]:
    if not Path(mount).is_dir():
        yield mount
        return
    left = MOST_LOOKED_AT
    for folder, _, names in os.walk(mount):
        for name in names:
            left -= 1
            if left < 0:
                return
            yield f"{folder}/{name}"


class Mount(NamedTuple):
    """A line of proc(5)'s mountinfo: ``root`` is the part of the file system that is mounted."""

    place: str
    root: str
    options: str
    kind: str


def _mounts() -> list[Mount]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        after = fields.index("-")
        found.append(Mount(fields[4].replace("\\040", " "), fields[3], fields[5], fields[after + 1]))
    return found


def _foreign_mounts() -> list[str]:
    """Where something of the machine's is mounted. The root is the image's; writing there is a check of its own."""
    return [mount.place for mount in _mounts() if not _is_the_containers(mount)]


def _is_the_containers(mount: Mount) -> bool:
    place, kind = mount.place, mount.kind
    if place == "/" or place.rpartition("/")[2] in INIT_NAMES:
        return True
    if place in OWN_MEMORY:
        return kind == "tmpfs"
    inside = any(place == folder or place.startswith(f"{folder}/") for folder in KERNEL_FOLDERS)
    return inside and (kind in KERNEL_TYPES or (kind == "devtmpfs" and mount.root in PLAIN_DEVICES))


def _host_folders() -> tuple[list[str], str]:
    found = [f"{place} is mounted from the machine" for place in _foreign_mounts() if place not in OWN_PLACES]
    found += [f"/dev/{name} can be opened" for name in DEVICES if os.access(f"/dev/{name}", os.R_OK)]
    found += [f"{entry.path} is a disk" for entry in os.scandir("/dev") if _is_disk(entry)]
    sockets = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock")
    found += [f"{path} is there" for path in sockets if Path(path).exists()]
    return found, "nothing of the machine's is mounted"


def _is_disk(entry: os.DirEntry[str]) -> bool:
    return stat.S_ISBLK(entry.stat(follow_symlinks=False).st_mode)


def _environment(secret_names: Sequence[str], token: str) -> tuple[list[str], str]:
    looked, found = 0, []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            content = (folder / "environ").read_bytes()
            looked += 1
            names = {entry.partition(b"=")[0].decode(errors="replace") for entry in content.split(b"\0")}
            found += [f"{name} is set in process {folder.name}" for name in secret_names if name in names]
            if token.encode() in content:
                found.append(f"the canary is in the environment of process {folder.name}")
    return found, f"{len(secret_names)} names in none of {looked} processes"


def _network(addresses: Sequence[str]) -> tuple[list[str], str]:
    interfaces = [name for _, name in socket.if_nameindex() if name != "lo"]
    found = [f"there is an interface {name}" for name in interfaces]
    found += [f"there is a way to {address}" for address in addresses if _has_route(address)]
    return found, f"no interface but loopback, no way to {', '.join(addresses)}"


def _has_route(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, 53))
    except OSError:
        return False
    return True


def _names(names: Sequence[str]) -> tuple[list[str], str]:
    if _has_route(ANY_ADDRESS):
        # Asking could take long, and whoever answers would learn what is asked.
        return ["there is a way to whoever answers"], ""
    found = []
    for name in names:
        with contextlib.suppress(OSError):
            found.append(f"{name} is {socket.getaddrinfo(name, 443)[0][4][0]}")
    return found, f"{', '.join(names)} cannot be looked up"


def _writing() -> tuple[list[str], str]:
    programs = [folder for folder in os.environ.get("PATH", "").split(":") if folder]
    folders = ["/", "/etc", "/usr", "/var", "/root", "/opt", "/opt/speckit/lib", "/run", GATEWAY, *programs]
    found = [f"{folder} can be written" for folder in dict.fromkeys(folders) if _can_create(folder)]
    files = [f"{folder}/{name}" for folder in programs for name in _some_names(folder)]
    files += ["/etc/passwd", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"]
    found += [f"{path} can be written" for path in files if _can_open(path)]
    found += [
        f"{mount.place} is writable"
        for mount in _mounts()
        if mount.kind in DISKS and "ro" not in mount.options.split(",") and _may_write(mount.place)
    ]
    return found, f"{len(folders)} folders and {len(files)} files refuse it"


def _may_write(place: str) -> bool:
    """The root must be read-only in any case: what rights there are in it is the image's affair."""
    return place == "/" or os.access(place, os.W_OK)


def _some_names(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(path.name for path in Path(folder).iterdir())[:20]
    return []


def _can_create(folder: str) -> bool:
    path = Path(folder, ".speckit-self-test")
    try:
        path.touch(exist_ok=False)
    except OSError:
        return False
    path.unlink()
    return True


def _can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _privileges() -> tuple[list[str], str]:
    status = dict(
        line.partition(":")[::2] for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    found = [
        f"{name} is {status[name].strip()}"
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        if int(status.get(name, "0"), 16) != 0
    ]
    if os.getuid() == 0:
        found.append("the agent's user is root")
    if status.get("NoNewPrivs", "1").strip() != "1":
        found.append("new privileges can be had")
    # One filter is ours; a kernel that counts them tells whether the engine's is there too.
    if int(status.get("Seccomp_filters", "2")) < 2 or status.get("Seccomp", "2").strip() != "2":
        found.append("the engine does not filter system calls")
    return found, f"user {os.getuid()}, no capability, no new privileges"


def _system_calls() -> tuple[list[str], str]:
    refused = syscall_filter.refused()
    found = [f"{name} is let through" for name, ok in refused.items() if not ok]
    return found, f"{', '.join(refused)} are refused"


def _user_ids(*, required: bool) -> tuple[list[str], str]:
    inside, outside, _ = Path("/proc/self/uid_map").read_text().split()[:3]
    if inside != outside:
        return [], f"remapped: ours begin at {outside} of the engine's"
    return (["they are the engine's own, and SPECKIT_USERNS asks for others"] if required else []), "the engine's own"


def _inner_sandbox(argv: Sequence[str]) -> tuple[list[str], str]:
    if not argv:
        return [], "not used: the container is the sandbox"
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/home/agent", "LANG": "C.UTF-8"}
    try:
        code, out, said = collect(argv, environment, cwd="/home/agent", timeout=SANDBOX_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{argv[0]} did not start it: {error}"], ""
    words = " ".join((out + said).decode("utf-8", "replace").split())
    return ([] if code == 0 else [f"it ended with exit code {code}: {words}"]), "starts"
