"""The parts of the demo that need no engine: what people see, and what they are told when a process dies."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.demo_processes import ProcessEndedError, Processes, free_ports
from cli.demo_view import DemoView, Link
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import PHASES, Phase, TaskStatus

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_run(**statuses: TaskStatus) -> SpecAutomationRun:
    run = SpecAutomationRun()
    for phase in PHASES:
        status = statuses.get(phase, TaskStatus.PENDING)
        begun = status is not TaskStatus.PENDING
        state = SpecAutomationTaskState(phase=phase, status=status, attempt=int(begun))
        state.started_at = NOON if begun else None
        state.completed_at = NOON + timedelta(seconds=1.5) if begun and status is not TaskStatus.RUNNING else None
        run.task_states.append(state)
    return run


def test_without_a_terminal_each_change_is_one_plain_line() -> None:
    stream = io.StringIO()
    with DemoView(stream) as view:
        view.show(a_run(prepare_job=TaskStatus.RUNNING))
        view.show(a_run(prepare_job=TaskStatus.RUNNING))
        view.show(a_run(prepare_job=TaskStatus.SUCCEEDED, start_job_container=TaskStatus.RUNNING))
        again = a_run(prepare_job=TaskStatus.SUCCEEDED, start_job_container=TaskStatus.RUNNING)
        again.task_states[1].attempt = 2
        view.show(again)
    assert stream.getvalue().splitlines() == [
        "  prepare_job          running",
        "  prepare_job          succeeded  1.5 s",
        "  start_job_container  running",
        "  start_job_container  running (attempt 2)",
    ]


def test_at_the_end_there_are_links_and_files_as_they_are() -> None:
    stream = io.StringIO()
    with DemoView(stream) as view:
        view.links([Link("issue", "http://hub/1"), Link("pull request", "http://hub/2")], ["specs/001-[bold]/spec.md"])
    assert "  issue         http://hub/1\n  pull request  http://hub/2\n" in stream.getvalue()
    assert "  1 files in the pull request:\n    specs/001-[bold]/spec.md\n" in stream.getvalue()


def test_every_phase_has_a_row_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    with DemoView(stream) as view:
        view.show(a_run(**dict.fromkeys(PHASES, TaskStatus.SUCCEEDED)))
    for phase in Phase:
        assert phase in stream.getvalue()


async def test_a_process_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    program = "import sys; print('one'); print('out of oil', file=sys.stderr); sys.exit(3)"
    lamp = await processes.start("lamp", [sys.executable, "-c", program], {})
    with pytest.raises(ProcessEndedError, match=r"lamp died with exit code 3; the last lines of .*lamp.log:\n") as told:
        await processes.wait_for_line(lamp, "ready", 10)
    assert "    out of oil" in str(told.value)
    assert await processes.stop() == []


async def test_only_the_settings_of_the_demo_reach_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://production")
    monkeypatch.setenv("SPECKIT_RETENTION_DAYS", "7")
    processes = Processes(tmp_path)
    program = "import os; print('ready', sorted(k for k in os.environ if k.startswith(('SPECKIT_', 'DATABASE'))))"
    one = await processes.start("one", [sys.executable, "-c", program], {"SPECKIT_DATA_DIR": "/here"})
    await one.process.wait()
    assert one.log.read_text() == "ready ['SPECKIT_DATA_DIR']\n"
    await processes.stop()


async def test_a_process_that_will_not_stop_is_killed_and_named(tmp_path: Path) -> None:
    processes = Processes(tmp_path, patience=0.3)
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    stubborn = await processes.start("stubborn", [sys.executable, "-c", program], {})
    await processes.wait_for_line(stubborn, "ready", 10)
    assert await processes.stop() == ["stubborn"]
    assert stubborn.process.returncode == -9


def test_free_ports_differ() -> None:
    assert len(set(free_ports(5))) == 5
