"""LocalHub: the whole of it, as tests and the demo drive it.

    hub = LocalHub(root)
    await hub.start()
    alice = hub.create_user("alice")
    shop = hub.create_repository("acme/shop", {"README.md": "# Shop"}, permissions={"alice": "write"})
    app = hub.register_app("speckit-bot", manifest, webhook_url=url, webhook_secret=secret, public_key_pem=pem)
    hub.install(app, [shop])
    issue = hub.create_issue(shop, "Invoices", "Please.", author="alice")
    await hub.comment(issue, "/speckit specify Net 30.", author="alice")
    await hub.label(issue, "speckit:specify", author="alice")
    await hub.close()

Everything runs on the event loop that called ``start``. The synchronous methods are quick (a git command at most).
Methods that people or Apps could not have used on GitHub (``create_user``, ``set_permission``, ...) obey no permission.
What people do obeys their role, and the ``async`` methods wait until the webhooks of it were answered.
"""

from __future__ import annotations

from localhub import assignees, checks, conversations, labels, pulls, reviews
from localhub.errors import ApiError, not_found
from localhub.ground import Ground
from localhub.model import (
    App,
    CheckRun,
    CheckSuite,
    Comment,
    Issue,
    Level,
    PullRequest,
    Reaction,
    Repository,
    ReviewComment,
    User,
)


def _issue(on: Issue | PullRequest) -> Issue:
    return on.issue if isinstance(on, PullRequest) else on


class LocalHub(Ground):
    """A GitHub on one address of this machine, with its files under ``root`` (made when missing)."""

    def _person(self, login: str, repository: Repository, level: Level = "read") -> User:
        """Who acts. Raises ApiError: 404 when they may not see the repository, 403 when they may not do this in it."""
        user = self.state.user(login)
        if not self.state.may(repository, user, "read"):
            raise not_found()
        if repository.archived:
            raise ApiError(403, "Repository was archived so is read-only.")
        if not self.state.may(repository, user, level):
            raise ApiError(403, f"Must have {level} access to repository")
        return user

    # Issues

    def create_issue(self, repo: Repository | str, title: str, body: str | None = None, author: str = "") -> Issue:
        """Open an issue as ``author`` (default: the repository's owner). Raises ApiError as the API would."""
        repository = self.repository(repo)
        user = self.state.user(author) if author else repository.owner
        return conversations.open_issue(self.state, repository, title, body, user)

    async def edit_issue(
        self, on: Issue | PullRequest, *, title: str | None = None, body: str | None = None, author: str = ""
    ) -> None:
        """Change title or body as ``author`` (default: who opened it); others need write access. Raises ApiError."""
        issue = _issue(on)
        level: Level = "read" if author in {"", issue.author} else "write"
        user = self._person(author, issue.repository, level) if author else issue.user
        wish: dict[str, object] = {name: text for name, text in (("title", title), ("body", body)) if text is not None}
        if issue.pull is not None:
            pulls.edit_pull(self.state, issue.pull, wish, user)
        else:
            conversations.edit_issue(self.state, issue, wish, user)
        await self.settle()

    def lock(self, on: Issue | PullRequest, locked: bool = True) -> None:
        """Lock a conversation, or open it again."""
        _issue(on).locked = locked

    def set_state(self, on: Issue | PullRequest, state: str, author: str = "") -> None:
        """Close or reopen an issue or a pull request (``open``, ``closed``). Raises ApiError as the API would."""
        issue = _issue(on)
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

    # Labels and assignees

    async def label(self, on: Issue | PullRequest, *names: str, author: str, wait: bool = True) -> None:
        """Put labels on; those the repository has not are made. Raises ApiError 403 below triage."""
        issue = _issue(on)
        labels.add(self.state, issue, names, self._person(author, issue.repository, "triage"))
        if wait:
            await self.settle()

    async def unlabel(self, on: Issue | PullRequest, *names: str, author: str) -> None:
        """Take labels off. Raises ApiError: 403 below triage, 404 for one that is not on."""
        issue = _issue(on)
        user = self._person(author, issue.repository, "triage")
        for name in names:
            labels.remove(self.state, issue, name, user)
        await self.settle()

    async def assign(self, on: Issue | PullRequest, *whom: str | User | App, author: str, wait: bool = True) -> None:
        """Assign people (logins) or Apps (their bots). Raises ApiError: 403 below triage, 422 when one cannot be."""
        issue = _issue(on)
        user = self._person(author, issue.repository, "triage")
        logins = [self._account(each).login for each in whom]
        assignees.add(self.state, issue, assignees.checked(self.state, issue, logins, strict=True), user)
        if wait:
            await self.settle()

    async def unassign(self, on: Issue | PullRequest, *whom: str | User | App, author: str) -> None:
        """Take assignments back. Raises ApiError 403 below triage."""
        issue = _issue(on)
        user = self._person(author, issue.repository, "triage")
        assignees.remove(self.state, issue, [self._account(each) for each in whom], user)
        await self.settle()

    def _account(self, named: str | User | App) -> User:
        if isinstance(named, App):
            return named.bot
        return named if isinstance(named, User) else self.state.user(named)

    # Comments

    async def comment(
        self, on: Issue | PullRequest, body: str, author: str, *, via_app: App | None = None, wait: bool = True
    ) -> Comment:
        """Write a comment and, unless told otherwise, wait until its webhook was answered. Raises ApiError."""
        issue = _issue(on)
        user = self._person(author, issue.repository)
        comment = conversations.add_comment(self.state, issue, body, user, via_app)
        if wait:
            await self.settle()
        return comment

    async def edit_comment(self, comment: Comment | ReviewComment, body: str, author: str = "") -> None:
        """Change a comment's text, as its author unless told otherwise, and wait for the webhook."""
        user = self.state.user(author) if author else comment.user
        if isinstance(comment, ReviewComment):
            reviews.edit(self.state, comment, body, user)
        else:
            conversations.edit_comment(self.state, comment, body, user)
        await self.settle()

    async def delete_comment(self, comment: Comment | ReviewComment, author: str = "") -> None:
        """Delete a comment and wait for the webhook."""
        user = self.state.user(author) if author else comment.user
        if isinstance(comment, ReviewComment):
            reviews.delete(self.state, comment, user)
        else:
            conversations.delete_comment(self.state, comment, user)
        await self.settle()

    def minimize(self, comment: Comment | ReviewComment, classifier: str = "OUTDATED") -> None:
        """Fold a comment away (GitHub tells nobody). ``classifier``: OUTDATED, RESOLVED, SPAM, ..."""
        conversations.minimize(comment, classifier)

    def issue_thread(self, on: Issue | PullRequest) -> list[Comment]:
        """The comments of an issue or pull request, oldest first; review comments are in ``review_comments``."""
        return _issue(on).comments

    def reactions(self, on: Comment | Issue | ReviewComment) -> list[Reaction]:
        """The reactions on a comment or an issue, oldest first."""
        return list(on.reactions)

    async def react(self, on: Comment | Issue | ReviewComment, content: str, author: str) -> Reaction:
        """Add a reaction (``+1``, ``eyes``, ...); GitHub tells nobody. Raises ApiError 422 for one it has not."""
        given, _ = conversations.react(self.state, on.reactions, content, self._person(author, on.repository))
        return given

    # Pull requests

    def open_pull_request(
        self,
        repo: Repository | str,
        head: str,
        base: str,
        title: str,
        *,
        body: str = "",
        author: str = "",
        from_fork: Repository | None = None,
    ) -> PullRequest:
        """Open a pull request between two branches; ``head`` may be in a fork. Raises ApiError as the API would."""
        repository = self.repository(repo)
        source = from_fork if from_fork is not None else repository
        label = f"{source.owner.login}:{head}"
        wish = {"head": label, "base": base, "title": title, "body": body}
        user = self.state.user(author) if author else source.owner
        sides = pulls.checked_sides(self.state, repository, wish)
        return pulls.open_pull(self.state, repository, sides, wish, (user, None))

    def pull_requests(self, repo: Repository | str) -> list[PullRequest]:
        """Every pull request, oldest first."""
        return pulls.pulls_of(self.repository(repo))

    def pull_request(self, repo: Repository | str, number: int) -> PullRequest:
        """A pull request by number. Raises ApiError 404."""
        return pulls.pull_of(self.repository(repo), number)

    async def merge_pull_request(self, pull: PullRequest, author: str) -> str:
        """Merge with a merge commit, whose id is returned. Raises ApiError: 403 below write, 405 when it cannot be."""
        commit = pulls.merge(self.state, pull, self._person(author, pull.repository, "write"))
        await self.settle()
        return commit

    async def set_draft(self, pull: PullRequest, draft: bool, author: str) -> None:
        """Press *Ready for review* (False) or *Convert to draft* (True). Raises ApiError 403 below write."""
        level: Level = "read" if author == pull.author else "write"
        pulls.set_draft(self.state, pull, draft, self._person(author, pull.repository, level))
        await self.settle()

    async def review_comment(
        self, pull: PullRequest, path: str, line: int, body: str, author: str, *, wait: bool = True
    ) -> ReviewComment:
        """Comment on a line that a changed file has at the head. Raises ApiError 422 when it is none."""
        user = self._person(author, pull.repository)
        comment = reviews.add(self.state, pull, reviews.place_at_head(pull, path, line), body, (user, None))
        if wait:
            await self.settle()
        return comment

    async def reply(self, to: ReviewComment, body: str, author: str, *, wait: bool = True) -> ReviewComment:
        """Answer in the thread of a review comment. Raises ApiError."""
        user = self._person(author, to.repository)
        thread = to if to.in_reply_to is None else to.in_reply_to
        comment = reviews.reply(self.state, thread, body, (user, None))
        if wait:
            await self.settle()
        return comment

    def review_comments(self, pull: PullRequest) -> list[ReviewComment]:
        """The comments on lines and the replies to them, oldest first."""
        return pull.review_comments

    async def request_review(self, pull: PullRequest, *logins: str, author: str) -> None:
        """Ask collaborators for a review. Raises ApiError: 403 below triage, 422 for who is none."""
        reviews.request(self.state, pull, list(logins), [], self._person(author, pull.repository, "triage"))
        await self.settle()

    # Checks

    def check_runs(self, repo: Repository | str, sha: str | None = None) -> list[CheckRun]:
        """Every check run, or those of one commit, oldest first."""
        return [run for run in self.repository(repo).check_runs.values() if sha in {None, run.head_sha}]

    def check_suites(self, repo: Repository | str, sha: str | None = None) -> list[CheckSuite]:
        """Every check suite, or those of one commit, oldest first."""
        return [suite for suite in self.repository(repo).check_suites.values() if sha in {None, suite.head_sha}]

    async def press_button(self, run: CheckRun, identifier: str, author: str, *, wait: bool = True) -> None:
        """Press a button of a completed check run. Raises ValueError when there is no such button now.

        GitHub's documentation names no role for this and for running checks again: whoever sees the repository may, and
        the App has to judge.
        """
        checks.press(self.state, run, identifier, self._person(author, run.repository))
        if wait:
            await self.settle()

    async def rerequest(self, run: CheckRun, author: str, *, wait: bool = True) -> None:
        """Press *Re-run* of a check run. Raises ApiError 422 when it is not over."""
        checks.rerequest(self.state, run, self._person(author, run.repository))
        if wait:
            await self.settle()

    async def rerequest_suite(
        self, repo: Repository | str, head_sha: str, author: str, *, app: App | None = None, wait: bool = True
    ) -> None:
        """Press *Re-run all checks* of a commit, of one App or of all. Raises ApiError 422, or ValueError for none."""
        repository = self.repository(repo)
        user = self._person(author, repository)
        suites = [suite for suite in self.check_suites(repository, head_sha) if app in {None, suite.app}]
        if not suites:
            raise ValueError(f"{repository.full_name} has no check suite at {head_sha}")
        for suite in suites:
            checks.rerequest_suite(self.state, suite, user)
        if wait:
            await self.settle()

    async def let_go_stale(self, run: CheckRun) -> None:
        """Do what GitHub does to a check run that is not over after fourteen days: it concludes ``stale``."""
        checks.let_go_stale(self.state, run)
        await self.settle()
