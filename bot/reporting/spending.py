"""What a run spent on models, by phase and in all, and what is left of its budget. Pure.

What the gateway counted comes first. An agent's own numbers stand in for a phase that it did not count, or that it knew
no price for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.budgets import Budget, BudgetState, Measure, Spent, Tokens
from db.models import ModelUsage, SpecAutomationRun
from db.vocabulary import AGENT_PHASES, Phase


@dataclass(frozen=True, slots=True)
class Spending:
    """``tokens`` and ``cost`` (US dollars) are None where nobody told any. ``requests`` are those the gateway passed
    on, ``refused`` those it did not."""

    tokens: Tokens | None = None
    cost: float | None = None
    requests: int = 0
    refused: int = 0


def spending_of(run: SpecAutomationRun, phase: Phase) -> Spending:
    """All attempts of one phase."""
    told = _details(run, phase)
    own_cost = told.get("cost_usd")
    cost = float(own_cost) if isinstance(own_cost, int | float) and not isinstance(own_cost, bool) else None
    rows = [row for row in run.model_usage if row.phase == phase]
    if rows:
        found = _sum(rows)
        return found if found.cost is not None else Spending(found.tokens, cost, found.requests, found.refused)
    read, written = told.get("input_tokens"), told.get("output_tokens")
    if not isinstance(read, int) and not isinstance(written, int):
        return Spending(cost=cost)
    return Spending(Tokens(read=read or 0, written=written or 0), cost)


def spending_in_all(run: SpecAutomationRun) -> Spending:
    """All phases, as far as anything is known of them."""
    found = [spending_of(run, phase) for phase in AGENT_PHASES]
    tokens = [one.tokens for one in found if one.tokens is not None]
    costs = [one.cost for one in found if one.cost is not None]
    return Spending(
        sum(tokens, Tokens()) if tokens else None,
        sum(costs) if costs else None,
        sum(one.requests for one in found),
        sum(one.refused for one in found),
    )


def by_model(run: SpecAutomationRun, phase: Phase) -> Mapping[str, Spending]:
    """What the gateway counted in one phase, by model; requests that named none that was allowed have none."""
    rows = [row for row in run.model_usage if row.phase == phase]
    return {model: _sum([row for row in rows if row.model == model]) for model in sorted({row.model for row in rows})}


def was_metered(run: SpecAutomationRun) -> bool:
    """Whether the gateway counted anything of the run."""
    return bool(run.model_usage)


def tokens_words(tokens: Tokens) -> str:
    """``1,200 tokens in, 300 out``."""
    return f"{tokens.read:,} tokens in, {tokens.written:,} out"


def usd(cost: float) -> str:
    """``2.50 USD``; more digits of little. Not "$0.42": between two dollar signs GitHub sets mathematics."""
    return f"{cost:.2f} USD" if cost >= 0.1 or cost == 0 else f"{cost:.4f} USD"


def budget_words(state: BudgetState | None) -> str:
    """``1,620 of 50,000 tokens, 0.12 of 2.50 USD; in this repository today 9 of 100 requests``; empty without one."""
    if state is None:
        return ""
    run, day = _of(state.run, state.spent), _of(state.repository_day, state.spent_today)
    return "; ".join(part for part in (run, f"in this repository today {day}" if day else "") if part)


def _of(budget: Budget, spent: Spent) -> str:
    parts = []
    for measure in Measure:
        most = budget.most(measure)
        if most is None:
            continue
        if measure is Measure.COST:
            parts.append(f"{usd(spent.cost).removesuffix(' USD')} of {usd(most)}")
        else:
            parts.append(f"{int(spent.of(measure)):,} of {int(most):,} {measure.value}")
    return ", ".join(parts)


def _sum(rows: list[ModelUsage]) -> Spending:
    asked = [row for row in rows if row.requests]
    costs = [row.cost_usd for row in asked if row.cost_usd is not None]
    return Spending(
        Tokens(
            sum(row.input_tokens for row in rows),
            sum(row.cached_input_tokens for row in rows),
            sum(row.output_tokens for row in rows),
        ),
        # Half of a cost is none.
        sum(costs) if len(costs) == len(asked) else None,
        sum(row.requests for row in rows),
        sum(row.refused_requests for row in rows),
    )


def _details(run: SpecAutomationRun, phase: Phase) -> Mapping[str, Any]:
    return next((state.details or {} for state in run.task_states if state.phase == phase), {})
