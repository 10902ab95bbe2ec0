"""A second filter of system calls, on top of the engine's own: what no agent needs and kernels were broken through.

Engines differ in what their default filter lets pass (Docker 20.10 passes io_uring, and sockets of every family), and a
container without a network still has the families that no network namespace separates: a virtual machine's vsock leads
to its host. The filter is put on this process and inherited by everything it starts, whatever it becomes.

Classic BPF over ``struct seccomp_data``: see seccomp(2). A refused call fails with EPERM.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """``audit`` is its number in linux/audit.h; ``socket`` and ``refused`` are numbers of system calls."""

    audit: int
    socket: int
    refused: Mapping[str, int]


# The same on every architecture.
_NEW = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}

ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(
        0xC000003E,
        41,
        {
            **_NEW,
            **{"userfaultfd": 323, "bpf": 321, "perf_event_open": 298, "open_by_handle_at": 304},
            **{"add_key": 248, "request_key": 249, "keyctl": 250, "modify_ldt": 154},
            **{"kexec_load": 246, "kexec_file_load": 320},
            **{"init_module": 175, "delete_module": 176, "finit_module": 313},
        },
    ),
    "aarch64": Architecture(
        0xC00000B7,
        198,
        {
            **_NEW,
            **{"userfaultfd": 282, "bpf": 280, "perf_event_open": 241, "open_by_handle_at": 265},
            **{"add_key": 217, "request_key": 218, "keyctl": 219},
            **{"kexec_load": 104, "kexec_file_load": 294},
            **{"init_module": 105, "delete_module": 106, "finit_module": 273},
        },
    ),
}

FAMILIES = (1, 2, 10, 16)
"""The families of sockets that are left: unix, IPv4, IPv6 and netlink, which all end at the container's namespaces."""

_PACKET, _VSOCK = 17, 40

_X32 = 0x40000000
"""Set in the number of a call that x86-64 makes with 32-bit pointers: other numbers, so other ways in."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


def program(architecture: Architecture) -> bytes:
    """The filter, as an array of ``struct sock_filter``."""
    calls = [architecture.socket, *architecture.refused.values()]
    steps: list[tuple[int, int, int, int]] = []

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        steps.append((code, if_true, if_false, value))

    step(_LOAD, _ARCHITECTURE)
    step(_EQUAL, architecture.audit, 1, 0)
    step(_RETURN, _REFUSE)
    step(_LOAD, _NUMBER)
    step(_AT_LEAST, _X32, 0, 1)
    step(_RETURN, _REFUSE)
    # Jumps are counted in steps from the next one. After the calls: allow; refuse; then the families.
    for position, number in enumerate(calls):
        left = len(calls) - position - 1
        step(_EQUAL, number, left + (2 if number == architecture.socket else 1), 0)
    step(_RETURN, _ALLOW)
    step(_RETURN, _REFUSE)
    step(_LOAD, _FIRST_ARGUMENT)
    for position, family in enumerate(FAMILIES):
        step(_EQUAL, family, len(FAMILIES) - position, 0)
    step(_RETURN, _REFUSE)
    step(_RETURN, _ALLOW)
    return b"".join(struct.pack("=HBBI", *each) for each in steps)


def install() -> None:
    """Put the filter on this process for ever. Raises OSError where the kernel takes none.

    A machine of another architecture goes without: the self-test says so.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return
    code = program(architecture)
    kept = ctypes.create_string_buffer(code, len(code))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(kept)))
    library = ctypes.CDLL(None, use_errno=True)
    _control(library, (_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _control(library, (_SET_SECCOMP, _FILTER, ctypes.addressof(described), 0, 0))


def refused() -> Mapping[str, bool]:
    """Whether what the filter is for is refused here. Asks for nothing that would have an effect."""
    library = ctypes.CDLL(None, use_errno=True)
    made = library.syscall(ctypes.c_long(_NEW["io_uring_setup"]), ctypes.c_long(1), ctypes.c_long(0))
    unringed = made < 0 and ctypes.get_errno() in {errno.EPERM, errno.ENOSYS}
    return {"io_uring": unringed, "vsock": not _has_family(_VSOCK), "packet sockets": not _has_family(_PACKET)}


def _has_family(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _control(library: ctypes.CDLL, arguments: Sequence[int]) -> None:
    option, *others = arguments
    if library.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in others)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"filtering system calls: {errno.errorcode.get(number, number)}")
