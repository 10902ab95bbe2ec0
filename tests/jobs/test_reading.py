"""What a task state keeps of an agent phase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from db.vocabulary import Phase, Verb
from jobs.errors import UserError
from jobs.patches import Patch, parse_patch
from jobs.phases import reading
from jobs.phases.assignment import assign
from jobs.phases.reading import Made, alternatives, details_of, questions_of_marks
from jobs.ports import AgentReport
from tests.jobs.fake_tree import FEATURE, PLAN, SPEC, TASKS, difference
from tests.jobs.test_assignment import ANSWERS, DOCS, request_for

NOTHING = Made(FEATURE, DOCS, DOCS, Patch((), 0), b"")


def told(
    verb: Verb,
    phase: Phase,
    after: Mapping[str, bytes] | None = None,
    before: Mapping[str, bytes] = DOCS,
    report: AgentReport | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The details of a phase that brought the feature's documents from ``before`` to ``after``."""
    request = request_for(verb, **changes)
    assignment = assign(request, phase, FEATURE, before)
    after = before if after is None else after
    patch = difference(before, after)
    made = Made(FEATURE, before, after, parse_patch(patch), patch)
    return details_of(request, assignment, report or AgentReport(0), made)


def document(name: str, content: bytes) -> dict[str, bytes]:
    return {f"{FEATURE}/{name}": content}


# What every phase leaves


def test_the_agents_own_words_and_figures() -> None:
    report = AgentReport(0, 10, 5, "I planned it.", 0.25)
    details = told(Verb.PLAN, Phase.SPECKIT_PLAN, {**DOCS, **document("plan.md", b"# Better\n")}, report=report)
    assert details == {
        "feature_directory": FEATURE,
        "files": [{"path": f"{FEATURE}/plan.md", "added_lines": 1}],
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": 0.25,
        "summary": "I planned it.",
        "open_questions": [{"path": f"{FEATURE}/spec.md", "line": 9, "text": "how many days?"}],
    }


def test_a_constitution_has_no_feature() -> None:
    request = request_for(Verb.CONSTITUTION)
    assignment = assign(request, Phase.SPECKIT_CONSTITUTION, "", {})
    details = details_of(request, assignment, AgentReport(0), Made("", {}, {}, Patch((), 0), b""))
    assert details["feature_directory"] == ""
    assert "open_questions" not in details
    assert "requirements" not in details


def test_a_first_round_has_nothing_before_it() -> None:
    details = told(Verb.SPECIFY, Phase.SPECKIT_SPECIFY, document("spec.md", SPEC), before={})
    assert "requirements_before" not in details
    assert [one["id"] for one in details["requirements"]] == ["FR-001", "FR-002"]
    assert (details["heading"], len(details["user_stories"])) == ("Pay by invoice", 2)


def test_a_further_round_tells_what_was_there() -> None:
    spec = SPEC.replace(b"- **FR-002**: Customers see their invoices.", b"- **FR-003**: Customers get a mail.")
    details = told(Verb.SPECIFY, Phase.SPECKIT_SPECIFY, {**DOCS, **document("spec.md", spec)})
    assert [one["id"] for one in details["requirements_before"]] == ["FR-001", "FR-002"]
    assert [one["id"] for one in details["requirements"]] == ["FR-001", "FR-003"]


def test_a_document_that_is_no_text_is_read_all_the_same() -> None:
    details = told(Verb.SPECIFY, Phase.SPECKIT_SPECIFY, {**DOCS, **document("spec.md", b"# \xff\x00\n")})
    assert details["requirements"] == []


def test_no_details_are_larger_than_a_row_may_be() -> None:
    long = "💶" * 400
    spec = "".join(f"- **FR-{number}**: {long}\n" for number in range(1, 201)).encode()
    details = told(
        Verb.SPECIFY, Phase.SPECKIT_SPECIFY, document("spec.md", spec + b"more\n"), before=document("spec.md", spec)
    )
    assert len(json.dumps(details)) <= reading.LARGEST_DETAILS
    assert details["requirements"]
    assert details["requirements_before"]


# Stale documents


@pytest.mark.parametrize(
    ("verb", "phase", "changed", "changes", "stale"),
    [
        (Verb.SPECIFY, Phase.SPECKIT_SPECIFY, ["spec.md"], {}, []),
        (Verb.SPECIFY, Phase.SPECKIT_SPECIFY, ["spec.md"], {"until": Phase.SPECKIT_PLAN}, ["tasks.md"]),
        (Verb.SPECIFY, Phase.SPECKIT_SPECIFY, ["spec.md"], {"until": Phase.SPECKIT_SPECIFY}, ["plan.md", "tasks.md"]),
        (Verb.PLAN, Phase.SPECKIT_PLAN, ["plan.md"], {}, []),
        (Verb.PLAN, Phase.SPECKIT_PLAN, ["plan.md"], {"until": Phase.SPECKIT_PLAN}, ["tasks.md"]),
        (Verb.TASKS, Phase.SPECKIT_TASKS, ["tasks.md"], {}, []),
        (Verb.CLARIFY, Phase.SPECKIT_CLARIFY, ["spec.md"], {"arguments": ANSWERS}, ["plan.md", "tasks.md"]),
        (Verb.CLARIFY, Phase.SPECKIT_CLARIFY, [], {"arguments": ANSWERS}, []),
        (Verb.CLARIFY, Phase.SPECKIT_CLARIFY, ["spec.md", "plan.md"], {"arguments": ANSWERS}, ["tasks.md"]),
        (Verb.REFINE, Phase.SPECKIT_REFINE, ["spec.md"], {"text": "FR-002"}, ["plan.md", "tasks.md"]),
        (Verb.REFINE, Phase.SPECKIT_REFINE, ["plan.md"], {"text": "FR-002"}, ["tasks.md"]),
        (Verb.REFINE, Phase.SPECKIT_REFINE, ["tasks.md"], {"text": "FR-002"}, []),
        (Verb.IMPLEMENT, Phase.SPECKIT_IMPLEMENT, ["tasks.md"], {}, []),
        (Verb.CHECKLIST, Phase.SPECKIT_CHECKLIST, ["checklists/ux.md"], {}, []),
    ],
)
def test_what_no_longer_fits(
    verb: Verb, phase: Phase, changed: list[str], changes: dict[str, Any], stale: list[str]
) -> None:
    after = {**DOCS, **{f"{FEATURE}/{name}": b"new\n" for name in changed}}
    details = told(verb, phase, after, **changes)
    assert details.get("stale", []) == [f"{FEATURE}/{name}" for name in stale]


def test_only_what_is_there_can_be_stale() -> None:
    before = {**document("spec.md", SPEC), **document("plan.md", PLAN)}
    details = told(
        Verb.CLARIFY, Phase.SPECKIT_CLARIFY, {**before, **document("spec.md", b"new\n")}, before, arguments=ANSWERS
    )
    assert details["stale"] == [f"{FEATURE}/plan.md"]


# Questions


def asks(result: object, **changes: Any) -> list[dict[str, Any]]:
    report = AgentReport(0, result=json.dumps(result).encode())
    questions: list[dict[str, Any]] = told(Verb.CLARIFY, Phase.SPECKIT_CLARIFY, report=report, **changes)["questions"]
    return questions


def test_what_the_agent_asks_comes_first_then_the_marks_it_did_not_ask_about() -> None:
    questions = asks({"questions": [{"question": "Which countries?"}]})
    assert [(one["number"], one["text"]) for one in questions] == [(1, "Which countries?"), (2, "how many days?")]
    assert (questions[1]["path"], questions[1]["line"]) == (f"{FEATURE}/spec.md", 9)


def test_a_mark_that_the_agent_asks_about_is_asked_once() -> None:
    (question,) = asks({"questions": [{"question": "How  many days ?", "options": [{"letter": "A", "text": "30"}]}]})
    assert question["options"] == [{"letter": "A", "text": "30"}]


def test_marks_alone_are_questions() -> None:
    assert [one["text"] for one in asks({"questions": []})] == ["how many days?"]


def test_a_question_that_two_marks_ask_is_one_and_empty_marks_stay_apart() -> None:
    marks = [
        {"path": "spec.md", "line": line, "text": text}
        for line, text in enumerate(["days?", "", "Days", "", "hours?"], start=1)
    ]
    questions = questions_of_marks(marks)
    assert [(one["line"], one["text"]) for one in questions] == [
        (1, "days?"),
        (2, "Something is to be clarified here."),
        (4, "Something is to be clarified here."),
        (5, "hours?"),
    ]


def test_a_result_nobody_can_read_is_no_result() -> None:
    with pytest.raises(UserError, match="left no questions"):
        asks(["questions"])
    with pytest.raises(UserError, match="left no findings"):
        told(Verb.ANALYZE, Phase.SPECKIT_ANALYZE, report=AgentReport(0, result=b"{}"))


def test_answers_that_were_worked_in_are_told() -> None:
    details = told(Verb.CLARIFY, Phase.SPECKIT_CLARIFY, arguments=ANSWERS)
    assert details["answered"] == ANSWERS["answers"]
    assert "questions" not in details


def test_findings_are_told() -> None:
    report = AgentReport(0, result=b'{"findings": [{"summary": "A gap", "severity": "high"}]}')
    (finding,) = told(Verb.ANALYZE, Phase.SPECKIT_ANALYZE, report=report)["findings"]
    assert (finding["summary"], finding["severity"]) == ("A gap", "HIGH")


def test_the_section_is_told_in_paths_of_the_repository() -> None:
    feature = f"shop/{FEATURE}"
    documents = {f"shop/{path}": content for path, content in DOCS.items()}
    request = request_for(Verb.REFINE, text="FR-002", project="shop", feature_directory=feature)
    assignment = assign(request, Phase.SPECKIT_REFINE, feature, documents)
    assert assignment.command.section is not None
    assert assignment.command.section.path == f"{FEATURE}/spec.md"
    made = Made(feature, documents, documents, Patch((), 0), b"")
    assert details_of(request, assignment, AgentReport(0), made)["section"] == {
        "path": f"{feature}/spec.md",
        "heading": "FR-002: Customers see their invoices.",
        "line": 10,
    }


@pytest.mark.parametrize(
    ("question", "offered"),
    [
        ("auth method - email/password, SSO, or OAuth?", ["email/password", "SSO", "OAuth"]),
        ("Which base: SQLite or Postgres?", ["SQLite", "Postgres"]),
        ("Retention – 30 days, 90 days.", ["30 days", "90 days"]),
        ("Who pays: the customer, the shop or both", ["the customer", "the shop", "both"]),
        ("how many days?", []),
        ("Which region: EU only?", []),
        ("Which: a, b, c, d, e, f, g?", []),
        (f"Which: {'x' * 61} or y?", []),
        ("Which: , or b?", []),
        ("well-known or not", []),
        ("", []),
        (": or", []),
    ],
)
def test_what_a_question_offers_by_itself(question: str, offered: list[str]) -> None:
    assert alternatives(question) == offered
    (asked,) = questions_of_marks([{"path": "spec.md", "line": 1, "text": question or "?"}])
    assert asked["options"] == [
        {"letter": letter, "text": text} for letter, text in zip("ABCDEF", offered, strict=False)
    ]


def test_the_documents_are_those_of_the_feature() -> None:
    assert (NOTHING.text("tasks.md"), NOTHING.text("data-model.md", before=True)) == (TASKS.decode(), "")
