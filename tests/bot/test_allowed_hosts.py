"""What the operator lets agents reach: settings, the operator's file, and what a repository makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.configuration.operator_hosts import operator_hosts
from bot.configuration.reading import read_config
from bot.configuration.source import ConfigurationSource, host_policy, operator_layer
from bot.settings import Settings, SettingsError
from bot.starting import hosts_of
from db.allowed_hosts import AllowedHost
from db.vocabulary import Phase
from tests.bot.deliveries import SECRET
from tests.bot.fake_repos import FakeRepo, FakeRepos
from tests.bot.test_retrying import again_of, ended_at


@pytest.fixture
def github() -> FakeRepos:
    return FakeRepos()


def made(app_key: str, tmp_path: Path, **variables: object) -> Settings:
    given = {
        "GITHUB_APP_ID": 12345,
        "GITHUB_APP_PRIVATE_KEY": app_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "SPECKIT_DATA_DIR": tmp_path,
    }
    return Settings.model_validate({**given, **variables})


def test_the_setting_is_a_list_of_names(app_key: str, tmp_path: Path) -> None:
    settings = made(app_key, tmp_path, SPECKIT_ALLOWED_HOSTS="pypi.org, *.pythonhosted.org,mirror.corp=10.0.0.5:8443,")
    assert settings.allowed_hosts == (
        AllowedHost("pypi.org"),
        AllowedHost("*.pythonhosted.org"),
        AllowedHost("mirror.corp", "10.0.0.5", 8443),
    )
    assert made(app_key, tmp_path).allowed_hosts == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://pypi.org", r"names https://pypi\.org, but it is the name of a host alone"),
        ("pypi.org,10.0.0.1", r"names 10\.0\.0\.1, but it is an address"),
        ("*", r"names \*, but .*; write hosts like pypi\.org"),
        ("b\u00fccher.example", r"names b\\xfccher\.example, but .* xn-- form"),
        (",".join(f"n{number}.example" for number in range(51)), "names 51 hosts, and at most 50"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(app_key: str, tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as failed:
        made(app_key, tmp_path, SPECKIT_ALLOWED_HOSTS=text)
    assert failed.value.errors()[0]["loc"] == ("SPECKIT_ALLOWED_HOSTS",)


def operators_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "operator.yml"
    path.write_text(text)
    return path


REPOSITORIES = """\
commands: {implement: {off: true}}
repositories:
  Acme/Shop: {allowed_hosts: [registry.npmjs.org, mirror=10.0.0.5]}
  acme/*:
    allowed_hosts: []
"""


def test_the_operators_file_has_lists_for_single_repositories(tmp_path: Path, app_key: str) -> None:
    path = operators_file(tmp_path, REPOSITORIES)
    layer = operator_layer(path, ["template"])
    assert layer is not None
    assert layer.config.commands["implement"].off is True
    policy = host_policy(made(app_key, tmp_path, SPECKIT_ALLOWED_HOSTS="pypi.org", SPECKIT_CONFIG_FILE=path))
    assert [str(entry) for entry in policy.given_to("acme/shop")] == ["registry.npmjs.org", "mirror=10.0.0.5"]
    assert policy.given_to("acme/blog") == ()
    assert [str(entry) for entry in policy.given_to("octo/cat")] == ["pypi.org"]
    assert operator_hosts(None) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("allowed_hosts: [pypi.org]", "line 1: allowed_hosts stands for all repositories; SPECKIT_ALLOWED_HOSTS is"),
        ("agent: template\nrepositories: [acme/shop]", "line 2: repositories takes names like owner/name"),
        ("repositories: {shop: {allowed_hosts: []}}", "line 1: repositories names shop; it takes owner/name"),
        ("repositories: {'*/*': {allowed_hosts: []}}", "repositories names"),
        ("repositories:\n  a/b: {agent: template}", "line 2: a/b takes allowed_hosts, a list of at most 50 hosts"),
        ("repositories:\n  a/b: {allowed_hosts: pypi.org}", "line 2: a/b takes allowed_hosts"),
        ("repositories:\n  a/b: {allowed_hosts: [], x: 1}", "line 2: a/b takes allowed_hosts"),
        (
            "repositories:\n  a/b:\n    allowed_hosts:\n    - https://x.y",
            "line 4: allowed_hosts names https://x.y, but",
        ),
        ("repositories:\n  a/b:\n    allowed_hosts:\n    - [x]", "line 4: allowed_hosts names no host, but"),
        (
            "repositories:\n  a/b: {allowed_hosts: []}\n  A/b: {allowed_hosts: []}",
            "line 3: repositories names a/b twice",
        ),
        ("repositories: &x", "line 1: An anchor"),
    ],
)
def test_a_mistake_in_the_operators_file_stops_the_start(tmp_path: Path, text: str, words: str) -> None:
    path = operators_file(tmp_path, text)
    with pytest.raises(SettingsError) as failed:
        operator_hosts(path)
    assert str(failed.value).startswith(f"SPECKIT_CONFIG_FILE: {path}, ")
    assert words in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="set it to a readable file"):
        operator_hosts(tmp_path / "none.yml")


def test_a_repository_has_no_list_of_repositories() -> None:
    (problem,) = read_config(REPOSITORIES).problems
    assert "repositories is no key" in problem.message


@pytest.mark.parametrize(
    "name", ["pypi.org", "*.pythonhosted.org", "mirror", "xn--bcher-kva.example", "a_b.example", "PyPI.org", "-a.b"]
)
def test_a_repository_names_hosts_as_the_operator_does(name: str) -> None:
    reading = read_config(f"allowed_hosts: ['{name}']")
    fine = name not in {"PyPI.org", "-a.b"}
    assert (reading.config.allowed_hosts == ((name,) if fine else ())) or not fine
    assert bool(reading.problems) is not fine


async def held(
    settings: Settings, github: FakeRepos, wish: str = ""
) -> tuple[dict[str, object], tuple[str, str, str] | None]:
    """What a run keeps, and what ``config`` shows: value, origin, note."""
    github.configure(wish)
    config = await ConfigurationSource(github, settings).of(FakeRepo(github))
    shown = next(row for row in config.rows() if row.key == "allowed_hosts")
    return dict(hosts_of(config)), (shown.value, shown.origin, shown.note)


async def test_a_repository_gets_what_it_asks_for_of_what_is_allowed(
    app_key: str, tmp_path: Path, github: FakeRepos
) -> None:
    settings = made(app_key, tmp_path, SPECKIT_ALLOWED_HOSTS="pypi.org,*.pythonhosted.org,mirror=10.0.0.5")
    everything = ("pypi.org, *.pythonhosted.org, mirror", "the operator's settings", "")
    assert await held(settings, github) == ({}, everything)
    kept, shown = await held(settings, github, "allowed_hosts: [pypi.org]")
    assert (kept, shown) == ({"allowed_hosts": ["pypi.org"]}, ("pypi.org", "acme/shop", ""))
    kept, shown = await held(settings, github, "allowed_hosts: []")
    assert (kept, shown) == ({"allowed_hosts": []}, ("none", "acme/shop", ""))


async def test_a_repository_that_asks_for_more_is_shown_what_it_gets(
    app_key: str, tmp_path: Path, github: FakeRepos
) -> None:
    settings = made(app_key, tmp_path, SPECKIT_ALLOWED_HOSTS="pypi.org")
    kept, shown = await held(settings, github, "allowed_hosts: [pypi.org, evil.example]")
    assert kept == {"allowed_hosts": ["pypi.org"]}
    assert shown is not None
    assert shown[:2] == ("pypi.org", "the operator's settings")
    assert shown[2].startswith("locked; ")
    assert shown[2].endswith("acme/shop says pypi.org, evil.example")


async def test_where_nothing_is_allowed_a_wish_is_nothing(app_key: str, tmp_path: Path, github: FakeRepos) -> None:
    settings = made(app_key, tmp_path)
    assert await held(settings, github) == ({}, ("", "default", "none but the agent's model"))
    kept, shown = await held(settings, github, "allowed_hosts: [pypi.org]")
    assert kept == {"allowed_hosts": []}
    assert shown is not None
    assert shown[0] == "none"


def test_a_retry_reaches_what_is_allowed_when_somebody_retries() -> None:
    before = ended_at(Phase.SPECKIT_PLAN, arguments={"allowed_hosts": ["pypi.org"], "run_timeout": 60})
    kept = again_of(before).arguments
    assert "allowed_hosts" not in kept, "nobody asks for less than the operator allows any more"
    assert kept["run_timeout"] == 60
    kept = again_of(before, config="allowed_hosts: [registry.npmjs.org]").arguments
    assert kept["allowed_hosts"] == ["registry.npmjs.org"]
