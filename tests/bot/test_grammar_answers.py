"""The answers of clarify, after the verb and in a plain reply."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.answers import ANSWERS_EXAMPLE, NoAnswers, parse_answers, read_answers, reply_answers
from bot.commands.model import Answer, Parsed, ParseProblem, RunCommand
from bot.commands.parser import parse
from db.vocabulary import Verb
from tests.bot.labelled import answers_of, entries

ANSWERS = [(text, said and answers_of(said), why) for text, said, why in entries("answers")]
REPLIES = [(body, said and answers_of(said), why) for body, said, why in entries("replies")]


@pytest.mark.parametrize(("text", "expected", "why"), ANSWERS, ids=[repr(entry[0])[:60] for entry in ANSWERS])
def test_labelled_answers(text: str, expected: tuple[Answer, ...] | None, why: str) -> None:
    assert parse_answers(text) == expected, why
    assert isinstance(read_answers(text), NoAnswers) == (expected is None)


@pytest.mark.parametrize(("body", "expected", "why"), REPLIES, ids=[repr(entry[0])[:60] for entry in REPLIES])
def test_labelled_reply(body: str, expected: tuple[Answer, ...] | None, why: str) -> None:
    assert reply_answers(body) == expected, why
    assert expected is None or parse(body) == [], why


@pytest.mark.parametrize(("text", "expected", "why"), ANSWERS, ids=[repr(entry[0])[:60] for entry in ANSWERS])
def test_answers_say_the_same_after_the_verb_and_in_a_reply(
    text: str, expected: tuple[Answer, ...] | None, why: str
) -> None:
    (found,) = parse(f"/speckit clarify\n\n{text}")
    if expected is None and text.strip():
        assert isinstance(found.command, ParseProblem), why
    else:
        assert found == Parsed(RunCommand(Verb.CLARIFY, answers=expected or ())), why
    if "```" not in text and "    " not in text:
        assert reply_answers(f"> Which?\n\n{text}") == expected, why


def test_the_example_is_one() -> None:
    assert parse_answers(ANSWERS_EXAMPLE) == (Answer(1, "A"), Answer(2, "C"), Answer(3, text="only EU"))


def test_an_answer_is_either_a_choice_or_a_text() -> None:
    for choice, text in ((None, None), ("A", "only EU")):
        with pytest.raises(ValueError, match="either"):
            Answer(1, choice, text)


WORDS = st.from_regex(r"[a-zäöü日本]{2}[a-z.,']{0,5}[a-z本]", fullmatch=True)
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
MADE = st.dictionaries(st.integers(1, 99), st.one_of(st.sampled_from("ABCDEF"), TEXTS), min_size=1, max_size=6).map(
    answers_of
)


@settings(max_examples=100, deadline=None)
@given(MADE, st.data())
def test_answers_are_read_back_however_they_are_written(answers: tuple[Answer, ...], data: st.DataObject) -> None:
    one_line = data.draw(st.booleans())
    marks = st.sampled_from(["", ":"] if one_line else ["", ":", ": ", " ", ") ", ". ", "=", " = ", "-"])
    parts = []
    for answer in answers:
        name = data.draw(st.sampled_from(["", "Q", "q"])) + str(answer.question)
        letter = answer.choice and data.draw(st.sampled_from([answer.choice, answer.choice.lower()]))
        parts.append(f"{name}{data.draw(marks)}{letter}" if letter else f"{name}: {answer.text}")
    bullet = "" if one_line else data.draw(st.sampled_from(["", "- ", "* ", "  "]))
    separator = data.draw(st.sampled_from([" ", ", ", "; "] if one_line else ["\n", "\n\n"]))
    text = separator.join(bullet + part for part in parts)
    assert parse_answers(text) == answers


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("1239aAfFgq:.)=-,; \n*\u200b", max_size=40)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    answers = parse_answers(text)
    if answers is not None:
        assert len({answer.question for answer in answers}) == len(answers) > 0
        assert all(1 <= answer.question <= 99 for answer in answers)
        assert all(answer.choice is None or answer.choice in "ABCDEF" for answer in answers)
    assert reply_answers(text) is None or text.lstrip().startswith(">")
    reply_answers(f"> {text}\n\n{text}")


@pytest.mark.parametrize("piece", ["1 ", "1: x ", "1A ", "1A\n", "\n- ", "   \n", " 1", "1  ", "q1 A,", "\n1   ", "> "])
@pytest.mark.parametrize("before", ["", "3: x "])
def test_the_longest_answers_are_read_in_time(before: str, piece: str) -> None:
    text = before + piece * (65_000 // len(piece))
    began = time.process_time()
    parse_answers(text)
    reply_answers(f"> x\n\n{text}")
    assert time.process_time() - began < 3, "normally at most half a second"
