"""Where a configuration is read, for how long it counts, and what happens when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.configuration import source
from bot.configuration.effective import Layer, effective
from bot.configuration.model import CONFIG_PATH
from bot.configuration.source import ConfigurationSource, operator_layer, usual_layer
from bot.github.errors import AccessLost, GitHubError, Refused, Unavailable
from bot.settings import Settings, SettingsError
from tests.bot.deliveries import SECRET
from tests.bot.fake_repos import FakeRepo, FakeRepos


@pytest.fixture
def settings(app_key: str, tmp_path: Path) -> Settings:
    return made(app_key, tmp_path)


def made(app_key: str, tmp_path: Path, **variables: object) -> Settings:
    given = {
        "GITHUB_APP_ID": 12345,
        "GITHUB_APP_PRIVATE_KEY": app_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "SPECKIT_DATA_DIR": tmp_path,
    }
    return Settings.model_validate({**given, **variables})


@pytest.fixture
def github() -> FakeRepos:
    return FakeRepos()


async def test_only_the_default_branch_is_asked(settings: Settings, github: FakeRepos) -> None:
    github.files[CONFIG_PATH, "mine"] = b"commands: {specify: {role: read}}"
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert config.role_of("specify") == "write"
    assert github.asked == ["org_file acme", f"file {CONFIG_PATH}"]


async def test_the_repository_has_the_word_after_its_organisation(settings: Settings, github: FakeRepos) -> None:
    github.org_files[CONFIG_PATH] = b"commands: {plan: {role: maintain}, tasks: {role: admin}}"
    github.configure("commands: {plan: {role: triage}}")
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert (config.role_of("plan"), config.role_of("tasks")) == ("triage", "admin")
    origins = {row.key: row.origin for row in config.rows()}
    assert (origins["commands.plan.role"], origins["commands.tasks.role"]) == ("acme/shop", "acme/.github")


async def test_the_organisations_own_repository_is_read_once(settings: Settings, github: FakeRepos) -> None:
    repo = FakeRepo(github)
    repo.slug = "acme/.github"
    github.configure("retention_days: 14")
    config = await ConfigurationSource(github, settings).of(repo)
    assert config.retention_days == 14
    assert github.asked == [f"file {CONFIG_PATH}"]


async def test_the_operator_has_the_last_word(app_key: str, tmp_path: Path, github: FakeRepos) -> None:
    (tmp_path / "operator.yml").write_text("commands: {specify: {role: admin}}\nlimits: {runs: 2}\n")
    settings = made(app_key, tmp_path, SPECKIT_CONFIG_FILE=tmp_path / "operator.yml")
    github.configure("commands: {specify: {role: read}}\nlimits: {runs: 9, run_timeout: 600}")
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert (config.role_of("specify"), config.limits.runs, config.limits.run_timeout) == ("admin", 2, 600)


async def test_several_commands_in_a_row_read_it_once(settings: Settings, github: FakeRepos) -> None:
    configuration = ConfigurationSource(github, settings)
    first = await configuration.of(FakeRepo(github))
    github.configure("retention_days: 14")
    assert await configuration.of(FakeRepo(github)) is first
    assert github.calls("file") == 1
    configuration.forget(FakeRepo.repository_id)
    assert (await configuration.of(FakeRepo(github))).retention_days == 14
    configuration.forget(1)


async def test_after_a_while_it_is_read_again(settings: Settings, github: FakeRepos) -> None:
    seconds = 100.0
    configuration = ConfigurationSource(github, settings, clock=lambda: seconds)
    await configuration.of(FakeRepo(github))
    github.configure("retention_days: 14")
    seconds += source.FRESH_SECONDS - 1
    assert (await configuration.of(FakeRepo(github))).retention_days == 30
    seconds += 1
    assert (await configuration.of(FakeRepo(github))).retention_days == 14


async def test_what_is_kept_is_bounded(settings: Settings, github: FakeRepos) -> None:
    configuration = ConfigurationSource(github, settings)
    for number in range(source.MOST_KEPT + 10):
        repo = FakeRepo(github)
        repo.repository_id = number
        await configuration.of(repo)
    assert github.calls("file") == source.MOST_KEPT + 10
    repo = FakeRepo(github)
    repo.repository_id = source.MOST_KEPT + 9
    await configuration.of(repo)
    assert github.calls("file") == source.MOST_KEPT + 10, "the newest are kept"


# What cannot be read


@pytest.mark.parametrize("verb", ["file", "org_file"])
@pytest.mark.parametrize("error", [Unavailable("no"), AccessLost("no")], ids=lambda error: type(error).__name__)
async def test_without_knowing_the_configuration_there_is_none(
    settings: Settings, github: FakeRepos, verb: str, error: GitHubError
) -> None:
    configuration = ConfigurationSource(github, settings)
    github.failing[verb] = error
    with pytest.raises(GitHubError) as raised:
        await configuration.of(FakeRepo(github))
    assert raised.value is error
    github.failing.clear()
    assert (await configuration.of(FakeRepo(github))).role_of("specify") == "write", "and nothing of it was kept"


@pytest.mark.parametrize("verb", ["file", "org_file"])
async def test_what_is_no_file_opens_nothing(settings: Settings, github: FakeRepos, verb: str) -> None:
    github.failing[verb] = Refused("reading it: it is not a file")
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert (config.role_of("specify"), config.role_of("help")) == ("admin", "read")
    assert config.closed_by_mistake("specify") is not None


@pytest.mark.parametrize("content", ["commands: [", "commands: {specify: {role: raed}}", "\x00", "a: &a [*a]"])
async def test_a_broken_file_opens_nothing(settings: Settings, github: FakeRepos, content: str) -> None:
    github.configure(content)
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert config.role_of("specify") == "admin"
    assert "line 1" in str(config.closed_by_mistake("specify"))


async def test_a_broken_file_of_the_organisation_opens_nothing_either(settings: Settings, github: FakeRepos) -> None:
    github.org_files[CONFIG_PATH] = b"commands: ["
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    assert config.role_of("specify") == "admin"
    assert "acme/.github" in str(config.closed_by_mistake("specify"))


# What the operator says


@pytest.mark.parametrize(
    ("variables", "runs", "person", "timeout", "days"),
    [
        ({}, 4, 3, 3600, 30),
        (
            {
                "SPECKIT_MAX_RUNS_PER_REPOSITORY": 1000,
                "SPECKIT_MAX_RUNS_PER_PERSON": 900,
                "SPECKIT_RUN_TIMEOUT": 10,
                "SPECKIT_RETENTION_DAYS": 9999,
            },
            64,
            64,
            60,
            3650,
        ),
    ],
)
def test_the_operators_settings_are_what_holds_where_nobody_says_anything(
    app_key: str, tmp_path: Path, variables: dict[str, object], runs: int, person: int, timeout: int, days: int
) -> None:
    config = effective([usual_layer(made(app_key, tmp_path, **variables))])
    limits = config.limits
    assert (limits.runs, limits.runs_per_person, limits.run_timeout) == (runs, person, timeout)
    assert config.retention_days == days
    assert {row.origin for row in config.rows() if row.key.startswith("limits.run")} == {"the operator's settings"}


def test_without_a_file_the_operator_locks_nothing() -> None:
    assert operator_layer(None, ["template"]) is None


def test_an_operators_file_locks_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "operator.yml"
    path.write_text("agent: template\n")
    layer = operator_layer(path, ["template"])
    assert layer == Layer("the operator", layer.config if layer else effective([]).config, locks=True)
    assert layer is not None
    assert layer.config.agent == "template"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("retention_days: 3\n", "line 1"),
        ("# mine\nagent: codex_cli\n", "line 2"),
        ("comands: {}\n", "line 1"),
        ("commands: [\n", "line"),
    ],
)
def test_a_mistake_of_the_operators_stops_the_start(
    app_key: str, tmp_path: Path, github: FakeRepos, content: str | None, words: str
) -> None:
    path = tmp_path / "operator.yml"
    if content is not None:
        path.write_text(content)
    settings = made(app_key, tmp_path, SPECKIT_CONFIG_FILE=path)
    with pytest.raises(SettingsError, match="SPECKIT_CONFIG_FILE") as raised:
        ConfigurationSource(github, settings)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
