"""How check runs and check suites look in JSON. https://docs.github.com/en/rest/checks"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localhub.model import CheckRun, CheckSuite, Repository
from localhub.representation import Json, app, node_id, repository, time_text

if TYPE_CHECKING:
    from localhub.state import Urls


def _api(urls: Urls, repo: Repository) -> str:
    return f"{urls.api}/repos/{repo.full_name}"


def _short_repository(urls: Urls, repo: Repository) -> Json:
    return {"id": repo.id, "url": _api(urls, repo), "name": repo.name}


def _pull_requests(urls: Urls, repo: Repository, head_sha: str) -> list[Json]:
    """The open pull requests with that head; GitHub does not find those that come from forks."""
    pulls = [issue.pull for issue in repo.issues.values() if issue.pull is not None]
    short = _short_repository(urls, repo)
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{_api(urls, repo)}/pulls/{pull.number}",
            "head": {"ref": pull.head_branch, "sha": pull.head_sha, "repo": short},
            "base": {"ref": pull.base_branch, "sha": pull.base_sha, "repo": short},
        }
        for pull in pulls
        if pull.head_sha == head_sha and pull.state == "open" and not pull.from_fork
    ]


def check_suite(urls: Urls, suite: CheckSuite, *, event: bool = False) -> Json:
    """A check suite. ``event``: as a webhook carries it, where its repository stands beside it."""
    url = f"{_api(urls, suite.repository)}/check-suites/{suite.id}"
    body: Json = {
        "id": suite.id,
        "node_id": node_id("CS", suite.id),
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": suite.status,
        "conclusion": suite.conclusion,
        "url": url,
        "before": suite.before,
        "after": suite.head_sha,
        "pull_requests": _pull_requests(urls, suite.repository, suite.head_sha),
        "app": app(urls, suite.app),
        "created_at": time_text(suite.created_at),
        "updated_at": time_text(suite.created_at),
        "rerequestable": True,
        "runs_rerequestable": True,
        "latest_check_runs_count": len(suite.runs),
        "check_runs_url": f"{url}/check-runs",
    }
    return body if event else {**body, "repository": repository(urls, suite.repository)}


def check_run(urls: Urls, run: CheckRun, *, event: bool = False) -> Json:
    """A check run. ``event``: as a webhook carries it, with its suite's head and App."""
    url = f"{_api(urls, run.repository)}/check-runs/{run.id}"
    html = f"{urls.web}/{run.repository.full_name}/runs/{run.id}"
    suite: Json = {"id": run.suite.id}
    if event:
        shown = check_suite(urls, run.suite, event=True)
        left_out = {"rerequestable", "runs_rerequestable", "latest_check_runs_count", "check_runs_url"}
        suite = {name: value for name, value in shown.items() if name not in left_out}
    return {
        "id": run.id,
        "node_id": node_id("CR", run.id),
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": html,
        "details_url": run.details_url or html,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": time_text(run.started_at),
        "completed_at": time_text(run.completed_at),
        "output": {
            "title": run.output.get("title"),
            "summary": run.output.get("summary"),
            "text": run.output.get("text"),
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": suite,
        "app": app(urls, run.app),
        "pull_requests": _pull_requests(urls, run.repository, run.head_sha),
    }
