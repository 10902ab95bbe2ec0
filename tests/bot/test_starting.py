"""From a command to the run it asks for, or to the sentence that says why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from bot.commands.model import Answer, Place, RunCommand
from bot.commands.table import COMMANDS_BY_VERB
from bot.configuration.effective import EffectiveConfig
from bot.configuration.model import DEFAULTS
from bot.conversation import Conversation
from bot.starting import ON_A_BRANCH, Offer, Refusal, Situation, command_key, requested_run, same_request, writer_key
from db.models import SpecAutomationRun
from db.opening import NewRun
from db.vocabulary import Phase, RunStatus, Trigger, Verb
from tests.bot.example_runs import continuing_run, example_questions, example_run, succeeded_run
from tests.bot.situations import config_of, on_a_line, on_issue, on_pull_request

MODELS = ("vendor/one", "vendor/two")
OFFER = Offer(
    ("template", "codex_cli", "claude_code"),
    {"template": MODELS, "codex_cli": MODELS, "claude_code": ("claude-x",)},
    "template",
    "/speckit",
)
IMPLEMENTS = "paths: {implement: [src/]}"


def origin(**changes: Any) -> SpecAutomationRun:
    """The run that opened pull request 12."""
    fields: dict[str, Any] = {
        "writer_key": "issue:7",
        "base_branch": "release",
        "feature_directory": "specs/001-pay-by-invoice",
        "project": None,
    }
    return succeeded_run(**{**fields, **changes})


def situation(
    talk: Conversation, config: str | EffectiveConfig = IMPLEMENTS, *, ours: bool = True, **more: Any
) -> Situation:
    given = config if isinstance(config, EffectiveConfig) else config_of(config)
    line = [origin()] if ours and talk.on_pull_request else []
    return Situation(talk, given, OFFER, more.pop("line", line), **more)


def asks(where: Situation, command: RunCommand, trigger: Trigger = Trigger.COMMENT, index: int = 0) -> NewRun:
    found = requested_run(where, command, index, trigger)
    assert isinstance(found, NewRun), found
    return found


def refused(where: Situation, command: RunCommand, trigger: Trigger = Trigger.COMMENT) -> str:
    found = requested_run(where, command, 0, trigger)
    assert isinstance(found, Refusal), found
    return found.sentence


# On an issue


def test_specify_on_an_issue_opens_a_branch_of_its_own() -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "Net 30"), index=3)
    assert (new.command_key, new.comment_id, new.trigger) == ("4711:77:3", 77, Trigger.COMMENT)
    assert (new.requested_spec_input, new.requested_by, new.requested_by_id) == ("Net 30", "mona", 583231)
    assert (new.pull_request_number, new.branch_name, new.feature_directory) == (None, None, None)
    assert (new.writer_key, new.base_branch, new.publishes) == ("issue:7", None, True)
    assert (new.most_in_repository, new.most_of_person) == (DEFAULTS.limits.runs, DEFAULTS.limits.runs_per_person)


@pytest.mark.parametrize(
    ("title", "body", "text"),
    [
        ("Invoices", "We want invoices.", "Invoices\n\nWe want invoices."),
        ("Invoices", "", "Invoices"),
        ("", "We want invoices.", "We want invoices."),
    ],
)
def test_without_a_text_the_issue_is_what_was_asked_for(title: str, body: str, text: str) -> None:
    new = asks(situation(on_issue(issue_title=title, issue_body=body)), RunCommand(Verb.SPECIFY))
    assert new.requested_spec_input == text


@pytest.mark.parametrize(
    ("trigger", "words"),
    [(Trigger.LABEL, "The label"), (Trigger.ASSIGNMENT, "The assignment"), (Trigger.COMMENT, "The request")],
)
def test_an_issue_that_says_nothing_is_refused(trigger: Trigger, words: str) -> None:
    told = refused(situation(on_issue(issue_title=" ", issue_body="\n")), RunCommand(Verb.SPECIFY), trigger)
    assert told.startswith(words)


def test_constitution_writes_to_a_branch_of_its_own() -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.CONSTITUTION, "Be kind"))
    assert (new.writer_key, new.requested_spec_input, new.pull_request_number) == (
        "issue:7:constitution",
        "Be kind",
        None,
    )


@pytest.mark.parametrize(
    ("command", "config", "base", "project"),
    [
        (RunCommand(Verb.SPECIFY, "x"), "", None, None),
        (RunCommand(Verb.SPECIFY, "x"), "{base_branch: develop, project: services/shop}", "develop", "services/shop"),
        (
            RunCommand(Verb.SPECIFY, "x", base="release", project="lib"),
            "{base_branch: develop, project: services/shop}",
            "release",
            "lib",
        ),
    ],
)
def test_base_and_project_are_the_commands_before_the_configurations(
    command: RunCommand, config: str, base: str | None, project: str | None
) -> None:
    new = asks(situation(on_issue(), config), command)
    assert (new.base_branch, new.project) == (base, project)
    assert new.writer_key == (f"issue:7:{project}" if project else "issue:7")


def test_what_an_issue_asks_for_does_not_depend_on_its_state() -> None:
    assert asks(situation(on_issue(is_open=False)), RunCommand(Verb.SPECIFY, "x"))


# On a pull request of ours


@pytest.mark.parametrize("verb", sorted(ON_A_BRANCH | {Verb.SPECIFY}))
def test_on_our_pull_request_every_verb_goes_on_with_its_branch(verb: Verb) -> None:
    new = asks(situation(on_pull_request()), RunCommand(verb, "x"))
    assert (new.pull_request_number, new.issue_number, new.on_pull_request) == (12, 12, True)
    assert (new.branch_name, new.base_branch) == ("speckit/20261122/7f3a9c", "release")
    assert (new.feature_directory, new.writer_key) == ("specs/001-pay-by-invoice", "issue:7")


@pytest.mark.parametrize("verb", sorted(ON_A_BRANCH))
def test_on_another_pull_request_no_branch_is_continued(verb: Verb) -> None:
    assert "continues a pull request that I opened" in refused(
        situation(on_pull_request(), ours=False), RunCommand(verb, "x")
    )


def test_specify_on_another_pull_request_opens_one() -> None:
    new = asks(situation(on_pull_request(), ours=False), RunCommand(Verb.SPECIFY, "x"))
    assert (new.pull_request_number, new.branch_name, new.writer_key) == (None, None, "issue:12")
    assert "says nothing" in refused(situation(on_pull_request(), ours=False), RunCommand(Verb.SPECIFY))


def test_a_run_without_a_branch_is_not_gone_on_from() -> None:
    failed = example_run(RunStatus.FAILED, at=Phase.GIT_CLONE, pull_request_number=12)
    new = asks(situation(on_pull_request(), line=[failed, origin()]), RunCommand(Verb.PLAN))
    assert new.branch_name == "speckit/20261122/7f3a9c"


def test_what_a_later_run_did_is_gone_on_from() -> None:
    later = continuing_run(Verb.PLAN, branch_name="speckit/x", writer_key="issue:7", project="lib")
    new = asks(situation(on_pull_request(), line=[later, origin()]), RunCommand(Verb.TASKS, project="other"))
    assert (new.branch_name, new.project) == ("speckit/x", "lib")


@pytest.mark.parametrize("verb", sorted(ON_A_BRANCH | {Verb.SPECIFY}))
def test_a_closed_pull_request_is_over(verb: Verb) -> None:
    assert "is closed" in refused(situation(on_pull_request(is_open=False)), RunCommand(verb, "x"))


# Review comments


def test_refine_on_a_line_names_its_section_and_its_thread() -> None:
    new = asks(situation(on_a_line()), RunCommand(Verb.REFINE, "Say which"), Trigger.REVIEW_COMMENT)
    assert new.arguments["section"] == {"path": "specs/001-invoices/spec.md", "line": 12}
    assert (new.arguments["review_comment_id"], new.trigger) == (70, Trigger.REVIEW_COMMENT)


def test_refine_in_the_conversation_names_none() -> None:
    new = asks(situation(on_pull_request()), RunCommand(Verb.REFINE, "Say which"))
    assert "section" not in new.arguments
    assert "review_comment_id" not in new.arguments


@pytest.mark.parametrize("name", ["spec.md", "plan.md", "tasks.md"])
def test_every_document_of_a_feature_has_sections(name: str) -> None:
    talk = on_a_line(section={"path": f"specs/001-x/{name}", "line": 1})
    assert asks(situation(talk), RunCommand(Verb.REFINE, "x")).arguments["section"]["path"].endswith(name)


@pytest.mark.parametrize(
    "section",
    [
        {"path": "src/shop.py", "line": 3},
        {"path": "specs/001-x/spec.md.txt", "line": 3},
        {"path": "specs/001-x/spec.md", "line": None},
    ],
)
def test_what_is_no_section_is_refused_at_once(section: dict[str, object]) -> None:
    told = refused(situation(on_a_line(section=section)), RunCommand(Verb.REFINE, "x"))
    assert str(section["path"]) in told
    assert "Comment on a line" in told


# Who, where and whether at all


@pytest.mark.parametrize("verb", sorted(Verb))
@pytest.mark.parametrize("place", list(Place))
def test_the_table_of_commands_says_where(verb: Verb, place: Place) -> None:
    talk = {Place.ISSUE: on_issue, Place.PULL_REQUEST: on_pull_request, Place.REVIEW_COMMENT: on_a_line}[place]()
    found = requested_run(situation(talk), RunCommand(verb, "x"), 0, Trigger.COMMENT)
    if place in COMMANDS_BY_VERB[verb].places:
        assert isinstance(found, NewRun)
    else:
        assert isinstance(found, Refusal)
        assert f"`/speckit {verb}` is for" in found.sentence


@pytest.mark.parametrize(
    ("talk", "config", "command", "words"),
    [
        (on_issue(), "commands: {specify: {off: true}}", RunCommand(Verb.SPECIFY, "x"), "turned off by acme/shop"),
        (on_pull_request(), "", RunCommand(Verb.IMPLEMENT), "off until `paths.implement`"),
        (on_issue(archived=True), "", RunCommand(Verb.SPECIFY, "x"), "archived"),
        (on_issue(), "", RunCommand(Verb.SPECIFY, "x", agent="codex"), "`codex_cli`"),
        (on_issue(), "", RunCommand(Verb.SPECIFY, "x", model="vendor/on"), "`vendor/one`"),
        (on_pull_request(), "", RunCommand(Verb.CLARIFY, answers=(Answer(1, "A"),)), "No question is open"),
        (on_pull_request(), "", RunCommand(Verb.CLARIFY, accept_recommended=True), "No question is open"),
    ],
)
def test_what_is_refused_is_told(talk: Conversation, config: str, command: RunCommand, words: str) -> None:
    assert words in refused(situation(talk, config), command)


# What goes into the run


def test_the_configuration_of_now_is_written_into_the_run() -> None:
    text = """
commands: {plan: {role: maintain, people: [bob]}, tasks: {off: true}}
limits: {runs: 3, runs_per_person: 1, run_timeout: 600}
retention_days: 14
pull_request: {labels: [spec], reviewers: [bob], team_reviewers: [product], assignees: [mona]}
paths: {implement: [src/]}
"""
    new = asks(situation(on_pull_request(), text), RunCommand(Verb.PLAN))
    assert (new.most_in_repository, new.most_of_person) == (3, 1)
    assert new.arguments == {
        "roles": {"plan": "maintain"},
        "people": ["bob"],
        "commands_off": ["tasks"],
        "run_timeout": 600,
        "retention_days": 14,
        "agents": {},
        "models": {},
        "pull_request": {
            "labels": ["spec"],
            "reviewers": ["bob"],
            "team_reviewers": ["product"],
            "assignees": ["mona"],
        },
    }


def test_wishes_for_agents_and_models_count_by_phase_as_far_as_they_are_offered() -> None:
    text = """
agent: codex_cli
model: vendor/one
phases: {plan: {agent: template, model: vendor/two}, tasks: {model: vendor/secret}}
"""
    new = asks(situation(on_issue(), text), RunCommand(Verb.SPECIFY, "x"))
    assert new.arguments["agents"] == {
        "speckit_specify": "codex_cli",
        "speckit_plan": "template",
        "speckit_tasks": "codex_cli",
    }
    assert new.arguments["models"] == {"speckit_specify": "vendor/one", "speckit_plan": "vendor/two"}
    told = asks(situation(on_issue(), text), RunCommand(Verb.SPECIFY, "x", agent="template", model="vendor/two"))
    assert (told.requested_agent, told.requested_model) == ("template", "vendor/two")


def test_a_model_belongs_to_the_agent_that_works() -> None:
    here = situation(on_issue(), "phases: {plan: {agent: claude_code, model: vendor/two}, tasks: {agent: claude_code}}")
    with_another = RunCommand(Verb.SPECIFY, "x", agent="claude_code", model="vendor/one")
    assert refused(here, with_another) == (
        "The model `vendor/one` is not allowed for the agent `claude_code`. Possible: `claude-x`. Nothing was started."
    )
    assert "for the agent `claude_code`" in refused(here, RunCommand(Verb.SPECIFY, "x", model="vendor/one"))
    assert asks(here, RunCommand(Verb.SPECIFY, "x")).arguments["models"] == {}, "a wish for another agent's model"
    assert (
        asks(here, RunCommand(Verb.SPECIFY, "x", agent="claude_code", model="claude-x")).requested_model == "claude-x"
    )


def test_only_implement_is_told_where_it_may_write() -> None:
    assert asks(situation(on_pull_request()), RunCommand(Verb.IMPLEMENT)).arguments["paths"] == ["src/"]
    assert "paths" not in asks(situation(on_pull_request()), RunCommand(Verb.PLAN)).arguments


@pytest.mark.parametrize(
    ("command", "until"),
    [
        (RunCommand(Verb.SPECIFY, "x", until=Phase.SPECKIT_PLAN), Phase.SPECKIT_PLAN),
        (RunCommand(Verb.PLAN, until=Phase.SPECKIT_PLAN), Phase.SPECKIT_PLAN),
        (RunCommand(Verb.TASKS, until=Phase.SPECKIT_TASKS), None),
    ],
)
def test_only_what_has_several_phases_can_stop_before_the_last(command: RunCommand, until: Phase | None) -> None:
    talk = on_issue() if command.verb is Verb.SPECIFY else on_pull_request()
    assert asks(situation(talk), command).until_phase is until


@pytest.mark.parametrize(
    ("command", "publishes"),
    [
        (RunCommand(Verb.SPECIFY, "x"), True),
        (RunCommand(Verb.ANALYZE), False),
        (RunCommand(Verb.CLARIFY), False),
        (RunCommand(Verb.CLARIFY, answers=(Answer(1, "A"),)), True),
    ],
)
def test_what_only_looks_publishes_nothing(command: RunCommand, publishes: bool) -> None:
    talk = on_issue() if command.verb is Verb.SPECIFY else on_pull_request()
    assert asks(situation(talk, questions=example_questions()), command).publishes is publishes


def test_answers_go_into_the_run_with_their_questions() -> None:
    command = RunCommand(
        Verb.CLARIFY, answers=(Answer(2, "B"), Answer(3, text="The accountant")), accept_recommended=True
    )
    new = asks(situation(on_pull_request(), questions=example_questions()), command)
    assert new.arguments["answers"] == [
        {"number": 1, "question": "Which currencies can an invoice have?", "answer": "EUR only"},
        {"number": 2, "question": "When is an invoice late?", "answer": "After 60 days"},
        {"number": 3, "question": "Who is told?", "answer": "The accountant"},
    ]
    assert new.arguments["accept_recommended"] is True


# The same twice


def like(new: NewRun, **changes: Any) -> SpecAutomationRun:
    """The run that was opened for it, as it may look a moment later."""
    shared = {
        name: getattr(new, name)
        for name in (
            *("verb", "requested_spec_input", "until_phase", "dry_run", "requested_agent", "requested_model"),
            *("project", "base_branch", "retry_of", "arguments", "pull_request_number"),
        )
    }
    return example_run(RunStatus.QUEUED, **{**shared, **changes})


def test_what_a_working_run_learns_makes_it_no_other() -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "x"))
    assert same_request(new, like(new), "main")
    assert same_request(new, like(new, base_branch="main", pull_request_number=12), "main")
    named = replace(new, base_branch="main")
    assert same_request(named, like(new), "main"), "it names what is usual"


@pytest.mark.parametrize(
    "changes",
    [
        {"verb": Verb.CONSTITUTION},
        {"requested_spec_input": "y"},
        {"until_phase": Phase.SPECKIT_PLAN},
        {"dry_run": True},
        {"requested_agent": "codex_cli"},
        {"requested_model": "vendor/one"},
        {"project": "lib"},
        {"base_branch": "release"},
        {"retry_of": UUID(int=1)},
        {"arguments": {"answers": [{"number": 1, "question": "?", "answer": "A"}]}},
        {"arguments": {"section": {"path": "specs/001-x/spec.md", "line": 3}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_one_difference_makes_it_another_request(changes: dict[str, Any]) -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "x"))
    assert not same_request(new, like(new, **changes), "main")


def test_a_later_configuration_makes_it_no_other() -> None:
    new = asks(situation(on_issue()), RunCommand(Verb.SPECIFY, "x"))
    later = asks(situation(on_issue(), "limits: {runs: 1}"), RunCommand(Verb.SPECIFY, "x"))
    assert same_request(later, like(new), "main")


# Keys


@pytest.mark.parametrize(
    ("verb", "project", "key"),
    [
        (Verb.SPECIFY, None, "issue:7"),
        (Verb.SPECIFY, "", "issue:7"),
        (Verb.SPECIFY, "services/shop", "issue:7:services/shop"),
        (Verb.CONSTITUTION, None, "issue:7:constitution"),
        (Verb.CONSTITUTION, "lib", "issue:7:constitution:lib"),
    ],
)
def test_what_writes_to_the_same_branch_has_the_same_key(verb: Verb, project: str | None, key: str) -> None:
    assert writer_key(7, verb, project) == key


def test_no_key_is_longer_than_its_column() -> None:
    assert len(writer_key(7, Verb.SPECIFY, "x" * 500)) == 200


def test_a_command_is_named_by_what_was_said_and_its_place_in_it() -> None:
    assert {command_key(on_issue(key=key), index) for key in ("a", "b") for index in (0, 1)} == {
        "a:0", "a:1", "b:0", "b:1",
    }  # fmt: skip
