"""What makes sense next, as commands ready to be given. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.reporting import agent_facts, run_facts
from bot.reporting.agent_facts import Question
from bot.reporting.failure_advice import retry_helps
from bot.reporting.run_view import RunView
from db.models import SpecAutomationRun
from db.vocabulary import Phase, RunStatus, Verb

DOES: Mapping[Verb, str] = {
    Verb.PLAN: "writes the plan",
    Verb.TASKS: "writes the tasks",
    Verb.ANALYZE: "checks the specification, the plan and the tasks against each other",
    Verb.CHECKLIST: "writes a checklist for the review",
    Verb.CLARIFY: "asks what the specification leaves open",
    Verb.REFINE: "changes the section that the text names; in a review comment on `spec.md`, the section it stands at",
    Verb.IMPLEMENT: "carries out the tasks",
}
_TAKES_TEXT = frozenset({Verb.SPECIFY, Verb.CONSTITUTION, Verb.REFINE})


@dataclass(frozen=True, slots=True)
class NextCommand:
    """``words`` is what stands after the prefix; ``does`` completes the sentence that it begins."""

    words: str
    does: str


def next_steps(run: SpecAutomationRun, view: RunView) -> str:
    """The commands, as the last part of the run's comment."""
    lines = [f"`{view.prefix} {command.words}` {command.does}" for command in next_commands(run, view)]
    if not RunStatus(run.status).is_terminal:
        return " · ".join(lines)
    return "\n".join([_introduction(run, view), "", *(f"- {line}" for line in lines)])


def next_commands(run: SpecAutomationRun, view: RunView) -> list[NextCommand]:
    """The commands that make sense now, the likeliest first. What is switched off is not among them."""
    found: dict[str, NextCommand] = {}
    for command in _next_commands(run, view):
        if command.words.split()[0] not in view.commands_off:
            found.setdefault(command.words, command)
    return list(found.values())


def next_verb(run: SpecAutomationRun, commands_off: frozenset[str]) -> Verb | None:
    """The one verb that takes the work a step further, or None where people must decide, or nothing is left."""
    if not run_facts.did_its_work(run) or run.dry_run or agent_facts.asked_questions(run):
        return None
    found = _renewing(agent_facts.stale_files(run)) or _following(run)
    return found if found is not None and found.value not in commands_off else None


def answer_example(questions: Sequence[Question]) -> str:
    """How answers to these questions could look: ``1A 2C 3: only EU``. The recommended choice where there is one."""
    words, in_words = [], ""
    for question in questions:
        if question.options:
            letters = [option.letter for option in question.options]
            words.append(f"{question.number}{question.recommended if question.recommended in letters else letters[0]}")
        elif not in_words:
            # An answer in words runs to the next number: one is enough to show it, at the end.
            in_words = f"{question.number}: YOUR ANSWER"
    return " ".join([*words, in_words] if in_words else words)


def _introduction(run: SpecAutomationRun, view: RunView) -> str:
    if run.on_pull_request or run_facts.pull_request_number(run) is None or run.status != RunStatus.SUCCEEDED:
        return "**Next:**"
    return f"**Next**, on {run_facts.pull_request_link(run, view)}:"


def _next_commands(run: SpecAutomationRun, view: RunView) -> Iterator[NextCommand]:
    again = _again(run)
    match RunStatus(run.status):
        case RunStatus.QUEUED | RunStatus.IN_PROGRESS:
            yield NextCommand(f"cancel {run_facts.short_id(run)}", "stops it")
            yield NextCommand("status", "tells how every run stands")
        case RunStatus.FAILED:
            if run_facts.was_cancelled(run) or retry_helps(run.error_code):
                yield NextCommand("retry", "goes on where it stopped")
            yield NextCommand(again, "starts anew")
        case RunStatus.SUCCEEDED if run.dry_run:
            yield NextCommand(again, "without `--dry-run` pushes the work")
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES if questions := agent_facts.asked_questions(run):
            yield from _answers(questions)
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES if run_facts.did_its_work(run):
            yield from _after_success(run, view)
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES:
            yield NextCommand(again, "with other words tries once more")


def _again(run: SpecAutomationRun) -> str:
    verb = Verb(run.verb)
    return f"{verb.value} TEXT" if verb in _TAKES_TEXT or run.requested_spec_input.strip() else verb.value


def _answers(questions: Sequence[Question]) -> Iterator[NextCommand]:
    yield NextCommand(f"clarify {answer_example(questions)}", "answers them, with the letters you choose")
    if any(question.recommended for question in questions):
        yield NextCommand("clarify --accept-recommended", "takes every recommended choice")


def _after_success(run: SpecAutomationRun, view: RunView) -> Iterator[NextCommand]:
    if run.verb == Verb.CONSTITUTION:
        yield NextCommand("specify TEXT", "on an issue begins a specification that keeps to it")
        return
    if agent_facts.open_questions(run):
        # Questions are numbered where a specification raised them; later runs only see that they are still open.
        first = "clarify 1: YOUR ANSWER" if run.verb == Verb.SPECIFY else "clarify"
        yield NextCommand(first, "answers the first question" if run.verb == Verb.SPECIFY else DOES[Verb.CLARIFY])
    following = next_verb(run, view.commands_off)
    if following is not None:
        stale = "again, so that it fits" if agent_facts.stale_files(run) and following != Verb.CHECKLIST else ""
        yield NextCommand(following.value, f"{DOES[following]} {stale}".rstrip())
    yield from _checks(run)


def _checks(run: SpecAutomationRun) -> Iterator[NextCommand]:
    """What can be done with a specification at any time."""
    complete = run.verb in {Verb.ANALYZE, Verb.IMPLEMENT} or Phase.SPECKIT_TASKS in run_facts.done_agent_phases(run)
    stale = bool(agent_facts.stale_files(run))
    if run.verb != Verb.CLARIFY and not complete and not agent_facts.open_questions(run):
        yield NextCommand("clarify", DOES[Verb.CLARIFY])
    if run.verb != Verb.CHECKLIST:
        yield NextCommand("checklist", DOES[Verb.CHECKLIST])
    if complete and not stale and run.verb != Verb.ANALYZE:
        yield NextCommand("analyze", DOES[Verb.ANALYZE])
    yield NextCommand("refine TEXT", DOES[Verb.REFINE])
    if complete and not stale and run.verb != Verb.IMPLEMENT:
        yield NextCommand("implement", DOES[Verb.IMPLEMENT])


def _renewing(stale: Sequence[str]) -> Verb | None:
    """The verb that writes the first of the stale files again, and all that build on it."""
    if not stale:
        return None
    if all("/checklists/" in path for path in stale):
        return Verb.CHECKLIST
    return Verb.TASKS if all(path.endswith("/tasks.md") or "/checklists/" in path for path in stale) else Verb.PLAN


def _following(run: SpecAutomationRun) -> Verb | None:
    match Verb(run.verb):
        case Verb.SPECIFY | Verb.PLAN | Verb.TASKS:
            done = run_facts.done_agent_phases(run)
            return _AFTER.get(done[-1]) if done else None
        case Verb.CLARIFY:
            return Verb.PLAN
        case Verb.REFINE:
            section = agent_facts.refined_section(run)
            name = section.path.rpartition("/")[2] if section is not None else ""
            return {"spec.md": Verb.PLAN, "plan.md": Verb.TASKS, "tasks.md": Verb.ANALYZE}.get(name)
        case Verb.ANALYZE:
            return None if agent_facts.findings(run) else Verb.IMPLEMENT
        case Verb.CHECKLIST | Verb.IMPLEMENT | Verb.CONSTITUTION:
            return None


_AFTER: Mapping[Phase, Verb] = {
    Phase.SPECKIT_SPECIFY: Verb.PLAN,
    Phase.SPECKIT_PLAN: Verb.TASKS,
    Phase.SPECKIT_TASKS: Verb.ANALYZE,
}
