"""The run page lists what the agent tried to reach."""

from __future__ import annotations

from sqlalchemy import update

from db.models import SpecAutomationTaskState
from db.vocabulary import Phase
from tests.bot.conftest import WebProcess
from tests.bot.test_pages import PAYLOADS, Book, harmless, page_of


async def noted(book: Book, details: dict[str, object]) -> str:
    """The path of the page of a run whose ``speckit_specify`` kept these details."""
    lease = await book.begun()
    async with book.database.transaction() as session:
        await session.execute(
            update(SpecAutomationTaskState)
            .where(SpecAutomationTaskState.run_id == lease.run_id)
            .where(SpecAutomationTaskState.phase == Phase.SPECKIT_SPECIFY)
            .values(details=details)
        )
    return f"/runs/{lease.run_id}"


async def test_the_page_lists_hosts_how_often_and_when(web_process: WebProcess) -> None:
    book = Book(web_process.database, web_process.settings.artifact_root)
    details: dict[str, object] = {
        "refused_hosts": [{"host": "example.com", "times": 3}],
        "refused_unnamed": 7,
        "reached_hosts": [{"host": "pypi.org", "times": 2}],
    }
    seen = harmless(await page_of(web_process, await noted(book, details)))
    words = " ".join(seen.text.split())
    assert "Network" in words
    assert "example.com 3 speckit_specify refused" in words
    assert "other places, or none by name 7 speckit_specify refused" in words
    assert "pypi.org 2 speckit_specify reached" in words


async def test_without_any_there_is_no_such_section(web_process: WebProcess) -> None:
    book = Book(web_process.database, web_process.settings.artifact_root)
    assert "Network" not in await page_of(web_process, await noted(book, {}))


async def test_whatever_a_name_holds_is_text(web_process: WebProcess) -> None:
    book = Book(web_process.database, web_process.settings.artifact_root)
    hosts = [{"host": payload, "times": 1} for payload in PAYLOADS]
    harmless(await page_of(web_process, await noted(book, {"refused_hosts": hosts})))
