"""The project an agent works in: its files, its own Spec Kit scripts and templates. Nothing outside is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(".specify/scripts/bash")
TEMPLATES = Path(".specify/templates")
FEATURE_FILE = Path(".specify/feature.json")
SCRIPT_SECONDS = 60


class Stuck(Exception):  # noqa: N818 - told to people, not handled
    """The work cannot be done, for the reason given."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with ``.specify/``. All paths of its methods are relative to ``root``, which is resolved."""

    root: Path

    def folder(self, name: str) -> Path:
        """A feature's folder, which need not exist yet. Raises Stuck for one that is not inside the project."""
        path = Path(name)
        if not name or path.is_absolute() or ".." in path.parts or self.root not in self._resolved(path).parents:
            raise Stuck(f"no feature folder {name!r} in the repository")
        return path

    def file(self, name: str) -> Path:
        """The path of a file inside the project. Raises Stuck for any other."""
        path = Path(name)
        if not name or path.is_absolute() or ".." in path.parts or self.root not in self._resolved(path).parents:
            raise Stuck(f"no file {name!r} in the repository")
        return path

    def has(self, path: Path) -> bool:
        """Whether there is a file."""
        return (self.root / path).is_file()

    def read(self, path: Path, made_by: str = "") -> str:
        """A file's text with ``\\n`` as line ends. Raises Stuck, naming the command that makes the file."""
        return self._bytes(path, made_by).decode("utf-8-sig", "replace").replace("\r\n", "\n")

    def read_exact(self, path: Path, made_by: str = "") -> str:
        """A file's text such that writing it again gives the same bytes, whatever they are. Raises Stuck."""
        return self._bytes(path, made_by).decode("utf-8", "surrogateescape")

    def write(self, path: Path, content: str) -> None:
        """Write a file and the folders above it. Raises Stuck where a link would lead elsewhere."""
        target = self.root / path
        if target.is_symlink() or self._resolved(path) != target:
            raise Stuck(f"{path} is reached through a link; it was not written")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode("utf-8", "surrogateescape"))

    def template(self, name: str) -> str:
        """The template ``name`` (``spec-template``) as Spec Kit's own stack of overrides and presets has it."""
        if self.has(SCRIPTS / "resolve-template.sh"):
            content = self.run_script("resolve-template.sh", None, name, "--json").get("TEMPLATE_CONTENT")
            if isinstance(content, str) and content.strip():
                return content.replace("\r\n", "\n")
        for place in (TEMPLATES / "overrides" / f"{name}.md", TEMPLATES / f"{name}.md"):
            if self.has(place):
                return self.read(place)
        raise Stuck(f"{TEMPLATES / name}.md is not there; run `specify init` in the repository")

    def run_script(self, script: str, folder: Path | None, *arguments: str) -> dict[str, object]:
        """Run one of the repository's own scripts; return its JSON, nothing where there is no such script.

        Raises Stuck when it ends with an error, TimeoutExpired after a minute.
        """
        path = self.root / SCRIPTS / script
        if not path.is_file():
            sys.stderr.write(f"{SCRIPTS / script} is not there; going on without it\n")
            return {}
        feature = {"SPECIFY_FEATURE_DIRECTORY": str(folder)} if folder is not None else {}
        done = subprocess.run(
            ["bash", str(path), *arguments],
            cwd=self.root,
            env={**os.environ, **feature},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )
        sys.stderr.write(done.stderr.decode("utf-8", "replace"))
        if done.returncode != 0:
            raise Stuck(f"{SCRIPTS / script} ended with exit code {done.returncode}")
        for line in reversed(done.stdout.decode("utf-8", "replace").splitlines()):
            if line.startswith("{"):
                found = json.loads(line)
                return found if isinstance(found, dict) else {}
        return {}

    def remember_feature(self, folder: Path) -> None:
        """Write Spec Kit's pointer to the current feature, where it does not point there already."""
        try:
            known = json.loads(self.read(FEATURE_FILE)) if self.has(FEATURE_FILE) else None
        except ValueError:
            known = None
        if not isinstance(known, dict) or known.get("feature_directory") != str(folder):
            self.write(FEATURE_FILE, json.dumps({"feature_directory": str(folder)}, indent=2) + "\n")

    def _bytes(self, path: Path, made_by: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            hint = f"; the command `{made_by}` makes it" if made_by else ""
            raise Stuck(f"{path} is not there{hint}") from None

    def _resolved(self, path: Path) -> Path:
        return (self.root / path).resolve()
