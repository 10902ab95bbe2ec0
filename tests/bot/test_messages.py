"""Every sentence people read, as they read it."""

# ruff: noqa: E501 - sentences stand here as they are read

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.commands.model import ParseProblem, ProblemKind
from bot.commands.parser import parse
from bot.github.markers import marker_in, run_marker
from bot.reporting import messages
from bot.reporting.failure_advice import ADVICE, advice
from db.models import SpecAutomationRun
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus
from tests.bot.example_runs import NOW, PAGES, RUN_ID, example_run, failed_run, state_of, succeeded_run
from tests.bot.test_reporting_sanitize import MISCHIEF

PREFIX = "/speckit"


def test_not_allowed() -> None:
    assert messages.not_allowed("bob", "specify", "write", "read") == snapshot(
        "`bob`: `specify` needs the *write* role on this repository, and you have the *read* role. Somebody who has it can give the command for you."
    )
    assert messages.not_allowed("bob", "cancel", "write", "none") == snapshot(
        "`bob`: `cancel` needs the *write* role on this repository, and you have no role here. Somebody who has it can give the command for you."
    )


PROBLEMS = [
    ParseProblem(ProblemKind.MISSING_VERB, None, "", allowed=("specify", "help")),
    ParseProblem(ProblemKind.UNKNOWN_VERB, None, "specfy", "specify", ("specify", "help")),
    ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--bsae", "--base", ("--base", "--until")),
    ParseProblem(ProblemKind.MISSING_VALUE, "specify", "--base"),
    ParseProblem(ProblemKind.INVALID_VALUE, "specify", "--until ponies", None, ("specify", "plan", "tasks")),
    ParseProblem(ProblemKind.REPEATED_FLAG, "specify", "--base"),
    ParseProblem(ProblemKind.MISSING_TEXT, "specify", ""),
    ParseProblem(ProblemKind.UNEXPECTED_TEXT, "status", "now @alice `x`"),
]


def test_parse_problems() -> None:
    assert {problem.kind for problem in PROBLEMS} == set(ProblemKind)
    assert [messages.parse_problem(problem, PREFIX) for problem in PROBLEMS] == snapshot(
        [
            "`/speckit` alone does nothing: say what you want. Possible: `specify`, `help`. Nothing was started; `/speckit help` tells more.",
            "There is no command `specfy`. Did you mean `specify`? Possible: `specify`, `help`. Nothing was started; `/speckit help` tells more.",
            "`/speckit specify` has no flag `--bsae`. Did you mean `--base`? Possible: `--base`, `--until`. Nothing was started; `/speckit help specify` tells more.",
            "`--base` of `/speckit specify` needs a value after it. Nothing was started; `/speckit help specify` tells more.",
            "`/speckit specify` cannot take `--until ponies`. Possible: `specify`, `plan`, `tasks`. Nothing was started; `/speckit help specify` tells more.",
            "`--base` stands twice in `/speckit specify`; give it once. Nothing was started; `/speckit help specify` tells more.",
            "`/speckit specify` needs a text: describe the feature after it, over as many lines as you like. Nothing was started; `/speckit help specify` tells more.",
            "`/speckit status` takes no `` now @alice `x` ``. Nothing was started; `/speckit help status` tells more.",
        ]
    )


def test_small_answers() -> None:
    assert messages.agent_not_allowed("gpt", ("template", "codex_cli")) == snapshot(
        "The agent `gpt` is not allowed here. Possible: `template`, `codex_cli`. Nothing was started."
    )
    assert messages.repository_archived("acme/shop") == snapshot(
        "`acme/shop` is archived, so nothing can be pushed to it. Unarchive it and give the command again."
    )
    assert messages.too_many_commands(10, 12) == snapshot(
        "This comment holds 12 commands; the first 10 were carried out. Put the others in a comment of their own."
    )


def test_help_depends_on_the_role() -> None:
    assert "specify" in messages.help_reply(PREFIX, "admin", None)
    assert "*write* role" in messages.help_reply(PREFIX, "triage", None)
    assert "--base" in messages.help_reply(PREFIX, "read", "specify")


def test_cancel() -> None:
    assert messages.cancel_reply(None, None) == snapshot("Nothing is running here, so there is nothing to cancel.")
    assert messages.cancel_reply(None, "7f3a9c21") == snapshot(
        "No run of this issue has an id that begins with `7f3a9c21`, or more than one has."
    )
    assert messages.cancel_reply(example_run(at=Phase.SPECKIT_PLAN), None) == snapshot(
        "Run `7f3a9c21` is being stopped. Its comment tells when it has ended."
    )
    assert messages.cancel_reply(succeeded_run(), "7f3a9c21") == snapshot(
        "Run `7f3a9c21` is over already. ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft."
    )
    never_began = failed_run(ErrorCode.RUN_CANCELLED, "Cancelled by bob before it began.")
    never_began.task_states = example_run(RunStatus.QUEUED).task_states
    for state in never_began.task_states:
        state.status = TaskStatus.SKIPPED
    assert messages.cancel_reply(never_began, None) == snapshot("Run `7f3a9c21` is cancelled: it had not begun.")


def test_status() -> None:
    assert messages.status_reply([], PAGES) == snapshot("No run was asked for here yet.")
    assert messages.status_reply([succeeded_run()], PAGES) == snapshot("""\
The one run here:

- `7f3a9c21` · ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft. · “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” · [comment](https://github.example/acme/shop/issues/7#issuecomment-90) · [logs](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe)\
""")
    runs = [example_run(at=Phase.SPECKIT_PLAN), failed_run(ErrorCode.AGENT_TIMED_OUT, "It took too long.")]
    assert messages.status_reply(runs, None) == snapshot("""\
The runs here, newest first:

- `7f3a9c21` · 🔄 **Writing the plan** (phase 5 of 9). · “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.”
- `7f3a9c21` · ❌ **Not done: the run stopped while writing the plan.** · “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.”\
""")
    assert messages.status_reply([succeeded_run()] * 12, None).endswith("- … and 2 older ones")


def test_reply_carries_its_marker() -> None:
    body = messages.reply("d-1 -->", ["one ", "", "two"])
    assert body == snapshot("""\
one

two

<!-- speckit-bot:reply=d-1---- -->\
""")
    assert marker_in(body) == "<!-- speckit-bot:reply=d-1---- -->"


def told(run: SpecAutomationRun) -> str:
    return messages.run_comment(run, NOW, PAGES, PREFIX)


def test_comment_of_a_queued_run() -> None:
    assert told(example_run(RunStatus.QUEUED)) == snapshot("""\
⏳ **Waiting for a worker.**

Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

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

1 min 15 s so far · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · run `7f3a9c21-0000-4000-8000-00000000cafe`

`/speckit cancel 7f3a9c21` stops it · `/speckit status` tells how every run stands

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_comment_of_a_running_run() -> None:
    assert told(example_run(at=Phase.SPECKIT_PLAN)) == snapshot("""\
🔄 **Writing the plan** (phase 5 of 9).

Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |
| ✅ | `start_job_container` starting the container | 1.0 s | 1 |
| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |
| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 |
| 🔄 | `speckit_plan` writing the plan |  | 1 |
| ▫️ | `speckit_tasks` writing the tasks |  |  |
| ▫️ | `commit_push` committing and pushing |  |  |
| ▫️ | `open_pr` opening the pull request |  |  |
| ▫️ | `cleanup` cleaning up |  |  |

1 min 15 s so far · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · run `7f3a9c21-0000-4000-8000-00000000cafe`

`/speckit cancel 7f3a9c21` stops it · `/speckit status` tells how every run stands

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_comment_while_a_phase_waits_for_its_next_try() -> None:
    run = example_run(at=Phase.GIT_CLONE)
    state = state_of(run, Phase.GIT_CLONE)
    state.status, state.attempt = TaskStatus.RETRYING, 2
    state.details = {
        "error_code": "engine.unreachable",
        "message": "asking the Docker engine at tcp://10.0.0.5:2375: refused",
        "summary": "The container engine had a problem.",
    }
    assert "10.0.0.5" not in told(run)
    assert told(run).split("\n\n")[:3] == snapshot(
        [
            "🔁 **A hitch while cloning the repository;** it is tried again.",
            "Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "The container engine had a problem.",
        ]
    )


def test_comment_while_a_run_is_being_stopped() -> None:
    run = example_run(at=Phase.SPECKIT_PLAN, cancel_requested_at=NOW, cancel_requested_by="bob")
    assert told(run).split("\n\n")[0] == snapshot("🛑 **Stopping:** `bob` asked for it.")


def test_comment_of_a_run_that_succeeded() -> None:
    assert told(succeeded_run()) == snapshot("""\
✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft.

Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

**One question is open:**

- `specs/001-pay-by-invoice/spec.md:12` Which currencies? Ask `@alice`.

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

Review it and take it from there · `/speckit specify TEXT` writes another

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_comment_of_a_dry_run() -> None:
    run = example_run(RunStatus.SUCCEEDED, dry_run=True)
    assert told(run).split("\n\n")[:4] == snapshot(
        [
            "✅ **Dry run done.** Nothing was pushed; the changes are kept with the run.",
            "Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "Files it would have pushed:",
            "- `specs/001-pay-by-invoice/spec.md` (88 lines)",
        ]
    )


def test_comment_of_a_run_that_changed_nothing() -> None:
    assert told(example_run(RunStatus.NO_CHANGES)).split("\n\n")[0] == snapshot(
        "➖ **Nothing changed.** The agent wrote nothing that the base branch does not hold already."
    )


def test_comment_of_a_cancelled_run() -> None:
    run = failed_run(ErrorCode.RUN_CANCELLED, "Cancelled by bob.")
    run.cancel_requested_by = "bob"
    assert told(run).split("\n\n")[:2] == snapshot(
        [
            "🛑 **Cancelled by `bob`.** Nothing more happens in this run.",
            "Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
        ]
    )


def test_comment_of_a_failed_run() -> None:
    run = failed_run(ErrorCode.AGENT_NO_OUTPUT, "The agent finished, but it did not write `specs/001-x/plan.md`.")
    assert told(run) == snapshot("""\
❌ **Not done: the run stopped while writing the plan.**

Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.

The agent finished, but it did not write `specs/001-x/plan.md`.

You can cure this: say more about the feature and give the command again.

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

`/speckit specify TEXT` starts anew · `/speckit help specify` shows what can be asked

<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-00000000cafe -->\
""")


def test_comment_of_a_run_that_failed_inside() -> None:
    summary = f"Something went wrong inside speckit-bot. Whoever runs this bot finds the details under run {RUN_ID}."
    assert told(failed_run(ErrorCode.RUN_INTERNAL, summary)).split("\n\n")[:4] == snapshot(
        [
            "❌ **Not done: the run stopped while writing the plan.**",
            "Asked for by `alice`: Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.",
            "Something went wrong inside speckit-bot. Whoever runs this bot finds the details under run `7f3a9c21-0000-4000-8000-00000000cafe`.",
            "Only whoever runs this bot can cure this: give them the run id below.",
        ]
    )


def test_every_failure_has_a_next_step() -> None:
    assert set(ADVICE) == set(ErrorCode)
    for code in ErrorCode:
        assert "{" not in advice(code, PREFIX)
        assert advice(code, PREFIX).endswith(".")
    assert advice(ErrorCode.CLONE_BASE_NOT_FOUND, PREFIX) == snapshot(
        "You can cure this: name a branch that exists with `--base BRANCH`."
    )
    assert advice(ErrorCode.PUBLISH_REFUSED, PREFIX) == snapshot(
        "Whoever maintains this repository can cure this: check the rules for branches named `speckit/` and what the App may do, then give the command again."
    )
    assert advice("never.heard_of", PREFIX) == snapshot(
        "Only whoever runs this bot can cure this: give them the run id below."
    )


def test_no_page_is_linked_for_a_private_repository() -> None:
    assert PAGES not in told(succeeded_run(private=True))
    assert PAGES not in messages.status_reply([succeeded_run(private=True)], PAGES)


def test_a_long_request_leaves_room_for_the_rest() -> None:
    run = succeeded_run(requested_spec_input="@x " * 30_000)
    questions = [{"path": "p" * 1000, "line": n, "text": "?" * 65_000} for n in range(200)]
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": questions}
    body = told(run)
    assert len(body) <= 65_536
    assert marker_in(body) == run_marker(RUN_ID)
    assert "Review it" in body


@pytest.mark.parametrize("status", list(RunStatus))
@settings(max_examples=40, deadline=None)
@given(text=MISCHIEF, other=st.text(max_size=40))
def test_nothing_of_others_acts(status: RunStatus, text: str, other: str) -> None:
    run = example_run(status, at=None if status.is_terminal else Phase.COMMIT_PUSH)
    run.requested_spec_input, run.issue_title, run.requested_by, run.result_summary = text, other, other or "x", text
    question = {"path": text, "line": 1, "text": other}
    files = [{"path": other, "added_lines": 1}]
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": [question], "files": files, "heading": text}
    for body in (told(run), messages.status_reply([run], None), messages.cancel_reply(run, text)):
        assert not [line for line in body.split("\n") if line.lstrip().startswith("/")]
        assert parse(body, PREFIX) == []
    assert marker_in(told(run)) == run_marker(RUN_ID)
