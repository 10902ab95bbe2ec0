"""What counts as a command, and what it says: labelled comments, properties, and the table as the one source."""

from __future__ import annotations

import random
import re
import subprocess
import time
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.commands.help import help_text, reference_page
from bot.commands.model import (
    COMMANDS,
    COMMANDS_BY_VERB,
    UNTIL_PHASES,
    Cancel,
    Command,
    Help,
    ParsedCommand,
    ParseProblem,
    ProblemKind,
    Role,
    Specify,
    Status,
)
from bot.commands.parser import mentions_command, parse
from bot.commands.values import is_agent_name, is_branch_name, is_run_reference
from db.vocabulary import AGENT_PHASES, Phase
from tests.bot.spelling import spell

CORPUS: list[list[Any]] = yaml.safe_load((Path(__file__).parent / "corpus" / "comments.yml").read_text("utf-8"))
PREFIXES = ["/speckit", "/speckit-staging", "!spec"]


def from_label(label: Any) -> ParsedCommand:
    if label == "status":
        return Status()
    ((name, value),) = label.items()
    match name:
        case "specify" if isinstance(value, str):
            return Specify(value)
        case "specify":
            until = UNTIL_PHASES[value.get("until", "tasks")]
            return Specify(value["text"], value.get("base"), until, value.get("agent"), value.get("dry_run", False))
        case "cancel":
            return Cancel(value)
        case "help":
            return Help(value)
    kind, verb, found, near = value
    return ParseProblem(ProblemKind(kind), verb, found, near)


def without_choices(commands: list[ParsedCommand]) -> list[ParsedCommand]:
    return [
        ParseProblem(c.kind, c.verb, c.found, c.did_you_mean) if isinstance(c, ParseProblem) else c for c in commands
    ]


LABELLED = [(body, [from_label(label) for label in labels], why) for body, labels, why in CORPUS]


# --- labelled comments


@pytest.mark.parametrize(("body", "expected", "why"), LABELLED, ids=[repr(entry[0])[:60] for entry in CORPUS])
def test_labelled_comment(body: str, expected: list[ParsedCommand], why: str) -> None:
    assert without_choices(parse(body)) == expected, why
    assert mentions_command(body) == bool(expected), why


def test_the_corpus_is_broad() -> None:
    assert len(CORPUS) >= 350
    assert len({body for body, _, _ in CORPUS}) == len(CORPUS)
    seen = {type(command) for _, expected, _ in LABELLED for command in expected}
    assert seen == {*get_args(Command), ParseProblem}
    kinds = {c.kind for _, expected, _ in LABELLED for c in expected if isinstance(c, ParseProblem)}
    assert kinds == set(ProblemKind)


def test_quoting_or_folding_a_comment_silences_it() -> None:
    for body, _, why in LABELLED:
        lines = re.split(r"\r\n|\r|\n", body)
        assert parse("\n".join(f"> {line}" for line in lines)) == [], why
        assert parse("\n".join(f"    {line}" for line in lines)) == [], why
        assert parse("\n".join(["````````", *lines, "````````"])) == [], why
        assert parse("- " + "\n  ".join(lines)) == [], why
        if "<" not in body:
            assert parse(f"<details>\n\n{body}\n\n</details>") == [], why


def test_text_before_it_changes_no_command() -> None:
    for body, expected, why in LABELLED:
        before = f"Dear all,\r\n\r\n* one\r\n* two\r\n\r\n# News\r\n\r\n{body}"
        assert without_choices(parse(before)) == expected, why


# --- another prefix


def test_another_prefix_is_another_app() -> None:
    staging = "/speckit-staging"
    assert parse("/speckit-staging specify x", staging) == [Specify("x")]
    assert parse("/speckit-staging.specify x", staging) == [Specify("x")]
    assert parse("/speckit-staging-status", staging) == [Status()]
    assert parse("/speckit specify x", staging) == []
    assert parse("/speckit.specify x", staging) == []
    assert parse("/speckit-staging specify x") == []
    assert parse("/speckit-staging.specify x") == []
    both = "/speckit specify for one\n/speckit-staging specify for the other"
    assert parse(both, staging) == [Specify("for the other")]
    assert mentions_command(both)
    assert mentions_command(both, staging)
    assert not mentions_command("/speckit specify x", staging)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("verb", COMMANDS_BY_VERB)
def test_every_verb_of_the_table_is_read(verb: str, prefix: str) -> None:
    spec = COMMANDS_BY_VERB[verb]
    for body in (f"{prefix} {spec.example}", f"{prefix}.{spec.example}", f"{prefix}-{spec.example}"):
        (command,) = parse(body, prefix)
        assert type(command).__name__.lower() == verb
    for flag in spec.flags:
        value = f" {flag.allowed[0] if flag.allowed else 'name'}" if flag.value else ""
        (command,) = parse(f"{prefix} {verb} {flag.name}{value} text", prefix)
        assert not isinstance(command, ParseProblem)


def test_every_command_has_a_verb() -> None:
    assert {command.__name__.lower() for command in get_args(Command)} == set(COMMANDS_BY_VERB)
    assert tuple(UNTIL_PHASES.values()) == AGENT_PHASES
    for spec in COMMANDS:
        assert not (spec.argument and spec.text != "none")
        for flag in spec.flags:
            assert (flag.value is None) == (flag.rule == "switch")
            assert bool(flag.allowed) == (flag.rule == "choice")


# --- mistakes are data


def test_mistakes_tell_what_is_allowed() -> None:
    verbs = ("specify", "status", "cancel", "help")
    flags = ("--base", "--until", "--agent", "--dry-run")
    assert parse("/speckit") == [ParseProblem(ProblemKind.MISSING_VERB, None, "", None, verbs)]
    assert parse("/speckit stauts") == [ParseProblem(ProblemKind.UNKNOWN_VERB, None, "stauts", "status", verbs)]
    (flag,) = parse("/speckit specify --untl plan x")
    assert flag == ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--untl", "--until", flags)
    (value,) = parse("/speckit specify --until plann x")
    assert value == ParseProblem(
        ProblemKind.INVALID_VALUE, "specify", "--until plann", "--until plan", ("specify", "plan", "tasks")
    )


def test_what_was_found_fits_in_a_sentence() -> None:
    (problem,) = parse("/speckit " + "x" * 60_000)
    assert isinstance(problem, ParseProblem)
    assert len(problem.found) == 80
    (problem,) = parse("/speckit wh\0at")
    assert isinstance(problem, ParseProblem)
    assert problem.found == "what"


def test_a_lone_surrogate_is_replaced() -> None:
    assert parse("/speckit specify a\ud800b") == [Specify("a\ufffdb")]
    assert parse("[x](\udfff)\n/speckit specify \ud83d") == [Specify("\ufffd")]


# --- values

# fmt: off
BRANCHES = [
    'main', 'feature/x', 'a.b', 'a-b', 'a_b', 'a@b', 'a{b', 'A', 'é', '日本', '-a', 'a-', '.a', 'a.', 'a..b', 'a/.b',
    'a//b', '/a', 'a/', 'a.lock', 'a.lock/b', 'a.lockb', '@', '@{', 'a@{b', 'a~b', 'a^b', 'a:b', 'a?b', 'a*b',
    'a[b', 'a]b', 'a\\b', 'a"b', "a'b", 'a$b', 'a;b', 'a|b', 'a&b', 'a(b', 'a<b', 'HEAD', 'head', 'refs/heads/a',
    'a/HEAD', '@/a', 'a/@', 'a,b', 'a=b', 'a#b', 'a%b', 'a+b',
]
# fmt: on


@pytest.mark.parametrize("name", [*BRANCHES, "a b", "a\tb", "a\x7fb", "a\nb"])
def test_a_branch_name_is_what_git_takes(name: str) -> None:
    git = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    # An option, HEAD and @ make legal references, but git refuses them as branches.
    expected = git.returncode == 0 and not name.startswith("-") and name not in {"HEAD", "@"}
    assert is_branch_name(name) == expected


def test_other_values() -> None:
    assert not is_branch_name("")
    assert not is_branch_name("a" * 245)
    assert not is_branch_name("é" * 123)
    assert not is_branch_name("a\u202eb")
    assert not is_branch_name("a\ud800")
    assert is_branch_name("a" * 244)
    assert is_agent_name("codex_cli")
    assert not is_agent_name("a" * 65)
    assert not is_agent_name("template\n")
    assert not is_agent_name("1a")
    assert is_run_reference("7f3a9c21")
    assert not is_run_reference("7f3a9c2")
    assert not is_run_reference("7f3a9c21-0b1d-4c53-9e0f-0123456789abc")
    assert not is_run_reference("7f3a9c21%")


# --- properties

# fmt: off
FRAGMENTS = [
    '\n', '\n\n', '/speckit', '/speckit specify x', '/speckit status', '/speckit.help', '/speckit-staging', ' ',
    '    ', '\t', '>', '> a', '- ', '1. ', '```', '~~~', '`', '``', '<!--', '-->', '<details>', '</details>',
    '<div>', '<b ', '">', '[', '](', ']: /u', '"', "'", '~~', '**', '_', '\\', '---', '===', '# ', '&#47;', 'a',
    '\r\n', '\r', '\x00', '\u200f', '\ud800', '\ue000', '/', '--base', '--until=', '=', '“', '|', '|-|',
]
# fmt: on
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"], exclude_characters="<"), min_size=1
)
TEXT_LINES = WORDS.filter(lambda word: not word.startswith(("/speckit", "!spec")))
TEXTS = (
    st.lists(st.one_of(TEXT_LINES, st.just("")), min_size=1, max_size=6)
    .map("\n".join)
    .map(lambda text: re.sub(r"\A(?:[^\S\n]*\n)+", "", text.lstrip()).rstrip())
    .filter(bool)
)
COMMAND = st.one_of(
    st.builds(
        Specify,
        text=TEXTS,
        base=st.one_of(st.none(), WORDS.filter(is_branch_name)),
        until=st.sampled_from(AGENT_PHASES),
        agent=st.one_of(st.none(), st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)),
        dry_run=st.booleans(),
    ),
    st.builds(Status),
    st.builds(Cancel, st.one_of(st.none(), st.uuids().map(str), st.uuids().map(lambda run: str(run)[:8]))),
    st.builds(Help, st.one_of(st.none(), st.sampled_from(list(COMMANDS_BY_VERB)))),
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(HOSTILE, st.text(max_size=200)))
def test_any_comment_is_read_without_an_error_and_always_the_same(body: str) -> None:
    commands = parse(body)
    assert parse(body) == commands
    assert mentions_command(body) == bool(commands)
    for command in commands:
        if isinstance(command, Specify):
            assert command.text.strip()
            assert "\0" not in command.text
            command.text.encode()


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_no_comment_commands_from_a_quote_or_from_code(body: str) -> None:
    lines = re.split(r"\r\n|\r|\n", body)
    assert parse("\n".join(f"> {line}" for line in lines)) == []
    assert parse("\n".join(f"    {line}" for line in lines)) == []
    assert parse("\n".join(f" {line}" for line in lines)) == []


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_what_follows_never_switches_a_command_off(tail: str) -> None:
    commands = parse(f"/speckit specify first\n{tail}")
    assert isinstance(commands[0], Specify)
    assert commands[0].text.startswith("first")


@settings(max_examples=150, deadline=None)
@given(COMMAND, st.sampled_from(PREFIXES))
def test_a_command_is_read_back_as_it_is_spelled(command: Command, prefix: str) -> None:
    assert parse(spell(command, prefix), prefix) == [command]
    assert parse(f"Hello\n\n{spell(command, prefix)}\r\n\r\n", prefix) == [command]


# --- size


@pytest.mark.parametrize(
    "piece", ["> ", "[", "![", "*a_", "`", "<!--", "- a\n", "|-\n", "a\n", "/speckit status\n", "é😀"]
)
def test_the_longest_comment_is_read_in_time(piece: str) -> None:
    comment = f"/speckit specify <b [`\n{piece * (65_000 // len(piece))}\n/speckit status"
    began = time.process_time()
    (first, *_) = parse(comment)
    assert isinstance(first, Specify)
    assert time.process_time() - began < 3, "normally at most one second"


def test_a_long_text_arrives_whole() -> None:
    letters = random.Random(1)
    text = "\n\n".join("".join(letters.choices("abc déf😀", k=60)).strip() for _ in range(1_000))
    assert parse(f"/speckit specify {text}") == [Specify(text)]


# --- help


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_help_is_made_from_the_table_and_is_no_command(prefix: str, role: Role | None) -> None:
    listing = help_text(prefix, role)
    pages = [listing, *(help_text(prefix, role, spec.verb) for spec in COMMANDS)]
    for spec, page in zip(COMMANDS, pages[1:], strict=True):
        assert spec.verb in listing
        assert (f"| `{prefix} {spec.usage}`" in listing) == spec.permits(role)
        assert all(flag.usage in page and flag.summary in page for flag in spec.flags)
        assert all(value in page for flag in spec.flags for value in flag.allowed)
    for page in [*pages, reference_page()]:
        assert parse(page, prefix) == []
        assert not any(line.startswith(("/", "!")) for line in page.splitlines())


def test_the_reference_lists_every_verb_and_flag() -> None:
    page = reference_page()
    for spec in COMMANDS:
        assert f"## {spec.verb}\n" in page
        assert all(f"| `{flag.usage}` |" in page for flag in spec.flags)


def test_help_for_a_reader() -> None:
    assert help_text("/speckit", Role.READ) == snapshot("""\
You can ask for:

| command | does |
|---|---|
| `/speckit status` | Tell how the runs of this issue or pull request stand. |
| `/speckit help [VERB]` | List what can be asked here, or explain VERB. |

Example: `/speckit status`

With the *write* role on this repository also: `specify`, `cancel`.

`/speckit help VERB` explains one of them.
""")


def test_help_for_a_writer() -> None:
    # ruff: noqa: E501 - sentences as people read them
    assert help_text("/speckit", Role.WRITE) == snapshot("""\
You can ask for:

| command | does |
|---|---|
| `/speckit specify [--base BRANCH] [--until PHASE] [--agent NAME] [--dry-run] TEXT` | Write a specification, a plan and tasks from TEXT and open a draft pull request with them. |
| `/speckit status` | Tell how the runs of this issue or pull request stand. |
| `/speckit cancel [RUN]` | Stop the newest run that is still alive, or the one that RUN names (its id, or at least 8 characters of it). |
| `/speckit help [VERB]` | List what can be asked here, or explain VERB. |

Example: `/speckit specify Let customers pay by invoice. Net 30, EU only.`

`/speckit help VERB` explains one of them.
""")


def test_help_for_one_verb() -> None:
    assert help_text("/speckit", Role.READ, "specify") == snapshot("""\
`/speckit specify [--base BRANCH] [--until PHASE] [--agent NAME] [--dry-run] TEXT`

Write a specification, a plan and tasks from TEXT and open a draft pull request with them.

| flag | does |
|---|---|
| `--base BRANCH` | Start from this branch instead of the default branch. |
| `--until PHASE` | Stop after this phase. One of `specify`, `plan`, `tasks`. |
| `--agent NAME` | Work with this agent instead of the default one. |
| `--dry-run` | Do everything except pushing a branch and opening a pull request. |

Where: an issue or a pull request. Needs the *write* role or better (you hold *read*).

Example: `/speckit specify Let customers pay by invoice. Net 30, EU only.`
""")
    assert help_text("/speckit", Role.WRITE, "nonsense") == help_text("/speckit", Role.WRITE)


def test_until_names_the_last_phase() -> None:
    assert parse("/speckit specify --until plan x") == [Specify("x", until=Phase.SPECKIT_PLAN)]
    assert parse("/speckit specify x") == [Specify("x", until=Phase.SPECKIT_TASKS)]
