"""The JSON Schema of ``.github/speckit.yml``, made from the model. Pure.

It is published as docs/speckit.schema.json for editors, and here it answers what a key takes.
https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bot.configuration.model import DEFAULTS, RepositoryConfig, leaves

Schema = Mapping[str, Any]

_MAPPINGS = ("commands", "phases", "labels")
"""Sections whose keys are names; a default of a single one has no place in the schema."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _ForPeople(GenerateJsonSchema):
    """Says what a file may hold: no null (a key that says nothing is left out), no titles made from names."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping with known names lists them: editors complete only what stands in ``properties``."""
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            ((pattern, inner),) = made.pop("patternProperties").items()
            return {
                **made,
                "propertyNames": {**made["propertyNames"], "pattern": pattern},
                "additionalProperties": inner,
            }
        names, inner = made["propertyNames"]["enum"], made["additionalProperties"]
        return {"type": "object", "properties": dict.fromkeys(names, inner), "additionalProperties": False}


@cache
def json_schema() -> Schema:
    """The schema, draft 2020-12. The same object each time: do not change it."""
    made = RepositoryConfig.model_json_schema(schema_generator=_ForPeople)
    definitions, properties = made.pop("$defs"), made.pop("properties")
    for name, inner in properties.items():
        section = _resolved(inner, definitions)
        if section["type"] == "object":
            # `labels:` with every line below it commented out is a common way to say nothing.
            properties[name] = {**section, "type": ["object", "null"]}
    for (section_name, *rest), value in leaves(DEFAULTS):
        if not rest:
            properties[section_name]["default"] = value
        elif section_name not in _MAPPINGS:
            properties[section_name]["properties"][rest[0]]["default"] = value
    properties["labels"]["default"] = dict(DEFAULTS.labels)
    used = {name: definitions[name] for name in definitions if f"#/$defs/{name}" in json.dumps(properties)}
    return {"$schema": DIALECT, "title": "speckit.yml", **made, "properties": properties, "$defs": used}


def published() -> str:
    """The text of docs/speckit.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def schema_at(path: tuple[str | int, ...]) -> Schema | None:
    """What the schema says about the value at ``path`` (names, and indexes in lists), or None where no key can be."""
    found: Any = json_schema()
    for part in path:
        name = "items" if isinstance(part, int) else None
        inner = found.get(name) if name else found.get("properties", {}).get(part, found.get("additionalProperties"))
        if not isinstance(inner, Mapping):
            return None
        found = _resolved(inner, json_schema()["$defs"])
    return cast("Schema", found)


def is_value(path: tuple[str, ...]) -> bool:
    """True if a value stands at ``path``: a scalar or a list, not a section."""
    schema = schema_at(path)
    return schema is not None and "properties" not in schema and "additionalProperties" not in schema


@cache
def key_paths() -> tuple[tuple[str, ...], ...]:
    """Every key, sections included, in the order of the model: all but the names of labels."""
    return tuple(_paths_below(()))


def _paths_below(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name in (schema_at(path) or {}).get("properties", {}):
        yield (*path, name)
        yield from _paths_below((*path, name))


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Follow a reference; what stands beside it (a description) wins."""
    if "$ref" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[schema["$ref"].rpartition("/")[2]], **beside}
