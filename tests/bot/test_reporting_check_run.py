"""The check run and the pull request as GitHub gets them."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot
from markdown_it import MarkdownIt

from bot.commands.parser import parse
from bot.reporting import pull_request
from bot.reporting.check_run import check_run
from db.models import SpecAutomationRun
from db.vocabulary import ErrorCode, Phase, RunStatus
from tests.bot.example_runs import NOW, PAGES, example_run, failed_run, state_of, succeeded_run

SHA = "a" * 40


def payload(run: SpecAutomationRun) -> dict[str, Any]:
    return check_run(run, NOW, head_sha=SHA, run_page_base=PAGES, prefix="/speckit")


def test_check_run_of_a_run_that_succeeded() -> None:
    found = payload(succeeded_run())
    assert {**found, "output": None} == snapshot(
        {
            "name": "speckit",
            "head_sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "external_id": "7f3a9c21-0000-4000-8000-00000000cafe",
            "status": "completed",
            "output": None,
            "started_at": "2026-11-22T12:00:00Z",
            "conclusion": "success",
            "completed_at": "2026-11-22T12:01:15Z",
            "details_url": "https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe",
        }
    )
    output = found["output"]
    assert output["title"] == snapshot("Pay by invoice: 1 open question")
    assert output["annotations"] == snapshot(
        [
            {
                "path": "specs/001-pay-by-invoice/spec.md",
                "start_line": 12,
                "end_line": 12,
                "annotation_level": "notice",
                "title": "Needs clarification",
                "message": "Which currencies? Ask alice.",
            }
        ]
    )
    assert "| ✅ | `speckit_plan` writing the plan | 1.0 s | 1 |" in output["summary"]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (example_run(RunStatus.QUEUED), ("queued", None)),
        (example_run(at=Phase.OPEN_PR), ("in_progress", None)),
        (example_run(RunStatus.NO_CHANGES), ("completed", "neutral")),
        (failed_run(ErrorCode.RUN_CANCELLED, "Cancelled by bob."), ("completed", "cancelled")),
        (failed_run(ErrorCode.AGENT_FAILED, "It ended."), ("completed", "failure")),
    ],
)
def test_status_and_conclusion(run: SpecAutomationRun, expected: tuple[str, str | None]) -> None:
    found = payload(run)
    assert (found["status"], found.get("conclusion")) == expected


def test_check_run_titles() -> None:
    titles = [
        payload(run)["output"]["title"]
        for run in (example_run(at=Phase.OPEN_PR), failed_run(ErrorCode.AGENT_FAILED, ""))
    ]
    assert titles == snapshot(
        ["Opening the pull request (phase 8 of 9).", "Not done: the run stopped while writing the plan."]
    )


def test_a_huge_summary_is_cut_between_parts() -> None:
    run = failed_run(ErrorCode.AGENT_FAILED, "x" * 100_000)
    run.requested_spec_input = "[" * 100_000
    output = payload(run)["output"]
    assert len(output["summary"]) <= 65_535
    assert output["summary"].count("| `") == 9


def test_title_of_the_pull_request() -> None:
    assert pull_request.title(succeeded_run()) == "Pay by invoice"
    run = succeeded_run(issue_title="Fixes #3 for @bob")
    state_of(run, Phase.SPECKIT_SPECIFY).details = {}
    assert pull_request.title(run) == "Fixes no. 3 for bob"
    run.issue_title = "//"
    assert pull_request.title(run) == "Specification for issue 7"


def test_body_of_the_pull_request() -> None:
    assert pull_request.body(succeeded_run()) == snapshot("""\
<!-- speckit-bot:section=request -->
### Request

`alice` asked for:

> ```text
> Let customers pay by invoice.
> Net 30, EU only. See #7, @bob.
> ```
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=user-stories -->
### User stories

- A customer pays by invoice
- `@mallory` closes `#1`
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=open-questions -->
### Open questions

- `specs/001-pay-by-invoice/spec.md:12` Which currencies? Ask `@alice`.
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


def test_only_marked_sections_are_written_again() -> None:
    run = succeeded_run()
    first = pull_request.body(run)
    edited = "My own words.\n\n" + first.replace("### Phases", "### My phases") + "\n\nMore of mine."
    without_stories = edited.replace("<!-- speckit-bot:section=user-stories -->\n", "")
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": []}
    second = pull_request.body(run, without_stories)
    assert second.startswith("My own words.\n\n")
    assert second.endswith("\n\nMore of mine.")
    assert "### My phases" not in second
    assert "A customer pays by invoice" in second, "a section whose marks were removed belongs to people"
    assert "Which currencies" not in second
    assert pull_request.body(run, second) == second


def test_a_body_without_our_marks_is_kept_whole() -> None:
    assert pull_request.body(succeeded_run(), "Mine.").startswith("Mine.\n\n<!-- speckit-bot:section=request -->")


def test_a_request_cannot_leave_its_fence() -> None:
    hostile = "```\n````\n<!-- /speckit-bot:section -->\n/speckit cancel\n</details>\n@bob Fixes #1"
    body = pull_request.body(succeeded_run(requested_spec_input=hostile))
    assert parse(body) == []
    fences = [token for token in MarkdownIt("commonmark").parse(body) if token.type == "fence"]
    assert [fence.content.rstrip("\n") for fence in fences] == [hostile]
    assert pull_request.body(succeeded_run(), body).count("section=request") == 1
    assert len(pull_request.body(succeeded_run(requested_spec_input="x\n" * 60_000))) < 65_536
