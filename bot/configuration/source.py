"""Where a repository's configuration is read: its default branch, the organisation's ``.github``, the operator's file.

Never from a pull request's head: whoever may open one could give themselves the right to anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from bot.configuration.effective import SETTINGS_ORIGIN, EffectiveConfig, Layer, effective
from bot.configuration.model import CONFIG_PATH, LimitNumbers, RepositoryConfig
from bot.configuration.operator_hosts import REPOSITORIES, operator_hosts
from bot.configuration.reading import ConfigReading, read_config
from bot.github.errors import Refused
from bot.settings import Settings, SettingsError
from db.allowed_hosts import AllowedHost, HostPolicy, narrowed
from db.budgets import Measure

FRESH_SECONDS = 20.0
"""How long what was read may be taken for what is there: several commands in a row read it once."""

MOST_KEPT = 500


class ReadsFiles(Protocol):
    """The repository. Raises GitHubError."""

    slug: str
    installation_id: int
    repository_id: int

    async def file(self, path: str, ref: str | None = None) -> bytes | None: ...


class ReadsOrgFiles(Protocol):
    """The organisation's ``.github`` repository. Raises GitHubError."""

    async def org_file(self, installation_id: int, owner: str, path: str) -> bytes | None: ...


class ConfigurationSource:
    """Reads and lays the layers over each other; one for a process. ``clock`` tells seconds that never go back."""

    def __init__(
        self, organisations: ReadsOrgFiles, settings: Settings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises SettingsError for an operator's file that holds a mistake."""
        self._clock = clock
        self._organisations = organisations
        self._agents = settings.agent_backends
        self._usual = usual_layer(settings)
        self._operator = operator_layer(settings.config_file, settings.agent_backends)
        self._hosts = host_policy(settings)
        self._kept: dict[int, tuple[float, EffectiveConfig]] = {}

    async def of(self, repository: ReadsFiles) -> EffectiveConfig:
        """What holds for the repository now. Raises GitHubError: without knowing who may, nobody may."""
        known = self._kept.get(repository.repository_id)
        now = self._clock()
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        owner = repository.slug.partition("/")[0]
        given = self._hosts.given_to(repository.slug)
        layers = [self._usual, _hosts_layer(given)]
        if repository.slug != f"{owner}/.github":
            shared = self._organisations.org_file(repository.installation_id, owner, CONFIG_PATH)
            layers += await self._layer(f"{owner}/.github", await readable(shared))
        layers += await self._layer(repository.slug, await readable(repository.file(CONFIG_PATH)))
        if self._operator is not None:
            layers.append(self._operator)
        found = bounded(layers, self._usual, given)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[repository.repository_id] = (now, found)
        return found

    async def reading(self, content: bytes) -> ConfigReading:
        """What a file says. Beside the event loop: somebody may have made it to take long."""
        return await asyncio.to_thread(read_config, content, self._agents)

    async def _layer(self, origin: str, content: bytes | None) -> list[Layer]:
        if content is None:
            return []
        reading = await self.reading(content)
        return [Layer(origin, reading.config, problems=reading.problems)]

    def forget(self, repository_id: int) -> None:
        """The file changed: read it again."""
        self._kept.pop(repository_id, None)


async def readable(file: Awaitable[bytes | None]) -> bytes | None:
    """What ``file`` comes to. A folder of that name, or a file beyond any size, becomes one that cannot be understood:
    its author may have restricted any command, so it must not pass for none. Raises GitHubError."""
    try:
        return await file
    except Refused:
        return b"\xff"


def usual_layer(settings: Settings) -> Layer:
    """What the operator's settings give everybody; a repository may ask for less of it."""
    limits = LimitNumbers(
        runs=min(settings.max_runs_per_repository, 64),
        runs_per_person=min(settings.max_runs_per_person, 64),
        run_timeout=max(settings.run_timeout, 60),
        tokens=settings.run_tokens,
        cost=settings.run_cost,
        requests=settings.run_requests,
    )
    return Layer(
        SETTINGS_ORIGIN,
        RepositoryConfig(retention_days=min(settings.retention_days, 3650), limits=limits),
    )


def _hosts_layer(given: Sequence[AllowedHost]) -> Layer:
    """What agents may reach in one repository; it may ask for less."""
    names = tuple(entry.name for entry in given)
    return Layer(SETTINGS_ORIGIN, RepositoryConfig.model_construct(allowed_hosts=names or None))


def host_policy(settings: Settings) -> HostPolicy:
    """The operator's lists of hosts. Raises SettingsError for a mistake in the operator's file."""
    return HostPolicy(settings.allowed_hosts, operator_hosts(settings.config_file))


def bounded(layers: Sequence[Layer], usual: Layer, hosts: Sequence[AllowedHost] = ()) -> EffectiveConfig:
    """The layers laid over each other, and what is beyond the numbers or the ``hosts`` that the operator gives brought
    back to them: so that what people are shown is what holds."""
    found = effective(layers)
    given, wanted = usual.config, found.limits
    beyond = {
        name: most
        for name in ("runs", "runs_per_person", "run_timeout", *Measure)
        if (most := getattr(given.limits, name)) is not None and (getattr(wanted, name) or 0) > most
    }
    most_days = given.retention_days if found.retention_days > (given.retention_days or 0) else None
    wanted_hosts = found.config.allowed_hosts
    kept = tuple(entry.name for entry in narrowed(hosts, wanted_hosts)) if wanted_hosts is not None else None
    if not beyond and most_days is None and kept == wanted_hosts:
        return found
    caps = RepositoryConfig(
        retention_days=most_days,
        limits=LimitNumbers(**beyond),
        allowed_hosts=kept if kept != wanted_hosts else None,
    )
    return effective([*layers, Layer(usual.origin, caps, locks=True)])


def operator_layer(path: Path | None, agents: Sequence[str]) -> Layer | None:
    """What the operator locks. Raises SettingsError: who runs the bot must know at once that a line does not count."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"SPECKIT_CONFIG_FILE: reading {path}: {error.strerror}; set it to a readable file"
        ) from None
    reading = read_config(content, agents, besides=[REPOSITORIES])
    if reading.problems:
        first = reading.problems[0]
        raise SettingsError(f"SPECKIT_CONFIG_FILE: {path}, line {first.line}: {first.message}; correct the line")
    return Layer("the operator", reading.config, locks=True)
