"""The door as GitHub and as strangers meet it: over real HTTP, with a real database and a real Redis."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from db.records import Delivery
from db.session import Database
from tests.bot.conftest import StartWeb, WebProcess
from tests.bot.deliveries import SECRET, comment_payload, encoded, headers, signature
from tests.bot.doors import Door, open_door


def sha1(body: bytes) -> str:
    return "sha1=" + hmac.new(SECRET.encode(), body, "sha1").hexdigest()


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with open_door(database) as opened:
        yield opened


async def settled(web_process: WebProcess) -> None:
    """Wait until every recorded delivery was handled."""
    for _ in range(500):
        async with web_process.database.transaction() as session:
            waiting = (await session.scalars(select(Delivery.delivery_id).where(Delivery.handled_at.is_(None)))).all()
        if not waiting:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not handled: {waiting}")


# Is it GitHub?


def test_the_signature_is_githubs_own_example() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(b"Hello, World!") == expected


async def test_one_of_many_signatures_is_accepted(door: Door) -> None:
    body = encoded(comment_payload())
    right = signature(body)
    wrong: list[str | None] = [
        None,
        "",
        "sha256=",
        right[:-1],
        right + "0",
        right.removeprefix("sha256="),
        right.upper(),
        "SHA256=" + right.removeprefix("sha256="),
        " " + right + ",",
        f"{right},{right}",
        "sha256=" + "0" * 64,
        signature(body, "another secret of theirs"),
        signature(body, ""),
        signature(body + b" "),
        sha1(body),
        "sha256=" + sha1(body).removeprefix("sha1="),
        "sha1=" + right.removeprefix("sha256="),
        "sha256=" + "é" * 64,
        "sha256=" + "\N{ARABIC-INDIC DIGIT ONE}" * 64,
    ]
    for value in wrong:
        response = await door.post(body, X_Hub_Signature_256=value)
        assert response.status == 401, value
    assert await door.deliveries() == 0
    assert (await door.post(body)).status == 202
    assert await door.deliveries() == 1


async def test_sha1_is_never_enough(door: Door) -> None:
    body = encoded(comment_payload())
    response = await door.post(body, X_Hub_Signature_256=None, X_Hub_Signature=sha1(body))
    assert response.status == 401
    assert await door.deliveries() == 0


async def test_two_signatures_are_none(door: Door) -> None:
    body = encoded(comment_payload())
    pairs = [*headers(body).items(), ("X-Hub-Signature-256", signature(body))]
    response = await door.client.post("/webhooks/github", data=body, headers=pairs)
    assert response.status == 401


async def test_an_unsigned_body_is_not_even_parsed(door: Door) -> None:
    response = await door.post(b"{", X_Hub_Signature_256="sha256=" + "0" * 64)
    assert response.status == 401


async def test_ping_is_answered(door: Door) -> None:
    assert await door.deliver({"zen": "Design for failure.", "hook_id": 1}, "ping") == 200
    assert await door.deliveries() == 0


# Malformed, and never a 5xx

HOSTILE_BODIES = {
    "empty": b"",
    "space": b" ",
    "no json": b"payload=%7B%7D",
    "half": b'{"action": "created"',
    "two values": b"{}{}",
    "list": b"[]",
    "string": b'"created"',
    "number": b"1",
    "null": b"null",
    "not utf-8": b'{"a": "\xff"}',
    "utf-16": '{"action": "created"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN": b'{"action": NaN}',
    "infinity": b'{"action": -Infinity}',
    "huge number": b'{"a": ' + b"9" * 5000 + b"}",
    "same key twice": b'{"action": "created", "action": "deleted"}',
    "nothing in it": b"{}",
    "raw NUL": b'{"a": "\x00"}',
    "raw newline": b'{"a": "\n"}',
}


async def test_a_signed_body_that_is_no_payload_is_400(door: Door, subtests: pytest.Subtests) -> None:
    for name, body in HOSTILE_BODIES.items():
        with subtests.test(name):
            response = await door.post(body)
            assert response.status == 400
            assert "Traceback" not in await response.text()
    assert await door.deliveries() == 0


HOSTILE_FIELDS: dict[str, dict[str, object]] = {
    "action is a number": {"action": 1},
    "action is a list": {"action": ["created"]},
    "comment missing": {"comment": None},
    "comment is a list": {"comment": []},
    "issue is a string": {"issue": "7"},
    "repository missing": {"repository": None},
    "installation is a number": {"installation": 4711},
    "installation id is text": {"installation__id": "4711"},
    "installation id is true": {"installation__id": True},
    "comment id is negative": {"comment__id": -1},
    "comment id is a float": {"comment__id": 1.5},
    "comment id is beyond 64 bits": {"comment__id": 2**63},
    "comment id has 4000 digits": {"comment__id": 10**4000},
    "issue number is zero": {"issue__number": 0},
    "issue number is beyond 32 bits": {"issue__number": 2**31},
    "body is null": {"comment__body": None},
    "body is an object": {"comment__body": {"a": 1}},
    "body is too long": {"comment__body": "/speckit help\n" + "x" * 200_000},
    "title is null": {"issue__title": None},
    "login of 100,000 characters": {"comment__user__login": "x" * 100_000},
    "login is a path": {"comment__user__login": "../../user"},
    "login with a newline": {"comment__user__login": "mona\nX-Evil: 1"},
    "login is empty": {"comment__user__login": ""},
    "login of dashes": {"comment__user__login": "---"},
    "repository without a slash": {"repository__full_name": "shop"},
    "repository with two": {"repository__full_name": "acme/shop/issues"},
    "repository is dots": {"repository__full_name": "acme/.."},
    "private is text": {"repository__private": "no"},
    "private is missing": {"repository__private": None},
    "archived is null": {"repository__archived": None},
    "branch is a number": {"repository__default_branch": 1},
    "branch is too long": {"repository__default_branch": "b" * 300},
    "created_at is no time": {"comment__created_at": "yesterday"},
    "created_at is a number": {"comment__created_at": 1},
    "user is a string": {"comment__user": "mona"},
    "sender is a list": {"sender": []},
}


async def test_a_field_github_never_sends_is_400(door: Door, subtests: pytest.Subtests) -> None:
    for name, paths in HOSTILE_FIELDS.items():
        with subtests.test(name):
            assert await door.deliver(comment_payload(**paths)) == 400
    assert await door.deliveries() == 0


HOSTILE_HEADERS: dict[str, dict[str, str | None]] = {
    "no delivery id": {"X_GitHub_Delivery": None},
    "empty delivery id": {"X_GitHub_Delivery": ""},
    "long delivery id": {"X_GitHub_Delivery": "a" * 65},
    "delivery id with a quote": {"X_GitHub_Delivery": "a'--"},
    "delivery id with letters of elsewhere": {"X_GitHub_Delivery": "é"},
    "no event": {"X_GitHub_Event": None},
    "event with a space": {"X_GitHub_Event": "issue comment"},
    "long event": {"X_GitHub_Event": "a" * 65},
    "form encoded": {"Content_Type": "application/x-www-form-urlencoded"},
    "no content type": {"Content_Type": ""},
    "broken content type": {"Content_Type": "///;;;"},
    "compressed": {"Content_Encoding": "br"},
}


async def test_headers_github_never_sends_are_400(door: Door, subtests: pytest.Subtests) -> None:
    for name, changes in HOSTILE_HEADERS.items():
        with subtests.test(name):
            response = await door.post(encoded(comment_payload()), "issue_comment", **changes)
            assert response.status == 400
    assert await door.deliveries() == 0


async def test_a_strange_charset_changes_nothing(door: Door) -> None:
    response = await door.post(encoded(comment_payload()), Content_Type="application/json; charset=klingon")
    assert response.status == 202
    assert await door.deliveries() == 1


async def test_form_encoding_is_refused_with_the_cure(door: Door) -> None:
    response = await door.post(b"payload=%7B%7D", Content_Type="application/x-www-form-urlencoded")
    assert "application/json" in (await response.json())["error"]


STRANGE_TEXTS = {
    "lone surrogate": '"/speckit help \\ud800"',
    "surrogates the wrong way round": '"/speckit help \\udc00\\ud800"',
    "NUL": '"/speckit help\\u0000"',
    "right to left": '"/speckit help \\u202e"',
    "not a character": '"/speckit help \\uffff"',
    "emoji": '"/speckit specify \\ud83d\\ude00"',
    "longest": json.dumps("/speckit specify " + "x" * (65_536 - 17)),
    "longest of emoji": json.dumps("/speckit specify " + "\N{GRINNING FACE}" * (65_536 - 17)),
}


async def test_whatever_people_write_is_taken_and_handed_on(door: Door, subtests: pytest.Subtests) -> None:
    for name, text in STRANGE_TEXTS.items():
        with subtests.test(name):
            body = encoded(comment_payload("BODY", issue__title="TITLE")).decode()
            body = body.replace('"BODY"', text).replace('"TITLE"', '"\\ud800 \\u0000 <b>"')
            response = await door.post(body.encode())
            assert response.status == 202
    assert await door.deliveries() == len(STRANGE_TEXTS)
    assert len(await door.heard()) == len(STRANGE_TEXTS)


async def test_other_methods_and_paths_tell_nothing(web_process: WebProcess) -> None:
    assert (await web_process.client.get("/webhooks/github")).status == 405
    assert (await web_process.client.post("/webhooks/gitlab")).status == 404


# What costs a row, and what does not

UNINTERESTING: dict[str, dict[str, object]] = {
    "no command": {"comment__body": "What about /speckit specify?"},
    "a quoted command": {"comment__body": "> /speckit specify Invoices"},
    "another app's command": {"comment__body": "/deploy now"},
    "an edit": {"action": "edited"},
    "a deletion": {"action": "deleted"},
    "a bot": {"comment__user__type": "Bot", "sender__type": "Bot"},
    "a bot by its name": {"comment__user__login": "evil[bot]"},
    "an app in a person's name": {"comment__performed_via_github_app": {"id": 1, "slug": "x"}},
    "sent by somebody else than the author": {"sender__id": 99},
    "a deleted author": {"comment__user": None},
    "an organization": {"comment__user__type": "Organization"},
    "a repository webhook": {"installation": None},
    "five days old": {"comment__created_at": "2020-01-01T00:00:00Z"},
}


async def test_what_is_not_for_us_costs_no_row_and_no_work(door: Door, subtests: pytest.Subtests) -> None:
    for name, paths in UNINTERESTING.items():
        with subtests.test(name):
            assert await door.deliver(comment_payload(**paths)) == 202
    for event in ("issues", "push", "pull_request", "check_run", "installation", "a_new_event"):
        with subtests.test(event):
            assert await door.deliver(comment_payload(), event) == 202
    assert await door.deliveries() == 0
    assert await door.heard() == []


async def test_a_person_whose_name_looks_like_a_bots_is_heard(door: Door) -> None:
    payload = comment_payload(comment__user__login="x-bot", sender__login="x-bot")
    assert await door.deliver(payload) == 202
    assert await door.deliveries() == 1


# Said once, done once


async def test_the_same_delivery_five_times_and_once_with_a_new_id_is_one_row(door: Door) -> None:
    payload, delivery = comment_payload(), str(uuid4())
    statuses = await asyncio.gather(*(door.deliver(payload, X_GitHub_Delivery=delivery) for _ in range(5)))
    statuses.append(await door.deliver(payload))
    assert statuses == [202] * 6
    assert await door.deliveries() == 1
    assert await door.heard() == [delivery]


async def test_a_replay_under_any_id_and_any_event_is_one_row(door: Door) -> None:
    body = encoded(comment_payload())
    for event in ["issues", "issue_comment", "ping", "push", "issue_comment"] * 20:
        assert (await door.post(body, event)).status in {200, 202}
    assert await door.deliveries() == 1
    assert len(await door.heard()) == 1


async def test_a_payload_of_another_event_sent_as_a_comment_is_400(door: Door) -> None:
    payload = comment_payload()
    del payload["comment"]
    payload["action"] = "opened"
    assert await door.deliver(payload) == 400


async def test_with_the_database_broken_github_learns_it_and_no_more(door: Door) -> None:
    async with door.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE delivery RENAME TO elsewhere")
    response = await door.post(encoded(comment_payload()))
    assert response.status == 503
    said = (await response.text()).replace("redeliver", "")
    assert "Traceback" not in said
    assert "deliver" not in said


# The whole process


async def test_the_same_words_again_and_again_are_one_run(web_process: WebProcess) -> None:
    payload = comment_payload("/speckit specify The first words")
    for _ in range(3):
        assert await web_process.deliver(payload) == 202
    edited = comment_payload("/speckit specify Other words", action="edited", comment__id=payload["comment"]["id"])
    assert await web_process.deliver(edited) == 202
    await settled(web_process)
    assert (await web_process.deliveries(), await web_process.runs()) == (1, 1)


async def test_with_redis_away_the_run_waits_in_the_database(start_web: StartWeb, tmp_path: Path) -> None:
    web_process = await start_web(redis=f"unix://{tmp_path}/nobody.sock")
    begin = time.monotonic()
    assert await web_process.deliver(comment_payload()) == 202
    assert time.monotonic() - begin < 8.0
    await settled(web_process)
    assert await web_process.runs() == 1
