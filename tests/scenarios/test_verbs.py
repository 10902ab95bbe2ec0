"""The whole of Spec Kit from comments on a pull request: each verb, what it leaves on the branch, and what it says."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import DIRECTORY, say, specified, written
from tests.seen import seen

pytestmark = pytest.mark.engine


async def test_a_specification_grows_by_comments(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s, "--until specify")
    assert written(s) == [f"{DIRECTORY}/checklists/requirements.md", f"{DIRECTORY}/spec.md"]

    planned = await say(s, "/speckit plan --until plan We use Python and Postgres.", issue)
    assert seen(planned) == snapshot("""\
✅ **Done.** The plan is pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `plan --until plan`: We use Python and Postgres.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/plan.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md) 64 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ⏭️ | `speckit_specify` writing the specification |  |  |
| ✅ | `speckit_plan` writing the plan | T | 1 |
| ⏭️ | `speckit_tasks` writing the tasks |  |  |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the plan:** wrote specs/001-customers-pay-invoice/plan.md from specs/001-customers-pay-invoice/spec.md: 8 technical decisions still to be made

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit tasks` writes the tasks
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert "Postgres" in s.pull_request().text_of(f"{DIRECTORY}/plan.md")

    tasks = await say(s, "/speckit.tasks", issue)
    assert seen(tasks) == snapshot("""\
✅ **Done.** The tasks are pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `tasks`.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/tasks.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/tasks.md) 151 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ⏭️ | `speckit_specify` writing the specification |  |  |
| ⏭️ | `speckit_plan` writing the plan |  |  |
| ✅ | `speckit_tasks` writing the tasks | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the tasks:** wrote specs/001-customers-pay-invoice/tasks.md: 9 tasks for 1 user story

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit analyze` checks the specification, the plan and the tasks against each other
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert f"{DIRECTORY}/tasks.md" in s.pull_request().files

    checklist = await say(s, "/speckit checklist Security and privacy", issue)
    assert seen(checklist) == snapshot("""\
✅ **Done.** The checklist is pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `checklist`: Security and privacy

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/checklists/security.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/checklists/security.md) 43 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_checklist` writing the checklist | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the checklist:** wrote specs/001-customers-pay-invoice/checklists/security.md: 12 new items, none of them ticked

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert any(path.startswith(f"{DIRECTORY}/checklists/s") for path in s.pull_request().files)

    before = s.pull_request().head_sha
    findings = await say(s, "/speckit analyze", issue)
    assert seen(findings) == snapshot("""\
🔎 **9 findings.** 1 of them critical or high.

`grace` asked for `analyze`.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

| severity | where | finding | what to do |
|---|---|---|---|
| HIGH | [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) | *A1 Ambiguity:* Open question: the request names no boundary conditions or error cases; which matter? | Answer it with the command `clarify`. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:20`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L20) | *A2 Ambiguity:* Still to be decided: Language/Version | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:22`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L22) | *A3 Ambiguity:* Still to be decided: Primary Dependencies | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:26`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L26) | *A4 Ambiguity:* Still to be decided: Testing | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:28`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L28) | *A5 Ambiguity:* Still to be decided: Target Platform | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:30`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L30) | *A6 Ambiguity:* Still to be decided: Project Type | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L32) | *A7 Ambiguity:* Still to be decided: Performance Goals | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:34`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L34) | *A8 Ambiguity:* Still to be decided: Constraints | Decide it and write it down. |
| MEDIUM | [`specs/001-customers-pay-invoice/plan.md:36`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md?plain=1#L36) | *A9 Ambiguity:* Still to be decided: Scale/Scope | Decide it and write it down. |

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_analyze` analyzing what is written | T | 1 |
| ⏭️ | `commit_push` committing and pushing |  |  |
| ⏭️ | `open_pr` opening the pull request |  |  |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · run `RUN-ID`

**The agent on analyzing what is written:** wrote 9 findings about specs/001-customers-pay-invoice (1 HIGH, 8 MEDIUM); no file was changed

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert s.pull_request().head_sha == before, "an analysis writes no file"
    check = s.check_run_at(before)
    assert check.conclusion == "action_required", "a question is still open"
    assert {note["path"] for note in check.annotations} <= {
        f"{DIRECTORY}/{name}" for name in ("spec.md", "plan.md", "tasks.md")
    }
    assert check.annotations

    refined = await say(s, "/speckit refine FR-001 within one minute", issue)
    assert seen(refined) == snapshot("""\
✅ **Done.** Section “FR-001: System MUST meet this part of the request: Let customers pay by invoice.” of `spec.md` is changed and pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `refine`: FR-001 within one minute

It is at [`specs/001-customers-pay-invoice/spec.md:38`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L38), changed by commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA).

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

⚠️ Out of date, because what they build on changed: [`specs/001-customers-pay-invoice/plan.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md) and [`specs/001-customers-pay-invoice/tasks.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/tasks.md).

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/spec.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md) 1 line

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_refine` changing the section | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on changing the section:** wrote specs/001-customers-pay-invoice/spec.md, line 38: FR-001 says more

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit plan` writes the plan again, so that it fits
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    spec = s.pull_request().text_of(f"{DIRECTORY}/spec.md")
    assert "within one minute" in next(line for line in spec.splitlines() if "**FR-001**" in line)

    assert len(s.pull_requests()) == 1
    assert len(s.bot_branches()) == 1
    assert [run.status for run in await s.runs(issue)] == ["succeeded"] * 5
    folded = [reply.minimized for reply in s.replies(issue) if "speckit-bot:run=" in reply.body]
    assert folded == ["outdated"] * 4 + [None], "only the newest run's comment is unfolded"
    for run in await s.runs(issue):
        status, page = await s.page(f"/runs/{run.run_id}")
        assert status == 200
        assert run.verb in page
    for commit in s.pull_request().commits:
        assert "Co-authored-by: grace" in commit.message
        assert "Speckit-Run: " in commit.message


async def test_a_new_round_tells_what_changed(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s)
    pull = s.pull_request()
    pull.issue.body = f"{pull.body}\n\nA note that a person added."

    said = await say(s, "/speckit specify Let customers pay by invoice. Net 14, EU only. Send a reminder.", issue)
    assert seen(said) == snapshot("""\
✅ **Done.** The specification, the plan and the tasks are pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `specify`: Let customers pay by invoice. Net 14, EU only. Send a reminder.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:33`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L33) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`specs/001-customers-pay-invoice/plan.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/plan.md) 3 lines
- [`specs/001-customers-pay-invoice/spec.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md) 8 lines
- [`specs/001-customers-pay-invoice/tasks.md`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/tasks.md) 3 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_specify` writing the specification | T | 1 |
| ✅ | `speckit_plan` writing the plan | T | 1 |
| ✅ | `speckit_tasks` writing the tasks | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the specification:** wrote specs/001-customers-pay-invoice/spec.md: 1 user story, 5 requirements (2 kept, 3 new, 2 dropped), 1 open question; 2 of 16 items of specs/001-customers-pay-invoice/checklists/requirements.md pass

**The agent on writing the plan:** wrote specs/001-customers-pay-invoice/plan.md anew from specs/001-customers-pay-invoice/spec.md: 9 technical decisions still to be made

**The agent on writing the tasks:** wrote specs/001-customers-pay-invoice/tasks.md: 10 tasks for 1 user story

**Next:**

- `/speckit clarify 1: YOUR ANSWER` answers the first question
- `/speckit analyze` checks the specification, the plan and the tasks against each other
- `/speckit checklist` writes a checklist for the review
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    (pull,) = s.pull_requests()
    assert "A note that a person added." in pull.body
    assert seen(pull.body) == snapshot("""\
<!-- speckit-bot:section=request -->
### Request, round 2

`grace` asked for (run `RUN`):

> ```text
> Let customers pay by invoice. Net 14, EU only. Send a reminder.
> ```
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=later-commands -->
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=user-stories -->
### User stories

- Let customers pay by invoice
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=requirements -->
### Requirements

| | requirement | since the last round |
|---|---|---|
| FR-001 | System MUST meet this part of the request: Let customers pay by invoice. |  |
| FR-002 | System MUST meet this part of the request: Net 30, EU only. | *removed* |
| SC-001 | Measurably so: Net 30, EU only. | *removed* |
| FR-003 | System MUST meet this part of the request: Net 14, EU only. | *added* |
| FR-004 | System MUST meet this part of the request: Send a reminder. | *added* |
| SC-002 | Every acceptance scenario above passes when it is carried out |  |
| SC-003 | Measurably so: Net 14, EU only. | *added* |
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=open-questions -->
### Open questions

- `specs/001-customers-pay-invoice/spec.md:33` the request names no boundary conditions or error cases; which matter?
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=findings -->
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=phases -->
### Phases

Of run `RUN`, `specify` for `grace`:

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_specify` writing the specification | T | 1 |
| ✅ | `speckit_plan` writing the plan | T | 1 |
| ✅ | `speckit_tasks` writing the tasks | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=versions -->
agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3
<!-- /speckit-bot:section -->

<!-- speckit-bot:section=references -->
Refs #1
<!-- /speckit-bot:section -->

A note that a person added.\
""")
    assert written(s) == [
        f"{DIRECTORY}/checklists/requirements.md", f"{DIRECTORY}/plan.md", f"{DIRECTORY}/spec.md",
        f"{DIRECTORY}/tasks.md",
    ]  # fmt: skip


async def test_asking_again_on_the_issue_goes_on_with_its_pull_request(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    await s.comment("/speckit specify --until specify Let customers pay by cheque.")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    (pull,) = s.pull_requests()
    assert run.pull_request_number == pull.number
    assert "cheque" in pull.text_of(f"{DIRECTORY}/spec.md")


async def test_the_issue_itself_is_the_text_where_none_is_given(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.comment("/speckit specify --until specify")
    await s.hub.settle()
    await s.hub.edit_issue(s.issue, title="Something else", body="Now it says something else.", author="ada")
    await s.start_worker()
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert run.requested_spec_input == "Pay by invoice\n\nWe lose customers who cannot pay by card."
    spec = s.pull_request().text_of(f"{run.feature_directory}/spec.md")
    assert "cannot pay by card" in spec
    assert "something else" not in spec


async def test_a_constitution_gets_a_pull_request_of_its_own(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment("/speckit constitution Every change is tested first.\nNo secret is ever logged.")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    pull = s.pull_request()
    text = pull.text_of(".specify/memory/constitution.md")
    assert "Every change is tested first" in text
    assert "[PRINCIPLE_1_NAME]" not in text
    assert seen(s.reply().body) == snapshot("""\
✅ **Done.** [Pull request 2](HUB/acme/shop/pull/2) is open as a draft.

`grace` asked for `constitution`: Every change is tested first. No secret is ever logged.

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`.specify/memory/constitution.md`](HUB/acme/shop/blob/SHA/.specify/memory/constitution.md) 20 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_constitution` writing the constitution | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on writing the constitution:** wrote .specify/memory/constitution.md, version 1.0.0: 2 principles added, 0 changed, 0 removed

**Next**, on [pull request 2](HUB/acme/shop/pull/2):

- `/speckit specify TEXT` on an issue begins a specification that keeps to it

<!-- speckit-bot:run=RUN-ID -->\
""")
    assert seen(pull.title) == snapshot("Pay by invoice")
