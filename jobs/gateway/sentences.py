"""What people are told of budgets. Pure."""

from __future__ import annotations

from db.budgets import Measure
from jobs.gateway.accounts import Reached


def budget_sentence(reached: Reached, prefix: str) -> str:
    """Which budget is used up, who can raise it, and what to do then. ``prefix`` is that of commands."""
    name = reached.measure.value
    if reached.by_day:
        whose, cure = "This repository's budget for today", "It is new at 00:00 UTC, and whoever runs this bot can"
        setting = f"SPECKIT_REPOSITORY_DAY_{name.upper()}"
    elif reached.of_repository:
        whose, cure = "The budget of this run", "Whoever maintains this repository can"
        setting = f"limits.{name}"
    else:
        whose, cure = "The budget of this run", "Whoever runs this bot can"
        setting = f"SPECKIT_RUN_{name.upper()}"
    spent = f"{_amount(reached.measure, reached.spent)} of {_amount(reached.measure, reached.most)}"
    return (
        f"{whose} is used up: {spent} {_unit(reached.measure)} (`{setting}`). "
        f"{cure} raise it; then `{prefix} retry` goes on with this phase."
    )


def no_price_sentence(model: str) -> str:
    """Why a budget in dollars cannot be kept."""
    return (
        f"`limits.cost` cannot be kept, because no price is known for the model {model}. Whoever runs this bot can add "
        "it to SPECKIT_MODEL_PRICES; without that, take `limits.cost` out of the repository's configuration."
    )


def used_up_briefly(reached: Reached | None) -> str:
    """For the agent."""
    what = _unit(reached.measure) if reached is not None else "it"
    return f"the budget for {what} is used up: stop working, no request will be answered any more"


def _amount(measure: Measure, number: float) -> str:
    if measure is not Measure.COST:
        return f"{int(number):,}"
    return f"{number:.2f}" if number >= 0.1 else f"{number:.4f}"


def _unit(measure: Measure) -> str:
    return "USD" if measure is Measure.COST else measure.value
