"""What helps after a failure."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.reporting.failure_advice import ADVICE, advice, retry_helps
from db.vocabulary import ErrorCode

PREFIX = "/speckit"


def test_every_failure_has_a_next_step() -> None:
    assert set(ADVICE) == set(ErrorCode)
    assert {code.value: advice(code, PREFIX) for code in ErrorCode} == snapshot(
        {
            "run.cancelled": "You can cure this: `/speckit retry` goes on where it stopped, when you want it after all.",
            "run.timed_out": "You can cure this: `/speckit retry` goes on where it stopped; asking for less at once, as with `--until specify`, helps.",
            "run.internal": "Only whoever runs this bot can cure this: give them the run id below.",
            "run.crashed_repeatedly": "Only whoever runs this bot can cure this: give them the run id below; the workers' logs tell why they died.",
            "request.invalid": "You can cure this: `/speckit help` shows what can be asked.",
            "request.no_feature": "You can cure this: do what is said above, then give the command again.",
            "request.pull_request_closed": "You can cure this: reopen the pull request, then `/speckit retry` goes on where it stopped.",
            "agent.not_allowed": "You can cure this: choose one of the agents named above.",
            "agent.not_configured": "Only whoever runs this bot can cure this: the agent's key or address is missing from the settings.",
            "agent.failed": "This is nobody's fault: `/speckit retry` tries it again; if it stays, ask whoever runs this bot.",
            "agent.rate_limited": "This is nobody's fault: `/speckit retry` in some minutes goes on where it stopped.",
            "agent.model_unavailable": "This is nobody's fault: once the model's endpoint answers, `/speckit retry` goes on where it stopped.",
            "agent.declined": "You can cure this: ask for it in other words, or for another model with `--model`; `/speckit retry` tries the same words once more.",
            "agent.sandbox_broken": "Only whoever runs this bot can cure this: the agent's own sandbox does not start in the job container; `speckit-bot doctor` tells why.",
            "agent.timed_out": "You can cure this: `/speckit retry` tries this phase again; asking for less, or stopping earlier with `--until`, helps.",
            "agent.no_output": "You can cure this: say more about what you want and give the command again, or `/speckit retry` tries the same words once more.",
            "agent.too_much_output": "You can cure this: ask for less and give the command again, or `/speckit retry` tries the same words once more.",
            "agent.out_of_memory": "Only whoever runs this bot can cure this: the agent needs more memory than the container may have.",
            "agent.budget_reached": "Whoever set the budget can cure this: what was finished is kept, and once the budget is raised `/speckit retry` goes on after it.",
            "engine.unreachable": "Only whoever runs this bot can cure this: the container engine does not answer the worker; once it does, `/speckit retry` goes on.",
            "engine.image_missing": "Only whoever runs this bot can cure this: the job image is not on the worker's machine.",
            "engine.container_lost": "This is nobody's fault: `/speckit retry` goes on where it stopped.",
            "engine.box_open": "Only whoever runs this bot can cure this: the container for the agent is not closed as it must be; the run page names what was found open.",
            "clone.not_found": "Whoever maintains this repository can cure this: let the App see the repository, then `/speckit retry` goes on where it stopped.",
            "clone.refused": "Whoever maintains this repository can cure this: check what the App may do in this repository, then `/speckit retry` goes on where it stopped.",
            "clone.empty_repository": "Whoever maintains this repository can cure this: push a first commit, then `/speckit retry` goes on where it stopped.",
            "clone.base_not_found": "You can cure this: name a branch that exists with `--base BRANCH`.",
            "clone.project_not_found": "You can cure this: name a folder that exists on that branch with `--project PATH`.",
            "clone.unsafe_tree": "Whoever maintains this repository can cure this: remove what is named above from the repository, then `/speckit retry` goes on where it stopped.",
            "clone.too_large": "Only whoever runs this bot can cure this: the repository is larger than the container's disk may be.",
            "clone.failed": "This is nobody's fault: `/speckit retry` tries it again; if it stays, ask whoever runs this bot.",
            "repository.archived": "Whoever maintains this repository can cure this: unarchive the repository, then `/speckit retry` goes on where it stopped.",
            "speckit.init_failed": "Only whoever runs this bot can cure this: Spec Kit could not be set up; the run's logs tell why.",
            "publish.protected_path": "You can cure this: say in the request to leave these paths alone; the work is kept as an artifact of the run.",
            "publish.forbidden_file": "You can cure this: say in the request to write plain files only; the work is kept as an artifact of the run.",
            "publish.too_large": "You can cure this: ask for less; the work is kept as an artifact of the run.",
            "publish.secret": "You can cure this: remove the secret from where the agent found it, replace it, then `/speckit retry` goes on where it stopped.",
            "publish.patch_unreadable": "Only whoever runs this bot can cure this: the agent's changes could not be read; the log tells why.",
            "publish.conflict": "This is nobody's fault: give the command again, and it starts from the branch as it is now.",
            "publish.refused": "Whoever maintains this repository can cure this: check the rules for branches named `speckit/` and what the App may do, then `/speckit retry` goes on where it stopped.",
            "publish.branch_taken": "Whoever maintains this repository can cure this: remove or rename the branch named above, then `/speckit retry` goes on where it stopped.",
            "publish.branch_moved": "This is nobody's fault: somebody pushed to the branch meanwhile; `/speckit retry` puts the work on top of it.",
            "github.access_lost": "Whoever maintains this repository can cure this: install the App here again, or grant what is lacking, then `/speckit retry` goes on where it stopped.",
            "github.unavailable": "This is nobody's fault: once GitHub answers, `/speckit retry` goes on where it stopped.",
            "github.refused": "Whoever maintains this repository can cure this: check what the App may do in this repository, then `/speckit retry` goes on where it stopped.",
            "storage.full": "Only whoever runs this bot can cure this: the disk for artifacts is full; with room on it, `/speckit retry` goes on.",
        }
    )


def test_a_code_nobody_knows_is_the_operators() -> None:
    assert advice("never.heard_of", PREFIX) == advice(ErrorCode.RUN_INTERNAL, PREFIX)
    assert advice(None, PREFIX) == advice(ErrorCode.RUN_INTERNAL, PREFIX)


def test_where_a_retry_cannot_help() -> None:
    assert [code.value for code in ErrorCode if not retry_helps(code)] == snapshot(
        [
            "request.invalid",
            "request.no_feature",
            "agent.not_allowed",
            "clone.base_not_found",
            "clone.project_not_found",
            "publish.conflict",
        ]
    )
    for code in ErrorCode:
        assert retry_helps(code) or "retry" not in advice(code, PREFIX)
