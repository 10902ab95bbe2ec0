"""The settings of a process: read once from the environment, frozen, and refused with one line when wrong.

The variables and their meaning are listed in README.md and docs/configuration.md.
"""

from __future__ import annotations

import stat
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.agent_settings import AgentSettings
from bot.container_settings import ContainerSettings
from bot.egress_settings import EgressSettings
from bot.spending_settings import SpendingSettings
from db.turns import Limits

T = TypeVar("T", bound=BaseSettings)


class SettingsError(Exception):
    """A setting is missing or wrong. The message is one line: the variable, what is wrong, and the cure."""


class DatabaseSettings(BaseSettings):
    """Where the database is: all that a migration needs to know."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    data_dir: Path = Field(Path("var"), alias="SPECKIT_DATA_DIR")
    database_url_or_none: SecretStr | None = Field(None, alias="DATABASE_URL")

    @field_validator("database_url_or_none")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        scheme = value.get_secret_value().split("://", 1)[0] if value is not None else None
        if scheme not in {None, "sqlite+aiosqlite", "postgresql+asyncpg"}:
            raise ValueError(
                f"begins with {scheme}://; write sqlite+aiosqlite:///path or postgresql+asyncpg://user:password@host/name"
            )
        return value

    @property
    def database_url(self) -> str:
        """An SQLAlchemy async URL; may hold a password."""
        if self.database_url_or_none is not None:
            return self.database_url_or_none.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'speckit.db'}"


class Settings(SpendingSettings, AgentSettings, ContainerSettings, EgressSettings, DatabaseSettings):
    """What the operator decided. Attribute ``x_y`` is read from the variable named in its alias."""

    github_app_id: int = Field(alias="GITHUB_APP_ID", gt=0)
    github_app_private_key: SecretStr | None = Field(None, alias="GITHUB_APP_PRIVATE_KEY")
    github_app_private_key_file: Path | None = Field(None, alias="GITHUB_APP_PRIVATE_KEY_FILE")
    github_webhook_secret: SecretStr = Field(alias="GITHUB_WEBHOOK_SECRET")
    github_api_url: str = Field("https://api.github.com", alias="GITHUB_API_URL")
    github_web_url: str = Field("https://github.com", alias="GITHUB_WEB_URL")

    redis_url: SecretStr | None = Field(None, alias="REDIS_URL")
    artifact_root_or_none: Path | None = Field(None, alias="SPECKIT_ARTIFACT_ROOT")
    public_url: str | None = Field(None, alias="SPECKIT_PUBLIC_URL")
    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8080, alias="PORT", ge=0, le=65535)

    command_prefix: str = Field("/speckit", alias="SPECKIT_COMMAND_PREFIX", pattern=r"^/[a-z][a-z0-9-]{0,30}$")
    config_file: Path | None = Field(None, alias="SPECKIT_CONFIG_FILE")
    max_runs: int = Field(2, alias="SPECKIT_MAX_RUNS", ge=1, le=64)
    max_runs_per_installation: int = Field(10, alias="SPECKIT_MAX_RUNS_PER_INSTALLATION", ge=1, le=1000)
    max_runs_per_repository: int = Field(4, alias="SPECKIT_MAX_RUNS_PER_REPOSITORY", ge=1, le=1000)
    max_runs_per_person: int = Field(3, alias="SPECKIT_MAX_RUNS_PER_PERSON", ge=1, le=1000)
    run_timeout: int = Field(3600, alias="SPECKIT_RUN_TIMEOUT", ge=10, le=86_400)
    retention_days: int = Field(30, alias="SPECKIT_RETENTION_DAYS", ge=7)
    log_format: Literal["text", "json"] = Field("text", alias="SPECKIT_LOG_FORMAT")

    @field_validator(
        *("github_api_url", "github_web_url", "public_url"),
        *("openai_base_url", "anthropic_base_url", "gemini_base_url"),
    )
    @classmethod
    def _absolute_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("is not an absolute URL; write it like https://host or http://127.0.0.1:8080")
        try:
            parts.port  # noqa: B018 - urlsplit looks at it only when asked
        except ValueError:
            raise ValueError("has a port that is none; write a number up to 65535, or leave it out") from None
        if parts.username or parts.password:
            raise ValueError("holds a user name or password; remove it, credentials have variables of their own")
        return value.rstrip("/")

    @field_validator("github_webhook_secret")
    @classmethod
    def _secret_is_long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 16:
            raise ValueError("is shorter than 16 characters; make one with: openssl rand -hex 32")
        return value

    @model_validator(mode="after")
    def _combinations(self) -> Settings:
        if self.github_app_private_key is None and self.github_app_private_key_file is None:
            raise ValueError(
                "GITHUB_APP_PRIVATE_KEY_FILE is missing; set it to the path of the App's .pem file "
                "(or put its text into GITHUB_APP_PRIVATE_KEY)"
            )
        self.require_prices(self.every_allowed_model)
        self.private_key  # noqa: B018 - read now, so that a wrong key stops the start
        return self

    @cached_property
    def private_key(self) -> str:
        """The App's RSA private key, PEM."""
        source = "GITHUB_APP_PRIVATE_KEY"
        if self.github_app_private_key is not None:
            text = self.github_app_private_key.get_secret_value().replace("\\n", "\n")
        else:
            source = "GITHUB_APP_PRIVATE_KEY_FILE"
            text = self._read_key_file()
        try:
            key = load_pem_private_key(text.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError(
                f"{source} holds no readable PEM private key; download a new one from the App's page"
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise ValueError(f"{source} holds a key that is not RSA; download the App's own key from its page")
        return text

    def _read_key_file(self) -> str:
        path = self.github_app_private_key_file
        if path is None:
            raise ValueError("GITHUB_APP_PRIVATE_KEY_FILE is missing")
        try:
            mode = path.stat().st_mode
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ValueError(
                f"GITHUB_APP_PRIVATE_KEY_FILE: reading {path}: {reason}; set it to the App's .pem file"
            ) from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"GITHUB_APP_PRIVATE_KEY_FILE: {path} can be read by others; run: chmod 600 {path}")
        return text

    @property
    def limits(self) -> Limits:
        """How many runs may work at once."""
        return Limits(self.max_runs_per_installation, self.max_runs_per_repository, self.max_runs_per_person)

    @property
    def artifact_root(self) -> Path:
        """Where runs keep their artifacts: ``{artifact_root}/{run_id}/artifacts``."""
        return (self.artifact_root_or_none or self.data_dir / "runs").absolute()

    @property
    def run_page_base(self) -> str | None:
        """The URL people reach the run pages at, or None when nobody outside this machine can."""
        return self.public_url

    @property
    def github_is_loopback(self) -> bool:
        """True when GITHUB_WEB_URL means this machine: the git container then joins the host's network."""
        host = urlsplit(self.github_web_url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False

    @classmethod
    def secret_names(cls) -> tuple[str, ...]:
        """The variables that hold secrets: none of them is ever set in a container."""
        fields = cls.model_fields.values()
        return tuple(field.alias for field in fields if field.alias and "SecretStr" in str(field.annotation))

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the redactor. Never log this."""
        keys = (key for _, _, key in self.model_endpoints)
        held = (self.github_webhook_secret, self.github_app_private_key, *keys)
        values = [value.get_secret_value() for value in held if value is not None]
        values.append(self.private_key)
        for url in (self.database_url, self.redis_url.get_secret_value() if self.redis_url else ""):
            if password := urlsplit(url).password:
                values += {password, unquote(password)}
        return tuple(values)


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError with one line that names the variable and the cure."""
    return _load(Settings)


def load_database_settings() -> DatabaseSettings:
    """As ``load_settings``, for what needs the database alone."""
    return _load(DatabaseSettings)


def _load(kind: type[T]) -> T:
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    match first["type"]:
        case "missing":
            return f"{name} is missing; set it in the environment (README.md, Settings, says where to find its value)"
        case "int_parsing" | "int_from_float":
            return f"{name} is not a whole number; write digits only"
        case "float_parsing":
            return f"{name} is not a number; write it like 2.50"
        case "value_error":
            message = str(first["msg"]).removeprefix("Value error, ")
            return f"{name} {message}".strip()
        case _:
            message = str(first["msg"]).removeprefix("Input ").removeprefix("String ")
            return f"{name} {message}; correct it (docs/configuration.md)"
