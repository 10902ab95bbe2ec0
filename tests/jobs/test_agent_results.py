"""Questions and findings that an agent left as JSON: strictly read, bounded, never trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.phases import agent_results
from jobs.phases.agent_results import findings_of, numbered, questions_of

QUESTION: dict[str, Any] = {
    "question": "Which countries?",
    "why": "Taxes differ.",
    "options": [{"letter": "A", "text": "EU"}, {"letter": "B", "text": "Everywhere"}],
    "recommended": "B",
    "path": "specs/001-x/spec.md",
    "line": 12,
}
FINDING: dict[str, Any] = {
    "id": "A1",
    "category": "Ambiguity",
    "severity": "high",
    "path": "specs/001-x/plan.md",
    "line": 3,
    "summary": "FR-001 is not in the plan.",
    "recommendation": "Plan it.",
}


def asked(**changes: Any) -> dict[str, Any]:
    (found,) = questions_of(json.dumps({"questions": [{**QUESTION, **changes}]}).encode(), in_project="")
    return found


def found(*findings: Any, in_project: str = "") -> list[dict[str, Any]]:
    return findings_of(json.dumps({"findings": findings}).encode(), in_project=in_project)


# Questions


def test_a_question_as_it_was_asked_for() -> None:
    assert asked() == {
        "text": "Which countries?",
        "why": "Taxes differ.",
        "options": [{"letter": "A", "text": "EU"}, {"letter": "B", "text": "Everywhere"}],
        "recommended": "B",
        "path": "specs/001-x/spec.md",
        "line": 12,
    }


def test_letters_are_in_order_whatever_the_agent_called_them() -> None:
    given = [{"letter": "x", "text": "EU"}, {"letter": "y", "text": " "}, "no", {"text": "Mars"}, {"letter": "z"}]
    question = asked(options=[*given, {"letter": "Q", "text": "Everywhere"}], recommended=" q ")
    assert [(option["letter"], option["text"]) for option in question["options"]] == [
        ("A", "EU"),
        ("B", "Mars"),
        ("C", "Everywhere"),
    ]
    assert question["recommended"] == "C"


@pytest.mark.parametrize("recommended", ["C", "", None, 2, ["B"], {"letter": "B"}, True])
def test_a_recommendation_of_nothing_is_none(recommended: object) -> None:
    assert asked(recommended=recommended)["recommended"] is None


@pytest.mark.parametrize("options", [None, 5, True, "AB", {"letter": "A"}, [1, None, []], 3.5])
def test_options_of_another_form_are_none(options: object) -> None:
    question = asked(options=options)
    assert (question["options"], question["recommended"]) == ([], None)


def test_many_options_and_questions_are_cut() -> None:
    options: list[dict[str, str]] = [{}] * 56_000 + [
        {"letter": str(number), "text": str(number)} for number in range(30)
    ]
    question = asked(options=options, recommended="5")
    assert [option["letter"] for option in question["options"]] == list("ABCDEF")
    assert question["recommended"] == "F"
    many = json.dumps({"questions": [QUESTION] * 100}).encode()
    assert len(questions_of(many, in_project="")) == agent_results.MOST_QUESTIONS


@pytest.mark.parametrize(
    ("path", "line", "place"),
    [
        ("spec.md", 3, ("shop/spec.md", 3)),
        ("spec.md", 0, ("shop/spec.md", None)),
        ("spec.md", True, ("shop/spec.md", None)),
        ("spec.md", "3", ("shop/spec.md", None)),
        ("spec.md", 10**9, ("shop/spec.md", None)),
        ("../spec.md", 3, (None, None)),
        ("/etc/passwd", 3, (None, None)),
        ("a\nb", 3, (None, None)),
        ("x" * 301, 3, (None, None)),
        ("", 3, (None, None)),
        (7, 3, (None, None)),
    ],
)
def test_a_place_is_a_plain_one_or_none(path: object, line: object, place: tuple[str | None, int | None]) -> None:
    result = json.dumps({"questions": [{**QUESTION, "path": path, "line": line}]}).encode()
    (question,) = questions_of(result, in_project="shop")
    assert (question["path"], question["line"]) == place


def test_text_is_one_line_of_bounded_length() -> None:
    question = asked(question="Which\n\ncountries\u202e?" + "x" * 1000, why=["no"])
    assert str(question["text"]).startswith("Which countries ?xxx")
    assert len(str(question["text"])) == agent_results.LONGEST_TEXT
    assert question["why"] == ""


def test_questions_without_words_are_left_out() -> None:
    result = json.dumps({"questions": [{"question": "\u200b"}, {"question": 4}, {}, 7, QUESTION]}).encode()
    assert len(questions_of(result, in_project="")) == 1


def test_numbers_begin_at_one_and_stop_where_there_is_no_room() -> None:
    assert [question["number"] for question in numbered([asked(), asked()])] == [1, 2]
    assert len(numbered([asked()] * 100)) == agent_results.MOST_QUESTIONS
    large = asked(question="💶" * 500, why="💶" * 500, options=[{"letter": "A", "text": "💶" * 500}] * 6)
    some = numbered([large] * 20)
    assert 0 < len(some) < 20
    assert len(json.dumps(some)) < agent_results.LARGEST_QUESTIONS + 1000


# Findings


def test_a_finding_as_it_was_asked_for() -> None:
    assert found(FINDING, in_project="shop") == [
        {**FINDING, "severity": "HIGH", "path": "shop/specs/001-x/plan.md"},
    ]


def test_the_gravest_come_first_in_the_order_they_were_found() -> None:
    severities = ["low", "critical", "whatever", 5, "CRITICAL", "medium"]
    told = found(*({**FINDING, "id": str(number), "severity": one} for number, one in enumerate(severities)))
    assert [(one["id"], one["severity"]) for one in told] == [
        ("1", "CRITICAL"),
        ("4", "CRITICAL"),
        ("5", "MEDIUM"),
        ("0", "LOW"),
        ("2", "LOW"),
        ("3", "LOW"),
    ]


def test_findings_are_counted_named_and_cut() -> None:
    told = found({"summary": "first"}, {"recommendation": "no summary"}, {"summary": "second", "id": "x" * 99})
    assert [one["id"] for one in told] == ["F1", "x" * 20]
    assert len(found(*[FINDING] * 500)) == agent_results.MOST_FINDINGS
    assert found() == []


# Nothing that can be read

BROKEN = [
    b"",
    b"no JSON",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b"7",
    b'"questions"',
    b'{"findings": []}',
    b"{" * 100_000,
    b'{"questions": ' * 20_000,
    b"[" * 250_000,
    b'{"questions": [' + b"[" * 100_000,
    b'{"questions": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("result", [*BROKEN, b'{"questions": {}}', b'{"questions": null}', b'{"questions": "many"}'])
def test_a_result_of_another_form_is_no_output(result: bytes) -> None:
    with pytest.raises(UserError) as refused:
        questions_of(result, in_project="")
    assert refused.value.code is ErrorCode.AGENT_NO_OUTPUT
    assert "questions" in refused.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.text(max_size=30)
        for name in (
            "question",
            "why",
            "options",
            "recommended",
            "path",
            "line",
            "id",
            "severity",
            "summary",
            "category",
        )
    },
)


@given(st.lists(ITEMS | JSON, max_size=5), st.sampled_from(["", "packages/api"]))
@settings(max_examples=400, deadline=None)
def test_any_result_is_read_or_refused(items: list[Any], project: str) -> None:
    result = json.dumps({"questions": items, "findings": items}).encode()
    questions = numbered(questions_of(result, in_project=project))
    findings = findings_of(result, in_project=project)
    for question in questions:
        letters = [option["letter"] for option in question["options"]]  # type: ignore[attr-defined]
        assert letters == list("ABCDEF")[: len(letters)]
        assert question["recommended"] in {None, *letters}
    for one in [*questions, *findings]:
        assert one["path"] is None or str(one["path"]).startswith(project)
        texts = [value for value in one.values() if isinstance(value, str)]
        assert all(text.isprintable() and len(text) <= agent_results.LONGEST_TEXT for text in texts)
    assert {one["severity"] for one in findings} <= set(agent_results.SEVERITIES)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused(result: bytes) -> None:
    for read in (questions_of, findings_of):
        with pytest.raises(UserError) as refused:
            read(result, in_project="")
        assert refused.value.code is ErrorCode.AGENT_NO_OUTPUT
