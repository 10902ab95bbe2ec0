"""A tree of files for the small world of ``fakes``: what agents do to it, and the patches git would make of that."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from db.vocabulary import Phase
from jobs.errors import UserError
from jobs.patches import parse_patch
from jobs.ports import AgentRequest

FEATURE = "specs/001-customers-pay-invoice"
"""What a first run about invoices reserves."""

TEMPLATES: Mapping[str, bytes] = {
    "spec-template.md": b"# Feature Specification: [FEATURE NAME]\n",
    "plan-template.md": b"# Implementation Plan: [FEATURE]\n",
    "tasks-template.md": b"# Tasks: [FEATURE NAME]\n",
    "constitution-template.md": b"# [PROJECT_NAME] Constitution\n",
}
SPEC = b"""# Feature Specification: Pay by invoice

### User Story 1 - Choose an invoice at checkout (Priority: P1)

### User Story 2 - Get reminded (Priority: P2)

## Requirements

- **FR-001**: [NEEDS CLARIFICATION: how many days?]
- **FR-002**: Customers see their invoices.
"""
PLAN = b"# Implementation Plan: Pay by invoice\n"
TASKS = b"# Tasks: Pay by invoice\n- [ ] T001 Model\n"
CONSTITUTION = ".specify/memory/constitution.md"


@dataclass
class Tree:
    """Files by path from the repository's root; an agent names them from its project."""

    files: dict[str, bytes] = field(default_factory=dict)
    project: str = ""

    def read(self, path: str) -> bytes:
        return self.files[self._whole(path)]

    def write(self, path: str, content: bytes) -> None:
        self.files[self._whole(path)] = content

    def remove(self, path: str) -> None:
        del self.files[self._whole(path)]

    def _whole(self, path: str) -> str:
        return f"{self.project}/{path}" if self.project else path


Deed = Callable[[AgentRequest, Tree], None]
"""What an agent does in one phase."""


def writes(name: str, content: bytes) -> Deed:
    """A document in the feature's folder."""
    return lambda request, tree: tree.write(f"{request.feature_directory}/{name}", content)


def does_nothing(request: AgentRequest, tree: Tree) -> None:
    pass


def _clarify(request: AgentRequest, tree: Tree) -> None:
    path = f"{request.feature_directory}/spec.md"
    content = tree.read(path)
    for answered in request.answers:
        mark = f"[NEEDS CLARIFICATION: {answered.question}]".encode()
        content = content.replace(mark, answered.answer.encode())
        content += f"- Q: {answered.question} → A: {answered.answer}\n".encode()
    tree.write(path, content)


def _refine(request: AgentRequest, tree: Tree) -> None:
    section = request.section
    assert section is not None
    lines = tree.read(section.path).split(b"\n")
    lines[section.first_line - 1 : section.last_line] = [*lines[section.first_line - 1 : section.last_line], b"Wished."]
    tree.write(section.path, b"\n".join(lines))


def _implement(request: AgentRequest, tree: Tree) -> None:
    tree.write("src/invoices.py", b"DAYS = 30\n")


DEEDS: Mapping[Phase, Deed] = {
    Phase.SPECKIT_SPECIFY: writes("spec.md", SPEC),
    Phase.SPECKIT_PLAN: writes("plan.md", PLAN),
    Phase.SPECKIT_TASKS: writes("tasks.md", TASKS),
    Phase.SPECKIT_CHECKLIST: writes("checklists/ux.md", b"# Checklist\n- [ ] CHK001 Clear?\n"),
    Phase.SPECKIT_CONSTITUTION: lambda request, tree: tree.write(CONSTITUTION, b"# Our rules\n"),
    Phase.SPECKIT_CLARIFY: _clarify,
    Phase.SPECKIT_REFINE: _refine,
    Phase.SPECKIT_ANALYZE: does_nothing,
    Phase.SPECKIT_IMPLEMENT: _implement,
}
"""An agent that does what it is asked for."""


# Patches


def added(path: str, content: bytes) -> bytes:
    """What git writes for a new text file that ends with a line end."""
    return between(path, None, content)


def changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Path -> new content, None for a file that is gone."""
    return {
        path: after.get(path) for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)
    }


def difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bytes:
    """What git writes for the way from one tree to another."""
    return b"".join(between(path, before.get(path), content) for path, content in changes(before, after).items())


def between(path: str, before: bytes | None, after: bytes | None) -> bytes:
    """One file of a patch; None is a file that is not there."""
    head = [f"diff --git a/{path} b/{path}".encode()]
    if before is None:
        head.append(b"new file mode 100644")
    if after is None:
        head.append(b"deleted file mode 100644")
    mode = b" 100644" if before is not None and after is not None else b""
    head.append(b"index %s..%s%s" % (_blob(before), _blob(after), mode))
    hunks = list(_hunks(before or b"", after or b""))
    if hunks:
        head.append(f"--- a/{path}".encode() if before is not None else b"--- /dev/null")
        head.append(f"+++ b/{path}".encode() if after is not None else b"+++ /dev/null")
    return b"\n".join([*head, b""]) + b"".join(hunks)


def _blob(content: bytes | None) -> bytes:
    if content is None:
        return b"0" * 40
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest().encode()


def _hunks(before: bytes, after: bytes) -> Iterator[bytes]:
    # Any byte is a character of this encoding, and only \n ends a line.
    old, new = ([line + "\n" for line in _lines(content)] for content in (before, after))
    for line in list(difflib.unified_diff(old, new, n=0))[2:]:
        yield line.encode("latin-1")


def _lines(content: bytes) -> list[str]:
    *lines, end = content.decode("latin-1").split("\n")
    assert end == "", "a text file ends with a line end here"
    return lines


def patched(
    files: Mapping[str, bytes], patch: bytes, known: Mapping[bytes, Mapping[str, bytes | None]]
) -> dict[str, bytes]:
    """The files after a patch: one whose outcome is ``known``, or one that adds text files."""
    outcome: Mapping[str, bytes | None] = known.get(patch, {})
    if patch not in known:
        with contextlib.suppress(UserError):
            changes = parse_patch(patch).changes
            outcome = {change.path: change.new_content for change in changes if change.new_content is not None}
    made = {**files, **outcome}
    return {path: content for path, content in made.items() if content is not None}
