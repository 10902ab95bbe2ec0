"""The settings of the engine and of the containers on it: a part of ``bot.settings.Settings``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_JOB_IMAGE = "speckit-bot-job:latest"
_DIGEST = re.compile(r"(?:[^@\s]+@)?sha256:[0-9a-f]{64}")


class ContainerSettings(BaseSettings):
    """Where containers run, from which image, and how much closer the job container is shut in than by default."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    docker_host: str | None = Field(None, alias="DOCKER_HOST")
    job_image: str = Field(DEFAULT_JOB_IMAGE, alias="SPECKIT_JOB_IMAGE")
    require_image_digest: bool = Field(False, alias="SPECKIT_REQUIRE_IMAGE_DIGEST")
    container_runtime: str | None = Field(
        None, alias="SPECKIT_CONTAINER_RUNTIME", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$"
    )
    userns: Literal["remap"] | None = Field(None, alias="SPECKIT_USERNS")

    @model_validator(mode="after")
    def _image_is_pinned(self) -> ContainerSettings:
        if self.require_image_digest and not self.image_is_pinned:
            raise ValueError(
                f"SPECKIT_JOB_IMAGE is {self.job_image}, and SPECKIT_REQUIRE_IMAGE_DIGEST refuses a name that may come "
                "to mean another image; write NAME@sha256:... or, for an image built here, its id (sha256:...)"
            )
        return self

    @property
    def image_is_pinned(self) -> bool:
        """True when the name of the job image can only ever mean one image."""
        return _DIGEST.fullmatch(self.job_image) is not None
