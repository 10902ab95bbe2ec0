"""A file's diff as rows, with what hangs on its lines: review threads and annotations of check runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from localhub.git_history import ChangedFile
from localhub.model import CheckRun, ReviewComment
from localhub.patch_lines import PatchLine, lines_of

_SHOWN_LINES = 3000


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation and the check run it is of. ``source``: the lines it is about, where they are known."""

    run: CheckRun
    level: str
    path: str
    start_line: int
    end_line: int
    title: str
    message: str
    details: str
    source: tuple[str, ...] = ()

    @property
    def lines(self) -> str:
        """``line 3`` or ``lines 3–5``."""
        one = self.start_line == self.end_line
        return f"line {self.start_line}" if one else f"lines {self.start_line}–{self.end_line}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the diff, and what people and checks say about it."""

    line: PatchLine
    threads: tuple[ReviewComment, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """A changed file. ``threads`` and ``notes`` are those whose line the diff does not show."""

    file: ChangedFile
    rows: list[Row]
    threads: list[ReviewComment] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def notes_of(run: CheckRun) -> list[Note]:
    """The annotations of a check run."""
    found = []
    for each in run.annotations:
        start, end = each["start_line"], each["end_line"]
        note = Note(
            run=run,
            level=str(each["annotation_level"]),
            path=str(each["path"]),
            start_line=start if isinstance(start, int) else 0,
            end_line=end if isinstance(end, int) else 0,
            title=str(each.get("title") or ""),
            message=str(each["message"]),
            details=str(each.get("raw_details") or ""),
        )
        found.append(note)
    return found


def file_diffs(
    files: Sequence[ChangedFile], threads: Sequence[ReviewComment] = (), notes: Sequence[Note] = ()
) -> list[FileDiff]:
    """Every changed file; outdated threads are left to the conversation."""
    return [
        _file_diff(
            file,
            [each for each in threads if each.path == file.path and each.line is not None],
            [each for each in notes if each.path == file.path],
        )
        for file in files
    ]


def _file_diff(file: ChangedFile, threads: list[ReviewComment], notes: list[Note]) -> FileDiff:
    rows = []
    placed: set[int] = set()
    for line in lines_of(file.patch)[:_SHOWN_LINES]:
        here = tuple(each for each in threads if each.line == (line.new if each.side == "RIGHT" else line.old))
        said = tuple(each for each in notes if line.new is not None and each.end_line == line.new)
        placed |= {id(each) for each in (*here, *said)}
        rows.append(Row(line, here, said))
    return FileDiff(
        file,
        rows,
        [each for each in threads if id(each) not in placed],
        [each for each in notes if id(each) not in placed],
    )
