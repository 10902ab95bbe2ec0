"""Which lines somebody means, and whether an agent stayed within them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.phases.sections import LONGEST_HEADING, Place, section_at, section_named, stays_within

TEXT = """Intro before any heading.

# Feature Specification: Pay by invoice

## User Scenarios & Testing *(mandatory)*

### User Story 1 - Choose an invoice (Priority: P1)

Customers choose it.

### User Story 12 - Get reminded (Priority: P2)

They get a mail.

## Requirements *(mandatory)*

- **FR-001**: Customers pay by invoice,
  net 30.
  - **FR-002**: Within the EU
    only.
  - Nested, without a number.
- **FR-003**: They see their invoices.

1. First
2. Second

```text
# not a heading
src/
```

Still the same section.

## Success Criteria ##

- [ ] T001 [P] Model

"""
LINES = TEXT.split("\n")


def line_of(words: str) -> int:
    return next(number for number, line in enumerate(LINES, start=1) if words in line)


def test_the_lines_of_a_place() -> None:
    found = section_at(TEXT, line_of("They get a mail"))
    assert found == Place("User Story 12 - Get reminded (Priority: P2)", 11, 13)


@pytest.mark.parametrize(
    ("at", "first", "last"),
    [
        ("FR-001", "FR-001", "Nested, without"),
        ("net 30.", "FR-001", "Nested, without"),
        ("FR-002", "FR-002", "only."),
        ("only.", "FR-002", "only."),
        ("Nested, without", "Nested, without", "Nested, without"),
        ("FR-003", "FR-003", "FR-003"),
        ("2. Second", "2. Second", "2. Second"),
        ("# not a heading", "## Requirements", "Still the same"),
        ("Still the same", "## Requirements", "Still the same"),
        ("## Requirements", "## Requirements", "Still the same"),
        ("## User Scenarios", "## User Scenarios", "They get a mail"),
        ("Customers choose it", "### User Story 1 -", "Customers choose it"),
        ("Intro before", "Intro before", "Intro before"),
        ("# Feature Spec", "# Feature Spec", "T001"),
    ],
)
def test_what_a_comment_on_a_line_points_at(at: str, first: str, last: str) -> None:
    place = section_at(TEXT, line_of(at))
    assert place is not None
    assert (place.first_line, place.last_line) == (line_of(first), line_of(last))


def test_a_comment_on_the_last_and_beyond() -> None:
    end = len(LINES)
    place = section_at(TEXT, end)
    assert place == Place("Success Criteria", line_of("## Success"), end)
    assert section_at(TEXT, end + 1) is None
    assert section_at(TEXT, 0) is None
    assert section_at(TEXT, -3) is None
    assert section_at("", 1) == Place("", 1, 1)


@pytest.mark.parametrize(
    ("wish", "first"),
    [
        ("FR-003 is to name the customer", "FR-003"),
        ("make fr-3 shorter", "FR-003"),
        ("FR-002: only Germany", "FR-002"),
        ("split T1 in two", "T001"),
        ("Change user story 12, it is too long", "### User Story 12"),
        ("user story 1 please", "### User Story 1 -"),
        ("the success criteria must be measurable", "## Success"),
        ("FR-099 and FR-003", "FR-003"),
        ("rewrite “User Scenarios & Testing”", "## User Scenarios"),
    ],
)
def test_what_a_wish_names(wish: str, first: str) -> None:
    place = section_named(TEXT, wish)
    assert place is not None
    assert place.first_line == line_of(first)
    assert place == section_at(TEXT, place.first_line)


@pytest.mark.parametrize("wish", ["", "shorter", "FR-099", "user story 7", "XFR-001", "PFR-003-b", "FR-0031x9"])
def test_a_wish_that_names_nothing(wish: str) -> None:
    assert section_named(TEXT, wish) is None


def test_closing_hashes_are_no_part_of_a_heading() -> None:
    assert [place.heading for at in (1, 2) if (place := section_at("## About C#\n# About C ##\n", at))] == [
        "About C#",
        "About C",
    ]


BEFORE = b"one\ntwo\nthree\nfour\n"


@pytest.mark.parametrize(
    ("after", "first", "last", "within"),
    [
        (b"one\nTWO\nthree\nfour\n", 2, 2, True),
        (b"one\ntwo\ntwo and a half\nmore\nthree\nfour\n", 2, 2, True),
        (b"one\nthree\nfour\n", 2, 2, True),
        (b"one\nTWO\nthree\nfour", 2, 2, True),
        (b"ONE\ntwo\nthree\nfour\n", 2, 2, False),
        (b"one\ntwo\nthree\nFOUR\n", 2, 3, False),
        (b"one\ntwo\nthree\nfour\nfive\n", 2, 3, False),
        (b"zero\none\ntwo\nthree\nfour\n", 2, 2, False),
        (b"one\nfour\n", 2, 2, False),
        (b"one\r\nTWO\nthree\nfour\n", 2, 2, False),
        (b"one\nfour\n", 2, 3, True),
        (b"one\n", 2, 3, False),
        (b"", 2, 3, False),
        (b"all\nnew\n", 1, 4, True),
        (b"all\nnew\n", 1, 5, True),
        (b"one\ntwo\nthree\nfour\nfive\n", 4, 4, True),
        (BEFORE, 3, 3, True),
    ],
)
def test_what_stays_within_its_lines(after: bytes, first: int, last: int, within: bool) -> None:
    assert stays_within(BEFORE, after, first, last) is within


LARGE = 128 << 10

PIECES = st.sampled_from(
    [
        "\n",
        "# ",
        "## x\n",
        "- ",
        "  ",
        "    - ",
        "1. ",
        "```\n",
        "~~~",
        "FR-001",
        "**FR-001**",
        "User Story 2",
        "x",
        " ",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)


@given(TEXTS, st.integers(-2, 60))
@settings(max_examples=500, deadline=None)
def test_any_place_holds_its_line(text: str, line: int) -> None:
    place = section_at(text, line)
    lines = text.count("\n") + 1
    assert (place is None) == (not 1 <= line <= lines)
    if place is not None:
        assert 1 <= place.first_line <= line <= place.last_line <= lines
        assert len(place.heading) <= LONGEST_HEADING
        assert place.heading.isprintable()


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_any_wish_names_lines_that_are_there(text: str, wish: str) -> None:
    place = section_named(text, wish)
    if place is not None:
        assert 1 <= place.first_line <= place.last_line <= text.count("\n") + 1


@given(st.lists(st.sampled_from([b"a", b"b", b""]), max_size=6), st.integers(1, 6), st.integers(0, 6), st.data())
@settings(max_examples=300, deadline=None)
def test_a_change_of_the_lines_stays_within_them(
    lines: list[bytes], first: int, more: int, data: st.DataObject
) -> None:
    first = min(first, max(len(lines), 1))
    last = min(first + more, max(len(lines), 1))
    new = data.draw(st.lists(st.sampled_from([b"x", b"a"]), max_size=4))
    before = b"".join(line + b"\n" for line in lines)
    after = b"".join(line + b"\n" for line in [*lines[: first - 1], *new, *lines[last:]])
    if after:
        assert stays_within(before, after, first, last)
    assert not stays_within(before, b"never there\n" + after, first, last) or first == 1


@pytest.mark.parametrize(
    "piece", ["\n", "# ", "#", "- ", "  ", "  x\n", "- x\n  y\n", "```\n", "*(", "**FR-001**\n", "x"]
)
def test_a_hostile_document_costs_no_time(piece: str) -> None:
    text = (piece * LARGE)[:LARGE]
    began = time.process_time()
    for line in (1, text.count("\n") // 2 + 1, text.count("\n") + 1):
        assert section_at(text, line) is not None
    for wish in ("FR-001 " * 10_000, "user story 1 " * 5000, "#" * 60_000, "x"):
        section_named(text, wish)
    assert time.process_time() - began < 5
