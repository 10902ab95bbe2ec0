"""What told the agent how to work came from the base branch and not from the pull request's. Pure."""

from __future__ import annotations

from bot.reporting import sanitize
from bot.reporting.sections import joined
from db.models import SpecAutomationRun
from db.vocabulary import RESTORED, Phase

MOST_SHOWN = 5


def restored_sentence(run: SpecAutomationRun) -> str:
    """For the run's comment; empty where both branches have the same."""
    paths, count = restored_paths(run)
    if not paths:
        return ""
    more = count - len(paths[:MOST_SHOWN])
    listed = [sanitize.code(path) for path in paths[:MOST_SHOWN]] + ([f"{more} more"] if more > 0 else [])
    base = sanitize.code(run.base_branch or "")
    return f"The agent worked with {joined(listed)} as on {base}, not as on this pull request's branch."


def restored_paths(run: SpecAutomationRun) -> tuple[list[str], int]:
    """Paths, the first of them, and how many there are in all."""
    details = next((state.details or {} for state in run.task_states if state.phase == Phase.GIT_CLONE), {})
    kept, count = details.get(RESTORED), details.get("restored_in_all")
    paths = [path for path in kept if isinstance(path, str)] if isinstance(kept, list) else []
    return paths, max(len(paths), count if isinstance(count, int) else 0)
