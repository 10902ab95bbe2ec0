"""What a delivery asks for: the commands in it. A label, an assignment and a comment become the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.commands.answers import reply_answers
from bot.commands.model import ParsedCommand, RunCommand
from bot.commands.parser import parse
from bot.configuration.effective import EffectiveConfig
from bot.events import Assigned, CommentPosted, Labeled, ReviewCommentPosted
from db.vocabulary import Trigger, Verb


@dataclass(frozen=True, slots=True)
class Asked:
    """One command, its place among those of its delivery, and how it was given.

    ``quoting`` is the comment, where it is no command but answers below a quote: it counts if the quote is of our
    questions.
    """

    command: ParsedCommand
    index: int
    trigger: Trigger
    quoting: str | None = None


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the App listens to: its prefix and its own name, None while that is unknown."""

    prefix: str
    slug: str | None


async def asked_in(
    event: CommentPosted | ReviewCommentPosted | Labeled | Assigned, config: EffectiveConfig, hearing: Hearing
) -> list[Asked]:
    """The commands of what somebody did on an issue or a pull request; none where it meant nothing to us or the
    repository does not want it to."""
    match event:
        case Labeled(label=label):
            verb = config.verb_of_label(label) if config.trigger_on(Trigger.LABEL) else None
            return [Asked(RunCommand(verb), 0, Trigger.LABEL)] if verb is not None else []
        case Assigned(assignee=assignee):
            to_us = hearing.slug is not None and assignee.lower() == f"{hearing.slug}[bot]".lower()
            wanted = to_us and not event.on_pull_request and config.trigger_on(Trigger.ASSIGNMENT)
            return [Asked(RunCommand(Verb.SPECIFY), 0, Trigger.ASSIGNMENT)] if wanted else []
        case CommentPosted() | ReviewCommentPosted():
            return await _said(event, config, hearing)


async def _said(event: CommentPosted | ReviewCommentPosted, config: EffectiveConfig, hearing: Hearing) -> list[Asked]:
    on_a_line = isinstance(event, ReviewCommentPosted)
    if on_a_line and not config.trigger_on(Trigger.REVIEW_COMMENT):
        return []
    mention = hearing.slug if config.trigger_on(Trigger.MENTION) else None
    parsed = await asyncio.to_thread(parse, event.body, hearing.prefix, mention)
    usual = Trigger.REVIEW_COMMENT if on_a_line else Trigger.COMMENT
    found = [
        Asked(each.command, index, Trigger.MENTION if each.mentioned and not on_a_line else usual)
        for index, each in enumerate(parsed)
    ]
    if not found and isinstance(event, CommentPosted) and event.on_pull_request:
        answers = await asyncio.to_thread(reply_answers, event.body)
        if answers:
            return [Asked(RunCommand(Verb.CLARIFY, answers=answers), 0, Trigger.COMMENT, quoting=event.body)]
    return found
