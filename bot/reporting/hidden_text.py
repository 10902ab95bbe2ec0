"""What was left out of the text that people wrote, because nobody could see it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands.hidden_text import HiddenKind
from bot.reporting.sections import count, joined
from db.models import SpecAutomationRun
from db.vocabulary import HIDDEN_TEXT

_WORDS: Mapping[HiddenKind, str] = {
    HiddenKind.ZERO_WIDTH: "zero-width character",
    HiddenKind.DIRECTION: "direction mark",
    HiddenKind.TAG: "tag character",
    HiddenKind.VARIATION: "variation selector",
    HiddenKind.SOFT_HYPHEN: "soft hyphen",
    HiddenKind.CONTROL: "control character",
    HiddenKind.OTHER: "other invisible character",
    HiddenKind.HTML_COMMENT: "HTML comment",
}


def hidden_counts(run: SpecAutomationRun) -> dict[HiddenKind, int]:
    """How many things of each kind were left out, in the order they are told; only those there were."""
    kept = (run.arguments or {}).get(HIDDEN_TEXT)
    told = kept if isinstance(kept, dict) else {}
    return {kind: found for kind in _WORDS if isinstance(found := told.get(kind.value), int) and found > 0}


def hidden_sentence(run: SpecAutomationRun) -> str:
    """For the run's comment; empty where nothing was hidden."""
    counts = hidden_counts(run)
    comments = counts.pop(HiddenKind.HTML_COMMENT, 0)
    characters = sum(counts.values())
    parts = [count(characters, "hidden character")] if characters else []
    parts += [count(comments, "HTML comment")] if comments else []
    if not parts:
        return ""
    were = "was" if characters + comments == 1 else "were"
    return f"{joined(parts)} {were} left out of what the agent read."


def hidden_by_kind(run: SpecAutomationRun) -> str:
    """The same kind by kind, for the run page."""
    return ", ".join(count(found, _WORDS[kind]) for kind, found in hidden_counts(run).items())
