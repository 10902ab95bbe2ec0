"""Whatever an agent and people write, our own texts hold: nothing of theirs acts, is hidden or starts a command."""

from __future__ import annotations

import re
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.model import Place
from bot.commands.parser import parse
from bot.configuration.effective import Row
from bot.github.markers import marker_in, questions_marker, run_marker
from bot.reporting import messages, refusals
from bot.reporting.check_run import check_run
from bot.reporting.clarification_comment import clarification_comment
from bot.reporting.pull_request_body import body, title
from bot.reporting.run_comment import run_comment
from db.models import SpecAutomationRun
from db.records import Clarification
from db.vocabulary import AGENT_PHASES, Phase, RunStatus, TaskStatus, Verb
from tests.bot.example_runs import (
    HEAD,
    PAGES,
    REPOSITORY,
    RUN_ID,
    VIEW,
    continuing_run,
    example_questions,
    example_run,
    succeeded_run,
)
from tests.bot.gfm_oracle import findings_in_text, hidden_characters, rendered

TRICKS = """
@alice|@org/team|#1|Fixes #12|closes: GH-7|acme/shop#3|https://example.org/a|www.example.org|a@b.example
[x](javascript:alert(1))|![b](https://example.org/x.png)|<img src=x>|<!-- x -->|--> |<!-- /speckit-bot:section -->
<!-- speckit-bot:run=7f3a9c21-0000-4000-8000-000000000bad -->|<details>|</details>|</summary>|<br>|~~~|```|``|`
/speckit cancel|/speckit specify @x|@speckit-bot specify x|- |1. |# |> |===|---|\\|**|_|~~|$x$|$|[^1]|[^1]: x|&#64;alice
\u200b|\u202e|\U000e0041|0123abc4567|deadbeef1|| |:-|[ ] |[x] |](|)|{{x}}|:tada:|\r\n|\t|\u00a0|\ufe0f|\u200d|a|1|ü
""".replace("\n", "|").split("|")

TEXT = st.lists(
    st.one_of(st.sampled_from([trick for trick in TRICKS if trick]), st.just("|"), st.just("\n"), st.text(max_size=4)),
    max_size=10,
).map("".join)

OURS = {"link", "table", "list", "html", "heading", "quote", "fence"}
"""Kinds that our own words make; whose they are is looked at below."""

MEANT = {("reference", "#7"), ("commit", HEAD[:12])}
"""The one reference and the one hash that we let act."""

OUR_HTML = re.compile(r"</?(?:details|summary)>|<br>|<!-- /?speckit-bot:[a-z]+(?:=[0-9A-Za-z-]+)? -->")
OUR_LINKS = (f"{REPOSITORY}/", f"{PAGES}/")


def assert_inert(markdown: str) -> None:
    """Nothing in a text of ours acts but what we put there."""
    assert not [line for line in markdown.split("\n") if line.lstrip().startswith("/")]
    assert parse(markdown, "/speckit", "speckit-bot") == []
    assert not hidden_characters(markdown.replace("\t", " "))
    found = [each for each in rendered(markdown).findings if each not in MEANT]
    assert {each.kind for each in found} <= OURS, found
    addresses = [re.search(r"'href': '([^']*)'", each.text) for each in found if each.kind == "link"]
    assert all(address is not None and address[1].startswith(OUR_LINKS) for address in addresses), addresses
    html = "".join(each.text for each in found if each.kind == "html")
    assert "<" not in OUR_HTML.sub("", html), html
    assert html.count("<details>") == html.count("</details>"), "nothing of ours is folded away by theirs"


def filled(run: SpecAutomationRun, text: str, other: str) -> SpecAutomationRun:
    """The run with these words wherever somebody chooses the words."""
    run.requested_spec_input, run.issue_title, run.result_summary = text, other, other
    run.requested_by, run.requested_agent, run.requested_model, run.project = other or "x", text, other, text
    place = {"path": text, "line": 3}
    for state in run.task_states:
        if state.phase in AGENT_PHASES:
            state.details = {
                "files": [{"path": other, "added_lines": 1}, {**place, "added_lines": 2}],
                "heading": other,
                "summary": text,
                "user_stories": [text, other],
                "open_questions": [{**place, "text": other}],
                "requirements": [{"id": text, "text": other}, {"id": "FR-001", "text": text}],
                "requirements_before": [{"id": other, "text": text}],
                "findings": [{**place, "id": text, "category": other, "severity": text, "summary": other,
                              "recommendation": text}],
                "section": {**place, "heading": other},
                "stale": [text, other],
            }  # fmt: skip
    return run


def asking(text: str, other: str) -> Clarification:
    """Questions and an answer in these words."""
    options = [{"letter": "A", "text": text}, {"letter": other, "text": other}]
    questions = [
        {"number": 1, "text": text, "why": other, "options": options, "recommended": "A", "path": other, "line": 2},
        {"number": 2, "text": other, "why": text, "options": [], "recommended": None, "path": text, "line": None},
        {"number": 3, "text": other, "why": "", "options": options, "recommended": other, "path": None, "line": None},
    ]
    answers = {"answers": [{"number": 3, "question": text, "answer": text}]}
    return example_questions(questions={"questions": questions}, answers=answers, answered_by=other)


@pytest.mark.parametrize("status", list(RunStatus))
@settings(max_examples=25, deadline=None)
@given(text=TEXT, other=TEXT, verb=st.sampled_from(Verb))
def test_the_comment_of_a_run(status: RunStatus, text: str, other: str, verb: Verb) -> None:
    for run in (example_run(status, verb=verb), continuing_run(verb, status)):
        comment = run_comment(filled(run, text, other), VIEW)
        assert_inert(comment)
        assert marker_in(comment) == run_marker(RUN_ID)


@settings(max_examples=40, deadline=None)
@given(text=TEXT, other=TEXT)
def test_replies(text: str, other: str) -> None:
    run = filled(succeeded_run(), text, other)
    failed = filled(continuing_run(Verb.REFINE, RunStatus.FAILED), text, other)
    refined = filled(continuing_run(Verb.REFINE), text, other)
    replies = [
        messages.status_reply([run, failed], VIEW, {}),
        messages.cancel_reply(run, text, VIEW),
        messages.cancel_reply(None, text, VIEW),
        messages.same_command(run, VIEW),
        messages.refine_thread_reply(refined, VIEW),
        messages.refine_thread_reply(failed, VIEW),
        messages.config_reply([Row(text, other, text, other), Row(other, text, other, text)], "acme/shop"),
        refusals.not_allowed(text, "plan", "write", "read", "acme/shop", because=other),
        refusals.command_off("plan", f"off {text}"),
        refusals.agent_not_allowed(text, (other,)),
        refusals.unknown_choice(1, text, (other,)),
        refusals.not_a_section(text, "/speckit"),
        refusals.wrong_place("plan", "/speckit", here=Place.ISSUE, pull_request_url=f"{REPOSITORY}/pull/12"),
    ]
    for reply in replies:
        assert_inert(reply)
    assert_inert(messages.reply(f"d{text}", replies))


@settings(max_examples=40, deadline=None)
@given(text=TEXT, other=TEXT)
def test_questions(text: str, other: str) -> None:
    marker = questions_marker(RUN_ID)
    comment = clarification_comment(asking(text, other), prefix="/speckit", marker=marker)
    assert_inert(comment)
    assert marker_in(comment) == marker
    rows = [line for line in comment.split("\n") if line.startswith("| **")]
    assert len(rows) == 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, "every row has as many cells"


@settings(max_examples=40, deadline=None)
@given(text=TEXT, other=TEXT, verb=st.sampled_from(Verb))
def test_the_body_of_a_pull_request(text: str, other: str, verb: Verb) -> None:
    first = body(filled(succeeded_run(), text, other))
    later = filled(continuing_run(verb), other, text)
    second = body(later, first)
    assert body(later, second) == second
    for text_of_ours in (first, second):
        assert_inert(text_of_ours)
        assert len(re.findall(r"^<!-- speckit-bot:section=", text_of_ours, re.MULTILINE)) == 9
        assert len(re.findall(r"^<!-- /speckit-bot:section -->$", text_of_ours, re.MULTILINE)) == 9


@settings(max_examples=40, deadline=None)
@given(text=TEXT, other=TEXT, verb=st.sampled_from(Verb))
def test_the_check_run(text: str, other: str, verb: Verb) -> None:
    payload = check_run(filled(continuing_run(verb), text, other), VIEW, head_sha=HEAD)
    assert_inert(payload["output"]["summary"])
    notes = payload["output"]["annotations"]
    plain = [payload["output"]["title"], *chain(*((note["title"], note["message"]) for note in notes))]
    for line in [*plain, title(filled(succeeded_run(), text, other))]:
        assert "\n" not in line
        assert not hidden_characters(line)
        assert {found.kind for found in findings_in_text(line)} <= {"commit"}, "a word may look like a hash"
    for note in notes:
        assert not note["path"].startswith("/")
        assert note["title"]
        assert note["message"]


def test_what_a_phase_that_is_not_done_says_is_ours() -> None:
    run = filled(example_run(at=Phase.SPECKIT_PLAN), "agent's words", "other words")
    assert "writing the plan:** agent's words" not in run_comment(run, VIEW)
    run.task_states[4].status = TaskStatus.SUCCEEDED
    assert "writing the plan:** agent's words" in run_comment(run, VIEW)
