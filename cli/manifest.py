"""The App's manifest, app.yml: what the App may do and what it is told."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml


def manifest() -> dict[str, Any]:
    """``app.yml`` as GitHub's manifest flow takes it. It lies in the repository's root; the package links to it."""
    parsed: dict[str, Any] = yaml.safe_load(resources.files("cli").joinpath("app.yml").read_text())
    return parsed
