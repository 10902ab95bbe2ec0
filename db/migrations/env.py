"""Run by Alembic. The connection comes from db/migrate.py, which also holds the transaction: there is no ini file."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from db.base import Base
from db.types import CleanJson, CleanText, UtcDateTime


def plain_type(kind: str, item: object, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write our column types into a new revision as what they are in the database: revisions import nothing of ours."""
    if kind != "type":
        return False
    if isinstance(item, CleanText):
        return f"sa.String(length={item.bound})"
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return "sa.JSON(none_as_null=True)" if isinstance(item, CleanJson) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=plain_type,
    # SQLite can do it when the transaction was begun for real, as db/session.py does.
    transactional_ddl=True,
)
context.run_migrations()
