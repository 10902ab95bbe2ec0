"""Every way to ask: each meets the same authorization and becomes the same runs."""

from __future__ import annotations

from typing import Any

import pytest

from bot.configuration.model import CONFIG_PATH
from db.vocabulary import DeliveryOutcome, Phase, RunStatus, Trigger, Verb
from tests.bot.deliveries import APP, HEAD
from tests.bot.intake_door import BRANCH, PULL, Door

ACCEPTED, REFUSED = DeliveryOutcome.ACCEPTED, DeliveryOutcome.REFUSED
ANSWERED, IGNORED = DeliveryOutcome.ANSWERED, DeliveryOutcome.IGNORED


# Mentions


async def test_the_app_is_called_by_its_name(door: Door) -> None:
    assert await door.say(f"@{APP['slug']} specify Invoices") is ACCEPTED
    run = await door.only_run()
    assert (run.verb, run.trigger, run.requested_spec_input) == (Verb.SPECIFY, Trigger.MENTION, "Invoices")


async def test_a_repository_may_turn_mentions_off(door: Door) -> None:
    door.github.configure("triggers: {mentions: false}")
    assert await door.say(f"@{APP['slug']} specify Invoices") is IGNORED
    assert await door.runs() == []
    assert door.replies == []


# Labels


async def test_a_label_starts_a_run_and_is_taken_off(door: Door) -> None:
    assert await door.label() is ACCEPTED
    run = await door.only_run()
    assert (run.verb, run.trigger, run.comment_id) == (Verb.SPECIFY, Trigger.LABEL, None)
    assert run.requested_spec_input == "Invoices\n\nWe want invoices."
    assert await door.jobs() == [f"run:{run.run_id}:1"]
    assert door.github.labels_removed == [(7, "speckit:specify")]
    assert door.github.reactions == [], "there is no comment to react to"


async def test_a_label_of_somebody_who_may_not_is_taken_off_too(door: Door) -> None:
    assert await door.label(author="triager") is REFUSED
    assert "*write* role" in door.replies[0]
    assert door.github.labels_removed == [(7, "speckit:specify")]
    assert await door.runs() == []


async def test_other_labels_stay_and_cost_no_question_about_anybody(door: Door) -> None:
    assert await door.label("bug") is IGNORED
    assert door.github.labels_removed == []
    assert door.github.calls("permission_of") == 0
    assert door.replies == []


async def test_a_label_of_the_repositorys_own_on_our_pull_request(door: Door) -> None:
    await door.our_pull_request()
    door.github.configure("labels: {plan it: plan}")
    assert await door.label("Plan it", pull=True) is ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.pull_request_number, run.branch_name) == (
        Verb.PLAN,
        Trigger.LABEL,
        PULL,
        BRANCH,
    )
    assert door.github.labels_removed == [(PULL, "Plan it")]


async def test_a_label_on_an_issue_that_says_nothing_is_refused(door: Door) -> None:
    assert await door.label(issue__title=" ", issue__body=None) is REFUSED
    assert "The label asks for `specify`" in door.replies[0]
    assert door.github.labels_removed == [(7, "speckit:specify")]


async def test_a_label_put_on_again_asks_again(door: Door) -> None:
    await door.label(issue__updated_at="2026-11-22T12:00:00Z")
    first = await door.only_run()
    await door.end(first.run_id)
    assert await door.label(issue__updated_at="2026-11-22T12:10:00Z") is ACCEPTED
    assert len(await door.runs()) == 2


async def test_a_label_that_cannot_be_taken_off_keeps_nobody_waiting(door: Door) -> None:
    door.github.fail("remove_label", transient=False)
    assert await door.label(author="triager") is REFUSED
    assert len(door.replies) == 1
    assert await door.label() is ACCEPTED
    assert len(await door.jobs()) == 1


# Assignments


async def test_assigning_the_app_is_asking_it(door: Door) -> None:
    assert await door.assign() is ACCEPTED
    run = await door.only_run()
    assert (run.verb, run.trigger) == (Verb.SPECIFY, Trigger.ASSIGNMENT)
    assert run.requested_spec_input == "Invoices\n\nWe want invoices."


async def test_assigning_the_app_without_the_role_is_refused(door: Door) -> None:
    assert await door.assign("reader") is REFUSED
    assert "*write* role" in door.replies[0]


@pytest.mark.parametrize(
    ("pull", "paths"), [(True, {}), (False, {"assignee__login": "another[bot]"})], ids=["pull request", "another"]
)
async def test_other_assignments_mean_nothing(door: Door, pull: bool, paths: dict[str, Any]) -> None:
    assert await door.assign(pull=pull, **paths) is IGNORED
    assert await door.runs() == []


# Review comments


async def test_refine_on_a_line_answers_in_the_thread(door: Door) -> None:
    await door.our_pull_request()
    assert await door.say_on_a_line("/speckit refine Say which", comment__id=77) is ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.pull_request_number, run.comment_id) == (
        Verb.REFINE,
        Trigger.REVIEW_COMMENT,
        PULL,
        77,
    )
    assert run.arguments["section"] == {"path": "specs/001-invoices/spec.md", "line": 12}
    assert run.arguments["review_comment_id"] == 77
    assert (door.github.review_reactions, door.github.reactions) == ([(77, "eyes")], [])
    assert door.replies == []


async def test_a_reply_goes_to_the_beginning_of_the_thread(door: Door) -> None:
    await door.our_pull_request()
    assert await door.say_on_a_line("/speckit help", comment__id=78, comment__in_reply_to_id=77) is ANSWERED
    ((number, thread, body),) = door.github.replies
    assert (number, thread) == (PULL, 77)
    assert "/speckit refine" in body
    assert door.replies == []


async def test_a_line_of_other_files_is_refused_in_the_thread(door: Door) -> None:
    await door.our_pull_request()
    assert await door.say_on_a_line("/speckit refine x", comment__path="src/shop.py") is REFUSED
    assert "`src/shop.py`" in door.github.replies[0][2]
    assert len(await door.runs()) == 1


async def test_a_review_comment_and_a_comment_with_the_same_id_are_two(door: Door) -> None:
    await door.our_pull_request()
    await door.say("/speckit plan", on_pull=True, comment__id=77)
    await door.say_on_a_line("/speckit refine x", comment__id=77)
    assert [run.verb for run in (await door.runs())[1:]] == [Verb.PLAN, Verb.REFINE]


# Buttons


async def failed_plan(door: Door) -> Any:
    await door.our_pull_request()
    return await door.run_of(
        RunStatus.FAILED,
        failed=Phase.SPECKIT_PLAN,
        verb=Verb.PLAN,
        issue_number=PULL,
        on_pull_request=True,
        pull_request_number=PULL,
        branch_name=BRANCH,
    )


async def test_the_retry_button_is_the_same_as_the_command(door: Door) -> None:
    failed = await failed_plan(door)
    assert await door.press(failed) is ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.retry_of, run.comment_id) == (Verb.PLAN, Trigger.CHECK_RUN, failed, None)
    assert (run.pull_request_number, run.branch_name) == (PULL, BRANCH)
    assert await door.jobs() == [f"run:{run.run_id}:1"]


async def test_the_next_button_goes_on_with_the_pull_request(door: Door) -> None:
    first = await door.our_pull_request()
    assert await door.press(first, "next:plan") is ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.retry_of, run.issue_number) == (Verb.PLAN, Trigger.CHECK_RUN, None, PULL)


async def test_a_button_asks_for_a_role_as_the_command_does(door: Door) -> None:
    failed = await failed_plan(door)
    assert await door.press(failed, author="reader") is REFUSED
    assert await door.press(failed, "next:tasks", author="reader") is REFUSED
    assert [number for number, _ in door.github.comments] == [PULL, PULL]
    assert len(await door.runs()) == 2


async def test_pressed_twice_it_is_one_run_and_said(door: Door) -> None:
    failed = await failed_plan(door)
    await door.press(failed)
    run = await door.newest()
    assert await door.press(failed, check_run__status="other") is ACCEPTED
    assert (await door.newest()).run_id == run.run_id
    assert f"That is run `{str(run.run_id)[:8]}` already" in door.replies[0]


async def test_pressed_again_after_it_ended_it_goes_on_from_there(door: Door) -> None:
    failed = await failed_plan(door)
    await door.press(failed)
    second = await door.newest()
    await door.end(second.run_id, RunStatus.FAILED)
    assert await door.press(failed, check_run__status="other") is ACCEPTED
    third = await door.newest()
    assert third.retry_of == second.run_id, "not from where the first ended: nothing is paid twice"
    await door.end(third.run_id)
    assert await door.press(failed, check_run__status="third") is REFUSED
    assert "nothing to retry" in door.replies[-1]


async def test_rerun_of_a_failed_check_goes_on_and_of_a_good_one_does_it_anew(door: Door) -> None:
    failed = await failed_plan(door)
    assert await door.rerun(failed) is ACCEPTED
    run = await door.newest()
    assert (run.retry_of, run.trigger) == (failed, Trigger.CHECK_RUN)
    await door.end(run.run_id)
    assert await door.rerun(run.run_id) is ACCEPTED
    anew = await door.newest()
    assert (anew.retry_of, anew.verb, anew.run_id == run.run_id) == (None, Verb.PLAN, False)


async def test_rerun_of_all_checks_of_a_commit_is_for_its_newest_run(door: Door) -> None:
    first = await door.our_pull_request()
    assert await door.rerun_all() is ACCEPTED
    run = await door.newest()
    assert (run.verb, run.issue_number, run.run_id == first) == (Verb.SPECIFY, PULL, False)


async def test_a_commit_somebody_pushed_later_is_known_by_its_pull_request(door: Door) -> None:
    await door.our_pull_request()
    assert await door.rerun_all(check_suite__head_sha="c" * 40, check_suite__pull_requests=[]) is IGNORED
    assert await door.rerun_all(check_suite__head_sha="c" * 40) is ACCEPTED
    assert (await door.newest()).issue_number == PULL


@pytest.mark.parametrize("identifier", ["next:deploy", "next:", "deploy", "RETRY"])
async def test_buttons_that_are_not_ours_mean_nothing(door: Door, identifier: str) -> None:
    first = await door.our_pull_request()
    assert await door.press(first, identifier) is IGNORED
    assert len(await door.runs()) == 1
    assert door.replies == []


@pytest.mark.parametrize("external_id", ["", "nothing", "7f3a9c00-0000-4000-8000-000000000000"])
async def test_a_check_of_no_run_means_nothing(door: Door, external_id: str) -> None:
    assert await door.press(external_id) is IGNORED
    assert await door.rerun(external_id) is IGNORED


async def test_a_run_of_another_repository_cannot_be_pressed(door: Door) -> None:
    other = await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE, repository_id=99, repository="acme/other")
    assert await door.press(other) is IGNORED
    assert len(await door.runs()) == 1


async def test_a_repository_may_turn_buttons_off(door: Door) -> None:
    door.github.configure("triggers: {buttons: false}")
    failed = await failed_plan(door)
    assert await door.press(failed) is IGNORED
    assert await door.rerun(failed) is IGNORED
    assert await door.rerun_all() is IGNORED


# Pull requests that touch the configuration


async def test_a_pull_request_that_touches_the_configuration_gets_a_check(door: Door) -> None:
    door.github.pull_files[PULL] = ["README.md", CONFIG_PATH]
    door.github.files[CONFIG_PATH, HEAD] = b"retention_days: 3\n"
    assert await door.pull_request() is ANSWERED
    (check,) = door.github.checks
    assert (check["conclusion"], check["head_sha"]) == ("failure", HEAD)
    assert await door.pull_request("reopened") is ANSWERED
    assert len(door.github.checks) == 1, "of one commit there is one"
    assert door.replies == []
    assert await door.runs() == []


async def test_its_check_can_be_asked_for_again(door: Door) -> None:
    door.github.pull_files[PULL] = [CONFIG_PATH]
    door.github.files[CONFIG_PATH, HEAD] = b"retention_days: 30\n"
    await door.pull_request()
    assert await door.rerun("configuration") is ANSWERED
    assert await door.rerun_all() is ANSWERED
    assert [check["conclusion"] for check in door.github.checks] == ["success"] * 3


async def test_what_a_pull_request_merged_holds_from_then_on(door: Door) -> None:
    await door.say("/speckit config")
    door.github.configure("retention_days: 14")
    assert await door.pull_request("closed") is IGNORED
    await door.say("/speckit config")
    assert "14" in door.replies[-1]


# Commits of others on our branch


async def test_whoever_pushes_to_our_pull_request_finds_a_check_there(door: Door) -> None:
    first = await door.our_pull_request()
    assert await door.pull_request(pull_request__head__sha="c" * 40) is ANSWERED
    assert door.teller.later == [(first, "c" * 40)]


@pytest.mark.parametrize(
    ("status", "action", "paths"),
    [
        (RunStatus.SUCCEEDED, "synchronize", {}),
        (RunStatus.SUCCEEDED, "opened", {"pull_request__head__sha": "c" * 40}),
        (RunStatus.IN_PROGRESS, "synchronize", {"pull_request__head__sha": "c" * 40}),
        (RunStatus.SUCCEEDED, "synchronize", {"pull_request__head__sha": "c" * 40, "pull_request__number": 13}),
    ],
    ids=["what we pushed", "no commit", "a run will come to it", "not ours"],
)
async def test_other_heads_need_none(door: Door, status: RunStatus, action: str, paths: dict[str, Any]) -> None:
    await door.run_of(status, pull=PULL)
    assert await door.pull_request(action, **paths) is IGNORED
    assert door.teller.later == []
