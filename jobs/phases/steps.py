"""What each agent phase must leave behind: data, so that nine phases are one piece of code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.vocabulary import Phase

SPEC, PLAN, TASKS = "spec.md", "plan.md", "tasks.md"
DOCUMENTS = (SPEC, PLAN, TASKS)
"""The files of a feature, each building on the ones before it."""

SPECS = "specs"
CONSTITUTION = ".specify/memory/constitution.md"


@dataclass(frozen=True, slots=True)
class Step:
    """One agent phase.

    ``subject`` begins the subject of its commit. ``output`` is the file it must produce, in the feature directory or,
    with ``in_project``, in the project; empty where any change will do. ``template`` is what that file must not be left
    as. ``needs`` are the files of the feature that must be there before; ``changes`` is the document it changes, after
    which those that build on it are stale. ``writes`` is False for a phase whose changes are thrown away.
    """

    phase: Phase
    subject: str
    output: str = ""
    template: str = ""
    in_project: bool = False
    needs: tuple[str, ...] = ()
    changes: str = ""
    writes: bool = True


STEPS: Mapping[Phase, Step] = {
    step.phase: step
    for step in (
        Step(Phase.SPECKIT_CONSTITUTION, "Constitution", CONSTITUTION, "constitution-template.md", in_project=True),
        Step(Phase.SPECKIT_SPECIFY, "Specify", SPEC, "spec-template.md", changes=SPEC),
        Step(Phase.SPECKIT_CLARIFY, "Clarify", SPEC, "spec-template.md", needs=(SPEC,), changes=SPEC),
        Step(Phase.SPECKIT_REFINE, "Refine", needs=(SPEC,), changes=SPEC),
        Step(Phase.SPECKIT_PLAN, "Plan", PLAN, "plan-template.md", needs=(SPEC,), changes=PLAN),
        Step(Phase.SPECKIT_TASKS, "Tasks", TASKS, "tasks-template.md", needs=(SPEC, PLAN), changes=TASKS),
        Step(Phase.SPECKIT_CHECKLIST, "Checklist", needs=(SPEC,)),
        Step(Phase.SPECKIT_ANALYZE, "Analyze", needs=DOCUMENTS, writes=False),
        Step(Phase.SPECKIT_IMPLEMENT, "Implement", needs=DOCUMENTS),
    )
}

VERB_THAT_MAKES: Mapping[str, str] = {SPEC: "specify", PLAN: "plan", TASKS: "tasks"}
