"""checklists/requirements.md, the checklist that comes with every specification: only what can be counted is judged.

An item that takes understanding is a reviewer's: it stays as it is, open or ticked.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from speckit_container.markdown import MARK, scan
from speckit_container.spec_parts import feature_name, marks, stories, text_under

ITEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Content Quality",
        (
            "Nothing in it says how it is built (languages, frameworks, interfaces of code)",
            "It is about the value for users and for the business",
            "Somebody who does not write software can read it",
            "All mandatory sections are filled in",
        ),
    ),
    (
        "Requirement Completeness",
        (
            "No mark NEEDS CLARIFICATION is left",
            "Requirements can be tested and have one meaning",
            "Success criteria are measurable",
            "Success criteria name no technology",
            "All acceptance scenarios are defined",
            "Edge cases are identified",
            "It is clear where the scope ends",
            "Dependencies and assumptions are named",
        ),
    ),
    (
        "Feature Readiness",
        (
            "Every functional requirement has clear acceptance criteria",
            "User scenarios cover the main ways through the feature",
            "The feature meets the outcomes under Success Criteria",
            "No detail of the implementation has slipped in",
        ),
    ),
)
NOTE = (
    "- The agent `template` ticked what can be counted. It judged none of the other items: "
    "they take a person or a model."
)

_BOX = re.compile(r"^(\s*[-*+] \[)([ xX])(\] )(.*)$")
_PLACEHOLDER = re.compile(r"(?<!\\)\[[^\]\n]{1,300}\](?![(:])")


def fill_quality(spec: str, date: str) -> str:
    """The whole file, for a specification in the folder above."""
    parts = [f"## {heading}\n\n" + "\n".join(f"- [ ] {item}" for item in items) for heading, items in ITEMS]
    head = (
        f"# Specification Quality Checklist: {feature_name(spec)}\n\n"
        "**Purpose**: Is the specification complete and good enough to plan from?\n"
        f"**Created**: {date}\n"
        "**Feature**: [spec.md](../spec.md)"
    )
    return judged("\n\n".join([head, *parts, f"## Notes\n\n{NOTE}"]) + "\n", spec)


def judged(checklist: str, spec: str) -> str:
    """The checklist with the boxes of the countable items set as the specification is now; all else stays."""
    rules: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
        (re.compile(r"NEEDS CLARIFICATION"), lambda text: not marks(text)),
        (re.compile(r"mandatory sections", re.IGNORECASE), _is_filled),
        (re.compile(r"acceptance scenarios are", re.IGNORECASE), _has_scenarios),
        (re.compile(r"^edge cases are", re.IGNORECASE), _has_edge_cases),
    )
    lines = [line.text for line in scan(checklist)]
    for line in scan(checklist):
        box = _BOX.match(line.text)
        rule = next((rule for pattern, rule in rules if box and pattern.search(box.group(4))), None)
        if box is None or rule is None or line.kind != "text" or (box.group(2) != " ") == rule(spec):
            continue
        lines[line.number - 1] = box.group(1) + ("x" if rule(spec) else " ") + box.group(3) + box.group(4)
    return "\n".join(lines)


def ticked(checklist: str) -> tuple[int, int]:
    """How many boxes are ticked, of how many."""
    boxes = [box.group(2) for line in scan(checklist) if line.kind == "text" and (box := _BOX.match(line.text))]
    return sum(box != " " for box in boxes), len(boxes)


def _is_filled(spec: str) -> bool:
    sections = [text_under(spec, pattern) for pattern in ("User Scenarios", "Requirements", "Success Criteria")]
    return all(text and text.strip() and not _PLACEHOLDER.search(MARK.sub("", text)) for text in sections)


def _has_scenarios(spec: str) -> bool:
    found = stories(spec)
    return bool(found) and all(story.has_scenario for story in found)


def _has_edge_cases(spec: str) -> bool:
    text = text_under(spec, r"Edge Cases") or ""
    return any(line.lstrip().startswith(("-", "*")) and not MARK.search(line) for line in text.split("\n"))
