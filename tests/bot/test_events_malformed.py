"""Payloads that are signed and yet not what GitHub documents: told apart, never a crash, never half an event."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.events import MalformedPayload, event_from_json, event_to_json, parse_event
from tests.bot.deliveries import EVENTS, changed, labeled_payload

every_kind = pytest.mark.parametrize("kind", EVENTS)

BAD_NUMBERS: tuple[object, ...] = (None, 0, -1, 1.5, True, "7", 2**63, 10**4000, [], {})
BAD_TEXTS: tuple[object, ...] = (None, 5, [], {}, True)
BAD_NAMES = (None, 5, "", ".", "..", "a/b", "a b", "a%2f", "[bot]", "é", "a\n", "x" * 100_000, "../../user")
BAD_SHAS = (None, 5, "", "HEAD", "b" * 39, "b" * 41, "B" * 40, "b" * 40 + "\n", "../" + "b" * 37)
BAD_OBJECTS: tuple[object, ...] = (5, "x", [], True)

COMMON: dict[str, tuple[object, ...]] = {
    "action": BAD_TEXTS,
    "installation": BAD_OBJECTS,
    "installation__id": BAD_NUMBERS,
    "repository": (None, *BAD_OBJECTS),
    "repository__id": BAD_NUMBERS,
    "repository__full_name": (None, 5, "shop", "acme/..", "acme/shop/x", "acme/shop\n", "é/x"),
    "repository__private": (None, "no", 0),
    "repository__archived": (None, "no", 0),
    "repository__default_branch": (*BAD_TEXTS, "b" * 300),
    "sender": BAD_OBJECTS,
}
SENDER = {"sender__login": BAD_NAMES, "sender__id": BAD_NUMBERS}
AUTHOR = {
    "comment": (None, *BAD_OBJECTS),
    "comment__user": BAD_OBJECTS,
    "comment__user__login": BAD_NAMES,
    "comment__user__id": BAD_NUMBERS,
    "comment__id": BAD_NUMBERS,
    "comment__body": (*BAD_TEXTS, "x" * 200_000),
    "comment__created_at": ("yesterday", 5, [], {}),
}


def _about(name: str) -> dict[str, tuple[object, ...]]:
    return {
        name: (None, *BAD_OBJECTS),
        f"{name}__number": (*BAD_NUMBERS, 2**31),
        f"{name}__title": BAD_TEXTS,
        f"{name}__body": (5, [], {}),
        f"{name}__state": ("ajar", 5, []),
    }


def _updated(name: str) -> dict[str, tuple[object, ...]]:
    return {f"{name}__updated_at": ("yesterday", 5, [], {}), **SENDER}


_PULLS: tuple[object, ...] = ("x", {}, [5], [{}], [{"number": 1}], [{"number": 0, "base": {"repo": {"id": 1296269}}}])
_CHECK: dict[str, tuple[object, ...]] = {
    "check_run": (None, *BAD_OBJECTS),
    "check_run__app": BAD_OBJECTS,
    "check_run__app__id": BAD_NUMBERS,
    "check_run__id": BAD_NUMBERS,
    "check_run__head_sha": BAD_SHAS,
    "check_run__external_id": (5, [], {}),
    "check_run__pull_requests": _PULLS,
    **SENDER,
}
_LABEL = {"label": BAD_OBJECTS, "label__name": (*BAD_TEXTS, "x" * 300)}
_ASSIGNEE = {"assignee": BAD_OBJECTS, "assignee__login": BAD_NAMES, "assignee__id": BAD_NUMBERS}
_CHANGED: dict[str, tuple[object, ...]] = {
    "pull_request": (None, *BAD_OBJECTS),
    "pull_request__number": (*BAD_NUMBERS, 2**31),
    "pull_request__head": (None, *BAD_OBJECTS),
    "pull_request__head__ref": (*BAD_TEXTS, "b" * 300),
    "pull_request__head__sha": BAD_SHAS,
    "pull_request__head__repo": BAD_OBJECTS,
    "pull_request__head__repo__id": BAD_NUMBERS,
    "pull_request__base": (None, *BAD_OBJECTS),
    "pull_request__base__ref": BAD_TEXTS,
    **_updated("pull_request"),
}
HOSTILE: dict[str, dict[str, tuple[object, ...]]] = {
    "comment": {**AUTHOR, **_about("issue"), "comment__node_id": (5, "", "a b", "x" * 300)},
    "review comment": {
        **AUTHOR,
        "pull_request": (None, *BAD_OBJECTS),
        "pull_request__number": (*BAD_NUMBERS, 2**31),
        "pull_request__title": BAD_TEXTS,
        "pull_request__head": (None, *BAD_OBJECTS),
        "pull_request__head__ref": (*BAD_TEXTS, "b" * 300),
        "comment__path": (*BAD_TEXTS, "", "/etc/passwd", "a//b", "a/", "../x", "a/../b", ".", "a\x00", "x/" * 5000),
        "comment__line": ("12", 0, -1, 1.5, True, 2**31),
        "comment__side": ("TOP", 5, []),
        "comment__commit_id": BAD_SHAS,
        "comment__in_reply_to_id": ("1", 0, -1, True),
    },
    "label of an issue": {**_about("issue"), **_updated("issue"), **_LABEL},
    "label of a pull request": {**_about("pull_request"), **_updated("pull_request"), **_LABEL},
    "assignment of an issue": {**_about("issue"), **_updated("issue"), **_ASSIGNEE},
    "assignment of a pull request": {**_about("pull_request"), **_updated("pull_request"), **_ASSIGNEE},
    "button": {
        **_CHECK,
        "requested_action": (None, *BAD_OBJECTS),
        "requested_action__identifier": (*BAD_TEXTS, "x" * 300),
    },
    "check again": _CHECK,
    "suite again": {
        "check_suite": (None, *BAD_OBJECTS),
        "check_suite__app": BAD_OBJECTS,
        "check_suite__app__id": BAD_NUMBERS,
        "check_suite__head_sha": BAD_SHAS,
        "check_suite__head_branch": (5, [], "b" * 300),
        "check_suite__pull_requests": _PULLS,
        **SENDER,
    },
    "opened": _CHANGED,
    "pushed": _CHANGED,
    "closed": _CHANGED,
    "reopened": _CHANGED,
}


@every_kind
def test_what_github_never_sends_is_malformed(kind: str) -> None:
    name, payload = EVENTS[kind]
    for path, values in {**COMMON, **HOSTILE[kind]}.items():
        for value in values:
            with pytest.raises(MalformedPayload, match=path.split("__", maxsplit=1)[0]):
                parse_event(name, changed(payload(), **{path: value}))


@every_kind
def test_a_payload_of_another_event_is_malformed_or_nothing(kind: str) -> None:
    sent_as, payload = EVENTS[kind]
    for name in {name for name, _ in EVENTS.values()} - {sent_as}:
        with contextlib.suppress(MalformedPayload):
            assert parse_event(name, payload()) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(kind=st.sampled_from(list(EVENTS)), data=st.data())
def test_any_value_anywhere_is_an_event_or_none_or_malformed(kind: str, data: st.DataObject) -> None:
    name, payload = EVENTS[kind]
    path = data.draw(st.sampled_from(list({**COMMON, **HOSTILE[kind]})))
    fields = changed(payload(), **{path: data.draw(_json)})
    try:
        event = parse_event(name, fields)
    except MalformedPayload:
        return
    if event is not None:
        assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
        assert 0 < len(event.said_key) <= 255


@given(name=st.sampled_from(sorted({name for name, _ in EVENTS.values()})), payload=_json)
def test_any_json_is_an_event_or_none_or_malformed(name: str, payload: object) -> None:
    with contextlib.suppress(MalformedPayload):
        assert parse_event(name, payload) is None


def test_a_payload_too_deep_to_tell_from_another_is_malformed() -> None:
    deep: object = 1
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(MalformedPayload):
        parse_event("issues", labeled_payload(extra=deep))
