"""What the agent ``template`` can say about an implementation: the tasks and their state. It writes no code.

It ticks nothing: a task is done when somebody who understands it has done it.
"""

from __future__ import annotations

import re

from speckit_container.markdown import in_line, scan, sentences
from speckit_container.spec_parts import feature_name

NAME = "IMPLEMENTATION-NOTES.md"
MOST_WISHES = 50
NOTE = (
    "> **What this is**: the agent `template` has no language model, so it implemented nothing. It lists what "
    "`tasks.md` says, for whoever does the work."
)

_TASK = re.compile(r"^\s*[-*+] \[([ xX])\] (.*)$")


def implementation_notes(spec: str, tasks: str, folder: str, date: str, wishes: str) -> tuple[str, int, int]:
    """The file's text, how many tasks are done, and how many there are."""
    groups: dict[str, list[tuple[bool, str]]] = {}
    heading = "Tasks"
    for line in scan(tasks):
        heading = line.title if line.heading == 2 else heading
        if line.kind == "text" and (found := _TASK.match(line.text)):
            groups.setdefault(heading, []).append((found.group(1) != " ", found.group(2).strip()))
    every = [done for group in groups.values() for done, _ in group]
    parts = [
        f"# Implementation notes: {feature_name(spec)}",
        f"**Date**: {date}\n**Tasks**: `{folder}/tasks.md`, {sum(every)} of {len(every)} done",
        NOTE,
    ]
    asked = sentences(wishes)[:MOST_WISHES]
    if asked:
        parts.append("## Asked for\n\n" + "\n".join(f"- {in_line(wish)}" for wish in asked))
    for title, group in groups.items():
        listed = "\n".join(f"- {'done' if done else 'open'}: {text}" for done, text in group)
        parts.append(f"## {title}\n\n{listed}")
    return "\n\n".join(parts) + "\n", sum(every), len(every)
