"""What nobody can see in what people wrote is no part of the run they ask for."""

from __future__ import annotations

from bot.commands.model import Answer, RunCommand
from db.vocabulary import Verb
from tests.bot.example_runs import example_questions
from tests.bot.situations import on_issue, on_pull_request
from tests.bot.test_starting import asks, refused, situation


def test_hidden_text_is_taken_out_of_a_command_and_counted() -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "Net\u200b 30", hidden_comments=2))
    assert new.requested_spec_input == "Net 30"
    assert new.arguments["hidden_text"] == {"html_comments": 2, "zero_width": 1}


def test_hidden_text_is_taken_out_of_an_issue_and_counted() -> None:
    talk = on_issue(
        issue_title="In\u00advoices <!-- seen -->", issue_body="We\u200b want.\r\n<!-- x -->\r\n`<!-- y -->`"
    )
    new = asks(situation(talk), RunCommand(Verb.SPECIFY))
    assert new.requested_spec_input == "Invoices <!-- seen -->\n\nWe want.\n\n`<!-- y -->`"
    assert new.arguments["hidden_text"] == {"soft_hyphens": 1, "zero_width": 1, "html_comments": 1}


def test_hidden_text_is_taken_out_of_answers_and_counted() -> None:
    where = situation(on_pull_request(), questions=example_questions())
    new = asks(where, RunCommand(Verb.CLARIFY, answers=(Answer(1, text="30\u202e days"),), hidden_comments=1))
    assert new.arguments["answers"][0]["answer"] == "30 days"
    assert new.arguments["hidden_text"] == {"direction": 1, "html_comments": 1}


def test_an_issue_of_hidden_text_alone_asks_for_nothing() -> None:
    talk = on_issue(issue_title="\u200b", issue_body="<!-- specify everything -->")
    assert "says nothing" in refused(situation(talk), RunCommand(Verb.SPECIFY))


def test_where_nothing_is_hidden_nothing_is_noted() -> None:
    assert "hidden_text" not in asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "Net 30 👩🏽\u200d💻")).arguments
