"""The operator's prices and budgets for models, as part of the settings."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.budgets import Budget, Price, Prices, SpendingRules

MOST_TOKENS = 10**12
MOST_USD = 1_000_000.0
MOST_REQUESTS = 10**9

_NUMBER = r"\d{1,6}(?:\.\d{1,9})?"
_PRICE = re.compile(rf"([^=\s]{{1,200}})=({_NUMBER})/({_NUMBER})/({_NUMBER})")
_EXAMPLE = (
    "MODEL=INPUT/CACHED/OUTPUT in US dollars for a million tokens, with commas between models, "
    "as in gpt-5-codex=1.25/0.125/10"
)


class SpendingSettings(BaseSettings):
    """Attributes without a number: there is no such budget. Costs are in US dollars."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    model_prices: Annotated[Prices, NoDecode] = Field({}, alias="SPECKIT_MODEL_PRICES", validate_default=True)
    run_tokens: int | None = Field(None, alias="SPECKIT_RUN_TOKENS", ge=1, le=MOST_TOKENS)
    run_cost: float | None = Field(None, alias="SPECKIT_RUN_COST", ge=0.01, le=MOST_USD)
    run_requests: int | None = Field(None, alias="SPECKIT_RUN_REQUESTS", ge=1, le=MOST_REQUESTS)
    day_tokens: int | None = Field(None, alias="SPECKIT_REPOSITORY_DAY_TOKENS", ge=1, le=MOST_TOKENS)
    day_cost: float | None = Field(None, alias="SPECKIT_REPOSITORY_DAY_COST", ge=0.01, le=MOST_USD)
    day_requests: int | None = Field(None, alias="SPECKIT_REPOSITORY_DAY_REQUESTS", ge=1, le=MOST_REQUESTS)

    @field_validator("model_prices", mode="before")
    @classmethod
    def _read_prices(cls, value: object) -> object:
        return read_prices(value) if isinstance(value, str) else value

    @property
    def spending(self) -> SpendingRules:
        """What the gateway goes by."""
        return SpendingRules(
            prices=self.model_prices,
            run=Budget(self.run_tokens, self.run_cost, self.run_requests),
            repository_day=Budget(self.day_tokens, self.day_cost, self.day_requests),
        )

    def require_prices(self, models: tuple[str, ...]) -> None:
        """A budget in dollars means nothing for a model without a price. Raises ValueError."""
        budgets = (("SPECKIT_RUN_COST", self.run_cost), ("SPECKIT_REPOSITORY_DAY_COST", self.day_cost))
        named = [name for name, most in budgets if most is not None]
        unpriced = [model for model in models if model not in self.model_prices]
        if named and unpriced:
            raise ValueError(
                f"{named[0]} is set, and SPECKIT_MODEL_PRICES has no price for {', '.join(unpriced)}; add it there, as "
                f"{unpriced[0]}=INPUT/CACHED/OUTPUT in US dollars for a million tokens"
            )


def read_prices(text: str) -> Prices:
    """``gpt-5-codex=1.25/0.125/10,...``. Raises ValueError with what follows the variable's name in a sentence."""
    prices: dict[str, Price] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        found = _PRICE.fullmatch(part)
        if found is None:
            raise ValueError(f"holds {part[:80]!r}, which is no price; write {_EXAMPLE}")
        if found[1] in prices:
            raise ValueError(f"has two prices for {found[1]}; leave one of them out")
        prices[found[1]] = Price(float(found[2]), float(found[3]), float(found[4]))
    return prices
