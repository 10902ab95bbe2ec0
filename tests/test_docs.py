"""What the pages say exists, exists, and what a page must list is listed there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bot.settings import Settings
from db.vocabulary import ErrorCode

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MAY_KNOW_BOT = {"jobs.worker", "jobs.sweeper"}


def first_cells(page: str) -> list[str]:
    """What stands in backquotes in the first column of a page's tables."""
    rows = re.findall(r"^\|([^|]*)\|", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_setting_is_documented_and_nothing_else() -> None:
    aliases = [field.alias for field in Settings.model_fields.values()]
    assert sorted(first_cells("docs/configuration.md")) == sorted(alias for alias in aliases if alias)
    assert None not in aliases


def test_every_error_code_is_documented_and_nothing_else() -> None:
    assert sorted(first_cells("docs/errors.md")) == sorted(code.value for code in ErrorCode)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        # In code only: "make" is also a word.
        for words in re.findall(r"(?:^    +|`)make ([a-z ]+)", page.read_text("utf-8"), re.MULTILINE):
            assert set(words.split()) <= targets, f"{page.name}: make {words}"


def test_every_file_that_is_named_exists() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        named = re.findall(r"`((?:bot|jobs|db|cli|localhub|tests|images|bench|docs|\.ci)/[\w./-]*)`", text)
        linked = [
            str((page.parent / link).relative_to(ROOT)) for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        ]
        assert [path for path in [*named, *linked] if not (ROOT / path).exists()] == [], page.name


def test_the_import_contract_names_every_module_of_jobs() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    bound = next(set(each["source_modules"]) for each in contracts if each.get("forbidden_modules") == ["bot"])
    files = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    packages = {path.parent.name for path in (ROOT / "jobs").glob("*/__init__.py")}
    there = {f"jobs.{name}" for name in (files | packages) - {"__init__"}}
    assert bound == there - MAY_KNOW_BOT
