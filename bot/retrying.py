"""Doing a run again, from the phase where it ended or the one somebody names. Pure: everything is given.

A run that is over stays over. A retry is a new run that takes over what the old one finished, so nothing is paid twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.commands.model import RunCommand
from bot.configuration.effective import EffectiveConfig
from bot.conversation import Conversation
from bot.reporting import refusals
from bot.starting import Refusal, budget_of, command_key, hosts_of, publishes
from db.allowed_hosts import HOSTS_ARGUMENT
from db.budgets import ARGUMENT
from db.models import SpecAutomationRun
from db.runs import NewRun
from db.types import JsonObject
from db.vocabulary import AGENT_PHASES, AGENT_PHASES_OF, TAKEN_OVER, ErrorCode, Phase, RunStatus, TaskStatus, Verb

_VERB_OF: dict[Phase, Verb] = {phases[0]: verb for verb, phases in AGENT_PHASES_OF.items()}
_ONCE_GIVEN = ("answers", "section")
"""Arguments that belong to what was said then: without them the same words ask for something else."""


def run_to_retry(
    runs: Sequence[SpecAutomationRun], phase: Phase | None, pressed_for: SpecAutomationRun | None = None
) -> SpecAutomationRun | None:
    """The run that ``retry`` means among ``runs``, newest first.

    ``pressed_for`` is the run whose check run was pressed: it, or what its last retry came to. Else it is the newest
    run that has the phase, or, where none is named, the newest that did not go well and was not retried yet.
    """
    if pressed_for is not None:
        return _last_try(pressed_for, runs)
    if phase is not None:
        newest = runs[0] if runs else None
        return next((run for run in runs if any(state.phase == phase for state in run.task_states)), newest)
    retried = {run.retry_of for run in runs}
    return next((run for run in runs if run.status is not RunStatus.SUCCEEDED and run.run_id not in retried), None)


def _last_try(run: SpecAutomationRun, runs: Sequence[SpecAutomationRun]) -> SpecAutomationRun:
    """Where a run came to by being retried, as far as that is over."""
    later = next((each for each in runs if each.retry_of == run.run_id and each.status.is_terminal), None)
    return run if later is None else _last_try(later, runs)


def retry(
    run: SpecAutomationRun, phase: Phase | None, talk: Conversation, config: EffectiveConfig, index: int, prefix: str
) -> NewRun | RunCommand | Refusal:
    """The new run, or the command that comes to the same for a run that went well."""
    if not run.status.is_terminal:
        return Refusal(refusals.retry_too_early(run, prefix))
    if phase is not None and phase not in _states(run):
        return Refusal(refusals.phase_not_in_run(phase, run))
    another_verb = phase in AGENT_PHASES and phase not in AGENT_PHASES_OF[run.verb]
    if run.status is not RunStatus.FAILED or another_verb:
        once = not another_verb and any(key in (run.arguments or {}) for key in _ONCE_GIVEN)
        if phase is None or phase not in AGENT_PHASES or once:
            return Refusal(refusals.nothing_to_retry(prefix))
        return again(run, phase)
    if (why := config.is_off(run.verb)) is not None:
        return Refusal(refusals.command_off(run.verb, why))
    if talk.archived:
        return Refusal(refusals.repository_archived(talk.repository))
    if run.pull_request_number is not None and talk.on_pull_request and not talk.is_open:
        return Refusal(refusals.pull_request_closed("retry", prefix))
    return replace(_new_run(run, phase, talk, index), arguments=_arguments(run, config))


def _arguments(run: SpecAutomationRun, config: EffectiveConfig) -> JsonObject:
    """Those of the run, but for what may be spent and reached: whoever gave more and retries means what holds now."""
    kept = {name: value for name, value in (run.arguments or {}).items() if name not in {ARGUMENT, HOSTS_ARGUMENT}}
    return {**kept, **budget_of(config), **hosts_of(config)}


def _new_run(run: SpecAutomationRun, phase: Phase | None, talk: Conversation, index: int) -> NewRun:
    taken_over = _taken_over(run, phase)
    pushed = Phase.COMMIT_PUSH in taken_over
    kept_tree = any(done in AGENT_PHASES for done in taken_over)
    arguments = run.arguments or {}
    return NewRun(
        command_key=command_key(talk, index),
        repository=run.repository,
        repository_id=run.repository_id,
        installation_id=talk.installation_id,
        private=talk.private,
        issue_number=run.issue_number,
        on_pull_request=run.on_pull_request,
        issue_title=run.issue_title,
        comment_id=talk.comment_id,
        requested_by=talk.actor,
        requested_by_id=talk.actor_id,
        base_branch=run.base_branch,
        requested_spec_input=run.requested_spec_input,
        until_phase=run.until_phase,
        dry_run=run.dry_run,
        requested_agent=run.requested_agent,
        requested_model=run.requested_model,
        verb=run.verb,
        trigger=talk.trigger,
        project=run.project,
        pull_request_number=run.pull_request_number,
        branch_name=run.branch_name if run.pull_request_number is not None or pushed else None,
        # What somebody pushed meanwhile is what the work is put on top of.
        base_sha=run.base_sha if kept_tree and run.error_code != ErrorCode.PUBLISH_BRANCH_MOVED else None,
        head_sha=run.head_sha if pushed else None,
        feature_directory=run.feature_directory if kept_tree or run.pull_request_number is not None else None,
        writer_key=run.writer_key,
        retry_of=run.run_id,
        most_in_repository=run.most_in_repository,
        most_of_person=run.most_of_person,
        arguments=arguments,
        # Not by the state of the push: whatever a failed run did not come to is skipped when it ends.
        publishes=publishes(run.verb, arguments),
        taken_over=taken_over,
    )


def again(run: SpecAutomationRun, phase: Phase) -> RunCommand:
    """The command that does a phase of a finished run anew, on the branch as it is now."""
    verb = run.verb if phase is AGENT_PHASES_OF[run.verb][0] else _VERB_OF[phase]
    same = verb is run.verb
    return RunCommand(
        verb,
        text=run.requested_spec_input if same else "",
        base=run.base_branch if same else None,
        until=run.until_phase if run.until_phase in AGENT_PHASES_OF[verb] else None,
        agent=run.requested_agent,
        model=run.requested_model,
        dry_run=run.dry_run,
        project=run.project,
    )


def _states(run: SpecAutomationRun) -> set[Phase]:
    return {Phase(state.phase) for state in run.task_states}


def _taken_over(run: SpecAutomationRun, phase: Phase | None) -> dict[Phase, JsonObject]:
    """The results that count further: of each agent phase and of the push, up to the first that is to be done again."""
    found: dict[Phase, JsonObject] = {}
    for state in sorted(run.task_states, key=lambda state: list(Phase).index(Phase(state.phase))):
        name = Phase(state.phase)
        if name not in AGENT_PHASES and name is not Phase.COMMIT_PUSH:
            continue
        details = state.details or {}
        if name is phase:
            break
        if TAKEN_OVER in details:
            found[name] = details
        elif state.status is TaskStatus.SUCCEEDED:
            found[name] = {**details, TAKEN_OVER: {"run_id": str(run.run_id), "attempt": state.attempt}}
        elif state.status is not TaskStatus.SKIPPED:
            break
    return found
