"""Writes the pages in ``docs/`` that are made from tables in the code. ``make docs`` runs it."""

from __future__ import annotations

from pathlib import Path

from bot.commands.help import reference_page as commands_page
from bot.configuration.reference import reference_page as configuration_page
from bot.configuration.schema import published

PAGES = {
    "docs/commands.md": commands_page,
    "docs/repository-configuration.md": configuration_page,
    "docs/speckit.schema.json": published,
}


def write(root: Path) -> None:
    """Write every generated page below ``root``. Raises OSError."""
    for name, page in PAGES.items():
        (root / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    write(Path())
