"""Mounts, namespaces, the first process, devices, control groups, privileges."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
import subprocess
from pathlib import Path

from tests.jobs.box_probes.registry import LIBC, Denied, call, each, probe, read, run, write

MOUNT, BIND, REMOUNT = 165, 4096, 32
each(
    "escape",
    [
        ("mount a tmpfs", (b"none", b"/tmp", b"tmpfs", 0)),
        ("mount another proc", (b"proc", b"/tmp", b"proc", 0)),
        ("mount sysfs to be written", (b"sysfs", b"/tmp", b"sysfs", 0)),
        ("mount a control group", (b"cgroup", b"/tmp", b"cgroup", 0)),
        ("mount the disk", (b"/dev/vda", b"/tmp", b"ext4", 0)),
        ("bind the root", (b"/", b"/tmp", None, BIND)),
        ("remount the root to be written", (b"none", b"/", None, REMOUNT | BIND)),
        ("mount an overlay", (b"overlay", b"/tmp", b"overlay", 0)),
    ],
    lambda arguments: call(MOUNT, *arguments, None),
)
each(
    "escape",
    [
        ("take a mask off /proc/kcore", b"/proc/kcore"),
        ("take a mask off /sys/firmware", b"/sys/firmware"),
        ("unmount the read-only /proc/sys", b"/proc/sys"),
    ],
    lambda path: call(166, path, 2),
)
each(
    "escape",
    [
        ("a user namespace of its own", 0x10000000),
        ("a mount namespace of its own", 0x00020000),
        ("a network namespace of its own", 0x40000000),
        ("a process namespace of its own", 0x20000000),
        ("a control group namespace of its own", 0x02000000),
    ],
    lambda flag: call(272, flag),
)
each(
    "escape",
    [(f"join the {name} namespace of the first process", name) for name in ("mnt", "net", "pid", "user")],
    lambda name: call(308, os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0),
)
each(
    "escape",
    [
        ("fsopen", (430, b"proc", 0)),
        ("open_tree", (428, -100, b"/", 1)),
        ("mount_setattr", (442, -100, b"/", 0, None, 0)),
    ],
    lambda arguments: call(*arguments),
)
probe("escape", "clone3 into a user namespace")(
    lambda: call(435, ctypes.create_string_buffer(struct.pack("8Q", 0x10000000, *([0] * 3), 17, 0, 0, 0)), 64)
)
probe("escape", "pivot_root")(lambda: call(155, b"/work", b"/work"))
probe("escape", "chroot")(lambda: os.chroot("/work"))
probe("escape", "open a file by its handle, past every mount")(
    lambda: call(304, os.open("/", os.O_RDONLY), ctypes.create_string_buffer(struct.pack("Ii8s", 8, 1, b"\2")), 0)
)
each(
    "escape",
    [
        (f"write {path}", path)
        for path in (
            *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/panic_on_oom"),
            *("/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"),
            *("/sys/class/net/lo/mtu", "/sys/power/state", "/proc/1/oom_score_adj", "/proc/self/uid_map"),
            *("/etc/passwd", "/etc/ld.so.preload", "/usr/local/bin/speckit-session", "/opt/speckit/lib/x.py", "/x"),
        )
    ],
    write,
)


def cgroup_files(name: str) -> list[str]:
    root = Path("/sys/fs/cgroup")
    found = [str(path) for path in (*root.glob(name), *root.glob(f"*/{name}"))]
    if not found:
        raise Denied("there is none")
    return found


@probe("escape", "release_agent of a control group")
def release_agent() -> None:
    for path in cgroup_files("release_agent"):
        write(path, "/tmp/x")


@probe("escape", "a control group below ours")
def below() -> None:
    for path in cgroup_files("cgroup.procs"):
        Path(path).with_name("below").mkdir()


@probe("escape", "allow ourselves every device")
def allow_devices() -> None:
    for path in cgroup_files("devices.allow"):
        write(path, "a")


@probe("escape", "raise our limit of memory")
def raise_memory() -> None:
    for path in (
        cgroup_files("memory.limit_in_bytes") if Path("/sys/fs/cgroup/memory").exists() else cgroup_files("memory.max")
    ):
        write(path, "-1")


@probe("escape", "raise our limit of processes")
def raise_processes() -> None:
    for path in cgroup_files("pids.max"):
        write(path, "max")


@probe("escape", "leave our control group")
def leave_group() -> None:
    for path in cgroup_files("tasks") if Path("/sys/fs/cgroup/memory").exists() else cgroup_files("cgroup.procs"):
        write(path, str(os.getpid()))


each(
    "escape",
    [("make a block device", (stat.S_IFBLK, 254, 0)), ("make /dev/mem", (stat.S_IFCHR, 1, 1))],
    lambda facts: os.mknod("/tmp/device", facts[0] | 0o600, os.makedev(facts[1], facts[2])),
)
each(
    "escape",
    [
        (f"read /dev/{name}", f"/dev/{name}")
        for name in (
            "mem",
            "kmem",
            "port",
            "kmsg",
            "vda",
            "sda",
            "nvme0n1",
            "fuse",
            "kvm",
            "net/tun",
            "vsock",
            "loop-control",
        )
    ],
    lambda path: os.open(path, os.O_RDONLY | os.O_NONBLOCK),
)
each(
    "escape",
    [
        ("read the memory of the kernel", "/proc/kcore"),
        ("read the first process's memory", "/proc/1/mem"),
        ("read the first process's environment", "/proc/1/environ"),
        ("read the kernel's keys", "/proc/keys"),
        ("read the kernel's timers", "/proc/timer_list"),
    ],
    read,
)
each(
    "escape",
    [
        ("the root of the first process", "/proc/1/root/etc"),
        ("the folder of the first process", "/proc/1/cwd/etc"),
        ("the files of the first process", "/proc/1/fd"),
    ],
    os.listdir,
)


@probe("escape", "addresses in the kernel")
def kernel_addresses() -> str:
    for line in Path("/proc/kallsyms").read_text().splitlines()[:50]:
        if int(line.split()[0], 16):
            return line
    raise Denied("all are zero")


PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


def clock() -> int:
    """The process that ends the container when its time is over."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and b"sleep" in (entry / "cmdline").read_bytes() and entry.stat().st_uid != os.getuid():
            return int(entry.name)
    raise AssertionError("no clock is there to be attacked")


probe("escape", "trace the first process")(lambda: call(101, PTRACE_ATTACH, 1, 0, 0))
probe("escape", "trace the container's clock")(lambda: call(101, PTRACE_SEIZE, clock(), 0, 0))
probe("escape", "write into the first process")(lambda: call(311, 1, None, 0, None, 0, 0) and None)
probe("escape", "end the first process")(lambda: os.kill(1, signal.SIGKILL))
probe("escape", "end the container's clock")(lambda: os.kill(clock(), signal.SIGKILL))
probe("escape", "stop the container's clock")(lambda: os.kill(clock(), signal.SIGSTOP))
probe("escape", "take a file of the first process")(lambda: call(438, os.pidfd_open(1), 0, 0))
probe("escape", "raise the limits of the first process")(lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9)))
probe("escape", "become root")(lambda: os.setuid(0))
probe("escape", "join the group of root")(lambda: os.setgid(0))
probe("escape", "take other groups")(lambda: os.setgroups([0, 999]))
probe("escape", "take a capability")(
    lambda: call(126, struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *([1 << 21] * 6)))
)
probe("escape", "keep a capability for what is started")(lambda: prctl(47, 2, 21))
probe("escape", "let programs gain privileges again")(lambda: prctl(38, 0))
probe("escape", "take the filter of system calls off")(lambda: prctl(22, 0))


def prctl(*arguments: int) -> None:
    ctypes.set_errno(0)
    padded = [*arguments, *([0] * (5 - len(arguments)))]
    if LIBC.prctl(*(ctypes.c_ulong(value) for value in padded)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@probe("escape", "a program that makes us root")
def setuid_programs() -> str:
    tried = 0
    for folder in ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/lib", "/opt"):
        for path in Path(folder).rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
                    tried += 1
                    done = subprocess.run(
                        [str(path), "-c", "id -u"],
                        capture_output=True,
                        text=True,
                        timeout=3,
                        stdin=subprocess.DEVNULL,
                        check=False,
                    )
                    if done.stdout.strip() == "0":
                        return str(path)
    raise Denied(f"none of {tried}")


probe("escape", "su")(lambda: run("su", "root", "-c", "id"))
probe("escape", "sudo")(lambda: run("sudo", "-n", "id"))
probe("escape", "unshare -Ur")(lambda: run("unshare", "-Ur", "id"))
probe("escape", "nsenter into the first process")(lambda: run("nsenter", "-t", "1", "-m", "id"))
