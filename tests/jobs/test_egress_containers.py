"""From inside a real job container: who asks for a host is refused and counted, and nobody else has a way out."""

from __future__ import annotations

import asyncio

import pytest

from jobs.errors import UserError
from jobs.gateway import Gateway
from jobs.model_apis import ModelEndpoint
from jobs.ports import EgressReport, ModelApi
from tests.jobs.scripted_model import REAL_KEY
from tests.jobs.workplace import Rig, ScriptAgent

pytestmark = pytest.mark.engine

TRIES = r"""
ask() { python3 - "$1" <<'EOF'
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode().strip())
except OSError as error:
    print(error)
EOF
}
ask http://example.com/
ask https://example.com/
ask https://pypi.org/simple/
git ls-remote https://github.com/acme/shop.git 2>&1 | tail -n 1
ask http://127.0.0.1:1/
no_proxy= NO_PROXY= ask http://127.0.0.1:6379/
"""


def gateway() -> Gateway:
    """For an agent that has a model and asks it nothing."""
    return Gateway([ModelEndpoint(ModelApi.OPENAI, "http://127.0.0.1:1/v1", REAL_KEY)])


async def test_the_programs_of_an_agent_are_refused_and_counted(rig: Rig) -> None:
    way = gateway()
    async with rig.workplace(agent=ScriptAgent(model_api=ModelApi.OPENAI), gateway=way) as w:
        await w.take_in()
        report = await w.run(TRIES, gateway=True)
        lines = report.message.splitlines()
        assert lines[0].startswith("403 speckit-bot: example.com is refused.")
        assert "403 Forbidden" in lines[1]
        assert "403" in lines[3]
        assert "Connection refused" in lines[4], "what runs in the container itself is not asked for outside"
        assert w.job.egress == EgressReport(
            {"example.com": 2, "pypi.org": 1, "github.com": 1, "127.0.0.1:6379": 1}, 0, {}
        )

        with pytest.raises(UserError, match="not done after"):
            await w.run(
                "python3 -c 'import urllib.request as u; u.urlopen(\"http://late.example\")'; sleep 60", 3, gateway=True
            )
        assert w.job.egress == EgressReport({"late.example": 1}), "also where the agent was stopped"

        await w.run("true", gateway=True)
        assert w.job.egress == EgressReport()

        # The socket can be reached without the forwarder, by whoever is in the container, and only in an agent's turn.
        leftover = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/speckit-gateway/egress'); print(s.recv(9))"
        w.agent = ScriptAgent()
        said = await w.run(f'env | grep -ci proxy; python3 -c "{leftover}"')
        assert said.message.split() == ["0", "b''"]
        assert w.job.egress == EgressReport()
    await way.close()


async def test_an_agent_without_a_model_has_no_way_at_all(rig: Rig) -> None:
    async with rig.workplace(agent=ScriptAgent()) as w:
        await w.take_in()
        said = await w.run(
            "env | grep -ci proxy; ls /run; python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8378))'"
        )
        assert said.message.split()[0] == "0"
        assert "speckit-gateway" not in said.message
        assert b"ConnectionRefusedError" in w.stderr.content
        assert w.job.egress == EgressReport()


async def test_a_flood_of_names_ends_with_the_turn(rig: Rig) -> None:
    flood = r"""
import socket
from concurrent.futures import ThreadPoolExecutor
def ask(number):
    try:
        with socket.create_connection(("127.0.0.1", 8378), 10) as s:
            s.sendall(b"CONNECT n%d.example:443 HTTP/1.1\r\n\r\n" % number)
            return s.recv(100)[9:12]
    except OSError:
        return b""
with ThreadPoolExecutor(20) as pool:
    print(sum(code == b"403" for code in pool.map(ask, range(1500))))
"""
    way = gateway()
    async with rig.workplace(agent=ScriptAgent(model_api=ModelApi.OPENAI), gateway=way) as w:
        await w.take_in()
        async with asyncio.timeout(60):
            said = await w.run(f"python3 - <<'EOF'\n{flood}\nEOF", gateway=True)
        counted = w.job.egress
        assert int(said.message) == 1500
        assert len(counted.refused) == 50
        assert sum(counted.refused.values()) + counted.unnamed == 1500
    await way.close()
