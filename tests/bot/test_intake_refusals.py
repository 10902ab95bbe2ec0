"""Who gets a sentence that says why not, who gets silence, and that nothing is started."""

from __future__ import annotations

from typing import Any

import pytest

from db.vocabulary import DeliveryOutcome, Phase, RunStatus, Verb
from tests.bot.intake_door import Door

CHECKLIST = "commands: {checklist: {role: maintain}, specify: {people: [reader, Triager]}}"


@pytest.mark.parametrize("author", ["reader", "triager", "stranger"])
async def test_who_may_not_start_a_run_is_told_once(door: Door, author: str) -> None:
    body = "/speckit specify Invoices\n/speckit specify More"
    assert await door.say(body, author) is DeliveryOutcome.REFUSED
    assert await door.runs() == []
    assert await door.jobs() == []
    (reply,) = door.replies
    assert f"`{author}`" in reply
    assert "*write* role" in reply
    assert reply.count("`specify`") == 1
    assert door.github.reactions == []


@pytest.mark.parametrize(
    "body", ["/speckit help", "/speckit status", "/speckit config", "/speckit spezify x", "/speckit"]
)
async def test_a_stranger_who_only_looks_around_gets_silence(door: Door, body: str) -> None:
    assert await door.say(body, "stranger") is DeliveryOutcome.IGNORED
    assert door.github.comments == []
    assert door.github.reactions == []


async def test_a_flood_of_a_stranger_gets_silence_too(door: Door) -> None:
    assert await door.say("/speckit help\n" * 50, "stranger") is DeliveryOutcome.IGNORED
    assert door.github.comments == []


async def test_what_a_program_says_is_nothing(door: Door) -> None:
    by = {"login": "speckit-test[bot]", "id": 4242, "type": "Bot"}
    paths: dict[str, Any] = {"comment__user": by, "sender": by}
    delivery = await door.record("/speckit cancel", author="speckit-test[bot]", **paths)
    assert await door.intake.handle(delivery) is DeliveryOutcome.IGNORED
    assert door.github.asked == []


async def test_a_mistake_is_explained_to_whoever_may_give_the_command(door: Door) -> None:
    for body in ("/speckit spezify Invoices", "/speckit refine", "/speckit", "/speckit specify --bse dev x"):
        assert await door.say(body) is DeliveryOutcome.REFUSED
    verb, text, nothing, flag = door.replies
    assert "Did you mean `specify`" in verb
    assert "needs a text" in text
    assert "alone does nothing" in nothing
    assert "`--base`" in flag
    assert await door.runs() == []


async def test_a_mistake_of_somebody_who_may_not_is_no_lesson(door: Door) -> None:
    assert await door.say("/speckit specify --bse dev x", "reader") is DeliveryOutcome.REFUSED
    assert "--base" not in door.replies[0]
    assert "*write* role" in door.replies[0]


@pytest.mark.parametrize(
    ("body", "how", "words"),
    [
        ("/speckit plan", {}, "is for a pull request, and this is an issue"),
        ("/speckit constitution Be kind", {"on_pull": True}, "is for an issue, and this is a pull request"),
        ("/speckit plan", {"on_pull": True, "issue__number": 13}, "continues a pull request that I opened"),
        ("/speckit plan", {"on_pull": True, "issue__state": "closed"}, "This pull request is closed"),
        ("/speckit implement", {"on_pull": True}, "is off until `paths.implement`"),
        ("/speckit specify x", {"repository__archived": True}, "is archived"),
        ("/speckit specify --agent codex_cli x", {}, "The agent `codex_cli` is not allowed here"),
        ("/speckit specify --model vendor/x y", {}, "The model `vendor/x` is not allowed for the agent `template`"),
        ("/speckit clarify 1A", {"on_pull": True}, "No question is open"),
        ("/speckit retry", {}, "nothing to retry"),
        ("/speckit retry plan", {"on_pull": True, "issue__number": 13}, "nothing to retry"),
    ],
)
async def test_every_refusal_says_why(door: Door, body: str, how: dict[str, Any], words: str) -> None:
    await door.our_pull_request()
    assert await door.say(body, **how) is DeliveryOutcome.REFUSED
    assert len(await door.runs()) == 1
    assert await door.jobs() == []
    (reply,) = door.replies
    assert words in reply
    assert door.github.comments[0][0] == how.get("issue__number", 12 if how.get("on_pull") else 7)


@pytest.mark.parametrize("verb", ["status", "config", "cancel", "retry"])
async def test_in_a_thread_there_is_only_what_the_table_says(door: Door, verb: str) -> None:
    await door.our_pull_request()
    assert await door.say_on_a_line(f"/speckit {verb}") is DeliveryOutcome.REFUSED
    assert "this is a review comment on a line" in door.github.replies[0][2]


@pytest.mark.parametrize("verb", ["specify", "retry", "cancel", "status", "config", "help"])
async def test_what_the_repository_turned_off_is_off(door: Door, verb: str) -> None:
    door.github.configure(f"commands: {{{verb}: {{off: true}}}}")
    failed = await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE)
    alive = await door.run_of(RunStatus.QUEUED)
    assert await door.say(f"/speckit {verb}") is DeliveryOutcome.REFUSED
    assert "turned off by acme/shop" in door.replies[0]
    assert {run.run_id for run in await door.runs()} == {failed, alive}
    assert all(run.cancel_requested_at is None for run in await door.runs())


async def test_a_role_of_the_repositorys_own_counts(door: Door) -> None:
    await door.our_pull_request()
    door.github.configure(CHECKLIST)
    assert await door.say("/speckit checklist", on_pull=True) is DeliveryOutcome.REFUSED
    assert "*maintain* role" in door.replies[0]
    assert await door.say("/speckit checklist", "keeper", on_pull=True) is DeliveryOutcome.ACCEPTED


@pytest.mark.parametrize("who", ["reader", "triager"])
async def test_whoever_is_named_may_whatever_their_role(door: Door, who: str) -> None:
    door.github.configure(CHECKLIST)
    assert await door.say("/speckit specify x", who) is DeliveryOutcome.ACCEPTED
    assert await door.say("/speckit cancel", who) is DeliveryOutcome.REFUSED, "and nothing else"


async def test_a_closed_mouth_is_no_loop(door: Door) -> None:
    door.github.fail("comment", transient=False)
    assert await door.say("/speckit specify Invoices", repository__archived=True) is DeliveryOutcome.REFUSED
    assert await door.runs() == []


# A retry is not a way round


async def test_whoever_may_retry_may_not_for_that_begin_what_is_kept_from_them(door: Door) -> None:
    door.github.configure("commands: {checklist: {role: maintain}, specify: {role: maintain}}")
    await door.our_pull_request()
    failed = await door.run_of(
        RunStatus.FAILED,
        failed=Phase.GIT_CLONE,
        verb=Verb.CHECKLIST,
        issue_number=12,
        on_pull_request=True,
        pull_request_number=12,
    )
    for outcome in (
        await door.say("/speckit retry", on_pull=True),
        await door.press(failed),
        await door.say("/speckit retry specify", on_pull=True),
    ):
        assert outcome is DeliveryOutcome.REFUSED
    assert len(await door.runs()) == 2
    assert ["`checklist`" in door.replies[0], "`checklist`" in door.replies[1]] == [True, True]
    assert "`specify`" in door.replies[2]
    assert await door.say("/speckit retry", "keeper", on_pull=True) is DeliveryOutcome.ACCEPTED


async def test_what_was_turned_off_meanwhile_is_not_retried(door: Door) -> None:
    door.github.configure("commands: {specify: {off: true}}")
    await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE)
    assert await door.say("/speckit retry") is DeliveryOutcome.REFUSED
    assert "turned off" in door.replies[0]
    assert len(await door.runs()) == 1
