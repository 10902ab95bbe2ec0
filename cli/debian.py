"""Packages of the system, installed only when something that needs them is missing, and never started by apt."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.errors import StartError
from jobs.egress.forward_proxy import NotThere, program

_POLICY = Path("/usr/sbin/policy-rc.d")
_CLUSTERS = Path("/etc/postgresql-common/createcluster.d/speckit-bot.conf")


def privilege() -> list[str]:
    """What goes before a command that needs root: nothing, or ``sudo``. Raises StartError when neither helps."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise StartError("this needs root, and there is no sudo; run it as root")


def install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages. Says so on stderr. Raises StartError when that is not possible here."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise StartError(f"{why} needs {names}, and there is no apt-get here; install it by hand")
    root = privilege()
    print(f"speckit-bot: installing {names} with apt-get ({why})", file=sys.stderr, flush=True)
    environment = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
    with _nothing_starts(root):
        _run([*environment, "apt-get", "update", "-q"], f"apt-get update, for {names}")
        _run(
            [*environment, "apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
            f"apt-get install {names}",
        )


def install_postgres_binaries() -> None:
    """Postgres for the tests: its binaries, without the cluster that Debian's package makes and starts."""
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return
    root = privilege()
    _write(root, _CLUSTERS, "create_main_cluster = false\n", "644")
    try:
        install(["postgresql"], "the tests run on Postgres too")
    finally:
        _run([*root, "rm", "-f", str(_CLUSTERS)], f"removing {_CLUSTERS}")


def install_forward_proxy() -> None:
    """tinyproxy for the tests: the program alone, without the service that Debian's package has."""
    try:
        program()
    except NotThere:
        install(["tinyproxy-bin"], "the tests let an agent reach an allowed host")


@contextmanager
def _nothing_starts(root: Sequence[str]) -> Iterator[None]:
    """Debian's packages start their services, unless ``policy-rc.d`` answers 101 (invoke-rc.d(8))."""
    if _POLICY.exists():
        yield
        return
    _write(root, _POLICY, "#!/bin/sh\nexit 101\n", "755")
    try:
        yield
    finally:
        _run([*root, "rm", "-f", str(_POLICY)], f"removing {_POLICY}")


def _write(root: Sequence[str], path: Path, text: str, mode: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="speckit-bot-") as file:
        file.write(text)
        file.flush()
        _run([*root, "install", "-D", "-m", mode, file.name, str(path)], f"writing {path}")


def _run(argv: Sequence[str], what: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise StartError(f"{what}: exit code {done.returncode}: {' | '.join(lines[-3:])}")


_INSTALLED = {"postgres": install_postgres_binaries, "tinyproxy": install_forward_proxy}


def main() -> None:
    """``python -m cli.debian postgres tinyproxy``: what `make test` needs besides an engine."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", nargs="+", choices=_INSTALLED)
    wanted = parser.parse_args().what
    try:
        for name in wanted:
            _INSTALLED[name]()
    except StartError as error:
        sys.exit(f"speckit-bot: {error}")


if __name__ == "__main__":
    main()
