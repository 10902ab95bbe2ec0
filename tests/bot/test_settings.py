"""A wrong value stops the start with one line that names the variable and the cure, and never shows the value."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.settings import Settings, SettingsError, load_settings
from db.budgets import Budget, Price, SpendingRules
from db.turns import Limits

SECRET = "a webhook secret of theirs"

KNOWN = (
    *("GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY_FILE", "GITHUB_WEBHOOK_SECRET"),
    *("GITHUB_API_URL", "GITHUB_WEB_URL", "SPECKIT_DATA_DIR", "DATABASE_URL", "REDIS_URL", "SPECKIT_ARTIFACT_ROOT"),
    *("SPECKIT_PUBLIC_URL", "HOST", "PORT", "DOCKER_HOST", "SPECKIT_JOB_IMAGE", "SPECKIT_AGENT_BACKENDS"),
    *("SPECKIT_DEFAULT_AGENT", "OPENAI_API_KEY", "OPENAI_BASE_URL", "SPECKIT_CODEX_MODEL", "SPECKIT_COMMAND_PREFIX"),
    *("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "SPECKIT_CLAUDE_MODEL", "GEMINI_API_KEY", "GEMINI_BASE_URL"),
    *("SPECKIT_GEMINI_MODEL", "SPECKIT_AGENT_IDLE_TIMEOUT", "SPECKIT_CUSTOM_ARGV", "SPECKIT_CUSTOM_VERSION_ARGV"),
    *("SPECKIT_CUSTOM_ENVIRONMENT", "SPECKIT_CUSTOM_INTEGRATION", "SPECKIT_CUSTOM_MODEL_API", "SPECKIT_CUSTOM_MODEL"),
    *("SPECKIT_MAX_RUNS", "SPECKIT_RUN_TIMEOUT", "SPECKIT_RETENTION_DAYS", "SPECKIT_LOG_FORMAT"),
    *("SPECKIT_AGENT_MODELS", "SPECKIT_CONFIG_FILE", "SPECKIT_MAX_RUNS_PER_INSTALLATION"),
    *("SPECKIT_MAX_RUNS_PER_REPOSITORY", "SPECKIT_MAX_RUNS_PER_PERSON"),
    *("SPECKIT_MODEL_PRICES", "SPECKIT_RUN_TOKENS", "SPECKIT_RUN_COST", "SPECKIT_RUN_REQUESTS"),
    *("SPECKIT_REPOSITORY_DAY_TOKENS", "SPECKIT_REPOSITORY_DAY_COST", "SPECKIT_REPOSITORY_DAY_REQUESTS"),
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, app_key: str, tmp_path: Path) -> pytest.MonkeyPatch:
    """The least a process needs, and nothing of the machine the tests run on."""
    for name in KNOWN:
        monkeypatch.delenv(name, raising=False)
    key_file = tmp_path / "key.pem"
    key_file.write_text(app_key)
    key_file.chmod(0o600)
    monkeypatch.setenv("GITHUB_APP_ID", "12345")
    monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY_FILE", str(key_file))
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    return monkeypatch


def load(environment: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return load_settings()


def refusal(environment: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(environment, **variables)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_three_variables_are_enough(environment: pytest.MonkeyPatch, app_key: str) -> None:
    settings = load(environment)
    assert settings.github_app_id == 12345
    assert settings.private_key == app_key
    assert settings.database_url == f"sqlite+aiosqlite:///{Path.cwd()}/var/speckit.db"
    assert settings.artifact_root == Path.cwd() / "var" / "runs"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.default_agent == "template"
    assert settings.redis_url is None
    assert settings.run_page_base is None
    assert not settings.github_is_loopback


@pytest.mark.parametrize("name", ["GITHUB_APP_ID", "GITHUB_WEBHOOK_SECRET", "GITHUB_APP_PRIVATE_KEY_FILE"])
@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, name: str, empty: bool) -> None:
    if empty:
        environment.setenv(name, "")
    else:
        environment.delenv(name)
    line = refusal(environment)
    assert line.startswith(f"{name} is missing")
    assert "set it" in line


WRONG = {
    "GITHUB_APP_ID": ["0", "-1", "abc", "1.5"],
    "GITHUB_WEBHOOK_SECRET": ["short", " "],
    "GITHUB_API_URL": ["api.github.com", "ftp://x", "https://", "https://user:pw@host", "http://h:99999", "http://h:x"],
    "GITHUB_WEB_URL": ["github.com"],
    "SPECKIT_PUBLIC_URL": ["localhost:8080", "javascript:alert(1)"],
    "PORT": ["70000", "-1", "http"],
    "DATABASE_URL": ["postgres://h/db", "sqlite:///x.db", "mysql+aiomysql://h/db"],
    "SPECKIT_AGENT_BACKENDS": ["gpt", "template,unknown", ","],
    "SPECKIT_DEFAULT_AGENT": ["codex_cli", "unknown"],
    "SPECKIT_COMMAND_PREFIX": ["speckit", "/", "/Speck it", "//"],
    "SPECKIT_MAX_RUNS": ["0", "1000", "two"],
    "SPECKIT_MAX_RUNS_PER_INSTALLATION": ["0", "-1", "1001", "many"],
    "SPECKIT_MAX_RUNS_PER_REPOSITORY": ["0", "-1", "1001", "1.5"],
    "SPECKIT_MAX_RUNS_PER_PERSON": ["0", "-1", "1001", "no"],
    "SPECKIT_RUN_TIMEOUT": ["1", "0"],
    "SPECKIT_RETENTION_DAYS": ["6", "0", "-1"],
    "SPECKIT_LOG_FORMAT": ["xml"],
    "SPECKIT_CONTAINER_RUNTIME": ["run sc", "-runsc", "x" * 101],
    "SPECKIT_USERNS": ["host", "yes"],
    "SPECKIT_REQUIRE_IMAGE_DIGEST": ["maybe"],
    "SPECKIT_MODEL_PRICES": ["gpt", "gpt=1/2", "gpt=1/2/x", "gpt=1/2/-3", "=1/2/3", "gpt=1/2/nan", "a=1/2/3,a=1/2/3"],
    "SPECKIT_RUN_TOKENS": ["0", "-1", "1.5", "1k"],
    "SPECKIT_RUN_COST": ["0", "-1", "nan", "inf", "five"],
    "SPECKIT_RUN_REQUESTS": ["0", "many"],
    "SPECKIT_REPOSITORY_DAY_TOKENS": ["0", "x"],
    "SPECKIT_REPOSITORY_DAY_COST": ["0", "$5"],
    "SPECKIT_REPOSITORY_DAY_REQUESTS": ["0", "1.5"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert name in refusal(environment, **{name: value})


@pytest.mark.parametrize(
    ("backend", "variable"),
    [("codex_cli", "OPENAI_API_KEY"), ("claude_code", "ANTHROPIC_API_KEY"), ("gemini_cli", "GEMINI_API_KEY")],
)
def test_an_agent_with_a_model_needs_its_key(environment: pytest.MonkeyPatch, backend: str, variable: str) -> None:
    line = refusal(environment, SPECKIT_AGENT_BACKENDS=backend)
    assert line.startswith(f"{variable} is missing; the backend {backend} needs it")
    settings = load(environment, SPECKIT_AGENT_BACKENDS=f"{backend}, template", **{variable: "sk-something-long"})
    assert settings.agent_backends == (backend, "template")
    assert settings.default_agent == backend
    assert "sk-something-long" in settings.secrets()
    ((_, url, key),) = settings.model_endpoints
    assert url.startswith("https://")
    assert key.get_secret_value() == "sk-something-long"


def test_the_models_people_may_ask_for_are_each_agents_own_and_the_named_ones(environment: pytest.MonkeyPatch) -> None:
    assert load(environment).allowed_models == {"template": ()}
    settings = load(environment, SPECKIT_AGENT_MODELS=" vendor/one ,, vendor/two,vendor/one")
    assert settings.allowed_models == {"template": ("vendor/one", "vendor/two")}
    codex = load(environment, SPECKIT_AGENT_BACKENDS="template,codex_cli", OPENAI_API_KEY="sk-something-long")
    assert codex.allowed_models["codex_cli"] == ("gpt-5-codex", "vendor/one", "vendor/two")
    several = load(
        environment,
        SPECKIT_AGENT_BACKENDS="codex_cli,claude_code",
        ANTHROPIC_API_KEY="sk-ant-something",
        SPECKIT_AGENT_MODELS="codex_cli=gpt-5, claude_code=claude-opus-5-5",
    )
    assert several.allowed_models == {
        "codex_cli": ("gpt-5-codex", "gpt-5"),
        "claude_code": ("claude-sonnet-5-5", "claude-opus-5-5"),
    }
    assert several.every_allowed_model == ("gpt-5-codex", "gpt-5", "claude-sonnet-5-5", "claude-opus-5-5")


@pytest.mark.parametrize(
    ("models", "cure"),
    [
        ("gpt-5", "write whose it is, like codex_cli=gpt-5"),
        ("gemini_cli=gemini-x", "an agent of SPECKIT_AGENT_BACKENDS"),
        ("codex_cli=", "write AGENT=MODEL"),
    ],
)
def test_a_model_whose_agent_is_not_clear_stops_the_start(
    environment: pytest.MonkeyPatch, models: str, cure: str
) -> None:
    line = refusal(
        environment,
        SPECKIT_AGENT_BACKENDS="codex_cli,claude_code",
        OPENAI_API_KEY="sk-something-long",
        ANTHROPIC_API_KEY="sk-ant-something",
        SPECKIT_AGENT_MODELS=models,
    )
    assert line.startswith("SPECKIT_AGENT_MODELS has ")
    assert cure in line


CUSTOM = {
    "SPECKIT_AGENT_BACKENDS": "custom",
    "SPECKIT_CUSTOM_ARGV": '["qwen", "-p", "{prompt}", "-m", "{model}"]',
    "SPECKIT_CUSTOM_VERSION_ARGV": '["qwen", "--version"]',
    "SPECKIT_CUSTOM_ENVIRONMENT": '{"OPENAI_BASE_URL": "{base_url}/v1", "OPENAI_API_KEY": "{key}"}',
    "SPECKIT_CUSTOM_INTEGRATION": "qwen",
    "SPECKIT_CUSTOM_MODEL_API": "openai",
    "SPECKIT_CUSTOM_MODEL": "qwen-x",
    "OPENAI_API_KEY": "sk-something-long",
}


def test_an_operator_describes_an_agent_of_their_own(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, **CUSTOM)
    custom = settings.custom_agent
    assert custom is not None
    assert custom.argv == ("qwen", "-p", "{prompt}", "-m", "{model}")
    assert custom.version_argv == ("qwen", "--version")
    assert custom.environment == {"OPENAI_BASE_URL": "{base_url}/v1", "OPENAI_API_KEY": "{key}"}
    assert (custom.integration, custom.api, custom.model) == ("qwen", "openai", "qwen-x")
    assert settings.allowed_models == {"custom": ("qwen-x",)}
    assert load(environment, SPECKIT_AGENT_BACKENDS="template").custom_agent is None


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("SPECKIT_CUSTOM_ARGV", "qwen -p {prompt}", "is not a JSON list of arguments"),
        ("SPECKIT_CUSTOM_ARGV", "[]", "is not a JSON list of arguments"),
        ("SPECKIT_CUSTOM_ARGV", '["qwen", 1]', "is not a JSON list of arguments"),
        ("SPECKIT_CUSTOM_ARGV", '["qwen"]', "has no {prompt}"),
        ("SPECKIT_CUSTOM_ARGV", '["qwen", "{prompt}", "{secret}"]', "has {secret}, and possible is {prompt}, {model}"),
        ("SPECKIT_CUSTOM_ARGV", "[" * 100_000, "is not a JSON list of arguments"),
        ("SPECKIT_CUSTOM_ARGV", "", "is missing; the backend custom needs it"),
        ("SPECKIT_CUSTOM_VERSION_ARGV", "", "is missing; the backend custom needs it"),
        ("SPECKIT_CUSTOM_VERSION_ARGV", "{}", "is not a JSON list of arguments"),
        ("SPECKIT_CUSTOM_ENVIRONMENT", "A=b", "is not a JSON object of texts"),
        ("SPECKIT_CUSTOM_ENVIRONMENT", '{"A": 1}', "is not a JSON object of texts"),
        ("SPECKIT_CUSTOM_ENVIRONMENT", '{"A-B": "x"}', "no name of a variable"),
        ("SPECKIT_CUSTOM_ENVIRONMENT", '{"A": "{token}"}', "has {token}, and possible is"),
        ("SPECKIT_CUSTOM_INTEGRATION", "", "is missing; the backend custom needs it"),
        ("SPECKIT_CUSTOM_MODEL_API", "cohere", ""),
        ("SPECKIT_CUSTOM_MODEL", "", "is missing; SPECKIT_CUSTOM_MODEL_API says"),
    ],
)
def test_a_wrong_description_of_an_agent_stops_the_start(
    environment: pytest.MonkeyPatch, variable: str, value: str, cure: str
) -> None:
    line = refusal(environment, **{**CUSTOM, variable: value})
    assert line.startswith(variable)
    assert cure in line


def test_an_agent_without_a_model_has_no_key_to_be_told(environment: pytest.MonkeyPatch) -> None:
    without = {**CUSTOM, "SPECKIT_CUSTOM_MODEL_API": "", "SPECKIT_CUSTOM_MODEL": "", "OPENAI_API_KEY": ""}
    line = refusal(environment, **without)
    assert line.startswith("SPECKIT_CUSTOM_ARGV has {model}")
    assert "set SPECKIT_CUSTOM_MODEL_API for the others" in line
    plain = {"SPECKIT_CUSTOM_ARGV": '["mine", "{prompt}"]', "SPECKIT_CUSTOM_ENVIRONMENT": ""}
    custom = load(environment, **{**without, **plain}).custom_agent
    assert custom is not None
    assert (custom.api, custom.model) == (None, "")


def test_limits_have_defaults_and_can_be_set(environment: pytest.MonkeyPatch) -> None:
    assert load(environment).limits == Limits(installation=10, repository=4, person=3)
    numbers = {"INSTALLATION": "1000", "REPOSITORY": "7", "PERSON": "1"}
    settings = load(environment, **{f"SPECKIT_MAX_RUNS_PER_{whose}": number for whose, number in numbers.items()})
    assert settings.limits == Limits(installation=1000, repository=7, person=1)


def test_prices_and_budgets_are_what_the_gateway_goes_by(environment: pytest.MonkeyPatch) -> None:
    assert load(environment).spending == SpendingRules()
    settings = load(
        environment,
        SPECKIT_MODEL_PRICES=" gpt-5-codex=1.25/0.125/10, vendor/x:free=0/0/0,",
        SPECKIT_RUN_TOKENS="2000000",
        SPECKIT_RUN_COST="2.50",
        SPECKIT_RUN_REQUESTS="300",
        SPECKIT_REPOSITORY_DAY_COST="20",
    )
    assert settings.spending == SpendingRules(
        {"gpt-5-codex": Price(1.25, 0.125, 10.0), "vendor/x:free": Price(0.0, 0.0, 0.0)},
        Budget(2_000_000, 2.5, 300),
        Budget(cost=20.0),
    )


def test_a_wrong_price_is_shown_with_the_form_of_a_right_one(environment: pytest.MonkeyPatch) -> None:
    assert refusal(environment, SPECKIT_MODEL_PRICES="gpt-5-codex=1.25/10") == (
        "SPECKIT_MODEL_PRICES holds 'gpt-5-codex=1.25/10', which is no price; write MODEL=INPUT/CACHED/OUTPUT in US "
        "dollars for a million tokens, with commas between models, as in gpt-5-codex=1.25/0.125/10"
    )


@pytest.mark.parametrize("budget", ["SPECKIT_RUN_COST", "SPECKIT_REPOSITORY_DAY_COST"])
def test_a_budget_in_dollars_needs_the_price_of_every_model(environment: pytest.MonkeyPatch, budget: str) -> None:
    with_codex = {"SPECKIT_AGENT_BACKENDS": "codex_cli", "OPENAI_API_KEY": "sk-something-long", budget: "5"}
    assert refusal(environment, **with_codex, SPECKIT_AGENT_MODELS="mini") == (
        f"{budget} is set, and SPECKIT_MODEL_PRICES has no price for gpt-5-codex, mini; add it there, as "
        "gpt-5-codex=INPUT/CACHED/OUTPUT in US dollars for a million tokens"
    )
    load(environment, SPECKIT_MODEL_PRICES="gpt-5-codex=1.25/0.125/10,mini=1/1/1")


def test_the_operators_configuration_file_is_a_path(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(environment).config_file is None
    assert load(environment, SPECKIT_CONFIG_FILE=str(tmp_path / "x.yml")).config_file == tmp_path / "x.yml"


def test_the_key_may_be_text_with_written_line_ends(environment: pytest.MonkeyPatch, app_key: str) -> None:
    settings = load(environment, GITHUB_APP_PRIVATE_KEY=app_key.replace("\n", "\\n"))
    assert settings.private_key == app_key


def test_a_key_file_others_can_read_is_refused_with_the_command_that_cures_it(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").chmod(0o644)
    line = refusal(environment)
    assert f"chmod 600 {tmp_path / 'key.pem'}" in line


def test_a_key_file_that_is_not_there_or_no_key_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "No such file" in refusal(environment, GITHUB_APP_PRIVATE_KEY_FILE=str(tmp_path / "nothing.pem"))
    bad = tmp_path / "bad.pem"
    bad.write_text("not a key")
    bad.chmod(0o600)
    assert "PEM" in refusal(environment, GITHUB_APP_PRIVATE_KEY_FILE=str(bad))
    bad.write_bytes(b"\xff\xfe")
    assert "GITHUB_APP_PRIVATE_KEY_FILE" in refusal(environment, GITHUB_APP_PRIVATE_KEY_FILE=str(bad))


def test_a_key_of_another_kind_is_refused(environment: pytest.MonkeyPatch) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert "not RSA" in refusal(environment, GITHUB_APP_PRIVATE_KEY=key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_WEBHOOK_SECRET", "hunter2"),
        ("GITHUB_APP_PRIVATE_KEY", "hunter2"),
        ("DATABASE_URL", "postgres://u:hunter2@h/db"),
        ("GITHUB_API_URL", "https://u:hunter2@h"),
    ],
)
def test_a_refusal_never_shows_the_value(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "hunter2" not in refusal(environment, **{name: value})


def test_settings_cannot_be_changed_and_do_not_show_their_secrets(
    environment: pytest.MonkeyPatch, app_key: str
) -> None:
    settings = load(environment, DATABASE_URL="postgresql+asyncpg://u:hunter2@h/db", REDIS_URL="redis://:hunter3@h")
    shown = repr(settings) + str(settings)
    for secret in (SECRET, "hunter2", "hunter3", app_key.splitlines()[1]):
        assert secret not in shown
    assert {SECRET, "hunter2", "hunter3", app_key} <= set(settings.secrets())
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1:3000", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:3000", True),
        ("https://github.com", False),
        ("https://localhost.example.org", False),
        ("http://10.0.0.1", False),
    ],
)
def test_a_loopback_address_means_this_machine(environment: pytest.MonkeyPatch, url: str, loopback: bool) -> None:
    assert load(environment, GITHUB_WEB_URL=url).github_is_loopback is loopback
