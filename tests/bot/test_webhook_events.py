"""The door and every event: one row for each that is for us, whatever is sent, and none for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.events import event_from_json
from db.session import Database
from tests.bot.deliveries import EVENTS, changed, encoded, labeled_payload, pull_request_payload
from tests.bot.doors import Door, open_door
from tests.bot.test_events_malformed import COMMON, HOSTILE

ACTIONS = {
    "comment": "created",
    "review comment": "created",
    "label of an issue": "labeled",
    "label of a pull request": "labeled",
    "assignment of an issue": "assigned",
    "assignment of a pull request": "assigned",
    "button": "requested_action",
    "check again": "rerequested",
    "suite again": "rerequested",
    "opened": "opened",
    "pushed": "synchronize",
    "closed": "closed",
    "reopened": "reopened",
}


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with open_door(database) as opened:
        yield opened


async def test_each_event_is_one_row_that_can_be_read_again(door: Door) -> None:
    for kind, (name, payload) in EVENTS.items():
        response = await door.post(encoded(payload()), name, X_GitHub_Delivery=kind.replace(" ", "-"))
        assert (response.status, await response.json()) == (202, {"status": "accepted"})
    rows = {row.delivery_id.replace("-", " "): row for row in await door.rows()}
    assert {kind: row.action for kind, row in rows.items()} == ACTIONS
    assert {kind: row.event for kind, row in rows.items()} == {kind: name for kind, (name, _) in EVENTS.items()}
    for row in rows.values():
        assert event_from_json(row.payload).said_key == row.said_key
    assert sorted(await door.heard()) == sorted(kind.replace(" ", "-") for kind in EVENTS)


@pytest.mark.parametrize("kind", EVENTS)
async def test_a_replay_under_any_id_and_any_event_is_one_row(door: Door, kind: str) -> None:
    name, make = EVENTS[kind]
    payload = make()
    answers = await asyncio.gather(*(door.deliver(payload, name) for _ in range(5)))
    for other in [*sorted({header for header, _ in EVENTS.values()}), "ping", "push"]:
        answers.append(await door.deliver(payload, other))
    assert set(answers) <= {200, 202, 400}
    assert await door.deliveries() == 1
    assert len(await door.heard()) == 1


async def test_a_label_taken_off_and_put_on_again_is_two_rows(door: Door) -> None:
    seconds = [(datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="seconds") for ago in (9, 2)]
    first, second = (labeled_payload(issue__updated_at=second) for second in seconds)
    for payload in (first, second, first, second):
        assert await door.deliver(payload, "issues") == 202
    assert await door.deliveries() == 2


async def test_what_is_not_for_us_costs_nothing(door: Door) -> None:
    bot = {"login": "renovate[bot]", "id": 5, "type": "Bot"}
    unwanted = [
        ("issues", labeled_payload(sender=bot)),
        ("issues", labeled_payload(action="unlabeled")),
        ("pull_request", pull_request_payload("opened", sender=bot)),
        ("pull_request", pull_request_payload("edited")),
        ("pull_request", pull_request_payload(installation=None)),
        ("check_run", EVENTS["button"][1]() | {"action": "completed"}),
    ]
    for name, payload in unwanted:
        assert await door.deliver(payload, name) == 202
    assert await door.deliveries() == 0
    assert await door.heard() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", EVENTS)
async def test_a_signed_payload_github_never_sends_is_400_and_no_row(door: Door, kind: str) -> None:
    name, payload = EVENTS[kind]
    for path, values in {**COMMON, **HOSTILE[kind]}.items():
        for value in values:
            response = await door.post(encoded(changed(payload(), **{path: value})), name)
            assert response.status == 400, (path, value)
            assert "Traceback" not in await response.text()
    assert await door.deliveries() == 0


STRANGE = ("\ud800", "\udc00\ud800", "\x00", "\u202e", "\uffff", "\N{GRINNING FACE}" * 100, "<b>&amp;")


@pytest.mark.parametrize("kind", ["label of an issue", "assignment of a pull request", "review comment"])
async def test_whatever_people_write_is_taken(door: Door, kind: str) -> None:
    name, make = EVENTS[kind]
    holder = "issue" if "issue" in kind else "pull_request"
    for text in STRANGE:
        payload = changed(make(), **{f"{holder}__title": f"x{text}", f"{holder}__body": text * 3})
        if kind == "label of an issue":
            payload["label"]["name"] = f"speckit:{text}"
        if kind == "review comment":
            payload["comment"]["body"] = f"/speckit refine {text}"
        assert await door.deliver(payload, name) == 202
    rows = await door.rows()
    assert len(rows) == len(STRANGE)
    for row in rows:
        assert event_from_json(row.payload).installation_id == 4711
