"""From GitHub's JSON to an event of ours, and into the delivery row and back."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.events import CommentPosted, MalformedPayload, event_from_json, event_to_json, parse_event
from tests.bot.deliveries import changed, comment_payload


def event_of(**paths: object) -> CommentPosted:
    event = parse_event("issue_comment", comment_payload(**paths))
    assert event is not None
    return event


def test_what_is_read_later_is_read() -> None:
    event = event_of(comment__id=99, comment__created_at="2026-11-22T10:00:00Z")
    assert (event.repository, event.repository_id, event.installation_id) == ("acme/shop", 1296269, 4711)
    assert (event.issue_number, event.issue_title, event.on_pull_request) == (7, "Invoices", False)
    assert (event.comment_id, event.author, event.author_id) == (99, "mona", 583231)
    assert event.author_is_person
    assert not event.private
    assert event.written_at is not None
    assert event.written_at.isoformat() == "2026-11-22T10:00:00+00:00"


def test_a_comment_on_a_pull_request_is_one() -> None:
    assert event_of(issue__pull_request={"url": "https://example.org"}).on_pull_request


def test_text_no_database_keeps_is_replaced_and_the_rest_stays() -> None:
    assert event_of(comment__body="/speckit \ud800help\x00 \N{GRINNING FACE}").body == (
        "/speckit \ufffdhelp\ufffd \N{GRINNING FACE}"
    )


def test_a_long_title_is_cut() -> None:
    assert len(event_of(issue__title="t" * 1000).issue_title) == 256


@pytest.mark.parametrize("login", ["mona", "octo-cat", "emu_acme", "1", "-x-", "dependabot[bot]"])
def test_every_kind_of_login_github_gives_is_one(login: str) -> None:
    assert event_of(comment__user__login=login).author == login


@pytest.mark.parametrize("login", [".", "..", "a/b", "a b", "a%2f", "", "[bot]", "é", "a\n"])
def test_what_is_no_login_is_malformed(login: str) -> None:
    with pytest.raises(MalformedPayload, match="login"):
        event_of(comment__user__login=login)


def test_the_same_words_have_the_same_key_whatever_else_changes() -> None:
    first = event_of(comment__id=1)
    assert first.said_key == event_of(comment__id=1, issue__title="Renamed", sender__type="User").said_key
    others = [event_of(comment__id=2), event_of(comment__id=1, comment__body="/speckit help")]
    others.append(event_of(comment__id=1, installation__id=5))
    assert len({first.said_key, *(other.said_key for other in others)}) == 4


def test_an_event_survives_the_delivery_row() -> None:
    event = event_of(comment__body="/speckit specify \N{GRINNING FACE}\nline two")
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


@pytest.mark.parametrize("kept", [{}, {"installation_id": 1}, {"written_at": 5}, {"unknown": 1}])
def test_a_row_of_another_version_is_malformed_and_no_crash(kept: dict[str, object]) -> None:
    with pytest.raises(MalformedPayload):
        event_from_json(kept)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_paths = st.sampled_from(
    [
        "action",
        "comment",
        "issue",
        "repository",
        "sender",
        "installation",
        "comment__user",
        "comment__body",
        "comment__id",
        "comment__created_at",
        "issue__number",
        "issue__title",
        "repository__full_name",
        "repository__private",
        "comment__user__login",
        "comment__user__type",
        "comment__performed_via_github_app",
    ]
)


@given(path=_paths, value=_json)
def test_any_value_anywhere_is_an_event_or_none_or_malformed(path: str, value: object) -> None:
    payload = changed(comment_payload(), **{path: value})
    try:
        event = parse_event("issue_comment", payload)
    except MalformedPayload:
        return
    assert event is None or event.author


@given(payload=_json)
def test_any_json_is_an_event_or_none_or_malformed(payload: object) -> None:
    with contextlib.suppress(MalformedPayload):
        assert parse_event("issue_comment", payload) is None
