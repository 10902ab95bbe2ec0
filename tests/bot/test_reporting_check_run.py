"""The check run as GitHub gets it."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.reporting.check_run import check_run, superseded_check_run
from bot.reporting.run_view import RunView
from db.models import SpecAutomationRun
from db.turns import QueuePlace
from db.vocabulary import ErrorCode, Phase, RunStatus, Verb
from tests.bot.example_runs import (
    FINDINGS,
    HEAD,
    PLAN,
    QUESTIONS,
    SPEC,
    TASKS,
    VIEW,
    cancelled_run,
    continuing_run,
    example_run,
    example_view,
    failed_run,
    state_of,
    succeeded_run,
)

ASKED = continuing_run(Verb.CLARIFY, RunStatus.NO_CHANGES, details={Phase.SPECKIT_CLARIFY: {"questions": QUESTIONS}})
ANALYZED = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": FINDINGS}})


def payload(run: SpecAutomationRun, view: RunView = VIEW) -> dict[str, Any]:
    return check_run(run, view, head_sha=HEAD)


def no_question_open() -> SpecAutomationRun:
    """A run that succeeded and left nothing open."""
    run = succeeded_run()
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"heading": "Pay by invoice", "open_questions": []}
    return run


def test_a_run_that_succeeded() -> None:
    found = payload(succeeded_run())
    assert {**found, "output": None} == snapshot(
        {
            "name": "speckit",
            "head_sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "external_id": "7f3a9c21-0000-4000-8000-00000000cafe",
            "status": "completed",
            "output": None,
            "started_at": "2026-11-22T12:00:00Z",
            "conclusion": "action_required",
            "completed_at": "2026-11-22T12:01:15Z",
            "actions": [
                {
                    "label": "Next: analyze",
                    "description": "Checks the files against each other",
                    "identifier": "next:analyze",
                }
            ],
            "details_url": "https://bot.example/runs/7f3a9c21-0000-4000-8000-00000000cafe",
        }
    )
    assert found["output"]["annotations"] == snapshot(
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
    assert "| ✅ | `speckit_plan` writing the plan | 1.0 s | 1 |" in found["output"]["summary"]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (example_run(RunStatus.QUEUED), ("queued", None)),
        (example_run(at=Phase.OPEN_PR), ("in_progress", None)),
        (example_run(RunStatus.NO_CHANGES), ("completed", "neutral")),
        (continuing_run(Verb.PLAN, RunStatus.NO_CHANGES), ("completed", "neutral")),
        (no_question_open(), ("completed", "success")),
        (succeeded_run(), ("completed", "action_required")),
        (ASKED, ("completed", "action_required")),
        (ANALYZED, ("completed", "success")),
        (succeeded_run(dry_run=True), ("completed", "success")),
        (cancelled_run(), ("completed", "cancelled")),
        (failed_run(ErrorCode.AGENT_FAILED, "It ended."), ("completed", "failure")),
    ],
)
def test_status_and_conclusion(run: SpecAutomationRun, expected: tuple[str, str | None]) -> None:
    found = payload(run)
    assert (found["status"], found.get("conclusion")) == expected
    assert ("actions" in found) == (found["status"] == "completed"), "buttons show on a completed check only"


def test_titles() -> None:
    waiting = example_view(place=QueuePlace(2, ("abcdef12",), 180.0))
    told = [
        payload(example_run(RunStatus.QUEUED), waiting),
        payload(example_run(at=Phase.OPEN_PR)),
        payload(failed_run(ErrorCode.AGENT_FAILED, "")),
        payload(succeeded_run()),
        payload(no_question_open()),
        payload(continuing_run(Verb.PLAN)),
        payload(ANALYZED),
        payload(ASKED, example_view(questions_url="https://github.example/acme/shop/pull/12#issuecomment-9")),
        payload(cancelled_run()),
    ]
    assert [found["output"]["title"] for found in told] == snapshot(
        [
            "Waiting: place 2 in the queue of this repository",
            "Opening the pull request (phase 8 of 9).",
            "Not done: the run stopped while writing the plan.",
            "Pay by invoice: 1 open question",
            "Pay by invoice: no open questions",
            "Done. The plan and the tasks are pushed to pull request 12.",
            "2 findings. 1 of them critical or high.",
            "3 questions need an answer. Choices stand in their comment.",
            "Cancelled by bob. Nothing more happens in this run.",
        ]
    )


def test_buttons() -> None:
    assert payload(failed_run(ErrorCode.AGENT_FAILED, "It ended."))["actions"] == snapshot(
        [{"label": "Retry", "description": "Goes on where the run stopped", "identifier": "retry"}]
    )
    assert payload(cancelled_run())["actions"][0]["identifier"] == "retry"
    assert payload(failed_run(ErrorCode.CLONE_BASE_NOT_FOUND, "No."))["actions"] == []
    assert payload(succeeded_run())["actions"] == snapshot(
        [{"label": "Next: analyze", "description": "Checks the files against each other", "identifier": "next:analyze"}]
    )
    assert payload(ASKED)["actions"] == []
    assert payload(cancelled_run(), example_view(commands_off=frozenset({"retry"})))["actions"] == []


def test_buttons_have_the_sizes_that_github_takes() -> None:
    stale = [[PLAN, TASKS], [TASKS], ["specs/001/checklists/ux.md"], []]
    runs = [failed_run(ErrorCode.AGENT_FAILED, "x"), no_question_open()]
    runs += [continuing_run(Verb.CLARIFY, details={Phase.SPECKIT_CLARIFY: {"stale": files}}) for files in stale]
    runs.append(continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES))
    everything = example_view(commands_off=frozenset())
    buttons = [button for run in runs for button in payload(run, everything)["actions"]]
    assert {button["identifier"] for button in buttons} == {
        "retry", "next:analyze", "next:plan", "next:tasks", "next:checklist", "next:implement",
    }  # fmt: skip
    for button in buttons:
        assert len(button["label"]) <= 20
        assert len(button["identifier"]) <= 20
        assert len(button["description"]) <= 40


def test_findings_are_notes_on_their_lines() -> None:
    assert payload(ANALYZED)["output"]["annotations"] == snapshot(
        [
            {
                "path": "specs/001-pay-by-invoice/tasks.md",
                "start_line": 7,
                "end_line": 7,
                "annotation_level": "warning",
                "title": "CRITICAL: A1 Ambiguity",
                "message": "“Fast” is not measurable, bob → Name a time.",
            }
        ]
    )


def test_asked_questions_and_stale_files_are_notes() -> None:
    assert payload(ASKED)["output"]["annotations"] == snapshot(
        [
            {
                "path": "specs/001-pay-by-invoice/spec.md",
                "start_line": 12,
                "end_line": 12,
                "annotation_level": "notice",
                "title": "Question 1",
                "message": "Which currencies can an invoice have?",
            },
            {
                "path": "specs/001-pay-by-invoice/spec.md",
                "start_line": 30,
                "end_line": 30,
                "annotation_level": "notice",
                "title": "Question 3",
                "message": "Who is told?",
            },
        ]
    )
    stale = continuing_run(Verb.CLARIFY, details={Phase.SPECKIT_CLARIFY: {"stale": [TASKS]}})
    assert payload(stale)["output"]["annotations"] == snapshot(
        [
            {
                "path": "specs/001-pay-by-invoice/tasks.md",
                "start_line": 1,
                "end_line": 1,
                "annotation_level": "notice",
                "title": "Out of date",
                "message": "What this file builds on changed after it was written.",
            }
        ]
    )


def test_the_gravest_have_a_note_of_their_own_kind() -> None:
    severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "odd"]
    found = [{"severity": severity, "path": SPEC, "line": 1, "summary": "x"} for severity in severities]
    run = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": found}})
    levels = [note["annotation_level"] for note in payload(run)["output"]["annotations"]]
    assert levels == ["warning", "warning", "notice", "notice", "notice"]


def test_an_agent_cannot_put_notes_anywhere() -> None:
    paths = ["/etc/spec.md", "../spec.md", "src/pay.py", "a//spec.md", "specs/001/\u202espec.md", "", SPEC]
    found = [{"severity": "HIGH", "path": path, "line": 3, "summary": "x"} for path in paths]
    run = continuing_run(Verb.ANALYZE, RunStatus.NO_CHANGES, details={Phase.SPECKIT_ANALYZE: {"findings": found}})
    assert [note["path"] for note in payload(run)["output"]["annotations"]] == [SPEC]


def test_no_notes_before_the_files_are_there() -> None:
    assert payload(example_run(at=Phase.COMMIT_PUSH))["output"]["annotations"] == []
    assert payload(failed_run(ErrorCode.PUBLISH_REFUSED, "x", at=Phase.COMMIT_PUSH))["output"]["annotations"] == []
    assert payload(succeeded_run(dry_run=True))["output"]["annotations"] == []


def test_a_check_run_that_went_on_elsewhere() -> None:
    assert superseded_check_run(succeeded_run(), "b" * 40, HEAD) == snapshot(
        {
            "name": "speckit",
            "head_sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "external_id": "7f3a9c21-0000-4000-8000-00000000cafe",
            "status": "completed",
            "conclusion": "neutral",
            "actions": [],
            "output": {
                "title": "Went on at aaaaaaa",
                "summary": "The run pushed commit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; its check run is there now.",
                "annotations": [],
            },
        }
    )


def test_a_huge_summary_is_cut_between_parts() -> None:
    run = failed_run(ErrorCode.AGENT_FAILED, "x" * 100_000)
    run.requested_spec_input = "[" * 100_000
    output = payload(run)["output"]
    assert len(output["summary"]) <= 65_535
    assert output["summary"].count("| `") == 9
