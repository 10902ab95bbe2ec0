"""One sentence that tells how a run stands. Pure.

It begins the run's comment, is the title of its check run, and stands for the run wherever runs are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.reporting import agent_facts, run_facts, sanitize
from bot.reporting.run_view import RunView
from bot.reporting.sections import count, joined
from db.models import SpecAutomationRun
from db.turns import QueuePlace
from db.vocabulary import Phase, RunStatus, TaskStatus, Verb

_WRITTEN = {
    Phase.SPECKIT_CONSTITUTION: "the constitution",
    Phase.SPECKIT_SPECIFY: "the specification",
    Phase.SPECKIT_PLAN: "the plan",
    Phase.SPECKIT_TASKS: "the tasks",
    Phase.SPECKIT_CHECKLIST: "the checklist",
    Phase.SPECKIT_IMPLEMENT: "the work on the tasks",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: ``claim`` is the sentence, or its beginning, that everything else only adds to."""

    emoji: str
    claim: str
    more: str = ""


def headline(run: SpecAutomationRun, view: RunView) -> str:
    """The sentence as Markdown."""
    stands = standing(run, view)
    return f"{stands.emoji} **{stands.claim}** {stands.more}".rstrip()


def standing(run: SpecAutomationRun, view: RunView) -> Standing:
    """The sentence in its parts."""
    match RunStatus(run.status):
        case RunStatus.QUEUED | RunStatus.IN_PROGRESS if run.cancel_requested_at is not None:
            return Standing("🛑", "Stopping:", f"{sanitize.code(run.cancel_requested_by or 'somebody')} asked for it.")
        case RunStatus.QUEUED:
            return _waiting(view.place)
        case RunStatus.IN_PROGRESS:
            return _working(run)
        case RunStatus.SUCCEEDED if run.dry_run:
            return Standing("✅", "Dry run done.", "Nothing was pushed; the changes are kept with the run.")
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES:
            return _came_of_it(run, view)
        case RunStatus.FAILED if run_facts.was_cancelled(run):
            by = f" by {sanitize.code(run.cancel_requested_by)}" if run.cancel_requested_by else ""
            return Standing("🛑", f"Cancelled{by}.", "Nothing more happens in this run.")
        case RunStatus.FAILED:
            state = run_facts.current_state(run)
            where = f" while {run_facts.PHASE_WORDS[Phase(state.phase)]}" if state is not None else ""
            return Standing("❌", f"Not done: the run stopped{where}.")


def place_words(place: QueuePlace) -> str:
    """Where a waiting run stands: ``place 2 in the queue of this repository``."""
    return f"{'next' if place.place == 1 else f'place {place.place}'} in the queue of this repository"


def queue_words(place: QueuePlace) -> str:
    """Where a waiting run stands and what it waits for, as the end of a sentence."""
    line = place_words(place)
    if not place.behind:
        return line
    others = joined([sanitize.code(run_id) for run_id in place.behind[:3]])
    more = f" and {len(place.behind) - 3} more" if len(place.behind) > 3 else ""
    one = len(place.behind) == 1
    same = "which works" if one else "which work"
    return f"{line}, behind {'run' if one else 'runs'} {others}{more}, {same} on the same branch"


def _waiting(place: QueuePlace | None) -> Standing:
    if place is None:
        return Standing("⏳", "Waiting for a worker.")
    return Standing("⏳", "Waiting:", f"{queue_words(place)}.")


def _working(run: SpecAutomationRun) -> Standing:
    state = run_facts.current_state(run)
    if state is None or state.status == TaskStatus.FAILED:
        return Standing("🔄", "Working.")
    words = run_facts.PHASE_WORDS[Phase(state.phase)]
    if state.status == TaskStatus.RETRYING:
        return Standing("🔁", f"A hitch while {words};", "it is tried again.")
    every = run_facts.states(run)
    return Standing("🔄", f"{words[0].upper()}{words[1:]}", f"(phase {every.index(state) + 1} of {len(every)}).")


def _came_of_it(run: SpecAutomationRun, view: RunView) -> Standing:
    """For a run that ended well: what there is now, or what there is to do."""
    if questions := agent_facts.asked_questions(run):
        where = f"[their comment]({view.questions_url})" if view.questions_url else "a comment of their own"
        verb = "needs" if len(questions) == 1 else "need"
        return Standing("❓", f"{count(len(questions), 'question')} {verb} an answer.", f"Choices stand in {where}.")
    if run.verb == Verb.ANALYZE:
        return _analyzed(run)
    if run.status == RunStatus.NO_CHANGES:
        return _nothing_changed(run)
    link = run_facts.pull_request_link(run, view)
    if run.pull_request_number is None:
        named = f"[P{link[2:]}" if link.startswith("[") else "The pull request"
        return Standing("✅", "Done.", f"{named} is open as a draft.")
    return Standing("✅", "Done.", f"{_pushed(run)} pushed to {link}.")


def _pushed(run: SpecAutomationRun) -> str:
    """What is on the branch now, with its verb."""
    if run.verb == Verb.CLARIFY:
        answers = agent_facts.given_answers(run)
        return f"{count(len(answers), 'answer')} {'is' if len(answers) == 1 else 'are'} worked in and"
    if run.verb == Verb.REFINE:
        return f"{section_words(run)} is changed and"
    written = [_WRITTEN[phase] for phase in run_facts.done_agent_phases(run) if phase in _WRITTEN]
    many = len(written) > 1 or written == [_WRITTEN[Phase.SPECKIT_TASKS]]
    words = joined(written) or "the work"
    return f"{words[0].upper()}{words[1:]} {'are' if many else 'is'}"


def section_words(run: SpecAutomationRun) -> str:
    """The section that a ``refine`` run is about."""
    section = agent_facts.refined_section(run)
    if section is None:
        return "The section"
    named = run_facts.one_line(section.heading, 120)
    file = sanitize.code(section.path.rpartition("/")[2])
    return f"Section “{named}” of {file}" if named else f"The section of {file}"


def _analyzed(run: SpecAutomationRun) -> Standing:
    found = agent_facts.findings(run)
    grave = sum(finding.severity in agent_facts.GRAVE for finding in found)
    if not found:
        return Standing("✅", "Nothing to object to.", "The files fit each other.")
    more = f"{grave} of them critical or high." if grave else "None of them is critical or high."
    return Standing("🔎", f"{count(len(found), 'finding')}.", more)


def _nothing_changed(run: SpecAutomationRun) -> Standing:
    match Verb(run.verb):
        case Verb.CLARIFY:
            return Standing("➖", "No question is left to ask.")
        case Verb.REFINE:
            section = section_words(run)
            return Standing("➖", "Nothing to change.", f"The agent left {section[0].lower()}{section[1:]} as it is.")
        case _:
            where = "base branch" if run.pull_request_number is None else "branch"
            return Standing(
                "➖", "Nothing changed.", f"The agent wrote nothing that the {where} does not hold already."
            )
