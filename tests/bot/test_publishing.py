"""The pull request of a run: opened once, brought up to date where it is gone on with, and people asked to look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from bot.github.errors import AccessLost, Refused, Unavailable
from bot.github.repo_client import PullRequestInfo, RepoClient
from bot.reporting.publishing import publish_pull_request
from db.errors import LeaseLost
from db.leases import database_now
from db.models import RunReport, SpecAutomationRun
from db.runs import note_report
from db.session import Database
from db.vocabulary import Phase
from tests.bot.reporter_bench import ON_PULL, PULL, Bench, reporter_bench

URL = "https://github.example/acme/shop/pull/12"
LABELS, ASSIGNEES, REVIEWERS = (f"/{what}$" for what in ("labels", "assignees", "requested_reviewers"))


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """SQLite is enough here: test_github_with_localhub.py goes the whole way on Postgres too."""
    opened = Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    """A run for issue 7 that pushed its branch."""
    async with reporter_bench(database) as opened:
        await opened.push()
        yield opened


@pytest.fixture
async def later(database: Database) -> AsyncIterator[Bench]:
    """A run that went on with pull request 12 and pushed to its branch."""
    async with reporter_bench(database, ON_PULL) as opened:
        await opened.push()
        yield opened


async def publish(bench: Bench, client: RepoClient | None = None) -> tuple[int, str]:
    return await publish_pull_request(bench.database, client or bench.world.repo, bench.lease)


async def wants(bench: Bench, **people: list[str]) -> None:
    """What the repository's configuration said when the run was asked for."""
    async with bench.database.transaction() as session:
        await session.execute(update(SpecAutomationRun).values(arguments={"pull_request": people}))


# Opened


async def test_the_pull_request_is_opened_once(bench: Bench) -> None:
    assert await publish(bench) == (PULL, URL)
    assert await publish(bench) == (PULL, URL)
    (pull,) = bench.hub.pulls
    assert (pull["draft"], pull["base"]["ref"], pull["title"]) == (True, "main", "Invoices")
    assert "Refs #7" in pull["body"]
    report = (await bench.run()).report
    assert (report.pull_request_number, report.pull_request_url) == (PULL, URL)


@pytest.mark.parametrize("forgotten", [{}, {"pull_request_intended_at": None}], ids=["looked for", "already exists"])
async def test_a_pull_request_lost_in_a_crash_is_found(bench: Bench, forgotten: dict[str, Any]) -> None:
    await publish(bench)
    async with bench.database.transaction() as session:
        await session.execute(update(RunReport).values(pull_request_number=None, pull_request_url=None, **forgotten))
    assert await publish(bench) == (PULL, URL)
    assert len(bench.hub.pulls) == 1


async def test_where_there_are_no_drafts_it_is_ready_for_review(bench: Bench) -> None:
    bench.hub.drafts = False
    await publish(bench)
    assert [pull["draft"] for pull in bench.hub.pulls] == [False]


async def test_other_refusals_of_a_pull_request_are_errors(bench: Bench) -> None:
    errors = {"message": "Validation Failed", "errors": [{"message": "No commits"}]}
    bench.hub.fail("POST", "/pulls$", status=422, body=errors)
    with pytest.raises(Refused) as error:
        await publish(bench)
    assert error.value.details == ("No commits",)
    bench.hub.fail("POST", "/pulls$", status=403, body={"message": "Resource not accessible by integration"}, times=9)
    with pytest.raises(AccessLost):
        await publish(bench)


# Only with the lease


async def test_a_worker_that_lost_the_run_opens_no_pull_request(bench: Bench) -> None:
    await bench.lose_lease()
    with pytest.raises(LeaseLost):
        await publish(bench)
    assert bench.hub.seen == []


class SlowClient(RepoClient):
    """While it reads, another worker takes the run."""

    def __init__(self, bench: Bench) -> None:
        client = bench.world.repo
        super().__init__(client._calls, client.installation_id, client.repository_id)
        self._bench = bench

    async def find_pull_request(self, head: str) -> PullRequestInfo | None:
        found = await super().find_pull_request(head)
        await self._bench.lose_lease()
        return found

    async def pull_request(self, pull_number: int) -> PullRequestInfo:
        found = await super().pull_request(pull_number)
        await self._bench.lose_lease()
        return found


async def test_a_worker_that_lost_the_run_while_it_looked_opens_no_pull_request(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        now = await database_now(session)
        await note_report(session, bench.lease, bench.lease.run_id, pull_request_intended_at=now)
    with pytest.raises(LeaseLost):
        await publish(bench, SlowClient(bench))
    assert bench.hub.pulls == []


async def test_a_worker_that_lost_the_run_while_it_read_renews_nothing(later: Bench) -> None:
    pull = later.add_pull(body=opened_body("x"))
    before = pull["body"]
    with pytest.raises(LeaseLost):
        await publish(later, SlowClient(later))
    assert pull["body"] == before


# Gone on with


def opened_body(phases: str) -> str:
    """The body as we opened it, with what people wrote around it."""
    return (
        "Please look at the second story first.\n\n"
        "<!-- speckit-bot:section=request -->\n### Request\n\nWhat was asked.\n<!-- /speckit-bot:section -->\n\n"
        f"<!-- speckit-bot:section=phases -->\n{phases}\n<!-- /speckit-bot:section -->\n\n"
        "Notes of a person: Refs #99."
    )


async def test_a_later_run_renews_the_marked_sections_and_nothing_else(later: Bench) -> None:
    pull = later.add_pull(body=opened_body("old phases"))
    await later.done(Phase.SPECKIT_PLAN)
    assert await publish(later) == (PULL, URL)
    body = pull["body"]
    assert body.startswith("Please look at the second story first.\n\n<!-- speckit-bot:section=request -->")
    assert body.endswith("Notes of a person: Refs #99.")
    assert "What was asked." in body
    assert "old phases" not in body
    assert "`speckit_plan`" in body
    assert (pull["title"], len(later.hub.pulls)) == ("Invoices", 1)
    report = (await later.run()).report
    assert (report.pull_request_number, report.pull_request_url) == (PULL, URL)


async def test_what_is_up_to_date_is_not_written_again(later: Bench) -> None:
    later.add_pull(body=opened_body("old phases"))
    await publish(later)
    written = later.writes()
    async with later.database.transaction() as session:
        await session.execute(update(RunReport).values(pull_request_number=None, pull_request_url=None))
    await publish(later)
    assert later.writes() == written


async def test_a_body_without_our_sections_is_a_persons_own(later: Bench) -> None:
    pull = later.add_pull(body="All mine now.")
    await publish(later)
    assert pull["body"] == "All mine now."


async def test_on_a_later_run_nobody_is_asked_again(later: Bench) -> None:
    later.add_pull(body=opened_body("x"))
    await wants(later, labels=["spec"], reviewers=["bob"], team_reviewers=[], assignees=["alice"])
    await publish(later)
    assert (later.hub.labels, later.hub.reviewers, later.hub.assignees) == ({}, {}, {})


# People


async def test_labels_assignees_and_reviewers_are_the_repositorys(bench: Bench) -> None:
    await wants(bench, labels=["spec", "draft"], reviewers=["bob"], team_reviewers=["product"], assignees=["alice"])
    await publish(bench)
    hub = bench.hub
    assert (hub.labels, hub.assignees, hub.reviewers) == (
        {PULL: {"spec", "draft"}},
        {PULL: {"alice"}},
        {PULL: ["bob", "product"]},
    )


async def test_where_nobody_is_wanted_nobody_is_asked(bench: Bench) -> None:
    await wants(bench, labels=[], reviewers=[], team_reviewers=[], assignees=[])
    await publish(bench)
    assert all(not bench.hub.requests("POST", path) for path in (LABELS, ASSIGNEES, REVIEWERS))


@pytest.mark.parametrize(
    ("reviewers", "teams", "asked"),
    [
        (["bob", "stranger", "carol"], ["product"], ["bob", "carol", "product"]),
        (["stranger"], ["product"], ["product"]),
        (["stranger"], [], []),
    ],
)
async def test_a_name_that_is_refused_costs_nothing_for_the_others(
    bench: Bench, reviewers: list[str], teams: list[str], asked: list[str]
) -> None:
    await wants(bench, labels=["spec"], reviewers=reviewers, team_reviewers=teams, assignees=["alice"])
    assert await publish(bench) == (PULL, URL)
    assert bench.hub.reviewers.get(PULL, []) == asked
    assert (bench.hub.labels, bench.hub.assignees) == ({PULL: {"spec"}}, {PULL: {"alice"}})


@pytest.mark.parametrize("path", [LABELS, ASSIGNEES, REVIEWERS])
@pytest.mark.parametrize("status", [403, 404, 422])
async def test_whatever_is_refused_costs_the_run_nothing(bench: Bench, path: str, status: int) -> None:
    await wants(bench, labels=["spec"], reviewers=["bob"], team_reviewers=[], assignees=["alice"])
    bench.hub.fail("POST", path, status=status, body={"message": "no"}, times=99)
    assert await publish(bench) == (PULL, URL)
    report = (await bench.run()).report
    assert report.pull_request_number == PULL


async def test_while_github_is_away_it_is_tried_again_and_opened_once(bench: Bench) -> None:
    await wants(bench, labels=["spec"], reviewers=[], team_reviewers=[], assignees=[])
    outage = bench.hub.fail("POST", LABELS, status=503, times=1000)
    with pytest.raises(Unavailable):
        await publish(bench)
    outage.times = 0
    assert await publish(bench) == (PULL, URL)
    assert bench.hub.labels == {PULL: {"spec"}}
    assert len(bench.hub.pulls) == 1
