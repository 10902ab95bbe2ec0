"""speckit_specify, speckit_plan, speckit_tasks: one Spec Kit command each, told apart by data only.

What the agent says about its work decides nothing. A phase succeeded when the file it must produce is in the patch,
lies in the feature directory and is not Spec Kit's empty template.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.runs import record_feature_directory
from db.session import Database
from db.vocabulary import ErrorCode, Phase
from jobs.errors import AppError, PipelineError, UserError
from jobs.patches import AGENT_POLICY, Patch, judge, parse_patch
from jobs.phases.spec_reading import files_of, open_questions, spec_heading, user_stories
from jobs.ports import Agent, AgentReport, AgentRequest
from jobs.redaction import Redactor
from jobs.run_context import Attempt, Checkpoint, Details, Finished, RunRequest, Source, Workplace
from jobs.run_folder import RunFolder

SPECS = "specs"

_FEATURE_SPEC = re.compile(r"specs/[^/]+/spec\.md")


@dataclass(frozen=True, slots=True)
class Step:
    """What one agent phase must leave behind. ``verb`` begins the subject of its commit."""

    phase: Phase
    verb: str
    output: str
    template: str


STEPS: Mapping[Phase, Step] = {
    step.phase: step
    for step in (
        Step(Phase.SPECKIT_SPECIFY, "Specify", "spec.md", "spec-template.md"),
        Step(Phase.SPECKIT_PLAN, "Plan", "plan.md", "plan-template.md"),
        Step(Phase.SPECKIT_TASKS, "Tasks", "tasks.md", "tasks-template.md"),
    )
}


@dataclass(frozen=True, slots=True)
class SpecKit:
    """Runs the agent for one step. A repeat needs a fresh workplace: the old one holds what a broken attempt left."""

    database: Database
    folder: RunFolder
    agent: Agent
    redactor: Redactor
    secrets: Sequence[str]

    async def execute(
        self,
        attempt: Attempt,
        request: RunRequest,
        workplace: Workplace,
        source: Source,
        feature_directory: str,
        timeout_seconds: float,
    ) -> Finished[Checkpoint]:
        """Raises UserError ``agent.*`` and ``publish.*``, AppError and TransientError ``agent.*`` and ``engine.*``."""
        step = STEPS[attempt.phase]
        command = AgentRequest(
            run_id=request.run_id,
            phase=step.phase,
            text=request.text if step.phase is Phase.SPECKIT_SPECIFY else "",
            date=request.started_at,
            feature_directory=feature_directory,
        )
        report = await workplace.job.run_agent(self.agent, command, attempt.output, timeout_seconds)
        patch_bytes = await workplace.job.take_patch(attempt.output)
        patch = await self._accept(attempt, report, patch_bytes)
        directory = feature_directory or _new_feature_directory(patch, step)
        _check_output(patch, step, directory, source.templates)
        if directory != feature_directory:
            async with self.database.transaction() as session:
                await record_feature_directory(session, attempt.lease, directory)
        details = _details(patch, directory, report, step)
        return Finished(Checkpoint(step.phase, patch_bytes, directory, str(details.get("heading", ""))), details)

    async def _accept(self, attempt: Attempt, report: AgentReport, patch_bytes: bytes) -> Patch:
        """The patch, understood and judged. It is kept either way; what is refused is kept with its secrets masked."""
        try:
            if report.exit_code != 0:
                raise AppError(ErrorCode.AGENT_FAILED, f"{self.agent.name} ended with exit code {report.exit_code}")
            patch = await asyncio.to_thread(parse_patch, patch_bytes)
            await asyncio.to_thread(judge, patch, AGENT_POLICY, self.secrets)
        except PipelineError:
            await self.folder.keep_patch(attempt, await asyncio.to_thread(self.redactor.redact, patch_bytes))
            raise
        await self.folder.keep_patch(attempt, patch_bytes)
        return patch


def _new_feature_directory(patch: Patch, step: Step) -> str:
    specs = sorted(
        change.path for change in patch.changes if change.kind == "added" and _FEATURE_SPEC.fullmatch(change.path)
    )
    if not specs:
        raise UserError(
            ErrorCode.AGENT_NO_OUTPUT,
            f"The agent finished, but it made no `{SPECS}/.../{step.output}`.",
        )
    return specs[0].rpartition("/")[0]


def _check_output(patch: Patch, step: Step, directory: str, templates: Mapping[str, bytes]) -> None:
    """Raises UserError ``agent.no_output`` naming the file."""
    path = f"{directory}/{step.output}"
    written = [change for change in patch.changes if change.path == path and change.kind != "deleted"]
    if not written:
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent finished, but it did not write `{path}`.")
    content = written[0].new_content
    if content is None:
        return
    if not content.strip():
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent left `{path}` empty.")
    if content.strip() == templates.get(step.template, b"").strip():
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent left `{path}` as Spec Kit's unfilled template.")


def _details(patch: Patch, directory: str, report: AgentReport, step: Step) -> Details:
    details: dict[str, object] = {
        "feature_directory": directory,
        "files": files_of(patch),
        "open_questions": open_questions(patch, directory),
        "input_tokens": report.input_tokens,
        "output_tokens": report.output_tokens,
    }
    if step.phase is Phase.SPECKIT_SPECIFY:
        spec = next((change.new_content for change in patch.changes if change.path == f"{directory}/spec.md"), None)
        text = (spec or b"").decode(errors="replace")
        details["heading"] = spec_heading(text)
        details["user_stories"] = user_stories(text)
    return details


def recall(phase: Phase, patch: bytes, details: Details) -> Checkpoint:
    """The checkpoint an earlier worker left, from its artifact and its task state."""
    return Checkpoint(phase, patch, str(details.get("feature_directory", "")), str(details.get("heading", "")))
