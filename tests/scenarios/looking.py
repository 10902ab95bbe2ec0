"""What a thief would find: the secrets of a scenario, and a look into a container with the eyes of the agent."""

from __future__ import annotations

import asyncio
import base64
import json

from docker.models.containers import Container

from db.models import SpecAutomationRun
from db.vocabulary import Phase, TaskStatus
from jobs.containers.shape import USER, Role
from tests.scenario import WEBHOOK_SECRET, Scenario

LOOK = "cat /proc/*/environ /proc/*/cmdline 2>/dev/null; tar -c -f - -C / work home tmp baseline run etc 2>/dev/null"
"""What the agent itself could read: the same user, in the same container. /opt is the image's, which is the same for
every run and read-only."""


def secrets_of(s: Scenario) -> dict[str, bytes]:
    """Every secret there is, also as HTTP's basic authentication writes it."""
    found = {
        "webhook secret": WEBHOOK_SECRET.encode(),
        "private key": s.settings.private_key.splitlines()[5].encode(),
    }
    if s.settings.openai_api_key is not None:
        found["model key"] = s.settings.openai_api_key.get_secret_value().encode()
    for number, token in enumerate(s.hub.state.tokens):
        found[f"token {number}"] = token.encode()
        found[f"token {number} as basic authentication"] = base64.b64encode(f"x-access-token:{token}".encode())
    return found


def found_in(s: Scenario, content: bytes) -> list[str]:
    """The names of the secrets that are in ``content``."""
    return [name for name, secret in secrets_of(s).items() if secret in content]


def container_of(s: Scenario, run: SpecAutomationRun, role: Role) -> Container:
    """The one container of that role that the run has now."""
    (only,) = s.engine.containers.list(
        filters={"label": [f"speckit-bot.run={run.run_id}", f"speckit-bot.role={role}"]}, ignore_removed=True
    )
    return only


async def look_inside(container: Container) -> dict[str, bytes]:
    """What the engine tells of a container, and what its ordinary user can read in it."""
    result = await asyncio.to_thread(container.exec_run, ["/bin/sh", "-c", LOOK], user=USER)
    assert isinstance(result.output, bytes)
    assert len(result.output) > 10_000, "nothing was looked at"
    return {"inspect": json.dumps(container.attrs).encode(), "processes and files": result.output}


async def plan_is_running(s: Scenario) -> bool:
    """A run of the issue is in its phase ``speckit_plan``."""
    return any(
        state.phase == Phase.SPECKIT_PLAN and state.status == TaskStatus.RUNNING
        for run in await s.runs()
        for state in run.task_states
    )
