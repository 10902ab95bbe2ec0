"""Questions wait in the database, and nowhere else."""

from __future__ import annotations

from typing import Any

from db import clarifications
from db.records import Clarification
from db.session import Database
from tests.db.rows import Held, begun_run

PULL = 12


def question(number: int) -> dict[str, Any]:
    return {"number": number, "text": f"Which {number}?", "options": [], "recommended": None}


async def ask(database: Database, held: Held, *numbers: int) -> None:
    async with database.transaction() as session:
        await clarifications.ask(session, held.lease, PULL, [question(number) for number in numbers])


async def open_now(database: Database) -> Clarification | None:
    async with database.transaction() as session:
        return await clarifications.open_questions(session, 11, PULL)


async def answer(database: Database, held: Held, *numbers: int) -> None:
    said = [{"number": number, "question": f"Which {number}?", "answer": "this"} for number in numbers]
    async with database.transaction() as session:
        await clarifications.record_answers(session, held.run_id, said, "grace")


async def test_asking_twice_is_asking_once(database: Database) -> None:
    held = await begun_run(database)
    await ask(database, held, 1, 2)
    await ask(database, held, 3)
    found = await open_now(database)
    assert found is not None
    assert [item["number"] for item in found.questions["questions"]] == [1, 2]


async def test_all_answered_closes_the_questions(database: Database) -> None:
    held = await begun_run(database)
    await ask(database, held, 1, 2)
    await answer(database, held, 2)
    found = await open_now(database)
    assert found is not None
    assert (found.answered_by, [item["number"] for item in found.answers["answers"]]) == ("grace", [2])
    await answer(database, held, 1)
    assert await open_now(database) is None


async def test_newer_questions_take_the_place_of_older_ones(database: Database) -> None:
    first, second = await begun_run(database), await begun_run(database)
    await ask(database, first, 1)
    await ask(database, second, 1)
    found = await open_now(database)
    assert found is not None
    assert found.run_id == second.run_id
    async with database.transaction() as session:
        older = await clarifications.of_run(session, first.run_id)
    assert older is not None
    assert older.closed_at is not None
    assert older.answered_at is None


async def test_a_later_answer_takes_the_place_of_an_earlier_one(database: Database) -> None:
    held = await begun_run(database)
    await ask(database, held, 1, 2)
    await answer(database, held, 1)
    await answer(database, held, 1)
    found = await open_now(database)
    assert found is not None
    assert len(found.answers["answers"]) == 1
