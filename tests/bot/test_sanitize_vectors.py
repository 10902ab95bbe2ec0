"""Texts that try something, against what GitHub would make of them: first as they stand, then made harmless.

The first half keeps the judge honest: it must see in the raw text what the text tries.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
import yaml

from bot.commands.parser import parse
from bot.github.markers import marker_in, run_marker
from bot.reporting import sanitize
from tests.bot.gfm_oracle import findings_in_text, hidden_characters, rendered

CORPUS: list[list[Any]] = yaml.safe_load((Path(__file__).parent / "corpus" / "markdown_vectors.yml").read_text("utf-8"))
BLOCK_LIMIT = 3000
OUR_MARK = run_marker(UUID(int=7))
SKIPS_CI = re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)


class Vector(NamedTuple):
    """One text of the corpus."""

    name: str
    text: str
    tries: str
    shows: str | None = None


def vector(name: str, text: str | list[Any], tries: str, shows: str | None = None) -> Vector:
    return Vector(name, text if isinstance(text, str) else text[0] * text[1], tries, shows)


VECTORS = [vector(*entry) for entry in CORPUS]
SHORT = [one for one in VECTORS if one.tries != "long"]
LONG = [one for one in VECTORS if one.tries == "long"]
TEXTS = [one.text for one in SHORT]


class Harmless(NamedTuple):
    """What becomes of a text, by the way it is shown."""

    line: str
    cell: str
    block: str
    code: str
    quoted: str
    title: str


def made_harmless(text: str) -> Harmless:
    return Harmless(
        line=sanitize.inline(text),
        cell=sanitize.table_cell(text),
        block=sanitize.block(text, BLOCK_LIMIT),
        code=sanitize.code(text),
        quoted=sanitize.quoted_block(text),
        title=sanitize.plain(text),
    )


class Placed(NamedTuple):
    """A harmless text, and where in a report it stands."""

    place: Literal["paragraph", "item", "cell", "block", "quoted"]
    text: str

    def as_written(self) -> str:
        match self.place:
            case "paragraph":
                return f"Words of ours.\n{self.text}\n"
            case "item":
                return f"- {self.text}"
            case "cell":
                return f"| {self.text} | ours |"
            case "block" | "quoted":
                return f"{self.text}\n"

    def in_plain_words(self) -> Placed:
        """The same with a word for each line of the text."""
        if self.place == "quoted":
            return self._replace(text="> ```\n> x\n> ```")
        return self._replace(text=re.sub(r"^(- )?.+", r"\1x", self.text, flags=re.MULTILINE))


def everywhere(part: Harmless) -> list[Placed]:
    """Each of the texts wherever our reports have it."""
    return [
        *(Placed(place, text) for text in (part.line, part.code) for place in ("paragraph", "item", "cell")),
        Placed("cell", part.cell),
        Placed("block", part.block),
        Placed("quoted", part.quoted),
    ]


def report(placed: Sequence[Placed]) -> str:
    """A comment with the texts between words of ours, and with our mark at its end."""

    def of(place: str) -> list[str]:
        return [one.as_written() for one in placed if one.place == place]

    footer = ["[logs](https://speckit.example/runs) · Words of ours", "", OUR_MARK]
    table = ["", "| theirs | ours |", "|---|---:|", *of("cell"), "| ours | ours |", ""]
    return "\n".join([*of("paragraph"), *of("item"), "- ours", *table, *of("block"), *of("quoted"), *footer])


def assert_nothing_is_live(placed: Sequence[Placed]) -> None:
    """The report has the blocks, links and marks it would have with plain words in it, and nothing more."""
    body = report(placed)
    found, expected = rendered(body), rendered(report([one.in_plain_words() for one in placed]))
    assert found.skeleton == expected.skeleton
    assert found.skeleton[-1] == f"0 html_block {OUR_MARK}"
    assert Counter(one.kind for one in found.findings) == Counter(one.kind for one in expected.findings), [
        one for one in found.findings if one not in expected.findings
    ]
    assert parse(body) == []
    assert marker_in(body) == OUR_MARK


def assert_harmless(text: str, part: Harmless) -> None:
    """What can be said of the parts without rendering them."""
    assert not hidden_characters("\n".join(part).replace("\t", ""))
    assert "\n" not in part.line + part.cell + part.code + part.title
    assert "\n/" not in "\n".join(["", part.line, part.cell, part.code, part.title, part.block])
    assert "<!--" not in "\n".join([part.line, part.cell, part.code, part.block])
    assert max(len(part.line), len(part.cell), len(part.code), len(part.block)) <= 5 * max(len(text), 10)
    assert all(line.startswith(">") for line in part.quoted.split("\n"))
    assert not [one for one in findings_in_text(part.title) if not is_word_or_number(one.text)], part.title
    assert not SKIPS_CI.search(part.title)


def is_word_or_number(text: str) -> bool:
    """Where nothing is a link, as in a title, a number or a word is no commit."""
    return text.isdecimal() or text.isalpha()


def assert_again_is_the_same(part: Harmless) -> None:
    assert sanitize.inline(part.line) == part.line
    assert sanitize.table_cell(part.cell) == part.cell
    assert sanitize.block(part.block, BLOCK_LIMIT) == part.block
    assert sanitize.plain(part.title) == part.title


# --- the judge sees what there is


@pytest.mark.parametrize("one", VECTORS, ids=[one.name for one in VECTORS])
def test_the_oracle_sees_what_a_text_tries(one: Vector) -> None:
    match one.tries:
        case "long":
            assert len(one.text) >= 65_535
        case "hidden":
            assert hidden_characters(one.text) or hidden_characters(rendered(one.text).shown)
        case "skip":
            assert SKIPS_CI.search(one.text)
        case "command":
            assert parse(one.text) != []
        case "none":
            assert rendered(one.text).findings == []
            assert parse(one.text) == []
        case kind:
            assert kind in {found.kind for found in rendered(one.text).findings}


def test_the_corpus_is_broad() -> None:
    assert len(CORPUS) >= 300
    assert len({one.text for one in VECTORS}) == len({one.name for one in VECTORS}) == len(CORPUS)
    assert Counter(one.tries for one in VECTORS).keys() == {
        "none", "long", "hidden", "command", "mention", "reference", "closing", "commit", "address", "advisory", "link",
        "image", "html", "footnote", "math", "task", "alert", "table", "heading", "quote", "fence", "rule", "list",
        "indented code", "skip",
    }  # fmt: skip


# --- what becomes of it


@pytest.mark.parametrize("one", SHORT, ids=[one.name for one in SHORT])
def test_a_text_made_harmless_does_nothing(one: Vector) -> None:
    part = made_harmless(one.text)
    assert_harmless(one.text, part)
    assert_nothing_is_live(everywhere(part))
    assert_again_is_the_same(part)
    if one.shows is not None:
        assert rendered(part.line).shown == one.shows


@pytest.mark.parametrize("one", SHORT, ids=[one.name for one in SHORT])
def test_a_quoted_text_is_shown_letter_by_letter(one: Vector) -> None:
    written = [line.rstrip() for line in sanitize.visible(one.text).strip("\n").expandtabs(4).split("\n")]
    assert rendered(sanitize.quoted_block(one.text)).shown.expandtabs(4).split("\n") == written


@pytest.mark.parametrize("one", LONG, ids=[one.name for one in LONG])
def test_a_long_text_made_harmless_does_nothing_soon(one: Vector) -> None:
    began = time.process_time()
    part = made_harmless(one.text)
    assert time.process_time() - began < 5
    assert_harmless(one.text, part)
    assert_again_is_the_same(part)
    assert_nothing_is_live([Placed("item", part.line), Placed("cell", part.cell), Placed("block", part.block)])
    assert_nothing_is_live([Placed("quoted", part.quoted)])
    assert sanitize.table_cell(one.text, 5) == sanitize.table_cell(sanitize.table_cell(one.text, 5), 5)


@pytest.mark.parametrize("one", SHORT, ids=[one.name for one in SHORT])
def test_a_clipped_text_does_nothing(one: Vector) -> None:
    """Where a text is cut it must not come to life, and cutting it again changes nothing."""
    placed: list[Placed] = []
    for limit in (0, 1, 2, 3, 5, 7, 8, 11, 40):
        line, lines = sanitize.table_cell(one.text, limit), sanitize.block(one.text, limit)
        assert sanitize.table_cell(line, limit) == line
        assert sanitize.block(lines, limit) == lines
        assert len(line) <= 5 * limit
        assert len(lines) <= 5 * limit
        placed += [Placed("item", line), Placed("cell", line), Placed("block", lines)]
    assert_nothing_is_live(placed)
