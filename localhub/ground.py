"""The ground a hub stands on: its server, accounts, repositories, branches, Apps, and the record of the traffic.

What people do on it is ``LocalHub`` in ``localhub.hub``, which is the class to use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from localhub import apps, forks, labels, pushes
from localhub.api import Api
from localhub.errors import not_found
from localhub.faults import Faults
from localhub.git_http import GitHttp
from localhub.git_repository import FileContent, Identity, TreeEntry
from localhub.model import LEVELS, App, Grant, Installation, Label, Level, Repository, Team, User
from localhub.pages.views import Pages
from localhub.records import Delivery, RequestRecord, Violation
from localhub.routes import ROUTES
from localhub.state import State, Urls

_LARGEST_BODY = 26 * 1024 * 1024


class Ground:
    """One address of this machine, with the hub's files under ``root`` (made when missing)."""

    def __init__(self, root: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = State(root.absolute())
        self._address = (host, port)
        self._git = GitHttp(self.state)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self.state.root.mkdir(parents=True, exist_ok=True)
        self._git.prepare()
        app = web.Application(client_max_size=_LARGEST_BODY)
        self._git.add_to(app)
        Api(self.state, ROUTES).add_to(app)
        Pages(self.state).add_to(app)
        # git negotiates with gzip bodies that its own backend unpacks.
        self._runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        host, port = self._address
        await web.TCPSite(self._runner, host, port).start()
        self.state.urls = Urls(f"http://{host}:{self._runner.addresses[0][1]}")
        await self.state.webhooks.start()

    async def close(self) -> None:
        """Stop listening and sending. Nothing of it runs afterwards."""
        await self.state.webhooks.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """For people and git: ``GITHUB_WEB_URL``."""
        return self.state.urls.web

    @property
    def api_url(self) -> str:
        """For clients: ``GITHUB_API_URL``."""
        return self.state.urls.api

    # Accounts and repositories

    def create_user(self, login: str, *, bot: bool = False) -> User:
        """Add a person or a bot with a personal access token. Raises ValueError when the login is taken."""
        return self.state.create_user(login, "Bot" if bot else "User")

    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, FileContent] | None = None,
        *,
        private: bool = False,
        default_branch: str = "main",
        archived: bool = False,
        permissions: Mapping[str, Level] | None = None,
    ) -> Repository:
        """Add a repository with one commit of ``files`` (path -> content; no path is refused), or an empty one.

        A new owner becomes an organization. ``permissions``: login -> level of collaborators.
        """
        repository = self.state.create_repository(full_name, private, default_branch, dict(files or {}))
        repository.archived = archived
        for login, level in (permissions or {}).items():
            self.set_permission(repository, login, level)
        return repository

    def set_permission(
        self, repo: Repository | str, login: str, level: Level | None, *, role_name: str | None = None
    ) -> None:
        """Give a collaborator a level, or take it away with None. ``role_name``: a custom role on top of that level."""
        self.state.user(login)
        if level is not None and level not in LEVELS:
            raise ValueError(f"{level!r} is none of {', '.join(LEVELS)}")
        grants = self.repository(repo).grants
        if level is None:
            grants.pop(login.lower(), None)
        else:
            grants[login.lower()] = Grant(level, role_name or level)

    def repository(self, repo: Repository | str) -> Repository:
        """The repository of that name, or the one given. Raises ApiError 404."""
        return repo if isinstance(repo, Repository) else self.state.repository(repo)

    def user(self, login: str) -> User:
        """The account of that login. Raises ApiError 404."""
        return self.state.user(login)

    def fork(self, repo: Repository | str, login: str) -> Repository:
        """Copy a repository with all its branches to another account, who may open pull requests from there."""
        return forks.fork(self.state, self.repository(repo), self.state.user(login))

    def delete_repository(self, repo: Repository | str) -> None:
        """Take a repository away; pull requests that come from it lose their ``head.repo``."""
        forks.delete(self.state, self.repository(repo))

    def create_label(
        self, repo: Repository | str, name: str, color: str = "ededed", description: str | None = None
    ) -> Label:
        """Add a label to a repository. Raises ApiError as the API would."""
        wish = {"name": name, "color": color, "description": description}
        return labels.create(self.state, self.repository(repo), wish)

    def create_team(self, organization: str, slug: str, repositories: Sequence[Repository | str] = ()) -> Team:
        """Add a team with a role in some repositories, so that it can be asked for reviews there."""
        held = [self.repository(each) for each in repositories]
        team = Team(self.state.new_id(), self.state.user(organization), slug, slug.replace("-", " ").title(), held)
        self.state.teams.append(team)
        return team

    # Branches

    def branches(self, repo: Repository | str) -> dict[str, str]:
        """Branch -> commit id."""
        return self.repository(repo).git.branches()

    def commit_files(
        self,
        repo: Repository | str,
        branch: str,
        files: Mapping[str, FileContent | None],
        message: str = "Change files",
        author: str = "localhub",
    ) -> str:
        """Commit on a branch, as a push would (None removes a file); return the commit's id.

        ``author`` pushes when it is the login of a person or a bot, else the owner does. A new branch starts at the
        default branch.
        """
        repository = self.repository(repo)
        before = repository.git.refs()
        start = before.get(f"refs/heads/{repository.default_branch}")
        if start is not None and f"refs/heads/{branch}" not in before:
            repository.git.write_ref(f"refs/heads/{branch}", start)
        identity = Identity(author, f"{author}@users.noreply.invalid")
        commit = repository.git.commit_files(branch, files, message, identity)
        known = self.state.users.get(author.lower())
        pusher = known if known is not None and known.type != "Organization" else repository.owner
        pushes.references_moved(self.state, repository, before, repository.git.refs(), pusher)
        return commit

    def commit_raw_tree(self, repo: Repository | str, branch: str, entries: Sequence[TreeEntry]) -> str:
        """Point a branch at a commit of exactly these tree entries, hostile names and modes included."""
        git = self.repository(repo).git
        parent = git.branch(branch)
        commit = git.write_commit(git.write_tree(entries), [parent] if parent else [], "Raw tree", Identity())
        git.write_ref(f"refs/heads/{branch}", commit)
        return commit

    def delete_branch(self, repo: Repository | str, branch: str) -> None:
        """Delete a branch, the default one too; its open pull requests are closed."""
        repository = self.repository(repo)
        before = repository.git.refs()
        repository.git.delete_ref(f"refs/heads/{branch}")
        pushes.references_moved(self.state, repository, before, repository.git.refs(), repository.owner)

    def protect_branch(self, repo: Repository | str, branch: str) -> None:
        """Refuse every push to a branch."""
        self.repository(repo).protected.add(branch)

    # Apps

    def register_app(
        self,
        name: str,
        manifest: Mapping[str, object],
        *,
        webhook_url: str,
        webhook_secret: str,
        public_key_pem: str,
    ) -> App:
        """Register an App from its manifest. An empty ``webhook_url`` sends nothing; both can be changed on the App."""
        return apps.register(self.state, name, manifest, public_key_pem, (webhook_url, webhook_secret))

    def install(self, app: App, repositories: Sequence[Repository | str]) -> int:
        """Install an App for repositories of one owner; return the installation's id."""
        return apps.install(self.state, app, [self.repository(each) for each in repositories]).id

    def installation(self, number: int) -> Installation:
        """An installation by id. Raises ApiError 404."""
        found = self.state.installations.get(number)
        if found is None:
            raise not_found()
        return found

    def uninstall(self, installation: int) -> None:
        """Remove an installation: tokens die at once."""
        apps.uninstall(self.state, self.installation(installation))

    def suspend(self, installation: int, suspended: bool = True) -> None:
        """Suspend an installation, or let it work again."""
        apps.suspend(self.state, self.installation(installation), suspended)

    def revoke_tokens(self) -> None:
        """Make every installation token worthless, as after an hour."""
        self.state.tokens.clear()

    # Traffic

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self.state.faults

    @property
    def requests(self) -> list[RequestRecord]:
        """Every REST and git request, in the order they were answered."""
        return self.state.requests

    @property
    def violations(self) -> list[Violation]:
        """What a well-made client would not have done."""
        return self.state.violations

    @property
    def unknown_routes(self) -> list[str]:
        """Requests for routes GitHub does not document, or that nobody built here yet."""
        return [each.detail for each in self.state.violations if each.kind == "unknown_route"]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every webhook attempt, oldest first."""
        return self.state.webhooks.deliveries

    def hurried_writes(self, gap: float = 1.0) -> list[tuple[RequestRecord, RequestRecord]]:
        """REST writes of one installation that began less than ``gap`` seconds after the one before: GitHub asks for a
        second between them, and punishes only those who overdo it. Minting tokens does not count."""
        last: dict[int, RequestRecord] = {}
        found = []
        for record in sorted(self.state.requests, key=lambda each: each.started):
            if record.installation_id is None or not record.is_write or ".git/" in record.route:
                continue
            before = last.get(record.installation_id)
            if before is not None and record.started - before.started < gap:
                found.append((before, record))
            last[record.installation_id] = record
        return found

    async def send_webhook(self, app: App, event: str, payload: Mapping[str, object]) -> Delivery:
        """Send any payload to an App, well signed, and wait for the answer: for what GitHub sends only rarely."""
        delivery = self.state.webhooks.send_raw(app, event, payload)
        await self.settle()
        return delivery

    async def ping(self, app: App) -> Delivery:
        """Send the ping event and wait for the answer."""
        delivery = self.state.webhooks.ping(app)
        await self.settle()
        return delivery

    async def redeliver(self, delivery: int | str | Delivery, *, new_id: bool = False) -> Delivery:
        """Send a delivery (by object, id or GUID) again and wait. ``new_id``: under a GUID it never had."""
        for known in self.deliveries:
            if delivery in (known, known.id, known.guid):
                return await self.state.webhooks.redeliver(known, new_id=new_id)
        raise KeyError(delivery)

    async def settle(self) -> None:
        """Wait until every webhook so far has had its attempt."""
        await self.state.webhooks.settle()
