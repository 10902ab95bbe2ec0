"""Questions and answers: while people think nothing runs, nothing waits in a container, and nothing is paid."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot
from redis.asyncio import Redis

from localhub.model import Comment, Issue
from tests.scenario import Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import say
from tests.seen import seen

pytestmark = pytest.mark.engine

UNCLEAR = (
    "/speckit specify --until specify Let customers pay by invoice. "
    "Sign in with [NEEDS CLARIFICATION: which sign-in - password, SSO or a link by mail?]. "
    "Keep invoices for [NEEDS CLARIFICATION: how many years are invoices kept?]."
)


async def asked(s: Scenario) -> tuple[Issue, Comment]:
    """A specification with open questions: its pull request's conversation and the comment that asks."""
    await s.comment(UNCLEAR)
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    issue = s.pull_request().issue
    (questions,) = s.replies(issue)
    return issue, questions


async def test_open_questions_become_one_comment_and_cost_nothing(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    assert seen(questions.body) == snapshot("""\
❓ **4 questions need an answer.** Nothing runs until somebody answers.

| # | question | choices |
|---|---|---|
| **1** | the request names no boundary conditions or error cases; which matter?<br>[`specs/001-customers-pay-invoice/spec.md:59`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L59) | *answer in your own words* |
| **2** | which sign-in - password, SSO or a link by mail?<br>[`specs/001-customers-pay-invoice/spec.md:66`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L66) | A: password<br>B: SSO<br>C: a link by mail |
| **3** | how many years are invoices kept?<br>[`specs/001-customers-pay-invoice/spec.md:67`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L67) | *answer in your own words* |
| **4** | the request gives no number to measure success by; which?<br>[`specs/001-customers-pay-invoice/spec.md:77`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L77) | *answer in your own words* |

**To answer:**

- `/speckit clarify 2A 1: YOUR ANSWER` at the start of a line: the number of a question and the letter of a choice, or the number, a colon and your own words
- or quote this comment and reply `2A 1: YOUR ANSWER`

<!-- speckit-bot:questions=RUN-ID -->\
""")
    check = s.check_run_at(s.pull_request().head_sha)
    assert check.conclusion == "action_required"
    assert {note["title"] for note in check.annotations} == {"Needs clarification"}
    assert await s.containers() == []
    async with Redis.from_url(s.redis_url) as redis:
        assert await redis.zcard("arq:queue") == 0
    (run,) = await s.runs()
    assert run.lease_owner is None
    assert s.replies(issue) == [questions], "one comment asks, and nothing else is said there"


async def test_answers_are_worked_in_and_the_comment_shows_them(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    numbers = {"sign-in": 0, "years": 0}
    for line in questions.body.splitlines():
        for word in numbers:
            if word in line and line.startswith("| **"):
                numbers[word] = int(line.split("**")[1])
    said = await say(s, f"/speckit clarify {numbers['sign-in']}B {numbers['years']}: ten years", issue)
    (run, *_) = await s.runs(issue)
    assert run.status == "succeeded", (run.result_summary, said)
    spec = s.pull_request().text_of(f"{run.feature_directory}/spec.md")
    assert "NEEDS CLARIFICATION: which sign-in" not in spec
    assert "NEEDS CLARIFICATION: how many years" not in spec
    assert "## Clarifications" in spec
    assert "→ A: SSO" in spec
    assert "→ A: ten years" in spec
    assert "SSO" in questions.body
    assert "ten years" in questions.body
    assert "`grace`" in questions.body
    left = s.pull_request().body.split("section=open-questions -->")[1].split("<!--")[0]
    assert "sign-in" not in left
    assert "boundary conditions" in left, "what nobody answered stays open"


async def test_a_plain_reply_that_quotes_the_questions_answers_them(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    quote = "\n".join(f"> {line}" for line in questions.body.splitlines()[:3])
    await say(s, f"{quote}\n\n1: whatever is usual", issue)
    (run, *_) = await s.runs(issue)
    assert run.verb == "clarify"
    assert run.status == "succeeded", run.result_summary
    assert "whatever is usual" in questions.body


async def test_a_reply_that_only_talks_answers_nothing(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    before = questions.body
    await s.comment("> which sign-in?\n\nI think 1A could be nice, let us ask the team.", issue=issue)
    await s.rest()
    assert await s.runs(issue) == []
    assert questions.body == before
    assert s.replies(issue) == [questions]


async def test_spec_kits_own_questions_come_with_a_recommendation(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, first = await asked(s)
    await say(s, "/speckit clarify", issue)
    (run, *_) = await s.runs(issue)
    assert run.status == "succeeded", run.result_summary
    newest = s.replies(issue)[-1]
    assert "recommended" in newest.body
    assert "newer ones took their place" in first.body
    check = s.check_run_at(s.pull_request().head_sha)
    assert check.conclusion == "action_required"

    await say(s, "/speckit clarify --accept-recommended", issue)
    (run, *_) = await s.runs(issue)
    assert run.status == "succeeded", run.result_summary
    assert "## Clarifications" in s.pull_request().text_of(f"{run.feature_directory}/spec.md")


@pytest.mark.parametrize(
    ("answer", "words"),
    [("7A", "no question 7"), ("1F", "no choice"), ("1A 1B", "cannot take `1A 1B`"), ("perhaps", "1A")],
)
async def test_an_answer_that_fits_no_question_takes_nothing(open_stage: OpenStage, answer: str, words: str) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    before = questions.body
    said = await say(s, f"/speckit clarify {answer}", issue)
    assert words.lower() in said.lower()
    assert await s.runs(issue) == []
    assert questions.body == before


async def test_somebody_who_may_only_read_answers_nothing(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue, questions = await asked(s)
    said = await say(s, "/speckit clarify 1A", issue, by="ada")
    assert "write" in said
    assert await s.runs(issue) == []
    assert "✅" not in questions.body
