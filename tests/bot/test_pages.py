"""The run pages as a browser gets them: what is shown, what is not, and that nothing in it runs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from bot.pages.plain_text import last_lines, readable
from bot.pages.run_view import PHASE_LABELS, TRIGGER_WORDS
from db.artifacts import record_artifact
from db.leases import Lease, claim
from db.models import AutomationArtifact, SpecAutomationRun
from db.runs import (
    NewRun,
    begin,
    finish_phase,
    finish_run,
    note_report,
    open_run,
    record_agent,
    record_branch,
    start_phase,
)
from db.session import Database
from db.vocabulary import ArtifactType, Phase, RunStatus, TaskStatus, Trigger, Verb, phases_of
from jobs.output import PhaseLogs
from jobs.redaction import Redactor
from tests.bot.conftest import StartWeb, WebProcess
from tests.bot.deliveries import comment_payload

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</pre></main><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<style>*{display:none}</style>",
    "</style><script>alert(1)</script>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<a href=javascript:alert(1)>x</a>",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x1b[31m<b>red</b>\x1b[0m",
    "\u202egnp.exe",
    "&lt;script&gt;",
    "<!--",
    "]]><script>alert(1)</script>",
]


class Seen(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.elements if tag == "a" and "href" in attrs]


def harmless(page: str) -> Seen:
    """Assert that a page holds nothing that runs, loads, or submits; return what is in it."""
    seen = Seen(page)
    assert seen.tags <= {
        *("html", "head", "meta", "title", "style", "body", "main", "nav", "header", "section", "h1", "h2", "p", "a"),
        *("span", "code", "pre", "dl", "div", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "time", "ul"),
        *("li", "details", "summary"),
    }
    for tag, attrs in seen.elements:
        assert not [name for name in attrs if name.startswith("on") or name in {"src", "srcdoc", "style", "action"}]
        if tag == "meta" and attrs.get("http-equiv"):
            assert attrs == {"http-equiv": "refresh", "content": "3"}
    assert page.count("<style>") == 1
    for link in seen.links:
        assert re.match(r"https://|\.\./runs$|runs/|[0-9a-f-]{36}/artifacts/", link), link
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)
    return seen


NEW_RUN = NewRun(
    command_key="",
    repository="acme/shop",
    repository_id=1,
    installation_id=2,
    private=False,
    issue_number=7,
    on_pull_request=False,
    issue_title="Invoices",
    comment_id=9,
    requested_by="mona",
    requested_by_id=3,
    base_branch=None,
    requested_spec_input="Let customers pay by invoice.",
    until_phase=Phase.SPECKIT_TASKS,
    dry_run=False,
    requested_agent=None,
    writer_key="issue:7",
)

ChangeRun = Callable[[NewRun], NewRun]


class Book:
    """Writes runs as the worker does."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.root = root

    async def queued(self, change: ChangeRun = lambda new: new) -> UUID:
        """A run that waits."""
        async with self.database.transaction() as session:
            run, _ = await open_run(session, change(replace(NEW_RUN, command_key=str(uuid4()))))
        return run.run_id

    async def begun(self, change: ChangeRun = lambda new: new) -> Lease:
        """A run that a worker works on, in its first phase."""
        run_id = await self.queued(change)
        async with self.database.transaction() as session:
            lease = await claim(session, run_id, "worker-1", 45)
            assert lease is not None
            await begin(session, lease, "worker-1", datetime.now(UTC) + timedelta(hours=1))
            await start_phase(session, lease, Phase.PREPARE_JOB)
        return lease

    async def artifact(
        self, lease: Lease, content: bytes, name: str = "phase-prepare_job.stdout", kind: str = "stdout_log"
    ) -> UUID:
        """Keep a file and list it."""
        folder = self.root / str(lease.run_id) / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        async with self.database.transaction() as session:
            artifact = await record_artifact(
                session,
                lease,
                name=name,
                artifact_type=ArtifactType(kind),
                storage_path=f"{lease.run_id}/artifacts/{name}",
                content_type="text/plain; charset=utf-8",
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                source_phase=Phase.PREPARE_JOB,
                attempt=1,
            )
        return artifact.artifact_id

    async def ended(self, lease: Lease, status: RunStatus, summary: str) -> None:
        """The run is over."""
        async with self.database.transaction() as session:
            outcome = TaskStatus.FAILED if status is RunStatus.FAILED else TaskStatus.SUCCEEDED
            told = {"error_code": "run.internal", "message": "asking tcp://10.0.0.5:2375", "summary": summary}
            details = told if status is RunStatus.FAILED else None
            await finish_phase(session, lease, Phase.PREPARE_JOB, outcome, details=details)
            await finish_run(session, lease, status, summary, "run.internal" if status is RunStatus.FAILED else None)


@pytest.fixture
def book(web_process: WebProcess) -> Book:
    return Book(web_process.database, web_process.settings.artifact_root)


async def page_of(web_process: WebProcess, path: str) -> str:
    response = await web_process.client.get(path)
    assert response.status == 200, path
    return await response.text()


# What is shown


async def test_the_list_shows_the_newest_first_and_leads_to_the_run(web_process: WebProcess, book: Book) -> None:
    first = await book.queued()
    second = await book.queued(lambda new: replace(new, issue_title="Refunds"))
    seen = harmless(await page_of(web_process, "/runs"))
    assert seen.links == [f"runs/{second}", f"runs/{first}"]
    assert "Refunds" in seen.text
    assert "acme/shop#7" in seen.text


async def test_without_runs_the_list_says_how_to_begin(web_process: WebProcess) -> None:
    assert "/speckit help" in await page_of(web_process, "/runs")


async def test_home_leads_to_the_list(web_process: WebProcess) -> None:
    response = await web_process.client.get("/")
    assert response.status == 200
    assert response.url.path == "/runs"


async def test_a_run_shows_who_what_where_and_how_far(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    await book.artifact(lease, b"line one\nline two\n")
    async with book.database.transaction() as session:
        await record_agent(session, lease, "template", "0.1.0", "1.2.3", {}, allowed=["template"])
        await record_branch(session, lease, "speckit/20261122/7f3a9c")
        await note_report(
            session,
            lease,
            lease.run_id,
            pull_request_number=12,
            pull_request_url="https://github.com/acme/shop/pull/12",
        )
    page = await page_of(web_process, f"/runs/{lease.run_id}")
    seen = harmless(page)
    for told in (
        *("acme/shop", "#7", "mona", "in progress", "Invoices", "Let customers pay by invoice."),
        *("speckit/20261122/7f3a9c", "#12", "template 0.1.0", "1.2.3", "worker-1, epoch 1", "line two"),
        *(phase.value for phase in phases_of(Verb.SPECIFY)),
    ):
        assert told in seen.text, told
    assert "https://github.com/acme/shop/issues/7" in seen.links
    assert "https://github.com/acme/shop/pull/12" in seen.links
    assert '<meta http-equiv="refresh" content="3">' in page


async def test_a_run_that_is_over_says_why_and_refreshes_no_more(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    await book.ended(lease, RunStatus.FAILED, "cloning acme/shop: authentication refused")
    page = await page_of(web_process, f"/runs/{lease.run_id}")
    seen = harmless(page)
    assert "cloning acme/shop: authentication refused" in seen.text
    assert "run.internal" in seen.text
    assert "10.0.0.5" not in seen.text
    assert "http-equiv" not in page


async def test_what_the_box_proved_is_shown_check_by_check(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    assert "The box" not in await page_of(web_process, f"/runs/{lease.run_id}")
    checks = [
        {"name": "network", "passed": True, "seen": "no interface but loopback"},
        {"name": "canary", "passed": False, "seen": "it can be read at <b>/host</b>"},
        {"name": "odd", "passed": "yes", "seen": None},
        "no check",
    ]
    async with book.database.transaction() as session:
        await finish_phase(session, lease, Phase.PREPARE_JOB, TaskStatus.SUCCEEDED)
        await start_phase(session, lease, Phase.START_JOB_CONTAINER)
        details = {"self_test": checks}
        await finish_phase(session, lease, Phase.START_JOB_CONTAINER, TaskStatus.FAILED, details=details)
    seen = harmless(await page_of(web_process, f"/runs/{lease.run_id}"))
    told = " ".join(seen.text.split())
    assert (
        "network passed no interface but loopback canary failed it can be read at <b>/host</b> odd failed None" in told
    )


async def test_only_the_end_of_a_long_log_is_shown(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    await book.artifact(lease, b"".join(b"line %d\n" % number for number in range(10_000)))
    seen = harmless(await page_of(web_process, f"/runs/{lease.run_id}"))
    assert "line 9999" in seen.text
    assert "line 9800" in seen.text
    assert "line 9799\n" not in seen.text


async def test_a_running_phase_shows_its_log_as_it_is_written(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    folder = book.root / str(lease.run_id) / "artifacts"
    folder.mkdir(parents=True)
    for attempt in (1, 2):
        with PhaseLogs(folder, "prepare_job", attempt, Redactor([]), 1_000_000) as logs:
            logs.output.stdout.write(b"attempt %d is at it\n" % attempt)
            seen = harmless(await page_of(web_process, f"/runs/{lease.run_id}"))
            assert f"attempt {attempt} is at it" in seen.text
        async with book.database.transaction() as session:
            await start_phase(session, lease, Phase.PREPARE_JOB)


async def test_a_log_whose_file_is_gone_is_no_error(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    await book.artifact(lease, b"x")
    (book.root / str(lease.run_id) / "artifacts" / "phase-prepare_job.stdout").unlink()
    assert "no longer kept" in await page_of(web_process, f"/runs/{lease.run_id}")


# Nothing in it runs


async def test_whatever_others_wrote_is_text(web_process: WebProcess, book: Book, subtests: pytest.Subtests) -> None:
    for payload in PAYLOADS:
        with subtests.test(ascii(payload)):

            def poisoned(new: NewRun, text: str = payload) -> NewRun:
                # Names of repositories and people cannot hold such text: the database refuses it.
                return replace(new, issue_title=text, requested_spec_input=text)

            lease = await book.begun(poisoned)
            await book.artifact(lease, payload.encode())
            async with book.database.transaction() as session:
                await record_agent(session, lease, payload[:64], payload, payload, {}, allowed=[payload[:64]])
                await session.execute(
                    update(SpecAutomationRun)
                    .where(SpecAutomationRun.run_id == lease.run_id)
                    .values(branch_name=payload, base_branch=payload, worker_hostname=payload)
                )
                await note_report(session, lease, lease.run_id, pull_request_url=f"javascript:alert(1)//{payload}")
                await session.execute(
                    update(AutomationArtifact)
                    .where(AutomationArtifact.run_id == lease.run_id)
                    .values(name=payload, content_type="text/html")
                )
            await book.ended(lease, RunStatus.FAILED, payload)
            page = await page_of(web_process, f"/runs/{lease.run_id}")
            seen = harmless(page)
            assert "javascript:" not in "".join(seen.links)
            artifact_link = next(link for link in seen.links if "/artifacts/" in link)
            download = await web_process.client.get(f"/runs/{artifact_link}")
            assert await download.read() == payload.encode()
            assert download.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert re.fullmatch(r'attachment; filename="[\w.-]+"', download.headers["Content-Disposition"])
    harmless(await page_of(web_process, "/runs"))


async def test_every_answer_carries_the_headers_that_keep_browsers_calm(web_process: WebProcess, book: Book) -> None:
    lease = await book.begun()
    artifact = await book.artifact(lease, b"x")
    paths = ["/runs", f"/runs/{lease.run_id}", f"/runs/{lease.run_id}/artifacts/{artifact}", "/nothing", "/healthz"]
    paths += ["/readyz", "/webhooks/github"]
    for path in paths:
        response = await web_process.client.get(path, allow_redirects=False)
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert response.headers["X-Content-Type-Options"] == "nosniff", path
        assert response.headers["Referrer-Policy"] == "no-referrer", path
        assert "noindex" in response.headers["X-Robots-Tag"], path
        assert "Python" not in response.headers["Server"], path
        assert "Set-Cookie" not in response.headers, path
    assert "sandbox" in (await web_process.client.get(paths[2])).headers["Content-Security-Policy"]


async def test_the_policy_allows_exactly_the_style_of_the_page(web_process: WebProcess) -> None:
    response = await web_process.client.get("/runs")
    page = await response.text()
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]


# What is not shown


async def test_absent_private_and_malformed_are_the_same_404(
    web_process: WebProcess, book: Book, subtests: pytest.Subtests
) -> None:
    secret = await book.begun(lambda new: replace(new, private=True, issue_title="Secret plans"))
    secret_artifact = await book.artifact(secret, b"secret")
    public = await book.begun()
    artifact = await book.artifact(public, b"x")
    other = await book.begun()
    paths = [
        f"/runs/{secret.run_id}",
        f"/runs/{secret.run_id}/artifacts/{secret_artifact}",
        f"/runs/{public.run_id}/artifacts/{secret_artifact}",
        f"/runs/{other.run_id}/artifacts/{artifact}",
        f"/runs/{uuid4()}",
        f"/runs/{uuid4()}/artifacts/{uuid4()}",
        f"/runs/{public.run_id}/artifacts/{uuid4()}",
        f"/runs/{public.run_id}/artifacts/",
        f"/runs/{str(public.run_id).upper()}",
        f"/runs/{public.run_id.hex}",
        f"/runs/{{{public.run_id}}}",
        f"/runs/urn:uuid:{public.run_id}",
        "/runs/",
        "/runs/1",
        "/runs/%00",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/%2e%2e/%2e%2e/etc/passwd",
        f"/runs/{public.run_id}/artifacts/..%2f..%2f..%2fetc%2fpasswd",
        f"/runs/{public.run_id}/artifacts/%2e%2e%2fphase-prepare_job.stdout",
        f"/runs/{public.run_id}/artifacts/phase-prepare_job.stdout",
        f"/runs/{public.run_id}/artifacts/{'a' * 5000}",
        "/nothing",
        "/api/v1/runs",
        "/setup",
        "/metrics",
        "/static/style.css",
        "/.env",
    ]
    answers = set()
    for path in paths:
        with subtests.test(path):
            response = await web_process.client.get(path)
            headers = sorted((name, value) for name, value in response.headers.items() if name != "Date")
            answers.add((response.status, await response.text(), tuple(headers)))
            assert response.status == 404
    assert len(answers) == 1
    assert "Secret plans" not in await page_of(web_process, "/runs")


ANOTHER_HOST: dict[str, dict[str, str]] = {
    "forwarded": {"X-Forwarded-For": "203.0.113.9"},
    "forwarded, standard": {"Forwarded": "for=203.0.113.9"},
    "through a proxy": {"Via": "1.1 proxy"},
    "by a name of elsewhere": {"Host": "rebound.example"},
    "by an address of elsewhere": {"Host": "203.0.113.1"},
}


async def test_without_a_public_url_only_this_machine_sees_pages(
    web_process: WebProcess, book: Book, subtests: pytest.Subtests
) -> None:
    lease = await book.begun()
    artifact = await book.artifact(lease, b"x")
    for name, headers in ANOTHER_HOST.items():
        for path in ("/", "/runs", f"/runs/{lease.run_id}", f"/runs/{lease.run_id}/artifacts/{artifact}"):
            with subtests.test(name, path=path):
                response = await web_process.client.get(path, headers=headers, allow_redirects=False)
                assert response.status == 404
                assert await response.text() == await (await web_process.client.get("/nothing")).text()


async def test_with_a_public_url_everybody_sees_public_runs(start_web: StartWeb) -> None:
    web_process = await start_web(SPECKIT_PUBLIC_URL="https://speckit.example")
    book = Book(web_process.database, web_process.settings.artifact_root)
    lease = await book.begun()
    secret = await book.begun(lambda new: replace(new, private=True))
    for headers in ANOTHER_HOST.values():
        assert (await web_process.client.get(f"/runs/{lease.run_id}", headers=headers)).status == 200
        assert (await web_process.client.get(f"/runs/{secret.run_id}", headers=headers)).status == 404


async def test_a_file_that_was_swapped_is_not_served(web_process: WebProcess, book: Book, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("canary")
    lease = await book.begun()
    artifact = await book.artifact(lease, b"mine")
    folder = book.root / str(lease.run_id) / "artifacts"
    file = folder / "phase-prepare_job.stdout"
    path = f"/runs/{lease.run_id}/artifacts/{artifact}"
    assert (await web_process.client.get(path)).status == 200

    file.unlink()
    file.symlink_to(canary)
    assert (await web_process.client.get(path)).status == 404
    assert "canary" not in await page_of(web_process, f"/runs/{lease.run_id}")

    file.unlink()
    os.link(canary, file)
    assert (await web_process.client.get(path)).status == 404

    file.unlink()
    os.mkfifo(file)
    assert (await web_process.client.get(path)).status == 404

    file.unlink()
    file.mkdir()
    assert (await web_process.client.get(path)).status == 404

    file.rmdir()
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    (elsewhere / "phase-prepare_job.stdout").write_text("canary")
    folder.symlink_to(elsewhere)
    assert (await web_process.client.get(path)).status == 404


async def test_a_big_artifact_arrives_whole_and_is_only_announced_to_head(web_process: WebProcess, book: Book) -> None:
    content = os.urandom(3_000_000)
    lease = await book.begun()
    artifact = await book.artifact(lease, content, name="phase-prepare_job.patch", kind="diff_summary")
    path = f"/runs/{lease.run_id}/artifacts/{artifact}"
    response = await web_process.client.get(path)
    assert await response.read() == content
    head = await web_process.client.head(path)
    assert head.headers["Content-Length"] == "3000000"
    assert await head.read() == b""


# Probes, and what breaks


async def test_alive_and_ready(web_process: WebProcess) -> None:
    assert await (await web_process.client.get("/healthz")).json() == {"status": "alive"}
    assert await (await web_process.client.get("/readyz")).json() == {"status": "ready"}


async def test_not_ready_names_what_is_down(start_web: StartWeb, tmp_path: Path) -> None:
    web_process = await start_web(redis=f"unix://{tmp_path}/nobody.sock")
    response = await web_process.client.get("/readyz")
    assert response.status == 503
    assert (await response.json())["down"] == ["redis"]
    assert (await web_process.client.get("/healthz")).status == 200


async def test_what_breaks_tells_visitors_nothing(web_process: WebProcess, caplog: pytest.LogCaptureFixture) -> None:
    async with web_process.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE spec_automation_run RENAME TO elsewhere")
    response = await web_process.client.get("/runs")
    assert response.status == 500
    page = await response.text()
    harmless(page)
    assert "spec_automation_run" not in page
    assert "request_broke" in caplog.text


# Text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain \N{GRINNING FACE} text\n\ttab", "plain \N{GRINNING FACE} text\n\ttab"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\sixel", "sixel"),
        ("\x1b]never closed", ""),
        ("\x1b(Bcharset", "charset"),
        ("a\x1b", "a\N{SYMBOL FOR ESCAPE}"),
        ("10%\r20%\r\nnext", "10%\n20%\nnext"),
        ("a\x00b\x07c\x7f", "a\N{SYMBOL FOR NULL}b\N{SYMBOL FOR BELL}c\N{SYMBOL FOR DELETE}"),
        ("\u202eabc\u202c", "<U+202E RIGHT-TO-LEFT OVERRIDE>abc<U+202C POP DIRECTIONAL FORMATTING>"),
        ("a\u200bb", "a<U+200B ZERO WIDTH SPACE>b"),
        ("\u2028", "<U+2028 LINE SEPARATOR>"),
        ("\x85", "<U+0085>"),
    ],
)
def test_output_is_shown_without_codes_and_with_nothing_hidden(raw: str, shown: str) -> None:
    assert readable(raw) == shown


def test_the_last_lines_are_whole_and_bad_bytes_are_no_error() -> None:
    assert last_lines(b"a\nb\xff\nc\n", 2) == "b\N{REPLACEMENT CHARACTER}\nc"
    assert last_lines(b"", 5) == ""


async def test_there_is_no_route_but_these(web_process: WebProcess) -> None:
    assert web_process.client.app is not None
    routes = {
        (route.method, route.resource.canonical) for route in web_process.client.app.router.routes() if route.resource
    }
    assert routes == {
        ("POST", "/webhooks/github"),
        *((method, path) for method in ("GET", "HEAD") for path in ("/healthz", "/readyz", "/", "/runs")),
        *((method, "/runs/{run_id}") for method in ("GET", "HEAD")),
        *((method, "/runs/{run_id}/artifacts/{artifact_id}") for method in ("GET", "HEAD")),
    }


async def test_a_repository_made_private_hides_the_pages_of_its_runs(start_web: StartWeb) -> None:
    process = await start_web(SPECKIT_PUBLIC_URL="https://speckit.example")
    book = Book(process.database, process.settings.artifact_root)
    lease = await book.begun(lambda new: replace(new, repository_id=1296269))
    artifact = await book.artifact(lease, b"x")
    elsewhere = await book.begun()
    paths = [f"/runs/{lease.run_id}", f"/runs/{lease.run_id}/artifacts/{artifact}"]
    assert [(await process.client.get(path)).status for path in paths] == [200, 200]
    payload = comment_payload("/speckit help", repository__private=True)
    assert await process.deliver(payload) == 202
    async with asyncio.timeout(30):
        while (await process.client.get(paths[0])).status == 200:
            await asyncio.sleep(0.02)
    assert [(await process.client.get(path)).status for path in paths] == [404, 404]
    assert str(lease.run_id) not in await page_of(process, "/runs")
    assert (await process.client.get(f"/runs/{elsewhere.run_id}")).status == 200


def test_every_phase_and_every_way_to_ask_has_words() -> None:
    assert set(PHASE_LABELS) == set(Phase)
    assert set(TRIGGER_WORDS) == set(Trigger)
