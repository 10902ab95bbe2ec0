"""``speckit-template-agent REQUEST.json``: the agent that needs no model.

It does what the commands of Spec Kit tell an agent to do, as far as that needs no understanding: it runs the
repository's own Spec Kit scripts, and fills the repository's own templates with what the request says. The same
request gives the same files. The request is a file: {"phase", "text", "date" (YYYY-MM-DD), "feature_directory"}.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

from speckit_container.fill_plan import fill_plan
from speckit_container.fill_spec import fill_spec
from speckit_container.fill_tasks import fill_tasks
from speckit_container.markdown import plain, title_of

VERSION = "1.0.0"
SCRIPTS = Path(".specify/scripts/bash")
TEMPLATES = Path(".specify/templates")
SCRIPT_SECONDS = 60
SLUG_WORDS = 4
LEFT_OUT = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "could",
        "for",
        "from",
        "has",
        "have",
        "i",
        "in",
        "is",
        "it",
        "let",
        "lets",
        "of",
        "on",
        "or",
        "our",
        "should",
        "so",
        "that",
        "the",
        "their",
        "this",
        "to",
        "us",
        "want",
        "we",
        "when",
        "will",
        "with",
        "would",
        "you",
        "your",
    }
)


class Stuck(Exception):  # noqa: N818 - told to people, not handled
    """The work cannot be done, for the reason given."""


def main() -> None:
    """Do one request. Exit code 0 says that the file was written, 1 that it could not be, with the reason on stderr."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"speckit-template-agent {VERSION}\n")
        return
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    try:
        written = work(request, Path.cwd())
    except (Stuck, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"speckit-template-agent: {error}\n")
        sys.exit(1)
    sys.stdout.write(f"wrote {written}\n")


def work(request: dict[str, str], root: Path) -> Path:
    """Write the file of the request's phase and return its path from ``root``."""
    match request["phase"]:
        case "speckit_specify":
            return _specify(request, root)
        case "speckit_plan":
            return _plan(request, root)
        case "speckit_tasks":
            return _tasks(request, root)
    raise Stuck(f"no phase {request['phase']}")


def _specify(request: dict[str, str], root: Path) -> Path:
    text = plain(request["text"])
    name = slug(text)
    folder, template = _new_feature(root, name, request.get("feature_directory", ""))
    content = fill_spec(template, text, folder.name, request["date"])
    return _write(root, folder / "spec.md", content)


def _plan(request: dict[str, str], root: Path) -> Path:
    folder = _inside(root, request["feature_directory"])
    spec = _read(root / folder / "spec.md")
    _run_script(root, "setup-plan.sh", folder)
    path = root / folder / "plan.md"
    template = _read(path) if path.is_file() else _template(root, "plan-template.md")
    return _write(root, folder / "plan.md", fill_plan(template, spec, folder.name, request["date"], root))


def _tasks(request: dict[str, str], root: Path) -> Path:
    folder = _inside(root, request["feature_directory"])
    spec = _read(root / folder / "spec.md")
    answer = _run_script(root, "setup-tasks.sh", folder)
    template = str(answer.get("TASKS_TEMPLATE_CONTENT") or "") or _template(root, "tasks-template.md")
    return _write(root, folder / "tasks.md", fill_tasks(template, spec, folder.name))


def slug(text: str) -> str:
    """Two to four words for the feature's folder, from the title; ``feature`` where it has no Latin letters."""
    ascii_only = unicodedata.normalize("NFKD", title_of(text)).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.findall(r"[a-z0-9]+", ascii_only) if word not in LEFT_OUT]
    return "-".join(word[:20] for word in words[:SLUG_WORDS]) or "feature"


def _new_feature(root: Path, name: str, wanted: str) -> tuple[Path, str]:
    """The feature's folder, and the template that its spec.md begins as."""
    if wanted:
        folder = _inside(root, wanted)
        (root / folder).mkdir(parents=True, exist_ok=True)
        return folder, _template(root, "spec-template.md")
    answer = _run_script(root, "create-new-feature.sh", None, "--short-name", name, name.replace("-", " "))
    if answer.get("SPEC_FILE"):
        path = Path(str(answer["SPEC_FILE"]))
        folder = path.relative_to(root).parent if path.is_absolute() else path.parent
        folder = _inside(root, str(folder))
        begun = root / folder / "spec.md"
        return folder, _read(begun) if begun.is_file() else _template(root, "spec-template.md")
    folder = Path("specs") / f"{_next_number(root):03}-{name}"
    (root / folder).mkdir(parents=True)
    return folder, _template(root, "spec-template.md")


def _run_script(root: Path, script: str, folder: Path | None, *arguments: str) -> dict[str, object]:
    """Run one of the repository's own scripts and return its JSON; nothing where the repository has no such script."""
    path = root / SCRIPTS / script
    if not path.is_file():
        sys.stderr.write(f"{SCRIPTS / script} is not there; going on without it\n")
        return {}
    feature = {"SPECIFY_FEATURE_DIRECTORY": str(folder)} if folder is not None else {}
    done = subprocess.run(
        ["bash", str(path), "--json", *arguments],
        cwd=root,
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


def _next_number(root: Path) -> int:
    specs = root / "specs"
    numbers = [int(found.group(1)) for path in specs.glob("*") if (found := re.match(r"(\d{3,9})-", path.name))]
    return max(numbers, default=0) + 1


def _template(root: Path, name: str) -> str:
    for place in (TEMPLATES / "overrides" / name, TEMPLATES / name):
        if (root / place).is_file():
            return _read(root / place)
    raise Stuck(f"{TEMPLATES / name} is not there; run `specify init` in the repository")


def _inside(root: Path, folder: str) -> Path:
    path = Path(folder)
    if not folder or path.is_absolute() or ".." in path.parts or root not in (root / path).resolve().parents:
        raise Stuck(f"no feature folder {folder!r} in the repository")
    return path


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        raise Stuck(f"{path.name} is not there") from None


def _write(root: Path, path: Path, content: str) -> Path:
    (root / path).write_text(content, "utf-8")
    return path


if __name__ == "__main__":
    main()
