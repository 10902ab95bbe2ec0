"""REST: check runs and check suites. https://docs.github.com/en/rest/checks"""

from __future__ import annotations

import asyncio

from localhub import checks, representation_checks
from localhub.api import Answer, Call, Route
from localhub.errors import ApiError, not_found
from localhub.model import CheckRun, CheckSuite

_READ = (("checks", "read"),)
_WRITE = (("checks", "write"),)
_REPO = "/repos/{owner}/{repo}"


def _run(call: Call) -> CheckRun:
    run = checks.check_run_of(call.repository, call.number("check_run_id"))
    call.fresh(run.born)
    return run


async def _resolved(call: Call, ref: str) -> str:
    sha = await asyncio.to_thread(call.repository.git.resolve, ref)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    return sha


def _writer(call: Call) -> None:
    if call.actor.token is None:
        raise ApiError(403, "You must authenticate via a GitHub App.")


async def create_run(call: Call) -> Answer:
    _writer(call)
    head = call.sent.get("head_sha")
    if not isinstance(head, str) or not head:
        raise ApiError(422, 'Invalid request.\n\n"head_sha" wasn\'t supplied.')
    sha = await _resolved(call, head)
    run = checks.create(call.state, call.repository, call.app, sha, call.sent)
    shown = representation_checks.check_run(call.state.urls, run)
    return Answer(shown, 201, {"Location": str(shown["url"])})


async def update_run(call: Call) -> Answer:
    _writer(call)
    run = _run(call)
    checks.update(call.state, run, call.app, call.sent)
    return Answer(representation_checks.check_run(call.state.urls, run))


async def get_run(call: Call) -> Answer:
    return Answer(representation_checks.check_run(call.state.urls, _run(call)))


async def list_annotations(call: Call) -> Answer:
    run = _run(call)
    href = f"{call.state.urls.web}/{call.repository.full_name}/blob/{run.head_sha}"
    optional = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    return call.listing([{**optional, **each, "blob_href": f"{href}/{each['path']}"} for each in run.annotations])


def _runs_answer(call: Call, runs: list[CheckRun]) -> Answer:
    """``filter=latest`` (the default) keeps the newest run of each name and App."""
    name, status, app_id = call.query("check_name"), call.query("status"), call.query("app_id")
    found = [
        run
        for run in runs
        if name in {"", run.name}
        and status in {"", run.status}
        and app_id in {"", str(run.app.id)}
        and not call.state.faults.too_fresh(run.born)
    ]
    if call.query("filter", "latest") == "latest":
        found = list({(run.app.id, run.name): run for run in found}.values())
    found.sort(key=lambda run: run.id, reverse=True)
    shown, headers = call.page(found)
    runs_shown = [representation_checks.check_run(call.state.urls, run) for run in shown]
    return Answer({"total_count": len(found), "check_runs": runs_shown}, headers=headers)


async def list_runs_of_ref(call: Call) -> Answer:
    sha = await _resolved(call, call.text("ref"))
    return _runs_answer(call, [run for run in call.repository.check_runs.values() if run.head_sha == sha])


def _suite(call: Call) -> CheckSuite:
    found = call.repository.check_suites.get(call.number("check_suite_id"))
    if found is None:
        raise not_found()
    return found


async def list_runs_of_suite(call: Call) -> Answer:
    suite = _suite(call)
    return _runs_answer(call, [run for run in call.repository.check_runs.values() if run.suite is suite])


async def get_suite(call: Call) -> Answer:
    return Answer(representation_checks.check_suite(call.state.urls, _suite(call)))


async def rerequest_run(call: Call) -> Answer:
    checks.rerequest(call.state, _run(call), call.user)
    return Answer({}, 201)


async def rerequest_suite(call: Call) -> Answer:
    checks.rerequest_suite(call.state, _suite(call), call.user)
    return Answer({}, 201)


async def list_suites_of_ref(call: Call) -> Answer:
    sha = await _resolved(call, call.text("ref"))
    found = [suite for suite in call.repository.check_suites.values() if suite.head_sha == sha]
    shown, headers = call.page(found)
    suites = [representation_checks.check_suite(call.state.urls, suite) for suite in shown]
    return Answer({"total_count": len(found), "check_suites": suites}, headers=headers)


ROUTES = [
    Route("POST", f"{_REPO}/check-runs", create_run, _WRITE, "write"),
    Route("GET", f"{_REPO}/check-runs/{{check_run_id}}", get_run, _READ),
    Route("PATCH", f"{_REPO}/check-runs/{{check_run_id}}", update_run, _WRITE, "write"),
    Route("GET", f"{_REPO}/check-runs/{{check_run_id}}/annotations", list_annotations, _READ),
    Route("POST", f"{_REPO}/check-runs/{{check_run_id}}/rerequest", rerequest_run, _WRITE),
    Route("POST", f"{_REPO}/check-suites/{{check_suite_id}}/rerequest", rerequest_suite, _WRITE),
    Route("GET", f"{_REPO}/commits/{{ref:.+}}/check-runs", list_runs_of_ref, _READ),
    Route("GET", f"{_REPO}/commits/{{ref:.+}}/check-suites", list_suites_of_ref, _READ),
    Route("GET", f"{_REPO}/check-suites/{{check_suite_id}}", get_suite, _READ),
    Route("GET", f"{_REPO}/check-suites/{{check_suite_id}}/check-runs", list_runs_of_suite, _READ),
]
