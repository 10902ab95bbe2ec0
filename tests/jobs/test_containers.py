"""The life of the two containers on a real engine: the whole way, what is left, and what goes wrong with the engine."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from db.runs import Lease
from db.vocabulary import ErrorCode, Phase
from jobs.agents import TemplateAgent
from jobs.containers import ContainerLimits, DockerContainers
from jobs.errors import AppError, TransientError, UserError
from jobs.patches import init_policy, judge, parse_patch
from jobs.ports import ModelApi
from tests.jobs.git_server import git
from tests.jobs.workplace import AGENT_POLICY, REPOSITORY, Rig, ScriptAgent, folder_of, patch_adding

pytestmark = pytest.mark.engine
MIB = 1 << 20


def of_run(engine: docker.DockerClient, run_id: object) -> list[object]:
    return list(engine.api.containers(all=True, filters={"label": f"speckit-bot.run={run_id}"}))


async def test_the_whole_way_from_clone_to_push(rig: Rig) -> None:
    rig.server.private.add(REPOSITORY)
    async with rig.workplace() as w:
        tree = await w.take_in()
        assert tree.prompt_pack_version == "1.2.3"
        assert tree.agent_version.startswith("speckit-template-agent ")
        assert b"[FEATURE NAME]" in tree.templates["spec-template.md"]
        init = parse_patch(tree.init_patch)
        judge(init, init_policy("", "codex"))
        assert ".specify/scripts/bash/create-new-feature.sh" in {change.path for change in init.changes}
        specify = await w.work(Phase.SPECKIT_SPECIFY, "Let customers pay by invoice. Net 30, EU only.")
        folder = folder_of(specify)
        assert folder == "specs/001-customers-pay-invoice"
        plan = await w.work(Phase.SPECKIT_PLAN, folder=folder)
        tasks = await w.work(Phase.SPECKIT_TASKS, folder=folder)
        for patch in (specify, plan, tasks):
            judge(parse_patch(patch), AGENT_POLICY)
        head = await w.commit(tree.init_patch, specify, plan, tasks)
        assert await w.commit(tree.init_patch, specify, plan, tasks) == head
        await w.push()
        await w.push()
    bare = rig.server.path(REPOSITORY)
    assert rig.server.branches(REPOSITORY)["speckit/x/1"] == head
    assert git(bare, "log", "--format=%s|%an|%ae|%cn|%cI", "main..speckit/x/1").split("\n") == [
        f"Part {n}|speckit-bot|bot@example.invalid|speckit-bot|2026-11-22T00:00:00+00:00" for n in (4, 3, 2, 1)
    ]
    assert git(bare, "log", "-1", "--format=%(trailers)", head) == "Speckit-Run: 7"
    for name in ("spec", "plan", "tasks"):
        content = git(bare, "show", f"{head}:{folder}/{name}.md")
        assert "customers pay by invoice" in content
        assert "[FEATURE" not in content


async def test_a_repository_with_spec_kit_is_used_as_it_is(rig: Rig) -> None:
    async with rig.workplace() as w:
        tree = await w.take_in("acme/ready")
        assert tree.init_patch == b""
        assert tree.templates == {"spec-template.md": b"# Feature Specification: [FEATURE NAME]\n"}
        assert (await w.run("cat AGENTS.md .agents/x 2>/dev/null; find . -type f | sort")).message.split() == [
            "./.specify/memory/constitution.md",
            "./.specify/templates/spec-template.md",
            "./README.md",
            "./specs/old.md",
            "./src/shop.py",
        ]


async def test_files_of_the_repository_are_kept_by_the_setup(rig: Rig) -> None:
    """Where ``specify init`` would write over a file, it is run in the tree itself and decides."""
    rig.server.create("acme/taken", {".agents/skills/speckit-plan/SKILL.md": b"ours\n", ".gitignore": b".specify/x\n"})
    async with rig.workplace() as w:
        tree = await w.take_in("acme/taken")
        paths = {change.path for change in parse_patch(tree.init_patch).changes}
        assert ".specify/templates/spec-template.md" in paths


async def test_a_checkpoint_brings_a_new_container_to_where_the_old_one_was(rig: Rig) -> None:
    async with rig.workplace() as w:
        tree = await w.take_in()
        specify = await w.work(Phase.SPECKIT_SPECIFY, "Pay by invoice")
        folder = folder_of(specify)
        expected = await w.work(Phase.SPECKIT_PLAN, folder=folder)
    async with rig.workplace() as again:
        await again.take_in()
        await again.job.replay(specify, again.output)
        assert await again.paths() == {}
        plan = await again.work(Phase.SPECKIT_PLAN, folder=folder)
        assert plan == expected
        assert await again.commit(tree.init_patch, specify, plan)


async def test_the_patch_holds_what_changed_since_the_last_look(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        await w.run("echo new > specs/new.md; rm specs/old.md; echo more >> README.md; chmod +x src/shop.py")
        assert await w.paths() == {
            "README.md": "modified",
            "specs/new.md": "added",
            "specs/old.md": "deleted",
            "src/shop.py": "modified",
        }
        assert await w.job.take_patch(w.output) == b""
        await w.run("printf 'a\\0b' > specs/binary; printf 'no end' > 'specs/with space.md'; : > specs/empty")
        patch = parse_patch(await w.job.take_patch(w.output))
        assert {change.path: change.added_bytes for change in patch.changes} == {
            "specs/binary": b"a\0b",
            "specs/empty": b"",
            "specs/with space.md": b"no end",
        }


async def test_a_patch_survives_every_attribute_and_line_end(rig: Rig) -> None:
    """The repository's own .gitattributes change no byte, on neither side."""
    rig.server.create(
        "acme/attributes",
        {
            ".gitattributes": b"*.md text eol=crlf ident export-ignore filter=x diff=x working-tree-encoding=UTF-16\n",
            "specs/a.md": b"one\r\ntwo $Id$\r\n",
            "specs/b.md": b"one\ntwo\n",
            ".specify/x": b"",
        },
    )
    async with rig.workplace() as w:
        await w.take_in("acme/attributes")
        assert await w.paths() == {}
        await w.run("cat specs/a.md specs/b.md; echo three >> specs/a.md; echo three >> specs/b.md")
        assert w.stdout.content.endswith(b"one\r\ntwo $Id$\r\none\ntwo\n")
        head = await w.commit(await w.job.take_patch(w.output))
        await w.push("acme/attributes")
    content = git(rig.server.path("acme/attributes"), "show", f"{head}:specs/a.md")
    assert content.encode() == b"one\r\ntwo $Id$\r\nthree"


async def test_removing_leaves_nothing_and_can_be_repeated(rig: Rig, engine: docker.DockerClient) -> None:
    async with rig.workplace() as w:
        assert len(of_run(engine, w.run_id)) == 2
        await w.containers.remove(w.run_id)
        assert of_run(engine, w.run_id) == []
        await w.containers.remove(w.run_id)
        await w.containers.remove(uuid4())


async def test_a_new_epoch_replaces_the_containers_of_the_old_one(rig: Rig, engine: docker.DockerClient) -> None:
    async with rig.workplace() as w:
        other = uuid4()
        stranger = engine.containers.run(
            rig.image, ["sleep", "60"], detach=True, labels={"speckit-bot.run": str(other)}, name=f"stranger-{other}"
        )
        try:
            lease = Lease(run_id=w.run_id, epoch=2, owner="other")
            for _ in range(2):
                _, job = await w.containers.start(lease, TemplateAgent(), 60)
                names = sorted(found["Names"][0] for found in of_run(engine, w.run_id))  # type: ignore[index]
                assert names == [f"/speckit-{w.run_id}-2-git", f"/speckit-{w.run_id}-2-job"]
            assert engine.containers.get(job.container_id).labels == {
                **engine.images.get(rig.image).labels,
                "speckit-bot.run": str(w.run_id),
                "speckit-bot.epoch": "2",
                "speckit-bot.role": "job",
                "speckit-bot.host": socket.gethostname(),
            }
            assert len(of_run(engine, other)) == 1
            with pytest.raises(TransientError) as lost:
                await w.run("true")
            assert lost.value.code is ErrorCode.ENGINE_CONTAINER_LOST
        finally:
            stranger.remove(force=True)


async def test_a_container_ends_by_itself_at_its_deadline(rig: Rig) -> None:
    async with rig.workplace(deadline=3) as w:
        await w.take_in()
        with pytest.raises(UserError) as ended:
            await w.run("sleep 60", seconds=60)
        assert ended.value.code is ErrorCode.RUN_TIMED_OUT


async def test_a_container_killed_under_an_agent_is_a_lost_one(rig: Rig, engine: docker.DockerClient) -> None:
    async with rig.workplace() as w:
        await w.take_in()
        running = asyncio.create_task(w.run("sleep 60", seconds=60))
        await asyncio.sleep(0.5)
        engine.containers.get(w.job.container_id).kill()
        with pytest.raises(TransientError) as lost:
            await running
        assert lost.value.code is ErrorCode.ENGINE_CONTAINER_LOST


async def test_a_cancelled_agent_leaves_nothing_after_removal(rig: Rig, engine: docker.DockerClient) -> None:
    async with rig.workplace() as w:
        await w.take_in()
        running = asyncio.create_task(w.run("sleep 60", seconds=60))
        await asyncio.sleep(0.3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await w.containers.remove(w.run_id)
        assert of_run(engine, w.run_id) == []


async def test_a_creation_that_was_cancelled_is_waited_for_by_removal(
    rig: Rig, engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be cancelled: the engine makes the container after nobody wants it any more."""
    asked = threading.Event()
    create = docker.APIClient.create_container

    def slowly(*arguments: Any, **options: Any) -> Any:
        asked.set()
        time.sleep(1)
        return create(*arguments, **options)

    monkeypatch.setattr(docker.APIClient, "create_container", slowly)
    lease = Lease(run_id=uuid4(), epoch=1, owner="t")
    made = containers(rig.docker_host, rig.image, rig.folder)
    starting = asyncio.create_task(made.start(lease, TemplateAgent(), 60))
    assert await asyncio.to_thread(asked.wait, 10)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await made.remove(lease.run_id)
    await asyncio.sleep(1.5)
    assert of_run(engine, lease.run_id) == []
    made.close()


def containers(host: str, image: str, folder: Path) -> DockerContainers:
    return DockerContainers(docker_host=host, image=image, gateway_root=folder)


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
async def test_no_engine_is_said_and_may_be_tried_again(tmp_path: Path, host: str) -> None:
    made = containers(host, "x", tmp_path)
    with pytest.raises(TransientError, match="is it running") as failed:
        await made.start(Lease(run_id=uuid4(), epoch=1, owner="t"), TemplateAgent(), 60)
    assert failed.value.code is ErrorCode.ENGINE_UNREACHABLE
    made.close()


async def test_a_missing_image_is_named_with_its_cure(docker_host: str, tmp_path: Path) -> None:
    made = containers(docker_host, "speckit-bot-job:absent", tmp_path)
    for call in (
        made.environment(),
        made.start(Lease(run_id=uuid4(), epoch=1, owner="t"), TemplateAgent(), 60),
    ):
        with pytest.raises(AppError, match=r"speckit-bot-job:absent.*images/build") as failed:
            await call
        assert failed.value.code is ErrorCode.ENGINE_IMAGE_MISSING
    made.close()


async def test_an_image_that_is_no_job_image_is_named(rig: Rig, engine: docker.DockerClient) -> None:
    base = next(tag for image in engine.images.list() for tag in image.tags if tag.startswith("debian:"))
    with pytest.raises(AppError, match="no usable job image") as failed:
        async with rig.workplace(image=base):
            pass
    assert failed.value.code is ErrorCode.ENGINE_IMAGE_MISSING


async def test_an_agent_the_image_does_not_have_is_named(rig: Rig) -> None:
    class Absent(ScriptAgent):
        def version_argv(self) -> list[str]:
            return ["no-such-agent", "--version"]

    async with rig.workplace(agent=Absent()) as w:
        with pytest.raises(AppError, match="no-such-agent") as failed:
            await w.take_in()
        assert failed.value.code is ErrorCode.AGENT_NOT_CONFIGURED


async def test_an_agent_that_needs_a_model_needs_a_key(rig: Rig) -> None:
    with pytest.raises(AppError, match="OPENAI_API_KEY") as failed:
        async with rig.workplace(agent=ScriptAgent(model_api=ModelApi.OPENAI)):
            pass
    assert failed.value.code is ErrorCode.AGENT_NOT_CONFIGURED


async def test_the_environment_names_image_and_engine(rig: Rig) -> None:
    async with rig.workplace() as w:
        facts = await w.containers.environment()
    assert facts["image"] == rig.image
    assert facts["image_id"].startswith("sha256:")
    assert facts["engine_version"]


async def test_a_tree_larger_than_a_run_takes_is_refused(rig: Rig) -> None:
    rig.server.create("acme/large", {f"{number}.txt": b"x" * 60_000 for number in range(40)})
    async with rig.workplace(limits=ContainerLimits(tree_bytes=2 * MIB)) as w:
        with pytest.raises(UserError, match="2 MiB") as refused:
            await w.clone("acme/large")
        assert refused.value.code is ErrorCode.CLONE_TOO_LARGE
    async with rig.workplace(limits=ContainerLimits(tree_files=20)) as w:
        with pytest.raises(UserError, match="20 files") as refused:
            await w.clone("acme/large")
        assert refused.value.code is ErrorCode.CLONE_TOO_LARGE
    async with rig.workplace(limits=ContainerLimits(tree=1 * MIB)) as w:
        with pytest.raises(UserError) as refused:
            await w.take_in("acme/large")
        assert refused.value.code is ErrorCode.CLONE_TOO_LARGE


async def test_what_git_reads_from_a_patch_is_what_was_judged(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.clone("acme/ready")
        with pytest.raises(UserError) as conflict:
            await w.commit(patch_adding({"specs/old.md": "there is one already"}))
        assert conflict.value.code is ErrorCode.PUBLISH_CONFLICT
        head = await w.commit(patch_adding({"specs/a.md": "one"}), b"", patch_adding({"specs/b.md": "two"}))
        await w.push("acme/ready")
    assert git(rig.server.path("acme/ready"), "show", f"{head}:specs/b.md") == "two"
