"""The box proves itself, on each run and before anything untrusted is in it: what a job container is asked, and what
counts as an answer. The other end is ``speckit_container/self_test.py`` in the image.

What is looked for lies where a mistake in a container's shape would show it: canaries in the folders of this machine
that must stay outside, the names of the variables that hold our secrets, the addresses that a network would lead to.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.vocabulary import ErrorCode
from jobs.containers.session import Result, Session
from jobs.containers.shape import ContainerLimits
from jobs.errors import AppError, TransientError
from jobs.ports import BoxCheck, PhaseOutput

CHECKS = (
    *("canary", "host folders", "environment", "network", "names", "writing"),
    *("privileges", "system calls", "user ids", "inner sandbox"),
)
"""Every check there must be an answer to."""

ADDRESSES = ("169.254.169.254", "fd00:ec2::254", "192.0.2.1", "2001:db8::1")
"""A cloud's metadata, and any address of the internet (RFC 5737, RFC 3849)."""

NAMES = ("example.com", "host.docker.internal", "metadata.google.internal")
LONGEST_SEEN = 300
TEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """What the containers are to be like, and what must never be seen in the job container.

    ``runtime`` is the engine's name for that of the job container, empty for the engine's own choice. ``remapped``:
    user ids in it must not be the engine's. ``canary_folders`` are folders of this machine, ``secret_names`` are
    variables of this process.
    """

    limits: ContainerLimits = field(default_factory=ContainerLimits)
    runtime: str = ""
    remapped: bool = False
    secret_names: Sequence[str] = ()
    canary_folders: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Canary:
    """Files that hold ``token``, outside."""

    token: str
    paths: Sequence[Path]


@contextlib.contextmanager
def planted(folders: Sequence[Path]) -> Iterator[Canary]:
    """A file in each folder for as long as the block runs. Raises OSError."""
    token = f"speckit-canary-{secrets.token_hex(16)}"
    paths = [folder / f".{token}" for folder in folders]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(token)
            # Whoever sees the folder shall be able to read it: nothing but the box is to keep it away.
            path.chmod(0o644)
        yield Canary(token, paths)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


async def prove_box(
    session: Session, box: BoxSettings, *, addresses: Sequence[str], sandbox: Sequence[str]
) -> Sequence[BoxCheck]:
    """Ask the container at the other end of ``session``. ``addresses`` are the engine's own, besides ADDRESSES;
    ``sandbox`` is an argument list that ends well where the agent's inner sandbox starts, empty where it has none.

    Raises AppError ``storage.full`` when no canary can be planted, TransientError ``engine.*``.
    """
    request: dict[str, Any] = {
        "op": "self_test",
        "secret_names": list(box.secret_names),
        "addresses": [*ADDRESSES, *addresses],
        "names": list(NAMES),
        "remapped": box.remapped,
        "sandbox": list(sandbox),
    }
    planting = planted(box.canary_folders)
    try:
        canary = await asyncio.to_thread(planting.__enter__)
    except OSError as error:
        raise AppError(ErrorCode.STORAGE_FULL, f"planting a canary for the self-test: {error}") from error
    try:
        request |= {"token": canary.token, "canaries": [str(path) for path in canary.paths]}
        result = await session.ask(request, PhaseOutput(_Nowhere(), _Nowhere()), timeout=TEST_SECONDS)
    except TimeoutError:
        await session.engine.kill(session.container_id)
        message = f"the self-test of the job container: no answer within {TEST_SECONDS:.0f} s"
        raise TransientError(ErrorCode.ENGINE_CONTAINER_LOST, message) from None
    finally:
        await asyncio.to_thread(planting.__exit__, None, None, None)
    return checks_of(result)


def checks_of(result: Result) -> Sequence[BoxCheck]:
    """The answer, in the order of CHECKS. What is missing or has another form was not passed."""
    answered: dict[str, BoxCheck] = {}
    given = result.get("checks")
    for entry in given if isinstance(given, list) else ():
        match entry:
            case [str(name), bool(passed), str(seen)]:
                shown = "".join(character if character.isprintable() else " " for character in seen)
                answered[name] = BoxCheck(name, passed, shown[:LONGEST_SEEN])
    return tuple(answered.get(name) or BoxCheck(name, passed=False, seen="the image gave no answer") for name in CHECKS)


class _Nowhere:
    """The test's own complaints are in its answer."""

    def write(self, chunk: bytes) -> None:
        """Forget it."""
