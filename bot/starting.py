"""From a command to the run it asks for, or to the sentence that says why not. Pure: everything is given.

What the repository's configuration says is written into the run when it is asked for, so that a later change of the
file changes no run that was accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.answering import matched_answers
from bot.commands.hidden_text import HiddenKind, Shown, shown_markdown, shown_text
from bot.commands.model import Place, RunCommand
from bot.commands.table import COMMANDS_BY_VERB, DEFAULT_ROLES
from bot.configuration.effective import EffectiveConfig
from bot.conversation import Conversation
from bot.reporting import refusals
from db.allowed_hosts import HOSTS_ARGUMENT
from db.budgets import ARGUMENT
from db.models import SpecAutomationRun
from db.records import Clarification
from db.runs import NewRun
from db.types import JsonObject
from db.vocabulary import AGENT_PHASES_OF, HIDDEN_TEXT, MAIN_PHASES, Phase, Trigger, Verb

ON_A_BRANCH = frozenset(
    {Verb.CLARIFY, Verb.PLAN, Verb.TASKS, Verb.CHECKLIST, Verb.ANALYZE, Verb.IMPLEMENT, Verb.REFINE}
)
"""Verbs that go on with a pull request of ours and never open one."""

DOCUMENTS = frozenset({"spec.md", "plan.md", "tasks.md"})
"""The files of a feature that have sections to refine."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the operator lets people choose from; ``models`` by agent."""

    agents: Sequence[str]
    models: Mapping[str, Sequence[str]]
    default_agent: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known where a command was given. ``line``: the runs of this pull request of ours, newest first."""

    conversation: Conversation
    config: EffectiveConfig
    offer: Offer
    line: Sequence[SpecAutomationRun] = ()
    questions: Clarification | None = None

    @property
    def origin(self) -> SpecAutomationRun | None:
        """The run that the next one on this pull request goes on from."""
        return next((run for run in self.line if run.branch_name is not None), None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no run."""

    sentence: str


def requested_run(situation: Situation, command: RunCommand, index: int, trigger: Trigger) -> NewRun | Refusal:
    """The run a command asks for; ``index`` is its place among those of its comment. It reads Markdown, and hostile
    people write some that takes up to a second: off the event loop with it."""
    text = _text(situation.conversation, command)
    if (refusal := _refused(situation, command, trigger, text.text)) is not None:
        return Refusal(refusal)
    arguments = _arguments(situation, command)
    if isinstance(arguments, str):
        return Refusal(arguments)
    if hidden := _hidden_in(text, arguments):
        arguments[HIDDEN_TEXT] = hidden
    talk, config = situation.conversation, situation.config
    goes_on = situation.origin if talk.on_pull_request else None
    project = (goes_on.project if goes_on else command.project or config.project) or None
    limits = config.limits
    return NewRun(
        command_key=command_key(talk, index),
        repository=talk.repository,
        repository_id=talk.repository_id,
        installation_id=talk.installation_id,
        private=talk.private,
        issue_number=talk.issue_number,
        on_pull_request=talk.on_pull_request,
        issue_title=talk.issue_title,
        comment_id=talk.comment_id,
        requested_by=talk.actor,
        requested_by_id=talk.actor_id,
        base_branch=goes_on.base_branch if goes_on else command.base or config.base_branch,
        requested_spec_input=text.text,
        until_phase=command.until if command.verb in {Verb.SPECIFY, Verb.PLAN} else None,
        dry_run=command.dry_run,
        requested_agent=command.agent,
        requested_model=command.model,
        verb=command.verb,
        trigger=trigger,
        project=project,
        pull_request_number=talk.issue_number if goes_on else None,
        branch_name=goes_on.branch_name if goes_on else None,
        feature_directory=goes_on.feature_directory if goes_on else None,
        writer_key=goes_on.writer_key if goes_on else writer_key(talk.issue_number, command.verb, project),
        most_in_repository=limits.runs,
        most_of_person=limits.runs_per_person,
        arguments=arguments,
        publishes=publishes(command.verb, arguments),
    )


def command_key(talk: Conversation, index: int) -> str:
    """What names a command for ever: what was said, and its place among the commands there."""
    return f"{talk.key}:{index}"


def publishes(verb: Verb, arguments: JsonObject) -> bool:
    """False for runs that only look: ``analyze``, and ``clarify`` when it asks."""
    return verb is not Verb.ANALYZE and not (verb is Verb.CLARIFY and "answers" not in arguments)


def not_here(place: Place, config: EffectiveConfig, verb: str, prefix: str) -> str | None:
    """Why nobody may give the command where it was given, or None."""
    if place not in COMMANDS_BY_VERB[verb].places:
        return refusals.wrong_place(verb, prefix, here=place)
    why = config.is_off(verb)
    return refusals.command_off(verb, why) if why is not None else None


def writer_key(issue_number: int, verb: Verb, project: str | None) -> str:
    """Which runs write to the same branch: those for one issue, in one project, of one kind."""
    kind = ":constitution" if verb is Verb.CONSTITUTION else ""
    return f"issue:{issue_number}{kind}{f':{project}' if project else ''}"[:200]


def same_request(new: NewRun, run: SpecAutomationRun, default_branch: str) -> bool:
    """True if a run of the same issue that is alive does what ``new`` asks for: asking twice is one run.

    A run that works names its base branch and the pull request it goes on with, also where nobody named them:
    ``default_branch`` stands for the one, and the issue for the other.
    """
    wanted = (new.verb, new.requested_spec_input, new.until_phase, new.dry_run, new.requested_agent)
    also = (new.requested_model, new.project, new.base_branch or default_branch, new.retry_of)
    given = (run.verb, run.requested_spec_input, run.until_phase, run.dry_run, run.requested_agent)
    there = (run.requested_model, run.project, run.base_branch or default_branch, run.retry_of)
    matter = ("answers", "section")
    return (
        wanted == given
        and also == there
        and all(new.arguments.get(key) == (run.arguments or {}).get(key) for key in matter)
    )


def _refused(situation: Situation, command: RunCommand, trigger: Trigger, text: str) -> str | None:
    talk, config, offer, verb = situation.conversation, situation.config, situation.offer, command.verb.value
    if (why := not_here(talk.place, config, verb, offer.prefix)) is not None:
        return why
    if talk.archived:
        return refusals.repository_archived(talk.repository)
    if command.verb in ON_A_BRANCH and situation.origin is None:
        return refusals.not_our_pull_request(verb, offer.prefix)
    if talk.on_pull_request and situation.origin is not None and not talk.is_open:
        return refusals.pull_request_closed(verb, offer.prefix)
    if command.agent is not None and command.agent not in offer.agents:
        return refusals.agent_not_allowed(command.agent, offer.agents)
    if (why := _model_refused(situation, command)) is not None:
        return why
    if command.verb is Verb.SPECIFY and not text.strip():
        return refusals.trigger_without_text(trigger, verb, offer.prefix)
    if talk.section is not None and command.verb is Verb.REFINE and not _is_in_a_document(talk.section):
        return refusals.not_a_section(str(talk.section["path"]), offer.prefix)
    return None


def _model_refused(situation: Situation, command: RunCommand) -> str | None:
    """A model belongs to an agent: the one that works in each phase must have it."""
    models = situation.offer.models
    for agent in _agents(situation, command).values() if command.model is not None else ():
        if command.model not in models.get(agent, ()):
            return refusals.model_not_allowed(command.model or "", agent, models.get(agent, ()))
    return None


def _is_in_a_document(section: JsonObject) -> bool:
    """Whether a review comment stands on a line of a document of a feature."""
    return section["line"] is not None and str(section["path"]).rpartition("/")[2] in DOCUMENTS


def _text(talk: Conversation, command: RunCommand) -> Shown:
    """What was asked for. On an issue the issue itself may be it, as it was when the command was given."""
    if command.text or command.verb is not Verb.SPECIFY or talk.on_pull_request:
        return shown_text(command.text).after({HiddenKind.HTML_COMMENT: command.hidden_comments})
    title, body = shown_text(talk.issue_title), shown_markdown(talk.issue_body)
    return Shown(f"{title.text}\n\n{body.text}".strip(), body.after(title.hidden).hidden)


def _hidden_in(text: Shown, arguments: JsonObject) -> JsonObject:
    """What was left out of the text, and of the answers, from which it is taken here."""
    hidden = Counter(text.hidden)
    for answered in arguments.get("answers", ()):
        for key in ("question", "answer"):
            shown = shown_text(str(answered[key]))
            answered[key] = shown.text
            hidden.update(shown.hidden)
    return dict(hidden)


def _arguments(situation: Situation, command: RunCommand) -> JsonObject | str:
    """What the verb takes besides text, and what the configuration says about such a run; or why there is none."""
    talk, config = situation.conversation, situation.config
    arguments: JsonObject = {
        "roles": {command.verb.value: config.role_of(command.verb)},
        "people": list(config.people_of(command.verb)),
        "commands_off": [name for name in DEFAULT_ROLES if config.is_off(name) is not None],
        "run_timeout": config.limits.run_timeout,
        "retention_days": config.retention_days,
        **_agents_and_models(situation, command),
        **budget_of(config),
        **hosts_of(config),
    }
    wanted = config.pull_request
    arguments["pull_request"] = {
        "labels": list(wanted.labels),
        "reviewers": list(wanted.reviewers),
        "team_reviewers": list(wanted.team_reviewers),
        "assignees": list(wanted.assignees),
    }
    match command.verb:
        case Verb.CLARIFY if command.answers or command.accept_recommended:
            found = matched_answers(
                situation.questions,
                command.answers,
                accept_recommended=command.accept_recommended,
                prefix=situation.offer.prefix,
            )
            if isinstance(found, str):
                return found
            arguments["answers"] = found
            if command.accept_recommended:
                arguments["accept_recommended"] = True
        case Verb.IMPLEMENT:
            arguments["paths"] = list(config.implement_paths)
        case Verb.REFINE if talk.place is Place.REVIEW_COMMENT:
            arguments["section"] = talk.section
            arguments["review_comment_id"] = talk.thread_id
        case _:
            pass
    return arguments


def hosts_of(config: EffectiveConfig) -> JsonObject:
    """The hosts that a run's agents may reach, where somebody asks for less than the operator allows."""
    return {HOSTS_ARGUMENT: list(config.allowed_hosts)} if config.allowed_hosts is not None else {}


def budget_of(config: EffectiveConfig) -> JsonObject:
    """What the run may spend, for its arguments; nothing where only the operator's settings say so."""
    return {ARGUMENT: config.own_budget} if config.own_budget else {}


def _agents(situation: Situation, command: RunCommand) -> Mapping[str, str]:
    """The agent of each phase: the command's, else the repository's wish as far as the operator allows it."""
    config, offer = situation.config, situation.offer
    agents = {}
    for phase in _phases(command):
        wish = command.agent or config.agent_for(phase)
        agents[phase.value] = wish if wish is not None and wish in offer.agents else offer.default_agent
    return agents


def _agents_and_models(situation: Situation, command: RunCommand) -> JsonObject:
    """The repository's wishes by phase, as far as the operator allows them; a wish that is not allowed is no wish."""
    config, offer = situation.config, situation.offer
    wishes = {phase.value: config.agent_for(phase) for phase in _phases(command)}
    models = {phase.value: config.model_for(phase) for phase in _phases(command)}
    works = _agents(situation, command)
    return {
        "agents": {phase: name for phase, name in wishes.items() if name in offer.agents},
        "models": {phase: name for phase, name in models.items() if name in offer.models.get(works[phase], ())},
    }


def _phases(command: RunCommand) -> Sequence[Phase]:
    return MAIN_PHASES if command.verb is Verb.SPECIFY else AGENT_PHASES_OF[command.verb]
