"""Every refusal, as people read it."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.commands.model import Place
from bot.reporting import refusals
from db.vocabulary import ErrorCode, Phase, Trigger, Verb
from tests.bot.example_runs import continuing_run, example_run, failed_run

PREFIX = "/speckit"


def test_a_role_is_missing() -> None:
    assert refusals.not_allowed("bob", "specify", "write", "read", "acme/shop") == snapshot(
        "`bob`: `specify` needs the *write* role on `acme/shop`, and you have the *read* role. An admin of `acme/shop` can grant it under Settings → Collaborators; or somebody who has it gives the command for you."
    )
    assert refusals.not_allowed("bob", "cancel", "write", "none", "acme/shop") == snapshot(
        "`bob`: `cancel` needs the *write* role on `acme/shop`, and you have no role there. An admin of `acme/shop` can grant it under Settings → Collaborators; or somebody who has it gives the command for you."
    )
    because = "a mistake in line 3 of `.github/speckit.yml` in acme/shop"
    assert refusals.not_allowed("bob", "plan", "admin", "write", "acme/shop", because=because) == snapshot(
        "`bob`: `plan` needs the *admin* role on `acme/shop` (because of a mistake in line 3 of `.github/speckit.yml` in acme/shop), and you have the *write* role. An admin of `acme/shop` can grant it under Settings → Collaborators; or somebody who has it gives the command for you."
    )


def test_a_command_is_switched_off() -> None:
    assert refusals.command_off("clarify", "turned off by acme/.github") == snapshot(
        "`clarify` is turned off by acme/.github. Nothing was started."
    )
    off = "off until `paths.implement` in `.github/speckit.yml` says what it may write"
    assert refusals.command_off("implement", off) == snapshot(
        "`implement` is off until `paths.implement` in `.github/speckit.yml` says what it may write. Nothing was started."
    )


def test_the_wrong_place() -> None:
    assert refusals.wrong_place("constitution", PREFIX, here=Place.PULL_REQUEST) == snapshot(
        "`/speckit constitution` is for an issue, and this is a pull request. Nothing was started."
    )
    assert refusals.wrong_place("plan", PREFIX, here=Place.ISSUE) == snapshot(
        "`/speckit plan` is for a pull request, and this is an issue. Nothing was started."
    )
    url = "https://github.example/acme/shop/pull/12"
    assert refusals.wrong_place("refine", PREFIX, here=Place.ISSUE, pull_request_url=url) == snapshot(
        "`/speckit refine` is for a pull request or a review comment on a line, and this is an issue. Nothing was started. Give it on [the pull request of this issue](https://github.example/acme/shop/pull/12)."
    )
    assert refusals.wrong_place("status", PREFIX, here=Place.REVIEW_COMMENT) == snapshot(
        "`/speckit status` is for an issue or a pull request, and this is a review comment on a line. Nothing was started."
    )


def test_a_pull_request_that_is_not_continued() -> None:
    assert refusals.not_our_pull_request("plan", PREFIX) == snapshot(
        "`/speckit plan` continues a pull request that I opened, and this is not one of them. `/speckit specify TEXT` here opens one."
    )
    assert refusals.pull_request_closed("tasks", PREFIX) == snapshot(
        "This pull request is closed. Reopen it and give `/speckit tasks` again, or begin anew on an issue."
    )
    assert refusals.repository_archived("acme/shop") == snapshot(
        "`acme/shop` is archived, so nothing can be pushed to it. Unarchive it and give the command again."
    )


def test_an_agent_or_a_model_that_is_none() -> None:
    assert refusals.agent_not_allowed("codex", ("template", "codex_cli")) == snapshot(
        "The agent `codex` is not allowed here. Did you mean `codex_cli`? Possible: `template`, `codex_cli`. Nothing was started."
    )
    assert refusals.agent_not_allowed("@gpt`", ("template",)) == snapshot(
        "The agent `` @gpt` `` is not allowed here. Possible: `template`. Nothing was started."
    )
    assert refusals.model_not_allowed("gpt-5-codx", "codex_cli", ("gpt-5-codex",)) == snapshot(
        "The model `gpt-5-codx` is not allowed for the agent `codex_cli`. Did you mean `gpt-5-codex`? Possible: `gpt-5-codex`. Nothing was started."
    )
    assert refusals.model_not_allowed("gpt-5", "template", ()) == snapshot(
        "The model `gpt-5` is not allowed for the agent `template`. Nothing was started."
    )


def test_too_many_commands() -> None:
    assert refusals.too_many_commands(10, 12) == snapshot(
        "This comment holds 12 commands; the first 10 were carried out. Put the others in a comment of their own."
    )


def test_answers_that_fit_no_question() -> None:
    assert refusals.no_questions_open(PREFIX) == snapshot(
        "No question is open on this pull request. `/speckit clarify` without answers asks what is left open."
    )
    assert refusals.unknown_questions([4, 5], [1, 2, 3]) == snapshot(
        "No question 4 or 5 is open; 1, 2 and 3 are. No answer was taken: give them all again."
    )
    assert refusals.unknown_questions([2], [1]) == snapshot(
        "No question 2 is open; question 1 is. No answer was taken: give them all again."
    )
    assert refusals.unknown_choice(1, "F", ("A", "B")) == snapshot(
        "Question 1 has no choice `F`. Possible: `A`, `B`, or `1: YOUR ANSWER`. No answer was taken."
    )
    assert refusals.unknown_choice(3, "A", ()) == snapshot(
        "Question 3 has no choice `A`: it is answered in words, as in `3: YOUR ANSWER`. No answer was taken."
    )
    assert refusals.nothing_recommended([2, 3], PREFIX) == snapshot(
        "No choice is recommended for what is open. Answer with `/speckit clarify 2: YOUR ANSWER 3: YOUR ANSWER`."
    )


def test_nothing_to_retry() -> None:
    assert refusals.nothing_to_retry(PREFIX) == snapshot(
        "No run here failed or was cancelled, so there is nothing to retry. `/speckit status` lists the runs."
    )
    assert refusals.retry_too_early(example_run(at=Phase.SPECKIT_PLAN), PREFIX) == snapshot(
        "Run `7f3a9c21` is not over yet. `/speckit cancel 7f3a9c21` stops it; then `/speckit retry` goes on."
    )
    assert refusals.phase_not_in_run(Phase.SPECKIT_SPECIFY, continuing_run(Verb.TASKS)) == snapshot(
        "Run `7f3a9c21` has no phase `speckit_specify`. It has: `prepare_job`, `start_job_container`, `git_clone`, `speckit_tasks`, `commit_push`, `open_pr`, `cleanup`."
    )
    assert "`speckit_plan`" in refusals.phase_not_in_run(Phase.SPECKIT_CLARIFY, failed_run(ErrorCode.AGENT_FAILED, "x"))


def test_a_review_comment_that_is_not_on_the_specification() -> None:
    assert refusals.not_a_section("src/@pay`.py", PREFIX) == snapshot(
        "`/speckit refine` changes a section of `spec.md`, and this comment stands on ``src/@pay`.py``. Comment on a line of the section that is to change."
    )


def test_a_trigger_without_words() -> None:
    assert refusals.trigger_without_text(Trigger.LABEL, "specify", PREFIX) == snapshot(
        "The label asks for `specify`, and this issue says nothing that it could work from. Describe in the issue what you want and do it again, or comment `/speckit specify TEXT`."
    )
    assert refusals.trigger_without_text(Trigger.ASSIGNMENT, "specify", PREFIX) == snapshot(
        "The assignment asks for `specify`, and this issue says nothing that it could work from. Describe in the issue what you want and do it again, or comment `/speckit specify TEXT`."
    )
