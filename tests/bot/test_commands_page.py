"""docs/commands.md is made from the table of commands."""

from __future__ import annotations

from pathlib import Path

from bot.commands.help import reference_page


def test_the_page_in_docs_is_what_the_table_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "commands.md"
    assert page.read_text() == reference_page(), "write docs/commands.md anew: make docs"
