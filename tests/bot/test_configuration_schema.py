"""The published schema and page are made from the model, and the schema takes what the reader takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.configuration.model import RepositoryConfig, leaves
from bot.configuration.reading import read_config
from bot.configuration.reference import EXAMPLE, reference_page
from bot.configuration.schema import is_value, json_schema, key_paths, published, schema_at

DOCS = Path(__file__).parents[2] / "docs"
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


def takes(schema: Mapping[str, Any], value: Any) -> bool:
    """What JSON Schema says about a value, as far as our schema uses it."""
    if "$ref" in schema:
        return takes(json_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")], value)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(is_of(kind, value) for kind in kinds) or ("enum" in schema and value not in schema["enum"]):
        return False
    match value:
        case str():
            lengths = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            return lengths and re.search(schema.get("pattern", ""), value) is not None
        case bool() | None:
            return True
        case int() | float():
            return bool(schema["minimum"] <= value <= schema["maximum"])
        case list():
            return len(value) <= schema["maxItems"] and all(takes(schema["items"], item) for item in value)
        case dict():
            names = {"type": "string", **schema.get("propertyNames", {})}
            known = schema.get("properties", {})
            others = schema["additionalProperties"]
            return len(value) <= schema.get("maxProperties", len(value)) and all(
                takes(names, name) and (takes(known[name], inner) if name in known else others and takes(others, inner))
                for name, inner in value.items()
            )
    return False


def is_of(kind: str, value: Any) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, KINDS[kind])


# --- what is published is what is in force


def test_the_published_schema_is_that_of_the_model() -> None:
    assert (DOCS / "speckit.schema.json").read_text("utf-8") == published(), "write it anew: make docs"


def test_the_page_in_docs_is_that_of_the_model() -> None:
    assert (DOCS / "repository-configuration.md").read_text("utf-8") == reference_page(), "write it anew: make docs"


def test_the_page_has_every_key() -> None:
    page = reference_page()
    for path in key_paths():
        if is_value(path) and path[0] not in {"commands", "phases"}:
            assert f"| `{'.'.join(path)}` |" in page
    for key in ("commands.VERB.role", "commands.VERB.people", "commands.VERB.off", "labels.NAME"):
        assert f"| `{key}` |" in page


def test_the_example_of_the_page_is_right_and_shows_every_section() -> None:
    reading = read_config(EXAMPLE)
    assert reading.problems == ()
    sections = {path[0] for path, _ in leaves(reading.config)}
    assert sections == set(RepositoryConfig.model_fields) - {"model"}
    assert f"```yaml\n{EXAMPLE}```" in reference_page()


# --- the schema itself


def test_every_key_is_described_and_has_an_example_that_is_right() -> None:
    for path in key_paths():
        schema = schema_at(path)
        assert schema is not None
        assert schema["description"], path
        for example in schema.get("examples", []) if is_value(path) else []:
            said: Any = example
            for name in reversed(path):
                said = {name: said}
            assert takes(json_schema(), said), path
            assert read_config(yaml.safe_dump(said)).problems == (), path
        assert not is_value(path) or schema["examples"], path


def test_the_schema_is_closed_and_needs_nothing_else() -> None:
    schema = json.loads(published())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(RepositoryConfig.model_fields)
    assert "required" not in json.dumps(schema)
    assert set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema))) == set(schema["$defs"])
    assert schema["properties"]["retention_days"] == {
        "default": 30,
        "description": "Days that the artifacts of a run are kept after it ended.",
        "examples": [90],
        "maximum": 3650,
        "minimum": 7,
        "type": "integer",
    }
    assert schema["properties"]["limits"]["properties"]["runs"]["default"] == 4


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"commands": {"plan": {"role": "maintain", "people": ["a", "b[bot]"], "off": False}}},
        {"commands": None, "labels": None},
        {"labels": {"needs spec": "specify", "x": "off"}},
        {"paths": {"implement": ["src/**", ".config/x"]}},
        {"limits": {"runs": 64, "run_timeout": 60}},
        yaml.safe_load(EXAMPLE.replace(": off", ": 'off'").replace("off: true", "'off': true")),
    ],
)
def test_right_files(said: Any) -> None:
    assert takes(json_schema(), said)
    assert read_config(yaml.safe_dump(said)).problems == ()


@pytest.mark.parametrize(
    "said",
    [
        {"agnet": "x"},
        {"commands": {"deploy": {}}},
        {"commands": {"plan": None}},
        {"commands": {"plan": {"role": "owner"}}},
        {"commands": {"plan": {"off": "yes"}}},
        {"labels": {"x": "cancel"}},
        {"labels": {" x": "plan"}},
        {"labels": {"x" * 51: "plan"}},
        {"labels": {f"x{number}": "plan" for number in range(51)}},
        {"paths": {"implement": [".github/workflows/x.yml"]}},
        {"paths": {"implement": ["x"] * 51}},
        {"paths": {"implement": "src"}},
        {"limits": {"runs": 65}},
        {"limits": {"runs": True}},
        {"agent": 5},
        {"agent": ""},
        {"agent": "x" * 65},
        {"retention_days": "30"},
        {"triggers": {"labels": 1}},
    ],
)
def test_wrong_files(said: Any) -> None:
    assert not takes(json_schema(), said)
    assert read_config(yaml.safe_dump(said)).problems != ()


KEYS = [*sorted({name for path in key_paths() for name in path}), "x", "", "[key]"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 100_000)
    | st.text(max_size=6)
    | st.text(alphabet="ab./*-_ [", max_size=8)
    | st.sampled_from(["off", "yes", "admin", "read", "template", "@a", "src/**", "plan"])
)
SAID = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
SECTION = SAID | st.dictionaries(st.sampled_from(KEYS), SAID, max_size=3)
PLAUSIBLE = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(RepositoryConfig.model_fields, SECTION),
)


@given(PLAUSIBLE | st.dictionaries(st.sampled_from(KEYS), SAID, max_size=4))
@settings(max_examples=400, deadline=None)
def test_the_schema_takes_a_file_exactly_if_the_reader_finds_nothing_wrong(said: Any) -> None:
    reading = read_config(yaml.safe_dump(said, allow_unicode=False))
    assert takes(json_schema(), said) == (reading.problems == ())
