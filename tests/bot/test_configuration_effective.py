"""Whose word counts, where each value comes from, and that it survives being kept with a run."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.configuration.effective import EffectiveConfig, Layer, Limits, PullRequestSettings, effective
from bot.configuration.model import DEFAULT_ROLES, DEFAULTS, VERBS, RepositoryConfig, leaves
from bot.configuration.reading import read_config
from db.budgets import Measure
from db.vocabulary import Phase, Trigger, Verb


def layer(origin: str, text: str, *, locks: bool = False) -> Layer:
    reading = read_config(text)
    return Layer(origin, reading.config, locks, reading.problems)


def shop(text: str, *others: Layer) -> EffectiveConfig:
    return effective([layer("acme/shop", text), *others])


def rows(config: EffectiveConfig) -> str:
    """Those that do not stand at their default, a line each."""
    return "\n".join(" | ".join(row).rstrip(" |") for row in config.rows() if row.origin != "default")


# --- the defaults


def test_without_any_layer_the_defaults_hold() -> None:
    config = effective([])
    assert {verb: config.role_of(verb) for verb in VERBS} == DEFAULT_ROLES
    assert all(config.people_of(verb) == () for verb in VERBS)
    assert [verb for verb in VERBS if config.is_off(verb)] == ["implement"]
    assert (config.agent_for(), config.model_for(), config.base_branch, config.project) == (None, None, None, None)
    assert config.verb_of_label("speckit:specify") is Verb.SPECIFY
    assert all(config.trigger_on(trigger) for trigger in Trigger)
    assert config.pull_request == PullRequestSettings((), (), (), ())
    assert config.implement_paths == ()
    assert config.retention_days == 30
    assert config.limits == Limits(runs=4, runs_per_person=3, run_timeout=3600, commands_per_comment=10)


def test_every_run_has_its_verb_among_those_that_can_be_configured() -> None:
    assert VERBS[: len(Verb)] == tuple(verb.value for verb in Verb)


def test_what_is_no_verb_is_not_allowed_by_accident() -> None:
    for ask in (effective([]).role_of, effective([]).people_of, effective([]).is_off):
        with pytest.raises(KeyError):
            ask("deploy")


# --- layers


def test_layers_are_laid_over_each_other_value_by_value() -> None:
    organisation = layer(
        "acme/.github",
        "commands: {plan: {role: maintain, people: [octocat]}, tasks: {role: admin}}\nretention_days: 90\n"
        "pull_request: {reviewers: [alice, bob], labels: [spec]}\nlimits: {runs: 8}\n",
    )
    repository = layer(
        "acme/shop", "commands: {plan: {role: triage}}\npull_request: {reviewers: []}\nlimits: {run_timeout: 600}\n"
    )
    config = effective([organisation, repository])
    assert (config.role_of("plan"), config.people_of("plan"), config.role_of("tasks")) == (
        "triage",
        ("octocat",),
        "admin",
    )
    assert config.retention_days == 90
    assert config.pull_request == PullRequestSettings(("spec",), (), (), ())
    assert config.limits == Limits(runs=8, runs_per_person=3, run_timeout=600, commands_per_comment=10)
    assert rows(config) == snapshot("""\
commands.plan.role | triage | acme/shop
commands.plan.people | octocat | acme/.github
commands.tasks.role | admin | acme/.github
pull_request.labels | spec | acme/.github
pull_request.reviewers | none | acme/shop
retention_days | 90 | acme/.github
limits.runs | 8 | acme/.github
limits.run_timeout | 600 | acme/shop\
""")


def test_what_the_operator_names_is_locked_and_what_others_said_is_listed() -> None:
    organisation = layer("acme/.github", "retention_days: 90\nagent: codex_cli\n")
    operator = layer("operator", "retention_days: 14\nagent: template\ncommands: {cancel: {role: admin}}\n", locks=True)
    repository = layer(
        "acme/shop",
        "retention_days: 365\nphases: {plan: {agent: codex_cli, model: gpt-5}}\ncommands: {cancel: {people: [bob]}}\n",
    )
    for layers in ([organisation, repository, operator], [operator, organisation, repository]):
        config = effective(layers)
        assert config.retention_days == 14
        assert (config.agent_for(), config.agent_for("plan"), config.model_for("plan")) == (
            "template",
            "template",
            "gpt-5",
        )
        assert (config.role_of("cancel"), config.people_of("cancel")) == ("admin", ("bob",))
        assert rows(config) == snapshot("""\
commands.cancel.role | admin | operator | locked
commands.cancel.people | bob | acme/shop
agent | template | operator | locked; acme/.github says codex_cli; acme/shop says codex_cli for phases.plan.agent
phases.plan.model | gpt-5 | acme/shop
retention_days | 14 | operator | locked; acme/.github says 90; acme/shop says 365\
""")


def test_an_operator_may_lock_one_phase_and_leave_the_others() -> None:
    operator = layer("operator", "agent: template\nphases: {plan: {agent: codex_cli}}\n", locks=True)
    config = shop("phases: {plan: {agent: other}, tasks: {agent: other}}\n", operator)
    assert [config.agent_for(phase) for phase in (None, "plan", "tasks")] == ["template", "codex_cli", "template"]


def test_an_empty_list_of_the_operator_locks_too() -> None:
    config = shop(
        "paths: {implement: ['**']}\n",
        Layer("operator", RepositoryConfig.model_validate({"paths": {"implement": ()}}), locks=True),
    )
    assert config.implement_paths == ()
    assert config.is_off("implement") == "off because `paths.implement` of operator is empty"


def test_many_labels_of_many_layers_add_up() -> None:
    def labels(word: str) -> str:
        return "labels:\n" + "".join(f"  {word}{number}: plan\n" for number in range(50))

    config = effective([layer("acme/.github", labels("a")), layer("acme/shop", labels("b"))])
    assert [config.verb_of_label(name) for name in ("a49", "B0", "speckit:specify", "c0")] == [
        Verb.PLAN,
        Verb.PLAN,
        Verb.SPECIFY,
        None,
    ]


# --- what the bot asks


def test_off() -> None:
    config = shop("commands: {refine: {off: true}, implement: {off: true}}\npaths: {implement: [src/]}\n")
    assert config.is_off("refine") == "turned off by acme/shop"
    assert config.is_off("implement") == "turned off by acme/shop"
    assert config.is_off("plan") is None
    assert shop("paths: {implement: [src/]}").is_off("implement") is None
    assert shop("").is_off("implement") == "off until `paths.implement` in `.github/speckit.yml` says what it may write"


def test_people_are_known_by_any_spelling_of_their_login() -> None:
    config = shop("commands: {plan: {people: [OctoCat, 'my-app[bot]']}}\n")
    assert config.names("plan", "octocat")
    assert config.names("plan", "My-App[bot]")
    assert not config.names("plan", "my-app")
    assert not config.names("tasks", "octocat")


def test_labels_are_known_by_any_spelling_and_can_be_taken_away() -> None:
    config = shop("labels: {Needs Plan: plan, 'SPECKIT:specify': off}\n")
    assert config.verb_of_label("needs plan") is Verb.PLAN
    assert config.verb_of_label("NEEDS PLAN") is Verb.PLAN
    assert config.verb_of_label("speckit:specify") is None


def test_phases_by_either_of_their_names() -> None:
    config = shop("agent: template\nmodel: small\nphases: {plan: {agent: codex_cli, model: large}}\n")
    assert (config.agent_for(Phase.SPECKIT_PLAN), config.model_for("plan")) == ("codex_cli", "large")
    assert (config.agent_for(Phase.SPECKIT_TASKS), config.model_for("tasks")) == ("template", "small")


def test_triggers_by_the_word_of_a_run_or_of_the_file() -> None:
    config = shop("triggers: {labels: false, buttons: false}\n")
    assert [trigger for trigger in Trigger if not config.trigger_on(trigger)] == [Trigger.LABEL, Trigger.CHECK_RUN]
    assert not config.trigger_on("labels")
    assert config.trigger_on("mentions")


def test_a_mistake_is_told_where_its_consequence_is_seen() -> None:
    config = shop("\ncommands:\n  plan: {role: wirte}\n")
    assert config.closed_by_mistake("plan") == "a mistake in line 3 of `.github/speckit.yml` in acme/shop"
    assert config.closed_by_mistake("tasks") is None
    assert rows(config) == (
        f"commands.plan.role | admin | acme/shop | because of {config.closed_by_mistake('plan')}\n"
        f"commands.plan.people | none | acme/shop | because of {config.closed_by_mistake('plan')}"
    )


def test_every_key_has_a_row() -> None:
    lines = [" | ".join(row).rstrip(" |") for row in effective([]).rows()]
    assert "\n".join(lines) == snapshot("""\
commands.specify.role | write | default
commands.clarify.role | write | default
commands.plan.role | write | default
commands.tasks.role | write | default
commands.checklist.role | write | default
commands.analyze.role | write | default
commands.implement.role | write | default
commands.constitution.role | write | default
commands.refine.role | write | default
commands.retry.role | write | default
commands.cancel.role | write | default
commands.status.role | read | default
commands.config.role | read | default
commands.help.role | read | default
agent |  | default | the operator's default agent
model |  | default | the agent's own model
base_branch |  | default | the repository's default branch
project |  | default | the top of the repository
labels."speckit:specify" | specify | default
pull_request.labels |  | default | none
pull_request.reviewers |  | default | none
pull_request.team_reviewers |  | default | none
pull_request.assignees |  | default | none
allowed_hosts |  | default | none but the agent's model
paths.implement |  | default | implement is off
triggers.labels | true | default
triggers.mentions | true | default
triggers.assignment | true | default
triggers.buttons | true | default
triggers.review_comments | true | default
retention_days | 30 | default
limits.runs | 4 | default
limits.runs_per_person | 3 | default
limits.run_timeout | 3600 | default
limits.commands_per_comment | 10 | default
limits.tokens |  | default | no limit
limits.cost |  | default | no limit
limits.requests |  | default | no limit\
""")


# --- kept with a run


LAYERS = st.lists(
    st.builds(
        layer,
        st.sampled_from(["acme/.github", "acme/shop"]),
        st.sampled_from(
            [
                "agent: template\nlabels: {'a.b': plan, Ü: off}\n",
                "commands: {plan: {role: wirte}, tasks: {off: true, people: [a]}}\n",
                "paths: {implement: [src/, '**']}\ntriggers: {labels: false}\nlimits: {runs: 1}\n",
                "paths: 5\nretention_days: 7\n",
                "a: [",
            ]
        ),
    )
    | st.just(layer("operator", "agent: codex_cli\nlimits: {runs: 2}\ntriggers: {labels: true}\n", locks=True)),
    max_size=4,
)


@given(LAYERS)
@settings(max_examples=100, deadline=None)
def test_it_comes_back_as_it_was(layers: list[Layer]) -> None:
    config = effective(layers)
    assert EffectiveConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_what_an_older_version_kept_gets_the_defaults_of_what_is_new() -> None:
    kept = shop("retention_days: 90\n").to_json()
    kept["entries"] = [entry for entry in kept["entries"] if entry["path"][0] not in {"limits", "triggers"}]
    kept["entries"].append({"path": ["gone"], "value": 1, "origin": "acme/shop"})
    config = EffectiveConfig.from_json(kept)
    assert (config.retention_days, config.limits.runs, config.trigger_on("labels")) == (90, 4, True)


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"entries": 1, "overruled": []},
        {"entries": [{"path": ["agent"], "value": "-x", "origin": "o"}], "overruled": []},
        {"entries": [{"path": ["limits", "runs"], "value": "many", "origin": "o"}], "overruled": []},
    ],
)
def test_what_was_not_kept_by_us_is_refused(kept: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        EffectiveConfig.from_json(kept)


def test_the_defaults_say_something_about_every_number_and_switch() -> None:
    said = {path for path, _ in leaves(DEFAULTS)}
    budgets = {measure.value for measure in Measure}
    assert {("limits", name) for name in type(DEFAULTS.limits).model_fields if name not in budgets} <= said
    assert {("triggers", name) for name in type(DEFAULTS.triggers).model_fields} <= said
