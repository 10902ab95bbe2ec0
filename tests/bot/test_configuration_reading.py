"""What a repository's file says counts; what is wrong in it is told with its line, and never opens anything."""

from __future__ import annotations

import time
from textwrap import fill
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.configuration.effective import Layer, effective
from bot.configuration.model import VERBS, RepositoryConfig
from bot.configuration.problems import GUARDED_VERBS, ConfigProblem, check_annotations
from bot.configuration.reading import MOST_PROBLEMS, ConfigReading, read_config
from bot.configuration.tree import LARGEST_FILE


def the_problem(text: str | bytes, **options: Any) -> ConfigProblem:
    (problem,) = read_config(text, **options).problems
    return problem


def told(text: str, **options: Any) -> str:
    problem = the_problem(text, **options)
    return f"{problem.line} {problem.message}" + (f" -> {problem.did_you_mean}" if problem.did_you_mean else "")


def role_of(reading: ConfigReading, verb: str) -> str:
    return effective([Layer("acme/shop", reading.config, problems=reading.problems)]).role_of(verb)


# --- what counts


def test_a_whole_file() -> None:
    reading = read_config("""\
commands:
  plan: {role: maintain, people: [octocat, "release-app[bot]"]}
  refine:
    off: true
agent: codex_cli
phases: {plan: {model: gpt-5-codex}}
base_branch: release/1.x
labels: {Needs Spec: specify, "speckit:specify": off}
pull_request:
  labels: [spec]
  reviewers: [octocat]
paths:
  implement: ["src/**", tests/, docs/*.md, .config/app.toml]
triggers: {mentions: false}
retention_days: 90
limits: {runs: 3}
project: services/billing
""")
    assert reading.problems == ()
    assert reading.config.model_dump(exclude_none=True) == snapshot(
        {
            "commands": {
                "plan": {"role": "maintain", "people": ("octocat", "release-app[bot]")},
                "refine": {"off": True},
            },
            "agent": "codex_cli",
            "phases": {"plan": {"model": "gpt-5-codex"}},
            "base_branch": "release/1.x",
            "project": "services/billing",
            "labels": {"needs spec": "specify", "speckit:specify": "off"},
            "pull_request": {"labels": ("spec",), "reviewers": ("octocat",)},
            "paths": {"implement": ("src/**", "tests/", "docs/*.md", ".config/app.toml")},
            "triggers": {"mentions": False},
            "retention_days": 90,
            "limits": {"runs": 3},
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "# nothing\n", "---\n", "---\n...\n", "\ufeff# nothing", b"", b"\xef\xbb\xbf", "{}", "~"),
        "commands:\nlabels:\n",
        "commands:\n#  plan: {off: true}\npaths: ~\ntriggers: null\nphases:\nlimits:\n",
    ],
)
def test_a_file_that_says_nothing(text: str | bytes) -> None:
    assert read_config(text) == ConfigReading(RepositoryConfig(), ())


def test_words_are_words_and_not_switches() -> None:
    config = read_config("labels: {no: plan, yes: tasks, on: specify, off: off}\n").config
    assert config.labels == {"no": "plan", "yes": "tasks", "on": "specify", "off": "off"}


def test_the_rest_of_a_file_with_mistakes_counts() -> None:
    reading = read_config("retention_days: 3\nagnet: codex_cli\nbase_branch: develop\nlimits: {runs: 2, run: 5}\n")
    assert [problem.path for problem in reading.problems] == ["retention_days", "agnet", "limits.run"]
    assert reading.config.model_dump(exclude_defaults=True) == {"base_branch": "develop", "limits": {"runs": 2}}


def test_of_a_list_the_good_items_count() -> None:
    reading = read_config("pull_request: {reviewers: [alice, 'b c', '@dora', eve]}\n")
    assert reading.config.pull_request.reviewers == ("alice", "eve")
    assert [problem.path for problem in reading.problems] == ["pull_request.reviewers[1]", "pull_request.reviewers[2]"]
    assert read_config("paths: {implement: [/src, 'ok/**', ../up]}").config.paths.implement == ("ok/**",)


# --- what is told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agent: x\nbase-branch: y\n", "base_branch"),
        ("Agent: x\n", "agent"),
        ("reviewers: [a]\n", "pull_request.reviewers"),
        ("run_timeout: 60\n", "limits.run_timeout"),
        ("commands: {plan: {rôle: admin}}\n", "role"),
        ("commands: {plan: {role: writer}}\n", "write"),
        ("commands: {plan: {off: yes}}\n", "true"),
        ("commands: {plan: {people: ['@alice']}}\n", "alice"),
        ("pull_request: {team_reviewers: [acme/core]}\n", "core"),
        ("pull_request: {team_reviewers: ['@acme/core']}\n", "core"),
        ("pull_request: {assignees: alice}\n", "[alice]"),
        ("labels: {go: plna}\n", "plan"),
        ("phases: {plna: {}}\n", "plan"),
        ("triggers: {label: true}\n", "labels"),
        ("triggers: {labels: no}\n", "false"),
        ("retention_days: '30'\n", "30"),
        ("base_branch: 2024\n", '"2024"'),
        ("project: /services/billing/\n", "services/billing"),
        ("zzzzz: 1\n", None),
        ("retention_days: 5\n", None),
        ("paths: {implement: [../src]}\n", None),
        ("paths: {implement: [.github/x]}\n", None),
    ],
)
def test_did_you_mean(text: str, words: str | None) -> None:
    assert the_problem(text).did_you_mean == words


def test_the_sentences() -> None:
    texts = [
        "agnet: x",
        "\ncommands:\n  plan:\n    role: wirte\n",
        "commands: {deploy: {off: true}}",
        "commands: {plna: {off: true}}",
        "commands: [plan]",
        "commands: {plan: }",
        "paths: {implement: src}",
        "paths: {implement: [src, 'a**']}",
        "retention_days: 3650000",
        "limits:\n  runs: 1.5\n",
        "agent: ''",
        "agent: 3",
        f"pull_request: {{labels: ['{'x' * 51}']}}",
        f"pull_request: {{labels: [{', '.join('x' * 51)}]}}",
        "labels: {' x': plan}",
        "labels: {x: cancel}",
        "labels: {x: plan, X: tasks}",
        "agent: a\nmodel: b\nagent: c\n",
        "labels: [a]",
        "triggers: {labels: {}}",
    ]
    sentences = [told(text) for text in texts]
    sentences += [
        told("agent: cdx\n", agents=["codex_cli", "template"]),
        told("phases: {plan: {agent: templat}}\n", agents=["codex_cli", "template"]),
    ]
    assert "\n".join(fill(sentence, 110, subsequent_indent="    ") for sentence in sentences) == snapshot("""\
1 agnet is no key; the file takes one of commands, agent, model, phases, base_branch, project, labels,
    pull_request, allowed_hosts, paths, triggers, retention_days, limits. -> agent
4 commands.plan.role is "wirte"; it takes one of read, triage, write, maintain, admin; until this is
    corrected, plan needs the admin role. -> write
1 commands.deploy is no key; commands takes one of specify, clarify, plan, tasks, checklist, analyze,
    implement, constitution, refine, retry, cancel, status, config, help.
1 commands.plna is no key; commands takes one of specify, clarify, plan, tasks, checklist, analyze, implement,
    constitution, refine, retry, cancel, status, config, help; until this is corrected, plan needs the admin
    role. -> plan
1 commands is a list; it takes a mapping with the keys specify, clarify, plan, tasks, checklist, analyze,
    implement, constitution, refine, retry, cancel, status, config, help; until this is corrected, every
    command that does something needs the admin role.
1 commands.plan is empty; it takes a mapping with the keys role, people, off; until this is corrected, plan
    needs the admin role.
1 paths.implement is "src"; it takes a list of at most 50, each a glob from the top of the repository; until
    this is corrected, implement is off. -> [src]
1 paths.implement[1] is "a**", but ** stands alone between two /; it takes a glob from the top of the
    repository.
1 retention_days is 3650000; it takes a whole number from 7 to 3650.
2 limits.runs is 1.5; it takes a whole number from 1 to 64.
1 agent is ""; it takes the name of an agent.
1 agent is 3, but text like this stands in quotes; it takes the name of an agent.
1 pull_request.labels[0] is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", but it has 51 characters;
    it takes the name of a label.
1 pull_request.labels is a list of 51; it takes a list of at most 50, each the name of a label.
1 labels." x" names no label: it begins or ends with a space.
1 labels.x is "cancel"; it takes one of specify, clarify, plan, tasks, checklist, analyze, implement, off.
1 labels."X" is there twice, here and in line 1, and neither counts.
3 agent is there twice, here and in line 1, and neither counts.
1 labels is a list; it takes a mapping of at most 50 names, each to one of specify, clarify, plan, tasks,
    checklist, analyze, implement, off.
1 triggers.labels is a mapping; it takes true or false.
1 agent is "cdx"; it takes one of codex_cli, template.
1 phases.plan.agent is "templat"; it takes one of codex_cli, template. -> template\
""")


def test_lines_are_those_github_shows() -> None:
    text = (
        "# \u2028# \u0085# are no line ends for GitHub\r\nlimits:\r\n  runs: 1\r\n  run_timeout:\r\n    5\r\nagnet: x"
    )
    assert [(problem.path, problem.line) for problem in read_config(text).problems] == [
        ("limits.run_timeout", 5),
        ("agnet", 6),
    ]
    assert the_problem("a: [\n\n\n").line <= 3


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("agent: x\n\tmodel: y\n", 2, "A tab stands here"),
        ("agent: x\nmodel: 'y\n", 2, "The file is not YAML"),
        ("agent: @x\n", 1, "begins with @"),
        ("a: &x 1\n", 1, "An anchor"),
        ("agent: x\nb: *x\n", 2, "An anchor"),
        ("paths:\n  implement:\n    - **/*.py\n", 3, "a glob in quotes"),
        ("agent: !!python/object/apply:os.system [x]\n", 1, "A tag"),
        ("agent: !env X\n", 1, "A tag"),
        ("agent: x\n---\nagent: y\n", 2, "a second document"),
        ("? [a, b]\n: c\n", 1, "A key is"),
        ("- agent\n", 1, "is not a mapping"),
        ("agent\n", 1, "is not a mapping"),
        ("a: [[[[[[[[[]]]]]]]]]\n", 1, "nested deeper"),
        ("a: \x07\n", 1, "a character that YAML does not allow"),
        (b"a: b\nc: \xff\n", 2, "UTF-8"),
        ("agent: x\n".encode("utf-16"), 1, "UTF-8"),
        ('a: "\\U7fffffff"\n', 1, "too large"),
        ('a: "\\ud800"\n', 1, "half a character"),
        (f"%YAML 1.{'9' * 5000}\n---\na: b\n", 1, "too large"),
        ("#" * (LARGEST_FILE + 1), 1, "larger than 64 KiB"),
        ("\n".join(f"k{number}: 1" for number in range(51)), 1, "more than 50 keys"),
    ],
)
def test_a_file_that_cannot_be_read_closes_what_it_may_have_restricted(
    text: str | bytes, line: int, words: str
) -> None:
    reading = read_config(text)
    problem = the_problem(text)
    assert (problem.path, problem.line) == ("", line)
    assert words in problem.message
    assert problem.message.endswith("only admins may give commands that do something.")
    for verb in VERBS:
        assert role_of(reading, verb) == ("admin" if verb in GUARDED_VERBS else "read")
    assert reading.config.paths.implement == ()


def test_many_lines_of_aliases_cost_nothing() -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.monotonic()
    assert "An anchor" in the_problem(laughs).message
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "text", ["[" * 60_000, "- " * 30_000, "{a: " * 15_000, "? " * 30_000, "&a " * 20_000, "a:\n" * 20_000, "!" * 60_000]
)
def test_hostile_files_end_soon(text: str) -> None:
    began = time.monotonic()
    assert read_config(text).problems
    assert time.monotonic() - began < 20


def test_not_more_mistakes_are_told_than_fit_into_one_request() -> None:
    lines = [f"  x{number}: {{}}\n" for number in range(49)]
    reading = read_config(f"labels:\n{''.join(lines)}phases:\n{''.join(lines)}commands:\n  plan: {{role: x}}\n")
    assert len(reading.problems) == MOST_PROBLEMS
    assert [problem.path for problem in reading.problems if problem.closes] == ["commands.plan.role"]
    assert sum("50 more mistakes" in problem.message for problem in reading.problems) == 1


def test_annotations_are_github_s() -> None:
    reading = read_config("retention_days: 1\ncommands: {plna: {}}\n")
    found = check_annotations(reading.problems)
    assert [(each["start_line"], each["end_line"], each["annotation_level"]) for each in found] == [
        (1, 1, "warning"),
        (2, 2, "failure"),
    ]
    assert {each["path"] for each in found} == {".github/speckit.yml"}
    assert found[0]["title"] == "speckit.yml: retention_days"
    assert found[0]["message"] == "retention_days is 1; it takes a whole number from 7 to 3650."
    assert found[1]["title"] == "speckit.yml: commands.plna"
    assert found[1]["message"].endswith("plan needs the admin role. Did you mean plan?")


@given(st.binary(max_size=300) | st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_nothing_is_raised(text: bytes | str) -> None:
    reading = read_config(text)
    lines = max(1, len(text.splitlines() if isinstance(text, bytes) else text.split("\n")))
    for problem in reading.problems:
        assert 1 <= problem.line <= lines + 1
        assert "\n" not in problem.message
        assert problem.message.endswith(".")


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t0.", max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_the_punctuation_nothing_is_raised(text: str) -> None:
    read_config(text)
    read_config(f"commands:\n  plan:\n    {text}\n")
