"""The way of every call about one repository: its path, the token of its purpose, its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.github.app_auth import AppAuth, Purpose
from bot.github.errors import NotFound, Unavailable
from bot.github.transport import Call, TokenSource, Transport, Variable

PAGE_SIZE = "100"
MOST_PAGES = 100

_REPO = "/repos/{owner}/{repo}"


class RepoCalls:
    """Sends calls whose paths begin below the repository's. Every method raises GitHubError."""

    def __init__(
        self,
        transport: Transport,
        auth: AppAuth,
        slug: str,
        tokens: Callable[[Purpose], TokenSource],
        *,
        repository_id: int | None = None,
        final: bool = False,
        optional: bool = False,
    ) -> None:
        self.slug = slug
        self.repository_id = repository_id
        self.owner, _, self.name = slug.partition("/")
        self._transport = transport
        self._auth = auth
        self._tokens = tokens
        self._final = final
        self._optional = optional

    async def get(self, doing: str, path: str, purpose: Purpose, **variables: Variable) -> Any:
        """The decoded answer."""
        call = self._filled(Call(doing, "GET", path, variables))
        data, _ = await self._transport.send(call, self._tokens(purpose))
        return data

    async def unless_missing(self, call: Call, purpose: Purpose) -> Any | None:
        """The decoded answer, or None where a 404 is as good an answer as any.

        What a new token gets to hear may be wrong for some seconds; so the repository itself, which is there, is asked
        for before a 404 is believed, instead of asking for what may not be there for most of a minute.
        """
        tokens = self._tokens(purpose)
        for _ in range(2):
            try:
                filled = self._filled(replace(call, may_be_missing=True, final=self._final))
                return (await self._transport.send(filled, tokens))[0]
            except NotFound:
                if (await tokens.current()).proven:
                    break
                await self.get(f"reading repository {self.slug}", "", purpose)
        return None

    async def pages(
        self, doing: str, path: str, purpose: Purpose, *, most: int = MOST_PAGES, **variables: Variable
    ) -> AsyncIterator[dict[str, Any]]:
        """The objects of a listing, from ``most`` pages at most."""
        call = self._filled(Call(doing, "GET", path, {**variables, "per_page": PAGE_SIZE}))
        for _ in range(most):
            data, target = await self._transport.send(call, self._tokens(purpose))
            for item in _items(data):
                yield item
            if target is None:
                return
            call = replace(call, path=target)

    async def write(self, call: Call, purpose: Purpose) -> Any:
        """Change something; the decoded answer."""
        optional = self._optional or call.optional
        filled = replace(self._filled(call), writes=True, final=self._final, optional=optional)
        data, _ = await self._transport.send(filled, self._tokens(purpose))
        return data

    async def mutate(self, doing: str, query: str, variables: Mapping[str, str], purpose: Purpose) -> Any:
        """Change something by GraphQL, for what REST has no call."""
        body = {"query": query, "variables": dict(variables)}
        call = Call(doing, "POST", self._transport.graphql_url, body=body, writes=True, final=self._final)
        data, _ = await self._transport.send(call, self._tokens(purpose))
        return data

    async def bot_login(self) -> str:
        """The login our comments and pull requests are written under."""
        return await self._auth.bot_login()

    async def is_ours(self, item: Mapping[str, Any]) -> bool:
        """Tell whether our App wrote a comment or opened a pull request; what others pasted does not count."""
        app = item.get("performed_via_github_app")
        if isinstance(app, Mapping):
            return bool(app.get("id") == self._auth.app_id)
        return text(item.get("user"), "login") == await self._auth.bot_login()

    def is_our_app(self, app: object) -> bool:
        """The same of a check run, which names its App."""
        return isinstance(app, Mapping) and app.get("id") == self._auth.app_id

    def _filled(self, call: Call) -> Call:
        for value in call.variables.values():
            # Whoever normalizes an address drops these, and what follows would be about another thing.
            if not value or any(part in {".", ".."} for part in ([value] if isinstance(value, str) else value)):
                raise NotFound(f"{call.doing}: nothing has the name {value!r}")
        variables = {"owner": self.owner, "repo": self.name, **call.variables}
        return replace(call, path=_REPO + call.path, variables=variables)


def _items(data: Any) -> list[dict[str, Any]]:
    """A page is a list, or an object that holds one beside its ``total_count``."""
    if isinstance(data, Mapping):
        data = next((value for value in data.values() if isinstance(value, list)), [])
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def text(data: Any, key: str) -> str:
    """A field that is text; empty when it is not, such as null."""
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else ""


def number(data: Any, key: str, doing: str) -> int:
    """A field that is a number. Raises Unavailable when it is not: then the answer is not GitHub's."""
    value = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(value, int):
        raise Unavailable(f"{doing}: the answer holds no {key}")
    return value


def flag(data: Any, key: str) -> bool:
    """True only if the field is."""
    return isinstance(data, Mapping) and data.get(key) is True
