"""Answers to the questions of a pull request: as a command, and as a plain reply that quotes them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from db.vocabulary import DeliveryOutcome, Trigger, Verb
from tests.bot.example_runs import QUESTIONS
from tests.bot.intake_door import Door

CURRENCIES = str(QUESTIONS[0]["text"])
REPLY = f"> {CURRENCIES}\n\n"
EUR = {"number": 1, "question": CURRENCIES, "answer": "EUR only"}


async def asked(door: Door, comment_id: int | None = 900) -> UUID:
    """Our pull request, with three questions about it in a comment of ours."""
    run_id = await door.our_pull_request()
    await door.ask_questions(run_id, comment_id)
    return run_id


async def answers(door: Door, run_id: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await door.questions(run_id)).answers.get("answers", [])
    return found


async def test_answers_open_a_run_and_stand_with_the_questions(door: Door) -> None:
    asking = await asked(door)
    assert await door.say("/speckit clarify 1A", on_pull=True) is DeliveryOutcome.ACCEPTED
    run = await door.newest()
    assert (run.verb, run.arguments["answers"], run.requested_spec_input) == (Verb.CLARIFY, [EUR], "")
    questions = await door.questions(asking)
    assert (questions.answers, questions.answered_by, questions.closed_at) == ({"answers": [EUR]}, "mona", None)


async def test_all_answers_close_the_questions(door: Door) -> None:
    asking = await asked(door)
    await door.say("/speckit clarify 1A 2B", on_pull=True)
    await door.say("/speckit clarify 3: the accountant", on_pull=True)
    assert [item["answer"] for item in await answers(door, asking)] == ["EUR only", "After 60 days", "the accountant"]
    assert (await door.questions(asking)).closed_at is not None
    assert await door.say("/speckit clarify 1B", on_pull=True) is DeliveryOutcome.REFUSED
    assert "No question is open" in door.replies[-1]


async def test_what_is_recommended_is_taken_on_request(door: Door) -> None:
    asking = await asked(door)
    assert await door.say("/speckit clarify --accept-recommended", on_pull=True) is DeliveryOutcome.ACCEPTED
    assert await answers(door, asking) == [EUR]
    assert (await door.newest()).arguments["accept_recommended"] is True


async def test_clarify_alone_asks_and_answers_nothing(door: Door) -> None:
    asking = await asked(door)
    assert await door.say("/speckit clarify", on_pull=True) is DeliveryOutcome.ACCEPTED
    assert "answers" not in (await door.newest()).arguments
    assert await answers(door, asking) == []


@pytest.mark.parametrize("body", ["/speckit clarify 7A", "/speckit clarify 1F", "/speckit clarify 1A 9B"])
async def test_an_answer_that_fits_nothing_takes_none(door: Door, body: str) -> None:
    asking = await asked(door)
    assert await door.say(body, on_pull=True) is DeliveryOutcome.REFUSED
    assert await answers(door, asking) == []
    assert len(await door.runs()) == 1


async def test_somebody_who_may_not_answers_nothing(door: Door) -> None:
    asking = await asked(door)
    for body in ("/speckit clarify 1A", f"{REPLY}1A"):
        assert await door.say(body, "reader", on_pull=True) is DeliveryOutcome.REFUSED
    assert await answers(door, asking) == []
    assert all("*write* role" in reply for reply in door.replies)


async def test_a_second_delivery_of_the_same_answers_changes_nothing(door: Door) -> None:
    asking = await asked(door)
    delivery = await door.record("/speckit clarify 1A 2A 3: me", on_pull=True, comment__id=77)
    assert await door.intake.handle(delivery) is DeliveryOutcome.ACCEPTED
    before = await answers(door, asking)
    assert await door.again(delivery) is DeliveryOutcome.ACCEPTED
    assert await answers(door, asking) == before
    assert len(await door.runs()) == 2
    assert door.replies == [], "the questions are closed, and the answers were taken all the same"


# Plain replies


@pytest.mark.parametrize("quote", [f"> {CURRENCIES}", f"> > {CURRENCIES}\n>", f">| **1** | {CURRENCIES}<br>*Why it"])
async def test_a_plain_reply_that_quotes_the_questions_answers_them(door: Door, quote: str) -> None:
    asking = await asked(door)
    assert await door.say(f"{quote}\n\n1A", on_pull=True, comment__id=77) is DeliveryOutcome.ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.arguments["answers"]) == (Verb.CLARIFY, Trigger.COMMENT, [EUR])
    assert await answers(door, asking) == [EUR]
    assert door.github.reactions == [(77, "eyes")]


async def test_a_plain_reply_to_questions_that_are_closed_is_told(door: Door) -> None:
    await asked(door)
    await door.say("/speckit clarify 1A 2A 3: me", on_pull=True)
    assert await door.say(f"{REPLY}1B", on_pull=True) is DeliveryOutcome.REFUSED
    assert "No question is open" in door.replies[-1]


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("> Shall we meet at 1 or at 2?\n\n1A", {"on_pull": True}),
        ("1A", {"on_pull": True}),
        (f"{REPLY}1A seems right to me.", {"on_pull": True}),
        (f"{REPLY}1A", {"on_pull": True, "issue__number": 13}),
        (f"{REPLY}1A", {}),
    ],
    ids=["another quote", "no quote", "talk", "another pull request", "an issue"],
)
@pytest.mark.parametrize("author", ["mona", "stranger"])
async def test_what_people_say_to_each_other_is_not_for_us(
    door: Door, body: str, how: dict[str, Any], author: str
) -> None:
    asking = await asked(door)
    assert await door.say(body, author, **how) is DeliveryOutcome.IGNORED
    assert await answers(door, asking) == []
    assert len(await door.runs()) == 1
    assert (door.replies, door.github.reactions, door.github.calls("permission_of")) == ([], [], 0)


async def test_what_nobody_has_seen_yet_cannot_be_quoted(door: Door) -> None:
    await asked(door, comment_id=None)
    assert await door.say(f"{REPLY}1A", on_pull=True) is DeliveryOutcome.IGNORED
