"""A mistake in a repository's file opens nothing: what it may have restricted is closed until it is corrected."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.configuration.effective import Layer, effective
from bot.configuration.model import DEFAULT_ROLES, ROLES, VERBS
from bot.configuration.problems import GUARDED_VERBS, check_annotations
from bot.configuration.reading import ConfigReading, read_config


def role_of(reading: ConfigReading, verb: str) -> str:
    return effective([Layer("acme/shop", reading.config, problems=reading.problems)]).role_of(verb)


def rank(role: str) -> int:
    return [*ROLES].index(role)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        "{role: writ}",
        "{role: read, peple: [x]}",
        "{role: read, people: [a b]}",
        "{role: read, off: maybe}",
        "[]",
        "",
        "1",
        "{role: read, role: read}",
        "{role: [read]}",
        "{role: read, people: }",
    ],
)
def test_a_command_with_a_mistake_needs_an_admin(entry: str) -> None:
    for verb in VERBS:
        reading = read_config(
            f"commands:\n  {verb}: {entry}\n  {'plan' if verb != 'plan' else 'tasks'}: {{role: read}}\n"
        )
        assert role_of(reading, verb) == "admin"
        assert reading.config.commands[verb].people == ()
        assert reading.problems
        assert all(problem.closes == (verb,) for problem in reading.problems)
        assert f"until this is corrected, {verb} needs the admin role" in reading.problems[0].message
        assert role_of(reading, "plan" if verb != "plan" else "tasks") == "read"


def test_a_command_that_is_off_stays_off_in_spite_of_a_mistake() -> None:
    assert read_config("commands: {plan: {off: true, role: x}}").config.commands["plan"].off is True


def test_a_misspelt_command_closes_the_one_that_was_meant() -> None:
    reading = read_config("commands: {specfy: {role: maintain}}\n")
    assert [problem.closes for problem in reading.problems] == [("specify",)]
    assert (role_of(reading, "specify"), role_of(reading, "plan")) == ("admin", "write")


@pytest.mark.parametrize("text", ["commands: plan", "comands: {plan: {off: true}}", "commands: {}\ncommands: {}"])
def test_a_broken_section_of_commands_closes_all_that_do_something(text: str) -> None:
    reading = read_config(text)
    assert {verb for verb in VERBS if role_of(reading, verb) == "admin"} == set(GUARDED_VERBS)


@pytest.mark.parametrize("text", ["paths: src", "paths: {implement: src}", "paths: {implment: [src]}", "path: {}"])
def test_broken_paths_do_not_fall_back_to_those_of_the_organisation(text: str) -> None:
    organisation = Layer("acme/.github", read_config("paths: {implement: ['**']}").config)
    reading = read_config(text)
    together = effective([organisation, Layer("acme/shop", reading.config, problems=reading.problems)])
    assert together.implement_paths == ()
    assert together.is_off("implement") == "off because of a mistake in line 1 of `.github/speckit.yml` in acme/shop"
    assert check_annotations(reading.problems)[0]["annotation_level"] == "failure"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([*VERBS, *ROLES, "role", "off"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RULES = st.dictionaries(
    st.sampled_from(["role", "people", "off", "rol", ""]),
    st.sampled_from(ROLES) | st.lists(st.sampled_from(["alice", "b c"]), max_size=2) | st.booleans() | JUNK,
    max_size=3,
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "commands": st.dictionaries(st.sampled_from(VERBS) | st.text(max_size=8), RULES | JUNK, max_size=4) | JUNK,
        "limits": JUNK,
        "paths": JUNK | st.fixed_dictionaries({"implement": JUNK}),
        "labels": JUNK,
    },
)


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_no_mistake_lowers_a_role(said: Any) -> None:
    reading = read_config(yaml.safe_dump(said))
    together = effective([Layer("acme/shop", reading.config, problems=reading.problems)])
    commands = said.get("commands")
    assert isinstance(commands, dict) or commands is None or reading.problems
    for verb in VERBS:
        rule = commands.get(verb) if isinstance(commands, dict) else None
        asked = rule.get("role") if isinstance(rule, dict) else None
        role = together.role_of(verb)
        if any(verb in problem.closes for problem in reading.problems):
            assert (role, together.people_of(verb)) == ("admin", ())
        else:
            assert role == (asked or DEFAULT_ROLES[verb])


@given(FILES, st.data())
@settings(max_examples=100, deadline=None)
def test_no_damage_to_a_file_lowers_a_role(said: Any, data: st.DataObject) -> None:
    text = yaml.safe_dump(said)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    reading = read_config(damaged)
    for verb in VERBS:
        if rank(role_of(reading, verb)) < rank(DEFAULT_ROLES[verb]):
            assert not any(verb in problem.closes for problem in reading.problems)
            rule = reading.config.commands[verb]
            assert f"{rule.role}" in damaged
