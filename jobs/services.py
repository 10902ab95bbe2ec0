"""What the pipeline is given when the worker puts the parts together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from db.allowed_hosts import HostPolicy
from db.session import Database
from db.turns import Limits
from jobs.phases.commit_push import Author
from jobs.ports import Agent, Clock, Containers, Credentials, Publisher, Reporter
from jobs.redaction import Redactor

APP_AUTHOR = Author("speckit-bot[bot]", "speckit-bot[bot]@users.noreply.github.com")


@dataclass(frozen=True, slots=True)
class Services:
    """The ports, each with its one implementation of this process."""

    database: Database
    containers: Containers
    credentials: Credentials
    publisher: Publisher
    reporter: Reporter
    agents: Mapping[str, Agent]
    redactor: Redactor
    """Knows what must never be in a patch, a log or a sentence."""
    clock: Clock
    hosts: HostPolicy = field(default_factory=HostPolicy)
    """Which hosts agents may reach, by repository."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds."""

    lease_ttl: int = 45
    renew_every: float = 10.0
    look_every: float = 1.0
    """How soon a cancellation or the deadline is noticed."""
    backoff: float = 1.0
    """Wait before the second try of a phase; doubled for each further one, with jitter."""
    grace: float = 4.0
    """How long cancelled work may take to unwind before its containers are removed under it."""
    cleanup_timeout: float = 30.0
    handover_timeout: float = 8.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decided, as far as the pipeline cares. ``owner`` names this process in leases."""

    owner: str
    hostname: str
    artifact_root: Path
    default_agent: str
    run_timeout: int
    retention_days: int
    version: str
    limits: Limits = field(default_factory=Limits)
    author: Author = APP_AUTHOR
    log_limit_bytes: int = 5 * 1024 * 1024
    pace: Pace = field(default_factory=Pace)
