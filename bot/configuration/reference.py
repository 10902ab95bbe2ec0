"""The page docs/repository-configuration.md, made from the model. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bot.configuration.model import CONFIG_PATH, DEFAULT_ROLES, DEFAULTS, LONGEST_LIST, VERBS, Path, leaves
from bot.configuration.problems import allowed
from bot.configuration.reading import MOST_PROBLEMS
from bot.configuration.schema import json_schema, schema_at
from bot.configuration.tree import LARGEST_FILE

EXAMPLE = """\
# yaml-language-server: $schema=speckit.schema.json
commands:
  constitution: {role: maintain}
  implement:
    role: maintain
    people: [octocat]
  refine: {off: true}

agent: codex_cli
phases:
  plan: {model: gpt-5-codex}

base_branch: develop
project: services/billing

labels:
  needs spec: specify
  "speckit:specify": off

pull_request:
  labels: [specification]
  team_reviewers: [product]

allowed_hosts: [pypi.org, "*.pythonhosted.org"]
paths:
  implement: ["src/**", tests/]

triggers:
  assignment: false

retention_days: 90
limits:
  runs: 3
  run_timeout: 1800
  tokens: 2000000
"""

_PLACEHOLDERS = {"commands": "VERB", "phases": "PHASE", "labels": "NAME"}

_HARMLESS = ", ".join(f"`{verb}`" for verb in VERBS if DEFAULT_ROLES[verb] == "read")

_OTHER_DEFAULTS = {
    "commands.VERB.role": f"`read` for {_HARMLESS}, `write` for all else",
    "commands.VERB.people": "nobody",
    "commands.VERB.off": "`false`; `implement` is off while `paths.implement` is empty",
    "agent": "the operator's default agent",
    "model": "the agent's own",
    "phases.PHASE.agent": "`agent`",
    "phases.PHASE.model": "`model`",
    "base_branch": "the repository's default branch",
    "project": "the top of the repository",
    "labels.NAME": ", ".join(f'`"{name}": {verb}`' for name, verb in DEFAULTS.labels.items()),
    "pull_request.labels": "none",
    "pull_request.reviewers": "none",
    "pull_request.team_reviewers": "none",
    "pull_request.assignees": "none",
    "allowed_hosts": "those that the operator allows, if any",
    "paths.implement": "none: `implement` is off",
    "limits.tokens": "the operator's budget, if there is one",
    "limits.cost": "the operator's budget, if there is one",
    "limits.requests": "the operator's budget, if there is one",
}

_HEAD = f"""\
# Configuration by the repository

Made from the model in `bot/configuration/model.py`; `docs/speckit.schema.json` is the same for editors.

A repository says in `{CONFIG_PATH}` who may do what in it, and how. Every key is optional. The file is read from
the default branch, never from a pull request's head: what a pull request changes in it counts once it is merged.
`/speckit config` shows what holds and where each value comes from.

```yaml
{EXAMPLE}```

## Whose word counts

| layer | says |
|---|---|
| default | what the tables below list |
| `{CONFIG_PATH}` in the organisation's `.github` repository | what holds for all its repositories |
| `{CONFIG_PATH}` in the repository | what holds for this one |
| the operator | locks what they name: what the others say about it is listed as overruled and does not count |

Each layer is laid over the one before it value by value: `commands.implement.role` in one and
`commands.implement.people` in another both hold. A list is one value and replaces the list before it. An agent or a
model that the operator locks holds for every phase.

## Mistakes

- A key that does not exist and a value that cannot be are left out, and the rest of the file counts. A check run on a
  pull request that touches the file has an annotation on the line of each mistake, at most {MOST_PROBLEMS}.
- What guards something is closed, not left out. A command whose entry in `commands` holds a mistake needs the *admin*
  role until it is corrected; if `paths.implement` is no list, `implement` is off. If the file cannot be read at all,
  all commands but {_HARMLESS} are left to admins.
- The same key twice: neither counts.
- The file has at most {LARGEST_FILE // 1024} KiB, and a list or a section at most {LONGEST_LIST} entries. It is one
  document in UTF-8 without anchors, aliases and tags. `true` and `false` are the only switches: `yes`, `no` and `on`
  are words, and so is `off` in `labels`.

On a public repository everybody on GitHub holds the *read* role: `role: read` for a command that starts runs lets all
of them start runs.
"""


def reference_page() -> str:
    """The page ``docs/repository-configuration.md``."""
    sections = json_schema()["properties"]
    single: list[Path] = [(name,) for name in sections if not _is_section(name)]
    parts = [_HEAD.rstrip(), "## Single keys", _table(single)]
    for name, section in sections.items():
        if _is_section(name):
            parts += [f"## {name}", section["description"] + _names_of(name), _table(list(_keys_of(name)))]
    return "\n\n".join(parts) + "\n"


def _is_section(name: str) -> bool:
    return isinstance(json_schema()["properties"][name]["type"], list)


def _names_of(section: str) -> str:
    names = ", ".join(f"`{name}`" for name in (schema_at((section,)) or {}).get("properties", {}))
    return f" {_PLACEHOLDERS[section]} is one of {names}." if section in _PLACEHOLDERS and names else ""


def _keys_of(section: str) -> Iterator[Path]:
    """The keys of a section; where they are names, those of one name stand for all."""
    names = list((schema_at((section,)) or {}).get("properties", {}))
    if section not in _PLACEHOLDERS:
        yield from ((section, name) for name in names)
    elif names:
        yield from ((section, names[0], key) for key in (schema_at((section, names[0])) or {})["properties"])
    else:
        yield (section, _PLACEHOLDERS[section])


def _table(paths: list[Path]) -> str:
    rows = [_row(path) for path in paths]
    return "\n".join(["| key | meaning | takes | default | example |", "|---|---|---|---|---|", *rows])


def _row(path: Path) -> str:
    schema = schema_at(path) or {}
    section, *rest = path
    key = ".".join((section, _PLACEHOLDERS[section], *rest[1:])) if section in _PLACEHOLDERS else ".".join(path)
    default = _OTHER_DEFAULTS.get(key) or f"`{_yaml(dict(leaves(DEFAULTS))[path])}`"
    if key == "labels.NAME":
        described = schema_at(("labels",)) or {}
        example = f"`needs spec: {described['examples'][0]}`"
        return f"| `{key}` | What the label NAME starts. | {allowed(schema)} | {default} | {example} |"
    example = f"`{path[-1]}: {_yaml(schema['examples'][0])}`"
    return f"| `{key}` | {schema['description']} | {allowed(schema)} | {default} | {example} |"


def _yaml(value: object) -> str:
    """A value as it may stand in the file."""
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if isinstance(value, str) and not value.replace("_", "").replace("-", "").replace("/", "").isalnum():
        return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value)
