"""What holds for any comment at all, and for the longest."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.model import Cancel, Command, Config, Help, Parsed, Retry, RunCommand, Status
from bot.commands.parser import DEFAULT_PREFIX, mentions_command, parse
from bot.commands.table import COMMANDS, COMMANDS_BY_VERB, RETRY_PHASES, UNTIL_PHASES
from bot.commands.values import is_branch_name, is_model_name, project_folder
from db.vocabulary import Verb
from tests.bot.labelled import MENTION
from tests.bot.spelling import spell
from tests.bot.test_grammar_answers import MADE as ANSWERS

# fmt: off
FRAGMENTS = [
    '\n', '\n\n', '/speckit', '/speckit specify x', '/speckit status', '/speckit.help', '/speckit-staging', ' ',
    '    ', '\t', '>', '> a', '- ', '1. ', '```', '~~~', '`', '``', '<!--', '-->', '<details>', '</details>',
    '<div>', '<b ', '">', '[', '](', ']: /u', '"', "'", '~~', '**', '_', '\\', '---', '===', '# ', '&#47;', 'a',
    '\r\n', '\r', '\x00', '\u200f', '\ud800', '\ue000', '/', '--base', '--until=', '=', '“', '|', '|-|',
    '@speckit-bot', '@speckit-bot status', '@speckit-bot[bot] ', '/speckit clarify ', '1A', '2:',
    ' --accept-recommended', '/speckit retry ', '--project', '--model=',
]
# fmt: on
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"], exclude_characters="<"), min_size=1
)
TEXT_LINES = WORDS.filter(lambda word: not word.startswith(("/speckit", "!spec", "@speckit-bot")))
TEXTS = (
    st.lists(st.one_of(TEXT_LINES, st.just("")), min_size=1, max_size=6)
    .map("\n".join)
    .map(lambda text: re.sub(r"\A(?:[^\S\n]*\n)+", "", text.lstrip()).rstrip())
    .filter(bool)
)
VALUES = {
    "--base": WORDS.filter(is_branch_name),
    "--agent": st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    "--model": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,40}", fullmatch=True).filter(is_model_name),
    "--project": st.text("ab ./-_é", min_size=1).filter(lambda path: project_folder(path) == path.strip()),
}


@st.composite
def _run_command(draw: st.DrawFn) -> RunCommand:
    spec = draw(st.sampled_from([spec for spec in COMMANDS if spec.verb in set(Verb)]))
    given_flags = [flag for flag in spec.flags if draw(st.booleans())]
    values = {flag.name: draw(VALUES[flag.name]) for flag in given_flags if flag.name in VALUES}
    names = {flag.name for flag in given_flags}
    until = next((draw(st.sampled_from(flag.allowed)) for flag in given_flags if flag.name == "--until"), None)
    text = {"required": TEXTS, "optional": st.one_of(st.just(""), TEXTS)}.get(spec.text, st.just(""))
    return RunCommand(
        Verb(spec.verb),
        text=draw(text),
        base=values.get("--base"),
        until=UNTIL_PHASES[until] if until else None,
        agent=values.get("--agent"),
        model=values.get("--model"),
        dry_run="--dry-run" in names,
        project=values.get("--project"),
        answers=draw(st.one_of(st.just(()), ANSWERS)) if spec.text == "answers" else (),
        accept_recommended="--accept-recommended" in names,
    )


COMMAND: st.SearchStrategy[Command] = st.one_of(
    _run_command(),
    st.builds(Status),
    st.builds(Config),
    st.builds(Cancel, st.one_of(st.none(), st.uuids().map(str), st.uuids().map(lambda run: str(run)[:8]))),
    st.builds(Retry, st.one_of(st.none(), st.sampled_from(list(RETRY_PHASES.values())))),
    st.builds(Help, st.one_of(st.none(), st.sampled_from(list(COMMANDS_BY_VERB)))),
)
ASKED_BY = ["/speckit ", "/speckit.", "/speckit-", "/speckit-staging ", "!spec ", "@speckit-bot ", "@Speckit-Bot[bot] "]


@settings(max_examples=200, deadline=None)
@given(st.one_of(HOSTILE, st.text(max_size=200)))
def test_any_comment_is_read_without_an_error_and_always_the_same(body: str) -> None:
    for mention in (None, MENTION):
        commands = parse(body, DEFAULT_PREFIX, mention)
        assert parse(body, DEFAULT_PREFIX, mention) == commands
        assert mentions_command(body, DEFAULT_PREFIX, mention) == bool(commands)
        for one in commands:
            if isinstance(one.command, RunCommand):
                assert one.command.text == one.command.text.rstrip()
                assert "\0" not in one.command.text
                one.command.text.encode()


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_no_comment_commands_from_a_quote_or_from_code(body: str) -> None:
    lines = re.split(r"\r\n|\r|\n", body)
    for before in ("> ", "    ", " "):
        assert parse("\n".join(before + line for line in lines), mention=MENTION) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["/speckit", "@speckit-bot"]), HOSTILE)
def test_what_follows_never_switches_a_command_off(asked_by: str, tail: str) -> None:
    command = parse(f"{asked_by} specify first\n{tail}", mention=MENTION)[0].command
    assert isinstance(command, RunCommand)
    assert command.text.startswith("first")


@settings(max_examples=150, deadline=None)
@given(COMMAND, st.sampled_from(ASKED_BY))
def test_a_command_is_read_back_as_it_is_spelled(command: Command, asked_by: str) -> None:
    prefix = next((prefix for prefix in ("/speckit-staging", "!spec") if asked_by.startswith(prefix)), DEFAULT_PREFIX)
    expected = [Parsed(command, asked_by.startswith("@"))]
    assert parse(spell(command, asked_by), prefix, MENTION) == expected
    assert parse(f"Hello\n\n{spell(command, asked_by)}\r\n\r\n", prefix, MENTION) == expected


@pytest.mark.parametrize(
    "piece",
    ["> ", "[", "![", "*a_", "`", "<!--", "- a\n", "|-\n", "a\n", "/speckit status\n", "é😀", "@speckit-bot stats\n"],
)
def test_the_longest_comment_is_read_in_time(piece: str) -> None:
    comment = f"/speckit specify <b [`\n{piece * (65_000 // len(piece))}\n/speckit status"
    began = time.process_time()
    first = parse(comment, mention=MENTION)[0].command
    assert isinstance(first, RunCommand)
    assert time.process_time() - began < 3, "normally at most one second"


def test_a_long_text_arrives_whole() -> None:
    letters = random.Random(1)
    text = "\n\n".join("".join(letters.choices("abc déf😀", k=60)).strip() for _ in range(1_000))
    assert parse(f"/speckit specify {text}") == [Parsed(RunCommand(Verb.SPECIFY, text))]
