"""A budget ends the work of an agent in its container, whatever the agent makes of it."""

from __future__ import annotations

import pytest

from db.budgets import Budget, SpendingRules
from db.vocabulary import ErrorCode
from jobs.errors import UserError
from jobs.gateway import Gateway
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi
from tests.jobs.gateway_world import REAL_KEY, Model, served
from tests.jobs.workplace import Rig, ScriptAgent

pytestmark = pytest.mark.engine

ASKS = """
import os, sys, urllib.error, urllib.request
def ask():
    request = urllib.request.Request(
        os.environ["GATEWAY_URL"] + "/v1/responses",
        b'{"model": "m"}',
        {"Authorization": "Bearer " + os.environ["GATEWAY_KEY"], "Content-Type": "application/json"},
    )
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
print([ask(), ask()], flush=True)
while sys.argv[1] == "never stops":
    ask()
"""


def script(argument: str) -> str:
    return f"python3 - '{argument}' <<'END'\n{ASKS}\nEND\n"


async def test_whatever_an_agent_says_the_budget_is_the_reason(rig: Rig) -> None:
    model = Model(pieces=[b"data: {}\n\n"])
    model.release.set()
    async with served(model):
        gateway = Gateway(
            [ModelEndpoint(ModelApi.OPENAI, model.url, REAL_KEY)],
            rules=SpendingRules(run=Budget(requests=1)),
            # Each container of this test is a run of its own.
            last_words_seconds=1.0,
        )
        for behaviour in ("exits with 0", "never stops"):
            async with rig.workplace(agent=ScriptAgent(model_api=ModelApi.OPENAI), gateway=gateway) as w:
                await w.take_in()
                w.stdout.content = b""
                with pytest.raises(UserError, match="used up: 1 of 1 requests") as failed:
                    await w.run(script(behaviour), gateway=True)
                assert failed.value.code is ErrorCode.AGENT_BUDGET_REACHED
                assert w.stdout.content == b"[200, 400]\n", w.stderr.content
                with pytest.raises(UserError, match="used up: 1 of 1 requests"):
                    await w.run(script("exits with 0"), gateway=True)
                assert w.stdout.content == b"[200, 400]\n", "it did not even begin"
        assert len(model.asked) == 2, "one for each run"
        await gateway.close()
