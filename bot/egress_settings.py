"""Which hosts the operator lets agents reach: a part of ``bot.settings.Settings``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.allowed_hosts import AllowedHost, allowed_host

MOST_HOSTS = 50


class EgressSettings(BaseSettings):
    """Nothing but their model, unless hosts are named."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    allowed_hosts: Annotated[tuple[AllowedHost, ...], NoDecode] = Field((), alias="SPECKIT_ALLOWED_HOSTS")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _read_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if len(parts) > MOST_HOSTS:
            raise ValueError(f"names {len(parts)} hosts, and at most {MOST_HOSTS} are read; use *. for those of a kind")
        return tuple(_entry(part) for part in parts)


def _entry(text: str) -> AllowedHost:
    try:
        return allowed_host(text)
    except ValueError as fault:
        shown = text[:60].encode("ascii", "backslashreplace").decode()
        raise ValueError(
            f"names {shown}, but {fault}; write hosts like pypi.org, *.pythonhosted.org or mirror.corp=10.0.0.5"
        ) from None
