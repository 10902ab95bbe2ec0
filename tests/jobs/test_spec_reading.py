"""What is read from a specification for the reports, whatever an agent wrote there."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.patches import parse_patch
from jobs.phases import spec_reading
from jobs.phases.spec_reading import files_of, open_questions, requirements, spec_heading, user_stories
from tests.jobs.fake_tree import added, between

SECONDS = 3.0
"""Far more than a document of the largest size may take, far less than anything that grows with its square."""
LARGE = 128 << 10

PIECES = st.sampled_from(
    [
        *("\n", "\r\n", " ", "\t", "#", "# ", "### User Story 1 - ", "### User Story 2: ", "(Priority: P1)", "🎯 MVP"),
        *(
            "- **FR-001**: ",
            "- **SC-002:** ",
            "* **fr-1a** ",
            "**",
            "[NEEDS CLARIFICATION",
            ": ",
            "]",
            "[",
            "x",
            "é",
            "\0",
        ),
        *("# Feature Specification: ", "\u202e", "\U000e0041", "`", "FR-001"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("# Feature Specification: Pay by invoice\n", "Pay by invoice"),
        ("intro\n# Feature Specification:Pay\n# Other\n", "Pay"),
        ("# Pay by invoice\r\nmore\n", "Pay by invoice"),
        ("# \n# \u200b\n# Second\n", "Second"),
        ("## No\n#No\n", ""),
        ("", ""),
        (f"# {'x' * 500}\n", "x" * 119 + "…"),
        ("# a\tb  c\n", "a b c"),
    ],
)
def test_the_heading(text: str, heading: str) -> None:
    assert spec_heading(text) == heading


def test_user_stories_without_priority_and_sign() -> None:
    text = (
        "### User Story 1 - Choose an invoice (Priority: P1) 🎯 MVP\n"
        "### User Story 2: Get reminded (Priority: P2)\n"
        "### User Story 3 – Pay (in parts)\n"
        "### User Story 4 - (Priority: P3)\n"
        "#### User Story 5 - Too deep\n"
        "### User Stories\n"
    )
    assert user_stories(text) == ["Choose an invoice", "Get reminded", "Pay (in parts)"]
    assert len(user_stories("### User Story 1 - One more\n" * 50)) == spec_reading.MOST_STORIES


def test_requirements_in_their_order_the_first_of_each() -> None:
    text = (
        "- **FR-001**: Customers pay by invoice.\n"
        "- **FR-002:** They get **reminded**.\n"
        "  * **sc-001**: 95 % within 30 days\n"
        "- **FR-001**: Once more.\n"
        "- **FR-003**:\n"
        "- FR-004: not bold\n"
        "- **NFR-005**: another kind\n"
        "- **FR-006a**   spaces\t and  tabs  \n"
    )
    assert requirements(text) == [
        {"id": "FR-001", "text": "Customers pay by invoice."},
        {"id": "FR-002", "text": "They get **reminded**."},
        {"id": "SC-001", "text": "95 % within 30 days"},
        {"id": "FR-006A", "text": "spaces and tabs"},
    ]


def test_no_more_requirements_than_a_report_can_hold() -> None:
    text = "".join(f"- **FR-{number}**: {'x' * 1000}\n" for number in range(500))
    found = requirements(text)
    assert len(found) == spec_reading.MOST_REQUIREMENTS
    assert {len(one["text"]) for one in found} == {spec_reading.LONGEST_REQUIREMENT}


def test_marks_with_their_place() -> None:
    documents = {
        "specs/1/spec.md": b"a\n- [NEEDS CLARIFICATION: how many days?] and [NEEDS CLARIFICATION]\n",
        "specs/1/plan.md": b"[NEEDS CLARIFICATION which  base\tof data] \xff [NEEDS CLARIFICATION: no end\n",
    }
    assert open_questions(documents) == [
        {"path": "specs/1/spec.md", "line": 2, "text": "how many days?"},
        {"path": "specs/1/spec.md", "line": 2, "text": ""},
        {"path": "specs/1/plan.md", "line": 1, "text": "which base of data"},
    ]
    assert len(open_questions({"x": b"[NEEDS CLARIFICATION: x]\n" * 100})) == spec_reading.MOST_QUESTIONS


def test_files_that_a_patch_writes() -> None:
    patch = added("specs/1/spec.md", b"a\nb\n") + between("specs/1/old.md", b"a\n", None)
    assert files_of(parse_patch(patch)) == [{"path": "specs/1/spec.md", "added_lines": 2}]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_within_bounds(text: str) -> None:
    assert len(spec_heading(text)) <= spec_reading.LONGEST_TITLE
    stories = user_stories(text)
    marks = open_questions({"spec.md": text.encode("utf-8", "surrogatepass")})
    found = requirements(text)
    last = text.count("\n") + 1
    assert all(0 < len(story) <= spec_reading.LONGEST_TITLE for story in stories)
    assert all(1 <= int(str(mark["line"])) <= last for mark in marks)
    shown = [*stories, spec_heading(text), *(str(mark["text"]) for mark in marks), *(one["text"] for one in found)]
    assert all(line.isprintable() for line in shown)
    assert len({one["id"] for one in found}) == len(found)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "\n",
            " ",
            "-",
            "- ",
            "-\n\n",
            "- **FR-001**: x\n",
            "- **FR-001** ",
            "#",
            "# ",
            "#\n",
            "### User Story 1 - x ",
        ),
        *("### User Story 1 -", "(Priority:", "[NEEDS CLARIFICATION", "[NEEDS CLARIFICATION ", "[NEEDS CLARIFICATION]"),
        *("🎯", "x", "]", "\t", "### User Story 1 -     \n"),
    ],
)
def test_a_hostile_text_costs_no_time(piece: str) -> None:
    text = (piece * LARGE)[:LARGE]
    for begins in ("", "### User Story 1 - ", "- **FR-001**:", "[NEEDS CLARIFICATION", "# "):
        began = time.process_time()
        spec_heading(begins + text)
        user_stories(begins + text)
        requirements(begins + text)
        open_questions({"spec.md": (begins + text).encode()})
        assert time.process_time() - began < SECONDS, begins
