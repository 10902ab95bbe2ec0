"""What every page shares: templates, stylesheets, headers. Pages are server-rendered HTML without scripts."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files

import jinja2
from aiohttp import web

from localhub.model import CheckRun, Comment, Issue, Label, Repository, ReviewComment
from localhub.pages.markdown import render
from localhub.state import State

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
REACTION_SIGNS = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "hooray": "🎉",
    "confused": "😕",
    "heart": "❤️",
    "rocket": "🚀",
    "eyes": "👀",
}


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def _reaction_counts(on: Issue | Comment | ReviewComment) -> list[tuple[str, str]]:
    """Sign and who, per kind of reaction."""
    people: dict[str, list[str]] = {}
    for each in on.reactions:
        people.setdefault(each.content, []).append(each.author)
    return [(REACTION_SIGNS[content], ", ".join(who)) for content, who in people.items()]


def _took(run: CheckRun) -> str:
    """How long a check run worked: ``42 s``, ``3 min 5 s``; empty while it works."""
    if run.started_at is None or run.completed_at is None:
        return ""
    minutes, seconds = divmod(max(int((run.completed_at - run.started_at).total_seconds()), 0), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _open_count(repository: Repository, pulls: bool) -> int:
    return sum(issue.state == "open" and (issue.pull is not None) == pulls for issue in repository.issues.values())


def _label_rule(label: Label) -> str:
    """Black or white letters, whichever can be read on the label's colour (by its perceived brightness)."""
    red, green, blue = (int(label.color[at : at + 2], 16) for at in (0, 2, 4))
    letters = "#1f2328" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#ffffff"
    return f".label.c-{label.color} {{ background: #{label.color}; color: {letters}; }}\n"


class Site:
    """Renders the pages of one hub."""

    def __init__(self, state: State) -> None:
        self.state = state
        loader = jinja2.PackageLoader("localhub.pages", "templates")
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(markdown=render, moment=_moment, reaction_counts=_reaction_counts, took=_took)
        self._templates.globals.update(open_count=_open_count)
        self._style = files("localhub.pages").joinpath("style.css").read_text(encoding="utf-8")

    def page(self, template: str, status: int = 200, **values: object) -> web.Response:
        """A page made from a template."""
        text = self._templates.get_template(template).render(**values)
        return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)

    def missing(self, status: int = 404) -> web.Response:
        """The page for what is not there or not for everybody: both look the same."""
        return self.page("missing.html", status)

    async def stylesheet(self, _request: web.Request) -> web.StreamResponse:
        """The look of all pages, and the colours of all labels."""
        labels = {label.color: label for each in self.state.repositories.values() for label in each.labels.values()}
        rules = "".join(_label_rule(label) for label in labels.values())
        return web.Response(text=self._style + rules, content_type="text/css", headers=HEADERS)
