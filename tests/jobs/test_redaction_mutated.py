"""The tests of redaction would notice if there were none: each part of it is broken in a copy, and they go red."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
REDACTION = "tests/jobs/test_redaction.py::"
EVERY_FORM = f"{REDACTION}test_each_of_a_hundred_secrets_is_masked_in_every_form[plain]"
EVERY_CUT = f"{REDACTION}test_no_cut_between_chunks_lets_one_of_them_through[plain]"
PATTERNS = f"{REDACTION}test_what_looks_like_a_credential_is_masked_unknown"
KEY_FILES = f"{REDACTION}test_a_private_key_goes_with_all_its_lines"
DROPS = f"{REDACTION}test_what_cannot_be_checked_is_dropped"
PHASE_LOGS = f"{REDACTION}test_logs_are_redacted_live_and_described"
PROMPTS = "tests/jobs/test_prompts.py::test_no_secret_and_no_key_is_in_it"
PATCHES = "tests/jobs/test_patches.py::test_a_known_secret_is_found_in_each_of_its_forms"
LOG = "tests/bot/test_logs.py::test_no_secret_in_any_spelling_gets_out"


class Broken(NamedTuple):
    """What stands in a file, what stands there instead, and the tests that must notice."""

    file: str
    whole: str
    instead: str
    noticed_by: tuple[str, ...]


MUTATIONS = {
    "it is switched off": [
        Broken(
            "jobs/redaction.py",
            "for start, end in sorted(self._redactor.spans(data)):",
            "for start, end in ():",
            (EVERY_FORM, EVERY_CUT, PATTERNS, PHASE_LOGS, PROMPTS, LOG),
        )
    ],
    "parts of it are": [
        Broken(
            "jobs/redaction.py",
            "        cut = self._last_line_end()\n",
            "        cut = len(self._buffer)\n",
            (EVERY_CUT,),
        ),
        Broken("jobs/redaction.py", "for pattern in _IN_STREAMS:", "for pattern in ():", (PATTERNS,)),
        Broken(
            "jobs/redaction.py",
            "            if self._key_bytes < 0:\n",
            "            return data\n            if self._key_bytes < 0:\n",
            (KEY_FILES,),
        ),
        Broken(
            "jobs/redaction.py",
            "            self._buffer = self._buffer[cut:]\n            return DROPPED",
            "            return self._buffer",
            (DROPS,),
        ),
    ],
    "things pass it by": [
        Broken("jobs/output.py", "self._append(self._stream.feed(head))", "self._append(head)", (PHASE_LOGS,)),
        Broken("jobs/phases/speckit.py", "self.redactor.redact(prompt)", "prompt", (PROMPTS,)),
        Broken("jobs/patches/policy.py", "any(form in content for form in known)", "False", (PATCHES,)),
        Broken("bot/logs.py", "return self._redact(line)", "return line", (LOG,)),
    ],
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source and its tests, beside the working tree."""
    folder = tmp_path_factory.mktemp("mutated")
    for name in ("bot", "jobs", "db", "cli", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    asked = [sys.executable, "-B", "-c", "import jobs.redaction; print(jobs.redaction.__file__)"]
    found = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    assert found == str(folder / "jobs/redaction.py"), "the tests would run on the working tree"
    return folder


def _failed(folder: Path, cases: Sequence[str]) -> set[str]:
    """Which of the cases do not pass there, without their parameters."""
    ran = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", *cases],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode in {0, 1}, ran.stdout[-3000:] + ran.stderr[-3000:]
    lines = (line.removeprefix("FAILED ") for line in ran.stdout.splitlines() if line.startswith("FAILED "))
    return {line.split(" ")[0].split("[")[0] for line in lines}


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_redaction_the_tests_go_red(copy: Path, name: str) -> None:
    sources = {path: path.read_text() for path in {copy / broken.file for broken in MUTATIONS[name]}}
    cases = sorted({case for broken in MUTATIONS[name] for case in broken.noticed_by})
    try:
        for broken in MUTATIONS[name]:
            path = copy / broken.file
            assert path.read_text().count(broken.whole) == 1, (
                f"{broken.file} lacks what is to be broken: {broken.whole}"
            )
            path.write_text(path.read_text().replace(broken.whole, broken.instead))
        assert _failed(copy, cases) == {case.split("[")[0] for case in cases}
    finally:
        for path, source in sources.items():
            path.write_text(source)
