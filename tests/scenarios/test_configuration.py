"""What a repository's own ``.github/speckit.yml`` changes, and who may change it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.scenario import INVOICE, SHOP
from tests.scenarios.conftest import OpenStage
from tests.scenarios.steps import say, specified
from tests.seen import seen

pytestmark = pytest.mark.engine

CONFIG = ".github/speckit.yml"


def shop(config: str) -> dict[str, str]:
    return {**SHOP, CONFIG: config}


async def test_who_may_run_which_verb(open_stage: OpenStage) -> None:
    s = await open_stage(
        worker=False, files=shop("commands:\n  specify: {role: maintain, people: [ada]}\n  cancel: {off: true}\n")
    )
    refused = await say(s, "/speckit specify Pay by cheque.", s.issue)
    assert seen(refused) == snapshot("""\
`grace`: `specify` needs the *maintain* role on `acme/shop`, and you have the *write* role. An admin of `acme/shop` can grant it under Settings → Collaborators; or somebody who has it gives the command for you.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert "off" in await say(s, "/speckit cancel", s.issue)
    await s.comment("/speckit specify --until specify Pay by invoice.", by="ada")
    await s.start_worker()
    run = await s.finish()
    assert (run.requested_by, run.status) == ("ada", "succeeded"), run.result_summary


async def test_config_tells_what_holds_and_whence(open_stage: OpenStage, tmp_path: Path) -> None:
    operator = tmp_path / "operator.yml"
    operator.write_text("limits:\n  runs: 2\n")
    s = await open_stage(
        worker=False,
        files=shop("base_branch: main\nlimits:\n  runs: 9\n"),
        org_files={CONFIG: "pull_request:\n  labels: [spec]\n"},
        SPECKIT_CONFIG_FILE=operator,
    )
    assert seen(await say(s, "/speckit config", s.issue)) == snapshot("""\
What holds for `acme/shop`:

| setting | value | from | |
|---|---|---|---|
| `commands.specify.role` | write | default |  |
| `commands.clarify.role` | write | default |  |
| `commands.plan.role` | write | default |  |
| `commands.tasks.role` | write | default |  |
| `commands.checklist.role` | write | default |  |
| `commands.analyze.role` | write | default |  |
| `commands.implement.role` | write | default |  |
| `commands.constitution.role` | write | default |  |
| `commands.refine.role` | write | default |  |
| `commands.retry.role` | write | default |  |
| `commands.cancel.role` | write | default |  |
| `commands.status.role` | read | default |  |
| `commands.config.role` | read | default |  |
| `commands.help.role` | read | default |  |
| `agent` |  | default | the operator's default agent |
| `model` |  | default | the agent's own model |
| `base_branch` | main | acme/shop |  |
| `project` |  | default | the top of the repository |
| `labels."speckit:specify"` | specify | default |  |
| `pull_request.labels` | spec | acme/.github |  |
| `pull_request.reviewers` |  | default | none |
| `pull_request.team_reviewers` |  | default | none |
| `pull_request.assignees` |  | default | none |
| `allowed_hosts` |  | default | none but the agent's model |
| `paths.implement` |  | default | implement is off |
| `triggers.labels` | true | default |  |
| `triggers.mentions` | true | default |  |
| `triggers.assignment` | true | default |  |
| `triggers.buttons` | true | default |  |
| `triggers.review_comments` | true | default |  |
| `retention_days` | 30 | the operator's settings |  |
| `limits.runs` | 2 | the operator | locked; the operator's settings says 4; acme/shop says 9 |
| `limits.runs_per_person` | 3 | the operator's settings |  |
| `limits.run_timeout` | 3600 | the operator's settings |  |
| `limits.commands_per_comment` | 10 | default |  |
| `limits.tokens` |  | default | no limit |
| `limits.cost` |  | default | no limit |
| `limits.requests` |  | default | no limit |

<!-- speckit-bot:reply=RUN-ID -->\
""")


async def test_the_pull_request_gets_its_labels_reviewers_and_assignees(open_stage: OpenStage) -> None:
    s = await open_stage(
        files=shop("pull_request:\n  labels: [spec]\n  reviewers: [ada, nobody-here]\n  assignees: [grace]\n")
    )
    await specified(s, "--until specify")
    pull = s.pull_request()
    assert [label.name for label in pull.issue.labels] == ["spec"]
    assert [user.login for user in pull.issue.assignees] == ["grace"]


async def test_a_pull_requests_head_configures_nothing(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    s.hub.commit_files(s.repository, "mine", {CONFIG: "commands:\n  specify: {role: read}\n"}, author="grace")
    s.hub.open_pull_request(s.repository, head="mine", base="main", title="Let me", author="grace")
    await s.hub.settle()
    said = await say(s, f"/speckit specify {INVOICE}", s.issue, by="ada")
    assert "write" in said
    assert await s.runs() == []


async def test_a_pull_request_that_touches_the_file_is_told_its_mistakes(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    s.hub.commit_files(
        s.repository, "mine", {CONFIG: "comands:\n  specify: {role: write}\nretention_days: 3\n"}, author="grace"
    )
    pull = s.hub.open_pull_request(s.repository, head="mine", base="main", title="Configure", author="grace")
    await s.hub.settle()
    await s.rest()
    (check,) = s.check_runs()
    assert (check.name, check.head_sha, check.conclusion) == ("speckit configuration", pull.head_sha, "failure")
    assert [(note["path"], note["start_line"]) for note in check.annotations] == [(CONFIG, 1), (CONFIG, 3)]
    assert "commands" in str(check.annotations[0]["message"])

    s.hub.commit_files(s.repository, "mine", {CONFIG: "retention_days: 30\n"}, author="grace")
    await s.hub.settle()
    await s.rest()
    newest = s.check_runs()[-1]
    assert (newest.conclusion, newest.annotations) == ("success", [])
    assert s.replies(pull.issue) == []


async def test_a_broken_file_opens_nothing_to_anybody(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False, files=shop("commands:\n  specify: {role: raed}\n"))
    said = await say(s, f"/speckit specify {INVOICE}", s.issue)
    assert seen(said) == snapshot("""\
`grace`: `specify` needs the *admin* role on `acme/shop` (because of a mistake in line 2 of `.github/speckit.yml` in acme/shop), and you have the *write* role. An admin of `acme/shop` can grant it under Settings → Collaborators; or somebody who has it gives the command for you.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert await s.runs() == []


async def test_labels_and_triggers_are_the_repositorys(open_stage: OpenStage) -> None:
    s = await open_stage(
        files=shop('labels:\n  "write a spec": specify\ntriggers:\n  mentions: false\n  assignment: false\n')
    )
    await s.until_name_is_known()
    await s.comment(f"@{s.app.slug} specify {INVOICE}")
    await s.hub.assign(s.issue, s.app, author="grace")
    await s.rest()
    assert await s.runs() == []
    await s.hub.label(s.issue, "write a spec", author="grace")
    run = await s.finish()
    assert run.status == "succeeded"


async def test_a_model_or_agent_that_is_not_offered(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False, SPECKIT_AGENT_MODELS="vendor/one,vendor/two")
    assert seen(await say(s, "/speckit specify --model vendor/on x", s.issue)) == snapshot("""\
The model `vendor/on` is not allowed for the agent `template`. Did you mean `vendor/one`? Possible: `vendor/one`, `vendor/two`. Nothing was started.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert seen(await say(s, "/speckit specify --agent templat x", s.issue)) == snapshot("""\
The agent `templat` is not allowed here. Did you mean `template`? Possible: `template`. Nothing was started.

<!-- speckit-bot:reply=RUN-ID -->\
""")
    assert await s.runs() == []
