"""What ``specify init`` makes, in a folder of its own: most trees need it, and it is done while git still clones."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from speckit_container.frames import Refused

ROOT = Path("/tmp/speckit-init")  # noqa: S108 - in a container of its own
SECONDS = 120


class MadeAhead:
    """The files of one integration, in ``folder`` once ``wait`` returned 0."""

    def __init__(self, integration: str, environment: Mapping[str, str]) -> None:
        self.folder = ROOT / integration
        self._log = ROOT / f"{integration}.log"
        self.folder.mkdir(parents=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                init_argv(integration),
                env=dict(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> int:
        """The exit code. Raises Refused ``init`` when it takes too long."""
        try:
            return self._process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Refused("init", said=f"specify init: not done after {SECONDS} s") from None

    def stop(self) -> None:
        """End it if it is still at work."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def said(self) -> bytes:
        """What it printed so far."""
        return self._log.read_bytes()

    def files(self) -> list[Path]:
        """What it made."""
        return [path for path in self.folder.rglob("*") if path.is_file() or path.is_symlink()]


def init_argv(integration: str) -> list[str]:
    """Set Spec Kit up in the folder it runs in, without asking anything."""
    return [
        *("specify", "init", "--here", "--force", "--non-interactive", "--integration", integration),
        *("--script", "sh", "--ignore-agent-tools"),
    ]
