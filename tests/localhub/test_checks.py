"""Check runs and suites: buttons, running again, annotations, and what is told about them."""

from __future__ import annotations

from typing import Any

import pytest

from localhub import ApiError, CheckRun
from tests.localhub.conftest import Company

RUNS = "/repos/acme/shop/check-runs"
OUTPUT = {"title": "Done", "summary": "ok"}
RETRY = {"label": "Retry", "identifier": "retry", "description": "Run it again"}


def main_of(company: Company) -> str:
    return company.hub.branches(company.shop)["main"]


async def run_of(company: Company, **wish: Any) -> CheckRun:
    """A completed check run of the App on ``main``."""
    token = await company.token(company.shop, checks="write")
    sent = {"name": "speckit", "head_sha": main_of(company), "conclusion": "success", "output": OUTPUT, **wish}
    status, body, _ = await company.api("POST", RUNS, token, sent)
    assert status == 201, body
    await company.hub.settle()
    return company.shop.check_runs[body["id"]]


async def test_a_button_is_pressed(company: Company) -> None:
    company.listen("check_run")
    company.hub.commit_files(company.shop, "side", {"b": "b"})
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    run = await run_of(company, head_sha=pull.head_sha, external_id="run-1", actions=[RETRY])
    assert run.buttons == {"retry": "Retry"}
    await company.hub.press_button(run, "retry", author="alice")
    payload = company.receiver.events("check_run")[-1]
    assert (payload["action"], payload["requested_action"]) == ("requested_action", {"identifier": "retry"})
    shown = payload["check_run"]
    assert (shown["id"], shown["external_id"], shown["head_sha"]) == (run.id, "run-1", pull.head_sha)
    assert shown["app"]["id"] == company.app.id
    assert shown["check_suite"]["head_sha"] == pull.head_sha
    assert shown["check_suite"]["head_branch"] == "side"
    assert shown["check_suite"]["app"]["id"] == company.app.id
    assert [each["number"] for each in shown["pull_requests"]] == [pull.number]
    assert payload["sender"]["login"] == "alice"
    assert payload["installation"]["id"] == company.installation
    with pytest.raises(ValueError, match="no button 'next'"):
        await company.hub.press_button(run, "next", author="alice")


async def test_buttons_are_only_on_completed_runs(company: Company) -> None:
    run = await run_of(company, status="in_progress", conclusion=None, actions=[RETRY])
    assert run.buttons == {}
    with pytest.raises(ValueError, match="none at all"):
        await company.hub.press_button(run, "retry", author="alice")


@pytest.mark.parametrize(
    "actions",
    [
        [{**RETRY, "label": "x" * 21}],
        [{**RETRY, "identifier": "x" * 21}],
        [{**RETRY, "description": "x" * 41}],
        [{**RETRY, "label": ""}],
        [{"label": "Retry", "identifier": "retry"}],
        [RETRY] * 4,
        ["retry"],
        "retry",
    ],
)
async def test_actions_github_would_refuse(company: Company, actions: object) -> None:
    run = await run_of(company, actions=[RETRY])
    token = await company.token(company.shop, checks="write")
    status, body, _ = await company.api("PATCH", f"{RUNS}/{run.id}", token, {"actions": actions})
    assert (status, body["message"].startswith("Invalid request.")) == (422, True)
    assert list(run.buttons) == ["retry"]


async def test_a_check_run_is_asked_for_again(company: Company) -> None:
    company.listen("check_run", "check_suite")
    run = await run_of(company)
    assert (run.suite.status, run.suite.conclusion) == ("completed", "success")
    await company.hub.rerequest(run, author="alice")
    payload = company.receiver.events("check_run")[-1]
    assert (payload["action"], payload["check_run"]["id"]) == ("rerequested", run.id)
    assert (run.status, run.conclusion) == ("completed", "success"), "the run itself is left alone"
    assert (run.suite.status, run.suite.conclusion) == ("queued", None)
    again = await run_of(company)
    assert again.suite is run.suite
    assert (run.suite.status, [each.id for each in run.suite.runs]) == ("completed", [again.id])
    working = await run_of(company, name="other", status="in_progress", conclusion=None)
    with pytest.raises(ApiError, match="not rerequestable"):
        await company.hub.rerequest(working, author="alice")


async def test_all_checks_are_asked_for_again(company: Company) -> None:
    company.listen("check_run", "check_suite")
    run = await run_of(company)
    await company.hub.rerequest_suite(company.shop, run.head_sha, author="alice", app=company.app)
    payload = company.receiver.events("check_suite")[-1]
    suite = payload["check_suite"]
    assert (payload["action"], suite["head_sha"], suite["head_branch"]) == ("rerequested", run.head_sha, "main")
    assert (suite["app"]["id"], suite["status"]) == (company.app.id, "queued")
    with pytest.raises(ValueError, match="no check suite"):
        await company.hub.rerequest_suite(company.shop, "0" * 40, author="alice")


async def test_the_api_asks_for_checks_again(company: Company) -> None:
    company.listen("check_run", "check_suite")
    run = await run_of(company)
    token = company.hub.user("alice").token
    assert (await company.api("POST", f"{RUNS}/{run.id}/rerequest", token))[0] == 201
    path = f"/repos/acme/shop/check-suites/{run.suite.id}/rerequest"
    assert (await company.api("POST", path, token))[0] == 201
    await company.hub.settle()
    assert "rerequested" in {each["action"] for each in company.receiver.events("check_run")}
    assert "rerequested" in {each["action"] for each in company.receiver.events("check_suite")}


async def test_requests_go_only_to_the_app_that_made_the_run(company: Company) -> None:
    company.listen("check_run")
    other = company.hub.register_app(
        "other",
        {"default_permissions": {"checks": "write"}, "default_events": ["check_run"]},
        webhook_url=company.receiver.url,
        webhook_secret="x",
        public_key_pem=company.app.public_key_pem,
    )
    company.hub.install(other, [company.shop])
    await company.hub.settle()
    run = await run_of(company, actions=[RETRY])
    assert len(company.receiver.events("check_run")) == 4, "created and completed are told to both"
    await company.hub.press_button(run, "retry", author="alice")
    await company.hub.rerequest(run, author="alice")
    assert [each.app_id for each in company.hub.deliveries[-2:]] == [company.app.id, company.app.id]
    assert len(company.receiver.events("check_run")) == 6


async def test_a_push_begins_a_suite_for_apps_that_asked(company: Company) -> None:
    company.hub.commit_files(company.shop, "main", {"a": "1"})
    assert company.hub.check_suites(company.shop) == []
    company.listen("check_suite")
    before = main_of(company)
    sha = company.hub.commit_files(company.shop, "main", {"a": "2"}, author="alice")
    await company.hub.settle()
    (payload,) = company.receiver.events("check_suite")
    suite = payload["check_suite"]
    assert (payload["action"], suite["head_sha"], suite["head_branch"]) == ("requested", sha, "main")
    assert (suite["before"], suite["after"], suite["status"]) == (before, sha, "queued")
    assert payload["sender"]["login"] == "alice"
    assert "repository" not in suite
    (kept,) = company.hub.check_suites(company.shop, sha)
    assert kept.id == suite["id"]
    company.hub.delete_branch(company.shop, "main")
    assert len(company.hub.check_suites(company.shop)) == 1


@pytest.mark.parametrize("conclusion", ["action_required", "neutral", "cancelled", "skipped", "timed_out", "failure"])
async def test_every_conclusion_is_told(company: Company, conclusion: str) -> None:
    company.listen("check_run", "check_suite")
    run = await run_of(company, conclusion=conclusion)
    assert {each["action"] for each in company.receiver.events("check_run")} == {"created", "completed"}
    (done,) = [each for each in company.receiver.events("check_suite") if each["action"] == "completed"]
    assert (run.conclusion, done["check_suite"]["conclusion"]) == (conclusion, conclusion)


async def test_only_github_lets_a_check_run_go_stale(company: Company) -> None:
    token = await company.token(company.shop, checks="write")
    sent = {"name": "speckit", "head_sha": main_of(company), "conclusion": "stale"}
    assert (await company.api("POST", RUNS, token, sent))[0] == 422
    run = await run_of(company, status="queued", conclusion=None)
    await company.hub.let_go_stale(run)
    assert (run.status, run.conclusion) == ("completed", "stale")
    _, body, _ = await company.api("GET", f"{RUNS}/{run.id}", token)
    assert body["conclusion"] == "stale"


async def test_annotations_are_kept_and_listed(company: Company) -> None:
    note = {"path": "README.md", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "?"}
    run = await run_of(company, output={**OUTPUT, "annotations": [note]})
    token = await company.token(company.shop, checks="write")
    more = {**OUTPUT, "annotations": [{**note, "title": "Second", "raw_details": "more"}]}
    _, body, _ = await company.api("PATCH", f"{RUNS}/{run.id}", token, {"output": more})
    assert body["output"]["annotations_count"] == 2, "each update adds to those that are there"
    _, listed, _ = await company.api("GET", f"{RUNS}/{run.id}/annotations", token)
    assert [each["title"] for each in listed] == [None, "Second"]
    assert listed[0]["blob_href"].endswith(f"/acme/shop/blob/{run.head_sha}/README.md")
    for wrong in (
        {"start_line": 2},
        {"start_line": 0, "end_line": 0},
        {"annotation_level": "info"},
        {"title": "x" * 256},
        {"start_column": 1, "end_line": 2},
    ):
        sent = {"output": {**OUTPUT, "annotations": [{**note, **wrong}]}}
        assert (await company.api("PATCH", f"{RUNS}/{run.id}", token, sent))[0] == 422, wrong
    many = {"output": {**OUTPUT, "annotations": [note] * 51}}
    assert (await company.api("PATCH", f"{RUNS}/{run.id}", token, many))[0] == 422
    assert len(run.annotations) == 2
