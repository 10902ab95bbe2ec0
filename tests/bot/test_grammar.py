"""What counts as a command, and what it says: labelled comments, the table as the one source, mistakes as data."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from bot.commands.model import Command, Help, Parsed, ParsedCommand, ParseProblem, ProblemKind, RunCommand, Status
from bot.commands.parser import DEFAULT_PREFIX, mentions_command, parse
from bot.commands.table import COMMANDS, COMMANDS_BY_VERB, RETRY_PHASES, SPEC_KIT_VERBS, UNTIL_PHASES
from db.vocabulary import AGENT_PHASES, MAIN_PHASES, Phase, Verb
from tests.bot.labelled import MENTION, Labelled, labelled, without_advice

COMMENTS = labelled("comments", "verbs", "mentions")
PREFIXES = ["/speckit", "/speckit-staging", "!spec"]


def commands_of(body: str, prefix: str = DEFAULT_PREFIX) -> list[ParsedCommand]:
    return [one.command for one in parse(body, prefix)]


# --- labelled comments


@pytest.mark.parametrize("comment", COMMENTS, ids=lambda comment: repr(comment.body)[:60])
def test_labelled_comment(comment: Labelled) -> None:
    assert without_advice(parse(comment.body, mention=MENTION)) == comment.expected, comment.why
    assert mentions_command(comment.body, mention=MENTION) == bool(comment.expected), comment.why


def test_the_corpus_is_broad() -> None:
    assert len({comment.body for comment in COMMENTS}) == len(COMMENTS) >= 600
    seen = [one.command for comment in COMMENTS for one in comment.expected]
    assert {type(command) for command in seen} == {*get_args(Command), ParseProblem}
    assert {command.verb for command in seen if isinstance(command, RunCommand)} == set(Verb)
    assert {command.kind for command in seen if isinstance(command, ParseProblem)} == set(ProblemKind)
    assert any(one.mentioned for comment in COMMENTS for one in comment.expected)
    for spec in COMMANDS:
        for flag in spec.flags:
            assert any(f"{spec.verb} " in body and f"{flag.name}" in body for body, _, _ in COMMENTS), (spec, flag)


def test_quoting_or_folding_a_comment_silences_it() -> None:
    for body, _, why in COMMENTS:
        lines = re.split(r"\r\n|\r|\n", body)
        quoted = "\n".join(f"> {line}" for line in lines)
        indented = "\n".join(f"    {line}" for line in lines)
        fenced = "\n".join(["````````", *lines, "````````"])
        listed = "- " + "\n  ".join(lines)
        folded = f"<details>\n\n{body}\n\n</details>" if "<" not in body else ""
        for silenced in (quoted, indented, fenced, listed, folded):
            assert parse(silenced, mention=MENTION) == [], why


def test_text_before_it_changes_no_command() -> None:
    for body, expected, why in COMMENTS:
        before = f"Dear all,\r\n\r\n* one\r\n* two\r\n\r\n# News\r\n\r\n{body}"
        assert without_advice(parse(before, mention=MENTION)) == expected, why


def test_whoever_is_not_listened_to_by_name_is_not_answered_by_name() -> None:
    for body, expected, why in COMMENTS:
        found = parse(body)
        assert not any(one.mentioned for one in found)
        if "@speckit-bot" not in body.lower():
            assert without_advice(found) == expected, why
    for nobody in (None, ""):
        assert parse("@speckit-bot status\n@ status", mention=nobody) == []
        assert not mentions_command("@speckit-bot status\n@ status", mention=nobody)


# --- another prefix


def test_another_prefix_is_another_app() -> None:
    staging = "/speckit-staging"
    feature = RunCommand(Verb.SPECIFY, "x")
    assert commands_of("/speckit-staging specify x", staging) == [feature]
    assert commands_of("/speckit-staging.specify x", staging) == [feature]
    assert commands_of("/speckit-staging-status", staging) == [Status()]
    assert commands_of("/speckit specify x", staging) == []
    assert commands_of("/speckit.specify x", staging) == []
    assert commands_of("/speckit-staging specify x") == []
    assert commands_of("/speckit-staging.specify x") == []
    both = "/speckit specify for one\n/speckit-staging specify for the other"
    assert commands_of(both, staging) == [RunCommand(Verb.SPECIFY, "for the other")]
    assert mentions_command(both)
    assert mentions_command(both, staging)
    assert not mentions_command("/speckit specify x", staging)


# --- the table


@pytest.mark.parametrize("asked_by", [*(f"{prefix} " for prefix in PREFIXES), "/speckit.", "!spec-", "@speckit-bot "])
@pytest.mark.parametrize("verb", COMMANDS_BY_VERB)
def test_every_verb_of_the_table_is_read(verb: str, asked_by: str) -> None:
    prefix = next((prefix for prefix in reversed(PREFIXES) if asked_by.startswith(prefix)), DEFAULT_PREFIX)
    prefix = prefix if asked_by != "/speckit." else "/speckit"
    spec = COMMANDS_BY_VERB[verb]
    for example in spec.examples:
        (found,) = parse(asked_by + example, prefix, MENTION)
        command = found.command
        assert not isinstance(command, ParseProblem)
        assert found.mentioned == asked_by.startswith("@")
        assert verb == (command.verb if isinstance(command, RunCommand) else type(command).__name__.lower())
    for flag in spec.flags:
        value = f" {flag.allowed[0] if flag.allowed else flag.example}" if flag.value else ""
        text = {"none": "", "answers": " 1A"}.get(spec.text, " text")
        (found,) = parse(f"{asked_by}{verb} {flag.name}{value}{text}", prefix, MENTION)
        assert isinstance(found.command, RunCommand)
        assert found.command != RunCommand(Verb(verb), found.command.text, answers=found.command.answers)


def test_the_table_is_whole() -> None:
    about_runs = {command.__name__.lower() for command in get_args(Command)} - {"runcommand"}
    assert set(COMMANDS_BY_VERB) == {*Verb, *about_runs}
    assert len(COMMANDS_BY_VERB) == len(COMMANDS)
    assert tuple(UNTIL_PHASES.values()) == MAIN_PHASES
    assert set(RETRY_PHASES.values()) == {*AGENT_PHASES, Phase.COMMIT_PUSH, Phase.OPEN_PR}
    assert set(SPEC_KIT_VERBS) >= set(Verb) - {Verb.REFINE}
    for spec in COMMANDS:
        assert spec.places
        assert spec.examples
        assert not (spec.argument and spec.text != "none")
        assert not (spec.flags and spec.verb not in set(Verb))
        for flag in spec.flags:
            assert (flag.value is None) == (flag.rule == "switch")
            assert bool(flag.allowed) == (flag.rule == "choice")
            assert (flag.example is None) == (flag.rule in {"switch", "choice"})


# --- mistakes are data


def test_mistakes_tell_what_is_allowed() -> None:
    verbs = tuple(spec.verb for spec in COMMANDS)
    flags = ("--base", "--until", "--agent", "--model", "--dry-run", "--project")
    assert commands_of("/speckit") == [ParseProblem(ProblemKind.MISSING_VERB, None, "", None, verbs)]
    assert commands_of("/speckit stauts") == [ParseProblem(ProblemKind.UNKNOWN_VERB, None, "stauts", "status", verbs)]
    assert commands_of("/speckit specify --untl plan x") == [
        ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--untl", "--until", flags)
    ]
    assert commands_of("/speckit plan --until plann x") == [
        ParseProblem(ProblemKind.INVALID_VALUE, "plan", "--until plann", "--until plan", ("plan", "tasks"))
    ]
    assert commands_of("/speckit retry plann") == [
        ParseProblem(ProblemKind.INVALID_VALUE, "retry", "plann", "plan", tuple(RETRY_PHASES))
    ]


@pytest.mark.parametrize(
    ("body", "example"),
    [
        ("/speckit specify --base a..b", "--base release/1.2"),
        ("/speckit specify --agent Codex", "--agent codex_cli"),
        ("/speckit specify --model", "--model vendor/name-1.2"),
        ("/speckit specify --project ../x", "--project services/shop"),
        ("/speckit clarify 1A Thanks", "clarify 1A 2C 3: only EU"),
        ("/speckit cancel 7f3a", "cancel 7f3a9c21"),
        ("/speckit refine", "refine Success criteria: name the time limit."),
    ],
)
def test_where_nothing_can_be_listed_there_is_an_example_that_works(body: str, example: str) -> None:
    (problem,) = commands_of(body)
    assert isinstance(problem, ParseProblem)
    assert problem.example == example
    verb = "" if example.startswith(f"{problem.verb} ") else f"{problem.verb} "
    (right,) = commands_of(f"/speckit {verb}{example}")
    assert not isinstance(right, ParseProblem)


def test_what_was_found_fits_in_a_sentence() -> None:
    for body in ("/speckit " + "x" * 60_000, "/speckit clarify " + "x" * 60_000, "/speckit cancel " + "7" * 60_000):
        (problem,) = commands_of(body)
        assert isinstance(problem, ParseProblem)
        assert len(problem.found) == 80
    (problem,) = commands_of("/speckit wh\0at")
    assert isinstance(problem, ParseProblem)
    assert problem.found == "what"


def test_a_lone_surrogate_is_replaced() -> None:
    assert commands_of("/speckit specify a\ud800b") == [RunCommand(Verb.SPECIFY, "a\ufffdb")]
    assert commands_of("[x](\udfff)\n/speckit specify \ud83d") == [RunCommand(Verb.SPECIFY, "\ufffd")]


def test_each_command_says_how_it_was_asked_for() -> None:
    assert parse("/speckit status\n@Speckit-Bot help plan", mention=MENTION) == [
        Parsed(Status()),
        Parsed(Help("plan"), mentioned=True),
    ]


@pytest.mark.parametrize("login", ["a.b", "a+b", "x[bot]", "(", "\\", "é"])
def test_any_login_is_taken_as_it_is(login: str) -> None:
    assert parse(f"@{login} status", mention=login) == [Parsed(Status(), mentioned=True)]
    assert parse("@axb status", mention=login) == []
