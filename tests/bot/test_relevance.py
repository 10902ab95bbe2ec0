"""What costs a row, and what does not: judged from the event alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bot.events import parse_event
from bot.relevance import Relevance
from tests.bot.deliveries import APP, EVENTS, changed, comment_payload, review_comment_payload

OURS, SLUG = 12345, "speckit-test"
LONG = "word " * 1000


async def judged(kind: str, slug: str | None = SLUG, **paths: object) -> bool:
    """Whether an event of this kind, with fields of its payload changed, is for us."""
    name, payload = EVENTS[kind]
    event = parse_event(name, changed(payload(), **paths))
    assert event is not None
    return await Relevance("/speckit", OURS, lambda: slug).is_for_us(event)


async def says(body: str, slug: str | None = SLUG, payload: Any = comment_payload) -> bool:
    """Whether a comment with this text is."""
    name = "issue_comment" if payload is comment_payload else "pull_request_review_comment"
    event = parse_event(name, payload(body))
    assert event is not None
    return await Relevance("/speckit", OURS, lambda: slug).is_for_us(event)


def by(account: Mapping[str, object], kind: str) -> dict[str, Any]:
    """The fields of a payload that say who it was."""
    return {"sender": account, **({"comment__user": account} if "comment" in kind else {})}


def test_the_app_of_the_payloads_is_ours() -> None:
    assert (APP["id"], APP["slug"]) == (OURS, SLUG)


@pytest.mark.parametrize("kind", EVENTS)
async def test_what_a_person_does_is_for_us(kind: str) -> None:
    assert await judged(kind)
    assert await judged(kind, slug=None)


@pytest.mark.parametrize("kind", EVENTS)
async def test_what_our_own_app_does_never_is(kind: str) -> None:
    assert not await judged(kind, **by({"login": f"{SLUG}[bot]", "id": 4242, "type": "Bot"}, kind))


@pytest.mark.parametrize("kind", EVENTS)
async def test_of_other_programs_only_what_they_close_counts(kind: str) -> None:
    another = {"login": "merge-queue[bot]", "id": 77, "type": "Bot"}
    assert await judged(kind, **by(another, kind)) == (kind == "closed")


@pytest.mark.parametrize("kind", ["comment", "review comment"])
async def test_an_app_in_a_persons_name_is_not_that_person(kind: str) -> None:
    assert not await judged(kind, comment__performed_via_github_app={"id": 1, "slug": "x"})


@pytest.mark.parametrize("kind", ["button", "check again", "suite again"])
async def test_checks_of_other_apps_are_theirs(kind: str) -> None:
    holder = "check_suite" if kind == "suite again" else "check_run"
    another: dict[str, Any] = {f"{holder}__app__id": OURS + 1}
    assert not await judged(kind, **another)


@pytest.mark.parametrize("kind", ["assignment of an issue", "assignment of a pull request"])
async def test_only_an_assignment_to_our_bot_counts(kind: str) -> None:
    assert not await judged(kind, assignee__login="bob")
    assert not await judged(kind, assignee__login="other[bot]")
    assert not await judged(kind, assignee__login="bob", slug=None)
    assert await judged(kind, assignee__login="other[bot]", slug=None), "our name is not known yet: intake will see"


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind not in {"button", "check again", "suite again"}])
async def test_what_is_five_days_old_is_a_replay(kind: str) -> None:
    holder = {"comment": "comment__created_at", "review comment": "comment__created_at"}
    on_pull = "pull request" in kind or kind in {"opened", "pushed", "closed", "reopened"}
    path = holder.get(kind, "pull_request__updated_at" if on_pull else "issue__updated_at")
    old: dict[str, Any] = {path: "2020-01-01T00:00:00Z"}
    assert not await judged(kind, **old)


@pytest.mark.parametrize("payload", [comment_payload, review_comment_payload])
@pytest.mark.parametrize("before", ["", f"{LONG}\n\n"], ids=["short", "long"])
async def test_commands_by_prefix_and_by_mention(payload: Any, before: str) -> None:
    assert await says(f"{before}/speckit help", payload=payload)
    assert await says(f"{before}@{SLUG} specify Invoices", payload=payload)
    assert await says(f"{before}@SpecKit-Test specify Invoices", payload=payload)
    assert await says(f"{before}@Speckit-TEST help", slug="Speckit-Test", payload=payload)


@pytest.mark.parametrize(
    "body",
    [
        "What about /speckit specify?",
        "> /speckit specify Invoices",
        "/deploy now",
        f"Thanks @{SLUG}!",
        f"> @{SLUG} specify Invoices",
        f"`@{SLUG} specify Invoices`",
        f"@{SLUG}s specify Invoices",
        "@alice specify Invoices",
        "> Which one?\n\nThe second.",
        "1A 2C",
        LONG,
    ],
)
async def test_talk_is_not_for_us(body: str) -> None:
    assert not await says(body)
    assert not await says(body, payload=review_comment_payload)


async def test_without_a_name_nobody_can_mention_us() -> None:
    assert not await says(f"@{SLUG} specify Invoices", slug=None)
    assert await says("/speckit help", slug=None)


@pytest.mark.parametrize("after", ["", "\n\n3: only EU\n4A", f"\n3: {LONG}"])
async def test_answers_below_a_quote_are_for_us(after: str) -> None:
    body = f"> | 1 | Which currency? |\n\n1A 2C{after}"
    assert await says(body)
    assert not await says(body, payload=review_comment_payload), "questions are asked in the conversation"
