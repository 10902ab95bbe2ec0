"""What an agent is asked for, and what may come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from db.vocabulary import AGENT_PHASES, AGENT_PHASES_OF, ErrorCode, Phase, TaskStatus, Verb, phases_of
from jobs.errors import UserError
from jobs.patches import judge, parse_patch
from jobs.phases.assignment import Assignment, assign
from jobs.phases.steps import DOCUMENTS, STEPS, VERB_THAT_MAKES
from jobs.ports import AnsweredQuestion, Section
from jobs.run_context import PhaseState, RunRequest
from tests.jobs.fake_tree import FEATURE, PLAN, SPEC, TASKS, added

DOCS: Mapping[str, bytes] = {f"{FEATURE}/spec.md": SPEC, f"{FEATURE}/plan.md": PLAN, f"{FEATURE}/tasks.md": TASKS}
ANSWERS = {"answers": [{"number": 1, "question": "how many days?", "answer": "30"}]}


def request_for(verb: Verb, *, until: Phase | None = None, **changes: Any) -> RunRequest:
    wanted = AGENT_PHASES_OF[verb]
    left_out = {*AGENT_PHASES} - {*(wanted[: wanted.index(until) + 1] if until else wanted)}
    states = {
        phase: PhaseState(TaskStatus.SKIPPED if phase in left_out else TaskStatus.PENDING, 0, {})
        for phase in phases_of(verb)
    }
    request = RunRequest(
        run_id=UUID(int=7),
        repository="acme/shop",
        issue_number=3,
        issue_title="Invoices",
        text="Net 30, please.",
        base_branch="main",
        base_sha=None,
        branch_name=None,
        feature_directory=FEATURE,
        agent=None,
        dry_run=False,
        requested_by="ada",
        requested_by_id=42,
        cancelled_by=None,
        started_at=datetime(2026, 11, 22, tzinfo=UTC),
        phases=states,
        verb=verb,
    )
    return replace(request, **changes)


def assigned(verb: Verb, phase: Phase | None = None, **changes: Any) -> Assignment:
    return assign(request_for(verb, **changes), phase or AGENT_PHASES_OF[verb][0], FEATURE, DOCS)


# The table


def test_every_agent_phase_has_its_row() -> None:
    assert set(STEPS) == set(AGENT_PHASES)
    assert all(step.phase is phase for phase, step in STEPS.items())
    assert len({step.subject for step in STEPS.values()}) == len(STEPS)
    assert all(set(step.needs) <= set(DOCUMENTS) and step.changes in {"", *DOCUMENTS} for step in STEPS.values())
    assert set(VERB_THAT_MAKES) == set(DOCUMENTS)
    assert all(Verb(verb) in AGENT_PHASES_OF for verb in VERB_THAT_MAKES.values())


@pytest.mark.parametrize(
    ("verb", "missing"),
    [
        (Verb.CLARIFY, "spec.md"),
        (Verb.PLAN, "spec.md"),
        (Verb.TASKS, "spec.md"),
        (Verb.TASKS, "plan.md"),
        (Verb.CHECKLIST, "spec.md"),
        (Verb.ANALYZE, "tasks.md"),
        (Verb.IMPLEMENT, "tasks.md"),
        (Verb.REFINE, "spec.md"),
    ],
)
def test_what_a_phase_works_on_must_be_there(verb: Verb, missing: str) -> None:
    documents = {path: content for path, content in DOCS.items() if not path.endswith(missing)}
    with pytest.raises(UserError) as refused:
        assign(request_for(verb), AGENT_PHASES_OF[verb][0], FEATURE, documents)
    assert refused.value.code is ErrorCode.REQUEST_NO_FEATURE
    assert refused.value.message == (
        f"There is no `{FEATURE}/{missing}` on this branch yet; `{VERB_THAT_MAKES[missing]}` makes it."
    )


def test_a_pull_request_without_a_feature_says_what_makes_one() -> None:
    with pytest.raises(UserError, match=r"There is no `specs/spec\.md` on this branch yet; `specify` makes it\."):
        assign(request_for(Verb.PLAN), Phase.SPECKIT_PLAN, "", {})


@pytest.mark.parametrize("verb", [Verb.SPECIFY, Verb.CONSTITUTION])
def test_what_begins_something_needs_nothing(verb: Verb) -> None:
    assert assign(request_for(verb), AGENT_PHASES_OF[verb][0], "", {}).command.text == "Net 30, please."


# The words


def test_text_goes_to_the_first_phase_only() -> None:
    texts = [assigned(Verb.SPECIFY, phase).command.text for phase in AGENT_PHASES_OF[Verb.SPECIFY]]
    assert texts == ["Net 30, please.", "", ""]
    assert assigned(Verb.PLAN).command.text == "Net 30, please."


def test_models_by_phase_and_the_one_that_was_named() -> None:
    models = {"models": {"speckit_plan": "small", "speckit_tasks": 7}}
    chosen = {
        phase: assigned(Verb.SPECIFY, phase, arguments=models).command.model for phase in AGENT_PHASES_OF[Verb.SPECIFY]
    }
    assert chosen == {Phase.SPECKIT_SPECIFY: None, Phase.SPECKIT_PLAN: "small", Phase.SPECKIT_TASKS: None}
    assert assigned(Verb.SPECIFY, Phase.SPECKIT_PLAN, arguments=models, model="large").command.model == "large"
    assert assigned(Verb.PLAN, arguments={"models": "none"}).command.model is None


def test_paths_are_those_of_the_project() -> None:
    feature = f"packages/api/{FEATURE}"
    documents = {f"packages/api/{path}": content for path, content in DOCS.items()}
    request = request_for(Verb.IMPLEMENT, project="packages/api", arguments={"paths": ["src/", "*.toml"]})
    task = assign(request, Phase.SPECKIT_IMPLEMENT, feature, documents)
    assert (task.command.feature_directory, task.command.paths) == (FEATURE, ("src/", "*.toml"))
    assert (task.policy.folders, task.policy.globs) == (("packages/api/src/",), ("packages/api/*.toml",))
    assert f"{feature}/tasks.md" in task.policy.files
    constitution = assign(request_for(Verb.CONSTITUTION, project="packages/api"), Phase.SPECKIT_CONSTITUTION, "", {})
    assert constitution.output == "packages/api/.specify/memory/constitution.md"


@pytest.mark.parametrize("paths", [None, "src/", {"src/": 1}])
def test_without_configured_paths_nothing_but_the_tasks_may_change(paths: object) -> None:
    task = assigned(Verb.IMPLEMENT, arguments={"paths": paths})
    assert (task.policy.folders, task.policy.files, task.policy.globs) == ((), (f"{FEATURE}/tasks.md",), ())


# Clarify


def test_without_answers_it_asks_and_writes_nothing() -> None:
    task = assigned(Verb.CLARIFY)
    assert (task.asks, task.writes, task.command.answers) == (True, False, ())


def test_with_answers_it_writes() -> None:
    task = assigned(Verb.CLARIFY, arguments=ANSWERS)
    assert (task.asks, task.writes) == (False, True)
    assert task.command.answers == (AnsweredQuestion("how many days?", "30"),)
    assert task.output == f"{FEATURE}/spec.md"


@pytest.mark.parametrize("answers", [None, 5, [], ["30"], [{"question": "how many days?"}], {"question": "x"}])
def test_answers_of_another_form_are_none(answers: object) -> None:
    assert assigned(Verb.CLARIFY, arguments={"answers": answers}).asks


def test_which_phases_write() -> None:
    looks = {verb for verb in Verb if verb is not Verb.REFINE and not assigned(verb).writes}
    assert looks == {Verb.CLARIFY, Verb.ANALYZE}


# Refine


def refine(text: str = "", **arguments: Any) -> Section:
    section = assigned(Verb.REFINE, text=text, arguments=arguments).command.section
    assert section is not None
    return section


def test_a_review_comment_points_at_its_line() -> None:
    section = refine(section={"path": f"{FEATURE}/spec.md", "line": 10, "heading": "what somebody says"})
    assert section == Section(f"{FEATURE}/spec.md", "FR-002: Customers see their invoices.", 10, 10)
    assert refine(section={"path": f"{FEATURE}/plan.md", "line": 1}).heading == "Implementation Plan: Pay by invoice"


def test_a_wish_points_by_its_words() -> None:
    assert refine("FR-002 is to name the date").first_line == 10
    assert refine("Change user story 2").heading == "User Story 2 - Get reminded (Priority: P2)"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (f"{FEATURE}/spec.md", 99),
        (f"{FEATURE}/spec.md", 0),
        (f"{FEATURE}/spec.md", None),
        (f"{FEATURE}/spec.md", "10"),
        (f"{FEATURE}/spec.md", True),
        ("src/shop.py", 1),
        (f"{FEATURE}/../../src/shop.py", 1),
        ("specs/002-else/spec.md", 1),
        ("spec.md", 1),
    ],
)
def test_a_comment_elsewhere_points_at_nothing(path: str, line: object) -> None:
    with pytest.raises(UserError, match="is no document of this feature") as refused:
        refine(section={"path": path, "line": line})
    assert refused.value.code is ErrorCode.REQUEST_NO_FEATURE


def test_a_wish_without_a_place_says_how_to_name_one() -> None:
    with pytest.raises(UserError, match="names no part of the specification") as refused:
        refine("make it better")
    assert refused.value.code is ErrorCode.REQUEST_NO_FEATURE


def test_only_the_file_of_the_section_may_change() -> None:
    task = assigned(Verb.REFINE, text="FR-002: more")
    judge(parse_patch(added(f"{FEATURE}/spec.md", b"x\n")), task.policy)
    for path in (f"{FEATURE}/plan.md", f"{FEATURE}/spec.md.orig", "src/shop.py"):
        with pytest.raises(UserError) as refused:
            judge(parse_patch(added(path, b"x\n")), task.policy)
        assert refused.value.code is ErrorCode.PUBLISH_PROTECTED_PATH
