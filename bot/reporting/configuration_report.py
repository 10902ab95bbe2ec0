"""What is said about a ``speckit.yml`` in a pull request. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.configuration.model import CONFIG_PATH
from bot.configuration.problems import ConfigProblem
from bot.reporting.sanitize import code, inline
from bot.reporting.sections import count, listing

MOST_PROBLEMS = 50


def configuration_title(problems: Sequence[ConfigProblem]) -> str:
    """A plain line."""
    return f"{count(len(problems), 'mistake')} in {CONFIG_PATH}" if problems else "Every line counts"


def configuration_summary(problems: Sequence[ConfigProblem]) -> str:
    """What would not count once this is merged; until then the file of the default branch holds."""
    until = f"Until this is merged, `{CONFIG_PATH}` of the default branch holds."
    if not problems:
        return f"Nothing in `{CONFIG_PATH}` is unknown or wrong. {until}"
    lines = (f"line {problem.line}: {_sentence(problem)}" for problem in problems)
    listed = listing(lines, len(problems), MOST_PROBLEMS)
    return "\n".join([f"What is listed here would not count; all the rest would. {until}", "", *listed])


def _sentence(problem: ConfigProblem) -> str:
    meant = f" Did you mean {code(problem.did_you_mean)}?" if problem.did_you_mean else ""
    return f"{inline(problem.message, 1000)}{meant}"
