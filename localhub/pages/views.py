"""The routes of the pages. What is private is a 404, as for anybody not signed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from localhub.errors import ApiError
from localhub.model import Repository
from localhub.pages import code, conversations
from localhub.pages.site import Site
from localhub.state import State

View = Callable[[Site, web.Request, Repository], Awaitable[web.StreamResponse]]
_VIEWS: list[tuple[str, View]] = [
    ("", code.repository),
    ("/issues", conversations.listing),
    ("/pulls", conversations.listing),
    ("/issues/{number:[0-9]+}", conversations.conversation),
    ("/pull/{number:[0-9]+}", conversations.conversation),
    ("/pull/{number:[0-9]+}/{tab:commits|checks|files}", conversations.pull_tab),
    ("/runs/{run:[0-9]+}", conversations.check_run),
    ("/commit/{sha}", code.commit),
    ("/tree/{at:.+}", code.files),
    ("/blob/{at:.+}", code.files),
]


class Pages:
    """Serves the pages of one hub."""

    def __init__(self, state: State) -> None:
        self._site = Site(state)

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_get("/", self._home)
        app.router.add_get("/-/style.css", self._site.stylesheet)
        for path, view in _VIEWS:
            app.router.add_get("/{owner}/{repo}" + path, self._visible(view))

    def _visible(self, view: View) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                name = f"{request.match_info['owner']}/{request.match_info['repo']}"
                repository = self._site.state.repository(name)
                if repository.private:
                    return self._site.missing()
                return await view(self._site, request, repository)
            except ApiError as missing:
                return self._site.missing(missing.status)

        return serve

    async def _home(self, _request: web.Request) -> web.StreamResponse:
        public = [each for each in self._site.state.repositories.values() if not each.private]
        return self._site.page("home.html", repositories=public)
