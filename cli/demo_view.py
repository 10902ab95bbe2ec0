"""What somebody at the terminal sees of the demo: a table that moves, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import TaskStatus

_MARKS: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "[dim]·[/]",
    TaskStatus.SUCCEEDED: "[green]✓[/]",
    TaskStatus.FAILED: "[red]✗[/]",
    TaskStatus.SKIPPED: "[dim]–[/]",
    TaskStatus.RETRYING: "[yellow]↻[/]",
}


@dataclass(frozen=True, slots=True)
class Link:
    """Something to click on at the end."""

    what: str
    url: str


class DemoView:
    """Shows a run while it moves. Use as a context manager: the table stops moving when the block ends."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._said: dict[str, tuple[str, int]] = {}
        self._spinner = Spinner("dots", style="cyan")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.still()

    def say(self, line: str) -> None:
        """One line above whatever moves."""
        self._console.print(escape(line))

    def show(self, run: SpecAutomationRun) -> None:
        """The run as it stands now."""
        if not self._console.is_terminal:
            self._tell_changes(run)
            return
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=12)
            self._live.start()
        self._live.update(self._table(run))

    def still(self) -> None:
        """Leave the table as it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def links(self, links: list[Link], files: list[str]) -> None:
        """The end of a run that went well: where to look, and what is in the pull request."""
        width = max(len(link.what) for link in links)
        self._console.print()
        for link in links:
            self._console.print(f"  [bold]{escape(link.what):<{width}}[/]  {escape(link.url)}")
        self._console.print(f"\n  {len(files)} files in the pull request:")
        for name in files:
            self._console.print(f"    {escape(name)}")

    def _tell_changes(self, run: SpecAutomationRun) -> None:
        for state in run.task_states:
            now = (state.status, state.attempt)
            if state.status is not TaskStatus.PENDING and self._said.get(state.phase) != now:
                self._said[state.phase] = now
                attempt = f" (attempt {state.attempt})" if state.attempt > 1 else ""
                took = "" if state.status is TaskStatus.RUNNING else f"  {_seconds(state)}"
                self.say(f"  {state.phase:<20} {state.status}{attempt}{took}".rstrip())

    def _table(self, run: SpecAutomationRun) -> Table:
        table = Table(box=None, padding=(0, 1), show_header=False)
        for state in run.task_states:
            mark = self._spinner if state.status is TaskStatus.RUNNING else _MARKS[state.status]
            attempt = f"attempt {state.attempt}" if state.attempt > 1 else ""
            table.add_row("", mark, state.phase, f"[dim]{state.status}[/]", _seconds(state), f"[yellow]{attempt}[/]")
        return table


def _seconds(state: SpecAutomationTaskState) -> str:
    if state.started_at is None:
        return ""
    end = state.completed_at or datetime.now(UTC)
    return f"{max(0.0, (end - state.started_at).total_seconds()):.1f} s"
