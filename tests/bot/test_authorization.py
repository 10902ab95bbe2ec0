"""Who may do what: the whole table."""

from __future__ import annotations

from typing import get_args

import pytest

from bot.authorization import ROLE_ORDER, Allowed, Denied, authorize, may, rank, role_needed, verb_of
from bot.commands.model import (
    Cancel,
    Command,
    Config,
    Help,
    ParsedCommand,
    ParseProblem,
    ProblemKind,
    Retry,
    Role,
    RunCommand,
    Status,
)
from bot.commands.table import COMMANDS, DEFAULT_ROLES
from db.vocabulary import Phase, Verb

MISTYPED_SPECIFY = ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--foo")
MISTYPED_VERB = ParseProblem(ProblemKind.UNKNOWN_VERB, None, "spezify", "specify")
UNHEARD_OF_VERB = ParseProblem(ProblemKind.UNKNOWN_VERB, "converge", "x")
ALONE = ParseProblem(ProblemKind.MISSING_VERB, None, "")

RUNS: list[ParsedCommand] = [RunCommand(verb, "x") for verb in Verb]
WRITES: list[ParsedCommand] = [
    *RUNS,
    RunCommand(Verb.SPECIFY, "x", dry_run=True),
    Retry(),
    Retry(Phase.SPECKIT_PLAN),
    Cancel(),
    Cancel("7f3a9c21"),
    MISTYPED_SPECIFY,
]
READS: list[ParsedCommand] = [Help(), Help("specify"), Status(), Config(), MISTYPED_VERB, UNHEARD_OF_VERB, ALONE]


def test_every_command_has_its_verb_and_every_verb_its_commands() -> None:
    assert {type(command) for command in [*WRITES, *READS]} == {*get_args(Command), ParseProblem}
    assert {verb_of(command) for command in [*WRITES, *READS]} == {spec.verb for spec in COMMANDS} == set(DEFAULT_ROLES)
    assert verb_of(MISTYPED_SPECIFY) == "specify"
    assert verb_of(UNHEARD_OF_VERB) == verb_of(ALONE) == "help"


@pytest.mark.parametrize("command", WRITES, ids=repr)
@pytest.mark.parametrize("role", ["none", "read", "triage", "", "owner", "WRITE", "my-custom-role", "write "])
def test_less_than_write_starts_and_stops_nothing_and_is_told(command: ParsedCommand, role: str) -> None:
    assert authorize(command, role) == Denied(verb_of(command), "write", role, told=True)


@pytest.mark.parametrize("command", WRITES, ids=repr)
@pytest.mark.parametrize("role", ["write", "maintain", "admin"])
def test_write_or_better_starts_and_stops_runs(command: ParsedCommand, role: str) -> None:
    assert authorize(command, role) == Allowed()


@pytest.mark.parametrize("command", READS, ids=repr)
@pytest.mark.parametrize("role", ["read", "triage", "write", "maintain", "admin"])
def test_who_may_read_may_ask(command: ParsedCommand, role: str) -> None:
    assert authorize(command, role) == Allowed()


@pytest.mark.parametrize("command", READS, ids=repr)
@pytest.mark.parametrize("role", ["none", "", "my-custom-role"])
def test_a_passer_by_who_only_looks_around_gets_silence(command: ParsedCommand, role: str) -> None:
    assert authorize(command, role) == Denied(verb_of(command), "read", role, told=False)


@pytest.mark.parametrize("command", [*WRITES, *READS], ids=repr)
def test_a_bot_gets_nothing_and_hears_nothing_whatever_its_role(command: ParsedCommand) -> None:
    decision = authorize(command, "admin", author_is_person=False)
    assert isinstance(decision, Denied)
    assert not decision.told


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("verb", DEFAULT_ROLES)
def test_a_repository_says_itself_who_may(verb: str, needed: Role) -> None:
    roles = {**DEFAULT_ROLES, verb: needed.value}
    assert [role for role in ROLE_ORDER if may(verb, role, roles)] == list(ROLE_ORDER[rank(needed) :])
    assert role_needed(verb, roles) == needed
    for other in set(DEFAULT_ROLES) - {verb}:
        assert role_needed(other, roles) == DEFAULT_ROLES[other]


def test_who_has_a_role_is_told_that_it_is_not_enough_even_to_look_around() -> None:
    roles = {"status": "write"}
    assert authorize(Status(), "triage", roles_needed=roles) == Denied("status", "write", "triage", told=True)
    assert authorize(Status(), "none", roles_needed=roles) == Denied("status", "write", "none", told=False)
    assert authorize(Status(), "write", roles_needed=roles) == Allowed()
    assert authorize(Config(), "read", roles_needed=roles) == Allowed()


@pytest.mark.parametrize("nonsense", ["", "none", "everybody", "Write", "owner", "write "])
def test_a_role_that_is_none_lets_nobody_in_but_those_who_may_all(nonsense: str) -> None:
    assert [role for role in ROLE_ORDER if may("specify", role, {"specify": nonsense})] == ["admin"]
    assert role_needed("specify", {"specify": nonsense}) == "admin"


def test_roles_are_ordered_as_github_orders_them() -> None:
    assert ROLE_ORDER == ("none", "read", "triage", "write", "maintain", "admin")
    assert sorted(["admin", "read", "maintain", "none", "write", "triage"], key=rank) == list(ROLE_ORDER)


def test_a_role_is_enough_for_a_verb_or_not() -> None:
    assert [role for role in ROLE_ORDER if may("specify", role)] == ["write", "maintain", "admin"]
    assert not may("specify", "my-custom-role")
