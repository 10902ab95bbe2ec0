"""Questions: one comment that asks, edited when answers come or newer questions take its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.github.markers import questions_marker
from db.clarifications import note_comment, record_answers
from db.leases import database_now
from db.session import Database
from db.vocabulary import Phase, Verb
from tests.bot.example_runs import QUESTIONS
from tests.bot.github_server import APP_ID, SLUG
from tests.bot.reporter_bench import ON_PULL, PULL, Bench, hasty_sleep, reporter_bench

ASKING = replace(ON_PULL, verb=Verb.CLARIFY)
ASKED = f"/issues/{PULL}/comments$"
ALL = [
    {"number": number, "question": "?", "answer": answer}
    for number, answer in enumerate(("EUR only", "After 60 days", "me"), 1)
]


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    """A run that asks about pull request 12."""
    async with reporter_bench(database, ASKING) as opened:
        opened.add_pull()
        yield opened


async def asks(bench: Bench) -> None:
    await bench.ask(*QUESTIONS)
    await bench.done(Phase.SPECKIT_CLARIFY, questions=QUESTIONS)


async def answered(bench: Bench, answers: list[dict[str, Any]]) -> Bench:
    """Alice answers, and the run that works it in begins."""
    async with bench.database.transaction() as session:
        assert await record_answers(session, bench.lease.run_id, answers, "alice")
    return await bench.under_way(replace(ASKING, arguments={"answers": answers}), 42)


async def test_questions_are_asked_once_and_the_runs_comment_leads_to_them(bench: Bench) -> None:
    await asks(bench)
    await bench.end_and_tell()
    questions = bench.questions_of()
    assert questions["issue"] == PULL
    assert "3 questions need an answer" in questions["body"]
    assert questions["html_url"] in bench.comment_of()
    kept = await bench.asked()
    assert (kept.comment_id, kept.comment_url) == (questions["id"], questions["html_url"])
    assert [conclusion for _, _, conclusion in bench.checks()] == ["action_required"]
    written = bench.writes()
    await bench.reporter.finish(bench.lease)
    assert bench.writes() == written


async def test_a_lost_answer_leaves_one_comment_with_questions(bench: Bench) -> None:
    await asks(bench)
    bench.hub.fail("POST", ASKED, cut=True, after_write=True)
    await bench.end_and_tell()
    assert "3 questions" in bench.questions_of()["body"]
    assert len(bench.hub.comments) == 2


async def test_a_crash_between_the_intent_and_its_result_leaves_one_that_is_true(bench: Bench) -> None:
    await asks(bench)
    async with bench.database.transaction() as session:
        await note_comment(session, bench.lease.run_id, comment_intended_at=await database_now(session))
    marker = questions_marker(bench.lease.run_id)
    bench.hub.add_comment(PULL, f"as it was\n\n{marker}", app_id=APP_ID, login=f"{SLUG}[bot]")
    bench.hub.add_comment(PULL, f"forged\n\n{marker}", app_id=None, login="mallory")
    await bench.end_and_tell()
    mine, forged, *_ = bench.hub.comments
    assert "3 questions need an answer" in mine["body"]
    assert forged["body"].startswith("forged")
    assert (await bench.asked()).comment_id == mine["id"]
    assert len(bench.hub.comments) == 3


async def test_without_the_lease_what_was_looked_for_is_not_posted(bench: Bench) -> None:
    await asks(bench)
    async with bench.database.transaction() as session:
        await note_comment(session, bench.lease.run_id, comment_intended_at=await database_now(session))
    looks = bench.hub.fail("GET", ASKED, status=502)
    bench.reporter.changed(bench.lease)
    await bench.eventually(lambda: looks.times == 0)
    await bench.lose_lease()
    await hasty_sleep(10)
    assert bench.hub.comments == []


async def test_answers_stand_in_the_comment_as_soon_as_somebody_works_on_them(bench: Bench) -> None:
    await asks(bench)
    await bench.end_and_tell()
    edits = f"{questions_url(bench)}$"
    later = await answered(bench, ALL[:1])
    bench.reporter.changed(later.lease)
    await bench.eventually(lambda: bench.hub.requests("PATCH", edits))
    told = bench.questions_of()["body"]
    assert "2 of 3 questions still need an answer" in told
    assert "✅ EUR only" in told
    assert "`alice`" in told
    await later.end_and_tell()
    assert len(bench.hub.requests("PATCH", edits)) == 1, "and is edited when it changed, no oftener"


async def test_when_all_are_answered_it_says_so(bench: Bench) -> None:
    await asks(bench)
    await bench.end_and_tell()
    later = await answered(bench, ALL)
    await later.end_and_tell()
    assert "All 3 questions are answered" in bench.questions_of()["body"]


async def test_newer_questions_close_the_older_ones(bench: Bench) -> None:
    await asks(bench)
    await bench.end_and_tell()
    later = await bench.under_way(ASKING, 42)
    await asks(later)
    await later.end_and_tell()
    assert "newer ones took their place" in bench.questions_of()["body"]
    assert "3 questions need an answer" in bench.questions_of(later.lease.run_id)["body"]


async def test_questions_that_closed_before_anybody_saw_them_are_not_asked(bench: Bench) -> None:
    await asks(bench)
    later = await bench.under_way(ASKING, 42)
    await asks(later)
    await bench.end_and_tell()
    await later.end_and_tell()
    assert len([each for each in bench.hub.comments if "questions=" in each["body"]]) == 1
    assert bench.questions_of(later.lease.run_id)


async def test_a_comment_somebody_deleted_stays_deleted(bench: Bench) -> None:
    await asks(bench)
    await bench.end_and_tell()
    edits = f"{questions_url(bench)}$"
    bench.hub.comments.remove(bench.questions_of())
    later = await answered(bench, ALL)
    bench.reporter.changed(later.lease)
    await bench.eventually(lambda: bench.hub.requests("PATCH", edits))
    await later.end_and_tell()
    assert [each for each in bench.hub.comments if "questions=" in each["body"]] == []
    assert len(bench.hub.requests("PATCH", edits)) == 1
    assert (await later.run()).report.final_reported_at is not None


def questions_url(bench: Bench) -> str:
    return f"/issues/comments/{bench.questions_of()['id']}"
