"""The job container proves that it is closed, on each run; where it is not, the run stops before anything is in it."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from db.vocabulary import Phase, RunStatus, TaskStatus
from jobs.agents import CodexCli
from jobs.containers import BoxSettings, DockerContainers, docker_containers
from jobs.containers.inner_sandbox import InnerSandboxes, find_out
from jobs.containers.self_test import CHECKS, checks_of, planted
from jobs.containers.shape import host_config
from jobs.ports import AgentRequest, BoxCheck, InnerSandbox, SandboxedAgent
from tests.jobs.rig import Rig as PipelineRig
from tests.jobs.workplace import Rig, ScriptAgent

OPEN = (BoxCheck("canary", passed=True, seen="in none"), BoxCheck("network", passed=False, seen="an interface eth0"))


async def test_a_run_whose_box_is_open_stops_before_anything_is_in_it(sqlite_rig: PipelineRig) -> None:
    rig = sqlite_rig
    rig.world.box = OPEN
    run = await rig.finished()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "engine.box_open")
    assert rig.world.requests == []
    assert rig.world.tokens == []
    assert "clone" not in rig.world.steps
    assert not rig.world.alive
    state = next(state for state in run.task_states if state.phase is Phase.START_JOB_CONTAINER)
    assert state.status is TaskStatus.FAILED
    assert [check["passed"] for check in state.details["self_test"]] == [True, False]
    # The operator's line names the check; what everybody reads does not name the machine's inside.
    assert "network (an interface eth0)" in state.details["message"]
    assert "eth0" not in (run.result_summary or "")
    kept = json.loads(rig.read(run, "self-test.json"))
    assert kept["checks"] == state.details["self_test"]
    assert b"OPEN: network: an interface eth0" in rig.read(run, "phase-start_job_container.stdout")


async def test_a_box_that_says_nothing_counts_as_open(sqlite_rig: PipelineRig) -> None:
    sqlite_rig.world.box = ()
    assert (await sqlite_rig.finished()).error_code == "engine.box_open"


async def test_what_was_proved_is_kept_with_the_run(sqlite_rig: PipelineRig) -> None:
    run = await sqlite_rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    state = next(state for state in run.task_states if state.phase is Phase.START_JOB_CONTAINER)
    assert state.details["self_test"] == [{"name": "canary", "passed": True, "seen": "in none of 8 places"}]
    (artifact,) = (artifact for artifact in run.artifacts if artifact.name == "self-test.json")
    assert artifact.artifact_type == "environment_info"


@pytest.mark.parametrize(
    "answer",
    [{}, {"checks": None}, {"checks": ["canary"]}, {"checks": [["canary", 1, "x"]]}, {"refused": "unknown request"}],
)
def test_an_answer_of_another_form_passes_nothing(answer: dict[str, Any]) -> None:
    checks = checks_of(answer)
    assert [check.name for check in checks] == list(CHECKS)
    assert not any(check.passed for check in checks)


def test_an_answer_is_bounded_and_one_line() -> None:
    (canary, *_) = checks_of({"checks": [["canary", True, "a\nb\x1b[31m" + "x" * 1000], ["unasked", True, ""]]})
    assert canary.seen.startswith("a b [31m")
    assert len(canary.seen) == 300


def test_canaries_are_there_only_meanwhile(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    with planted(folders) as canary:
        assert [path.read_text() for path in canary.paths] == [canary.token] * 2
        assert [path.parent for path in canary.paths] == folders
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


REQUEST = AgentRequest(uuid4(), Phase.SPECKIT_SPECIFY, "", datetime(2026, 11, 22, tzinfo=UTC))


def test_codex_is_told_which_sandbox_works_and_has_none_otherwise() -> None:
    codex = CodexCli("gpt-test")
    assert isinstance(codex, SandboxedAgent)
    for mode, flag in (("", "danger-full-access"), ("workspace-write", "workspace-write")):
        argv = codex.command(replace(REQUEST, inner_sandbox=mode), "http://127.0.0.1:8377", "key").argv
        assert argv[argv.index("--sandbox") + 1] == flag


async def test_an_engine_that_is_away_when_the_worker_starts_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    containers = DockerContainers(docker_host="unix:///nowhere.sock", image="x", gateway_root=tmp_path)
    await find_out(containers, [Sandboxed(), ScriptAgent(name="plain")])
    containers.close()
    assert [record.getMessage() for record in caplog.records] == ["inner_sandboxes_not_tried"]


class Sandboxed(ScriptAgent):
    inner_sandboxes = (InnerSandbox("tight", ("tight",)), InnerSandbox("loose", ("loose",)))


async def test_the_best_inner_sandbox_that_works_is_chosen_once() -> None:
    tried: list[str] = []

    async def attempt(trial: Any) -> bool:
        tried.append(trial[0])
        return bool(trial[0] == "loose")

    sandboxes = InnerSandboxes()
    for _ in range(2):
        assert await sandboxes.choose(Sandboxed(), attempt) == Sandboxed.inner_sandboxes[1]
    assert tried == ["tight", "loose"]
    assert await sandboxes.choose(ScriptAgent(name="plain"), attempt) is None
    assert sandboxes.modes == {"script": "loose"}


@pytest.mark.engine
async def test_a_container_of_ours_passes_every_check(rig: Rig, tmp_path: Path, engine: docker.DockerClient) -> None:
    box = BoxSettings(secret_names=("OPENAI_API_KEY",), canary_folders=(tmp_path / "runs",))
    async with rig.workplace(box=box) as w:
        checks = w.job.box
    assert [check.name for check in checks] == list(CHECKS)
    assert [check for check in checks if not check.passed] == []
    seen = {check.name: check.seen for check in checks}
    assert seen["canary"] == "in none of 16 places"
    assert "169.254.169.254" in seen["network"]
    for bridge in engine.networks.list(names=["bridge"]):
        for pool in bridge.attrs["IPAM"]["Config"]:
            assert str(ip_network(pool["Subnet"])[1]) in seen["network"]
    assert list((tmp_path / "runs").iterdir()) == []


MUTATIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a network": ({"network_mode": "host"}, {"network", "names"}),
    "a writable root": ({"read_only": False}, {"writing"}),
    "capabilities": ({"cap_drop": []}, {"privileges"}),
    "no filter of system calls": ({"security_opt": ["no-new-privileges:true", "seccomp=unconfined"]}, {"privileges"}),
    "the artifact root": ({"binds": ["RUNS:/data:ro"]}, {"canary", "host folders"}),
    "the socket of an engine": ({"binds": ["RUNS/docker.sock:/var/run/docker.sock:ro"]}, {"host folders"}),
    "everything": (
        {"privileged": True, "cap_drop": [], "security_opt": []},
        {"privileges", "host folders"},
    ),
}


@pytest.mark.engine
@pytest.mark.parametrize(("change", "caught"), MUTATIONS.values(), ids=MUTATIONS.keys())
async def test_a_mistake_in_the_shape_is_caught(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], caught: set[str]
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "docker.sock").touch()
    told = json.loads(json.dumps(change).replace("RUNS", str(runs)))

    def other_shape(role: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        return host_config(role, *arguments, **options) | (told if role == "job" else {})

    monkeypatch.setattr(docker_containers, "host_config", other_shape)
    async with rig.workplace(box=BoxSettings(canary_folders=(runs,))) as w:
        # What was seen is shown to everybody.
        assert str(runs) not in str(w.job.box)
        assert {check.name for check in w.job.box if not check.passed} >= caught, w.job.box


@pytest.fixture
def leaking_image(engine: docker.DockerClient, job_image: str) -> Iterator[str]:
    """An image that somebody built a key into."""
    context = io.BytesIO()
    content = f"FROM {job_image}\nENV OPENAI_API_KEY=sk-oops\n".encode()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    tag = "speckit-bot-job:test-leaking"
    engine.images.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True)
    yield tag
    with contextlib.suppress(docker.errors.ImageNotFound):
        engine.images.remove(tag, force=True)


@pytest.mark.engine
async def test_a_secret_in_the_image_is_caught_and_so_are_user_ids_that_must_be_others(
    rig: Rig, leaking_image: str
) -> None:
    box = BoxSettings(secret_names=("OPENAI_API_KEY",), remapped=True)
    async with rig.workplace(box=box, image=leaking_image) as w:
        found = {check.name: check.seen for check in w.job.box if not check.passed}
    assert set(found) == {"environment", "user ids"}
    assert "OPENAI_API_KEY is set in process" in found["environment"]
    assert "sk-oops" not in str(w.job.box)
    assert "SPECKIT_USERNS" in found["user ids"]


@pytest.mark.engine
async def test_an_inner_sandbox_is_tried_in_a_container_like_those_of_runs(
    docker_host: str, job_image: str, tmp_path: Path, engine: docker.DockerClient
) -> None:
    class Agent(ScriptAgent):
        inner_sandboxes = (
            InnerSandbox("namespaces", ("unshare", "-Ur", "true")),
            InnerSandbox("plain", ("sh", "-c", "test $(id -u) = 1000")),
        )

    class Hopeless(ScriptAgent):
        inner_sandboxes = (InnerSandbox("missing", ("no-such-program",)),)

    containers = DockerContainers(docker_host=docker_host, image=job_image, gateway_root=tmp_path / "gateway")
    try:
        modes = await containers.find_sandboxes([Agent(), Hopeless(name="hopeless"), ScriptAgent(name="none")])
        assert modes == {"script": "plain", "hopeless": ""}
        (last,) = (check for check in await containers.prove(Agent()) if check.name == "inner sandbox")
        assert (last.passed, last.seen) == (True, "starts")
    finally:
        containers.close()
    assert engine.api.containers(all=True, filters={"label": "speckit-bot.epoch=0"}) == []
