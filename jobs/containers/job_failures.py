"""What the job container said, in our words: whose fault it is, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from db.vocabulary import ErrorCode
from jobs.containers.session import Result
from jobs.containers.shape import MIB, ContainerLimits
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.ports import Agent


def run_failure(result: Result, agent: Agent, timeout_seconds: float, limits: ContainerLimits) -> PipelineError | None:
    """How a turn ended that did not end well; None for one that did."""
    if result.get("timed_out"):
        return timed_out(timeout_seconds)
    if result.get("idle"):
        return UserError(
            ErrorCode.AGENT_TIMED_OUT,
            f"The agent printed nothing for {_spoken(limits.agent_idle_seconds)} and was stopped.",
        )
    if result.get("too_much"):
        return UserError(
            ErrorCode.AGENT_TOO_MUCH_OUTPUT,
            f"The agent printed more than {limits.agent_output // MIB} MiB and was stopped.",
        )
    if result.get("refused") == "no_agent":
        return AppError(ErrorCode.AGENT_NOT_CONFIGURED, f"the job image has no {result.get('program')}")
    if result.get("refused") == "init":
        said = " ".join(str(result.get("said", "")).split())[:300]
        return UserError(ErrorCode.SPECKIT_INIT_FAILED, f"Spec Kit's commands for {agent.name} are not there: {said}")
    if result.get("refused") == "no_gateway":
        return TransientError(ErrorCode.AGENT_FAILED, f"starting {agent.name}: the way to the model did not open")
    if result.get("errno") == errno.ENOSPC:
        return UserError(ErrorCode.AGENT_FAILED, "The agent filled its disk.")
    if "refused" in result or not isinstance(result.get("exit_code"), int):
        return UserError(ErrorCode.AGENT_FAILED, "The agent left its container in no state to go on.")
    if result["exit_code"] != 0 and result.get("out_of_memory"):
        return UserError(
            ErrorCode.AGENT_OUT_OF_MEMORY, f"The agent used more than {limits.job_memory // MIB} MiB of memory."
        )
    return None


def timed_out(seconds: float) -> UserError:
    """The agent's own time was over."""
    return UserError(ErrorCode.AGENT_TIMED_OUT, f"The agent was not done after {_spoken(seconds)} and was stopped.")


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def unreadable(result: Mapping[str, Any]) -> UserError:
    """What the agent left can not be taken out of its container."""
    if result.get("errno") == errno.ENOSPC or "No space left" in str(result.get("said", "")):
        return UserError(ErrorCode.PUBLISH_TOO_LARGE, "The agent filled its disk; its changes could not be read.")
    return UserError(
        ErrorCode.PUBLISH_PATCH_UNREADABLE,
        f"The agent left its tree in a state that cannot be read ({result.get('refused')}), so nothing was published.",
    )


def tree_failure(result: Mapping[str, Any]) -> PipelineError:
    """The repository's tree did not fit into the job container."""
    if result["refused"] == "large" or result.get("errno") == errno.ENOSPC:
        return UserError(ErrorCode.CLONE_TOO_LARGE, "The repository's tree is larger than a run can take.")
    said = " ".join(str(result.get("said", "")).split())[-200:]
    return UserError(ErrorCode.CLONE_UNSAFE_TREE, f"The repository's tree cannot be unpacked: {said}")
