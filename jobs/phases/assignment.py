"""What an agent is asked for in one phase, and what may come of it. Pure: the request and the documents are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from db.vocabulary import ErrorCode, Phase
from jobs.errors import UserError
from jobs.patches import PatchPolicy, policy_for
from jobs.phases.sections import section_at, section_named
from jobs.phases.steps import SPEC, SPECS, STEPS, VERB_THAT_MAKES, Step
from jobs.ports import AgentRequest, AnsweredQuestion, Section
from jobs.run_context import RunRequest


@dataclass(frozen=True, slots=True)
class Assignment:
    """``command`` is what the agent hears, in paths of the project; everything else is in paths of the repository.

    ``writes`` is False where whatever the agent changes is thrown away: it looks only, or asks only. ``output`` is the
    file that must be there afterwards, empty where any change will do.
    """

    step: Step
    command: AgentRequest
    directory: str
    output: str
    policy: PatchPolicy
    writes: bool

    @property
    def asks(self) -> bool:
        """True for a ``speckit_clarify`` that has questions to put and no answers to take."""
        return self.step.phase is Phase.SPECKIT_CLARIFY and not self.command.answers


def assign(
    request: RunRequest, phase: Phase, directory: str, documents: Mapping[str, bytes], integration: str = ""
) -> Assignment:
    """``directory``: the feature's folder, empty where the verb has none; ``documents``: what is in it, by path;
    ``integration``: the agent's.

    Raises UserError ``request.no_feature`` where what the phase works on is not there.
    """
    step = STEPS[phase]
    _check_needs(step, documents, directory)
    command = _command(request, phase, directory, documents)
    output = request.in_project(step.output) if step.in_project else f"{directory}/{step.output}"
    policy = policy_for(
        phase,
        project=request.project,
        feature_directory=directory,
        section_path=request.in_project(command.section.path) if command.section else "",
        paths=[request.in_project(path) for path in command.paths],
        integration=integration,
    )
    assignment = Assignment(step, command, directory, output if step.output else "", policy, step.writes)
    return replace(assignment, writes=step.writes and not assignment.asks)


def _check_needs(step: Step, documents: Mapping[str, bytes], directory: str) -> None:
    for name in step.needs:
        if f"{directory}/{name}" not in documents:
            raise UserError(
                ErrorCode.REQUEST_NO_FEATURE,
                f"There is no `{directory or SPECS}/{name}` on this branch yet; `{VERB_THAT_MAKES[name]}` makes it.",
            )


def _command(request: RunRequest, phase: Phase, directory: str, documents: Mapping[str, bytes]) -> AgentRequest:
    """Text goes to the first agent phase of the run, models and answers where they fit."""
    # The first one also when it was taken over: the text was meant for it and for no other.
    is_first = phase is request.agent_phases[0]
    models = request.arguments.get("models")
    model = request.model or (models.get(phase.value) if isinstance(models, dict) else None)
    command = AgentRequest(
        run_id=request.run_id,
        phase=phase,
        text=request.text if is_first else "",
        date=request.started_at,
        feature_directory=request.from_project(directory),
        model=model if isinstance(model, str) else None,
    )
    match phase:
        case Phase.SPECKIT_CLARIFY:
            return replace(command, answers=_answers(request))
        case Phase.SPECKIT_REFINE:
            return replace(command, section=_section(request, directory, documents))
        case Phase.SPECKIT_IMPLEMENT:
            paths = request.arguments.get("paths")
            return replace(command, paths=tuple(map(str, paths)) if isinstance(paths, list) else ())
        case _:
            return command


def _answers(request: RunRequest) -> tuple[AnsweredQuestion, ...]:
    given = request.arguments.get("answers")
    return tuple(
        AnsweredQuestion(str(item["question"]), str(item["answer"]))
        for item in (given if isinstance(given, list) else [])
        if isinstance(item, dict) and "question" in item and "answer" in item
    )


def _section(request: RunRequest, directory: str, documents: Mapping[str, bytes]) -> Section:
    """The part of a document that may change: what a review comment stands on, or what the wish names.

    Raises UserError ``request.no_feature`` where nothing of the kind is there.
    """
    given = request.arguments.get("section")
    path, line = f"{directory}/{SPEC}", None
    if isinstance(given, dict) and isinstance(given.get("path"), str):
        path, line = given["path"], given.get("line")
        known = documents.get(path)
        place = section_at(known.decode(errors="replace"), line) if known is not None and type(line) is int else None
        if place is None:
            raise UserError(
                ErrorCode.REQUEST_NO_FEATURE,
                f"`{path}` is no document of this feature, or has no line {line} any more. Comment on a line of the "
                "newest version of its `spec.md`, `plan.md` or `tasks.md`.",
            )
    else:
        place = section_named(documents.get(path, b"").decode(errors="replace"), request.text)
        if place is None:
            raise UserError(
                ErrorCode.REQUEST_NO_FEATURE,
                "The wish names no part of the specification. Name a requirement (FR-003), a user story (user story 2) "
                "or a heading, or write it as a review comment on a line of `spec.md`.",
            )
    return Section(request.from_project(path), place.heading, place.first_line, place.last_line)
