"""The backends: how each is started, and what its words mean. The programs themselves run in test_containers.py."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.agents import CodexCli, CustomDescription, TemplateAgent, make_agents
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.ports import Agent, AgentRequest, AnsweredQuestion, ModelApi, Section

RUN = UUID(int=7)
HOSTILE_TEXT = "Pay $speckit-plan `id` $(id) --model x\n'\"\\ and more"


def request(phase: Phase = Phase.SPECKIT_SPECIFY, text: str = HOSTILE_TEXT, folder: str = "") -> AgentRequest:
    return AgentRequest(RUN, phase, text, datetime(2026, 11, 22, 23, 30, tzinfo=UTC), folder)


MODELS = {"codex_cli": "gpt-x", "claude_code": "claude-x", "gemini_cli": "gemini-x"}
CUSTOM = CustomDescription(
    argv=("qwen", "-p", "{prompt}", "-m", "{model}", "--note", "{x} {key"),
    version_argv=("qwen", "--version"),
    integration="qwen",
    environment={"OPENAI_BASE_URL": "{base_url}/v1", "OPENAI_API_KEY": "{key}"},
    api=ModelApi.OPENAI,
    model="qwen-x",
)
ALL = tuple(make_agents(backends=["template", *MODELS, "custom"], models=MODELS, custom=CUSTOM).values())
WITH_MODEL = tuple(agent for agent in ALL if agent.model_api is not None)


def named(agent: Agent) -> str:
    return agent.name


def test_only_whitelisted_backends_are_made() -> None:
    assert list(make_agents(backends=["template"], models={})) == ["template"]
    assert list(make_agents(backends=["codex_cli", "template"], models=MODELS)) == ["codex_cli", "template"]
    with pytest.raises(ValueError, match="no agent backend mystery; there are: template, codex_cli, claude_code"):
        make_agents(backends=["mystery"], models=MODELS)


def test_an_integration_that_spec_kit_does_not_know_stops_the_start() -> None:
    with pytest.raises(ValueError, match=r"^SPECKIT_CUSTOM_INTEGRATION is mystery, .* choose from: agy, .*claude"):
        make_agents(backends=["custom"], models={}, custom=replace(CUSTOM, integration="mystery"))


@pytest.mark.parametrize("agent", ALL, ids=named)
@pytest.mark.parametrize("phase", [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS])
def test_the_users_text_is_in_a_file_only(agent: Agent, phase: Phase) -> None:
    command = agent.command(request(phase, folder="specs/001-x"), "http://127.0.0.1:1", "run-key")
    assert "Pay" not in " ".join(command.argv)
    assert "Pay" not in str(command.environment)
    assert any(b"Pay" in content for content in command.files.values())
    assert "run-key" not in " ".join(command.argv)
    assert all("run-key" not in content.decode() for content in command.files.values())


def test_the_template_agent_gets_its_request_as_json() -> None:
    command = TemplateAgent().command(request(Phase.SPECKIT_PLAN, "x\ud800", "specs/001-x"), "", "")
    assert json.loads(command.files["request.json"]) == {
        "phase": "speckit_plan",
        "text": "x\ud800",
        "date": "2026-11-22",
        "feature_directory": "specs/001-x",
        "answers": [],
        "section": None,
        "paths": [],
        "result_file": "/home/agent/result.json",
    }
    assert command.environment == {}
    assert command.result_file == "result.json"


def test_the_template_agent_gets_everything_else_too() -> None:
    asked = replace(
        request(Phase.SPECKIT_CLARIFY),
        answers=(AnsweredQuestion("How many days?", "30"),),
        section=Section("specs/a/spec.md", "Edge Cases", 7, 9),
        paths=("src/", "docs/*.md"),
    )
    content = json.loads(TemplateAgent().command(asked, "", "").files["request.json"])
    assert content["answers"] == [{"question": "How many days?", "answer": "30"}]
    assert content["section"] == {
        "path": "specs/a/spec.md",
        "heading": "Edge Cases",
        "first_line": 7,
        "last_line": 9,
    }
    assert content["paths"] == ["src/", "docs/*.md"]


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        (b"noise\nwrote specs/x/spec.md\n", "wrote specs/x/spec.md"),
        (b"wrote it\n\n \t\n", "wrote it"),
        (b"", ""),
        (b"\n\n", ""),
        (b"x" * 900, "x" * 500),
    ],
)
def test_the_template_agents_last_words_are_its_message(stdout: bytes, message: str) -> None:
    report = TemplateAgent().report(0, stdout)
    assert (report.exit_code, report.input_tokens, report.cost_usd, report.message) == (0, None, None, message)


def test_codex_is_told_one_skill_and_one_endpoint() -> None:
    command = CodexCli("gpt-x").command(request(), "http://127.0.0.1:8377", "run-key")
    prompt = command.argv[-1]
    assert prompt.startswith("$speckit-specify\n")
    assert prompt.count("$") == 1
    config = tomllib.loads(command.files["codex/config.toml"].decode())
    assert config["model"] == "gpt-x"
    provider = config["model_providers"][config["model_provider"]]
    assert provider["base_url"] == "http://127.0.0.1:8377/v1"
    assert command.environment[provider["env_key"]] == "run-key"
    assert config["features"]["unbounded_connection_retries"] is False
    assert "--trust" not in command.argv


def test_codex_takes_the_model_a_request_names() -> None:
    command = CodexCli("gpt-x").command(replace(request(), model='gpt-"y"\x7f'), "u", "k")
    assert tomllib.loads(command.files["codex/config.toml"].decode())["model"] == 'gpt-"y"\x7f'
    assert command.environment["SPECKIT_CODEX_MODEL"] == 'gpt-"y"\x7f'
    assert (CodexCli.supports_model, TemplateAgent.supports_model) == (True, False)


@pytest.mark.parametrize("agent", ALL, ids=named)
def test_what_is_recorded_of_the_environment_is_forwarded_and_no_secret(agent: Agent) -> None:
    environment = agent.command(request(), "http://127.0.0.1:8377", "run-key").environment
    assert agent.runtime_env.items() <= environment.items()
    assert "run-key" not in str(agent.runtime_env)
    assert not any("KEY" in name or "TOKEN" in name for name in agent.runtime_env)


def test_the_record_of_codex_names_its_model() -> None:
    assert CodexCli("gpt-x").runtime_env == {
        "CODEX_HOME": "/home/agent/codex",
        "NO_COLOR": "1",
        "SPECKIT_CODEX_MODEL": "gpt-x",
    }
    assert TemplateAgent().runtime_env == {}


def events(*made: object) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in made) + b"\n"


def test_codex_events_give_usage_and_the_last_message() -> None:
    output = b'{"cut off": \nnot json\n' + events(
        {"type": "thread.started"},
        {"type": "item.completed", "item": {"type": "error", "message": "only a warning"}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "wrote\nspec.md"}},
        {"type": "turn.completed", "usage": {"input_tokens": 12, "cached_input_tokens": 3, "output_tokens": 4}},
        ["no", "object"],
    )
    report = CodexCli("m").report(0, output)
    assert (report.exit_code, report.input_tokens, report.output_tokens) == (0, 12, 4)
    assert report.message == "wrote spec.md"


@pytest.mark.parametrize("usage", [None, [], {"input_tokens": "12"}, {"input_tokens": -1}, {"input_tokens": True}])
def test_codex_usage_of_another_shape_is_no_usage(usage: object) -> None:
    assert CodexCli("m").report(0, events({"type": "turn.completed", "usage": usage})).input_tokens is None


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ("unexpected status 401 Unauthorized: bad key", AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        (
            "unexpected status 404 Not Found: no such model",
            AppError,
            ErrorCode.AGENT_NOT_CONFIGURED,
        ),
        ("insufficient_quota", AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        (
            "You exceeded your current quota, please check your plan and billing details.",
            AppError,
            ErrorCode.AGENT_NOT_CONFIGURED,
        ),
        ("unexpected status 429 Too Many Requests", TransientError, ErrorCode.AGENT_RATE_LIMITED),
        ("rate_limit_exceeded: used 14040 tokens", TransientError, ErrorCode.AGENT_RATE_LIMITED),
        ("server_is_overloaded", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        ("Rate limit reached: try again in 1.5s", TransientError, ErrorCode.AGENT_RATE_LIMITED),
        ("stream disconnected before completion", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        ("unexpected status 502 Bad Gateway", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        ("context_length_exceeded", UserError, ErrorCode.AGENT_FAILED),
        ("input exceeds the context window of this model", UserError, ErrorCode.AGENT_FAILED),
    ],
)
def test_codex_failures_are_told_apart_by_their_words(message: str, kind: type[PipelineError], code: ErrorCode) -> None:
    with pytest.raises(kind) as failed:
        CodexCli("m").report(1, events({"type": "turn.failed", "error": {"message": message}}))
    assert failed.value.code is code


@pytest.mark.parametrize(
    "message",
    ["used 14040 tokens", "used 1,404 tokens", "wrote 500,000 bytes in 1.503 s", "item x4290", "the quotation is off"],
)
def test_a_number_in_codexs_words_is_not_taken_for_a_status(message: str) -> None:
    report = CodexCli("m").report(1, events({"type": "turn.failed", "error": {"message": message}}))
    assert (report.exit_code, report.message) == (1, message)


def test_an_unknown_failure_of_codex_is_in_the_report() -> None:
    report = CodexCli("m").report(1, events({"type": "error", "message": "something odd\x1b[31m"}))
    assert (report.exit_code, report.message) == (1, "something odd [31m")
    assert CodexCli("m").report(143, b"").exit_code == 143
