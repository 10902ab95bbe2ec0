"""The agent phases: one Spec Kit command each, told apart by data only (steps.py).

What the agent says about its work decides nothing. A phase succeeded when the file it must produce is there, lies
where it must and is not Spec Kit's empty template; what it changed was judged by the policy of the phase.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from db.vocabulary import HIDDEN_TEXT, ErrorCode, Phase
from jobs.errors import AppError, PipelineError, UserError
from jobs.patches import Patch, judge, parse_patch
from jobs.patches.policy import show
from jobs.phases import asking
from jobs.phases.assignment import Assignment, assign
from jobs.phases.egress_notes import note_egress
from jobs.phases.prompts import prompt_text
from jobs.phases.reading import Made, details_of
from jobs.phases.sections import stays_within
from jobs.phases.steps import DOCUMENTS
from jobs.ports import Agent, AgentReport, JobContainer
from jobs.redaction import Redactor
from jobs.run_context import Attempt, Checkpoint, Details, Finished, RunRequest
from jobs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Room:
    """Where one attempt works: the container with the tree, Spec Kit's own templates (file name -> bytes), the folder
    of the feature in the repository (empty where the verb has none), and for how many seconds the agent may."""

    job: JobContainer
    templates: Mapping[str, bytes]
    feature_directory: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SpecKit:
    """Runs the agent for one step. A repeat needs a fresh room: the old one holds what a broken attempt left."""

    folder: RunFolder
    agent: Agent
    redactor: Redactor

    async def execute(self, attempt: Attempt, request: RunRequest, room: Room) -> Finished[Checkpoint]:
        """Raises UserError ``agent.*``, ``publish.*`` and ``request.*``, AppError and TransientError ``agent.*`` and
        ``engine.*``."""
        before = await _documents(attempt, room)
        assignment = assign(request, attempt.phase, room.feature_directory, before, self.agent.integration)
        command = replace(assignment.command, attempt=attempt.number)
        if command.text or command.answers:
            _note_hidden_text(attempt, request)
        prompt = prompt_text(room.job.command_for(self.agent, command))
        await self.folder.keep_prompt(attempt, self.redactor.redact(prompt))
        try:
            report = await room.job.run_agent(self.agent, command, attempt.output, room.seconds)
        finally:
            note_egress(attempt.notes, room.job.egress, self.redactor)
        if assignment.writes:
            made = await self._take(attempt, room, assignment, before, report)
        else:
            self._check_exit(report)
            made = Made(assignment.directory, before, before, Patch((), 0), b"")
            attempt.output.stdout.write(b"this phase changes no file: what the agent left in the tree is not taken\n")
        told = details_of(request, assignment, report, made)
        details = self._masked({**told, "agent": self.agent.name, "model": self._model(assignment)})
        checkpoint = Checkpoint(attempt.phase, made.content, assignment.directory, str(details.get("heading", "")))
        return Finished(checkpoint, details, asking.after_phase(attempt, request, details))

    async def _take(
        self,
        attempt: Attempt,
        room: Room,
        assignment: Assignment,
        before: Mapping[str, bytes],
        report: AgentReport,
    ) -> Made:
        """The patch, understood and judged. It is kept either way; what is refused is kept with its secrets masked."""
        content = await room.job.take_patch(attempt.output)
        try:
            self._check_exit(report)
            patch = await asyncio.to_thread(parse_patch, content)
            await asyncio.to_thread(judge, patch, assignment.policy, self.redactor.secrets)
            made = Made(assignment.directory, before, await _documents(attempt, room), patch, content)
            _check_section(assignment, made)
        except PipelineError:
            await self.folder.keep_patch(attempt, await asyncio.to_thread(self.redactor.redact, content))
            raise
        await self.folder.keep_patch(attempt, content)
        try:
            await _check_output(attempt, room, assignment, patch)
        except UserError as error:
            raise _with_last_words(error, report) from None
        return made

    def _check_exit(self, report: AgentReport) -> None:
        if report.exit_code != 0:
            said = f": {report.message}" if report.message else ""
            raise AppError(ErrorCode.AGENT_FAILED, f"{self.agent.name} ended with exit code {report.exit_code}{said}")

    def _model(self, assignment: Assignment) -> str | None:
        """The model that works, by its name; None where the agent has none."""
        return next(iter(self.agent.models(assignment.command)), None)

    def _masked(self, details: Mapping[str, object]) -> Details:
        """An agent's own words are in no patch, so nothing judged them."""

        def masked(value: Any) -> Any:
            if isinstance(value, str):
                return self.redactor.redact_text(value)
            if isinstance(value, list):
                return [masked(item) for item in value]
            if isinstance(value, dict):
                return {name: masked(item) for name, item in value.items()}
            return value

        return {name: masked(value) for name, value in details.items()}


def _note_hidden_text(attempt: Attempt, request: RunRequest) -> None:
    """What was left out of the text that this phase gets."""
    if hidden := request.arguments.get(HIDDEN_TEXT):
        attempt.notes[HIDDEN_TEXT] = hidden


async def _documents(attempt: Attempt, room: Room) -> Mapping[str, bytes]:
    """The feature's documents as they are in the tree now: path in the repository -> content."""
    if not room.feature_directory:
        return {}
    return await room.job.read_files([f"{room.feature_directory}/{name}" for name in DOCUMENTS], attempt.output)


def _check_section(assignment: Assignment, made: Made) -> None:
    """What came back changed nothing but the section. Raises UserError ``publish.protected_path``."""
    section = assignment.command.section
    if section is None or not made.patch.changes:
        return
    # The policy let one file through.
    (path,) = {change.path for change in made.patch.changes}
    where = f"`{show(section.heading or 'the beginning')}` (lines {section.first_line} to {section.last_line})"
    if path not in made.after:
        raise UserError(
            ErrorCode.PUBLISH_PROTECTED_PATH,
            f"The agent was to change {where} of `{show(path)}`, and the file is gone or too large now.",
        )
    if not stays_within(made.before[path], made.after[path], section.first_line, section.last_line):
        raise UserError(
            ErrorCode.PUBLISH_PROTECTED_PATH,
            f"The agent changed `{show(path)}` outside of {where}, and this phase may change nothing else.",
        )


async def _check_output(attempt: Attempt, room: Room, assignment: Assignment, patch: Patch) -> None:
    """Raises UserError ``agent.no_output`` naming the file."""
    path, template = assignment.output, assignment.step.template
    if not path:
        if not patch.changes:
            raise UserError(ErrorCode.AGENT_NO_OUTPUT, "The agent finished, but it changed nothing.")
        return
    content = (await room.job.read_files([path], attempt.output)).get(path)
    if content is None:
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent finished, but it did not write `{path}`.")
    if not content.strip():
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent left `{path}` empty.")
    if template and content.strip() == room.templates.get(template, b"").strip():
        raise UserError(ErrorCode.AGENT_NO_OUTPUT, f"The agent left `{path}` as Spec Kit's unfilled template.")


def _with_last_words(error: UserError, report: AgentReport) -> UserError:
    """Often the agent itself says why it did nothing."""
    if not report.message:
        return error
    return UserError(error.code, f"{error.message} Its last words: {report.message}")


def recall(phase: Phase, patch: bytes, details: Details) -> Checkpoint:
    """The checkpoint an earlier worker left, from its artifact and its task state."""
    return Checkpoint(phase, patch, str(details.get("feature_directory", "")), str(details.get("heading", "")))
