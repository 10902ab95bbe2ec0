"""A wish for one section of a file, as a change within its lines: every other line keeps its bytes.

By rules: ``replace "X" with "Y"``, ``remove "X"``, ``FR-003: new text``; a requirement that the wish names, or the only
one there is, gets the wish as a further sentence; a list of requirements gets a new number at its end; other lists a
new item; prose a new paragraph.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from speckit_container.markdown import at_line_start, in_line, one_line, scan, sentences
from speckit_container.spec_parts import requirements
from speckit_container.spec_project import Stuck
from speckit_container.template_request import Place

MOST_SENTENCES = 20
PREFIX = "System MUST meet this wish: "
PARAGRAPH = "a new paragraph"

_QUOTES = "[\"'“”‘’«»`]"
_REPLACE = re.compile(
    rf"^(?:please\s+)?(?:replace|change|rename)\s+{_QUOTES}(.+?){_QUOTES}\s+(?:with|by|to|into)\s+{_QUOTES}(.*){_QUOTES}\W*$",
    re.IGNORECASE,
)
_REMOVE = re.compile(rf"^(?:please\s+)?(?:remove|delete|drop)\s+{_QUOTES}(.+?){_QUOTES}\W*$", re.IGNORECASE)
_NEW_TEXT = re.compile(r"^((?:FR|SC)-\d{1,6}[a-z]?)\s*:\s*(\S.*)$", re.IGNORECASE)
_ID = re.compile(r"\b((?:FR|SC)-\d{1,6}[a-z]?)\b", re.IGNORECASE)
_BEGINS_WITH_ID = re.compile(r"^(?:FR|SC)-\d{1,6}[a-z]?\b[\s,:–—-]*", re.IGNORECASE)
_REQUIREMENT = re.compile(
    r"^(\s*(?:[-*+]\s+)?(?:\*\*((?:FR|SC)-\d{1,6}[a-z]?)(?::\*\*|\*\*:?)|((?:FR|SC)-\d{1,6}[a-z]?):)\s*)(.*)$"
)
_ITEM = re.compile(r"^(\s*)(?:([-*+])|(\d{1,9})([.)]))(\s+)\S")
_RULE = re.compile(r"^\s*(?:-{3,}|\*{3,}|_{3,})\s*$")


@dataclass(frozen=True, slots=True)
class Refined:
    """The new text, the line (from 1) where the change begins, and what was done."""

    content: str
    line: int
    what: str


def refine(document: str, place: Place, wish: str) -> Refined:
    """Change the section. Raises Stuck where the lines are not there, or nothing would change."""
    lines = document.split("\n")
    last = min(place.last_line, len(lines))
    if not 1 <= place.first_line <= last:
        raise Stuck(f"{place.path} has no lines {place.first_line} to {place.last_line}")
    asked = sentences(wish)
    left_out = len(asked) - MOST_SENTENCES
    asked = asked[:MOST_SENTENCES]
    if not asked:
        raise Stuck("the wish is empty; say what to change")
    before, inside, after = lines[: place.first_line - 1], lines[place.first_line - 1 : last], lines[last:]
    end = "\r" if any(line.endswith("\r") for line in inside) else ""
    bare = [line.removesuffix("\r") for line in inside]
    made, what = _changed(bare, asked, one_line(wish), document)
    if made == bare:
        raise Stuck("the section says that already; nothing was changed")
    if what == PARAGRAPH and after and after[0].strip() and made[-1].strip():
        made = [*made, ""]
    more = f"; {left_out} further sentences of the wish were left out" if left_out > 0 else ""
    first = next(n for n in range(len(made) + 1) if made[n : n + 1] != bare[n : n + 1])
    # The file's last line has no line end of its own.
    endings = [end] * len(made) if after else [end] * (len(made) - 1) + [""]
    ended = [line + ending for line, ending in zip(made, endings, strict=True)]
    return Refined(
        "\n".join([*before, *ended, *after]), place.first_line + min(first, max(len(made) - 1, 0)), what + more
    )


def _changed(lines: list[str], asked: list[str], wish: str, document: str) -> tuple[list[str], str]:
    if (found := _REPLACE.match(wish)) or (found := _REMOVE.match(wish)):
        return _with_other_words(lines, found.group(1), found.group(2) if found.re is _REPLACE else "")
    if found := _NEW_TEXT.match(wish):
        return _with_new_text(lines, found.group(1).upper(), in_line(found.group(2)))
    own = [number for number, line in enumerate(lines) if _REQUIREMENT.match(line)]
    named = {name.upper() for name in _ID.findall(wish)}
    targets = [number for number in own if _id_of(lines[number]).upper() in named] or (own if len(own) == 1 else [])
    if targets:
        return _with_sentence(lines, targets[0], asked), f"{_id_of(lines[targets[0]])} says more"
    if own:
        return _with_requirement(lines, own[-1], asked, document)
    return _with_paragraph(lines, asked)


def _with_other_words(lines: list[str], old: str, new: str) -> tuple[list[str], str]:
    """Every place of the section that says ``old``, as it was written or as Markdown has it."""
    made, count = [], 0
    for line in lines:
        # A requirement's number is not a word of it.
        found = _REQUIREMENT.match(line)
        head, text = (found.group(1), found.group(4)) if found else ("", line)
        spelled = next((words for words in (old, in_line(old)) if words in text), "")
        if spelled:
            count += text.count(spelled)
            other = text.replace(spelled, in_line(new))
            text = at_line_start(other) if text.startswith(spelled) else other
        made.append(head + text)
    if not count:
        raise Stuck(f"the section does not say “{old}”; nothing was changed")
    return made, f"{count} place{'s say' if count > 1 else ' says'} something else"


def _with_new_text(lines: list[str], name: str, text: str) -> tuple[list[str], str]:
    for number, line in enumerate(lines):
        if _id_of(line).upper() == name and (found := _REQUIREMENT.match(line)):
            return [*lines[:number], found.group(1) + text, *lines[number + 1 :]], f"{name} has a new text"
    raise Stuck(f"{name} is not in the section; nothing was changed")


def _with_sentence(lines: list[str], number: int, asked: list[str]) -> list[str]:
    line = lines[number].rstrip()
    said = [in_line(_BEGINS_WITH_ID.sub("", sentence)) for sentence in asked]
    new = [text for text in said if text and text not in line]
    if not new:
        return lines
    stop = "" if line.endswith((".", "!", "?", "…", ":")) else "."
    return [*lines[:number], f"{line}{stop} {' '.join(new)}", *lines[number + 1 :]]


def _with_requirement(lines: list[str], last: int, asked: list[str], document: str) -> tuple[list[str], str]:
    """New lines with the next free numbers of the whole file."""
    kind = _id_of(lines[last])[:2]
    free = max(requirement.number for requirement in [*requirements(document, kind), *requirements(lines[last], kind)])
    new = [in_line(sentence) for sentence in asked if not any(in_line(sentence) in line for line in lines)]
    indent = re.match(r"\s*", lines[last])
    made = [
        f"{indent.group(0) if indent else ''}- **{kind}-{free + number:03}**: {PREFIX}{text}"
        for number, text in enumerate(new, start=1)
    ]
    return [*lines[: last + 1], *made, *lines[last + 1 :]], f"{len(made)} new after {_id_of(lines[last])}"


def _with_paragraph(lines: list[str], asked: list[str]) -> tuple[list[str], str]:
    """A list item where the section ends in a list, else a paragraph; above a rule that ends the section."""
    new = [at_line_start(in_line(sentence)) for sentence in asked]
    new = [text for text in new if not any(text in line for line in lines)]
    place = len(lines)
    while place > 1 and (not lines[place - 1].strip() or _RULE.match(lines[place - 1])):
        place -= 1
    last = lines[place - 1]
    in_code = any(line.kind != "text" for line in scan("\n".join(lines))[place - 1 : place])
    item = None if in_code else _ITEM.match(last)
    if not new:
        return lines, ""
    if item:
        made = [_item(item, text, number) for number, text in enumerate(new, start=1)]
        return [*lines[:place], *made, *lines[place:]], f"{len(made)} new in the list"
    follows = [] if place == len(lines) or not lines[place].strip() else [""]
    gap = [""] if last.strip() else []
    return [*lines[:place], *gap, " ".join(new), *follows, *lines[place:]], PARAGRAPH


def _item(like: re.Match[str], text: str, number: int) -> str:
    indent, bullet, count, sign, space = like.groups()
    return f"{indent}{bullet or f'{int(count) + number}{sign}'}{space}{text}"


def _id_of(line: str) -> str:
    found = _REQUIREMENT.match(line)
    return (found.group(2) or found.group(3)) if found else ""
