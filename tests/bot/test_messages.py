"""Every sentence of a reply, as people read it."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.commands.model import ParseProblem, ProblemKind
from bot.configuration.effective import Row
from bot.github.markers import marker_in
from bot.reporting import messages
from bot.reporting.headline import queue_words
from db.turns import QueuePlace
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus, Trigger, Verb
from tests.bot.example_runs import (
    PAGES,
    PLAN,
    RUN_ID,
    SPEC,
    VIEW,
    cancelled_run,
    continuing_run,
    example_run,
    example_view,
    failed_run,
    succeeded_run,
)

PREFIX = "/speckit"
PLACE = QueuePlace(2, ("abcdef12",), 180.0)
SECTION = {"path": SPEC, "heading": "Edge [Cases] of #1", "line": 40}

PROBLEMS = [
    ParseProblem(ProblemKind.MISSING_VERB, None, "", allowed=("specify", "help")),
    ParseProblem(ProblemKind.UNKNOWN_VERB, None, "specfy", "specify", ("specify", "help")),
    ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--bsae", "--base", ("--base", "--until")),
    ParseProblem(ProblemKind.MISSING_VALUE, "specify", "--base", example="--base release/1.2"),
    ParseProblem(ProblemKind.INVALID_VALUE, "specify", "--until ponies", None, ("specify", "plan", "tasks")),
    ParseProblem(ProblemKind.REPEATED_FLAG, "specify", "--base"),
    ParseProblem(ProblemKind.MISSING_TEXT, "refine", ""),
    ParseProblem(ProblemKind.UNEXPECTED_TEXT, "status", "now @alice `x`"),
]


def test_parse_problems() -> None:
    assert {problem.kind for problem in PROBLEMS} == set(ProblemKind)
    assert [messages.parse_problem(problem, PREFIX) for problem in PROBLEMS] == snapshot(
        [
            "`/speckit` alone does nothing: say what you want. Possible: `specify`, `help`. Nothing was started; `/speckit help` tells more.",
            "There is no command `specfy`. Did you mean `specify`? Possible: `specify`, `help`. Nothing was started; `/speckit help` tells more.",
            "`/speckit specify` has no flag `--bsae`. Did you mean `--base`? Possible: `--base`, `--until`. Nothing was started; `/speckit help specify` tells more.",
            "`--base` of `/speckit specify` needs a value after it. Such as `--base release/1.2`. Nothing was started; `/speckit help specify` tells more.",
            "`/speckit specify` cannot take `--until ponies`. Possible: `specify`, `plan`, `tasks`. Nothing was started; `/speckit help specify` tells more.",
            "`--base` stands twice in `/speckit specify`; give it once. Nothing was started; `/speckit help specify` tells more.",
            "`/speckit refine` needs a text: say after it what you want, over as many lines as you like. Nothing was started; `/speckit help refine` tells more.",
            "`/speckit status` takes no `` now @alice `x` ``. Nothing was started; `/speckit help status` tells more.",
        ]
    )


def test_reply_carries_its_marker() -> None:
    body = messages.reply("d-1 -->", ["one ", "", "two"])
    assert body == snapshot("""\
one

two

<!-- speckit-bot:reply=d-1---- -->\
""")
    assert marker_in(body) == "<!-- speckit-bot:reply=d-1---- -->"


def test_the_place_of_a_run_that_waits() -> None:
    assert queue_words(PLACE) == snapshot(
        "place 2 in the queue of this repository, behind run `abcdef12`, which works on the same branch"
    )
    assert queue_words(QueuePlace(1, (), None)) == snapshot("next in the queue of this repository")
    many = tuple(f"abcdef1{n}" for n in range(5))
    assert queue_words(QueuePlace(6, many, 12.0)) == snapshot(
        "place 6 in the queue of this repository, behind runs `abcdef10`, `abcdef11` and `abcdef12` and 2 more, which work on the same branch"
    )


def test_the_same_command_twice() -> None:
    assert messages.same_command(example_run(RunStatus.QUEUED), example_view(place=PLACE)) == snapshot(
        "That is run `7f3a9c21` already, place 2 in the queue of this repository, behind run `abcdef12`, which works on the same branch."
    )
    assert messages.same_command(example_run(at=Phase.SPECKIT_PLAN), VIEW) == snapshot(
        "That is run `7f3a9c21` already. 🔄 **Writing the plan** (phase 5 of 9)."
    )
    assert messages.same_command(succeeded_run(), VIEW) == snapshot(
        "That is run `7f3a9c21` already. ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft. Its [comment](https://github.example/acme/shop/issues/7#issuecomment-90) tells more."
    )


def test_cancel() -> None:
    assert messages.cancel_reply(None, None, VIEW) == snapshot(
        "Nothing is running here, so there is nothing to cancel."
    )
    assert messages.cancel_reply(None, "7f3a9c21", VIEW) == snapshot(
        "No run here has an id that begins with `7f3a9c21`, or more than one has."
    )
    assert messages.cancel_reply(example_run(at=Phase.SPECKIT_PLAN), None, VIEW) == snapshot(
        "Run `7f3a9c21` is being stopped. Its comment tells when it has ended."
    )
    assert messages.cancel_reply(succeeded_run(), "7f3a9c21", VIEW) == snapshot(
        "Run `7f3a9c21` is over already. ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft."
    )
    never_began = failed_run(ErrorCode.RUN_CANCELLED, "Cancelled by bob before it began.")
    never_began.task_states = example_run(RunStatus.QUEUED).task_states
    for state in never_began.task_states:
        state.status = TaskStatus.SKIPPED
    assert messages.cancel_reply(never_began, None, VIEW) == snapshot("Run `7f3a9c21` is cancelled: it had not begun.")


def test_status() -> None:
    assert messages.status_reply([], VIEW, {}) == snapshot("No run was asked for here yet.")
    assert messages.status_reply([succeeded_run()], VIEW, {}) == snapshot("""\
The one run here:

- `7f3a9c21` · ✅ **Done.** [Pull request 12](https://github.example/acme/shop/pull/12) is open as a draft. · `specify` “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” for `alice` · [comment](https://github.example/acme/shop/issues/7#issuecomment-90) · [logs](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe)\
""")
    runs = [
        example_run(RunStatus.QUEUED),
        example_run(at=Phase.SPECKIT_PLAN),
        failed_run(ErrorCode.AGENT_TIMED_OUT, "It took too long."),
        continuing_run(Verb.TASKS, requested_model="big-1", dry_run=True),
    ]
    assert messages.status_reply(runs, example_view(run_page_base=None), {RUN_ID: PLACE}) == snapshot("""\
The runs here, newest first:

- `7f3a9c21` · ⏳ **Waiting:** place 2 in the queue of this repository, behind run `abcdef12`, which works on the same branch. · `specify` “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” for `alice`
- `7f3a9c21` · 🔄 **Writing the plan** (phase 5 of 9). · `specify` “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” for `alice`
- `7f3a9c21` · ❌ **Not done: the run stopped while writing the plan.** · `specify` “Let customers pay by invoice. Net 30, EU only. See `#7`, `@bob`.” for `alice`
- `7f3a9c21` · ✅ **Dry run done.** Nothing was pushed; the changes are kept with the run. · `tasks --model big-1 --dry-run` for `bob`\
""")
    assert messages.status_reply([succeeded_run()] * 12, VIEW, {}).endswith("- … and 2 older ones")


def test_no_page_is_linked_for_a_private_repository() -> None:
    assert PAGES not in messages.status_reply([succeeded_run(private=True)], VIEW, {})


def test_the_thread_of_a_review_comment() -> None:
    details = {"section": SECTION, "stale": [PLAN]}
    changed = continuing_run(Verb.REFINE, trigger=Trigger.REVIEW_COMMENT, details={Phase.SPECKIT_REFINE: details})
    assert messages.refine_thread_reply(changed, VIEW) == snapshot(
        "✅ Section “Edge \\[Cases\\] of `#1`” of `spec.md` is changed. It is at [`specs/001-pay-by-invoice/spec.md:40`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/spec.md?plain=1#L40), changed by commit [`aaaaaaa`](https://github.example/acme/shop/commit/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa). ⚠️ Out of date, because what it builds on changed: [`specs/001-pay-by-invoice/plan.md`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/plan.md)."
    )
    same = continuing_run(Verb.REFINE, RunStatus.NO_CHANGES, arguments={"section": SECTION})
    assert messages.refine_thread_reply(same, VIEW) == snapshot(
        "➖ **Nothing to change.** The agent left section “Edge \\[Cases\\] of `#1`” of `spec.md` as it is."
    )
    failed = continuing_run(
        Verb.REFINE,
        RunStatus.FAILED,
        at=Phase.SPECKIT_REFINE,
        error_code=ErrorCode.AGENT_FAILED.value,
        result_summary="It ended with @bob.",
    )
    assert messages.refine_thread_reply(failed, VIEW) == snapshot(
        "❌ **Not done: the run stopped while changing the section.** It ended with `@bob`. This is nobody's fault: `/speckit retry` tries it again; if it stays, ask whoever runs this bot. Give that command in the conversation, not in this thread."
    )
    assert messages.refine_thread_reply(cancelled_run(), VIEW) == snapshot(
        "🛑 **Cancelled by `bob`.** Nothing more happens in this run."
    )


def test_configuration() -> None:
    rows = [
        Row("commands.implement.role", "maintain", "acme/shop", ""),
        Row("agent", "codex_cli", "the operator", "locked; acme/.github says gpt|4"),
        Row("paths.implement", "", "default", "implement is off"),
    ]
    assert messages.config_reply(rows, "acme/shop") == snapshot("""\
What holds for `acme/shop`:

| setting | value | from | |
|---|---|---|---|
| `commands.implement.role` | maintain | acme/shop |  |
| `agent` | codex\\_cli | the operator | locked; acme/.github says gpt\\|4 |
| `paths.implement` |  | default | implement is off |\
""")
    many = messages.config_reply([Row("labels.x", "[" * 400, "acme/shop", "@bob " * 100)] * 200, "acme/shop")
    assert len(many) < 65_536
    assert many.split("\n")[-1].startswith("And 1")
