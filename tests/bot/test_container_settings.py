"""How the operator pins the job image and shuts the job container in further."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.container_settings import ContainerSettings
from bot.settings import Settings

DIGEST = f"sha256:{'0' * 64}"


def settings(**values: Any) -> ContainerSettings:
    return ContainerSettings(**values)


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("speckit-bot-job:latest", False),
        ("registry.example.org/job:1@" + DIGEST, True),
        ("registry.example.org:5000/job@" + DIGEST, True),
        (DIGEST, True),
        ("job@sha256:0123", False),
        (f"job@{DIGEST}x", False),
        (f"job@sha512:{'0' * 64}", False),
        (f"job\n@{DIGEST}", False),
    ],
)
def test_an_image_is_pinned_by_what_is_in_it(image: str, pinned: bool) -> None:
    assert settings(SPECKIT_JOB_IMAGE=image).image_is_pinned is pinned


def test_an_operator_may_refuse_images_that_are_not_pinned() -> None:
    pinned = settings(SPECKIT_JOB_IMAGE=f"job@{DIGEST}", SPECKIT_REQUIRE_IMAGE_DIGEST=True)
    assert pinned.job_image == f"job@{DIGEST}"
    with pytest.raises(ValidationError, match=r"SPECKIT_JOB_IMAGE is job:latest.*write NAME@sha256:"):
        settings(SPECKIT_JOB_IMAGE="job:latest", SPECKIT_REQUIRE_IMAGE_DIGEST=True)


def test_the_names_of_what_must_never_be_in_a_container_are_all_known() -> None:
    assert set(Settings.secret_names()) >= {
        *("GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL"),
        *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"),
    }
    assert "SPECKIT_JOB_IMAGE" not in Settings.secret_names()
