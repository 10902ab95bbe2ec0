"""What came from the base branch is told in one sentence, however much it is."""

from __future__ import annotations

import pytest

from bot.reporting.restored import restored_sentence
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import RESTORED, Phase


def sentence(paths: object, count: object = None) -> str:
    details = {RESTORED: paths, "restored_in_all": count}
    state = SpecAutomationTaskState(phase=Phase.GIT_CLONE, details=details)
    return restored_sentence(SpecAutomationRun(base_branch="main", task_states=[state]))


def test_few_paths_are_named_and_the_rest_is_counted() -> None:
    assert sentence(["AGENTS.md"], 1) == (
        "The agent worked with `AGENTS.md` as on `main`, not as on this pull request's branch."
    )
    assert "`a/AGENTS.md`, `b/AGENTS.md` and `c/AGENTS.md` as on" in sentence([f"{x}/AGENTS.md" for x in "abc"], 3)
    assert "`e/AGENTS.md` and 95 more as on" in sentence([f"{x}/AGENTS.md" for x in "abcdefg"], 100)


def test_a_path_is_no_markdown() -> None:
    assert sentence(["x/`@mallory #1`/AGENTS.md"], 1).startswith(
        "The agent worked with ``x/`@mallory #1`/AGENTS.md`` as on"
    )


@pytest.mark.parametrize("paths", [None, [], "AGENTS.md", {}, [1, None]])
def test_nothing_is_said_where_nothing_was_kept(paths: object) -> None:
    assert sentence(paths) == ""


def test_nothing_is_said_of_a_run_that_never_cloned() -> None:
    assert restored_sentence(SpecAutomationRun(base_branch="main", task_states=[])) == ""
