"""The one comment of a run, in every state."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from bot.github.markers import marker_in, run_marker
from bot.reporting.run_comment import run_comment
from db.turns import QueuePlace
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus, Trigger, Verb
from tests.bot.example_runs import (
    FINDINGS,
    NOW,
    PAGES,
    RUN_ID,
    VIEW,
    cancelled_run,
    continuing_run,
    example_run,
    example_view,
    failed_run,
    parts_of,
    state_of,
    succeeded_run,
)


def test_a_run_that_waits() -> None:
    view = example_view(place=QueuePlace(2, ("abcdef12",), 180.0))
    assert run_comment(example_run(RunStatus.QUEUED), view) == snapshot("""\
⏳ **Waiting:** place 2 in the queue of this repository, behind run `abcdef12`, which works on the same branch.

`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

| | phase | took | attempt |
|---|---|---:|---:|
| ▫️ | `prepare_job` preparing the job |  |  |
| ▫️ | `start_job_container` starting the container |  |  |
| ▫️ | `git_clone` cloning the repository |  |  |
| ▫️ | `speckit_specify` writing the specification |  |  |
| ▫️ | `speckit_plan` writing the plan |  |  |
| ▫️ | `speckit_tasks` writing the tasks |  |  |
| ▫️ | `commit_push` committing and pushing |  |  |
| ▫️ | `open_pr` opening the pull request |  |  |
| ▫️ | `cleanup` cleaning up |  |  |

waiting for 1 min 15 s · such a run usually takes about 3 min here · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · run `7f3a9c21-0000-4000-8000-00000000cafe`

`/speckit cancel 7f3a9c21` stops it · `/speckit status` tells how every run stands

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")
    assert parts_of(example_run(RunStatus.QUEUED))[0] == snapshot("⏳ **Waiting for a worker.**")


def test_a_run_that_works() -> None:
    assert run_comment(example_run(at=Phase.SPECKIT_PLAN), VIEW) == snapshot("""\
🔄 **Writing the plan** (phase 5 of 9).

`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |
| ✅ | `start_job_container` starting the container | 1.0 s | 1 |
| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |
| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 |
| 🔄 | `speckit_plan` writing the plan | since 12:00 UTC | 1 |
| ▫️ | `speckit_tasks` writing the tasks |  |  |
| ▫️ | `commit_push` committing and pushing |  |  |
| ▫️ | `open_pr` opening the pull request |  |  |
| ▫️ | `cleanup` cleaning up |  |  |

1 min 15 s so far · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · run `7f3a9c21-0000-4000-8000-00000000cafe`

`/speckit cancel 7f3a9c21` stops it · `/speckit status` tells how every run stands

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_how_long_it_will_take() -> None:
    run = example_run(at=Phase.SPECKIT_PLAN)
    assert parts_of(run, example_view(usual_seconds=180.0))[2].split(" · ")[:2] == snapshot(
        ["1 min 15 s so far", "about 2 min left, going by earlier runs here: done by 12:03 UTC"]
    )
    assert parts_of(run, example_view(usual_seconds=80.0))[2].split(" · ")[:2] == snapshot(
        ["1 min 15 s so far", "less than a minute left, going by earlier runs here: done by 12:01 UTC"]
    )
    assert parts_of(run, example_view(usual_seconds=60.0))[2].split(" · ")[:2] == snapshot(
        ["1 min 15 s so far", "longer than usual here (about 1 min)"]
    )
    run.cancel_requested_at = NOW
    assert "left" not in run_comment(run, example_view(usual_seconds=180.0))


def test_while_a_phase_waits_for_its_next_try() -> None:
    run = example_run(at=Phase.GIT_CLONE)
    state = state_of(run, Phase.GIT_CLONE)
    state.status, state.attempt = TaskStatus.RETRYING, 2
    state.details = {
        "error_code": "engine.unreachable",
        "message": "asking the Docker engine at tcp://10.0.0.5:2375: refused",
        "summary": "The container engine had a problem.",
    }
    assert "10.0.0.5" not in run_comment(run, VIEW)
    assert parts_of(run)[:3] == snapshot(
        [
            "🔁 **A hitch while cloning the repository;** it is tried again.",
            "`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "The container engine had a problem.",
        ]
    )


def test_while_a_run_is_being_stopped() -> None:
    run = example_run(at=Phase.SPECKIT_PLAN, cancel_requested_at=NOW, cancel_requested_by="bob")
    assert parts_of(run)[0] == snapshot("🛑 **Stopping:** `bob` asked for it.")


def test_a_run_that_succeeded() -> None:
    assert run_comment(succeeded_run(), VIEW) == snapshot("""\
✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft.

`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

**One question is open:**

- [`specs/001-pay-by-invoice/spec.md:12`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/spec.md?plain=1#L12) Which currencies? Ask `@alice`.

Files at commit [`aaaaaaa`](https://github.example/acme/shop/commit/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa):

- [`specs/001-pay-by-invoice/spec.md`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/spec.md) 88 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |
| ✅ | `start_job_container` starting the container | 1.0 s | 1 |
| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |
| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 |
| ✅ | `speckit_plan` writing the plan | 1.0 s | 1 |
| ✅ | `speckit_tasks` writing the tasks | 1.0 s | 1 |
| ✅ | `commit_push` committing and pushing | 1.0 s | 1 |
| ✅ | `open_pr` opening the pull request | 1.0 s | 1 |
| ✅ | `cleanup` cleaning up | 1.0 s | 1 |

took 1 min 15 s · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · branch `speckit/20261122/7f3a9c` · run `7f3a9c21-0000-4000-8000-00000000cafe`

**Next**, on [pull request 12](https://github.example/acme/shop/pull/12):

- `/speckit clarify 1: YOUR ANSWER` answers the first question
- `/speckit analyze` checks the specification, the plan and the tasks against each other
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_what_the_agent_says_of_its_work() -> None:
    run = succeeded_run()
    state_of(run, Phase.SPECKIT_PLAN).details = {
        "summary": "I used what is there. Ask @alice.",
        "input_tokens": 1200,
        "output_tokens": 300,
        "cost_usd": 0.3,
    }
    state_of(run, Phase.SPECKIT_TASKS).details = {
        "summary": "Three groups:\n\n- one for #1\n- </details>\n/speckit cancel",
        "cost_usd": 0.12,
    }
    parts = parts_of(run)
    assert parts[-8].split(" · ")[3:5] == snapshot(["1,200 tokens in, 300 out", "0.42 USD"])
    assert parts[-7:-2] == snapshot(
        [
            "**The agent on writing the plan:** I used what is there. Ask `@alice`.",
            "<details><summary>The agent on writing the tasks</summary>",
            "Three groups:",
            """\
- one for `#1`
- \\</details\\>
\\/speckit cancel\
""",
            "</details>",
        ]
    )


def test_a_phase_that_failed_says_nothing_of_its_work() -> None:
    run = failed_run(ErrorCode.AGENT_FAILED, "It ended.")
    state_of(run, Phase.SPECKIT_PLAN).details = {"summary": "SECRET PLAN"}
    assert "SECRET PLAN" not in run_comment(run, VIEW)


def test_a_dry_run() -> None:
    run = example_run(RunStatus.SUCCEEDED, dry_run=True)
    assert parts_of(run) == snapshot(
        [
            "✅ **Dry run done.** Nothing was pushed; the changes are kept with the run.",
            "`alice` asked for `specify --dry-run`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "**One question is open:**",
            "- `specs/001-pay-by-invoice/spec.md:12` Which currencies? Ask `@alice`.",
            "Files it would have pushed:",
            "- `specs/001-pay-by-invoice/spec.md` 88 lines",
            "took 1 min 15 s · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · run `7f3a9c21-0000-4000-8000-00000000cafe`",
            "**Next:**",
            "- `/speckit specify TEXT` without `--dry-run` pushes the work",
        ]
    )


def test_a_run_that_changed_nothing() -> None:
    parts = parts_of(example_run(RunStatus.NO_CHANGES))
    assert [parts[0], *parts[-2:]] == snapshot(
        [
            "➖ **Nothing changed.** The agent wrote nothing that the base branch does not hold already.",
            "**Next:**",
            "- `/speckit specify TEXT` with other words tries once more",
        ]
    )


def test_a_cancelled_run() -> None:
    parts = parts_of(cancelled_run())
    assert [*parts[:2], *parts[-2:]] == snapshot(
        [
            "🛑 **Cancelled by `bob`.** Nothing more happens in this run.",
            "`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "**Next:**",
            """\
- `/speckit retry` goes on where it stopped
- `/speckit specify TEXT` starts anew\
""",
        ]
    )


def test_a_failed_run() -> None:
    run = failed_run(ErrorCode.AGENT_NO_OUTPUT, "The agent finished, but it did not write `specs/001-x/plan.md`.")
    assert run_comment(run, VIEW) == snapshot("""\
❌ **Not done: the run stopped while writing the plan.**

`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

The agent finished, but it did not write `specs/001-x/plan.md`.

You can cure this: say more about what you want and give the command again, or `/speckit retry` tries the same words once more.

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |
| ✅ | `start_job_container` starting the container | 1.0 s | 1 |
| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |
| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 |
| ❌ | `speckit_plan` writing the plan |  | 1 |
| ▫️ | `speckit_tasks` writing the tasks |  |  |
| ▫️ | `commit_push` committing and pushing |  |  |
| ▫️ | `open_pr` opening the pull request |  |  |
| ▫️ | `cleanup` cleaning up |  |  |

took 1 min 15 s · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · error `agent.no_output` · run `7f3a9c21-0000-4000-8000-00000000cafe`

**Next:**

- `/speckit retry` goes on where it stopped
- `/speckit specify TEXT` starts anew

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_a_run_that_failed_inside() -> None:
    summary = f"Something went wrong inside speckit-bot. Whoever runs this bot finds the details under run {RUN_ID}."
    assert parts_of(failed_run(ErrorCode.RUN_INTERNAL, summary))[:4] == snapshot(
        [
            "❌ **Not done: the run stopped while writing the plan.**",
            "`alice` asked for `specify`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "Something went wrong inside speckit-bot. Whoever runs this bot finds the details under run `7f3a9c21-0000-4000-8000-00000000cafe`.",
            "Only whoever runs this bot can cure this: give them the run id below.",
        ]
    )


def test_a_failure_that_no_retry_heals() -> None:
    run = failed_run(ErrorCode.CLONE_BASE_NOT_FOUND, "There is no branch `mian`.", at=Phase.GIT_CLONE)
    assert parts_of(run)[-1] == snapshot("- `/speckit specify TEXT` starts anew")


def test_who_asked_for_what_and_how() -> None:
    runs = [
        example_run(trigger=trigger, requested_spec_input="", verb=verb)
        for trigger, verb in zip(Trigger, Verb, strict=False)
    ]
    assert [parts_of(run)[1] for run in runs] == snapshot(
        [
            "`alice` asked for `specify`.",
            "`alice` asked for `clarify` by mention.",
            "`alice` asked for `plan` by label.",
            "`alice` asked for `tasks` by assignment.",
            "`alice` asked for `checklist` with a button of a check.",
            "`alice` asked for `analyze` in a review comment.",
        ]
    )
    flags = example_run(
        until_phase=Phase.SPECKIT_PLAN, requested_agent="codex_cli", requested_model="big`1", project="services/shop",
        dry_run=True, retry_of=RUN_ID,
    )  # fmt: skip
    assert parts_of(flags)[1] == snapshot(
        "`alice` asked for ``specify --until plan --agent codex_cli --model big`1 --project services/shop --dry-run``: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`. It takes over what run `7f3a9c21` had finished."
    )
    recommended = example_run(verb=Verb.CLARIFY, requested_spec_input="", arguments={"accept_recommended": True})
    assert parts_of(recommended)[1] == snapshot("`alice` asked for `clarify --accept-recommended`.")


def test_no_page_is_linked_for_a_private_repository() -> None:
    assert PAGES not in run_comment(succeeded_run(private=True), VIEW)


def test_a_long_request_leaves_room_for_the_rest() -> None:
    run = succeeded_run(requested_spec_input="@x " * 30_000)
    questions = [{"path": "p" * 1000, "line": n, "text": "?" * 65_000} for n in range(200)]
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": questions, "summary": "[" * 100_000}
    state_of(run, Phase.SPECKIT_PLAN).details = {"summary": "`@a` " * 20_000}
    state_of(run, Phase.SPECKIT_TASKS).details = {"summary": "| \n" * 20_000, "findings": FINDINGS * 500}
    body = run_comment(run, VIEW)
    assert len(body) <= 65_536
    assert marker_in(body) == run_marker(RUN_ID)
    assert "`/speckit analyze`" in body
    assert body.count("<details>") == body.count("</details>")


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_has_words_in_every_state(verb: Verb, status: RunStatus) -> None:
    for run in (example_run(status, verb=verb), continuing_run(verb, status)):
        run.completed_at = NOW if status.is_terminal else None
        assert f"`{verb.value}`" in run_comment(run, VIEW)
