"""Which run ``cancel`` means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from bot.cancelling import run_meant
from bot.conversation import Conversation
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus, Trigger
from tests.bot.example_runs import example_run
from tests.bot.situations import SAID_AT, on_issue

QUEUED, WORKING, FAILED, WELL = RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.FAILED, RunStatus.SUCCEEDED
FIRST, SECOND = UUID("11111111-0000-4000-8000-000000000000"), UUID("11112222-0000-4000-8000-000000000000")


def run(run_id: UUID, status: RunStatus, **changes: Any) -> SpecAutomationRun:
    return example_run(status, run_id=run_id, **{"comment_id": 70, **changes})


def meant(
    runs: list[SpecAutomationRun], asked: str | None = None, talk: Conversation | None = None, repeat: bool = False
) -> UUID | None:
    found = run_meant(runs, talk or on_issue(), asked, is_repeat=repeat)
    return None if found is None else found.run_id


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([], None),
        ([run(SECOND, WELL), run(FIRST, FAILED)], None),
        ([run(SECOND, QUEUED), run(FIRST, WORKING)], SECOND),
        ([run(SECOND, WELL), run(FIRST, WORKING)], FIRST),
    ],
)
def test_without_a_name_it_is_the_newest_that_is_alive(runs: list[SpecAutomationRun], found: UUID | None) -> None:
    assert meant(runs) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("11112222", SECOND),
        ("1111-2222", SECOND),
        (str(FIRST), FIRST),
        (str(FIRST).upper(), FIRST),
        ("1111", None),
        ("ffffffff", None),
        ("-", None),
    ],
)
def test_a_name_that_fits_one_is_that_one_whatever_its_state(asked: str, found: UUID | None) -> None:
    assert meant([run(SECOND, WORKING), run(FIRST, WELL)], asked) == found


@pytest.mark.parametrize(
    ("changes", "is_meant"),
    [
        ({"comment_id": 76}, True),
        ({"comment_id": 77}, True),
        ({"comment_id": 78}, False),
        ({"comment_id": None, "trigger": Trigger.LABEL}, True),
        ({"comment_id": 9_999, "trigger": Trigger.REVIEW_COMMENT}, True),
    ],
    ids=["before", "in the same comment", "after", "by a label", "comments on lines are counted apart"],
)
def test_what_was_asked_for_after_the_comment_is_spared(changes: dict[str, Any], is_meant: bool) -> None:
    assert (meant([run(FIRST, QUEUED, **changes)]) == FIRST) is is_meant


def test_a_comment_that_is_heard_again_stops_no_second_run() -> None:
    stopped = run(SECOND, FAILED, cancel_requested_by="mona", cancel_requested_at=SAID_AT + timedelta(seconds=2))
    others = [run(FIRST, WORKING)]
    assert meant([stopped, *others], repeat=True) == SECOND
    assert meant([stopped, *others], repeat=False) == FIRST, "said for the first time it means the next one"
    for changes in ({"cancel_requested_by": "bob"}, {"cancel_requested_at": SAID_AT - timedelta(seconds=2)}):
        before = run(
            SECOND,
            FAILED,
            **{"cancel_requested_by": "mona", "cancel_requested_at": SAID_AT + timedelta(seconds=2), **changes},
        )
        assert meant([before, *others], repeat=True) == FIRST
