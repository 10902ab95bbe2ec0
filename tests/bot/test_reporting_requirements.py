"""What a round changed about the requirements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.reporting.agent_facts import Requirement
from bot.reporting.requirements import Change, ChangeKind, requirement_changes, requirements_table


def of(**texts: str) -> list[Requirement]:
    return [Requirement(name.replace("_", "-"), text) for name, text in texts.items()]


BEFORE = of(FR_001="Pay by invoice.", FR_002="Send it.", FR_003="Remind.", SC_001="In 30 days.")
AFTER = of(FR_001="Pay  by\ninvoice.", FR_003="Remind twice.", FR_004="Cards | of @visa.", SC_001="In 30 days.")


def test_added_changed_removed() -> None:
    assert requirement_changes(BEFORE, AFTER) == [
        Change("FR-001", "Pay  by\ninvoice.", ChangeKind.SAME),
        Change("FR-002", "Send it.", ChangeKind.REMOVED),
        Change("FR-003", "Remind twice.", ChangeKind.CHANGED),
        Change("FR-004", "Cards | of @visa.", ChangeKind.ADDED),
        Change("SC-001", "In 30 days.", ChangeKind.SAME),
    ]


def test_the_ends_of_the_list() -> None:
    assert requirement_changes([], []) == []
    kinds = [change.kind for change in requirement_changes(BEFORE, [])]
    assert kinds == [ChangeKind.REMOVED] * 4
    assert [change.id for change in requirement_changes(BEFORE, of(FR_009="x"))] == [
        "FR-001", "FR-002", "FR-003", "SC-001", "FR-009",
    ]  # fmt: skip


def test_the_same_id_twice() -> None:
    twice = [Requirement("FR-001", "one"), Requirement("FR-001", "two")]
    changes = requirement_changes(twice, [Requirement("FR-001", "one"), Requirement("FR-001", "2")])
    assert [(change.text, change.kind) for change in changes] == [("one", ChangeKind.SAME), ("2", ChangeKind.CHANGED)]
    assert [change.kind for change in requirement_changes(twice, twice[:1])] == [ChangeKind.SAME, ChangeKind.REMOVED]


REQUIREMENTS = st.lists(
    st.builds(Requirement, st.sampled_from(["FR-001", "FR-002", "SC-001"]), st.sampled_from(["a", "b"])), max_size=6
)


@given(REQUIREMENTS, REQUIREMENTS)
def test_nothing_is_lost_and_nothing_made_up(before: list[Requirement], after: list[Requirement]) -> None:
    changes = requirement_changes(before, after)
    there = [Requirement(change.id, change.text) for change in changes if change.kind is not ChangeKind.REMOVED]
    assert there == after, "what is there now, in its order"
    gone = [change for change in changes if change.kind is ChangeKind.REMOVED]
    added = [change for change in changes if change.kind is ChangeKind.ADDED]
    assert len(before) - len(gone) == len(after) - len(added)
    assert all(Requirement(change.id, change.text) in before for change in gone)
    assert {change.kind for change in requirement_changes(after, after)} <= {ChangeKind.SAME}


def test_the_table_of_the_first_round() -> None:
    assert requirements_table(None, AFTER) == snapshot("""\
| | requirement |
|---|---|
| FR-001 | Pay by invoice. |
| FR-003 | Remind twice. |
| FR-004 | Cards \\| of `@visa`. |
| SC-001 | In 30 days. |\
""")
    assert requirements_table(None, []) == ""


def test_the_table_of_a_later_round() -> None:
    assert requirements_table(BEFORE, AFTER) == snapshot("""\
| | requirement | since the last round |
|---|---|---|
| FR-001 | Pay by invoice. |  |
| FR-002 | Send it. | *removed* |
| FR-003 | Remind twice. | *changed* |
| FR-004 | Cards \\| of `@visa`. | *added* |
| SC-001 | In 30 days. |  |\
""")


def test_what_changed_is_shown_first_where_not_all_fits() -> None:
    before = [Requirement(f"FR-{n:03}", "x") for n in range(100)]
    after = [*before[:-1], Requirement("FR-099", "y")]
    lines = requirements_table(before, after).split("\n")
    assert lines[2] == "| FR-099 | y | *changed* |"
    assert lines[-1] == "And 40 more."
    assert len(lines) == 2 + 60 + 2
