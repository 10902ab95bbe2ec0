"""The shell of every backend finds the proxy, and no backend by itself asks for anything but its model."""

from __future__ import annotations

import pytest

from db.vocabulary import Phase
from jobs.ports import AgentRequest, EgressReport
from tests.jobs.conformance import WITH_MODEL, Backend, at_work
from tests.jobs.workplace import DATE, Rig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ASKS = "python3 -c 'import urllib.request as u; u.urlopen(\"https://example.com/\")' 2>/dev/null; echo done"


@pytest.mark.parametrize("backend", WITH_MODEL, ids=lambda backend: backend.name)
async def test_what_its_shell_asks_for_is_all_that_is_counted(rig: Rig, agents_image: str, backend: Backend) -> None:
    async with at_work(rig, backend, agents_image, ASKS) as work:
        await work.place.take_in("acme/ready")
        request = AgentRequest(work.place.run_id, Phase.SPECKIT_PLAN, "Pay by invoice.", DATE, "specs")
        await work.place.job.run_agent(work.place.agent, request, work.place.output, 90)
        assert work.model.asked, "the agent reached its model"
        assert work.place.job.egress == EgressReport({"example.com": 1})
