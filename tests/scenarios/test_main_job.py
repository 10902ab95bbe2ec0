"""The main job: a comment becomes a draft pull request with a specification."""

from __future__ import annotations

import pytest

from tests.scenario import INVOICE
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine


async def test_a_comment_becomes_a_draft_pull_request(database_url: str, open_stage: OpenStage) -> None:
    s = await open_stage(database_url=database_url)
    comment = await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()

    assert run.status == "succeeded", run.result_summary
    pull = s.pull_request()
    assert pull.draft
    assert pull.head_branch == run.branch_name
    assert pull.base_branch == "main"
    assert pull.author == f"{s.app.slug}[bot]"
    assert "Let customers pay by invoice" in pull.text_of(f"{run.feature_directory}/spec.md")
    for name in ("spec.md", "plan.md", "tasks.md"):
        assert f"{run.feature_directory}/{name}" in pull.files
    assert all(path.startswith(("specs/", ".specify/", ".agents/")) for path in pull.files)
    assert "Refs #1" in pull.body
    assert "invoice" in pull.title.lower()

    assert s.bot_branches() == [run.branch_name]
    assert s.reactions(comment) == ["eyes", "rocket"]
    reply = s.reply()
    assert f"<!-- speckit-bot:run={run.run_id} -->" in reply.body
    assert pull.issue.number == 2
    assert f"/pull/{pull.number}" in reply.body
    (check,) = s.check_runs()
    assert (check.status, check.conclusion, check.external_id) == ("completed", "action_required", str(run.run_id))
    assert check.head_sha == pull.head_sha == run.head_sha


async def test_every_phase_leaves_its_record(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()

    assert [str(state.phase) for state in run.task_states] == [
        "prepare_job", "start_job_container", "git_clone", "speckit_specify", "speckit_plan", "speckit_tasks",
        "commit_push", "open_pr", "cleanup",
    ]  # fmt: skip
    assert set(s.phases(run).values()) == {"succeeded"}
    for state in run.task_states:
        assert state.attempt == 1
        assert state.started_at is not None
        assert state.completed_at is not None
        assert state.completed_at >= state.started_at
    names = {artifact.name for artifact in run.artifacts}
    for phase in ("git_clone", "speckit_specify", "speckit_plan", "speckit_tasks", "commit_push"):
        assert {f"phase-{phase}.stdout", f"phase-{phase}.stderr"} <= names
    assert {"commit.json", "metrics.json", "environment.json"} <= names
    configuration = run.agent_configuration
    assert configuration is not None
    assert configuration.agent_backend == "template"
    assert configuration.prompt_pack_version == "1.2.3"
    assert configuration.agent_version
    assert run.cleanup_succeeded


async def test_the_specification_is_a_commit_of_its_own_after_spec_kits_files(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()

    commits = s.pull_request().commits
    subjects = [commit.message.splitlines()[0] for commit in commits]
    assert len(subjects) == 4
    assert "Spec Kit" in subjects[0]
    for commit in commits:
        assert f"Speckit-Run: {run.run_id}" in commit.message
        assert "Co-authored-by: grace" in commit.message


async def test_a_repository_with_spec_kit_is_used_as_it_is(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    await s.finish()
    first = s.pull_request()
    files = {path: first.text_of(path) for path in first.files}
    files[".specify/templates/spec-template.md"] += "\n## Carbon footprint\n\n[How much CO2 this costs]\n"
    s.hub.commit_files(s.repository, "main", files)

    other = s.hub.create_issue(s.repository, "Refunds", "Some customers want their money back.", "ada")
    await s.comment("/speckit specify Refund a customer", issue=other)
    await s.rest()
    (run,) = await s.runs(other)

    assert run.status == "succeeded", run.result_summary
    second = s.pull_requests()[-1]
    assert len(second.commits) == 3
    assert all(path.startswith("specs/002-") for path in second.files)
    assert "## Carbon footprint" in second.text_of(f"{run.feature_directory}/spec.md")


async def test_until_specify_stops_after_the_specification(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()

    assert run.status == "succeeded", run.result_summary
    assert s.phases(run)["speckit_plan"] == s.phases(run)["speckit_tasks"] == "skipped"
    written = [path for path in s.pull_request().files if path.startswith("specs/")]
    assert written == [f"{run.feature_directory}/checklists/requirements.md", f"{run.feature_directory}/spec.md"]


async def test_a_dry_run_pushes_nothing_and_keeps_the_patch(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --dry-run {INVOICE}")
    run = await s.finish()

    assert run.status == "succeeded", run.result_summary
    assert not s.pull_requests()
    assert not s.bot_branches()
    assert b"spec.md" in s.artifact(run, "phase-speckit_specify.patch")
    assert "dry" in s.reply().body.lower()


async def test_another_base_branch(open_stage: OpenStage) -> None:
    s = await open_stage()
    s.hub.commit_files(s.repository, "release-2", {"VERSION": "2\n"})
    await s.comment(f"/speckit specify --base release-2 {INVOICE}")
    run = await s.finish()

    assert run.status == "succeeded", run.result_summary
    assert run.base_branch == "release-2"
    assert s.pull_request().base_branch == "release-2"


async def test_two_commands_in_one_comment_are_two_runs_in_their_order(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment("/speckit specify --until specify Pay by invoice\n\n/speckit specify --until specify Pay by cheque")
    await s.finish()

    second, first = await s.runs()
    assert [first.status, second.status] == ["succeeded", "succeeded"]
    assert first.completed_at is not None
    assert second.started_at is not None
    assert second.started_at >= first.completed_at
    assert len(s.replies()) == 2
    assert "cheque" in s.pull_request().text_of(f"{second.feature_directory}/spec.md")
    assert s.bot_branches() == [first.branch_name]


async def test_a_private_repository_works_and_its_pages_do_not_exist(open_stage: OpenStage) -> None:
    s = await open_stage(private=True)
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()

    assert run.status == "succeeded", run.result_summary
    status, page = await s.page(f"/runs/{run.run_id}")
    absent = await s.page("/runs/00000000-0000-4000-8000-000000000000")
    assert (status, page) == absent
    assert status == 404


async def test_the_run_page_tells_the_story(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment("/speckit specify Let <script>alert(1)</script> pay by invoice")
    run = await s.finish()

    status, page = await s.page(f"/runs/{run.run_id}")
    assert status == 200
    for words in ("speckit_specify", "acme/shop", "succeeded", str(run.branch_name)):
        assert words in page
    assert "<script>" not in page
    _, listing = await s.page("/runs")
    assert str(run.run_id) in listing
