"""spec.md, plan.md and tasks.md compared by rules: what is missing, open, said twice or named and not there.

No file changes. What takes understanding (contradictions, drifting words, broken principles) is not found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from speckit_container.fill_spec import PREFIX
from speckit_container.markdown import MARK, Line, one_line, scan, shorten, unescaped, without_comments
from speckit_container.slugs import LEFT_OUT
from speckit_container.spec_parts import (
    CLARIFIED,
    Requirement,
    Story,
    heading_line,
    marks,
    requirements,
    stories,
    text_under,
    vague_words,
)

MOST_FINDINGS = 50
MOST_COMPARED = 150
ALIKE = 0.8
NAMED_ENOUGH = 0.6
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
LETTERS = {
    "Ambiguity": "A",
    "Constitution": "P",
    "Coverage": "C",
    "Duplication": "D",
    "Inconsistency": "I",
    "Underspecification": "U",
}
Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]

_TASK = re.compile(r"^\s*[-*+] \[[ xX]\] (?:\*\*)?(T\d{1,6})\b(.*)$")
_RANGE = re.compile(r"((?:FR|SC)-)(\d{1,6})\s*(?:-|–|to|through|\.\.\.?|…)\s*(?:\1)?(\d{1,6})\b")
_ID = re.compile(r"\b(?:FR|SC)-\d{1,6}[a-z]?\b")
_STORY_LABEL = re.compile(r"\[US(\d{1,4})\]")
_CODE_SPAN = re.compile(r"`[^`]*`")
_PLACEHOLDER = re.compile(r"(?<![\\!\]])\[([^\]\n]{3,200})\](?![(\[:])")
_LEFT_OPEN = re.compile(r"\b(TODO|TBD|TKTK|FIXME)\b|\?\?\?")
_OPEN_IN_PLAN = re.compile(r"(?<!\[)NEEDS CLARIFICATION")


@dataclass(frozen=True, slots=True)
class Finding:
    """``path`` and ``line`` (from 1) say where; ``line`` is None where a whole file is meant."""

    category: str
    severity: Severity
    path: str
    line: int | None
    summary: str
    recommendation: str


@dataclass(frozen=True, slots=True)
class Document:
    """One of the three files."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class _Task:
    id: str
    text: str
    line: int


def analyze(spec: Document, plan: Document, tasks: Document) -> list[Finding]:
    """Every finding, the worst first; within a severity in the order of the files and their lines."""
    asked, told, planned = requirements(spec.text), stories(spec.text), _tasks_of(tasks.text)
    found = [
        *_missing_sections(spec, plan, tasks),
        *_duplicates(spec, asked),
        *_vague(spec, asked),
        *(finding for document in (spec, plan, tasks) for finding in _left_open(document)),
        *_stories(spec, tasks, told, planned),
        *_coverage(spec, asked, planned),
        *_unknown(tasks, asked, told, planned),
        *_gates(plan),
    ]
    order = [spec.path, plan.path, tasks.path]
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda one: (SEVERITIES.index(one.severity), order.index(one.path), one.line or 0))


def as_json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """The first fifty as the result file has them; ids count up within their category."""
    counts: dict[str, int] = {}
    listed: list[dict[str, object]] = []
    for finding in findings[:MOST_FINDINGS]:
        letter = LETTERS[finding.category]
        counts[letter] = counts.get(letter, 0) + 1
        listed.append(
            {
                "id": f"{letter}{counts[letter]}",
                "category": finding.category,
                "severity": finding.severity,
                "path": finding.path,
                "line": finding.line,
                "summary": finding.summary,
                "recommendation": finding.recommendation,
            }
        )
    return listed


def _tasks_of(text: str) -> list[_Task]:
    found = [(line, _TASK.match(line.text)) for line in scan(text) if line.kind == "text"]
    return [_Task(match.group(1), match.group(2), line.number) for line, match in found if match]


def _missing_sections(spec: Document, plan: Document, tasks: Document) -> Iterator[Finding]:
    wanted: tuple[tuple[Document, str, str, Severity, str], ...] = (
        (spec, "User Scenarios", "User Scenarios|User Stor", "HIGH", "specify"),
        (spec, "Functional Requirements", "(Functional )?Requirements", "CRITICAL", "specify"),
        (spec, "Success Criteria", "Success Criteria|Measurable Outcomes", "HIGH", "specify"),
        (plan, "Summary", "Summary", "MEDIUM", "plan"),
        (plan, "Technical Context", "Technical Context", "HIGH", "plan"),
        (tasks, "Phase", r"Phase \w+", "HIGH", "tasks"),
    )
    for document, name, pattern, severity, command in wanted:
        if not (text_under(document.text, pattern) or "").strip():
            advice = f"Write it, or run the command `{command}` again."
            missing = f"The section {name} is missing or empty."
            yield Finding("Underspecification", severity, document.path, None, missing, advice)


def _duplicates(spec: Document, asked: Sequence[Requirement]) -> Iterator[Finding]:
    seen: dict[str, Requirement] = {}
    for requirement in asked:
        if requirement.id in seen:
            places = f"in lines {seen[requirement.id].line} and {requirement.line}"
            text = f"{requirement.id} is the number of two requirements, {places}."
            advice = "Give one of them the next free number."
            yield Finding("Inconsistency", "HIGH", spec.path, requirement.line, text, advice)
        seen.setdefault(requirement.id, requirement)
    for first, second in combinations([(one, _words(one.text)) for one in asked[:MOST_COMPARED]], 2):
        (one, words), (other, others) = first, second
        if one.id == other.id or one.kind != other.kind or not words or not others:
            continue
        alike = len(words & others) / len(words | others)
        if alike >= ALIKE:
            severity: Severity = "HIGH" if alike == 1 else "MEDIUM"
            text = f"{one.id} and {other.id} say {'the same' if alike == 1 else 'nearly the same'}."
            yield Finding(
                "Duplication", severity, spec.path, other.line, text, "Keep the clearer one and drop the other."
            )


def _vague(spec: Document, asked: Sequence[Requirement]) -> Iterator[Finding]:
    for requirement in (one for one in asked if not CLARIFIED.search(one.text)):
        for word, about in vague_words(requirement.text):
            severity: Severity = "HIGH" if about in ("security", "performance") else "MEDIUM"
            text = f'{requirement.id} says "{word}" and gives no measure.'
            advice = "Say it as a figure or as something that can be observed; the command `clarify` asks for it."
            yield Finding("Ambiguity", severity, spec.path, requirement.line, text, advice)


def _left_open(document: Document) -> Iterator[Finding]:
    """Marks for a clarification, placeholders of a template, TODO."""
    for mark in marks(document.text):
        text = f"Open question: {_shown(mark.question, 200)}"
        yield Finding("Ambiguity", "HIGH", document.path, mark.line, text, "Answer it with the command `clarify`.")
    for line in scan(document.text):
        if line.kind == "text":
            yield from _left_in(line, document.path)


def _left_in(line: Line, path: str) -> Iterator[Finding]:
    bare = MARK.sub("", _CODE_SPAN.sub("", without_comments(line.text)))
    left = [found.group(0) for found in _PLACEHOLDER.finditer(bare) if _is_sample(found.group(1))]
    # A task may be to resolve what is open elsewhere: that leaves nothing open in tasks.md.
    if not _TASK.match(line.text):
        left += [found.group(0) for found in _LEFT_OPEN.finditer(bare)]
        if _OPEN_IN_PLAN.search(bare):
            text = f"Still to be decided: {_shown(bare.split('NEEDS CLARIFICATION')[0].strip(' *:-('), 120)}"
            yield Finding("Ambiguity", "MEDIUM", path, line.number, text, "Decide it and write it down.")
    if left:
        text = f"Not filled in: {_shown(left[0], 120)}"
        yield Finding("Underspecification", "MEDIUM", path, line.number, text, "Fill it in or take it out.")


def _is_sample(inside: str) -> bool:
    """Whether brackets hold a template's placeholder, rather than a label such as ``P`` or ``US1``."""
    return bool(re.search(r"[a-z] [a-z]|^e\.g\.|^[A-Z][A-Z0-9_ -]{3,}$|^###|^Entity \d", inside))


def _stories(spec: Document, tasks: Document, told: Sequence[Story], planned: Sequence[_Task]) -> Iterator[Finding]:
    labelled = {int(number) for task in planned for number in _STORY_LABEL.findall(task.text)}
    for story in told:
        if not story.has_scenario:
            text = f"User story {story.number} has no acceptance scenario."
            advice = "Write at least one: Given, When, Then."
            yield Finding("Underspecification", "MEDIUM", spec.path, story.line, text, advice)
        if story.number not in labelled:
            text = f"No task is labelled US{story.number}: user story {story.number} is not planned."
            advice = "Run the command `tasks` again, or add tasks with that label."
            yield Finding("Coverage", "HIGH", spec.path, story.line, text, advice)
    if not planned:
        text = "There is no task in the form `- [ ] T001 ...`."
        yield Finding("Underspecification", "CRITICAL", tasks.path, None, text, "Run the command `tasks` again.")


def _coverage(spec: Document, asked: Sequence[Requirement], planned: Sequence[_Task]) -> Iterator[Finding]:
    named = {requirement for task in planned for requirement in _ids(task.text)}
    words = [_words(task.text) for task in planned]
    for requirement in asked:
        own = _words(requirement.text)
        told = len(own) >= 3 and any(len(own & others) >= NAMED_ENOUGH * len(own) for others in words)
        if requirement.kind == "FR" and requirement.id not in named and not told:
            text = f"No task covers {requirement.id}: {_shown(requirement.text, 120)}"
            advice = f"Add a task that names {requirement.id}, or run the command `tasks` again."
            yield Finding("Coverage", "CRITICAL", spec.path, requirement.line, text, advice)


def _unknown(
    tasks: Document, asked: Sequence[Requirement], told: Sequence[Story], planned: Sequence[_Task]
) -> Iterator[Finding]:
    known = {requirement.id for requirement in asked}
    numbers = {story.number for story in told}
    first: dict[str, _Task] = {}
    for task in planned:
        for name in sorted(set(_ids(task.text)) - known):
            text, advice = f"{task.id} names {name}, which is not in the specification.", "Correct the number."
            yield Finding("Inconsistency", "HIGH", tasks.path, task.line, text, advice)
        for number in sorted({int(number) for number in _STORY_LABEL.findall(task.text)} - numbers):
            text = f"{task.id} is for user story {number}, which is not in the specification."
            yield Finding("Inconsistency", "HIGH", tasks.path, task.line, text, "Correct the label.")
        if task.id in first:
            text = f"{task.id} is the number of two tasks, in lines {first[task.id].line} and {task.line}."
            yield Finding("Inconsistency", "MEDIUM", tasks.path, task.line, text, "Give one of them a new number.")
        first.setdefault(task.id, task)


def _gates(plan: Document) -> Iterator[Finding]:
    gates = re.findall(r"^\s*[-*+] \[ \] ", text_under(plan.text, "Constitution Check") or "", re.MULTILINE)
    if gates:
        line = heading_line(plan.text, "Constitution Check")
        text = f"{len(gates)} of the constitution's gates {'are' if len(gates) > 1 else 'is'} not ticked."
        advice = "Somebody has to check the plan against the constitution."
        yield Finding("Constitution", "MEDIUM", plan.path, line, text, advice)


def _ids(text: str) -> list[str]:
    """The requirements a task names, also as a range."""
    found = _ID.findall(text)
    for kind, first, last in _RANGE.findall(text):
        span = range(int(first), min(int(last), int(first) + 200) + 1)
        found += [f"{kind}{number:0{len(first)}}" for number in span]
    return found


def _words(text: str) -> frozenset[str]:
    """The words that carry meaning, without how nearly every requirement begins."""
    text = re.sub(
        r"^(?:the )?(?:system|users?) must (?:be able to )?", "", text.removeprefix(PREFIX), flags=re.IGNORECASE
    )
    return frozenset(word for word in re.findall(r"\w{2,}", text.casefold()) if word not in LEFT_OUT)


def _shown(text: str, length: int) -> str:
    return shorten(one_line(unescaped(text)), length)
