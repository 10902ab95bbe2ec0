"""GitHub's REST API as a person uses it: what ada and grace do in the demo, and what they see afterwards."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp

from cli.errors import CommandError


class HubClient:
    """Speaks for one user about one repository (https://docs.github.com/en/rest)."""

    def __init__(self, http: aiohttp.ClientSession, api_url: str, repository: str, token: str) -> None:
        self._http = http
        self._base = f"{api_url}/repos/{repository}"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}

    async def repository_id(self) -> int:
        """The number the repository is known by."""
        return int((await self._ask("GET", ""))["id"])

    async def open_issue(self, title: str, body: str) -> tuple[int, str]:
        """Open an issue. Returns its number and its page."""
        issue = await self._ask("POST", "/issues", {"title": title, "body": body})
        return int(issue["number"]), str(issue["html_url"])

    async def comment(self, issue: int, body: str) -> int:
        """Write a comment. Returns its id."""
        return int((await self._ask("POST", f"/issues/{issue}/comments", {"body": body}))["id"])

    async def issue_comments(self, issue: int) -> list[str]:
        """The texts of an issue's first hundred comments."""
        return [str(one["body"]) for one in await self._ask("GET", f"/issues/{issue}/comments?per_page=100")]

    async def check_run(self, sha: str, external_id: str) -> dict[str, Any] | None:
        """The check run with that external id on a commit."""
        answer = await self._ask("GET", f"/commits/{quote(sha)}/check-runs?per_page=100")
        found: list[dict[str, Any]] = [one for one in answer["check_runs"] if one["external_id"] == external_id]
        return found[0] if found else None

    async def pull_request_files(self, number: int) -> list[str]:
        """The paths a pull request changes, up to a hundred."""
        return [str(one["filename"]) for one in await self._ask("GET", f"/pulls/{number}/files?per_page=100")]

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=30)
        async with self._http.request(
            method, f"{self._base}{path}", json=body, headers=self._headers, timeout=timeout
        ) as response:
            if response.status >= 300:
                said = (await response.text())[:300]
                raise CommandError(f"localhub: {method} {path or '/'}: {response.status} {said}")
            return await response.json()
