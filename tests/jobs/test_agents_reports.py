"""What the words of Claude Code, Gemini CLI and an unknown CLI mean, as they were seen from the real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.agents import ClaudeCode, CustomAgent, CustomDescription, GeminiCli, make_agents
from jobs.agents.failures import LONGEST_WAIT, Trouble, failure, trouble_of
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.ports import AgentRequest, ModelApi

RUN = UUID(int=7)
ASKED = AgentRequest(RUN, Phase.SPECKIT_PLAN, "Pay by invoice", datetime(2026, 11, 22, tzinfo=UTC), "specs/001-x")
URL = "http://127.0.0.1:8377"


def lines(*events: object) -> bytes:
    return b"cut off}\n" + b"\n".join(json.dumps(event).encode() for event in events) + b"\n[1]\n"


def claude_result(**fields: object) -> bytes:
    usage = {
        "input_tokens": 180,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 20,
        "output_tokens": 40,
    }
    event = {"type": "result", "subtype": "success", "is_error": False, "usage": usage, "total_cost_usd": 0.0015}
    return lines({"type": "system", "subtype": "init"}, {**event, "result": "wrote\nit", **fields})


def test_claude_code_tells_what_it_spent() -> None:
    report = ClaudeCode("m").report(0, claude_result())
    assert (report.exit_code, report.message) == (0, "wrote it")
    assert (report.input_tokens, report.output_tokens, report.cost_usd) == (205, 40, 0.0015)


@pytest.mark.parametrize("spent", [None, [], "12", {"input_tokens": "12", "output_tokens": -1}])
def test_claude_codes_usage_of_another_shape_is_no_usage(spent: object) -> None:
    report = ClaudeCode("m").report(0, claude_result(usage=spent, total_cost_usd=float("nan")))
    assert (report.input_tokens, report.output_tokens, report.cost_usd) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"api_error_status": 401, "result": "Failed to authenticate."}, AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        ({"api_error_status": 404, "result": "There's an issue."}, AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        ({"api_error_status": 529, "result": "Overloaded"}, TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        ({"api_error_status": 429, "result": "Rejected"}, TransientError, ErrorCode.AGENT_RATE_LIMITED),
        (
            {"api_error_status": 400, "result": "Your credit balance is too low to access the API."},
            AppError,
            ErrorCode.AGENT_NOT_CONFIGURED,
        ),
        ({"api_error": "connection_failed", "result": "lost"}, TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        ({"stop_reason": "refusal", "result": "flagged"}, UserError, ErrorCode.AGENT_DECLINED),
        ({"api_error_status": 400, "result": "prompt is too long"}, UserError, ErrorCode.AGENT_FAILED),
    ],
)
def test_claude_codes_failures_are_told_apart(
    fields: dict[str, object], kind: type[PipelineError], code: ErrorCode
) -> None:
    with pytest.raises(kind) as failed:
        ClaudeCode("m").report(1, claude_result(is_error=True, **fields))
    assert failed.value.code is code


def test_an_error_of_claude_code_is_one_whatever_the_exit_code() -> None:
    report = ClaudeCode("m").report(0, claude_result(is_error=True, result="something odd"))
    assert (report.exit_code, report.message) == (1, "something odd")
    assert ClaudeCode("m").report(137, b"").exit_code == 137


def test_claude_code_takes_no_settings_of_the_repository_and_one_model() -> None:
    command = ClaudeCode("claude-x").command(replace(ASKED, model="claude-y"), URL, "run-key")
    words = list(command.argv)
    assert words[words.index("--setting-sources") + 1] == "user"
    assert "--strict-mcp-config" in words
    assert not {"WebSearch", "WebFetch", "Task"} & set(words[words.index("--tools") + 1].split(","))
    assert words[-1].startswith("/speckit-plan\n")
    models = {value for name, value in command.environment.items() if name.endswith("_MODEL")}
    assert models == {"claude-y"}
    assert command.environment["ANTHROPIC_BASE_URL"] == URL
    assert command.environment["SPECIFY_FEATURE_DIRECTORY"] == "specs/001-x"
    assert ClaudeCode("claude-x").models(ASKED) == ["claude-x"]


STATS = {"total_tokens": 240, "input_tokens": 200, "output_tokens": 40, "cached": 20}


def said(content: str) -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": content, "delta": True}


def test_gemini_cli_tells_what_it_spent_and_its_last_words() -> None:
    output = lines(
        {"type": "message", "role": "user", "content": "the prompt"},
        said("I begin."),
        {"type": "tool_use", "tool_name": "write_file"},
        said("It is "),
        said("written."),
        {"type": "result", "status": "success", "stats": STATS},
    )
    report = GeminiCli("m").report(0, output)
    assert (report.exit_code, report.message) == (0, "It is written.")
    assert (report.input_tokens, report.output_tokens, report.cost_usd) == (200, 40, None)


@pytest.mark.parametrize(
    ("exit_code", "message", "kind", "code"),
    [
        (145, '[API Error: {"error":{"code":401}}]', AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        (144, "[API Error: API key not valid. Please pass one.]", AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        (1, "[API Error: models/x is not found for API version v1beta]", AppError, ErrorCode.AGENT_NOT_CONFIGURED),
        (173, "[API Error: check your plan and billing. Please retry in 1s.]", TransientError, "agent.rate_limited"),
        (244, "[API Error: An internal error has occurred.]", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        (247, "[API Error: odd]", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        (1, "[API Error: terminated]", TransientError, ErrorCode.AGENT_MODEL_UNAVAILABLE),
        (144, "[API Error: The input token count (12) exceeds 11]", UserError, ErrorCode.AGENT_FAILED),
    ],
)
def test_gemini_clis_failures_are_told_apart_by_its_exit_code_first(
    exit_code: int, message: str, kind: type[PipelineError], code: str
) -> None:
    result = {"type": "result", "status": "error", "error": {"type": "unknown", "message": message}, "stats": STATS}
    with pytest.raises(kind) as failed:
        GeminiCli("m").report(exit_code, lines(result))
    assert failed.value.code == code


def test_gemini_cli_ends_well_where_the_model_declined() -> None:
    blocked = {"type": "error", "message": "The model response was blocked due to safety settings."}
    with pytest.raises(UserError) as failed:
        GeminiCli("m").report(0, lines(blocked, {"type": "result", "status": "error", "stats": STATS}))
    assert failed.value.code is ErrorCode.AGENT_DECLINED


@pytest.mark.parametrize("exit_code", [2, 41, 52, 137, 143])
def test_an_exit_code_that_is_no_status_is_not_taken_for_one(exit_code: int) -> None:
    assert GeminiCli("m").report(exit_code, b"").exit_code == exit_code


DESCRIPTION = CustomDescription(
    argv=("qwen", "-p", "{prompt}", "-m", "{model}", '{"a": {b}}', "{key}{key}"),
    version_argv=("qwen", "--version"),
    integration="qwen",
    environment={"OPENAI_BASE_URL": "{base_url}/v1", "PLAIN": "x", "SPECIFY_FEATURE_DIRECTORY": "elsewhere"},
    api=ModelApi.OPENAI,
    model="qwen-{key}",
)


def test_an_agent_of_the_operators_gets_what_its_description_names() -> None:
    agent = CustomAgent(DESCRIPTION)
    command = agent.command(ASKED, URL, "run-key")
    assert command.argv[0] == "qwen"
    assert command.argv[2].startswith("/speckit.plan\n")
    assert command.argv[4] == "qwen-{key}", "what is put in is not looked at again"
    assert command.argv[5:] == ['{"a": {b}}', "run-keyrun-key"]
    assert command.environment["OPENAI_BASE_URL"] == f"{URL}/v1"
    assert command.environment["SPECIFY_FEATURE_DIRECTORY"] == "specs/001-x", "Spec Kit's own variables are ours"
    assert (agent.integration, agent.model_api, agent.supports_model) == ("qwen", ModelApi.OPENAI, True)
    without = CustomAgent(replace(DESCRIPTION, api=None, model="", argv=("mine", "{prompt}"), environment={}))
    assert (without.models(ASKED), without.supports_model, without.runtime_env) == ([], False, {})


def test_an_unknown_cli_is_understood_by_its_last_words() -> None:
    agent = CustomAgent(DESCRIPTION)
    assert agent.report(0, b"begin\n\nwrote it\n\n").message == "wrote it"
    assert agent.report(0, b"HTTP 401 Unauthorized was what I was asked about").exit_code == 0
    assert agent.report(3, b"").exit_code == 3
    with pytest.raises(AppError, match="check OPENAI_API_KEY and OPENAI_BASE_URL"):
        agent.report(1, b"Error: Unauthorized\nsee the manual\n")
    assert agent.report(1, b"the 500 cats are away\n" + b"x\n" * 9).exit_code == 1


@pytest.mark.parametrize(
    ("words", "status", "trouble"),
    [
        ("odd", 401, Trouble.KEY_REFUSED),
        ("odd", 402, Trouble.QUOTA_USED_UP),
        ("odd", 413, Trouble.TOO_LONG),
        ("odd", 503, Trouble.MODEL_AWAY),
        ("odd", 400, None),
        ("odd", None, None),
        ("insufficient_quota", 429, Trouble.QUOTA_USED_UP),
        ("quota: see billing, retry in 3s", 429, Trouble.RATE_LIMITED),
        ("bwrap: No permissions to create new namespace", None, Trouble.SANDBOX_BROKEN),
        ("We’re currently experiencing high demand", None, Trouble.MODEL_AWAY),
        ("content_filter", 400, Trouble.DECLINED),
    ],
)
def test_trouble_is_known_by_status_and_words(words: str, status: int | None, trouble: Trouble | None) -> None:
    assert trouble_of(words, status) is trouble


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 1.5s.", 1.5),
        ("retry after 200ms", 0.2),
        ("Please retry in 3m", LONGEST_WAIT),
        ("try again in 2 h", LONGEST_WAIT),
        ("try again later", 0.0),
        ("retry in 999999999999s", LONGEST_WAIT),
    ],
)
def test_a_model_that_asks_to_be_left_alone_is(words: str, seconds: float) -> None:
    error = failure(Trouble.RATE_LIMITED, "codex_cli", ModelApi.OPENAI, words)
    assert isinstance(error, TransientError)
    assert error.retry_after == pytest.approx(seconds)


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("api", [*ModelApi, None])
def test_every_trouble_has_a_sentence(trouble: Trouble, api: ModelApi | None) -> None:
    for words in ("", "these {words}"):
        message = failure(trouble, "claude_code", api, words).message
        assert message.endswith((".", words))
        assert not words or words in message or trouble is Trouble.TOO_LONG


def test_a_package_whose_agent_does_not_fit_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_broken.py").write_text("raise OSError('no such thing')\n")
    (tmp_path / "acme_half.py").write_text("class Agent:\n    name = 'half'\n")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[speckit_bot.agents]\nbroken = acme_broken:Agent\nhalf = acme_half:Agent\ncodex_cli = acme_half:Agent\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"the agent broken of acme cannot be loaded .OSError: no such thing.; correct"
    ):
        make_agents(backends=["broken"], models={})
    with pytest.raises(ValueError, match="the agent half of acme has no integration; it does not fit this version"):
        make_agents(backends=["half"], models={})
    assert type(make_agents(backends=["codex_cli"], models={"codex_cli": "m"})["codex_cli"]).__name__ == "CodexCli"
