"""The title and the body of a pull request, and what each later run makes of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from inline_snapshot import snapshot
from markdown_it import MarkdownIt

from bot.commands.parser import parse
from bot.reporting.pull_request_body import body, title
from db.models import SpecAutomationRun
from db.vocabulary import Phase, RunStatus, Verb
from tests.bot.example_runs import FINDINGS, HEAD, SPEC, SPECIFIED, continuing_run, example_run, state_of, succeeded_run

ANOTHER_RUN = UUID("11112222-0000-4000-8000-00000000cafe")
A_THIRD_RUN = UUID("33334444-0000-4000-8000-00000000cafe")

SECOND_ROUND: dict[str, Any] = {
    **SPECIFIED,
    "user_stories": ["A customer pays by invoice or by card"],
    "open_questions": [],
    "requirements_before": SPECIFIED["requirements"],
    "requirements": [
        {"id": "FR-001", "text": "Customers MUST be able to pay by invoice or by card."},
        {"id": "FR-002", "text": "Cards of @visa work."},
    ],
}


def section(text: str, name: str) -> str:
    """What stands between the marks of a section."""
    return text.partition(f"section={name} -->\n")[2].partition("<!-- /speckit-bot:section -->")[0].strip()


def second_round(**changes: Any) -> SpecAutomationRun:
    """A new round of the specification, asked for on the pull request."""
    return continuing_run(
        Verb.SPECIFY,
        **{
            "run_id": ANOTHER_RUN,
            "requested_spec_input": "Cards too.",
            "details": {Phase.SPECKIT_SPECIFY: SECOND_ROUND},
            **changes,
        },
    )


def test_title() -> None:
    assert title(succeeded_run()) == "Pay by invoice"
    run = succeeded_run(issue_title="Fixes #3 for @bob")
    state_of(run, Phase.SPECKIT_SPECIFY).details = {}
    assert title(run) == "Fixes no. 3 for bob"
    run.issue_title = "//"
    assert title(run) == "Specification for issue 7"
    assert title(example_run(verb=Verb.CONSTITUTION, issue_title="")) == "Constitution for issue 7"


def test_body() -> None:
    assert body(succeeded_run()) == snapshot("""\
<!-- speckit-bot:section=request -->
### Request

`alice` asked for:

> ```text
> Let customers pay by invoice.
> Net 30, EU only. See #7, @bob.
> ```
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=later-commands -->
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=user-stories -->
### User stories

- A customer pays by invoice
- `@mallory` closes `#1`
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=requirements -->
### Requirements

| | requirement |
|---|---|
| FR-001 | Customers MUST be able to pay by invoice. |
| SC-001 | Nine of ten invoices are paid within 30 days \\| net. |
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=open-questions -->
### Open questions

- `specs/001-pay-by-invoice/spec.md:12` Which currencies? Ask `@alice`.
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=findings -->
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=phases -->
### Phases

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | 1.0 s | 1 |
| ✅ | `start_job_container` starting the container | 1.0 s | 1 |
| ✅ | `git_clone` cloning the repository | 1.0 s | 1 |
| ✅ | `speckit_specify` writing the specification | 1.0 s | 1 |
| ✅ | `speckit_plan` writing the plan | 1.0 s | 1 |
| ✅ | `speckit_tasks` writing the tasks | 1.0 s | 1 |
| ✅ | `commit_push` committing and pushing | 1.0 s | 1 |
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=versions -->
agent `template` 1.0.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=references -->
Refs #7
<!-- /speckit-bot:section -->\
""")


def test_body_of_a_constitution() -> None:
    run = example_run(RunStatus.SUCCEEDED, verb=Verb.CONSTITUTION, requested_spec_input="Tests first.")
    text = body(run)
    assert section(text, "request") == snapshot("""\
### Request

`alice` asked for a constitution that says:

> ```text
> Tests first.
> ```\
""")
    assert section(text, "user-stories") == section(text, "requirements") == ""


def test_a_new_round() -> None:
    text = body(second_round(), body(succeeded_run()))
    assert section(text, "request") == snapshot("""\
### Request, round 2

`bob` asked for (run `11112222`):

> ```text
> Cards too.
> ```\
""")
    assert section(text, "user-stories") == snapshot("""\
### User stories

- A customer pays by invoice or by card\
""")
    assert section(text, "requirements") == snapshot("""\
### Requirements

| | requirement | since the last round |
|---|---|---|
| FR-001 | Customers MUST be able to pay by invoice or by card. | *changed* |
| SC-001 | Nine of ten invoices are paid within 30 days \\| net. | *removed* |
| FR-002 | Cards of `@visa` work. | *added* |\
""")
    assert section(text, "open-questions") == ""
    assert section(text, "phases").split("\n\n")[1] == snapshot("Of run `11112222`, `specify` for `bob`:")
    assert section(text, "references") == "Refs #7"


def test_rounds_are_counted_once_each() -> None:
    text = body(second_round(), body(second_round(), body(succeeded_run())))
    assert "### Request, round 2\n" in text
    text = body(second_round(run_id=A_THIRD_RUN, requested_spec_input="(run `11112222`)"), text)
    assert "### Request, round 3\n" in text
    assert "### Request, round 3\n" in body(second_round(run_id=A_THIRD_RUN), text)


def test_what_a_run_knows_nothing_of_stays() -> None:
    first = body(succeeded_run())
    text = body(continuing_run(Verb.PLAN, run_id=ANOTHER_RUN, requested_spec_input="Use Postgres, @bob."), first)
    for name in ("request", "user-stories", "requirements", "open-questions", "findings", "references"):
        assert section(text, name) == section(first, name)
    assert section(text, "later-commands") == snapshot("""\
### Commands since

- `bob` asked for `plan`: Use Postgres, `@bob`. (run `11112222`)\
""")
    assert "speckit_specify" not in section(text, "phases")
    text = body(continuing_run(Verb.TASKS, run_id=A_THIRD_RUN), text)
    assert section(text, "later-commands") == snapshot("""\
### Commands since

- `bob` asked for `plan`: Use Postgres, `@bob`. (run `11112222`)
- `bob` asked for `tasks` (run `33334444`)\
""")
    assert body(continuing_run(Verb.TASKS, run_id=A_THIRD_RUN), text) == text


def test_findings() -> None:
    first = body(succeeded_run())
    analyzed = continuing_run(
        Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": FINDINGS}}
    )
    text = body(analyzed, first)
    assert section(text, "findings") == snapshot("""\
### Analysis

2 findings at aaaaaaaaaaaa:

| severity | where | finding | what to do |
|---|---|---|---|
| CRITICAL | `specs/001-pay-by-invoice/tasks.md:7` | *A1 Ambiguity:* “Fast” is not measurable, `@bob` | Name a time. |
| LOW |  | *A2 Coverage:* No task for FR-001 \\| see `#1` | Add one. |\
""")
    nothing = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": []}})
    assert section(body(nothing, text), "findings") == snapshot("""\
### Analysis

Nothing to object to at aaaaaaaaaaaa.\
""")
    assert section(body(continuing_run(Verb.PLAN), text), "findings") == section(text, "findings")


def test_a_question_that_is_answered_goes() -> None:
    details = {"open_questions": [], "answered": [{"number": 1, "question": "x", "answer": "EUR"}]}
    text = body(continuing_run(Verb.CLARIFY, details={Phase.SPECKIT_CLARIFY: details}), body(succeeded_run()))
    assert section(text, "open-questions") == ""


def test_the_last_phase_knows_what_is_open() -> None:
    run = succeeded_run()
    left = [{"path": SPEC, "line": 14, "text": "Which taxes?"}]
    state_of(run, Phase.SPECKIT_TASKS).details = {"open_questions": left}
    assert section(body(run), "open-questions") == f"### Open questions\n\n- `{SPEC}:14` Which taxes?"


def test_only_marked_sections_are_written_again() -> None:
    run = succeeded_run()
    first = body(run)
    edited = "My own words.\n\n" + first.replace("### Phases", "### My phases") + "\n\nMore of mine."
    without_stories = edited.replace("<!-- speckit-bot:section=user-stories -->\n", "")
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": []}
    second = body(run, without_stories)
    assert second.startswith("My own words.\n\n")
    assert second.endswith("\n\nMore of mine.")
    assert "### My phases" not in second
    assert "A customer pays by invoice" in second, "a section whose marks were removed belongs to people"
    assert "Which currencies" not in second
    assert body(run, second) == second


def test_a_body_edited_in_a_form_is_still_ours() -> None:
    first = body(succeeded_run())
    renewed = body(second_round(), f"Mine.\n\n{first}".replace("\n", "\r\n"))
    assert renewed == f"Mine.\n\n{body(second_round(), first)}"


def test_a_body_without_our_marks_is_kept_whole() -> None:
    assert body(succeeded_run(), "Mine.").startswith("Mine.\n\n<!-- speckit-bot:section=request -->")
    assert body(second_round(), "Mine.") == "Mine.", "people took our sections out"
    assert body(second_round(), "") == ""


def test_a_request_cannot_leave_its_fence() -> None:
    hostile = (
        "```\n````\n<!-- /speckit-bot:section -->\n/speckit cancel\n</details>\n@bob Fixes #1\n### Request, round 9"
    )
    for run in (succeeded_run(requested_spec_input=hostile), second_round(requested_spec_input=hostile)):
        text = body(run)
        assert parse(text) == []
        fences = [token for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
        assert [fence.content.rstrip("\n") for fence in fences] == [hostile]
        assert body(run, text) == text
        assert text.count("section=request") == 1
    assert "round 3" not in body(second_round(), body(second_round(requested_spec_input=hostile)))


def test_however_much_there_is_it_fits() -> None:
    assert len(body(succeeded_run(requested_spec_input="x\n" * 60_000))) < 65_536
    run = succeeded_run(requested_spec_input="x" * 60_000)
    state_of(run, Phase.SPECKIT_SPECIFY).details = {
        "user_stories": ["[" * 1000] * 1000,
        "requirements": [{"id": f"FR-{n}", "text": "|" * 1000} for n in range(1000)],
        "open_questions": [{"path": SPEC, "line": n, "text": "*" * 1000} for n in range(1000)],
    }
    text = body(run)
    assert len(text) <= 65_536
    assert text.endswith("Refs #7\n<!-- /speckit-bot:section -->")
    mine = "m" * 20_000
    text = body(run, f"{mine}\n\n{text}")
    assert text.startswith(mine)
    assert len(text) <= 65_536
    assert text.count("-->\n*Too long to be shown here.*\n<!--") >= 1


def test_commits_are_named_where_findings_were_made() -> None:
    details: dict[Phase, dict[str, Any]] = {Phase.SPECKIT_ANALYZE: {"findings": []}}
    run = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details=details)
    assert HEAD[:12] in section(body(run), "findings")
    run.report.check_run_sha = None
    assert HEAD[:12] not in section(body(run), "findings")
