"""More than a hundred ways out of the job container, to credentials or to a network, tried from inside: all denied."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import socket
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from bot.settings import Settings
from jobs.containers import docker_containers
from jobs.containers.shape import Role, host_config
from jobs.gateway import Gateway
from jobs.model_apis import ModelEndpoint
from jobs.ports import ModelApi
from tests.jobs.scripted_model import REAL_KEY, scripted_model
from tests.jobs.workplace import Rig, ScriptAgent, look_inside

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
PROBES = Path(__file__).with_name("box_probes")
SHARED_KEY = 0x5BEC


@dataclass
class Ears:
    """What listens on this machine, and would notice if anybody came."""

    port: int
    abstract: str
    sockets: list[socket.socket] = field(default_factory=list)

    def visitors(self) -> int:
        count = 0
        for listener in self.sockets:
            listener.setblocking(False)
            try:
                while True:
                    listener.accept()[0].close()
                    count += 1
            except BlockingIOError:
                continue
        return count


@pytest.fixture
def ears() -> Iterator[Ears]:
    with ExitStack() as stack:
        everywhere = stack.enter_context(socket.socket())
        everywhere.bind(("0.0.0.0", 0))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = f"speckit-probe-{os.getpid()}"
        abstract.bind(f"\0{name}")
        for listener in (everywhere, abstract):
            listener.listen(8)
        yield Ears(everywhere.getsockname()[1], name, [everywhere, abstract])


def addresses_of_this_machine() -> list[str]:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    return sorted({*said.split(), "172.17.0.1"})


def facts_about(rig: Rig, ears: Ears, canary: Path) -> dict[str, object]:
    """What the probes must know of the world outside, to look for it."""
    return {
        "data_folder": str(rig.folder),
        "canary": str(canary),
        "neighbour": "none",
        "secret_names": list(Settings.secret_names()),
        "abstract": ears.abstract,
        "shared_key": SHARED_KEY,
        "host_port": ears.port,
        "host_addresses": addresses_of_this_machine(),
    }


def program(facts: dict[str, object], *names: str) -> str:
    """The script that runs the probes, or those of these names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in (ROOT / "tests", ROOT / "tests/jobs"):
            archive.writestr(str(folder.relative_to(ROOT) / "__init__.py"), "")
        for path in PROBES.glob("*.py"):
            archive.write(path, path.relative_to(ROOT))
    start = "import sys; sys.path.insert(0, '/tmp/probes.zip'); from tests.jobs.box_probes.run import main; main()"
    wanted = " ".join(shlex.quote(word) for word in (start, json.dumps(facts), *names))
    content = base64.b64encode(packed.getvalue()).decode()
    return f"base64 -d > /tmp/probes.zip <<'END'\n{content}\nEND\npython3 -IS -c {wanted}"


async def test_every_probe_from_inside_is_denied(rig: Rig, engine: docker.DockerClient, ears: Ears) -> None:
    canary = rig.folder / "gateway" / "canary"
    canary.parent.mkdir(exist_ok=True)
    canary.write_text("not for agents")
    async with scripted_model() as model:
        gateway = Gateway([ModelEndpoint(ModelApi.OPENAI, model.url, REAL_KEY)])
        agent = ScriptAgent(model_api=ModelApi.OPENAI)
        async with rig.workplace(agent=agent, gateway=gateway) as w, rig.workplace() as neighbour:
            await w.take_in()
            plant = f"echo x > /dev/shm/{ears.abstract}; echo x > /tmp/{ears.abstract}"
            look_inside(engine, neighbour.job.container_id, plant)
            facts = facts_about(rig, ears, canary) | {"neighbour": f"{neighbour.run_id.hex[:12]}-1/socket"}
            report = await w.run(program(facts), seconds=120, gateway=True)
            assert (await neighbour.run("echo alive")).message == "alive\n"
        await gateway.close()
    assert report.exit_code == 0, w.stderr.content.decode()
    found = json.loads(report.message)
    sys.stdout.write(table(found))
    reached = [row for row in found if not row[2]]
    assert reached == [], table(reached)
    assert len(found) >= 100
    assert min(Counter(category for category, *_ in found).values()) >= 25
    assert len({name for _, name, *_ in found}) == len(found)
    assert ears.visitors() == 0
    assert model.asked == []


OPENED = (
    *("the machine's loopback", "an abstract socket of the machine", "a listening socket of the machine"),
    *("the machine at 172.17.0.1", "the canary in the worker's data", "write /x"),
)


async def test_the_probes_see_what_is_open(rig: Rig, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a box with some walls taken out, the same probes reach what is behind them."""
    canary = rig.folder / "canary"
    canary.write_text("not for agents")
    rig.folder.chmod(0o755)
    opened = {"network_mode": "host", "binds": [f"{rig.folder}:{rig.folder}:ro"]}

    def other_shape(role: Role, *arguments: Any, **options: Any) -> dict[str, Any]:
        return host_config(role, *arguments, **options) | (opened if role == "job" else {})

    monkeypatch.setattr(docker_containers, "host_config", other_shape)
    async with rig.workplace() as w:
        await w.take_in()
        report = await w.run(program(facts_about(rig, ears, canary), *OPENED))
    found = {name: denied for _, name, denied, _ in json.loads(report.message)}
    assert found == {**dict.fromkeys(OPENED, False), "write /x": True, "the machine at 172.17.0.1": found[OPENED[3]]}
    assert ears.visitors() >= 2


def table(rows: list[list[object]]) -> str:
    """The outcomes, as people read them."""
    lines = [f"\n{'category':<12} {'what was tried':<52} {'outcome':<8} what was seen"]
    lines += [
        f"{category:<12} {name!s:<52} {'denied' if denied else 'REACHED':<8} {seen}"
        for category, name, denied, seen in rows
    ]
    return "\n".join(lines)
