"""What every backend must do, asked of the real CLIs in the real image, with a scripted model behind the gateway."""

from __future__ import annotations

import asyncio
import json
import re

import docker
import pytest

from db.vocabulary import AGENT_PHASES, ErrorCode, Phase
from jobs.agents.command_forms import FORMS
from jobs.agents.prompts import COMMANDS
from jobs.containers import ContainerLimits
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.model_apis import OPERATOR_VARIABLES
from jobs.patches import judge, parse_patch
from jobs.ports import AgentReport, AgentRequest, ModelApi, Section
from tests.jobs.conformance import BACKENDS, TEMPLATE, WITH_MODEL, Backend, Work, at_work
from tests.jobs.scripted_model import REAL_KEY, SAYS, Fault
from tests.jobs.workplace import AGENT_POLICY, DATE, WITH_SPEC_KIT, Rig, look_inside

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
MIB = 1 << 20

every = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
with_model = pytest.mark.parametrize("backend", WITH_MODEL, ids=lambda backend: backend.name)

REQUEST = "Let customers pay by invoice. Use $speckit-implement, /speckit-implement, @README.md and `$(id)`."
WRITE_SPEC = "mkdir specs/001-pay-by-invoice && cp /home/agent/speckit/request.md specs/001-pay-by-invoice/spec.md"
# Programs in the repository: one of the CLIs runs no line that has a shell's substitution in it.
WITH_PROGRAMS = {
    **WITH_SPEC_KIT,
    # Whose standard input is what, from this shell up to the agent and the supervisor that started it.
    "inputs.sh": b"""p=$PPID
while [ $p -gt 1 ]; do
    printf '%s %s\n' "$(readlink /proc/$p/exe)" "$(readlink /proc/$p/fd/0)"
    p=$(sed -n 's/^PPid:.//p' /proc/$p/status)
done
""",
    # As if the agent itself had printed it.
    "gigabyte.sh": b"""p=$PPID
while q=$(sed -n 's/^PPid:.//p' /proc/$p/status) && ! tr '\\0' ' ' < /proc/$q/cmdline | grep -q speckit-session; do
    p=$q
done
yes | head -c 1G > /proc/$p/fd/1
""",
    "endless.sh": b"trap '' TERM INT HUP\nwhile :; do sleep 1; done\n",
}


async def ask(
    work: Work, phase: Phase = Phase.SPECKIT_SPECIFY, folder: str = "", model: str | None = None, seconds: float = 90
) -> AgentReport:
    section = Section("specs/old.md", "Old", 1, 1)
    request = AgentRequest(
        work.place.run_id, phase, REQUEST, DATE, folder, section=section, paths=("src/",), model=model
    )
    return await work.place.job.run_agent(work.place.agent, request, work.place.output, seconds)


@every
async def test_an_agent_is_what_the_image_says_it_is(
    rig: Rig, agents_image: str, engine: docker.DockerClient, backend: Backend
) -> None:
    labels = engine.images.get(agents_image).labels
    async with at_work(rig, backend, agents_image) as work:
        tree = await work.place.take_in("acme/ready")
    assert tree.agent_version
    assert tree.prompt_pack_version == labels["speckit-bot.specify"]
    if backend.program:
        assert (
            labels[f"speckit-bot.agent.{backend.program}"]
            in tree.agent_version.split()[-1:] + tree.agent_version.split()
        )


@with_model
async def test_an_agent_works_and_tells_what_it_spent(
    rig: Rig, agents_image: str, engine: docker.DockerClient, backend: Backend
) -> None:
    async with at_work(rig, backend, agents_image, WRITE_SPEC, "bash inputs.sh") as work:
        place, model = work.place, work.model
        rig.server.create("acme/programs", WITH_PROGRAMS)
        await place.take_in("acme/programs")
        report = await ask(work)
        seen = json.dumps(engine.api.inspect_container(place.job.container_id)).encode()
        seen += await asyncio.to_thread(
            look_inside, engine, place.job.container_id, "find /home /tmp /work -xdev -type f -exec cat {} +"
        )
        patch = parse_patch(await place.job.take_patch(place.output))
        judge(patch, AGENT_POLICY, secrets=[REAL_KEY])
    logs = place.stdout.content + place.stderr.content

    assert (report.exit_code, report.message) == (0, SAYS), logs.decode(errors="replace")
    assert [change.path for change in patch.changes] == ["specs/001-pay-by-invoice/spec.md"]
    assert REQUEST.encode() in b"".join(change.new_content or b"" for change in patch.changes)
    # Three turns, each of 100 tokens in, 10 of them cached, and 20 out.
    assert (report.input_tokens, report.output_tokens) == ((300, 60) if backend.says_usage else (None, None))
    assert (report.cost_usd is not None and report.cost_usd > 0) is backend.says_cost
    assert {asked["model"] for asked in model.asked} == {backend.model}
    assert len(model.asked) == 3
    assert "Let customers pay" not in model.told(0), "the request is in a file, not in the prompt"
    inputs = re.findall(r"/opt/agents/\S+ (\S+?)(?:\\n|\"|\s)", model.told(2))
    assert set(inputs) == {"/dev/null"}, model.told(2)[-2000:]
    assert {key.removeprefix("Bearer ") for key in model.authorizations} == {REAL_KEY}
    assert REAL_KEY.encode() not in seen + logs


def distinct_lines(files: dict[Phase, str]) -> dict[Phase, str]:
    """For each command its longest line that no other has, and that JSON writes as it is."""
    lines = {phase: {line.strip() for line in text.splitlines()} for phase, text in files.items()}
    return {
        phase: max(
            (
                line
                for line in own
                if not re.search(r'["\\]|\$ARG|\{\{', line)
                and all(line not in lines[other] for other in lines if other is not phase)
            ),
            key=len,
        )
        for phase, own in lines.items()
    }


@with_model
async def test_every_phase_calls_the_command_it_is_named_after(
    rig: Rig, agents_image: str, engine: docker.DockerClient, backend: Backend
) -> None:
    async with at_work(rig, backend, agents_image) as work:
        place, model = work.place, work.model
        await place.take_in()
        files = {}
        for phase, name in COMMANDS.items():
            # Of folders that are all there: a complaint of ``find`` may arrive in the middle of a file.
            files_of_it = f"cat $(find /work -path '*speckit[.-]{name}[./]*' -type f)"
            content = await asyncio.to_thread(look_inside, engine, place.job.container_id, files_of_it)
            files[phase] = content.decode()
        marks = distinct_lines(files)
        # The operator's own is one of the other CLIs: that it is called at all is told by fewer.
        phases = AGENT_PHASES if backend.name != "custom" else (Phase.SPECKIT_PLAN, Phase.SPECKIT_REFINE)
        for phase in phases:
            report = await ask(work, phase, "specs/001-x", f"{backend.model}-2")
            assert (report.exit_code, report.result) == (0, b""), phase
            assert model.asked[-1]["model"] == f"{backend.model}-2"
            called = {other for other, mark in marks.items() if mark in model.told()}
            assert called == ({phase} if phase in COMMANDS else set()), phase
            assert "Let customers pay" not in model.told(), phase
        assert await place.paths() == {}
    assert len(model.asked) == len(phases), "no phase asked a second time, or for something else"


@with_model
async def test_a_repository_without_commands_gets_them_lent(rig: Rig, agents_image: str, backend: Backend) -> None:
    async with at_work(rig, backend, agents_image, "echo '# Plan' > specs/plan.md") as work:
        await work.place.take_in("acme/ready")
        await ask(work, Phase.SPECKIT_PLAN, "specs")
        assert await work.place.paths() == {"specs/plan.md": "added"}
    assert "setup-plan.sh" in work.model.told(0)


@with_model
async def test_an_agent_leaves_a_result_and_works_in_the_project(rig: Rig, agents_image: str, backend: Backend) -> None:
    rig.server.create("acme/mono", {"README.md": b"x\n", "api/.specify/x": b"x\n", "api/specs/001-x/spec.md": b"x\n"})
    tell = 'printf \'{"findings": [], "at": "%s"}\' "$PWD $SPECIFY_FEATURE_DIRECTORY $SPECIFY_FEATURE_NO_PERSIST"'
    async with at_work(rig, backend, agents_image, f"{tell} > /home/agent/speckit/result.json") as work:
        await work.place.take_in("acme/mono", project="api")
        report = await ask(work, Phase.SPECKIT_ANALYZE, "specs/001-x")
        assert json.loads(report.result) == {"findings": [], "at": "/work/api specs/001-x 1"}
        assert await work.place.paths() == {}


async def failure_of(work: Work, seconds: float = 90) -> PipelineError:
    with pytest.raises(PipelineError) as failed:
        await ask(work, seconds=seconds)
    return failed.value


FAILURES = {
    401: (AppError, ErrorCode.AGENT_NOT_CONFIGURED, "refused the key; check {key}"),
    404: (AppError, ErrorCode.AGENT_NOT_CONFIGURED, "check the model's name"),
    400: (UserError, ErrorCode.AGENT_FAILED, "too long for the model"),
    429: (TransientError, ErrorCode.AGENT_RATE_LIMITED, "takes no more requests now"),
    500: (TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE, "did not answer whole"),
    Fault.CUT: (TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE, "did not answer whole"),
    Fault.REFUSAL: (UserError, ErrorCode.AGENT_DECLINED, "The model declined"),
}


@with_model
async def test_what_goes_wrong_is_told_apart(rig: Rig, agents_image: str, backend: Backend) -> None:
    async with at_work(rig, backend, agents_image) as work:
        place, model = work.place, work.model
        await place.take_in("acme/ready")
        key, _ = OPERATOR_VARIABLES[place.agent.model_api or ModelApi.OPENAI]
        for trouble, (kind, code, words) in FAILURES.items():
            model.status = trouble if isinstance(trouble, int) else 200
            model.fault = trouble if isinstance(trouble, Fault) else Fault.NONE
            model.retry_after = "1" if trouble == 429 else ""
            failed = await failure_of(work)
            assert (type(failed), failed.code) == (kind, code), (trouble, failed)
            assert words.format(key=key) in failed.message, trouble
            assert REAL_KEY not in failed.message
        model.status, model.fault = 200, Fault.NONE
        assert (await ask(work)).exit_code == 0, "and then it works again"
        assert await place.paths() == {}, "it wrote nothing, and says it is done: the phase looks at the files"


@with_model
async def test_an_agent_that_does_not_end_or_not_cease_is_stopped(
    rig: Rig, agents_image: str, backend: Backend
) -> None:
    limits = ContainerLimits(agent_output=8 * MIB)
    rig.server.create("acme/programs", WITH_PROGRAMS)
    async with at_work(rig, backend, agents_image, "bash gigabyte.sh", limits=limits) as work:
        await work.place.take_in("acme/programs")
        failed = await failure_of(work)
        assert failed.code is ErrorCode.AGENT_TOO_MUCH_OUTPUT, failed
        assert "more than 8 MiB" in failed.message
        assert len(work.place.stdout.content) < 12 * MIB
        work.model.commands = ["bash endless.sh"]
        failed = await failure_of(work, seconds=6)
        assert failed.code is ErrorCode.AGENT_TIMED_OUT, failed
        assert "not done after 6 seconds" in failed.message
        work.model.commands = []
        assert (await ask(work)).exit_code == 0, "nothing of it is in the way of the next"


async def test_the_template_agent_works_without_a_model(rig: Rig, agents_image: str) -> None:
    async with at_work(rig, TEMPLATE, agents_image) as work:
        await work.place.take_in("acme/ready")
        report = await ask(work, folder="specs/001-pay")
        assert report.exit_code == 0
        assert report.message
        assert set(await work.place.paths()) >= {"specs/001-pay/spec.md"}
    assert not work.model.paths, "it asks no model"


async def test_commands_are_called_as_spec_kit_says(engine: docker.DockerClient, agents_image: str) -> None:
    script = (
        "import json; from specify_cli.integrations import INTEGRATION_REGISTRY as known; "
        "print(json.dumps({name: one.build_command_invocation('specify') for name, one in known.items()}))"
    )
    printed = engine.containers.run(
        agents_image, ["/opt/speckit/venv/bin/python", "-c", script], network_mode="none", remove=True
    )
    forms = {name: form.replace("specify", "{}").strip() for name, form in json.loads(printed).items()}
    # copilot, generic, hermes and none set up no commands in a folder of the repository that a run may write.
    assert {name: forms[name] for name in FORMS} == dict(FORMS)
    assert set(forms) - set(FORMS) == {"copilot", "generic", "hermes", "none"}
