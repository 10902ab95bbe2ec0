"""The real codex, looked at while it works, and what else its container reaches of the model."""

from __future__ import annotations

import asyncio
import json

import docker
import pytest

from db.vocabulary import Phase
from jobs.agents import CodexCli
from jobs.gateway import Gateway
from jobs.model_apis import ModelEndpoint
from jobs.patches import judge, parse_patch
from jobs.ports import AgentRequest, ModelApi
from tests.jobs.scripted_model import REAL_KEY, scripted_model
from tests.jobs.workplace import AGENT_POLICY, DATE, Rig, ScriptAgent, Workplace, look_inside

pytestmark = pytest.mark.engine

REQUEST = "Let customers pay by invoice. Use $speckit-plan and `$(id)`."
WRITE_SPEC = (
    "cat /home/agent/speckit/request.md >/dev/null && "
    "bash .specify/scripts/bash/create-new-feature.sh --json --short-name pay-by-invoice 'pay by invoice' && "
    "printf '# Feature Specification: Pay by invoice\\n' > specs/001-pay-by-invoice/spec.md"
)


async def ask(w: Workplace, phase: Phase = Phase.SPECKIT_SPECIFY, text: str = REQUEST, folder: str = "") -> object:
    return await w.job.run_agent(w.agent, AgentRequest(w.run_id, phase, text, DATE, folder), w.output, 60)


LOOK = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; find /home /tmp -xdev -type f -exec cat {} +"


async def test_codex_writes_a_specification_through_the_gateway(
    rig: Rig, codex_image: str, engine: docker.DockerClient
) -> None:
    async with scripted_model(WRITE_SPEC, "sleep 2") as model:
        gateway = Gateway([ModelEndpoint(ModelApi.OPENAI, model.url, REAL_KEY)])
        async with rig.workplace(agent=CodexCli("gpt-test"), gateway=gateway, image=codex_image) as w:
            tree = await w.take_in()
            assert tree.agent_version.startswith("codex-cli 0.163.0")
            running = asyncio.create_task(ask(w))
            seen = b""
            while not running.done():
                seen += await asyncio.to_thread(look_inside, engine, w.job.container_id, LOOK)
                await asyncio.sleep(0.3)
            report = await running
            assert b"codex" in seen
            assert REAL_KEY.encode() not in seen
            assert REAL_KEY not in json.dumps(engine.api.inspect_container(w.job.container_id))
            patch = parse_patch(await w.job.take_patch(w.output))
            judge(patch, AGENT_POLICY, secrets=[REAL_KEY])
        await gateway.close()
    assert [change.path for change in patch.changes] == ["specs/001-pay-by-invoice/spec.md"]
    assert (report.exit_code, report.message) == (0, "The specification is written.")  # type: ignore[attr-defined]
    assert report.output_tokens > 0  # type: ignore[attr-defined]
    assert set(model.authorizations) == {f"Bearer {REAL_KEY}"}
    prompts = json.dumps(model.asked[0]["input"])
    assert "speckit-specify" in prompts
    assert "create-new-feature" in prompts or "SKILL.md" in prompts
    assert "Let customers pay" not in prompts
    assert REAL_KEY.encode() not in w.stdout.content + w.stderr.content


async def test_the_gateway_is_all_that_can_be_reached(rig: Rig) -> None:
    async with scripted_model() as model:
        gateway = Gateway([ModelEndpoint(ModelApi.OPENAI, model.url, REAL_KEY)])
        async with rig.workplace(agent=ScriptAgent(model_api=ModelApi.OPENAI), gateway=gateway) as w:
            await w.take_in()
            report = await w.run(
                "python3 - <<'EOF'\n"
                "import os, urllib.request, urllib.error\n"
                "def ask(path, key):\n"
                "    request = urllib.request.Request(os.environ['GATEWAY_URL'] + path,"
                " headers={'Authorization': 'Bearer ' + key})\n"
                "    try:\n"
                "        return urllib.request.urlopen(request, timeout=5).status\n"
                "    except urllib.error.HTTPError as error:\n"
                "        return error.code\n"
                "key = os.environ['GATEWAY_KEY']\n"
                "print(ask('/v1/models', key), ask('/v1/models', 'wrong'), ask('/v1/files', key), ask('/../metrics', key))\n"
                "for name in ('socket.new',):\n"
                "    try:\n"
                "        open('/run/speckit-gateway/' + name, 'w')\n"
                "    except OSError as error:\n"
                "        print('read only', error.errno)\n"
                "EOF\n",
                gateway=True,
            )
            assert report.message.split("\n")[0] == "200 401 404 404"
            assert report.message.split("\n")[1] == "read only 30"
        await gateway.close()
    assert model.authorizations == [f"Bearer {REAL_KEY}"]
