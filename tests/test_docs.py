"""What the pages say exists, exists, and what a page must list is listed there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.commands.model import Place
from bot.commands.table import COMMANDS
from bot.configuration.model import CONFIG_PATH
from bot.configuration.reading import read_config
from bot.settings import Settings
from cli.pages import PAGES as GENERATED
from db.vocabulary import PHASES, ErrorCode, Verb, phases_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MAY_KNOW_BOT = {"jobs.worker", "jobs.sweeper"}
PLACES = {"issue": Place.ISSUE, "pull request": Place.PULL_REQUEST, "line of a document": Place.REVIEW_COMMENT}
SETTINGS = {field.alias for field in Settings.model_fields.values() if field.alias}


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def first_cells(page: str) -> list[str]:
    """What stands in backquotes in the first column of a page's tables."""
    rows = re.findall(r"^\|([^|]*)\|", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def section(page: str, heading: str) -> str:
    """A page's text from one heading of the second level to the next."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


@pytest.mark.parametrize("name", GENERATED)
def test_every_generated_page_is_what_the_code_makes(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == GENERATED[name](), f"write {name} anew: make docs"


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert sorted(first_cells("docs/configuration.md")) == sorted(SETTINGS)
    assert all(field.alias for field in Settings.model_fields.values())


def test_every_setting_has_the_default_that_is_documented() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", (ROOT / "docs/configuration.md").read_text("utf-8"), re.MULTILINE)
    numbers = {field.alias: field.default for field in Settings.model_fields.values() if type(field.default) is int}
    assert {name: int(value) for name, value in rows} == {name: numbers[name] for name in numbers if name != "PORT"}


def test_every_setting_that_a_page_names_exists() -> None:
    for page in PAGES:
        named = set(re.findall(r"`(?:export )?((?:SPECKIT|GITHUB)_[A-Z_]+)\b", page.read_text("utf-8")))
        exported = set(re.findall(r"\b((?:SPECKIT|GITHUB)_[A-Z_]+)=", page.read_text("utf-8")))
        assert (named | exported) <= SETTINGS, page.name


def test_every_error_code_is_documented_and_nothing_else() -> None:
    assert sorted(first_cells("docs/errors.md")) == sorted(code.value for code in ErrorCode)


def test_every_error_code_that_a_page_names_exists() -> None:
    families = "|".join(sorted({code.value.partition(".")[0] for code in ErrorCode}))
    for page in PAGES:
        named = set(re.findall(rf"`((?:{families})\.[a-z_]+)`", page.read_text("utf-8")))
        assert named <= set(ErrorCode), page.name


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


def test_every_module_that_is_named_by_its_name_alone_exists() -> None:
    known = {path.name for folder in ("bot", "jobs", "db", "cli", "localhub") for path in (ROOT / folder).rglob("*.py")}
    for page in PAGES:
        assert set(re.findall(r"`(\w+\.py)`", page.read_text("utf-8"))) <= known, page.name


def test_the_picture_shows_what_is_there() -> None:
    picture = readme().split("```")[1]
    steps = [step.strip(" ─\n") for line in picture.splitlines() if "►" in line for step in line.split("►")]
    names = [step for step in steps if re.fullmatch(r"[a-z_]+", step)]
    modules = {path.stem for folder in ("bot", "jobs") for path in (ROOT / folder).iterdir()}
    assert [name for name in names if name not in modules | set(PHASES)] == []
    assert [name for name in names if name in set(PHASES)] == list(phases_of(Verb.SPECIFY))


def test_the_readme_has_every_command_and_where_it_may_be_given() -> None:
    rows = re.findall(r"^\|(.*?)\|(.*?)\|", section(readme(), "Talk to it"), re.MULTILINE)
    told = {
        form: {PLACES[place.strip()] for place in places.split(",")}
        for forms, places in rows
        for form in re.findall(r"`/speckit ([^`]+)`", forms)
    }
    assert told == {spec.form: set(spec.places) for spec in COMMANDS}


def test_every_command_that_a_page_names_is_one() -> None:
    verbs = {spec.verb for spec in COMMANDS}
    for page in PAGES:
        named = re.findall(r"[`(] ?(?:/speckit|@your-app) ([a-z]+)", page.read_text("utf-8"))
        assert set(named) <= verbs, page.name


def test_the_readmes_configuration_is_one() -> None:
    text = section(readme(), "Configure a repository")
    assert f"`{CONFIG_PATH}`" in text
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert read_config(example).problems == ()


def test_the_import_contract_names_every_module_of_jobs() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    bound = next(set(each["source_modules"]) for each in contracts if each.get("forbidden_modules") == ["bot"])
    files = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    packages = {path.parent.name for path in (ROOT / "jobs").glob("*/__init__.py")}
    there = {f"jobs.{name}" for name in (files | packages) - {"__init__"}}
    assert bound == there - MAY_KNOW_BOT
