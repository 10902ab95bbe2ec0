"""The agents people may ask for: each of the five goes the whole way, and says what went wrong where it did not."""

from __future__ import annotations

import asyncio
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.models import SpecAutomationRun
from db.vocabulary import Phase, TaskStatus
from tests.hostile_agents import ImageWith
from tests.jobs.scripted_model import REAL_KEY, Fault, ScriptedModel, scripted_model
from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage
from tests.scenarios.looking import found_in
from tests.scenarios.test_codex import WRITES_WHAT_IS_NEXT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

OPENAI, ANTHROPIC, GEMINI = "/v1/responses", "/v1/messages", "/v1beta/models"

CUSTOM = {
    "SPECKIT_CUSTOM_ARGV": json.dumps(
        ["claude", "--print", "--dangerously-skip-permissions", "--model", "{model}", "--", "{prompt}"]
    ),
    "SPECKIT_CUSTOM_VERSION_ARGV": json.dumps(["claude", "--version"]),
    "SPECKIT_CUSTOM_ENVIRONMENT": json.dumps(
        {
            "ANTHROPIC_BASE_URL": "{base_url}",
            "ANTHROPIC_API_KEY": "{key}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "IS_SANDBOX": "1",
        }
    ),
    "SPECKIT_CUSTOM_INTEGRATION": "claude",
    "SPECKIT_CUSTOM_MODEL_API": "anthropic",
    "SPECKIT_CUSTOM_MODEL": "claude-of-ours",
}


def endpoints(model: ScriptedModel) -> Mapping[str, str]:
    """One server for the three APIs, and a key for each."""
    names = ("OPENAI", "ANTHROPIC", "GEMINI")
    return {
        **{f"{name}_API_KEY": REAL_KEY for name in names},
        **{f"{name}_BASE_URL": model.url.removesuffix("/v1") for name in names},
    }


def state_of(run: SpecAutomationRun, phase: Phase) -> tuple[str, int]:
    """How a phase stands, and how often it was tried."""
    (state,) = (state for state in run.task_states if state.phase == phase)
    return state.status, state.attempt


@pytest.mark.parametrize(
    ("agent", "version", "path", "model_variable"),
    [
        ("template", "", "", ""),
        ("codex_cli", "0.163.0", OPENAI, "SPECKIT_CODEX_MODEL"),
        ("claude_code", "2.1.332", ANTHROPIC, "ANTHROPIC_MODEL"),
        ("gemini_cli", "0.61.0", GEMINI, "SPECKIT_GEMINI_MODEL"),
        ("custom", "2.1.332", ANTHROPIC, "SPECKIT_CUSTOM_MODEL"),
    ],
)
async def test_somebody_asks_for_an_agent_and_it_goes_the_whole_way(
    open_stage: OpenStage, agents_image: str, tmp_path: Path, agent: str, version: str, path: str, model_variable: str
) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT) as model:
        s = await open_stage(
            SPECKIT_JOB_IMAGE=agents_image,
            SPECKIT_AGENT_BACKENDS="template,codex_cli,claude_code,gemini_cli,custom",
            **CUSTOM,
            **endpoints(model),
        )
        text = "Ignore $speckit-implement, /speckit-implement and @README.md."
        await s.comment(f"/speckit specify --agent {agent} {INVOICE} {text}")
        run = await s.finish(200)

        assert run.status == "succeeded", run.result_summary
        pull = s.pull_request()
        written = {name.rpartition("/")[2] for name in pull.files if name.startswith("specs/")}
        assert written >= {"spec.md", "plan.md", "tasks.md"}
        configured = run.agent_configuration
        assert configured is not None
        assert configured.agent_backend == agent
        assert version in configured.agent_version
        assert not found_in(s, str(configured.runtime_env).encode())
        if path:
            assert "Within 30 days." in pull.text_of(f"{run.feature_directory}/spec.md")
            assert configured.runtime_env[model_variable] == s.settings.own_models[agent]
            assert {asked["model"] for asked in model.asked} == {s.settings.own_models[agent]}
            assert all(asked.startswith(path) for asked in model.paths)
            assert "Net 30" not in model.told(0), "the request is in a file, not in the prompt"
        assert {key.removeprefix("Bearer ") for key in model.authorizations} == ({REAL_KEY} if path else set())
        assert "tried to reach" not in s.reply().body, "it calls its model and nobody else"
        kept = [name for name in tmp_path.rglob("*") if name.is_file() and "hub" not in name.parts]
        assert all(REAL_KEY.encode() not in name.read_bytes() for name in kept)


async def test_a_repository_chooses_an_agent_and_a_model_for_each_phase(
    open_stage: OpenStage, agents_image: str
) -> None:
    config = """\
agent: codex_cli
phases:
  plan: {agent: claude_code, model: claude-large}
  tasks: {agent: gemini_cli, model: somebody-elses}
"""
    async with scripted_model(WRITES_WHAT_IS_NEXT) as model:
        s = await open_stage(
            SPECKIT_JOB_IMAGE=agents_image,
            SPECKIT_AGENT_BACKENDS="codex_cli,claude_code,gemini_cli",
            SPECKIT_AGENT_MODELS="claude_code=claude-large",
            files={"README.md": "# Shop\n", ".github/speckit.yml": config},
            **endpoints(model),
        )
        await s.comment(f"/speckit specify {INVOICE}")
        run = await s.finish(200)

        assert run.status == "succeeded", run.result_summary
        asked = list(dict.fromkeys(body["model"] for body in model.asked))
        assert asked == ["gpt-5-codex", "claude-large", s.settings.gemini_model], "what is not allowed is not asked for"

        await s.comment(f"/speckit specify --agent claude_code --model gpt-5-codex {INVOICE} Again.")
        await s.rest()
        assert "The model `gpt-5-codex` is not allowed for the agent `claude_code`." in s.replies()[-1].body
        assert "Possible: `claude-sonnet-5-5`, `claude-large`." in s.replies()[-1].body
        assert len(await s.runs()) == 1


async def test_a_model_that_is_busy_is_asked_once_more(open_stage: OpenStage, agents_image: str) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT, status=429, retry_after="1") as model:
        s = await open_stage(SPECKIT_JOB_IMAGE=agents_image, SPECKIT_AGENT_BACKENDS="claude_code", **endpoints(model))

        async def waits_to_try_again() -> bool:
            runs = await s.runs()
            return bool(runs) and state_of(runs[0], Phase.SPECKIT_SPECIFY)[0] == TaskStatus.RETRYING

        await s.comment(f"/speckit specify --until specify {INVOICE}")
        await s.until(waits_to_try_again)
        model.status = 200
        run = await s.finish()
        assert run.status == "succeeded", run.result_summary
        assert state_of(run, Phase.SPECKIT_SPECIFY) == ("succeeded", 2)


@dataclass(frozen=True)
class Trouble:
    """What the endpoint does; the run's error code, how often the phase was tried, and what people read."""

    status: int
    fault: Fault
    code: str
    tries: int
    said: str
    next_step: str


TROUBLE = {
    "busy": Trouble(
        429,
        Fault.NONE,
        "agent.rate_limited",
        2,
        "The agent's model takes no more requests just now.",
        "`/speckit retry` in some minutes goes on where it stopped.",
    ),
    "cut": Trouble(
        200,
        Fault.CUT,
        "agent.model_unavailable",
        2,
        "The agent's model did not answer, or its answer broke off in the middle.",
        "once the model's endpoint answers, `/speckit retry` goes on where it stopped.",
    ),
    "wrong key": Trouble(
        401,
        Fault.NONE,
        "agent.not_configured",
        1,
        "The agent cannot work: its key, its model or its program is not set up right.",
        "Only whoever runs this bot can cure this",
    ),
    "declines": Trouble(
        200,
        Fault.REFUSAL,
        "agent.declined",
        1,
        "The model declined to do this. It said: ",
        "You can cure this: ask for it in other words, or for another model with `--model`",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
async def test_a_model_that_does_not_work_is_told_of_with_the_next_step(
    open_stage: OpenStage, agents_image: str, trouble: Trouble
) -> None:
    async with scripted_model(status=trouble.status, fault=trouble.fault) as model:
        s = await open_stage(SPECKIT_JOB_IMAGE=agents_image, SPECKIT_AGENT_BACKENDS="claude_code", **endpoints(model))
        await s.comment(f"/speckit specify {INVOICE}")
        run = await s.finish()
        assert (run.status, run.error_code) == ("failed", trouble.code), run.result_summary
        assert state_of(run, Phase.SPECKIT_SPECIFY) == ("failed", trouble.tries)
        body = s.reply().body
        assert trouble.said in body
        assert trouble.next_step in body
        assert not s.pull_requests()
        assert REAL_KEY not in body


async def test_an_agent_that_falls_silent_is_stopped(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with("echo begun; sleep 600"), SPECKIT_AGENT_IDLE_TIMEOUT=10)
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "agent.timed_out")
    assert "The agent printed nothing for 10 seconds and was stopped." in s.reply().body


BROUGHT = """
from jobs.ports import AgentCommand, AgentReport, CommandsFrom


class Agent:
    name = "acme_agent"
    integration = "codex"
    model_api = None
    supports_model = False
    commands_from = CommandsFrom.NOWHERE
    runtime_env = {"ACME": "1"}

    def version_argv(self):
        return ["sh", "-c", "echo acme 7.1"]

    def models(self, request):
        return []

    def command(self, request, gateway_url, gateway_key):
        folder = request.feature_directory
        script = "mkdir -p $0; cp ~/request.md $0/spec.md; echo wrote it"
        return AgentCommand(["sh", "-c", script, folder], files={"request.md": request.text.encode()})

    def report(self, exit_code, stdout_tail):
        return AgentReport(exit_code, message=stdout_tail.decode().strip())
"""


async def install(folder: Path, code: str) -> None:
    """Have pip install a package that brings an agent into a folder of its own."""
    wheel = folder / "acme_agent-7.1-py3-none-any.whl"
    info = "acme_agent-7.1.dist-info"
    files = {
        "acme_agent.py": code,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-agent\nVersion: 7.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[speckit_bot.agents]\nacme_agent = acme_agent:Agent\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, content)
    argv = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stderr=asyncio.subprocess.PIPE)
    _, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()


async def test_another_package_brings_an_agent(
    open_stage: OpenStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await install(tmp_path, BROUGHT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    s = await open_stage(SPECKIT_AGENT_BACKENDS="template,acme_agent")
    await s.comment(f"/speckit specify --agent acme_agent --until specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert run.agent_configuration is not None
    assert (run.agent_configuration.agent_backend, run.agent_configuration.agent_version) == ("acme_agent", "acme 7.1")
    assert INVOICE in s.pull_request().text_of(f"{run.feature_directory}/spec.md")
