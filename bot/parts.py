"""The parts that the web process and the worker share, put together from the settings: one way to GitHub, one reporter,
one intake."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from bot.configuration.source import ConfigurationSource
from bot.github.app_auth import AppAuth
from bot.github.app_deliveries import AppDeliveries
from bot.github.rate_gate import Pace
from bot.github.repo_client import GitHub
from bot.intake import IntakeService
from bot.queue import WakesRuns
from bot.redelivering import Redelivery
from bot.reporting.reporter import RunReporter
from bot.settings import Settings
from db.session import Database


@dataclass(frozen=True, slots=True)
class BotParts:
    """What listens and speaks."""

    github: GitHub
    reporter: RunReporter
    intake: IntakeService
    redelivery: Redelivery


WEB_PACE, WORKER_PACE = Pace(0.25, longest_wait=5.0), Pace(0.75)
"""Of the content GitHub lets an installation create: the web process answers, the workers report.

An answer that would have to wait is left to the sweeper: it would hold back the commands that came after it."""


def bot_parts(
    settings: Settings, database: Database, http: aiohttp.ClientSession, queue: WakesRuns, *, pace: Pace
) -> BotParts:
    """``pace``: WEB_PACE or WORKER_PACE. Contacts nobody. ``http``, ``database`` and ``queue`` are closed by the
    caller, and so is the reporter. Raises SettingsError for an operator's configuration file that holds a mistake.
    """
    auth = AppAuth(
        http, app_id=settings.github_app_id, private_key=settings.private_key, api_url=settings.github_api_url
    )
    github = GitHub(http, auth, settings.github_api_url, pace=pace)
    reporter = RunReporter(
        database,
        github,
        run_page_base=settings.run_page_base,
        web_url=settings.github_web_url,
        prefix=settings.command_prefix,
    )
    configuration = ConfigurationSource(github, settings)
    intake = IntakeService(settings, database, github, queue, configuration, reporter)
    return BotParts(github, reporter, intake, Redelivery(AppDeliveries(auth)))
