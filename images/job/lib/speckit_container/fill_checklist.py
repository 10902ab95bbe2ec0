"""A checklist about how well the requirements are written, in Spec Kit's template. No item is ever ticked here.

An item asks about the text of the specification, never about what was built. Items that a file has already are not
repeated; new ones go on with its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from speckit_container.markdown import (
    MARK,
    Section,
    escaped,
    in_line,
    joined,
    scan,
    sections,
    sentences,
    shorten,
    without_comments,
    without_marks,
)
from speckit_container.slugs import slug
from speckit_container.spec_parts import CLARIFIED, Requirement, feature_name, requirements, stories, vague_words

MOST_ITEMS = 40
MOST_WISHES = 10
NOT_OURS = "requirements"
"""The name of the checklist that belongs to the specification itself."""

SUBJECTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "security": (
        r"secur\w*|privacy|auth\w*|encrypt\w*|gdpr|threats?",
        (
            "Is it written down who may see and change which data? [Completeness, Gap]",
            "Are the requirements for protecting personal data named? [Completeness, Gap]",
            "Is it written down what is recorded when access is refused? [Coverage, Gap]",
        ),
    ),
    "ux": (
        r"ux|ui|usab\w*|design|screens?|layout|interface",
        (
            "Are the states empty, waiting and failed described for every screen? [Coverage, Gap]",
            "Is the order of importance of what is shown written down? [Clarity, Gap]",
            "Are the words that people read at each step agreed on? [Completeness, Gap]",
        ),
    ),
    "accessibility": (
        r"a11y|accessib\w*|wcag|screen readers?|keyboard",
        (
            "Is the level of accessibility that has to be met named? [Measurability, Gap]",
            "Are requirements written for use without a mouse? [Coverage, Gap]",
            "Are requirements written for people who do not see the screen? [Coverage, Gap]",
        ),
    ),
    "performance": (
        r"perform\w*|latency|load|speed|throughput|fast",
        (
            "Is there a figure for how long people wait at most? [Measurability, Gap]",
            "Is the load written down for which the figures hold? [Clarity, Gap]",
            "Is it written down what gives way first under too much load? [Edge Case, Gap]",
        ),
    ),
    "api": (
        r"api|endpoints?|webhooks?|integrations?|contracts?",
        (
            "Is the form of every error that a caller may get written down? [Completeness, Gap]",
            "Are the limits for callers given as figures? [Measurability, Gap]",
            "Is it written down what callers can rely on after a change? [Consistency, Gap]",
        ),
    ),
    "data": (
        r"data|database|retention|migrations?|exports?|imports?",
        (
            "Is it written down how long each kind of data is kept? [Completeness, Gap]",
            "Is it written down what makes two records the same? [Clarity, Gap]",
            "Are requirements written for data that is there already? [Coverage, Gap]",
        ),
    ),
    "testing": (
        r"tests?|testing|testable|qa|acceptance",
        (
            "Does every functional requirement have an acceptance scenario? [Traceability, Gap]",
            "Is the outcome of every scenario something that can be observed? [Measurability, Gap]",
        ),
    ),
}
FOR_EVERY_SUBJECT = (
    "Do the requirements contradict neither each other nor the scenarios? [Consistency]",
    "Are the assumptions that the specification rests on written down and agreed? [Assumption]",
    "Is it written down what is out of scope? [Completeness, Gap]",
)

_NUMBER = re.compile(r"\bCHK(\d{3,9})\b")
_ITEM = re.compile(r"^\s*[-*+] \[[ xX]\] CHK\d{3,9} (.*)$")


@dataclass(frozen=True, slots=True)
class Checklist:
    """The new text and how many items it gained."""

    content: str
    added: int


def checklist_name(wishes: str) -> str:
    """The file's name without ``.md``: its subject, else the first words of the wishes, else ``general``."""
    for name, (words, _) in SUBJECTS.items():
        if re.search(rf"\b(?:{words})\b", wishes, re.IGNORECASE):
            return name
    name = slug(wishes) if sentences(wishes) else "general"
    return {"feature": "general", NOT_OURS: f"{NOT_OURS}-review"}.get(name, name)


def new_checklist(template: str, name: str, spec: str, wishes: str, date: str) -> Checklist:
    """A file from Spec Kit's template, with items instead of its samples."""
    groups = _groups(name, spec, wishes)
    about = in_line(shorten(" ".join(without_marks(wishes).split()), 200)) or "How well the requirements are written"
    parts = sections(without_comments(template))
    for part in parts:
        part.title = _head(part.title, name, spec)
        text = "\n".join(part.lines).replace("[Brief description of what this checklist covers]", about)
        text = text.replace("[DATE]", date).replace(
            "[Link to spec.md or relevant documentation]", "[spec.md](../spec.md)"
        )
        part.lines = text.split("\n")
    made, number = [], 0
    for heading, items in groups.items():
        made.append(Section(2, heading, ["", *_lines(items, number), ""]))
        number += len(items)
    samples = [place for place, part in enumerate(parts) if re.match(r"\[Category", part.title)]
    notes = next((place for place, part in enumerate(parts) if part.title == "Notes"), len(parts))
    place = samples[0] if samples else notes
    kept = [part for n, part in enumerate(parts) if n not in samples]
    kept[place:place] = made
    return Checklist(joined(kept), number)


def longer_checklist(before: str, name: str, spec: str, wishes: str, date: str) -> Checklist:
    """A file that is there already, with the items it lacks in a section of their own before its notes."""
    lines = before.split("\n")
    known = {match.group(1).strip() for line in lines if (match := _ITEM.match(line))}
    items = [item for group in _groups(name, spec, wishes).values() for item in group if item not in known]
    if not items:
        return Checklist(before, 0)
    last = max((int(number) for number in _NUMBER.findall(before)), default=0)
    end = "\r" if lines[0].endswith("\r") else ""
    heading, found = f"Added on {date}", scan(before)
    notes = next((line.number - 1 for line in found if line.heading == 2 and line.title == "Notes"), len(lines))
    tops = [line for line in found[:notes] if line.heading == 2]
    while notes and not lines[notes - 1].strip():
        notes -= 1
    made = _lines(items, last)
    if not tops or tops[-1].title != heading:
        made = ["", f"## {heading}", "", *made]
    lines[notes:notes] = [line + end for line in made]
    return Checklist("\n".join(lines), len(items))


def _head(title: str, name: str, spec: str) -> str:
    kind = name.replace("-", " ").upper() if len(name) <= 3 else name.replace("-", " ").capitalize()
    return title.replace("[CHECKLIST TYPE]", kind).replace("[FEATURE NAME]", feature_name(spec))


def _lines(items: list[str], after: int) -> list[str]:
    return [f"- [ ] CHK{number:03} {item}" for number, item in enumerate(items, start=after + 1)]


def _groups(name: str, spec: str, wishes: str) -> dict[str, list[str]]:
    """Items by what they ask about, most pressing first, at most forty."""
    groups: dict[str, list[str]] = {}
    left = MOST_ITEMS
    for heading, item in _items(name, spec, wishes):
        group = groups.setdefault(heading, [])
        if left and item not in group:
            group.append(item)
            left -= 1
    return {heading: items for heading, items in groups.items() if items}


def _items(name: str, spec: str, wishes: str) -> Iterator[tuple[str, str]]:
    asked = requirements(spec)
    for wish in sentences(wishes)[:MOST_WISHES]:
        about = escaped(shorten(without_marks(wish), 160))
        yield "Requirement Completeness", f'Do the requirements say everything about "{about}"? [Completeness, Gap]'
    for item in SUBJECTS[name][1] if name in SUBJECTS else ():
        yield "Requirement Completeness", item
    for requirement in asked:
        yield from _clarity(requirement)
    for item in FOR_EVERY_SUBJECT:
        yield "Consistency and Scope", item
    for story in stories(spec):
        text = f"Are requirements written for what goes wrong in user story {story.number}? [Coverage, Gap]"
        yield "Scenario Coverage", text
    for requirement in asked:
        if requirement.kind == "SC":
            text = f"Can {requirement.id} be measured without knowing how it is built?"
            yield "Acceptance Criteria Quality", f"{text} [Measurability, Spec §{requirement.id}]"
    for requirement in asked:
        if requirement.kind == "FR":
            text = f"Has {requirement.id} one meaning, and can it be verified?"
            yield "Acceptance Criteria Quality", f"{text} [Clarity, Spec §{requirement.id}]"


def _clarity(requirement: Requirement) -> Iterator[tuple[str, str]]:
    place = f"Spec §{requirement.id}"
    if MARK.search(requirement.text):
        yield "Requirement Clarity", f"Is the open question in {requirement.id} decided? [Ambiguity, {place}]"
    for word, _ in [] if CLARIFIED.search(requirement.text) else vague_words(requirement.text):
        yield "Requirement Clarity", f'Is "{word}" in {requirement.id} given a measure? [Clarity, {place}]'
