"""What the agent tried to reach, where people read of it: the run's comment and its check run."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot
from markdown_it import MarkdownIt

from bot.reporting.check_run import check_run
from bot.reporting.network_report import host_counts, network_report
from bot.reporting.run_comment import run_comment
from db.models import SpecAutomationRun
from db.vocabulary import TAKEN_OVER, ErrorCode, Phase
from tests.bot.example_runs import HEAD, VIEW, example_run, failed_run, state_of, succeeded_run


def hosts(**counts: int) -> list[dict[str, Any]]:
    return [{"host": host.replace("_", "."), "times": times} for host, times in counts.items()]


def noted(run: SpecAutomationRun, phase: Phase, **details: object) -> SpecAutomationRun:
    """The run, whose phase kept these details too."""
    state = state_of(run, phase)
    state.details = {**(state.details or {}), **details}
    return run


def test_an_agent_that_asked_for_nothing_is_not_spoken_of() -> None:
    assert network_report(succeeded_run()) == ""
    assert "reach" not in run_comment(succeeded_run(), VIEW)


def test_what_was_refused_and_what_was_reached_over_all_phases() -> None:
    run = noted(succeeded_run(), Phase.SPECKIT_SPECIFY, refused_hosts=hosts(example_com=2, evil_example=9))
    noted(run, Phase.SPECKIT_PLAN, refused_hosts=hosts(example_com=1), reached_hosts=hosts(pypi_org=4))
    assert network_report(run) == snapshot("""\
**The agent tried to reach** `evil.example` (9×) and `example.com` (3×): refused.

**The agent reached** `pypi.org` (4×), as whoever runs this bot allows.\
""")
    assert network_report(run) in run_comment(run, VIEW)
    assert network_report(run) in check_run(run, VIEW, head_sha=HEAD)["output"]["summary"]


def test_a_run_that_failed_tells_it_too() -> None:
    run = noted(
        failed_run(ErrorCode.AGENT_TIMED_OUT, "The agent was stopped."),
        Phase.SPECKIT_PLAN,
        refused_hosts=hosts(example_com=1),
    )
    assert "**The agent tried to reach** `example.com` (1×): refused." in run_comment(run, VIEW)


def test_many_hosts_become_a_number() -> None:
    many = [{"host": f"n{number:02}.example", "times": 1} for number in range(12)]
    run = noted(example_run(at=Phase.SPECKIT_PLAN), Phase.SPECKIT_SPECIFY, refused_hosts=many, refused_unnamed=99_988)
    assert network_report(run) == snapshot(
        "**The agent tried to reach** `n00.example` (1×), `n01.example` (1×), `n02.example` (1×), `n03.example` (1×), `n04.example` (1×), `n05.example` (1×), `n06.example` (1×), `n07.example` (1×), `n08.example` (1×), `n09.example` (1×), 2 more hosts and other places (99988×): refused."
    )
    only_noise = noted(example_run(at=Phase.SPECKIT_PLAN), Phase.SPECKIT_SPECIFY, refused_unnamed=3)
    assert network_report(only_noise) == "**The agent tried to reach** something without a name (3×): refused."


def test_what_another_runs_agent_did_is_that_runs_story() -> None:
    origin = {"run_id": "x", "attempt": 1}
    run = noted(succeeded_run(), Phase.SPECKIT_SPECIFY, refused_hosts=hosts(example_com=2), **{TAKEN_OVER: origin})
    noted(run, Phase.SPECKIT_PLAN, refused_hosts=hosts(npmjs_org=1))
    assert [count.host for count in host_counts(run)] == ["npmjs.org"]


@pytest.mark.parametrize(
    "found",
    [
        None,
        "example.com",
        [None],
        [{}],
        [{"host": 3, "times": 1}],
        [{"host": "x", "times": "1"}],
        [{"host": "x", "times": True}],
    ],
)
def test_details_of_another_shape_tell_nothing(found: object) -> None:
    run = noted(succeeded_run(), Phase.SPECKIT_PLAN, refused_hosts=found, refused_unnamed=found, reached_hosts=found)
    assert network_report(run) == ""


@pytest.mark.parametrize(
    "host", ["@everyone", "<img src=x>", "`x` #1", "[a](javascript:b)", "a|b", "http://evil.example/"]
)
def test_a_hostile_name_pings_and_links_nothing(host: str) -> None:
    run = noted(succeeded_run(), Phase.SPECKIT_PLAN, refused_hosts=[{"host": host, "times": 1}])
    (paragraph,) = [token for token in MarkdownIt("commonmark").parse(network_report(run)) if token.type == "inline"]
    kinds = {token.type for token in paragraph.children or []}
    assert kinds <= {"text", "code_inline", "strong_open", "strong_close"}
