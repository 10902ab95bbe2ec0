"""What the comment of a run tells of its results, verb by verb."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

from bot.reporting.headline import headline
from db.vocabulary import AGENT_PHASES_OF, Phase, RunStatus, Trigger, Verb
from tests.bot.example_runs import (
    FINDINGS,
    PAGES,
    PLAN,
    QUESTIONS,
    RUN_ID,
    SPEC,
    TASKS,
    VIEW,
    continuing_run,
    example_view,
    parts_of,
    state_of,
    succeeded_run,
)

ENDINGS: list[tuple[Verb, RunStatus, dict[str, Any]]] = [
    (Verb.SPECIFY, RunStatus.SUCCEEDED, {}),
    (Verb.CLARIFY, RunStatus.SUCCEEDED, {"answered": [{"number": 1, "question": "x", "answer": "EUR only"}]}),
    (Verb.CLARIFY, RunStatus.NO_CHANGES, {"questions": QUESTIONS}),
    (Verb.CLARIFY, RunStatus.NO_CHANGES, {"questions": []}),
    (Verb.PLAN, RunStatus.SUCCEEDED, {}),
    (Verb.TASKS, RunStatus.SUCCEEDED, {}),
    (Verb.CHECKLIST, RunStatus.SUCCEEDED, {}),
    (Verb.ANALYZE, RunStatus.NO_CHANGES, {"findings": FINDINGS}),
    (Verb.ANALYZE, RunStatus.NO_CHANGES, {"findings": FINDINGS[:1]}),
    (Verb.ANALYZE, RunStatus.NO_CHANGES, {"findings": []}),
    (Verb.IMPLEMENT, RunStatus.SUCCEEDED, {}),
    (Verb.CONSTITUTION, RunStatus.SUCCEEDED, {}),
    (Verb.REFINE, RunStatus.SUCCEEDED, {"section": {"path": SPEC, "heading": "Edge cases", "line": 40}}),
    (Verb.REFINE, RunStatus.NO_CHANGES, {"section": {"path": SPEC, "heading": "", "line": None}}),
    (Verb.PLAN, RunStatus.NO_CHANGES, {}),
]


def test_how_each_verb_ends() -> None:
    runs = [continuing_run(verb, status, details={AGENT_PHASES_OF[verb][-1]: found}) for verb, status, found in ENDINGS]
    view = example_view(questions_url=f"{VIEW.repository_url}/pull/12#issuecomment-91")
    assert [f"{run.verb}: {headline(run, view)}" for run in runs] == snapshot(
        [
            "specify: ✅ **Done.** The specification, the plan and the tasks are pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "clarify: ✅ **Done.** 1 answer is worked in and pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "clarify: ❓ **3 questions need an answer.** Choices stand in [their comment](https://github.example/acme/shop/pull/12#issuecomment-91).",
            "clarify: ➖ **No question is left to ask.**",
            "plan: ✅ **Done.** The plan and the tasks are pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "tasks: ✅ **Done.** The tasks are pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "checklist: ✅ **Done.** The checklist is pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "analyze: 🔎 **2 findings.** 1 of them critical or high.",
            "analyze: 🔎 **1 finding.** None of them is critical or high.",
            "analyze: ✅ **Nothing to object to.** The files fit each other.",
            "implement: ✅ **Done.** The work on the tasks is pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "constitution: ✅ **Done.** The constitution is pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "refine: ✅ **Done.** Section “Edge cases” of `spec.md` is changed and pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "refine: ➖ **Nothing to change.** The agent left the section of `spec.md` as it is.",
            "plan: ➖ **Nothing changed.** The agent wrote nothing that the branch does not hold already.",
        ]
    )


def test_questions_that_were_asked() -> None:
    run = continuing_run(Verb.CLARIFY, RunStatus.NO_CHANGES, details={Phase.SPECKIT_CLARIFY: {"questions": QUESTIONS}})
    parts = parts_of(run)
    assert [parts[0], parts[-1]] == snapshot(
        [
            "❓ **3 questions need an answer.** Choices stand in a comment of their own.",
            """\
- `/speckit clarify 1A 2A 3: YOUR ANSWER` answers them, with the letters you choose
- `/speckit clarify --accept-recommended` takes every recommended choice\
""",
        ]
    )


def test_findings_of_an_analysis() -> None:
    found = [*FINDINGS, {"severity": "|odd|", "summary": "", "recommendation": "@bob"}]
    run = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": found}})
    assert parts_of(run)[2] == snapshot("""\
| severity | where | finding | what to do |
|---|---|---|---|
| CRITICAL | [`specs/001-pay-by-invoice/tasks.md:7`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/tasks.md?plain=1#L7) | *A1 Ambiguity:* “Fast” is not measurable, `@bob` | Name a time. |
| LOW |  | *A2 Coverage:* No task for FR-001 \\| see `#1` | Add one. |
| \\|ODD\\| |  |  | `@bob` |\
""")


def test_at_most_thirty_findings() -> None:
    details = {Phase.SPECKIT_ANALYZE: {"findings": FINDINGS * 20}}
    run = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details=details)
    table, more = parts_of(run)[2:4]
    assert table.count("\n") == 31
    assert table.count("CRITICAL") == 20
    assert more == f"And 10 more on the [run page]({PAGES}/runs/{RUN_ID})."
    run.private = True
    assert parts_of(run)[3] == "And 10 more."


def test_a_changed_section_and_what_builds_on_it() -> None:
    details = {
        "section": {"path": SPEC, "heading": "Edge cases", "line": 40},
        "files": [{"path": SPEC, "added_lines": 1}],
        "stale": [PLAN, TASKS],
    }
    run = continuing_run(
        Verb.REFINE,
        trigger=Trigger.REVIEW_COMMENT,
        requested_spec_input="Name a time.",
        details={Phase.SPECKIT_REFINE: details, Phase.COMMIT_PUSH: {"commit_of": {"speckit_refine": "b" * 40}}},
    )
    assert parts_of(run) == snapshot(
        [
            "✅ **Done.** Section “Edge cases” of `spec.md` is changed and pushed to [pull request 12](https://github.example/acme/shop/pull/12).",
            "`bob` asked for `refine` in a review comment: Name a time.",
            "It is at [`specs/001-pay-by-invoice/spec.md:40`](https://github.example/acme/shop/blob/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/specs/001-pay-by-invoice/spec.md?plain=1#L40), changed by commit [`bbbbbbb`](https://github.example/acme/shop/commit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb).",
            "⚠️ Out of date, because what they build on changed: [`specs/001-pay-by-invoice/plan.md`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/plan.md) and [`specs/001-pay-by-invoice/tasks.md`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/tasks.md).",
            "Files at commit [`aaaaaaa`](https://github.example/acme/shop/commit/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa):",
            "- [`specs/001-pay-by-invoice/spec.md`](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/001-pay-by-invoice/spec.md) 1 line",
            "took 1 min 15 s · agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe) · branch `speckit/20261122/7f3a9c` · run `7f3a9c21-0000-4000-8000-00000000cafe`",
            "**Next:**",
            """\
- `/speckit plan` writes the plan again, so that it fits
- `/speckit clarify` asks what the specification leaves open
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at\
""",
        ]
    )


def test_links_lead_to_the_file_whatever_its_name() -> None:
    run = succeeded_run()
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"files": [{"path": "specs/a b|`c](x)#/ü.md", "added_lines": 2}]}
    assert parts_of(run)[3] == snapshot(
        "- [`specs/a b`\\|`` `c](x)#/ü.md ``](https://github.example/acme/shop/blob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/specs/a%20b%7C%60c%5D%28x%29%23/%C3%BC.md) 2 lines"
    )


def test_more_files_than_are_shown() -> None:
    run = succeeded_run()
    files = [{"path": f"specs/001/{n}.md", "added_lines": n} for n in range(100)]
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"files": files}
    lines = parts_of(run)[3].split("\n")
    assert (len(lines), lines[-1]) == (31, "- … and 70 more")
