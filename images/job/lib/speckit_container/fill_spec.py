"""spec.md from a request, without a model: its sentences are sorted into Spec Kit's template, and nothing is made up.

What only a person or a model could add is said to be missing, in Spec Kit's own words (``NEEDS CLARIFICATION``).
A specification that is there already gives its numbers to what is asked again, and keeps what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from speckit_container.fill_clarify import OVERVIEW, recorded, settled
from speckit_container.markdown import (
    MARK,
    Section,
    fill,
    in_line,
    joined,
    mark_words,
    quoted,
    replace,
    sections,
    sentences,
    shorten,
    title_of,
    without_marks,
)
from speckit_container.markdown import without_comments as clean
from speckit_container.spec_parts import CLARIFIED, Requirement, requirements
from speckit_container.template_request import Answer

MOST_STORIES = 3
MOST_SCENARIOS = 5
MOST_REQUIREMENTS = 25
SHORT_REQUEST = 200

EDGE_CASES_QUESTION = "the request names no boundary conditions or error cases; which matter?"
OUTCOME_QUESTION = "the request gives no number to measure success by; which?"
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
PREFIX = "System MUST meet this part of the request: "


def fill_spec(template: str, request: str, feature: str, date: str, before: str = "") -> str:
    """The whole file. ``feature`` is its folder's name, ``date`` is YYYY-MM-DD, ``before`` the last round's file."""
    said = sentences(request) or ["(the request has no words)"]
    answers = recorded(before)
    parts = sections(template)
    _fill_head(parts, request, feature, _created(before) or date)
    for part in parts:
        if re.match(r"(User Scenarios|Requirements|Success Criteria)", part.title):
            part.lines = clean("\n".join(part.lines)).split("\n")
    _fill_stories(parts, said)
    edge_cases = settled(f"- [NEEDS CLARIFICATION: {EDGE_CASES_QUESTION}]", answers)
    fill(parts, "Edge Cases", ["", edge_cases, ""])
    fill(parts, "Functional Requirements", _numbered("FR", _functional(said), before, answers))
    fill(parts, "Key Entities", ["", "- Not derived: naming the data this needs takes a person or a model.", ""])
    fill(parts, "Measurable Outcomes", _numbered("SC", _outcomes(said), before, answers))
    fill(parts, "Assumptions", _assumptions(said))
    _keep(parts, sections(before))
    return joined(parts)


def _fill_head(parts: list[Section], request: str, feature: str, date: str) -> None:
    """The title and the lines before the first section of the second level."""
    head = [part for part in parts[:2] if part.level <= 1]
    # A mark counts where it is to be answered, not where the request is quoted.
    request = MARK.sub(lambda mark: f"(to be clarified: {mark_words(mark)})", request)
    for part in head:
        part.title = part.title.replace("[FEATURE NAME]", title_of(request))
        text = "\n".join(part.lines)
        text = text.replace("[###-feature-name]", feature).replace("[DATE]", date)
        if "$ARGUMENTS" in text:
            short = len(request) <= SHORT_REQUEST and "\n" not in request and in_line(request) == request
            given = f'User description: "{request}"' if short else "User description, in full:\n\n" + quoted(request)
            text = next((text.replace(asked, given) for asked in _ASKED if asked in text), text)
        part.lines = text.split("\n")
    last = head[-1] if head else parts[0]
    last.lines = [*"\n".join(last.lines).rstrip("\n").split("\n"), "", NOTE, ""]


def _created(before: str) -> str:
    found = re.search(r"^\*\*Created\*\*:\s*(\d{4}-\d{2}-\d{2})\s*$", before, re.MULTILINE)
    return found.group(1) if found else ""


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
    wishes = [in_line(without_marks(wish)) for wish in group]
    name = in_line(shorten(title_of(group[0]), 60))
    scenarios = [
        f"{place}. **Given** the feature is available, **When** it is used, **Then** this holds: {wish}"
        for place, wish in enumerate(wishes, start=1)
    ]
    return Section(
        level,
        f"User Story {number} - {name} (Priority: P{number})",
        [
            "",
            f"The request says: {' '.join(wishes)}",
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


def _functional(said: list[str]) -> list[str]:
    texts = [PREFIX + in_line(sentence) for sentence in said[:MOST_REQUIREMENTS]]
    if len(said) > MOST_REQUIREMENTS:
        texts.append(
            f"System MUST meet the other {len(said) - MOST_REQUIREMENTS} sentences of the request, quoted above"
        )
    return texts


def _outcomes(said: list[str]) -> list[str]:
    measured = [in_line(without_marks(sentence)) for sentence in said if re.search(r"\d", sentence)][:5]
    texts = [f"Measurably so: {text}" for text in measured] or [f"[NEEDS CLARIFICATION: {OUTCOME_QUESTION}]"]
    return [*texts, "Every acceptance scenario above passes when it is carried out"]


def _numbered(kind: str, texts: Sequence[str], before: str, answers: Sequence[Answer]) -> list[str]:
    """Lines with the numbers of the last round for what is asked again, and the next free ones for what is new."""
    old = requirements(before, kind)
    last = max((requirement.number for requirement in old), default=0)
    made: list[tuple[int, str]] = []
    for text in (settled(text, answers) for text in texts):
        known = next((one for one in old if _asks(one, text)), None)
        if known is not None:
            old.remove(known)
            made.append((known.number, known.text))
        else:
            last += 1
            made.append((last, text))
    return ["", *(f"- **{kind}-{number:03}**: {text}" for number, text in sorted(made)), ""]


def _asks(requirement: Requirement, text: str) -> bool:
    """Whether it is this text: as it is, before an answer was added at its end, or in an author's own words."""
    return requirement.text in (text, text.removeprefix(PREFIX)) or CLARIFIED.sub("", requirement.text) == text


def _assumptions(said: list[str]) -> list[str]:
    return [
        "",
        "- The request is complete: what it does not mention is out of scope",
        f"- Its {len(said)} sentence{'s' if len(said) != 1 else ''} may be taken one by one, in the order given",
        "",
    ]


def _keep(parts: list[Section], before: Sequence[Section]) -> None:
    """Add the sections that only the last round's file has: its clarifications, and what people added."""
    known = {_bare(part.title) for part in parts if part.level == 2}
    for number, part in enumerate(before):
        if part.level != 2 or _bare(part.title) in known:
            continue
        end = next((n for n in range(number + 1, len(before)) if 0 < before[n].level <= 2), len(before))
        place = _after_overview(parts) if _bare(part.title) == "clarifications" else len(parts)
        parts[place:place] = before[number:end]


def _after_overview(parts: Sequence[Section]) -> int:
    tops = [number for number, part in enumerate(parts) if part.level == 2]
    if tops and OVERVIEW.match(parts[tops[0]].title):
        tops = tops[1:]
    return tops[0] if tops else len(parts)


def _bare(title: str) -> str:
    return re.sub(r"\s*\*\(.*\)\*\s*$", "", title).strip().casefold()
