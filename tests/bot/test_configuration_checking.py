"""The check run on a pull request that touches the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.configuration.checking import ConfigurationCheck
from bot.configuration.model import CONFIG_PATH
from bot.configuration.source import ConfigurationSource
from bot.events import Event
from bot.github.errors import Refused
from bot.settings import Settings
from tests.bot.deliveries import (
    HEAD,
    SECRET,
    check_run_payload,
    check_suite_payload,
    comment_payload,
    pull_request_payload,
)
from tests.bot.fake_repos import FakeRepo, FakeRepos
from tests.bot.situations import event_of

WRONG = b"comands:\n  specify: {role: write}\nretention_days: 3\n"


class Bench:
    """A check, and the GitHub it tells."""

    def __init__(self, settings: Settings) -> None:
        self.github = FakeRepos()
        self.github.pull_files[12] = ["README.md", CONFIG_PATH]
        self.source = ConfigurationSource(self.github, settings)
        self.check = ConfigurationCheck(self.source)

    def at_head(self, content: bytes, sha: str = HEAD) -> None:
        self.github.files[CONFIG_PATH, sha] = content

    async def hears(self, event: Event) -> bool:
        return await self.check.heard(FakeRepo(self.github), event)

    async def pushed(self, action: str = "synchronize", **paths: Any) -> bool:
        return await self.hears(event_of("pull_request", pull_request_payload(action, **paths)))


@pytest.fixture
def bench(app_key: str, tmp_path: Path) -> Bench:
    given = {"GITHUB_APP_ID": 12345, "GITHUB_APP_PRIVATE_KEY": app_key, "GITHUB_WEBHOOK_SECRET": SECRET}
    return Bench(Settings.model_validate({**given, "SPECKIT_DATA_DIR": tmp_path}))


async def test_mistakes_stand_on_their_lines(bench: Bench) -> None:
    bench.at_head(WRONG)
    assert await bench.pushed("opened")
    (check,) = bench.github.checks
    assert check == snapshot(
        {
            "name": "speckit configuration",
            "head_sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "external_id": "configuration",
            "status": "completed",
            "conclusion": "failure",
            "output": {
                "title": "2 mistakes in .github/speckit.yml",
                "summary": """\
What is listed here would not count; all the rest would. Until this is merged, `.github/speckit.yml` of the default branch holds.

- line 1: comands is no key; the file takes one of commands, agent, model, phases, base\\_branch, project, labels, pull\\_request, allowed\\_hosts, paths, triggers, retention\\_days, limits; until this is corrected, every command that does something needs the admin role. Did you mean `commands`?
- line 3: retention\\_days is 3; it takes a whole number from 7 to 3650.\
""",
                "annotations": [
                    {
                        "path": ".github/speckit.yml",
                        "start_line": 1,
                        "end_line": 1,
                        "annotation_level": "failure",
                        "title": "speckit.yml: comands",
                        "message": "comands is no key; the file takes one of commands, agent, model, phases, base_branch, project, labels, pull_request, allowed_hosts, paths, triggers, retention_days, limits; until this is corrected, every command that does something needs the admin role. Did you mean commands?",
                    },
                    {
                        "path": ".github/speckit.yml",
                        "start_line": 3,
                        "end_line": 3,
                        "annotation_level": "warning",
                        "title": "speckit.yml: retention_days",
                        "message": "retention_days is 3; it takes a whole number from 7 to 3650.",
                    },
                ],
            },
        }
    )


async def test_a_file_without_mistakes_is_told_too(bench: Bench) -> None:
    bench.at_head(b"retention_days: 30\n")
    assert await bench.pushed()
    (check,) = bench.github.checks
    assert (check["conclusion"], check["output"]["annotations"]) == ("success", [])
    assert check["output"] == snapshot(
        {
            "title": "Every line counts",
            "summary": "Nothing in `.github/speckit.yml` is unknown or wrong. Until this is merged, `.github/speckit.yml` of the default branch holds.",
            "annotations": [],
        }
    )


async def test_every_head_has_its_own_check_and_one_only(bench: Bench) -> None:
    bench.at_head(WRONG)
    bench.at_head(b"retention_days: 30\n", "c" * 40)
    await bench.pushed()
    await bench.pushed("reopened")
    await bench.pushed(pull_request__head__sha="c" * 40)
    assert [(check["head_sha"], check["conclusion"]) for check in bench.github.checks] == [
        (HEAD, "failure"),
        ("c" * 40, "success"),
    ]


async def test_what_is_no_file_is_a_mistake(bench: Bench) -> None:
    bench.github.failing["file"] = Refused("reading it: it is not a file")
    assert await bench.pushed()
    assert bench.github.checks[0]["conclusion"] == "failure"


async def test_a_pull_request_that_takes_the_file_away_has_none_to_check(bench: Bench) -> None:
    assert not await bench.pushed()
    assert bench.github.checks == []


async def test_other_pull_requests_are_left_alone(bench: Bench) -> None:
    bench.at_head(WRONG)
    bench.github.pull_files[12] = ["README.md", "docs/.github/speckit.yml"]
    assert not await bench.pushed()
    assert not await bench.pushed(pull_request__head__repo=None)
    assert not await bench.pushed("closed")
    assert bench.github.checks == []


async def test_a_fork_is_not_even_looked_at(bench: Bench) -> None:
    bench.at_head(WRONG)
    assert not await bench.pushed(pull_request__head__repo__id=99)
    assert bench.github.asked == []


async def test_closing_one_lets_the_file_be_read_anew(bench: Bench) -> None:
    assert (await bench.source.of(FakeRepo(bench.github))).retention_days == 30
    bench.github.configure("retention_days: 14")
    await bench.pushed("closed")
    assert (await bench.source.of(FakeRepo(bench.github))).retention_days == 14


async def test_asked_for_again_it_is_a_new_check_run(bench: Bench) -> None:
    bench.at_head(WRONG)
    await bench.pushed()
    again = check_run_payload("rerequested", check_run__external_id="configuration")
    assert await bench.hears(event_of("check_run", again))
    assert await bench.hears(event_of("check_suite", check_suite_payload()))
    assert [check["external_id"] for check in bench.github.checks] == ["configuration"] * 3


async def test_other_checks_and_events_are_not_about_it(bench: Bench) -> None:
    bench.at_head(WRONG)
    for name, payload in (
        ("check_run", check_run_payload("rerequested")),
        ("check_run", check_run_payload(check_run__external_id="configuration")),
        ("check_suite", check_suite_payload()),
        ("issue_comment", comment_payload()),
    ):
        assert not await bench.hears(event_of(name, payload))
    assert bench.github.checks == []
