"""Bad input, and what it gets: a terminal state, a clear sentence, the artifacts, and nothing left behind."""

from __future__ import annotations

import textwrap

import pytest

from db.models import SpecAutomationRun
from localhub.conversations import BODY_LIMIT
from localhub.git_repository import Submodule, Symlink, TreeEntry
from tests.hostile_agents import ImageWith
from tests.scenario import INVOICE, SHOP, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine


async def failed(s: Scenario, code: str, *sentences: str) -> SpecAutomationRun:
    """The run failed with this code, and the comment says so in words."""
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", code), run.result_summary
    body = s.reply().body
    for sentence in sentences:
        assert sentence in body, body
    assert code in body
    return run


# The request


@pytest.mark.parametrize(
    "text",
    [
        "x" * (BODY_LIMIT - len("/speckit specify ")),
        "Let customers pay 💶 by invoice 🧾 in 日本語",
        "Let \u202ecustomers\u202c pay \u2066by\u2069 invoice",
        "Pay\x00 by invoice",
        "Pay by invoice\n\n/speckit",
        "'; DROP TABLE runs; -- $(touch /tmp/pwned) `id` ${HOME} %s {0} \\n",
        "--",
    ],
    ids=[
        "as long as GitHub takes",
        "emoji",
        "right to left",
        "nul",
        "a line /speckit alone",
        "shell and SQL",
        "only dashes",
    ],
)
async def test_strange_words_become_a_specification(open_stage: OpenStage, text: str) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify {text}")
    await s.rest()
    (run,) = await s.runs()
    assert run.status == "succeeded", run.result_summary
    assert len(s.pull_requests()) == 1


async def test_no_words_at_all_mean_the_words_of_the_issue(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment("/speckit specify   \n\n")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert s.issue.title in s.pull_request().text_of(f"{run.feature_directory}/spec.md")


# The repository


async def test_a_base_branch_that_is_not_there(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --base release-9 {INVOICE}")
    await failed(s, "clone.base_not_found", "release-9")


async def test_an_empty_repository(open_stage: OpenStage) -> None:
    s = await open_stage(files={})
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "clone.empty_repository")


async def test_a_repository_archived_after_the_command(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.stop_worker()
    await s.comment(f"/speckit specify {INVOICE}")
    await s.hub.settle()
    s.repository.archived = True
    await s.start_worker()
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "repository.archived")


async def test_links_in_the_tree_are_left_alone(open_stage: OpenStage) -> None:
    s = await open_stage(files={**SHOP, "passwd": Symlink("/etc/passwd"), "docs/up": Symlink("../README.md")})
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    assert "passwd" not in s.pull_request().files


async def test_specs_is_a_link(open_stage: OpenStage) -> None:
    s = await open_stage(files={**SHOP, "specs": Symlink("/tmp")})
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "clone.unsafe_tree", "specs")


async def test_a_file_named_with_a_newline(open_stage: OpenStage) -> None:
    s = await open_stage(files={**SHOP, "two\nlines.txt": "x", "tab\there": "y", 'quote".txt': "z"})
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary


async def test_a_submodule_is_not_fetched(open_stage: OpenStage) -> None:
    modules = '[submodule "evil"]\n\tpath = vendor/evil\n\turl = ext::sh -c touch% /tmp/pwned\n'
    s = await open_stage(files={**SHOP, ".gitmodules": modules, "vendor/evil": Submodule()})
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary


async def test_a_tree_with_a_git_folder(open_stage: OpenStage) -> None:
    s = await open_stage()
    git = s.repository.git
    config = git.write_object("blob", b"[core]\n\tfsmonitor = touch /tmp/pwned\n")
    folder = git.write_tree([TreeEntry("100644", b"config", config)])
    s.hub.commit_raw_tree(s.repository, "main", [TreeEntry("40000", b".git", folder)])
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "clone.unsafe_tree")


# The agent

WRITES_NOTHING = "echo I have thought about it"
EXITS_WELL = "exit 0"
WRITES_A_WORKFLOW = """
    mkdir -p .github/workflows
    echo 'on: push' > .github/workflows/steal.yml
    D=$(jq -r .feature_directory "$1")
    mkdir -p "$D"
    printf '# Feature Specification: X\\n\\nWords.\\n' > "$D/spec.md"
"""
LINKS_TO_PASSWD = """
    D=$(jq -r .feature_directory "$1")
    mkdir -p "$D"
    ln -s /etc/passwd "$D/spec.md"
"""
CHANGES_THE_CODE = """
    D=$(jq -r .feature_directory "$1")
    mkdir -p "$D"
    printf '# Feature Specification: X\\n\\nWords.\\n' > "$D/spec.md"
    echo 'PRICE = 0' > src/shop.py
"""
PRINTS_A_GIGABYTE = "head -c 1000000000 /dev/zero | tr '\\0' 'x'"
NEVER_ENDS = "echo working; while true; do sleep 1; done"
FORKS_FOREVER = "f() { f | f & }; f; sleep 5; exit 3"
FILLS_THE_DISK = 'D=$(jq -r .feature_directory "$1"); mkdir -p "$D"; head -c 4000000000 /dev/zero > "$D/spec.md"'
EATS_MEMORY = "python3 -c 'x = [bytearray(50_000_000) for _ in range(500)]'"
NESTS_A_REPOSITORY = """
    D=$(jq -r .feature_directory "$1")
    mkdir -p "$D"
    printf '# Feature Specification: X\\n\\nWords.\\n' > "$D/spec.md"
    git init -q "$D/nested"
    cd "$D/nested"
    git -c user.name=x -c user.email=x@x commit -q --allow-empty -m x
"""
TELLS_A_SECRET = """
    D=$(jq -r .feature_directory "$1")
    mkdir -p "$D"
    printf '# Feature Specification: X\\n\\nghp_%036d\\n' 7 > "$D/spec.md"
"""


@pytest.mark.parametrize(
    ("script", "codes", "sentence"),
    [
        pytest.param(WRITES_NOTHING, {"agent.no_output"}, "spec.md", id="writes nothing"),
        pytest.param(EXITS_WELL, {"agent.no_output"}, "spec.md", id="exits 0 with no file"),
        pytest.param("echo oops >&2; exit 3", {"agent.failed"}, "", id="exits 3"),
        pytest.param(WRITES_A_WORKFLOW, {"publish.protected_path"}, ".github/workflows/steal.yml", id="workflow"),
        pytest.param(LINKS_TO_PASSWD, {"publish.forbidden_file"}, "spec.md", id="link to /etc/passwd"),
        pytest.param(CHANGES_THE_CODE, {"publish.protected_path"}, "src/shop.py", id="changes the code"),
        pytest.param(NESTS_A_REPOSITORY, {"publish.forbidden_file"}, "nested", id="nested repository"),
        pytest.param(TELLS_A_SECRET, {"publish.secret"}, "spec.md", id="secret"),
        pytest.param(PRINTS_A_GIGABYTE, {"agent.too_much_output"}, "", id="prints 1 GB"),
        pytest.param(FILLS_THE_DISK, {"agent.failed", "publish.too_large"}, "", id="fills the disk"),
        pytest.param(EATS_MEMORY, {"agent.out_of_memory"}, "", id="eats memory"),
        pytest.param(FORKS_FOREVER, {"agent.failed"}, "", id="fork bomb"),
    ],
)
async def test_an_agent_that_misbehaves(
    open_stage: OpenStage, image_with: ImageWith, script: str, codes: set[str], sentence: str
) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(textwrap.dedent(script)))
    comment = await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "failed"
    assert not s.pull_requests()
    assert not s.bot_branches()
    assert s.reactions(comment) == ["confused", "eyes"]
    body = s.reply().body
    assert str(run.error_code) in body
    assert run.error_code in codes, (run.error_code, run.result_summary)
    assert sentence in body, body
    assert "root:x:0:0" not in body
    assert any(artifact.name == "phase-speckit_specify.stdout" for artifact in run.artifacts)
    assert run.cleanup_succeeded


async def test_an_agent_that_never_ends(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(NEVER_ENDS), SPECKIT_RUN_TIMEOUT=12)
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "failed"
    assert run.error_code in {"agent.timed_out", "run.timed_out"}
    assert b"working" in s.artifact(run, "phase-speckit_specify.stdout")


async def test_an_agent_that_never_ends_is_cancelled(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(NEVER_ENDS))
    await s.comment(f"/speckit specify {INVOICE}")

    async def works() -> bool:
        runs = await s.runs()
        return bool(runs) and s.phases(runs[0])["speckit_specify"] == "running"

    await s.until(works)
    await s.comment("/speckit cancel")

    async def gone() -> bool:
        return not await s.containers()

    await s.until(gone, 10)
    run = await s.finish(15)
    assert (run.status, run.error_code) == ("failed", "run.cancelled")
    assert "grace" in s.replies()[0].body


# The world around


async def test_the_engine_is_not_reachable(open_stage: OpenStage) -> None:
    s = await open_stage(worker=False)
    await s.start_worker(docker_host="unix:///nowhere/docker.sock")
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "engine.unreachable")


async def test_the_image_is_missing(open_stage: OpenStage) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE="speckit-bot-job:no-such-tag")
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "engine.image_missing")


async def test_the_push_is_refused(open_stage: OpenStage) -> None:
    s = await open_stage()
    s.repository.protected.add("speckit/*")
    await s.comment(f"/speckit specify {INVOICE}")
    await failed(s, "publish.refused")


async def test_the_app_is_uninstalled_in_the_middle(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(
        SPECKIT_JOB_IMAGE=image_with(
            'sleep 3; D=$(jq -r .feature_directory "$1"); mkdir -p "$D"; echo words > "$D/spec.md"'
        )
    )
    await s.comment(f"/speckit specify --until specify {INVOICE}")

    async def works() -> bool:
        runs = await s.runs()
        return bool(runs) and s.phases(runs[0])["speckit_specify"] == "running"

    await s.until(works)
    s.hub.uninstall(s.installation)

    async def over() -> bool:
        run = (await s.runs())[0]
        return run.completed_at is not None and run.lease_owner is None

    await s.until(over)
    run = (await s.runs())[0]
    assert (run.status, run.error_code) == ("failed", "github.access_lost")
    assert not s.bot_branches()
    assert run.artifacts
