"""What each kind of event asks for, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.asking import Asked, Hearing, asked_in
from bot.commands.model import Answer, Cancel, Help, ParseProblem, RunCommand, Status
from bot.events import Assigned, CommentPosted, Labeled, ReviewCommentPosted
from db.vocabulary import Trigger, Verb
from tests.bot.deliveries import (
    APP,
    assigned_payload,
    comment_payload,
    labeled_payload,
    review_comment_payload,
)
from tests.bot.situations import config_of, event_of

SLUG = str(APP["slug"])
ON_PULL: dict[str, Any] = {"issue__pull_request": {"url": "https://api.github.com/repos/acme/shop/pulls/7"}}


async def asked(event_name: str, payload: dict[str, Any], config: str = "", slug: str | None = SLUG) -> list[Asked]:
    event = event_of(event_name, payload)
    assert isinstance(event, CommentPosted | ReviewCommentPosted | Labeled | Assigned)
    return await asked_in(event, config_of(config), Hearing("/speckit", slug))


async def said(body: str, config: str = "", slug: str | None = SLUG, **paths: Any) -> list[Asked]:
    return await asked("issue_comment", comment_payload(body, **paths), config, slug)


# Comments


async def test_commands_keep_their_place_in_the_comment() -> None:
    assert await said("/speckit specify One\n/speckit status\n/speckit nope\n/speckit cancel 7f3a9c21") == [
        Asked(RunCommand(Verb.SPECIFY, "One"), 0, Trigger.COMMENT),
        Asked(Status(), 1, Trigger.COMMENT),
        Asked((await said("/speckit nope"))[0].command, 2, Trigger.COMMENT),
        Asked(Cancel("7f3a9c21"), 3, Trigger.COMMENT),
    ]
    assert isinstance((await said("/speckit nope"))[0].command, ParseProblem)


async def test_talk_asks_for_nothing() -> None:
    assert await said("I would say /speckit specify is right.") == []


async def test_a_mention_is_a_trigger_of_its_own() -> None:
    assert await said(f"@{SLUG} specify One\n/speckit help") == [
        Asked(RunCommand(Verb.SPECIFY, "One"), 0, Trigger.MENTION),
        Asked(Help(), 1, Trigger.COMMENT),
    ]


async def test_a_repository_that_wants_no_mentions_hears_none() -> None:
    off = "triggers: {mentions: false}"
    assert await said(f"@{SLUG} specify One", off) == []
    assert len(await said("/speckit specify One", off)) == 1, "a command at the start of a line always counts"


async def test_as_long_as_our_name_is_not_known_nobody_can_mention_us() -> None:
    assert await said(f"@{SLUG} specify One", slug=None) == []


# Answers without a command


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ("> Which currency?\n\n1A", (Answer(1, choice="A"),)),
        ("> Which currency?\n\n1A, 2: only EU", (Answer(1, choice="A"), Answer(2, text="only EU"))),
    ],
)
async def test_answers_below_a_quote_are_clarify(body: str, answers: tuple[Answer, ...]) -> None:
    assert await said(body, **ON_PULL) == [
        Asked(RunCommand(Verb.CLARIFY, answers=answers), 0, Trigger.COMMENT, quoting=body)
    ]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("> Which currency?\n\n1A", {}),
        ("1A", ON_PULL),
        ("> Which currency?\n\n1A, I think.", ON_PULL),
    ],
    ids=["on an issue nothing is asked", "without a quote", "talk"],
)
async def test_other_words_with_numbers_are_no_answers(body: str, paths: dict[str, Any]) -> None:
    assert await said(body, **paths) == []


async def test_a_command_beside_a_quote_is_that_command_and_no_answer() -> None:
    (only,) = await said("> Which currency?\n\n/speckit clarify 1A", **ON_PULL)
    assert only == Asked(RunCommand(Verb.CLARIFY, answers=(Answer(1, choice="A"),)), 0, Trigger.COMMENT)


# Review comments


async def test_a_review_comment_is_always_its_own_trigger() -> None:
    for body in ("/speckit refine Say which", f"@{SLUG} refine Say which"):
        assert await asked("pull_request_review_comment", review_comment_payload(body)) == [
            Asked(RunCommand(Verb.REFINE, "Say which"), 0, Trigger.REVIEW_COMMENT)
        ]


async def test_a_repository_that_wants_no_review_comments_hears_none() -> None:
    payload = review_comment_payload("/speckit refine Say which")
    assert await asked("pull_request_review_comment", payload, "triggers: {review_comments: false}") == []


async def test_answers_in_a_thread_are_talk() -> None:
    assert await asked("pull_request_review_comment", review_comment_payload("> Which one?\n\n1A")) == []


# Labels


@pytest.mark.parametrize(
    ("label", "config", "verb"),
    [
        ("speckit:specify", "", Verb.SPECIFY),
        ("SpecKit:Specify", "", Verb.SPECIFY),
        ("bug", "", None),
        ("speckit:plan", "", None),
        ("plan it", "labels: {plan it: plan}", Verb.PLAN),
        ("speckit:specify", "labels: {plan it: plan}", Verb.SPECIFY),
        ("speckit:specify", "labels: {'speckit:specify': 'off'}", None),
        ("speckit:specify", "triggers: {labels: false}", None),
    ],
)
@pytest.mark.parametrize("pull", [False, True], ids=["issue", "pull request"])
async def test_a_label_asks_for_what_the_repository_says(
    label: str, config: str, verb: Verb | None, pull: bool
) -> None:
    found = await asked("pull_request" if pull else "issues", labeled_payload(label, pull=pull), config)
    assert found == ([] if verb is None else [Asked(RunCommand(verb), 0, Trigger.LABEL)])


# Assignments


@pytest.mark.parametrize(
    ("assignee", "slug", "config", "counts"),
    [
        (f"{SLUG}[bot]", SLUG, "", True),
        (f"{SLUG.upper()}[bot]", SLUG, "", True),
        ("other[bot]", SLUG, "", False),
        (SLUG, SLUG, "", False),
        (f"{SLUG}[bot]", None, "", False),
        (f"{SLUG}[bot]", SLUG, "triggers: {assignment: false}", False),
    ],
)
async def test_an_issue_given_to_our_bot_asks_for_a_specification(
    assignee: str, slug: str | None, config: str, counts: bool
) -> None:
    found = await asked("issues", assigned_payload(assignee__login=assignee), config, slug)
    assert found == ([Asked(RunCommand(Verb.SPECIFY), 0, Trigger.ASSIGNMENT)] if counts else [])


async def test_a_pull_request_given_to_our_bot_asks_for_nothing() -> None:
    assert await asked("pull_request", assigned_payload(pull=True)) == []
