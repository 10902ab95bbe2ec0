"""The constitution, from what people say their principles are: made from Spec Kit's template, or amended.

Every sentence or list item is one principle, ``Name: rule`` names it. A sentence that begins with "remove" takes the
principle it names away. The version moves as Spec Kit asks: MAJOR for a principle that is removed or says something
else, MINOR for one that is new or longer, PATCH for another wording.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from speckit_container.markdown import (
    Section,
    at_line_start,
    in_line,
    joined,
    scan,
    sections,
    sentences,
    shorten,
    title_of,
    unescaped,
    without_comments,
)

MOST_PRINCIPLES = 20
MOST_SENTENCES = 120
CONSTRAINTS = "Additional Constraints"
LONGEST_NAME = 60
FIRST_VERSION = "1.0.0"
GOVERNANCE = (
    "- This constitution comes before any other practice; a change that breaks it is not merged",
    "- It is amended by a pull request that says why, reviewed like any other",
    "- Its version is MAJOR.MINOR.PATCH: MAJOR when a principle goes or means something else, MINOR when one is added "
    "or says more, PATCH for another wording",
    "- Every plan is checked against it before work begins, and every review asks for it again",
)

_PLACEHOLDER = re.compile(r"(?<!\\)\[[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\]")
_VERSION = re.compile(r"(\*\*Version\*\*:\s*v?)(\d{1,6})\.(\d{1,6})\.(\d{1,6})")
_AMENDED = re.compile(r"(\*\*Last Amended\*\*:\s*)[^|\n]*?(\s*)$", re.MULTILINE)
_REPORT = re.compile(r"\A\s*<!--\s*Sync Impact Report.*?-->\s*", re.DOTALL)
_REMOVE = re.compile(r"^(?:remove|drop|delete)\s+(?:the\s+)?(?:principle\s+)?(.+)$", re.IGNORECASE)
_NAMED = re.compile(rf"^(.{{1,{LONGEST_NAME}}}?):\s+(\S.*)$")
_NUMBERED = re.compile(r"^(?:([IVXLC]+)|(\d{1,3}))\.\s+")
_SAMPLE = re.compile(r"\[(?:PRINCIPLE|SECTION)_\d{1,2}_NAME\]")
_ROMAN = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


@dataclass(frozen=True, slots=True)
class Principle:
    """What people asked for: a name and the rule."""

    name: str
    rule: str


@dataclass(slots=True)
class Changes:
    """What became of the principles, by name. ``unknown``: told in full; ``bump``: 0 (nothing) to 3 (MAJOR)."""

    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    left_out: int = 0
    bump: int = 0


@dataclass(frozen=True, slots=True)
class Constitution:
    """The new text, its version and the changes."""

    content: str
    version: str
    changes: Changes


def is_filled(constitution: str) -> bool:
    """Whether it is more than a template."""
    bare = without_comments(constitution)
    return bool(bare.strip()) and not any(_PLACEHOLDER.search(part.title) for part in sections(bare) if part.level > 1)


def new_constitution(template: str, wishes: str, project: str, date: str) -> Constitution:
    """A first constitution, version 1.0.0."""
    parts = [part for part in sections(without_comments(template)) if not _SAMPLE.match(part.title)]
    for part in parts:
        part.title = part.title.replace("[PROJECT_NAME]", project)
        text = "\n".join(part.lines).replace("[PROJECT_NAME]", project)
        for name, value in (
            ("[GOVERNANCE_RULES]", "\n".join(GOVERNANCE)),
            ("[CONSTITUTION_VERSION]", FIRST_VERSION),
            ("[RATIFICATION_DATE]", date),
            ("[LAST_AMENDED_DATE]", date),
        ):
            text = text.replace(name, value)
        part.lines = text.split("\n")
    changes = _apply(parts, wishes)
    body = joined(parts)
    return Constitution(_report("none", FIRST_VERSION, changes, body) + body, FIRST_VERSION, changes)


def amended(constitution: str, wishes: str, date: str) -> Constitution:
    """A constitution that is there, with what is asked for; the same text where it says all of that already."""
    body = _REPORT.sub("", constitution)
    parts = sections(body)
    changes = _apply(parts, wishes)
    found = _VERSION.search(body)
    old = ".".join(found.groups()[1:]) if found else "none"
    if not changes.bump:
        return Constitution(constitution, old, changes)
    version = _next_version(old, changes.bump)
    content = _AMENDED.sub(rf"\g<1>{date}\g<2>", _VERSION.sub(rf"\g<1>{version}", joined(parts), count=1))
    if found is None:
        content += f"\n**Version**: {version} | **Ratified**: TODO(RATIFICATION_DATE) | **Last Amended**: {date}\n"
    return Constitution(_report(old, version, changes, content) + content, version, changes)


def _apply(parts: list[Section], wishes: str) -> Changes:
    """Do what the sentences ask, in their order."""
    changes = Changes()
    asked = sentences(wishes)
    rules: dict[str, Principle] = {}
    for sentence in asked[:MOST_SENTENCES]:
        if gone := _REMOVE.match(sentence):
            _remove(parts, gone.group(1), changes)
            continue
        one = _principle(sentence)
        known = rules.get(_key(one.name))
        rules[_key(one.name)] = Principle(known.name, f"{known.rule} {one.rule}") if known else one
    for principle in rules.values():
        _put(parts, principle, changes)
    changes.left_out = max(len(asked) - MOST_SENTENCES, 0)
    return changes


def _remove(parts: list[Section], name: str, changes: Changes) -> None:
    place = _place_of(parts, name)
    if place is None:
        changes.unknown.append(f"there is no principle called “{in_line(name)}”")
        return
    changes.removed.append(_bare(parts.pop(place).title))
    changes.bump = 3


def _put(parts: list[Section], principle: Principle, changes: Changes) -> None:
    """Change the principle of that name; where there is none, add it, among the constraints when there are enough."""
    rule = at_line_start(in_line(principle.rule))
    place = _place_of(parts, principle.name)
    if place is not None:
        old = " ".join("\n".join(parts[place].lines).split())
        if old != rule:
            parts[place].lines = ["", rule, ""]
            changes.modified.append(principle.name)
            changes.bump = max(changes.bump, _weight(old, rule))
        return
    if any(f"- {rule}" in part.lines for part in parts):
        return
    if len(_principles(parts)) < MOST_PRINCIPLES:
        _insert(parts, Section(3, principle.name, ["", rule, ""]))
    else:
        _constrain(parts, f"- {rule}")
    changes.added.append(principle.name)
    changes.bump = max(changes.bump, 2)


def _constrain(parts: list[Section], line: str) -> None:
    part = next((part for part in parts if part.title == CONSTRAINTS), None)
    if part is None:
        part = Section(2, CONSTRAINTS, [""])
        parts.insert(_before_governance(parts), part)
    part.lines = [*"\n".join(part.lines).rstrip("\n").split("\n"), line, ""]
    part.lines = part.lines if part.lines[0] == "" else ["", *part.lines]


def _weight(old: str, new: str) -> int:
    """3 where a rule says something else, 2 where it says more, 1 for another spelling."""
    before, after = re.findall(r"\w+", old.casefold()), re.findall(r"\w+", new.casefold())
    if before == after:
        return 1
    return 2 if before == after[: len(before)] else 3


def _principle(sentence: str) -> Principle:
    found = _NAMED.match(sentence)
    if found and any(character.isalnum() for character in found.group(1)):
        return Principle(_named(found.group(1)), found.group(2))
    return Principle(_named(sentence), sentence)


def _named(text: str) -> str:
    return in_line(shorten(title_of(text), LONGEST_NAME))


def _insert(parts: list[Section], made: Section) -> None:
    """Put a principle after the last one, numbered as the others are."""
    places = _principles(parts)
    core = next((place for place, part in enumerate(parts) if "principles" in part.title.casefold()), None)
    if places:
        last = parts[places[-1]]
        made.level, place = last.level, places[-1] + 1
        numbered = _NUMBERED.match(last.title)
        if numbered:
            roman, number = numbered.groups()
            made.title = f"{_roman(_value(roman) + 1) if roman else int(number) + 1}. {made.title}"
    elif core is not None:
        made.level, place = parts[core].level + 1, core + 1
        made.title = f"I. {made.title}"
    else:
        place = _before_governance(parts) + 1
        parts.insert(place - 1, Section(2, "Core Principles", [""]))
        made.title = f"I. {made.title}"
    parts.insert(place, made)


def _before_governance(parts: list[Section]) -> int:
    return next((place for place, part in enumerate(parts) if part.title == "Governance"), len(parts))


def _principles(parts: list[Section]) -> list[int]:
    """The places of the principles: the headings under the one that is called so, else those of the third level."""
    top = next((place for place, part in enumerate(parts) if "principles" in part.title.casefold()), None)
    if top is None:
        return [place for place, part in enumerate(parts) if part.level == 3]
    end = next((n for n in range(top + 1, len(parts)) if 0 < parts[n].level <= parts[top].level), len(parts))
    return [n for n in range(top + 1, end) if parts[n].level == parts[top].level + 1]


def _place_of(parts: list[Section], name: str) -> int | None:
    wanted = _key(name)
    return next((place for place in _principles(parts) if wanted and _key(_bare(parts[place].title)) == wanted), None)


def _bare(title: str) -> str:
    return _NUMBERED.sub("", title)


def _key(name: str) -> str:
    return "".join(c for c in _bare(unescaped(name)).casefold() if c.isalnum())


def _next_version(old: str, bump: int) -> str:
    if old == "none":
        return FIRST_VERSION
    major, minor, patch = (int(number) for number in old.split("."))
    return {3: f"{major + 1}.0.0", 2: f"{major}.{minor + 1}.0", 1: f"{major}.{minor}.{patch + 1}"}[bump]


def _report(old: str, new: str, changes: Changes, body: str) -> str:
    """Spec Kit's report as a comment above the text; names were escaped, so none can end it."""
    left = sorted({found.group(0) for line in scan(body) for found in _PLACEHOLDER.finditer(line.text)})
    left += ["RATIFICATION_DATE is not known"] if "TODO(RATIFICATION_DATE)" in body else []
    left += changes.unknown
    left += [f"{changes.left_out} further sentences of the request were left out"] if changes.left_out else []
    why = {3: "MAJOR", 2: "MINOR", 1: "PATCH"}[changes.bump] if old != "none" else "first version"
    return (
        "<!--\nSync Impact Report\n"
        f"- Version change: {old} → {new} ({why})\n"
        f"- Added principles: {_listed(changes.added)}\n"
        f"- Modified principles: {_listed(changes.modified)}\n"
        f"- Removed principles: {_listed(changes.removed)}\n"
        f"- Follow-up TODOs: {_listed(left)}\n"
        "- Made by the agent `template`, without a language model: every sentence was taken as a principle\n-->\n\n"
    )


def _listed(names: list[str]) -> str:
    return "; ".join(names).replace("-->", "--\\>") or "none"


def _roman(number: int) -> str:
    made = ""
    for value, letters in _ROMAN:
        while number >= value:
            made, number = made + letters, number - value
    return made


def _value(roman: str) -> int:
    """The number that ``_roman`` wrote, or one like it."""
    value = 0
    for number, letters in _ROMAN:
        while roman.startswith(letters):
            value, roman = value + number, roman[len(letters) :]
    return value
