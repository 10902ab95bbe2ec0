"""Links to files, lines and commits of the repository on GitHub's web pages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from bot.reporting import sanitize


@dataclass(frozen=True, slots=True)
class FilesAt:
    """The files of a repository as they are in one commit; without a commit they are named and not linked."""

    repository_url: str = ""
    sha: str | None = None

    def link(self, path: str, line: int | None = None) -> str:
        """A path, as code and as a link; it may stand in a cell of a table."""
        named = sanitize.code(path if line is None else f"{path}:{line}")
        if not self.sha:
            return named
        # A rendered page has no lines to point at, its source has.
        place = "" if line is None else f"?plain=1#L{line}"
        return (
            f"[{named}]({self.repository_url}/blob/{quote(self.sha, safe='')}/{quote(path, errors='replace')}{place})"
        )

    def commit(self) -> str:
        """The commit by its short name, as a link. Empty without one."""
        return commit_link(self.repository_url, self.sha) if self.sha else ""


def commit_link(repository_url: str, sha: str) -> str:
    """A commit by its short name."""
    return f"[{sanitize.code(sha[:7])}]({repository_url}/commit/{quote(sha, safe='')})"
