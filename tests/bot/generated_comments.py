"""Comments made up at random, of which the maker knows what a person who sees them rendered takes for a command.

A comment is a row of blocks with a blank line between them. In a block a command either stands in plain text and
counts, or stands where it does not: quoted, in code, in a list, hidden, within a line, or for another App.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from bot.commands.model import (
    Answer,
    Cancel,
    Command,
    Config,
    Help,
    Parsed,
    ParsedCommand,
    ParseProblem,
    ProblemKind,
    Retry,
    RunCommand,
    Status,
)
from bot.commands.table import COMMANDS, COMMANDS_BY_VERB, RETRY_PHASES, UNTIL_PHASES
from db.vocabulary import Verb
from tests.bot.labelled import MENTION
from tests.bot.spelling import spell


class Generated(NamedTuple):
    """A comment, whether the App's name is listened to, and what is asked for."""

    body: str
    mention: str | None
    expected: list[Parsed]


class _Typed(NamedTuple):
    """A command as it is typed after the prefix, and what it means when nothing follows it."""

    lines: list[str]
    means: ParsedCommand


class _Block(NamedTuple):
    """Some lines; what people see of them; and the command they end with, if it counts."""

    lines: list[str]
    shown: list[str]
    command: Parsed | None = None


# fmt: off
_NAMES = ("login", "invoices", "for", "customers", "in", "the", "EU", "specify", "plan", "naïve", "日本", "שלום")
_WORDS = (*_NAMES, "@octocat", "#12", "1A", "2:", "--base", "-x", "$(id)", "*bold*", "a_b", "5,000", "👍", "/speckit",
          "'q'", "&amp;", "it's", "100%", "\\d", "e.g.", "@speckit-bot", "://", "{x}")
_BRANCHES = ("dev", "release/1.2", "feature/ü-1", "a@b")
_MISSPELT: tuple[tuple[str, ParseProblem], ...] = (
    ("stauts", ParseProblem(ProblemKind.UNKNOWN_VERB, None, "stauts", "status")),
    ("specfy x", ParseProblem(ProblemKind.UNKNOWN_VERB, None, "specfy", "specify")),
    ("Plan x", ParseProblem(ProblemKind.UNKNOWN_VERB, None, "Plan", "plan")),
    ("implment", ParseProblem(ProblemKind.UNKNOWN_VERB, None, "implment", "implement")),
    ("specify --untl plan x", ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "--untl", "--until")),
    ("specify -base dev x", ParseProblem(ProblemKind.UNKNOWN_FLAG, "specify", "-base", "--base")),
    ("plan --until paln x", ParseProblem(ProblemKind.INVALID_VALUE, "plan", "--until paln", "--until plan")),
    ("specify --project ../x y", ParseProblem(ProblemKind.INVALID_VALUE, "specify", "--project ../x")),
    ("tasks --model -x y", ParseProblem(ProblemKind.INVALID_VALUE, "tasks", "--model -x")),
    ("tasks --agent", ParseProblem(ProblemKind.MISSING_VALUE, "tasks", "--agent")),
    ("refine --dry-run --dry-run x", ParseProblem(ProblemKind.REPEATED_FLAG, "refine", "--dry-run")),
    ("retry plna", ParseProblem(ProblemKind.INVALID_VALUE, "retry", "plna", "plan")),
    ("cancel everything", ParseProblem(ProblemKind.INVALID_VALUE, "cancel", "everything")),
    ("help staus", ParseProblem(ProblemKind.UNKNOWN_VERB, "help", "staus", "status")),
    ("analyze this", ParseProblem(ProblemKind.UNEXPECTED_TEXT, "analyze", "this")),
    ("clarify 1A 1B", ParseProblem(ProblemKind.INVALID_VALUE, "clarify", "1A 1B")),
)
_NOT_OURS = (
    "/speckit-staging specify x", "/speckit.io plan", "/speckit-bot status", "/speckitplan x", "/speckit/plan",
    "/SPECKIT plan x", "/Speckit status", "//speckit plan", "@speckit-bot thanks!", "@speckit-bot is great",
    "@speckit-bot plans well", "@speckit-bot-staging status", "@octocat status", "@speckit status", "@speckit-bot",
)
# fmt: on


def comments(seed: int, count: int) -> Iterator[Generated]:
    """``count`` comments; the same for the same ``seed``."""
    random = Random(seed)
    for _ in range(count):
        yield _comment(random)


def _comment(random: Random) -> Generated:
    mention = MENTION if random.random() < 0.75 else None
    blocks: list[_Block] = []
    for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
        if blocks and _takes_answers(blocks[-1]):
            blocks.append(_live(random, mention, _plain))
        elif random.random() < 0.45:
            blocks.append(_live(random, mention, random.choice(_LIVE)))
        else:
            blocks.append(_dead(random, mention))
    lines = [line for block in blocks for line in ("", *block.lines)][1:]
    line_end = random.choice(("\n", "\n", "\n", "\r\n", "\r"))
    body = random.choice(("", "", line_end, f" {line_end}")) + line_end.join(lines)
    return Generated(body + random.choice(("", "", line_end, "  ")), mention, _meaning(blocks))


def _takes_answers(block: _Block) -> bool:
    """What follows such a block would be no answer, unless it is another command."""
    command = block.command.command if block.command is not None else None
    return isinstance(command, RunCommand) and command.verb is Verb.CLARIFY


def _meaning(blocks: Sequence[_Block]) -> list[Parsed]:
    """The commands that count, each with what people see between it and the next for its text."""
    meaning: list[Parsed] = []
    for number, block in enumerate(blocks):
        if block.command is None:
            continue
        command, mentioned = block.command.command, block.command.mentioned
        if isinstance(command, RunCommand) and COMMANDS_BY_VERB[command.verb].text in {"optional", "required"}:
            following = [command.text]
            for later in blocks[number + 1 :]:
                following += ["", *later.shown]
                if later.command is not None:
                    break
            while following and not following[0].strip():
                del following[0]
            command = replace(command, text="\n".join(following).rstrip())
            if COMMANDS_BY_VERB[command.verb].text == "required" and not command.text:
                meaning.append(Parsed(ParseProblem(ProblemKind.MISSING_TEXT, command.verb, ""), mentioned))
                continue
        meaning.append(Parsed(command, mentioned))
    return meaning


# --- commands


def _words(random: Random, most: int) -> str:
    return " ".join((random.choice(_NAMES), *random.choices(_WORDS, k=random.randrange(most))))


def _text(random: Random) -> str:
    """A text of one or more lines, now and then of which Markdown makes a heading or a table."""
    lines = [_words(random, 5)]
    if random.random() < 0.05:
        lines = [f"{lines[0]} | b", "--- | ---", "1 | 2", ""]
    while random.random() < 0.25:
        lines += [*random.choice(([], [""])), _words(random, 4)]
    if random.random() < 0.05:
        lines += [random.choice(("---", "==="))]
    return "\n".join(lines).rstrip()


def _command(random: Random) -> Command:
    if random.random() < 0.3:
        return random.choice(
            (
                Status(),
                Config(),
                Help(),
                Help(random.choice(COMMANDS).verb),
                Cancel(),
                Cancel(f"{random.getrandbits(32):08x}"),
                Retry(),
                Retry(random.choice(tuple(RETRY_PHASES.values()))),
            )
        )
    spec = COMMANDS_BY_VERB[random.choice(tuple(Verb))]
    flags = {flag.name for flag in spec.flags if random.random() < 0.15}
    until = next((flag.allowed for flag in spec.flags if flag.name == "--until"), ())
    return RunCommand(
        Verb(spec.verb),
        text=_text(random) if spec.text == "required" or (spec.text == "optional" and random.random() < 0.8) else "",
        base=random.choice(_BRANCHES) if "--base" in flags else None,
        until=UNTIL_PHASES[random.choice(until)] if "--until" in flags else None,
        agent="codex_cli" if "--agent" in flags else None,
        model="vendor/name-1.2" if "--model" in flags else None,
        dry_run="--dry-run" in flags,
        project=random.choice(("services/shop", "my shop")) if "--project" in flags else None,
        answers=_answers(random) if spec.text == "answers" and random.random() < 0.8 else (),
        accept_recommended="--accept-recommended" in flags,
    )


def _answers(random: Random) -> tuple[Answer, ...]:
    return tuple(
        Answer(number, choice=random.choice("ABCDEF"))
        if random.random() < 0.6
        else Answer(number, text=" ".join(random.choices(_NAMES[:8], k=3)))
        for number in random.sample(range(1, 12), k=random.randint(1, 4))
    )


def _asked_by(random: Random, mention: str | None) -> str:
    ways = ["/speckit ", "/speckit ", "/speckit.", "/speckit-", "/speckit\t"]
    if mention is not None:
        ways += ["@speckit-bot ", "@Speckit-Bot[bot] ", "@speckit-bot, "]
    return random.choice(ways)


def _typed(random: Random, asked_by: str) -> _Typed:
    if random.random() < 0.15:
        words, problem = random.choice(_MISSPELT)
        return _Typed([asked_by + words], problem)
    command = _command(random)
    return _Typed(spell(command, asked_by).split("\n"), command)


# --- where a command counts

_Before = Callable[[Random], tuple[list[str], list[str]]]


def _live(random: Random, mention: str | None, before: _Before) -> _Block:
    asked_by = _asked_by(random, mention)
    typed = _typed(random, asked_by)
    lines, shown = before(random)
    return _Block([*lines, *typed.lines], shown, Parsed(typed.means, asked_by.startswith("@")))


def _plain(_random: Random) -> tuple[list[str], list[str]]:
    return [], []


def _after(*choices: list[str]) -> _Before:
    def lines(random: Random) -> tuple[list[str], list[str]]:
        chosen = random.choice(choices)
        return chosen, chosen

    return lines


def _after_hidden(random: Random) -> tuple[list[str], list[str]]:
    return random.choice((["<!-- hint -->"], ["<!--", "/speckit status", "", "-->"])), [""]


_LIVE: tuple[_Before, ...] = (
    _plain,
    _plain,
    _after(["Thanks all."], ["**bold", "@octocat"], ["# Title"], ["Title", "==="], ["***"], ["a \\"], ["a  "]),
    _after(["```", "/speckit status", "```"], ["~~~sh", "a", "", "~~~"], ["Use `code` and **this**"]),
    _after(["> # heading"], [">"], ["> ```"], ["- ```"], ["-"], ["> a", ""], ["- a", ""], ["1. a", "2. b", ""]),
    _after(["[docs]: https://example.org"], ["See [docs](https://example.org)"], ["![shot](https://a.example/b.png)"]),
    _after(["| a | b |", "|---|---|", "| 1 | 2 |", ""], ["<br>", ""], ["<details>", "", "x", "", "</details>", ""]),
    _after_hidden,
)


# --- where it does not

# fmt: off
_SILENT: tuple[tuple[str, ...], ...] = (
    ("> {}", ">{}", "> a\n{}", "> > a\n{}", "> - a\n{}", "On Monday octocat wrote:\n> {}", "> [!NOTE]\n> {}",
     "<blockquote>\n\n{}\n\n</blockquote>"),
    ("```\n{}\n```", "~~~~\n~~~\n{}\n~~~~", "```sh\na\n\n{}\n\n```", "text\n```\n{}\n```", "    {}", "\t{}", "`{}`",
     "Use `{}`", "<pre>\n\n{}\n\n</pre>", "<code>\n{}\n</code>", "a `b\n{}\nc` d", "``a\n{}\nb``"),
    ("- {}", "* {}\n* b", "1. {}", "- [ ] {}", "- a\n{}", "1. a\n{}", "- a\n  - b\n{}", "- a\n\n  {}",
     "[^1]: note\n{}"),
    ("| {} | b |\n|---|---|", "| a | b |\n|---|---|\n| {} | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |\n{}"),
    ("<details>\n<summary>how</summary>\n\n{}\n\n</details>", "<details>\n{}\n</details>", "<div>\n{}\n</div>",
     "<table><tr><td>\n\n{}\n\n</td></tr></table>", "<ul><li>\n\n{}\n\n</li></ul>"),
    ("# {}", "**{}**", "~~{}~~", "~~old\n{}\nidea~~", "[{}](https://example.org)", "[see\n{}\nhere](https://example.org)",
     "![see\n{}\nhere](https://example.org/a.png)"),
    ("Please {}", "$ {}", "({}", '"{}', "👍 {}", "\\{}", "\u200b{}", "\ufeff{}", "\u00a0{}", " {}", "  {}", "   {}",
     "https://x.example{}"),
    _NOT_OURS,
)
# fmt: on
_HIDDEN = ("<!--\n{}\n-->", "<!--\n\n{}\n\n-->", "<!-- {} -->")


def _dead(random: Random, mention: str | None) -> _Block:
    """A block in which a command does not count; or one without any."""
    typed = _typed(random, _asked_by(random, mention)).lines[0]
    kind = random.randrange(len(_SILENT) + 3)
    if kind < len(_SILENT):
        return _shown(random.choice(_SILENT[kind]).replace("{}", typed))
    if kind == len(_SILENT):
        return _Block(random.choice(_HIDDEN).replace("{}", typed).split("\n"), [""])
    if kind == len(_SILENT) + 1 and mention is None:
        return _shown(spell(_command(random), f"@{MENTION} "))
    return _shown(_text(random))


def _shown(text: str) -> _Block:
    lines = text.split("\n")
    return _Block(lines, lines)
