"""spec.md from a request, without a model: its sentences are sorted into Spec Kit's template, and nothing is made up.

What only a person or a model could add is said to be missing, in Spec Kit's own words (``NEEDS CLARIFICATION``).
"""

from __future__ import annotations

import re

from speckit_container.markdown import Section, in_line, joined, quoted, replace, sections, sentences, shorten, title_of
from speckit_container.markdown import without_comments as clean

MOST_STORIES = 3
MOST_SCENARIOS = 5
MOST_REQUIREMENTS = 25
SHORT_REQUEST = 200

NOTE = (
    "> **How this draft was made**: the agent `template` sorted the sentences of the request into Spec Kit's template. "
    "No language model was used, and nothing was added to what was asked for. Review it as a starting point."
)

_ASKED = ('User description: "$ARGUMENTS"', '"$ARGUMENTS"', "$ARGUMENTS")
_WISH = re.compile(
    r"\b(must|should|can|may|will|shall|wants?|needs?|let|lets|allow|allows|as an?|users?|customers?|able)\b",
    re.IGNORECASE,
)
_STORY = re.compile(r"User Story \d+", re.IGNORECASE)


def fill_spec(template: str, request: str, feature: str, date: str) -> str:
    """The whole file. ``feature`` is the name of its folder, ``date`` is YYYY-MM-DD."""
    said = sentences(request) or ["(the request has no words)"]
    parts = sections(template)
    _fill_head(parts, request, feature, date)
    for part in parts:
        if re.match(r"(User Scenarios|Requirements|Success Criteria)", part.title):
            part.lines = clean("\n".join(part.lines)).split("\n")
    _fill_stories(parts, said)
    _fill(parts, "Edge Cases", _edge_cases())
    _fill(parts, "Functional Requirements", _requirements(said))
    _fill(parts, "Key Entities", ["", "- Not derived: naming the data this needs takes a person or a model.", ""])
    _fill(parts, "Measurable Outcomes", _outcomes(said))
    _fill(parts, "Assumptions", _assumptions(said))
    return joined(parts)


def _fill_head(parts: list[Section], request: str, feature: str, date: str) -> None:
    """The title and the lines before the first section of the second level."""
    head = [part for part in parts[:2] if part.level <= 1]
    for part in head:
        part.title = part.title.replace("[FEATURE NAME]", title_of(request))
        text = "\n".join(part.lines)
        text = text.replace("[###-feature-name]", feature).replace("[DATE]", date)
        if "$ARGUMENTS" in text:
            short = len(request) <= SHORT_REQUEST and "\n" not in request
            given = f'User description: "{request}"' if short else "User description, in full:\n\n" + quoted(request)
            text = next((text.replace(asked, given) for asked in _ASKED if asked in text), text)
        part.lines = text.split("\n")
    last = head[-1] if head else parts[0]
    last.lines = [*"\n".join(last.lines).rstrip("\n").split("\n"), "", NOTE, ""]


def _fill(parts: list[Section], title: str, lines: list[str]) -> None:
    for part in parts:
        if part.title.startswith(title):
            part.lines = lines


def _fill_stories(parts: list[Section], said: list[str]) -> None:
    level = next((part.level for part in parts if _STORY.match(part.title)), 3)
    stories = [_story(number, group, level) for number, group in enumerate(_groups(said), start=1)]
    replace(parts, lambda part: bool(_STORY.match(part.title)), stories)


def _groups(said: list[str]) -> list[list[str]]:
    """Sentences by story: one that says what somebody can or must do begins a story, the others belong to the last."""
    groups = [[said[0]]]
    for sentence in said[1:]:
        if _WISH.search(sentence) and len(groups) < MOST_STORIES:
            groups.append([sentence])
        elif len(groups[-1]) < MOST_SCENARIOS:
            groups[-1].append(sentence)
    return groups


def _story(number: int, group: list[str], level: int) -> Section:
    name = in_line(shorten(title_of(group[0]), 60))
    scenarios = [
        f"{place}. **Given** the feature is available, **When** it is used, **Then** this holds: {in_line(wish)}"
        for place, wish in enumerate(group, start=1)
    ]
    return Section(
        level,
        f"User Story {number} - {name} (Priority: P{number})",
        [
            "",
            f"The request says: {' '.join(in_line(wish) for wish in group)}",
            "",
            f"**Why this priority**: number {number} in the request, whose order is taken as the order of importance.",
            "",
            "**Independent Test**: carry out the scenarios below by themselves; compare the result with the request.",
            "",
            "**Acceptance Scenarios**:",
            "",
            *scenarios,
            "",
            "---",
            "",
        ],
    )


def _edge_cases() -> list[str]:
    return ["", "- [NEEDS CLARIFICATION: the request names no boundary conditions or error cases; which matter?]", ""]


def _requirements(said: list[str]) -> list[str]:
    lines = [
        f"- **FR-{number:03}**: System MUST meet this part of the request: {in_line(sentence)}"
        for number, sentence in enumerate(said[:MOST_REQUIREMENTS], start=1)
    ]
    if len(said) > MOST_REQUIREMENTS:
        left = len(said) - MOST_REQUIREMENTS
        number = MOST_REQUIREMENTS + 1
        lines.append(f"- **FR-{number:03}**: System MUST meet the other {left} sentences of the request, quoted above")
    return ["", *lines, ""]


def _outcomes(said: list[str]) -> list[str]:
    measured = [in_line(sentence) for sentence in said if re.search(r"\d", sentence)][:5]
    lines = [f"- **SC-{number:03}**: Measurably so: {text}" for number, text in enumerate(measured, start=1)]
    if not lines:
        lines = ["- **SC-001**: [NEEDS CLARIFICATION: the request gives no number to measure success by; which?]"]
    lines.append(f"- **SC-{len(lines) + 1:03}**: Every acceptance scenario above passes when it is carried out")
    return ["", *lines, ""]


def _assumptions(said: list[str]) -> list[str]:
    return [
        "",
        "- The request is complete: what it does not mention is out of scope",
        f"- Its {len(said)} sentence{'s' if len(said) != 1 else ''} may be taken one by one, in the order given",
        "",
    ]
