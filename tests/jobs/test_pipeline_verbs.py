"""Every verb beside ``specify``: what its run asks of an agent, keeps, pushes and tells, also after a worker died."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from db.vocabulary import AGENT_PHASES_OF, ErrorCode, Phase, RunStatus, TaskStatus, Verb
from jobs.ports import AgentReport, AgentRequest, ModelApi
from tests.jobs.fake_tree import FEATURE, SPEC, Tree, added, does_nothing
from tests.jobs.fakes import FakeAgent
from tests.jobs.rig import PULL, SECRET, Rig

ANSWERS: dict[str, Any] = {"answers": [{"number": 1, "question": "how many days?", "answer": "30"}]}
PATHS: dict[str, Any] = {"paths": ["src/"]}
CHANGES: dict[Verb, dict[str, Any]] = {
    Verb.PLAN: {},
    Verb.TASKS: {},
    Verb.CLARIFY: {"arguments": ANSWERS},
    Verb.CHECKLIST: {},
    Verb.IMPLEMENT: {"arguments": PATHS},
    Verb.REFINE: {"text": "FR-002: name the date"},
}
"""Verbs that go on with the branch of a pull request, and what their run is opened with."""

WRITTEN = {
    Verb.CLARIFY: [f"{FEATURE}/spec.md"],
    Verb.CHECKLIST: [f"{FEATURE}/checklists/ux.md"],
    Verb.IMPLEMENT: ["src/invoices.py"],
    Verb.REFINE: [f"{FEATURE}/spec.md"],
}
QUESTIONS = b'{"questions": [{"question": "Which countries?", "options": [{"letter": "A", "text": "EU"}]}]}'


@pytest.fixture
def rig(sqlite_rig: Rig) -> Rig:
    return sqlite_rig


def renewed(name: str) -> Any:
    return lambda request, tree: tree.write(f"{request.feature_directory}/{name}", b"# Once more\n")


# On the branch of a pull request


@pytest.mark.parametrize("verb", WRITTEN)
async def test_a_verb_goes_on_with_the_branch_of_the_pull_request(rig: Rig, verb: Verb) -> None:
    run = await rig.finished_on_pull_request(verb, **CHANGES[verb])
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert run.result_summary == "http://127.0.0.1/acme/shop/pull/1"
    assert (run.branch_name, run.base_sha, run.base_branch) == (PULL["branch"], PULL["head"], "main")
    assert rig.world.branches == {PULL["branch"]: run.head_sha}
    assert [source.base_branch for source in rig.world.sources] == [PULL["branch"]]
    assert not rig.world.sources[0].want_branches, "it needs no name of its own"
    (phase,) = AGENT_PHASES_OF[verb]
    state = await rig.state(run.run_id, phase)
    assert [file["path"] for file in state.details["files"]] == WRITTEN[verb]
    assert (state.details["agent"], state.details["model"]) == ("template", None)
    push = await rig.state(run.run_id, Phase.COMMIT_PUSH)
    assert push.details["commit_of"] == {phase.value: run.head_sha}
    assert len(push.details["commits"]) == 1
    assert rig.world.ends_told == [RunStatus.SUCCEEDED]


@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.parametrize("step", ["agent", "patch", "commit", "pushed", "open_pull_request"])
async def test_the_next_worker_goes_on_where_one_died(rig: Rig, verb: Verb, step: str) -> None:
    rig.world.deeds[Phase.SPECKIT_PLAN] = renewed("plan.md")
    rig.world.deeds[Phase.SPECKIT_TASKS] = renewed("tasks.md")
    phases = AGENT_PHASES_OF[verb]
    run_id = await rig.open_on_pull_request(verb, **CHANGES[verb])
    await rig.worker_dies(run_id, f"{step}:{phases[-1]}" if step in {"agent", "patch"} else step)
    run = await rig.worked_on(run_id)
    assert (run.status, run.crash_count) == (RunStatus.SUCCEEDED, 1), run.result_summary
    assert rig.world.branches == {PULL["branch"]: run.head_sha}
    assert [asked.phase for asked in rig.world.requests] == [*phases, *(phases[-1:] if step == "patch" else ())]
    assert len({repr(replace(asked, attempt=1)) for asked in rig.world.requests}) == len(phases), (
        "the same was asked again"
    )
    assert list(rig.world.pull_requests) == [run_id]
    assert rig.world.alive == {}


@pytest.mark.parametrize("verb", [Verb.PLAN, Verb.TASKS])
async def test_plan_and_tasks_leave_out_what_comes_before(rig: Rig, verb: Verb) -> None:
    rig.world.deeds[Phase.SPECKIT_PLAN] = renewed("plan.md")
    rig.world.deeds[Phase.SPECKIT_TASKS] = renewed("tasks.md")
    run = await rig.finished_on_pull_request(verb, "with SQLite")
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    states = await rig.states(run.run_id)
    assert states[Phase.SPECKIT_SPECIFY] is TaskStatus.SKIPPED
    assert [asked.phase for asked in rig.world.requests] == list(AGENT_PHASES_OF[verb])
    assert [asked.text for asked in rig.world.requests] == ["with SQLite", *[""] * (len(rig.world.requests) - 1)]
    assert {asked.feature_directory for asked in rig.world.requests} == {FEATURE}


async def test_what_a_verb_needs_is_missing(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.TASKS)
    del rig.world.trees[str(PULL["head"])][f"{FEATURE}/plan.md"]
    run = await rig.worked_on(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.REQUEST_NO_FEATURE)
    assert run.result_summary == f"There is no `{FEATURE}/plan.md` on this branch yet; `plan` makes it."
    assert rig.world.requests == []


async def test_a_verb_that_came_to_nothing_new(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_CLARIFY] = does_nothing
    run = await rig.finished_on_pull_request(Verb.CLARIFY, arguments=ANSWERS)
    assert (run.status, run.result_summary) == (RunStatus.NO_CHANGES, "There was nothing to change.")
    assert rig.world.branches == {PULL["branch"]: PULL["head"]}
    nothing = await rig.finished_on_pull_request(Verb.CHECKLIST, **CHANGES[Verb.CHECKLIST])
    assert nothing.status is RunStatus.SUCCEEDED
    rig.world.deeds[Phase.SPECKIT_CHECKLIST] = does_nothing
    nothing = await rig.finished_on_pull_request(Verb.CHECKLIST)
    assert nothing.error_code == ErrorCode.AGENT_NO_OUTPUT
    assert nothing.result_summary == "The agent finished, but it changed nothing."


@pytest.mark.parametrize("verb", CHANGES)
async def test_a_dry_run_keeps_the_patch_and_pushes_nothing(rig: Rig, verb: Verb) -> None:
    rig.world.deeds[Phase.SPECKIT_PLAN] = renewed("plan.md")
    rig.world.deeds[Phase.SPECKIT_TASKS] = renewed("tasks.md")
    run = await rig.finished_on_pull_request(verb, dry_run=True, **CHANGES[verb])
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert run.result_summary == "Dry run: nothing was pushed. The patches are kept with the run."
    assert (rig.world.branches, rig.world.tokens) == ({PULL["branch"]: PULL["head"]}, ["clone_token"])
    assert rig.read(run, f"phase-{AGENT_PHASES_OF[verb][-1]}.patch")
    states = await rig.states(run.run_id)
    assert (states[Phase.COMMIT_PUSH], states[Phase.OPEN_PR]) == (TaskStatus.SKIPPED, TaskStatus.SKIPPED)


# The constitution


async def test_a_constitution_is_a_pull_request_of_its_own(rig: Rig) -> None:
    run = await rig.finished(verb=Verb.CONSTITUTION, requested_spec_input="Tests first.")
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert (run.feature_directory, len(rig.world.pull_requests)) == (None, 1)
    [(_, patches, _)] = rig.world.commits
    assert [patch.subject for patch in patches] == ["Constitution: Invoices"]
    assert not rig.world.sources[0].want_branches
    assert rig.world.requests[0].feature_directory == ""


async def test_a_constitution_changes_nothing_else(rig: Rig) -> None:
    rig.world.patches[Phase.SPECKIT_CONSTITUTION] = added("specs/001-x/spec.md", b"x\n")
    assert (await rig.finished(verb=Verb.CONSTITUTION)).error_code == ErrorCode.PUBLISH_PROTECTED_PATH


async def test_a_constitution_left_as_the_template_is_none(rig: Rig) -> None:
    path, template = ".specify/memory/constitution.md", b"# [PROJECT_NAME] Constitution\n"
    rig.world.patches[Phase.SPECKIT_CONSTITUTION] = added(path, template)
    run = await rig.finished(verb=Verb.CONSTITUTION)
    assert run.error_code == ErrorCode.AGENT_NO_OUTPUT
    assert run.result_summary == f"The agent left `{path}` as Spec Kit's unfilled template."


# Asking and analyzing change nothing


def spoils(request: AgentRequest, tree: Tree) -> None:
    """An agent that was told to change nothing."""
    tree.write(f"{request.feature_directory}/spec.md", SPEC.replace(b"how many days?", b"what else?"))
    tree.write(".github/workflows/ci.yml", b"on: push\n")
    tree.remove(f"{request.feature_directory}/plan.md")


@pytest.mark.parametrize(
    ("verb", "phase", "said"),
    [
        (Verb.CLARIFY, Phase.SPECKIT_CLARIFY, "2 questions asked."),
        (Verb.ANALYZE, Phase.SPECKIT_ANALYZE, "1 finding."),
    ],
)
@pytest.mark.parametrize("strays", [False, True])
async def test_what_only_looks_pushes_nothing(rig: Rig, verb: Verb, phase: Phase, said: str, strays: bool) -> None:
    rig.world.results[Phase.SPECKIT_CLARIFY] = QUESTIONS
    rig.world.results[Phase.SPECKIT_ANALYZE] = b'{"findings": [{"summary": "A gap", "path": "specs/x.md"}]}'
    rig.world.deeds[phase] = spoils if strays else does_nothing
    rig.world.patches.clear()
    run = await rig.finished_on_pull_request(verb)
    assert (run.status, run.result_summary) == (RunStatus.SUCCEEDED, said)
    assert (rig.world.branches, rig.world.pull_requests) == ({PULL["branch"]: PULL["head"]}, {})
    assert rig.world.tokens == ["clone_token"]
    details = (await rig.state(run.run_id, phase)).details
    assert details["files"] == []
    assert [mark["text"] for mark in details["open_questions"]] == ["how many days?"], "as it is on the branch"
    assert "stale" not in details
    assert f"phase-{phase}.patch" not in {artifact.name for artifact in run.artifacts}
    assert (await rig.states(run.run_id))[Phase.COMMIT_PUSH] is TaskStatus.SKIPPED


async def test_questions_are_counted_and_none_is_an_end_too(rig: Rig) -> None:
    rig.world.results[Phase.SPECKIT_CLARIFY] = b'{"questions": []}'
    assert (await rig.finished_on_pull_request(Verb.CLARIFY)).result_summary == "1 question asked."
    run_id = await rig.open_on_pull_request(Verb.CLARIFY)
    rig.world.trees[str(PULL["head"])][f"{FEATURE}/spec.md"] = b"# All is clear\n"
    run = await rig.worked_on(run_id)
    assert (run.status, run.result_summary) == (
        RunStatus.NO_CHANGES,
        "Nothing is unclear: there is no question to ask.",
    )
    run = await rig.finished_on_pull_request(Verb.ANALYZE)
    assert (run.status, run.result_summary) == (RunStatus.SUCCEEDED, "No findings.")


@pytest.mark.parametrize("verb", [Verb.CLARIFY, Verb.ANALYZE])
@pytest.mark.parametrize("step", ["agent", "remove", "finish_report"])
async def test_what_only_looks_is_done_once(rig: Rig, verb: Verb, step: str) -> None:
    rig.world.results[Phase.SPECKIT_CLARIFY] = QUESTIONS
    (phase,) = AGENT_PHASES_OF[verb]
    run_id = await rig.open_on_pull_request(verb)
    await rig.worker_dies(run_id, f"agent:{phase}" if step == "agent" else step)
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert run.result_summary == ("2 questions asked." if verb is Verb.CLARIFY else "No findings.")
    assert len(rig.world.requests) == 1


@pytest.mark.parametrize("verb", [Verb.CLARIFY, Verb.ANALYZE])
async def test_a_result_nobody_can_read_fails_the_run(rig: Rig, verb: Verb) -> None:
    (phase,) = AGENT_PHASES_OF[verb]
    rig.world.results[phase] = b"Here are my findings: none."
    run = await rig.finished_on_pull_request(verb)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.AGENT_NO_OUTPUT)
    rig.world.reports[phase] = AgentReport(3)
    assert (await rig.finished_on_pull_request(verb)).error_code == ErrorCode.AGENT_FAILED


async def test_no_secret_is_told_in_the_agents_own_words(rig: Rig) -> None:
    token = "ghp_" + "a1B2" * 9
    finding = {"summary": f"I found {SECRET}", "recommendation": f"Use {token} now", "path": "x.md"}
    rig.world.results[Phase.SPECKIT_ANALYZE] = json.dumps({"findings": [finding]}).encode()
    rig.world.reports[Phase.SPECKIT_ANALYZE] = AgentReport(0, message=f"Look: {SECRET}")
    run = await rig.finished_on_pull_request(Verb.ANALYZE)
    details = (await rig.state(run.run_id, Phase.SPECKIT_ANALYZE)).details
    assert details["summary"] == "Look: [secret]"
    assert (details["findings"][0]["summary"], details["findings"][0]["recommendation"]) == (
        "I found [secret]",
        "Use [secret] now",
    )
    assert SECRET not in json.dumps(details)
    assert token not in json.dumps(details)


# Refine stays in its section


def changes_spec(old: bytes, new: bytes) -> Any:
    def deed(request: AgentRequest, tree: Tree) -> None:
        path = f"{request.feature_directory}/spec.md"
        tree.write(path, tree.read(path).replace(old, new))

    return deed


def removes_the_spec(request: AgentRequest, tree: Tree) -> None:
    tree.remove(f"{request.feature_directory}/spec.md")


WHERE = "`FR-002: Customers see their invoices.` (lines 10 to 10)"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (changes_spec(b"# Feature", b"# The Feature"), f"The agent changed `{FEATURE}/spec.md` outside of {WHERE}"),
        (changes_spec(b"## Requirements", b"New.\n\n## Requirements"), "outside of"),
        (changes_spec(b"- **FR-001**", b"- **FR-009**"), "outside of"),
        (changes_spec(SPEC, b"# Anew\n"), "outside of"),
        (removes_the_spec, f"The agent was to change {WHERE} of `{FEATURE}/spec.md`, and the file is gone"),
        (lambda request, tree: tree.write(f"{FEATURE}/plan.md", b"x\n"), f"`{FEATURE}/plan.md`"),
        (lambda request, tree: tree.write("src/shop.py", b"x\n"), "`src/shop.py`"),
    ],
)
async def test_an_agent_that_strays_from_its_section_is_refused(rig: Rig, deed: Any, said: str) -> None:
    rig.world.deeds[Phase.SPECKIT_REFINE] = deed
    run = await rig.finished_on_pull_request(Verb.REFINE, "FR-002: name the date")
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.PUBLISH_PROTECTED_PATH)
    assert run.result_summary is not None
    assert said in run.result_summary
    assert rig.world.branches == {PULL["branch"]: PULL["head"]}
    assert rig.read(run, "phase-speckit_refine.patch") == rig.world.taken[Phase.SPECKIT_REFINE]


@pytest.mark.parametrize(
    "new",
    [
        b"- **FR-002**: Customers see their invoices and their dates.",
        b"- **FR-002**: Customers see their invoices,\n  with dates.\n- **FR-003**: They can print them.",
        b"",
    ],
)
async def test_a_change_within_the_section_is_pushed(rig: Rig, new: bytes) -> None:
    rig.world.deeds[Phase.SPECKIT_REFINE] = changes_spec(b"- **FR-002**: Customers see their invoices.", new)
    run = await rig.finished_on_pull_request(Verb.REFINE, "FR-002: name the date")
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert run.head_sha is not None
    assert new in rig.world.trees[run.head_sha][f"{FEATURE}/spec.md"]
    details = (await rig.state(run.run_id, Phase.SPECKIT_REFINE)).details
    assert details["section"] == {
        "path": f"{FEATURE}/spec.md",
        "heading": "FR-002: Customers see their invoices.",
        "line": 10,
    }
    assert details["stale"] == [f"{FEATURE}/plan.md", f"{FEATURE}/tasks.md"]


async def test_a_review_comment_refines_the_section_it_stands_in(rig: Rig) -> None:
    section = {"path": f"{FEATURE}/spec.md", "line": 5}
    run = await rig.finished_on_pull_request(Verb.REFINE, "say how often", arguments={"section": section})
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    asked = rig.world.requests[0]
    assert asked.section is not None
    assert (asked.text, asked.section.first_line) == ("say how often", 5)


# Where a repository is more than one project


@pytest.mark.parametrize("verb", WRITTEN)
async def test_paths_of_a_project(rig: Rig, verb: Verb) -> None:
    at = "packages/api"
    run = await rig.finished_on_pull_request(verb, project=at, **CHANGES[verb])
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert [source.project for source in rig.world.sources] == [at]
    assert rig.world.requests[0].feature_directory == FEATURE
    (phase,) = AGENT_PHASES_OF[verb]
    details = (await rig.state(run.run_id, phase)).details
    assert [file["path"] for file in details["files"]] == [f"{at}/{path}" for path in WRITTEN[verb]]
    if verb is Verb.REFINE:
        assert details["section"]["path"] == f"{at}/{FEATURE}/spec.md"


# Agents and models by phase


async def test_each_phase_has_its_own_agent_and_model(rig: Rig) -> None:
    rig.agents = {
        "template": FakeAgent(),
        "codex": FakeAgent(
            "codex", "codex", model_api=ModelApi.OPENAI, supports_model=True, runtime_env={"MODEL": "m"}
        ),
    }
    arguments = {
        "agents": {"speckit_plan": "codex"},
        "models": {"speckit_specify": "unheard", "speckit_plan": "small"},
    }
    run = await rig.finished(arguments=arguments)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert rig.world.workers == [
        (Phase.SPECKIT_SPECIFY, "template"),
        (Phase.SPECKIT_PLAN, "codex"),
        (Phase.SPECKIT_TASKS, "template"),
    ]
    assert rig.world.made_for == ["codex", "codex"], "only a container made with a gateway has one"
    assert run.agent_configuration is not None
    assert (run.agent_configuration.agent_backend, run.agent_configuration.runtime_env) == ("codex", {"MODEL": "m"})
    assert json.loads(rig.read(run, "environment.json"))["agent_backend"] == "codex, template"
    used = {
        state.phase: (state.details["agent"], state.details["model"])
        for state in run.task_states
        if "agent" in state.details
    }
    assert used == {
        Phase.SPECKIT_SPECIFY: ("template", None),
        Phase.SPECKIT_PLAN: ("codex", "small"),
        Phase.SPECKIT_TASKS: ("template", None),
    }


async def test_the_agent_and_model_that_were_named_count_for_every_phase(rig: Rig) -> None:
    rig.agents["other"] = FakeAgent("other", supports_model=True)
    arguments = {"agents": {"speckit_plan": "template"}, "models": {"speckit_plan": "small"}}
    run = await rig.finished(requested_agent="other", requested_model="large", arguments=arguments)
    assert {name for _, name in rig.world.workers} == {"other"}
    assert {asked.model for asked in rig.world.requests} == {"large"}
    assert run.agent_configuration is not None
    assert run.agent_configuration.agent_backend == "other"


async def test_the_same_agent_is_recorded_when_another_worker_goes_on(rig: Rig) -> None:
    rig.agents["codex"] = FakeAgent("codex", model_api=ModelApi.OPENAI)
    run_id = await rig.open(arguments={"agents": {"speckit_specify": "codex"}})
    await rig.worker_dies(run_id, "agent:speckit_tasks")
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED, run.result_summary
    assert rig.world.made_for == ["codex"] * 4


async def test_an_agent_taken_away_meanwhile_is_told(rig: Rig) -> None:
    rig.agents["codex"] = FakeAgent("codex")
    run_id = await rig.open(requested_agent="codex")
    await rig.worker_dies(run_id, "agent:speckit_plan")
    del rig.agents["codex"]
    run = await rig.worked_on(run_id)
    assert run.error_code == ErrorCode.AGENT_NOT_ALLOWED
    assert run.result_summary == ("The agent codex was taken away while this run was under way. Choose from: template")
