"""The kernel's doors that are not meant for agents."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct

from tests.jobs.box_probes.registry import Denied, call, each, probe, run

each(
    "kernel",
    [
        ("bpf", (321, 0, ctypes.create_string_buffer(128), 128)),
        ("perf_event_open", (298, ctypes.create_string_buffer(struct.pack("II", 1, 128) + bytes(120)), 0, -1, -1, 0)),
        ("io_uring_setup", (425, 4, ctypes.create_string_buffer(120))),
        ("io_uring_enter", (426, 0, 0, 0, 0, 0, 0)),
        ("io_uring_register", (427, 0, 0, None, 0)),
        ("userfaultfd", (323, 1)),
        ("add_key", (248, b"user", b"x", b"x", 1, -3)),
        ("request_key", (249, b"user", b"x", None, -3)),
        ("keyctl", (250, 0, -3, 1)),
        ("init_module", (175, b"x", 1, b"")),
        ("finit_module", (313, 0, b"", 0)),
        ("delete_module", (176, b"dummy", 0)),
        ("kexec_load", (246, 0, 0, None, 0)),
        ("reboot", (169, 0xFEE1DEAD, 672274793, 0, None)),
        ("swapon", (167, b"/tmp/x", 0)),
        ("acct", (163, b"/tmp/x")),
        ("quotactl", (179, 0x80000700, b"/dev/vda", 0, None)),
        ("settimeofday", (164, ctypes.create_string_buffer(struct.pack("qq", 1, 0)), None)),
        ("clock_settime", (227, 0, ctypes.create_string_buffer(struct.pack("qq", 1, 0)))),
        ("read the kernel's log", (103, 3, ctypes.create_string_buffer(64), 64)),
        ("sethostname", (170, b"other", 5)),
        ("setdomainname", (171, b"other", 5)),
        ("kcmp with the first process", (312, os.getpid(), 1, 0, 0, 0)),
        ("move the first process's pages", (279, 1, 0, None, None, None, 0)),
        ("fanotify on everything", (300, 0, 0)),
        ("modify_ldt", (154, 0, ctypes.create_string_buffer(16), 16)),
        ("iopl", (172, 3)),
        ("ioperm", (173, 0x70, 2, 1)),
        ("a call with 32-bit pointers (x32)", (0x40000000 + 39,)),
    ],
    lambda arguments: call(*arguments),
)


def family(facts: tuple[int, int, int]) -> None:
    socket.socket(*facts).close()


each(
    "kernel",
    [
        ("a packet socket", (17, socket.SOCK_RAW, 0x0300)),
        ("a raw socket", (socket.AF_INET, socket.SOCK_RAW, 1)),
        ("a raw socket of IPv6", (socket.AF_INET6, socket.SOCK_RAW, 58)),
        ("a socket to the machine's host (vsock)", (40, socket.SOCK_STREAM, 0)),
        ("a socket of the kernel's cryptography", (38, socket.SOCK_SEQPACKET, 0)),
        ("an express data path", (44, socket.SOCK_RAW, 0)),
        ("a socket of Bluetooth", (31, socket.SOCK_RAW, 1)),
        ("a socket of key management", (15, socket.SOCK_RAW, 2)),
        ("a TIPC socket", (30, socket.SOCK_RDM, 0)),
        ("an RDS socket", (21, socket.SOCK_SEQPACKET, 0)),
    ],
    family,
)


@probe("kernel", "add a route")
def add_route() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(2)
        message = struct.pack("BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0) + struct.pack("HHI", 8, 4, 1)
        kernel.send(struct.pack("IHHII", 16 + len(message), 24, 0x605, 1, 0) + message)
        (number,) = struct.unpack_from("i", kernel.recv(4096), 16)
        if number:
            raise OSError(-number, os.strerror(-number))


def raise_limit(kind: int) -> None:
    try:
        resource.setrlimit(kind, (1 << 20, 1 << 20))
    except ValueError as refused:
        raise Denied(str(refused)) from None


probe("kernel", "more open files")(lambda: raise_limit(resource.RLIMIT_NOFILE))
probe("kernel", "a dump of memory")(lambda: raise_limit(resource.RLIMIT_CORE))
probe("kernel", "a better place than others")(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10))
probe("kernel", "a real-time place")(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
probe("kernel", "load a module")(lambda: run("modprobe", "dummy"))
