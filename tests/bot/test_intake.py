"""From a recorded delivery to a run, a reply, or silence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis import asyncio as redis_asyncio

from bot.commands.parser import parse
from bot.queue import QueueUnavailable, RunQueue
from db.vocabulary import DeliveryOutcome, Phase, RunStatus, Trigger, Verb
from tests.bot.intake_door import Door


async def test_specify_opens_a_run_wakes_a_worker_and_looks(door: Door) -> None:
    body = "/speckit specify --base dev --until plan --dry-run Pay by invoice.\n\nNet 30."
    assert await door.say(body, comment__id=77) is DeliveryOutcome.ACCEPTED
    run = await door.only_run()
    assert run.status is RunStatus.QUEUED
    assert run.requested_spec_input == "Pay by invoice.\n\nNet 30."
    assert (run.base_branch, run.until_phase, run.dry_run) == ("dev", Phase.SPECKIT_PLAN, True)
    assert (run.repository, run.issue_number, run.requested_by, run.comment_id) == ("acme/shop", 7, "mona", 77)
    assert (run.verb, run.trigger, run.writer_key) == (Verb.SPECIFY, Trigger.COMMENT, "issue:7")
    assert run.command_key == "4711:77:0"
    assert await door.jobs() == [f"run:{run.run_id}:1"]
    assert door.github.reactions == [(77, "eyes")]
    assert door.replies == []
    assert door.teller.told == [], "it begins at once: its own comment follows"


async def test_specify_alone_takes_the_issue_as_it_was(door: Door) -> None:
    assert await door.say("/speckit specify") is DeliveryOutcome.ACCEPTED
    assert (await door.only_run()).requested_spec_input == "Invoices\n\nWe want invoices."


async def test_the_job_is_json_and_holds_nothing_but_the_id(door: Door) -> None:
    await door.say("/speckit specify secret words")
    run = await door.only_run()
    async with redis_asyncio.Redis(unix_socket_path=door.redis_url.removeprefix("unix://")) as redis:
        raw = await redis.get(f"arq:job:run:{run.run_id}:1")
        lives = await redis.pttl(f"arq:job:run:{run.run_id}:1")
    job = json.loads(raw)
    assert (job["f"], job["a"], job["k"]) == ("run_pipeline", [str(run.run_id)], {})
    assert lives > timedelta(days=6).total_seconds() * 1000


async def test_several_commands_run_in_order_and_get_one_reply(door: Door) -> None:
    body = "/speckit specify One\n/speckit help\n/speckit specify Two\n/speckit status\n/speckit help"
    assert await door.say(body, comment__id=5) is DeliveryOutcome.ACCEPTED
    assert [(run.command_key, run.requested_spec_input) for run in await door.runs()] == [
        ("4711:5:0", "One"),
        ("4711:5:2", "Two"),
    ]
    (reply,) = door.replies
    assert reply.count("<!-- speckit-bot:reply=") == 1
    assert reply.count("Write a specification") == 1
    assert len(door.github.reactions) == 1


async def test_a_flood_in_one_comment_is_bounded_and_said(door: Door) -> None:
    assert await door.say("".join(f"/speckit specify Wish {n}\n" for n in range(500))) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 10
    (reply,) = door.replies
    assert "500" in reply


async def test_no_reply_of_ours_is_a_command(door: Door) -> None:
    body = "/speckit help\n/speckit status\n/speckit config\n/speckit cancel\n/speckit specify --foo x\n/speckit nope"
    await door.say(body)
    await door.say("/speckit specify x", "reader")
    await door.say("/speckit plan")
    assert len(door.replies) == 3
    for reply in door.replies:
        assert parse(reply, "/speckit", "speckit-test") == []


async def test_a_reader_may_ask(door: Door) -> None:
    assert await door.say("/speckit help", "reader") is DeliveryOutcome.ANSWERED
    assert await door.say("/speckit status", "triager") is DeliveryOutcome.ANSWERED
    assert await door.say("/speckit config", "reader") is DeliveryOutcome.ANSWERED
    assert len(door.replies) == 3
    assert await door.runs() == []


async def test_status_tells_of_the_issue_and_of_our_pull_request(door: Door) -> None:
    first = await door.our_pull_request()
    await door.say("/speckit status")
    await door.say("/speckit status", on_pull=True)
    assert all(str(first)[:8] in reply for reply in door.replies)
    await door.say("/speckit plan", on_pull=True)
    plan = await door.newest()
    await door.say("/speckit status", on_pull=True)
    await door.say("/speckit status")
    on_pull, on_issue = door.replies[2:]
    assert str(plan.run_id)[:8] in on_pull
    assert str(plan.run_id)[:8] not in on_issue
    assert "next in the queue" in on_pull


async def test_status_of_a_private_repository_leads_to_no_page(door: Door) -> None:
    await door.our_pull_request(private=True)
    await door.say("/speckit status", repository__private=True)
    await door.say("/speckit status", repository__private=False)
    private, public = door.replies
    assert "speckit.example" not in private
    assert "speckit.example" in public


async def test_help_lists_what_this_person_may_do_here_now(door: Door) -> None:
    door.github.configure("commands: {plan: {role: maintain, people: [reader]}, tasks: {off: true}}")
    for who, on_pull in (("mona", False), ("mona", True), ("reader", True)):
        await door.say("/speckit help", who, on_pull=on_pull)
    issue, pull, named = (reply.partition("There is more")[0] for reply in door.replies)
    assert "specify" in issue
    assert "checklist" not in issue
    assert "checklist" in pull
    assert "/speckit plan" not in pull
    assert "/speckit tasks" not in pull
    assert "/speckit plan" in named, "whoever is named may, whatever their role"
    assert "/speckit checklist" not in named


# Who may see


async def test_what_a_delivery_says_of_the_repository_goes_for_all_its_runs(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit status", "stranger", repository__private=True)
    assert (await door.only_run()).private
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await door.say("/speckit status", comment__created_at=old)
    assert (await door.only_run()).private, "what was said an hour ago opens nothing"
    await door.say("/speckit status")
    assert not (await door.only_run()).private


async def test_the_queue_tells_when_it_is_away(tmp_path: object) -> None:
    queue = RunQueue(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(QueueUnavailable):
        await queue.enqueue_run(UUID(int=1), 1)
    await queue.close()


async def test_without_a_queue_the_run_is_there_all_the_same(door: Door, tmp_path: object) -> None:
    cut_off = Door(door.settings, door.database, f"unix://{tmp_path}/nobody.sock")
    assert await cut_off.say("/speckit specify One") is DeliveryOutcome.ACCEPTED
    assert (await door.only_run()).status is RunStatus.QUEUED
    assert len(cut_off.github.reactions) == 1
    await cut_off.queue.close()
