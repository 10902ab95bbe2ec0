"""What a repository lets its runs spend: less than the operator's budget if it likes, never more, and anew for a retry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.commands.model import RunCommand
from bot.configuration.effective import EffectiveConfig, Layer
from bot.configuration.reading import read_config
from bot.configuration.source import bounded, usual_layer
from bot.retrying import retry
from bot.settings import Settings
from bot.starting import Offer, Situation, requested_run
from db.budgets import Budget, asked_for
from db.opening import NewRun
from db.vocabulary import Phase, Trigger, Verb
from tests.bot.deliveries import SECRET
from tests.bot.situations import config_of, on_issue
from tests.bot.test_retrying import ended_at


@pytest.fixture
def settings(app_key: str, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "GITHUB_APP_ID": 12345,
            "GITHUB_APP_PRIVATE_KEY": app_key,
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "SPECKIT_DATA_DIR": tmp_path,
            "SPECKIT_RUN_TOKENS": 1_000_000,
            "SPECKIT_RUN_COST": 2.5,
        }
    )


def held(settings: Settings, text: str) -> EffectiveConfig:
    """What holds for a repository that says ``text`` under these settings."""
    usual = usual_layer(settings)
    return bounded([usual, Layer("acme/shop", read_config(text).config)], usual)


def new_run(config: EffectiveConfig) -> NewRun:
    situation = Situation(on_issue(), config, Offer(["template"], {}, "template", "/speckit"))
    made = requested_run(situation, RunCommand(Verb.SPECIFY, "x"), 0, Trigger.COMMENT)
    assert isinstance(made, NewRun)
    return made


def shown(config: EffectiveConfig) -> dict[str, tuple[str, str]]:
    names = ("limits.tokens", "limits.cost", "limits.requests")
    return {row.key: (row.value, row.origin) for row in config.rows() if row.key in names}


def test_where_nobody_says_anything_the_operators_budget_is_shown_and_not_kept(settings: Settings) -> None:
    config = held(settings, "")
    assert shown(config) == {
        "limits.tokens": ("1000000", "the operator's settings"),
        "limits.cost": ("2.5", "the operator's settings"),
        "limits.requests": ("", "default"),
    }
    assert "budget" not in new_run(config).arguments, "raised later, it holds for runs that wait too"


def test_a_repository_may_spend_less(settings: Settings) -> None:
    config = held(settings, "limits: {tokens: 50000, cost: 1, requests: 20}")
    assert shown(config) == {
        "limits.tokens": ("50000", "acme/shop"),
        "limits.cost": ("1", "acme/shop"),
        "limits.requests": ("20", "acme/shop"),
    }
    assert new_run(config).arguments["budget"] == {"tokens": 50_000, "cost": 1.0, "requests": 20}
    assert asked_for(new_run(config).arguments) == Budget(50_000, 1.0, 20)


def test_a_repository_never_gets_more(settings: Settings) -> None:
    config = held(settings, "limits: {tokens: 5000000, cost: 99.5}")
    assert shown(config)["limits.tokens"] == ("1000000", "the operator's settings")
    assert shown(config)["limits.cost"] == ("2.5", "the operator's settings")
    assert "budget" not in new_run(config).arguments


def test_what_holds_survives_being_kept(settings: Settings) -> None:
    config = held(settings, "limits: {cost: 1.25}")
    again = EffectiveConfig.from_json(config.to_json())
    assert (again.limits.cost, again.own_budget) == (1.25, {"cost": 1.25})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tokens: 0", "limits.tokens is 0; it takes a whole number from 1 to 1000000000000."),
        ("tokens: 1.5", "limits.tokens is 1.5; it takes a whole number from 1 to 1000000000000."),
        ("cost: 0.001", "limits.cost is 0.001; it takes a number from 0.01 to 1000000."),
        ("cost: -1", "limits.cost is -1; it takes a number from 0.01 to 1000000."),
        ("cost: 1e999", "limits.cost is 1e999; it takes a number from 0.01 to 1000000."),
        ('cost: "2.50"', 'limits.cost is "2.50"; it takes a number from 0.01 to 1000000.'),
        ("cost: true", "limits.cost is true; it takes a number from 0.01 to 1000000."),
        ("cost: [1]", "limits.cost is a list; it takes a number from 0.01 to 1000000."),
    ],
)
def test_a_number_that_cannot_be_is_told_and_left_out(line: str, message: str) -> None:
    reading = read_config(f"limits: {{{line}}}")
    (problem,) = reading.problems
    assert problem.message == message
    assert (problem.did_you_mean == "2.50") == (line == 'cost: "2.50"')
    assert (reading.config.limits.tokens, reading.config.limits.cost) == (None, None)


@pytest.mark.parametrize(
    ("then", "now", "kept"),
    [
        ({"tokens": 100}, "limits: {tokens: 200}", {"tokens": 200}),
        ({"tokens": 100, "cost": 1.0}, "", None),
        ({}, "limits: {cost: 1}", {"cost": 1.0}),
    ],
)
def test_a_retry_may_spend_what_the_repository_says_now(
    then: dict[str, Any], now: str, kept: dict[str, Any] | None
) -> None:
    run = ended_at(Phase.SPECKIT_PLAN, arguments={"budget": then, "run_timeout": 600})
    made = retry(run, None, on_issue(), config_of(now), 0, "/speckit")
    assert isinstance(made, NewRun)
    assert made.arguments.get("budget") == kept
    assert made.arguments["run_timeout"] == 600, "everything else is as it was asked for"
