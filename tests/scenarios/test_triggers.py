"""Other ways to ask than a command: each meets the same authorization and becomes the same run."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from db.models import SpecAutomationRun
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import DIRECTORY, specified
from tests.seen import seen

pytestmark = pytest.mark.engine

UNTIL_SPECIFY = {"README.md": "# Shop\n"}


async def test_a_label_starts_a_run_and_is_taken_off(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.hub.label(s.issue, "speckit:specify", author="grace")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert (run.trigger, run.requested_by) == ("label", "grace")
    assert run.requested_spec_input.startswith("Pay by invoice")
    assert [label.name for label in s.issue.labels] == []
    assert "label" in s.reply().body


async def test_a_label_by_somebody_who_may_not_starts_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    s.hub.set_permission(s.repository, "ada", "triage")
    await s.hub.label(s.issue, "speckit:specify", author="ada")
    await s.rest()
    assert await s.runs() == []
    assert "write" in s.reply().body


async def test_other_labels_mean_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.hub.label(s.issue, "bug", author="grace")
    await s.rest()
    assert await s.runs() == []
    assert s.replies() == []
    assert [label.name for label in s.issue.labels] == ["bug"]


async def test_a_label_taken_off_and_put_on_again_is_asked_again(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.hub.label(s.issue, "speckit:specify", author="grace")
    await s.finish()
    await s.hub.edit_issue(s.issue, body="Net 30 now.", author="ada")
    await s.hub.label(s.issue, "speckit:specify", author="grace")
    await s.finish()
    assert [run.status for run in await s.runs()] == ["succeeded", "succeeded"]
    assert len(s.pull_requests()) == 1


async def test_the_app_is_called_by_its_name(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.until_name_is_known()
    await s.comment(f"@{s.app.slug} specify --until specify {INVOICE}")
    run = await s.finish()
    assert (run.status, run.trigger) == ("succeeded", "mention")
    await s.comment(f"@{s.app.slug} thank you!")
    await s.rest()
    assert len(await s.runs()) == 1
    assert len(s.replies()) == 1


async def test_assigning_the_app_is_asking_it(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.until_name_is_known()
    await s.hub.assign(s.issue, s.app, author="grace")
    run = await s.finish()
    assert (run.status, run.trigger) == ("succeeded", "assignment")
    await s.hub.assign(s.issue, "ada", author="grace")
    await s.rest()
    assert len(await s.runs()) == 1


async def test_a_review_comment_refines_the_line_it_stands_on(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    pull = s.pull_request()
    spec = pull.text_of(f"{DIRECTORY}/spec.md").splitlines()
    line = next(number for number, text in enumerate(spec, start=1) if "**FR-001**" in text)
    asking = await s.hub.review_comment(
        pull, f"{DIRECTORY}/spec.md", line, "/speckit refine within one minute", author="grace"
    )
    await s.rest()
    (run,) = await s.runs(pull.issue)
    assert (run.status, run.trigger) == ("succeeded", "review_comment"), run.result_summary
    now = s.pull_request().text_of(f"{DIRECTORY}/spec.md").splitlines()
    assert "within one minute" in now[line - 1]
    assert [text for number, text in enumerate(now) if number != line - 1] == [
        text for number, text in enumerate(spec) if number != line - 1
    ], "nothing else changed"
    thread = [comment for comment in s.hub.review_comments(s.pull_request()) if comment is not asking]
    (answer,) = thread
    assert seen(answer.body) == snapshot("""\
✅ Section “FR-001: System MUST meet this part of the request: Let customers pay by invoice.” of `spec.md` is changed. It is at [`specs/001-customers-pay-invoice/spec.md:38`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L38), changed by commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA).

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert sorted(reaction.content for reaction in s.hub.reactions(asking)) == ["eyes", "rocket"]


async def test_a_review_comment_on_code_is_told_where_it_belongs(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    path = ".specify/templates/spec-template.md"
    await s.hub.review_comment(s.pull_request(), path, 3, "/speckit refine better", author="grace")
    await s.rest()
    runs = await s.runs(s.pull_request().issue)
    assert all(run.status == "failed" for run in runs)
    said = [comment.body for comment in s.hub.review_comments(s.pull_request())][-1]
    assert "spec.md" in said


async def test_the_next_button_goes_on(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    # Its marks would be asked about first; the buttons are there all the same.
    check = s.check_run_at(s.pull_request().head_sha)
    assert "next:plan" in check.buttons
    await s.hub.press_button(check, "next:plan", author="grace")
    await s.rest()
    (run,) = await s.runs(s.pull_request().issue)
    assert (run.status, run.verb, run.trigger) == ("succeeded", "plan", "check_run"), run.result_summary
    assert f"{DIRECTORY}/plan.md" in s.pull_request().files
    newest = s.check_run_at(s.pull_request().head_sha)
    assert newest.id != check.id, "a new head gets its own"


async def test_a_button_pressed_by_somebody_who_may_not(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    s.hub.set_permission(s.repository, "ada", "triage")
    check = s.check_run_at(s.pull_request().head_sha)
    await s.hub.press_button(check, "next:plan", author="ada")
    await s.rest()
    assert await s.runs(s.pull_request().issue) == []
    assert "write" in s.replies(s.pull_request().issue)[-1].body


async def test_a_check_that_is_run_again_is_done_again(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    check = s.check_run_at(s.pull_request().head_sha)
    await s.hub.rerequest(check, author="grace")
    await s.rest()
    (again, first) = await _all_runs(s)
    assert again.trigger == "check_run"
    assert again.verb == first.verb
    assert again.status in {"succeeded", "no_changes"}
    await s.hub.rerequest_suite(s.repository, s.pull_request().head_sha, author="grace", app=s.app)
    await s.rest()
    assert len(await _all_runs(s)) == 3
    assert len(s.pull_requests()) == 1


async def test_a_head_that_somebody_else_pushed_gets_a_check_run_too(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    ours = s.pull_request().head_sha
    s.hub.commit_files(s.repository, s.pull_request().head_branch, {"notes.md": "Mine.\n"}, author="grace")
    await s.hub.settle()
    await s.rest()
    theirs = s.pull_request().head_sha
    assert theirs != ours
    check = s.check_run_at(theirs)
    assert check.status == "completed"
    assert check.conclusion == s.check_run_at(ours).conclusion == "action_required", "what is asked stays asked"
    assert ours[:7] in str(check.output["title"])
    assert check.annotations == []
    assert len(s.replies(s.pull_request().issue)) == 1, "a push is no reason to say anything"


async def _all_runs(s: Scenario) -> list[SpecAutomationRun]:
    runs = [*await s.runs(), *await s.runs(s.pull_request().issue)]
    return sorted(runs, key=lambda run: run.created_at, reverse=True)
