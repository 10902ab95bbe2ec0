"""Where each kind of event was said, and what names it for ever."""

from __future__ import annotations

from typing import Any

import pytest

from bot.commands.model import Place
from bot.conversation import Conversation, conversation_about, conversation_of, on_pull_request_of
from bot.events import Assigned, ButtonPressed, CommentPosted, Labeled, ReviewCommentPosted
from db.models import SpecAutomationRun
from db.vocabulary import Trigger, Verb
from tests.bot.deliveries import (
    assigned_payload,
    check_run_payload,
    comment_payload,
    labeled_payload,
    review_comment_payload,
)
from tests.bot.example_runs import continuing_run, example_run, succeeded_run
from tests.bot.situations import event_of, on_issue

PULL: dict[str, Any] = {"issue__pull_request": {"url": "x"}}


def talk(event_name: str, payload: dict[str, Any]) -> Conversation:
    event = event_of(event_name, payload)
    assert isinstance(event, CommentPosted | ReviewCommentPosted | Labeled | Assigned)
    return conversation_of(event)


def about(run: SpecAutomationRun, **paths: Any) -> Conversation:
    event = event_of("check_run", check_run_payload(**paths))
    assert isinstance(event, ButtonPressed)
    return conversation_about(event, run)


def test_a_comment_on_an_issue() -> None:
    found = talk("issue_comment", comment_payload("/speckit help", comment__id=77))
    assert (found.place, found.issue_number, found.on_pull_request) == (Place.ISSUE, 7, False)
    assert (found.trigger, found.comment_id, found.key) == (Trigger.COMMENT, 77, "4711:77")
    assert (found.issue_title, found.issue_body, found.is_open) == ("Invoices", "We want invoices.", True)
    assert (found.actor, found.default_branch, found.section, found.thread_id) == ("mona", "main", None, None)


def test_a_comment_on_a_closed_pull_request() -> None:
    found = talk("issue_comment", comment_payload("/speckit help", issue__state="closed", **PULL))
    assert (found.place, found.on_pull_request, found.is_open) == (Place.PULL_REQUEST, True, False)


def test_a_comment_on_a_line_and_one_in_its_thread() -> None:
    first = talk("pull_request_review_comment", review_comment_payload(comment__id=77))
    assert (first.place, first.issue_number, first.on_pull_request) == (Place.REVIEW_COMMENT, 12, True)
    assert (first.trigger, first.comment_id, first.key) == (Trigger.REVIEW_COMMENT, 77, "4711:review:77")
    assert (first.section, first.thread_id) == ({"path": "specs/001-invoices/spec.md", "line": 12}, 77)
    later = talk("pull_request_review_comment", review_comment_payload(comment__id=78, comment__in_reply_to_id=77))
    assert (later.key, later.thread_id) == ("4711:review:78", 77)


@pytest.mark.parametrize(
    "changes", [{"comment__side": "LEFT"}, {"comment__line": None, "comment__original_line": None}]
)
def test_a_line_that_is_gone_or_none_is_none(changes: dict[str, Any]) -> None:
    found = talk("pull_request_review_comment", review_comment_payload(**changes))
    assert found.section == {"path": "specs/001-invoices/spec.md", "line": None}


@pytest.mark.parametrize("pull", [False, True])
def test_a_label_and_an_assignment_have_no_comment_and_a_key_of_their_own(pull: bool) -> None:
    events = "pull_request" if pull else "issues"
    label, assignment = labeled_payload(pull=pull), assigned_payload(pull=pull)
    found = [talk(events, payload) for payload in (label, assignment)]
    assert [each.trigger for each in found] == [Trigger.LABEL, Trigger.ASSIGNMENT]
    assert [each.comment_id for each in found] == [None, None]
    assert [each.on_pull_request for each in found] == [pull, pull]
    assert found[0].key == talk(events, label).key, "the same payload is the same label"
    later = talk(events, {**label, "sender": {**label["sender"], "x": 1}})
    assert len({*(each.key for each in found), later.key}) == 3
    assert all(len(each.key) < 100 and each.key.startswith("4711:") for each in found)


@pytest.mark.parametrize(
    ("run", "place", "number"),
    [
        (example_run(), Place.ISSUE, 7),
        (succeeded_run(), Place.PULL_REQUEST, 12),
        (continuing_run(Verb.PLAN), Place.PULL_REQUEST, 12),
        (example_run(on_pull_request=True, issue_number=9), Place.PULL_REQUEST, 9),
    ],
    ids=["on an issue", "with a pull request", "on a pull request of ours", "on a pull request of theirs"],
)
def test_a_button_speaks_where_its_run_is(run: SpecAutomationRun, place: Place, number: int) -> None:
    found = about(run)
    assert (found.place, found.issue_number, found.issue_title) == (place, number, "Invoices")
    assert (found.trigger, found.comment_id, found.actor) == (Trigger.CHECK_RUN, None, "mona")


def test_every_press_with_another_payload_is_another_one() -> None:
    run = succeeded_run()
    assert about(run).key == about(run).key
    assert about(run).key != about(run, check_run__status="queued").key


def test_what_was_said_on_a_closed_issue_says_nothing_of_its_pull_request() -> None:
    moved = on_pull_request_of(succeeded_run(), on_issue(is_open=False))
    assert (moved.place, moved.issue_number, moved.is_open) == (Place.PULL_REQUEST, 12, True)
    assert (moved.key, moved.comment_id) == ("4711:77", 77)
    assert on_pull_request_of(example_run(), on_issue()) == on_issue()
