"""The help, as Markdown made from the table of commands. Pure.

No line begins with a slash or a mention and commands stand in code, so that no help text is ever taken for a command.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.authorization import may, rank, role_needed
from bot.commands.answers import ANSWERS_EXAMPLE
from bot.commands.model import Place, Role
from bot.commands.parser import DEFAULT_PREFIX
from bot.commands.table import COMMANDS, COMMANDS_BY_VERB, DEFAULT_ROLES, CommandSpec, FlagSpec

_WHO_GRANTS = "an administrator of this repository can grant it"
_PLACE_PHRASES: Mapping[Place, str] = {
    Place.ISSUE: "on an issue",
    Place.PULL_REQUEST: "on a pull request",
    Place.REVIEW_COMMENT: "in a review comment",
}

_GRAMMAR = f"""
- A command begins at the very start of a line. In quotes, lists, tables, code and HTML it is not a command.
- Flags stand between the verb and the text; `--` ends them. A value may be in quotes.
- The text runs to the next command or to the end of the comment, over as many lines as you like. HTML comments are
  left out of it.
- Several commands in one comment run in order. Editing a comment later changes nothing.
- Spec Kit's own spellings work too: `{DEFAULT_PREFIX}.specify` and `{DEFAULT_PREFIX}-specify`.
- So does the App's name at the start of a line: `@speckit-bot specify`. Without a verb after it, it is talk.
"""

_ANSWERS = f"""
`{ANSWERS_EXAMPLE}` answers three questions: two with the letter of a choice, one in your own words. The number
comes first; `1 A`, `1) a`, `1. A`, `1=A` and `Q1: A` say the same as `1A`. Put them on one line, with or without
commas, or on a line each. A text in your own words has a colon before it and runs to the next answer.

After `{DEFAULT_PREFIX} clarify`, or alone in a reply that quotes the questions.
"""


def help_text(
    prefix: str,
    *,
    role_held: str,
    place: Place,
    roles_needed: Mapping[str, str] = DEFAULT_ROLES,
    commands_off: Collection[str] = (),
    verb: str | None = None,
) -> str:
    """What somebody who holds ``role_held`` may ask for at ``place``, and what else there is and why not for them.

    With a ``verb``, all about that one; an unknown one gives the list. ``roles_needed`` is the role for each verb by
    the repository's configuration, ``commands_off`` the verbs that it switches off.
    """
    spec = COMMANDS_BY_VERB.get(verb or "")
    if spec is not None:
        standing = _standing(spec, role_held, roles_needed, commands_off)
        return _one_verb(spec, prefix, role_needed(spec.verb, roles_needed), standing)
    off = [spec for spec in COMMANDS if spec.verb in commands_off]
    refused = [spec for spec in COMMANDS if spec not in off and not may(spec.verb, role_held, roles_needed)]
    allowed = [spec for spec in COMMANDS if spec not in off and spec not in refused]
    here = [spec for spec in allowed if place in spec.places]
    parts = [_offer(here, prefix)] if here else []
    others = _elsewhere([spec for spec in allowed if spec not in here])
    others += _roles_missing(refused, roles_needed)
    others += [f"- Switched off by the configuration of this repository: {_verbs(off)}."] if off else []
    if others:
        parts.append("\n".join(["There is more:" if here else "Nothing for you here, but there is:", "", *others]))
    parts.append(f"`{prefix} help VERB` explains one of them, with its flags.")
    return "\n\n".join(parts) + "\n"


def reference_page() -> str:
    """The page ``docs/commands.md``."""
    overview = [
        f"| `{DEFAULT_PREFIX} {_in_cell(spec.form)}` | {', '.join(spec.places)} | {spec.role}"
        f" | {_in_cell(spec.summary)} |"
        for spec in COMMANDS
    ]
    parts = [
        "# Commands",
        f"Made from the table in `bot/commands/table.py`. The prefix `{DEFAULT_PREFIX}` can be changed by the setting"
        " `SPECKIT_COMMAND_PREFIX`.",
        "\n".join(["| command | where | least role | does |", "|---|---|---|---|", *overview]),
        "## How to write them",
        _GRAMMAR.strip(),
        "## How to write answers",
        _ANSWERS.strip(),
    ]
    for spec in COMMANDS:
        parts += [f"## {spec.verb}", _one_verb(spec, DEFAULT_PREFIX, spec.role, "").strip()]
    return "\n\n".join(parts) + "\n"


def _one_verb(spec: CommandSpec, prefix: str, role: str, standing: str) -> str:
    parts = [f"`{prefix} {spec.usage}`", spec.summary]
    if spec.details:
        parts.append(spec.details)
    if spec.flags:
        parts.append("\n".join(["| flag | does |", "|---|---|", *map(_flag_row, spec.flags)]))
    parts.append(f"Where: {_places(spec)}. Needs the *{role}* role or better{standing}.")
    examples = ", ".join(f"`{prefix} {example}`" for example in spec.examples)
    parts.append(f"{'Example' if len(spec.examples) == 1 else 'Examples'}: {examples}")
    return "\n\n".join(parts) + "\n"


def _standing(spec: CommandSpec, role_held: str, roles_needed: Mapping[str, str], commands_off: Collection[str]) -> str:
    """Why somebody may not give this command now, as the end of a sentence; empty if they may."""
    if spec.verb in commands_off:
        return ", but is switched off by the configuration of this repository"
    if may(spec.verb, role_held, roles_needed):
        return ""
    held = f"you hold *{role_held}*" if rank(role_held) else "you hold none"
    return f" ({held}; {_WHO_GRANTS})"


def _offer(specs: Sequence[CommandSpec], prefix: str) -> str:
    """The commands somebody can give now, with an example of the first that takes a text."""
    rows = [f"| `{prefix} {_in_cell(spec.form)}` | {_in_cell(spec.summary)} |" for spec in specs]
    model = next((spec for spec in specs if spec.text != "none"), specs[0])
    example = f"Example: `{prefix} {model.examples[0]}`"
    return "\n".join(["You can ask for, here and now:", "", "| command | does |", "|---|---|", *rows, "", example])


def _elsewhere(specs: Sequence[CommandSpec]) -> list[str]:
    """A line for each set of places that commands are for."""
    by_places: dict[str, list[CommandSpec]] = {}
    for spec in specs:
        by_places.setdefault(_places(spec), []).append(spec)
    return [f"- {places.capitalize()}: {_verbs(group)}." for places, group in by_places.items()]


def _roles_missing(specs: Sequence[CommandSpec], roles_needed: Mapping[str, str]) -> list[str]:
    """A line for each role that commands need."""
    groups = [(role, [spec for spec in specs if role_needed(spec.verb, roles_needed) == role]) for role in Role]
    return [f"- With the *{role}* role ({_WHO_GRANTS}): {_verbs(group)}." for role, group in groups if group]


def _places(spec: CommandSpec) -> str:
    return " or ".join(_PLACE_PHRASES[place] for place in spec.places)


def _verbs(specs: Sequence[CommandSpec]) -> str:
    return ", ".join(f"`{spec.verb}`" for spec in specs)


def _flag_row(flag: FlagSpec) -> str:
    allowed = f" One of {', '.join(f'`{value}`' for value in flag.allowed)}." if flag.allowed else ""
    return f"| `{_in_cell(flag.usage)}` | {_in_cell(flag.summary)}{allowed} |"


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")
