"""Who may do what: the whole table."""

from __future__ import annotations

import pytest

from bot.authorization import ROLE_ORDER, Allowed, Denied, authorize, may, rank
from bot.commands.model import Cancel, Help, ParsedCommand, ParseProblem, ProblemKind, Role, Specify, Status

MISTYPED_SPECIFY = ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--foo")
MISTYPED_VERB = ParseProblem(ProblemKind.UNKNOWN_VERB, None, "spezify", "specify")
ALONE = ParseProblem(ProblemKind.MISSING_VERB, None, "")

WRITES = [Specify("Invoices"), Specify("x", dry_run=True), Cancel(), Cancel("7f3a9c21"), MISTYPED_SPECIFY]
READS = [Help(), Help("specify"), Status(), MISTYPED_VERB, ALONE]


@pytest.mark.parametrize("command", WRITES, ids=repr)
@pytest.mark.parametrize("role", ["none", "read", "triage", "", "owner", "WRITE", "my-custom-role", "write "])
def test_less_than_write_starts_and_stops_nothing_and_is_told(command: ParsedCommand, role: str) -> None:
    decision = authorize(command, role)
    assert isinstance(decision, Denied)
    assert decision.told
    assert decision.role_needed is Role.WRITE


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
    decision = authorize(command, role)
    assert isinstance(decision, Denied)
    assert not decision.told


@pytest.mark.parametrize("command", [*WRITES, *READS], ids=repr)
def test_a_bot_gets_nothing_and_hears_nothing_whatever_its_role(command: ParsedCommand) -> None:
    decision = authorize(command, "admin", author_is_person=False)
    assert isinstance(decision, Denied)
    assert not decision.told


def test_roles_are_ordered_as_github_orders_them() -> None:
    assert sorted(["admin", "read", "maintain", "none", "write", "triage"], key=rank) == list(ROLE_ORDER)


def test_a_role_is_enough_for_a_verb_or_not() -> None:
    assert [role for role in ROLE_ORDER if may("specify", role)] == ["write", "maintain", "admin"]
    assert not may("specify", "my-custom-role")
