"""The help, as Markdown made from the table of commands. Pure.

No line begins with a slash and commands stand in code, so that no help text is ever taken for a command.
"""

from __future__ import annotations

from bot.commands.model import COMMANDS, COMMANDS_BY_VERB, CommandSpec, FlagSpec, Role
from bot.commands.parser import DEFAULT_PREFIX

_GRAMMAR = """
- A command begins at the very start of a line. In quotes, lists, tables, code and HTML it is not a command.
- Flags stand between the verb and the text; `--` ends them. A value may be in quotes.
- The text runs to the next command or to the end of the comment, over as many lines as you like. HTML comments are
  left out of it.
- Several commands in one comment run in order. Editing a comment later changes nothing.
"""


def help_text(prefix: str, role_held: Role | None, verb: str | None = None) -> str:
    """What somebody who holds ``role_held`` may ask for, or all about one ``verb`` (an unknown one gives the list)."""
    spec = COMMANDS_BY_VERB.get(verb or "")
    if spec is not None:
        return _one_verb(spec, prefix, role_held)
    permitted = [spec for spec in COMMANDS if spec.permits(role_held)]
    refused = [spec for spec in COMMANDS if not spec.permits(role_held)]
    parts: list[str] = []
    if permitted:
        parts.append(f"You can ask for:\n\n{_table(permitted, prefix)}")
        parts.append(_example(next((spec for spec in permitted if spec.text != "none"), permitted[0]), prefix))
    for role in Role:
        more = [f"`{spec.verb}`" for spec in refused if spec.role is role]
        if more:
            parts.append(f"With the *{role.value}* role on this repository also: {', '.join(more)}.")
    parts.append(f"`{prefix} help VERB` explains one of them.")
    return "\n\n".join(parts) + "\n"


def reference_page() -> str:
    """The page ``docs/commands.md``."""
    parts = [
        "# Commands",
        "Made from the table in `bot/commands/model.py`. The prefix `/speckit` can be changed by the setting"
        " `SPECKIT_COMMAND_PREFIX`.",
        _table(COMMANDS, DEFAULT_PREFIX),
        "## How to write them",
        _GRAMMAR.strip(),
        _other_spelling("specify", DEFAULT_PREFIX),
    ]
    for spec in COMMANDS:
        parts += [f"## {spec.verb}", _one_verb(spec, DEFAULT_PREFIX, None).strip()]
    return "\n\n".join(parts) + "\n"


def _one_verb(spec: CommandSpec, prefix: str, role_held: Role | None) -> str:
    parts = [f"`{prefix} {spec.usage}`", spec.summary]
    if spec.flags:
        parts.append("\n".join(["| flag | does |", "|---|---|", *map(_flag_row, spec.flags)]))
    places = " or a ".join(place.value for place in spec.places)
    missing = "" if role_held is None or spec.permits(role_held) else f" (you hold *{role_held.value}*)"
    parts.append(f"Where: an {places}. Needs the *{spec.role.value}* role or better{missing}.")
    parts.append(_example(spec, prefix))
    return "\n\n".join(parts) + "\n"


def _table(specs: list[CommandSpec] | tuple[CommandSpec, ...], prefix: str) -> str:
    rows = [f"| `{prefix} {_in_cell(spec.usage)}` | {_in_cell(spec.summary)} |" for spec in specs]
    return "\n".join(["| command | does |", "|---|---|", *rows])


def _flag_row(flag: FlagSpec) -> str:
    allowed = f" One of {', '.join(f'`{value}`' for value in flag.allowed)}." if flag.allowed else ""
    return f"| `{_in_cell(flag.usage)}` | {_in_cell(flag.summary)}{allowed} |"


def _example(spec: CommandSpec, prefix: str) -> str:
    return f"Example: `{prefix} {spec.example}`"


def _other_spelling(verb: str, prefix: str) -> str:
    return f"Spec Kit's own spellings work too: `{prefix}.{verb}` and `{prefix}-{verb}`."


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")
