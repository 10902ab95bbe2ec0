"""tasks.md from spec.md, without a model: one group of tasks for each user story, in the template's own order.

A wish for the tasks is noted: what it means for them takes understanding.
"""

from __future__ import annotations

import re

from speckit_container.markdown import (
    Section,
    in_line,
    joined,
    sections,
    sentences,
    shorten,
    without_comments,
    without_marks,
)
from speckit_container.spec_parts import Story, feature_name, requirements, stories

MOST_WISHES = 200
NOTE = (
    "> **How this draft was made**: the agent `template` made one group of tasks for each user story of `spec.md`. "
    "No language model was used; files and details are still to be decided."
)

_ADVICE_ON_TESTS = (
    "The examples below include test tasks. Tests are OPTIONAL - only include them if explicitly requested in the "
    "feature specification."
)
_WORD_ON_TESTS = "One task of each user story writes tests for its acceptance scenarios."


def fill_tasks(template: str, spec: str, folder: str, wishes: str = "") -> str:
    """The whole file. ``folder`` is the feature's."""
    parts = sections(without_comments(template))
    for part in parts:
        part.title = part.title.replace("[FEATURE NAME]", feature_name(spec))
        text = "\n".join(part.lines).replace("specs/[###-feature-name]", folder)
        text = text.replace("[###-feature-name]", folder.rpartition("/")[2])
        part.lines = text.replace(_ADVICE_ON_TESTS, _WORD_ON_TESTS).split("\n")
    _put_phases(parts, _phases(spec, folder))
    parts[:] = [part for part in parts if not part.title.startswith("Parallel Example")]
    head = next((part for part in parts if part.level == 1), parts[0])
    head.lines = [*"\n".join(head.lines).rstrip("\n").split("\n"), "", NOTE, ""]
    _note(parts, sentences(wishes)[:MOST_WISHES])
    return joined(parts)


def _note(parts: list[Section], wishes: list[str]) -> None:
    """Put the wishes at the end of the notes, which are made where the template has none."""
    if not wishes:
        return
    notes = next((part for part in parts if part.level == 2 and part.title == "Notes"), None)
    if notes is None:
        notes = Section(2, "Notes")
        parts.append(notes)
    asked = ["**Asked for with these tasks, still to be worked in**:", "", *(f"- {in_line(wish)}" for wish in wishes)]
    notes.lines = [*"\n".join(notes.lines).rstrip("\n").split("\n"), "", *asked, ""]


def _put_phases(parts: list[Section], phases: list[Section]) -> None:
    """Replace the template's sample phases, with all their subsections, by ours."""
    first = next((n for n, part in enumerate(parts) if re.match(r"Phase \w+:", part.title)), None)
    if first is None:
        parts.extend(phases)
        return
    last = first
    for number in range(first, len(parts)):
        if re.match(r"Phase \w+:", parts[number].title):
            last = number
            while last + 1 < len(parts) and parts[last + 1].level > parts[number].level:
                last += 1
    parts[first : last + 1] = phases


def _phases(spec: str, folder: str) -> list[Section]:
    number = _Numbers()
    made = [
        _phase(
            "Phase 1: Setup (Shared Infrastructure)",
            "agree on what is built before anything is built",
            [
                f"{number.next()} Answer the open questions (NEEDS CLARIFICATION) in {folder}/spec.md",
                f"{number.next()} Decide the technical context in {folder}/plan.md",
            ],
            "the specification and the plan hold no open question",
        ),
        _phase(
            "Phase 2: Foundational (Blocking Prerequisites)",
            "what every story below rests on",
            [f"{number.next()} List the files each story will touch in {folder}/plan.md, section Source Code"],
            "work on the stories can begin, in parallel where people allow",
        ),
    ]
    found = stories(spec) or [Story(1, feature_name(spec), "P1", 1, False)]
    made += [_story_phase(place, story, number, folder) for place, story in enumerate(found, start=3)]
    made.append(_last_phase(len(found) + 3, spec, number, folder))
    return made


def _story_phase(place: int, story: Story, number: _Numbers, folder: str) -> Section:
    mvp = " 🎯 MVP" if place == 3 else ""
    mark, name = f"[US{story.number}]", f"user story {story.number}"
    return _phase(
        f"Phase {place}: User Story {story.number} - {story.title} (Priority: {story.priority}){mvp}",
        f"{story.title}, as {folder}/spec.md describes it",
        [
            f"{number.next()} [P] {mark} Write a test for each acceptance scenario of {name} and see it fail",
            f"{number.next()} {mark} Implement {name} until its tests pass",
            f"{number.next()} {mark} Handle wrong input and failures in {name}, and log them",
        ],
        f"{name} works and can be shown by itself",
    )


def _last_phase(place: int, spec: str, number: _Numbers, folder: str) -> Section:
    asked = [f"{requirement.id}: {without_marks(requirement.text)}" for requirement in requirements(spec, "FR")]
    tasks = [f"{number.next()} Check {shorten(text, 120)}" for text in asked] or [
        f"{number.next()} Check the result against {folder}/spec.md"
    ]
    tasks.append(f"{number.next()} [P] Bring the documentation up to date")
    return _phase(
        f"Phase {place}: Polish & Cross-Cutting Concerns",
        "nothing that was asked for is left out",
        tasks,
        "every requirement was checked",
    )


def _phase(title: str, purpose: str, tasks: list[str], checkpoint: str) -> Section:
    lines = ["", f"**Purpose**: {purpose}", "", *(f"- [ ] {task}" for task in tasks), ""]
    return Section(2, title, [*lines, f"**Checkpoint**: {checkpoint}", "", "---", ""])


class _Numbers:
    """T001, T002, ..."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        self._last += 1
        return f"T{self._last:03}"
