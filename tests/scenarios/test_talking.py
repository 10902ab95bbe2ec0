"""What people say besides the main job, and what they see: answers, refusals, and silence where it belongs."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from bot.commands.parser import mentions_command
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine


async def assert_nothing_happened(s: Scenario) -> None:
    await s.rest()
    assert await s.runs() == []
    assert s.replies() == []
    assert all(not comment.reactions for comment in s.issue.comments)


async def test_help_lists_the_verbs(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment("/speckit help")
    await s.rest()
    await s.comment("/speckit help", by="ada")
    await s.rest()
    writer, reader = (reply.body for reply in s.replies())
    for verb in ("specify", "status", "cancel", "help"):
        assert f"/speckit {verb}" in writer
    assert "`/speckit status`" in reader
    assert "`/speckit specify" not in reader
    assert await s.runs() == []


async def test_status_before_and_after_a_run(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment("/speckit status", by="ada")
    await s.rest()
    assert "no run" in s.reply().body.lower()

    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()
    await s.comment("/speckit status")
    await s.rest()
    answer = s.replies()[-1].body
    assert "Done" in answer
    assert f"/pull/{s.pull_request().number}" in answer
    assert str(run.run_id)[:8] in answer


async def test_a_reader_is_told_who_could(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify {INVOICE}", by="ada")
    await s.rest()
    assert await s.runs() == []
    refusal = s.reply().body
    assert "write" in refusal
    assert "ada" in refusal


async def test_an_outsider_starts_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify {INVOICE}", by="eve")
    await s.rest()
    assert await s.runs() == []


async def test_bots_are_not_heard(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    bot = s.hub.create_user("helpful[bot]", bot=True)
    s.hub.set_permission(s.repository, bot.login, "admin")
    await s.comment(f"/speckit specify {INVOICE}", by=bot.login)
    await assert_nothing_happened(s)


async def test_plain_talk_quotes_and_code_start_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    for text in (
        "We should use /speckit specify here",
        "> /speckit specify quoted",
        "```\n/speckit specify in a fence\n```",
        "    /speckit specify indented",
        "<!-- \n/speckit specify hidden\n-->",
        "/speckitty specify",
    ):
        await s.comment(text)
    await assert_nothing_happened(s)


async def test_an_edit_starts_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    comment = await s.comment("What about invoices?", by="ada")
    await s.hub.edit_comment(comment, f"/speckit specify {INVOICE}", author="grace")
    await assert_nothing_happened(s)


async def test_a_typo_gets_the_right_spelling(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specfy {INVOICE}")
    await s.rest()
    assert "specify" in s.reply().body
    assert await s.runs() == []


@pytest.mark.parametrize(
    "text", ["/speckit", "/speckit constitution", "/speckit specify --until lunch x", "/speckit specify --bse x y"]
)
async def test_an_incomplete_command_gets_the_next_correct_one(open_stage: OpenStage, text: str) -> None:
    s = await open_stage(worker=False)
    await s.comment(text)
    await s.rest()
    assert "Nothing was started" in s.reply().body
    assert "/speckit help" in s.reply().body
    assert await s.runs() == []


async def test_an_agent_that_is_not_allowed(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment(f"/speckit specify --agent codex_cli {INVOICE}")
    await s.rest()
    assert "template" in s.reply().body
    assert await s.runs() == []


async def test_cancel_before_a_worker_took_the_run(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    comment = await s.comment(f"/speckit specify {INVOICE}")
    await s.hub.settle()
    await s.until(lambda: _has_run(s))
    await s.comment("/speckit cancel")
    await s.hub.settle()
    await s.until(lambda: _is_over(s))
    await s.start_worker()
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "run.cancelled")
    assert run.result_summary == "Cancelled by grace before it began."
    assert not s.pull_requests()
    assert s.reactions(comment) == ["confused", "eyes"]


async def test_cancel_with_nothing_to_cancel(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment("/speckit cancel")
    await s.rest()
    assert "cancel" in s.reply().body.lower() or "nothing" in s.reply().body.lower()


async def test_the_agents_text_pings_nobody(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(
        "/speckit specify Tell @acme/everyone and @ada that this closes #1 ![x](http://tracker.invalid/x.png)"
    )
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    for said in (s.reply().body, s.pull_request().body):
        rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(said)
        outside_code = re.sub(r"<(code|pre)[^>]*>.*?</\1>", "", rendered, flags=re.DOTALL)
        assert "<img" not in outside_code
        assert "tracker.invalid" not in outside_code
        assert "@acme/everyone" not in outside_code
        assert "@ada" not in outside_code
        assert "closes #1" not in outside_code
    assert mentions_command(s.pull_request().body) is mentions_command(s.reply().body) is False


async def _is_over(s: Scenario) -> bool:
    return (await s.runs())[0].completed_at is not None


async def _has_run(s: Scenario) -> bool:
    return bool(await s.runs())
