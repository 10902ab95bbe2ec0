"""The second filter of system calls, step by step as the kernel takes it: on both architectures, whatever this one is."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.jobs.template_tree import library

ALLOWED, REFUSED = 0x7FFF0000, 0x00050001
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003


FILTER: Any = library("syscall_filter")


def answer(program: bytes, architecture: int, number: int, first: int = 0) -> int:
    """What classic BPF comes to for one call (seccomp(2), struct seccomp_data)."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, first, *([0] * 5))
    steps = list(struct.iter_unpack("=HBBI", program))
    position = accumulator = 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x15:
            position += if_true if accumulator == value else if_false
        elif code == 0x35:
            position += if_true if accumulator >= value else if_false
        else:
            assert code == 0x06
            return int(value)


@pytest.mark.parametrize(("machine", "audit", "other"), [("x86_64", X86_64, AARCH64), ("aarch64", AARCH64, X86_64)])
def test_what_no_agent_needs_is_refused_and_nothing_else(machine: str, audit: int, other: int) -> None:
    architecture = FILTER.ARCHITECTURES[machine]
    program = FILTER.program(architecture)
    refused = set(architecture.refused.values())
    for number in range(600):
        if number == architecture.socket:
            continue
        assert answer(program, audit, number) == (REFUSED if number in refused else ALLOWED), number
    families = {family: answer(program, audit, architecture.socket, family) for family in range(64)}
    assert {family for family, result in families.items() if result == ALLOWED} == {1, 2, 10, 16}
    # Other numbers mean other calls to another architecture, and to the 32-bit ways of this one.
    for number in (0, 1, 59, architecture.socket):
        assert answer(program, other, number, 1) == REFUSED
        assert answer(program, I386, number, 1) == REFUSED
        assert answer(program, audit, 0x40000000 + number, 1) == REFUSED


def test_both_architectures_refuse_the_same_calls() -> None:
    x86, arm = (set(FILTER.ARCHITECTURES[machine].refused) for machine in ("x86_64", "aarch64"))
    assert x86 - arm == {"modify_ldt"}
    assert arm - x86 == set()
