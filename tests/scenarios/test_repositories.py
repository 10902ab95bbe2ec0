"""Repositories differ: what an agent may write there, monorepos, timestamps, and a run that only shows."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import say, specified
from tests.seen import seen

pytestmark = pytest.mark.engine


async def test_implement_writes_only_where_the_repository_lets_it(open_stage: OpenStage) -> None:
    s = await open_stage(files={"README.md": "# Shop\n", ".github/speckit.yml": "paths:\n  implement: [src/]\n"})
    issue = await specified(s)
    said = await say(s, "/speckit implement", issue)
    assert seen(said) == snapshot("""\
✅ **Done.** The work on the tasks is pushed to [pull request 2](HUB/acme/shop/pull/2).

`grace` asked for `implement`.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files at commit [`SHORT-SHA`](HUB/acme/shop/commit/SHA):

- [`src/IMPLEMENTATION-NOTES.md`](HUB/acme/shop/blob/SHA/src/IMPLEMENTATION-NOTES.md) 27 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ✅ | `speckit_implement` carrying out the tasks | T | 1 |
| ✅ | `commit_push` committing and pushing | T | 1 |
| ✅ | `open_pr` opening the pull request | T | 1 |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · branch `speckit/DATE/TOKEN` · run `RUN-ID`

**The agent on carrying out the tasks:** wrote src/IMPLEMENTATION-NOTES.md: 0 of 9 tasks done; this agent has no model and implemented none

**Next:**

- `/speckit clarify` asks what the specification leaves open
- `/speckit checklist` writes a checklist for the review
- `/speckit analyze` checks the specification, the plan and the tasks against each other
- `/speckit refine TEXT` changes the section that the text names; in a review comment on `spec.md`, the section it stands at

<!-- speckit-bot:run=RUN-ID -->\
""")
    (run, *_) = await s.runs(issue)
    assert run.status == "succeeded", run.result_summary
    assert "src/IMPLEMENTATION-NOTES.md" in s.pull_request().files


async def test_implement_is_off_unless_configured(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s, "--until specify")
    said = await say(s, "/speckit implement", issue)
    assert seen(said) == snapshot("""\
`implement` is off until `paths.implement` in `.github/speckit.yml` says what it may write. Nothing was started.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert await s.runs(issue) == []


async def test_a_monorepo_keeps_each_project_to_itself(open_stage: OpenStage) -> None:
    s = await open_stage(files={"README.md": "# All\n", "services/api/app.py": "1\n", "services/web/app.js": "1\n"})
    await s.comment(f"/speckit specify --project services/api --until plan {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    pull = s.pull_request()
    assert run.feature_directory == "services/api/specs/001-customers-pay-invoice"
    assert all(path.startswith("services/api/") for path in pull.files), pull.files
    assert "services/api/.specify/templates/spec-template.md" in pull.files

    said = await say(s, "/speckit tasks", pull.issue)
    assert "services/api/specs/001-customers-pay-invoice/tasks.md" in s.pull_request().files, said


async def test_a_folder_that_is_not_there_is_told(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --project services/nowhere {INVOICE}")
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "clone.project_not_found")
    assert "services/nowhere" in s.reply().body
    assert not s.pull_requests()


async def test_a_dry_run_on_a_pull_request_pushes_nothing(open_stage: OpenStage) -> None:
    s = await open_stage()
    issue = await specified(s, "--until specify")
    before = s.pull_request().head_sha
    said = await say(s, "/speckit plan --dry-run", issue)
    assert s.pull_request().head_sha == before
    assert seen(said) == snapshot("""\
✅ **Dry run done.** Nothing was pushed; the changes are kept with the run.

`grace` asked for `plan --dry-run`.

**One question is open:**

- [`specs/001-customers-pay-invoice/spec.md:32`](HUB/acme/shop/blob/SHA/specs/001-customers-pay-invoice/spec.md?plain=1#L32) the request names no boundary conditions or error cases; which matter?

Files it would have pushed:

- `specs/001-customers-pay-invoice/plan.md` 64 lines
- `specs/001-customers-pay-invoice/tasks.md` 151 lines

| | phase | took | attempt |
|---|---|---:|---:|
| ✅ | `prepare_job` preparing the job | T | 1 |
| ✅ | `start_job_container` starting the container | T | 1 |
| ✅ | `git_clone` cloning the repository | T | 1 |
| ⏭️ | `speckit_specify` writing the specification |  |  |
| ✅ | `speckit_plan` writing the plan | T | 1 |
| ✅ | `speckit_tasks` writing the tasks | T | 1 |
| ⏭️ | `commit_push` committing and pushing |  |  |
| ⏭️ | `open_pr` opening the pull request |  |  |
| ✅ | `cleanup` cleaning up | T | 1 |

took T · agent `template` speckit-template-agent 1.1.0 (no model: Spec Kit's templates filled from the request) · Spec Kit 1.2.3 · [logs and artifacts](HUB/runs/RUN-ID) · run `RUN-ID`

**The agent on writing the plan:** wrote specs/001-customers-pay-invoice/plan.md from specs/001-customers-pay-invoice/spec.md: 9 technical decisions still to be made

**The agent on writing the tasks:** wrote specs/001-customers-pay-invoice/tasks.md: 9 tasks for 1 user story

**Next:**

- `/speckit plan` without `--dry-run` pushes the work

<!-- speckit-bot:run=RUN-ID -->\
""")
    (run, *_) = await s.runs(issue)
    assert b"plan.md" in s.artifact(run, "phase-speckit_plan.patch")


async def test_timestamped_repositories_keep_their_names(open_stage: OpenStage) -> None:
    s = await open_stage()
    await specified(s, "--until specify")
    files = {path: s.pull_request().text_of(path) for path in s.pull_request().files if path.startswith(".")}
    files[".specify/init-options.json"] = '{"feature_numbering": "timestamp"}\n'
    s.hub.commit_files(s.repository, "main", files)
    other = s.hub.create_issue(s.repository, "Refunds", "Refund a customer.", "ada")
    await s.comment("/speckit specify --until specify", issue=other)
    await s.rest()
    (run,) = await s.runs(other)
    assert run.status == "succeeded", run.result_summary
    name = str(run.feature_directory).removeprefix("specs/")
    stamp, _, rest = name.partition("-refunds")
    assert len(stamp) == len("20261125-221500"), name
    assert stamp.replace("-", "").isdigit(), name
    assert rest == ""
