"""LocalHub: the whole of it, as tests and the demo drive it.

    hub = LocalHub(root)
    await hub.start()
    alice = hub.create_user("alice")
    shop = hub.create_repository("acme/shop", {"README.md": "# Shop"}, permissions={"alice": "write"})
    app = hub.register_app("speckit-bot", manifest, webhook_url=url, webhook_secret=secret, public_key_pem=pem)
    hub.install(app, [shop])
    issue = hub.create_issue(shop, "Invoices", "Please.", author="alice")
    await hub.comment(issue, "/speckit specify Net 30.", author="alice")
    await hub.close()

Everything runs on the event loop that called ``start``. The synchronous methods are quick (a git command at most).
Methods that people or Apps could not have used on GitHub (``create_user``, ``set_permission``, ...) obey no permission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from localhub import apps, conversations, pulls
from localhub.api import Api
from localhub.errors import ApiError, not_found
from localhub.faults import Faults
from localhub.git_http import GitHttp
from localhub.git_repository import FileContent, Identity, TreeEntry
from localhub.model import (
    LEVELS,
    App,
    CheckRun,
    Comment,
    Grant,
    Installation,
    Issue,
    Level,
    PullRequest,
    Reaction,
    Repository,
    User,
)
from localhub.pages.views import Pages
from localhub.records import Delivery, RequestRecord, Violation
from localhub.routes import ROUTES
from localhub.state import State, Urls

_LARGEST_BODY = 26 * 1024 * 1024


class LocalHub:
    """A GitHub on one address of this machine, with its files under ``root`` (made when missing)."""

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
        """Commit on a branch, as a push by the owner would (None removes a file); return the commit's id.

        A new branch starts at the default branch.
        """
        repository = self.repository(repo)
        before = repository.git.refs()
        start = before.get(f"refs/heads/{repository.default_branch}")
        if start is not None and f"refs/heads/{branch}" not in before:
            repository.git.write_ref(f"refs/heads/{branch}", start)
        identity = Identity(author, f"{author}@users.noreply.invalid")
        commit = repository.git.commit_files(branch, files, message, identity)
        pulls.references_moved(self.state, repository, before, repository.git.refs(), repository.owner)
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
        pulls.references_moved(self.state, repository, before, repository.git.refs(), repository.owner)

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

    # Conversations

    def create_issue(self, repo: Repository | str, title: str, body: str | None = None, author: str = "") -> Issue:
        """Open an issue as ``author`` (default: the repository's owner). Raises ApiError as the API would."""
        repository = self.repository(repo)
        user = self.state.user(author) if author else repository.owner
        return conversations.open_issue(self.state, repository, title, body, user)

    async def comment(
        self, on: Issue | PullRequest, body: str, author: str, *, via_app: App | None = None, wait: bool = True
    ) -> Comment:
        """Write a comment and, unless told otherwise, wait until its webhook was answered. Raises ApiError."""
        issue = on.issue if isinstance(on, PullRequest) else on
        user = self.state.user(author)
        if not self.state.may(issue.repository, user, "read"):
            raise not_found()
        if issue.repository.archived:
            raise ApiError(403, "Repository was archived so is read-only.")
        comment = conversations.add_comment(self.state, issue, body, user, via_app)
        if wait:
            await self.settle()
        return comment

    async def edit_comment(self, comment: Comment, body: str, author: str = "") -> None:
        """Change a comment's text, as its author unless told otherwise, and wait for the webhook."""
        conversations.edit_comment(self.state, comment, body, self.state.user(author) if author else comment.user)
        await self.settle()

    async def delete_comment(self, comment: Comment, author: str = "") -> None:
        """Delete a comment and wait for the webhook."""
        conversations.delete_comment(self.state, comment, self.state.user(author) if author else comment.user)
        await self.settle()

    def issue_thread(self, on: Issue | PullRequest) -> list[Comment]:
        """The comments of an issue or pull request, oldest first."""
        return (on.issue if isinstance(on, PullRequest) else on).comments

    def reactions(self, on: Comment | Issue) -> list[Reaction]:
        """The reactions on a comment or an issue, oldest first."""
        return list(on.reactions)

    def lock(self, on: Issue | PullRequest, locked: bool = True) -> None:
        """Lock a conversation, or open it again."""
        (on.issue if isinstance(on, PullRequest) else on).locked = locked

    def set_state(self, on: Issue | PullRequest, state: str, author: str = "") -> None:
        """Close or reopen an issue or a pull request (``open``, ``closed``). Raises ApiError as the API would."""
        issue = on.issue if isinstance(on, PullRequest) else on
        user = self.state.user(author) if author else issue.repository.owner
        if issue.pull is None:
            conversations.set_state(self.state, issue, state, user)
        else:
            pulls.edit_pull(self.state, issue.pull, {"state": state}, user)

    def delete_issue(self, issue: Issue) -> None:
        """Take an issue away: the API answers 410 from now on."""
        conversations.delete_issue(self.state, issue, issue.repository.owner)

    def issues(self, repo: Repository | str) -> list[Issue]:
        """Issues without pull requests, oldest first."""
        return [issue for issue in self.repository(repo).issues.values() if issue.pull is None]

    def open_pull_request(
        self, repo: Repository | str, head: str, base: str, title: str, *, body: str = "", author: str = ""
    ) -> PullRequest:
        """Open a pull request between two branches. Raises ApiError as the API would."""
        repository = self.repository(repo)
        wish = {"head": head, "base": base, "title": title, "body": body}
        user = self.state.user(author) if author else repository.owner
        return pulls.open_pull(self.state, repository, pulls.checked_sides(repository, wish), wish, (user, None))

    def pull_requests(self, repo: Repository | str) -> list[PullRequest]:
        """Every pull request, oldest first."""
        return pulls.pulls_of(self.repository(repo))

    def pull_request(self, repo: Repository | str, number: int) -> PullRequest:
        """A pull request by number. Raises ApiError 404."""
        return pulls.pull_of(self.repository(repo), number)

    def check_runs(self, repo: Repository | str, sha: str | None = None) -> list[CheckRun]:
        """Every check run, or those of one commit, oldest first."""
        return [run for run in self.repository(repo).check_runs.values() if sha in {None, run.head_sha}]

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
