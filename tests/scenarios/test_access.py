"""Rights that change while a run is under way."""

from __future__ import annotations

import pytest

from tests.hostile_agents import ImageWith
from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine


async def test_the_requester_loses_the_right_to_write_in_the_middle(
    open_stage: OpenStage, image_with: ImageWith
) -> None:
    s = await open_stage(
        SPECKIT_JOB_IMAGE=image_with(
            'sleep 3; D=$(jq -r .feature_directory "$1"); mkdir -p "$D"; echo words > "$D/spec.md"'
        )
    )
    await s.comment(f"/speckit specify --until specify {INVOICE}")

    async def works() -> bool:
        runs = await s.runs()
        return bool(runs) and s.phases(runs[0])["speckit_specify"] == "running"

    await s.until(works)
    s.hub.set_permission(s.repository, "grace", "read")
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "github.access_lost")
    assert run.result_summary == "grace may no longer write to acme/shop, so nothing was pushed."
    assert "grace may no longer write to acme/shop" in s.reply().body
    assert not s.bot_branches()
    assert not s.pull_requests()
