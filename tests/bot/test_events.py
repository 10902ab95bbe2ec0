"""From GitHub's JSON to an event of ours, and into the delivery row and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, get_args

import pytest

from bot.events import (
    Assigned,
    ButtonPressed,
    CheckRerequested,
    CommentPosted,
    Event,
    Labeled,
    MalformedPayload,
    PullRequestChanged,
    ReviewCommentPosted,
    SuiteRerequested,
    event_from_json,
    event_to_json,
    parse_event,
)
from tests.bot.deliveries import (
    APP,
    EVENTS,
    HEAD,
    assigned_payload,
    changed,
    check_run_payload,
    check_suite_payload,
    comment_payload,
    labeled_payload,
    review_comment_payload,
)

Payload = dict[str, Any]
KINDS: dict[str, type[Event]] = {
    "comment": CommentPosted,
    "review comment": ReviewCommentPosted,
    "label of an issue": Labeled,
    "label of a pull request": Labeled,
    "assignment of an issue": Assigned,
    "assignment of a pull request": Assigned,
    "button": ButtonPressed,
    "check again": CheckRerequested,
    "suite again": SuiteRerequested,
    "opened": PullRequestChanged,
    "pushed": PullRequestChanged,
    "closed": PullRequestChanged,
    "reopened": PullRequestChanged,
}
every_kind = pytest.mark.parametrize("kind", EVENTS)


def parsed(kind: str, **paths: object) -> Event:
    """The event of a kind, with fields of its payload changed."""
    name, payload = EVENTS[kind]
    event = parse_event(name, changed(payload(), **paths))
    assert isinstance(event, KINDS[kind])
    return event


def event_of(**paths: object) -> CommentPosted:
    event = parsed("comment", **paths)
    assert isinstance(event, CommentPosted)
    return event


def review_of(**paths: object) -> ReviewCommentPosted:
    event = parsed("review comment", **paths)
    assert isinstance(event, ReviewCommentPosted)
    return event


# What is read


@every_kind
def test_all_events_tell_where_and_who(kind: str) -> None:
    event = parsed(kind)
    assert (event.repository, event.repository_id, event.installation_id) == ("acme/shop", 1296269, 4711)
    assert (event.private, event.archived, event.default_branch) == (False, False, "main")
    assert (event.actor, event.actor_id, event.actor_is_person) == ("mona", 583231, True)
    assert event.action == EVENTS[kind][1]()["action"]
    is_timeless = kind in {"button", "check again", "suite again"}
    assert is_timeless == (event.happened_at is None)


def test_a_comment() -> None:
    event = event_of(comment__id=99, comment__node_id="IC_kw99", comment__created_at="2026-11-22T10:00:00Z")
    assert (event.issue_number, event.issue_title, event.on_pull_request) == (7, "Invoices", False)
    assert (event.issue_body, event.issue_state) == ("We want invoices.", "open")
    assert (event.comment_id, event.comment_node_id) == (99, "IC_kw99")
    assert event.happened_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert event_of(issue__pull_request={"url": "https://example.org"}).on_pull_request
    closed = event_of(issue__state="closed", issue__body=None)
    assert (closed.issue_state, closed.issue_body) == ("closed", "")


def test_a_comment_on_a_line() -> None:
    event = review_of(comment__id=99)
    assert (event.pull_number, event.pull_title, event.head_branch) == (12, "Invoices", "speckit/20261122/7f3a9c")
    assert (event.path, event.line, event.side, event.commit_id) == ("specs/001-invoices/spec.md", 12, "RIGHT", HEAD)
    assert (event.comment_id, event.in_reply_to, event.thread_id) == (99, None, 99)
    reply = review_of(comment__in_reply_to_id=41)
    assert (reply.in_reply_to, reply.thread_id) == (41, 41)
    assert review_of(comment__line=None).line == 10, "the line is gone: where it was"
    on_the_file = review_of(comment__line=None, comment__original_line=None, comment__side=None)
    assert (on_the_file.line, on_the_file.side) == (None, "RIGHT")


@pytest.mark.parametrize("path", ["a", "a b/c", "ü/…", ".github/x", "..x/x..", "a/...", "-"])
def test_every_path_git_knows_is_one(path: str) -> None:
    assert review_of(comment__path=path).path == path


def test_a_label_and_an_assignment() -> None:
    label = parsed("label of an issue", label__name="speckit:specify \N{GRINNING FACE}")
    assert isinstance(label, Labeled)
    assert (label.label, label.issue_number, label.on_pull_request) == ("speckit:specify \N{GRINNING FACE}", 7, False)
    assert (label.issue_title, label.issue_body, label.issue_state) == ("Invoices", "We want invoices.", "open")
    assigned = parsed("assignment of a pull request")
    assert isinstance(assigned, Assigned)
    assert (assigned.assignee, assigned.assignee_id) == ("speckit-test[bot]", 4242)
    assert (assigned.issue_number, assigned.on_pull_request) == (12, True)


def test_what_is_asked_of_a_check() -> None:
    button, again, suite = parsed("button"), parsed("check again"), parsed("suite again")
    assert isinstance(button, ButtonPressed)
    assert isinstance(again, CheckRerequested)
    assert isinstance(suite, SuiteRerequested)
    assert button.identifier == "retry"
    for event in (button, again):
        assert (event.check_run_id, event.external_id[:8]) == (1494503112, "7f3a9c00")
    for each in (button, again, suite):
        assert (each.app_id, each.head_sha, each.pull_numbers) == (APP["id"], HEAD, (12,))
    assert suite.head_branch == "speckit/20261122/7f3a9c"
    alone = parsed("suite again", check_suite__head_branch=None, check_suite__pull_requests=[])
    assert isinstance(alone, SuiteRerequested)
    assert (alone.head_branch, alone.pull_numbers) == (None, ())


def test_pull_requests_of_other_repositories_with_the_same_head_do_not_count() -> None:
    here, there = {"repo": {"id": 1296269}}, {"repo": {"id": 5}}
    pulls = [{"number": 1, "base": there}, {"number": 2, "base": here}, {"number": 3, "base": here}]
    event = parsed("button", check_run__pull_requests=pulls)
    assert isinstance(event, ButtonPressed)
    assert event.pull_numbers == (2, 3)


def test_a_changed_pull_request() -> None:
    event = parsed("pushed")
    assert isinstance(event, PullRequestChanged)
    assert (event.number, event.head_branch, event.head_sha) == (12, "speckit/20261122/7f3a9c", HEAD)
    assert (event.base_branch, event.merged, event.from_fork) == ("main", False, False)
    merged = parsed("closed", pull_request__merged_at="2026-11-22T10:00:00Z")
    assert isinstance(merged, PullRequestChanged)
    assert merged.merged
    for repository in ({"id": 5}, None):
        fork = parsed("opened", pull_request__head__repo=repository)
        assert isinstance(fork, PullRequestChanged)
        assert fork.from_fork


def test_text_no_database_keeps_is_replaced_and_the_rest_stays() -> None:
    odd, kept = "/speckit \ud800help\x00 \N{GRINNING FACE}", "/speckit \ufffdhelp\ufffd \N{GRINNING FACE}"
    event = event_of(comment__body=odd, issue__title=odd, issue__body=odd)
    assert (event.body, event.issue_title, event.issue_body) == (kept, kept, kept)
    label = parsed("label of an issue", label__name=odd, issue__body=odd)
    assert isinstance(label, Labeled)
    assert (label.label, label.issue_body) == (kept, kept)


def test_a_long_title_and_a_long_issue_are_cut() -> None:
    event = event_of(issue__title="t" * 1000, issue__body="b" * 200_000, comment__body="/speckit help")
    assert (len(event.issue_title), len(event.issue_body)) == (256, 131_072)


def test_the_longest_comment_on_the_longest_issue_fits_into_the_row() -> None:
    face = "\N{GRINNING FACE}"
    event = event_of(comment__body=face * 131_072, issue__body=face * 131_072, issue__title=face * 300)
    assert len(event.issue_body) > 30_000
    assert len(json.dumps(event_to_json(event))) < 2_097_152


@pytest.mark.parametrize("login", ["mona", "octo-cat", "emu_acme", "1", "-x-", "dependabot[bot]"])
def test_every_kind_of_login_github_gives_is_one(login: str) -> None:
    assert event_of(comment__user__login=login).actor == login


# Who did it


@pytest.mark.parametrize("kind", ["comment", "review comment"])
def test_a_comment_is_a_persons_only_if_they_wrote_it_themselves(kind: str) -> None:
    for paths in (
        {"comment__user__type": "Bot"},
        {"sender__type": "Bot"},
        {"sender__id": 5},
        {"comment__user__login": "evil[bot]"},
        {"comment__performed_via_github_app": {"id": 1}},
    ):
        assert not parsed(kind, **paths).actor_is_person


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "comment" not in kind])
def test_what_a_bot_does_is_no_persons(kind: str) -> None:
    for paths in ({"sender__type": "Bot"}, {"sender__type": "Organization"}, {"sender__login": "evil[bot]"}):
        assert not parsed(kind, **paths).actor_is_person


NOTHING: list[tuple[str, Payload]] = [
    *((name, changed(payload(), installation=None)) for name, payload in EVENTS.values()),
    *((name, changed(payload(), sender=None)) for name, payload in EVENTS.values()),
    *((name, changed(payload(), action="edited")) for name, payload in EVENTS.values()),
    ("issue_comment", comment_payload(comment__user=None)),
    ("pull_request_review_comment", review_comment_payload(comment__user=None)),
    ("issues", changed(labeled_payload(), label=None)),
    ("issues", assigned_payload(assignee=None)),
    ("check_run", check_run_payload(check_run__app=None)),
    ("check_run", check_run_payload("created")),
    ("check_run", check_run_payload("completed")),
    ("check_suite", check_suite_payload(action="completed")),
    ("check_suite", check_suite_payload(check_suite__app=None)),
    ("push", comment_payload()),
    ("installation", {"action": "created"}),
]


def test_the_rest_is_nothing() -> None:
    assert [parse_event(name, payload) for name, payload in NOTHING] == [None] * len(NOTHING)


# Said once


def test_the_same_words_have_the_same_key_whatever_else_changes() -> None:
    first = event_of(comment__id=1)
    assert first.said_key == event_of(comment__id=1, issue__title="Renamed", sender__type="User").said_key
    others = [event_of(comment__id=2), event_of(comment__id=1, comment__body="/speckit help")]
    others.append(event_of(comment__id=1, installation__id=5))
    assert len({first.said_key, *(other.said_key for other in others)}) == 4


def test_comments_and_comments_on_lines_are_counted_apart() -> None:
    assert event_of(comment__id=1, comment__body="x").said_key != review_of(comment__id=1, comment__body="x").said_key


@every_kind
def test_a_delivery_again_is_the_same_and_fits_the_column(kind: str) -> None:
    name, payload = EVENTS[kind]
    body = json.dumps(payload())
    first, again = parse_event(name, json.loads(body)), parse_event(name, json.loads(body))
    assert first == again
    assert first is not None
    assert 0 < len(first.said_key) <= 255


def test_a_label_taken_off_and_put_on_again_counts_anew() -> None:
    first, later = "2026-11-22T10:00:00Z", "2026-11-22T10:00:07Z"
    keys = {parsed("label of an issue", issue__updated_at=time).said_key for time in (first, later, first)}
    assert len(keys) == 2


def test_whoever_pushes_or_presses_again_counts_anew() -> None:
    pushes = {parsed("pushed", pull_request__head__sha=sha).said_key for sha in (HEAD, "c" * 40)}
    presses = {parsed("button", sender__id=who).said_key for who in (1, 2)}
    assert (len(pushes), len(presses)) == (2, 2)


# Rows


@every_kind
def test_an_event_survives_the_delivery_row(kind: str) -> None:
    event = parsed(kind)
    kept = json.loads(json.dumps(event_to_json(event)))
    assert isinstance(kept["kind"], str)
    assert event_from_json(kept) == event


def test_the_kinds_are_told_apart() -> None:
    kinds = [kind.kind for kind in get_args(Event)]
    assert len(set(kinds)) == len(kinds) == 8


def test_a_row_from_before_there_were_kinds_is_a_comment() -> None:
    row = {
        "installation_id": 4711, "repository": "acme/shop", "repository_id": 2, "private": False, "archived": False,
        "default_branch": "main", "issue_number": 7, "issue_title": "Invoices", "on_pull_request": False,
        "comment_id": 99, "body": "/speckit help", "author": "mona", "author_id": 583231, "author_is_person": True,
        "written_at": "2026-11-22T10:00:00+00:00",
    }  # fmt: skip
    event = event_from_json(row)
    assert isinstance(event, CommentPosted)
    assert (event.actor, event.actor_id, event.actor_is_person) == ("mona", 583231, True)
    assert event.happened_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert event.said_key == f"4711:99:created:{sha256(b'/speckit help').hexdigest()}", "as it was"


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"installation_id": 1},
        {"written_at": 5},
        {"unknown": 1},
        {"kind": "of_tomorrow"},
        {"kind": []},
        {"kind": None},
        {"kind": "labeled"},
        {"kind": "labeled", "happened_at": 5},
    ],
)
def test_a_row_of_another_version_is_malformed_and_no_crash(kept: dict[str, object]) -> None:
    with pytest.raises(MalformedPayload):
        event_from_json(kept)
