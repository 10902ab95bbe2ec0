"""A run that goes on with the branch of a pull request: it adds to it, or leaves it alone and says why."""

from __future__ import annotations

import pytest

from db.vocabulary import ErrorCode
from jobs.containers.git_failures import continue_failure
from jobs.errors import AppError, PipelineError, TransientError, UserError
from tests.jobs.git_server import git
from tests.jobs.workplace import BRANCH, FILES, REPOSITORY, Rig, patch_adding

URL = "https://github.example/acme/shop.git"
OURS, THEIRS = "1" * 40, "2" * 40
SPEC = {**FILES, "specs/001-x/spec.md": b"# Spec\n"}
PLAN = patch_adding({"specs/001-x/plan.md": "# Plan"})
TASKS = patch_adding({"specs/001-x/tasks.md": "# Tasks"})
STALE = "!\tx:y\t[rejected] (stale info)"


@pytest.mark.parametrize(
    ("remote", "said", "kind", "code", "words"),
    [
        (THEIRS, STALE, UserError, ErrorCode.PUBLISH_BRANCH_MOVED, "nothing was overwritten"),
        (THEIRS, "!\tx:y\t[remote rejected] (cannot lock ref)", UserError, ErrorCode.PUBLISH_BRANCH_MOVED, "pushed to"),
        ("", STALE, UserError, ErrorCode.PUBLISH_BRANCH_MOVED, "Somebody deleted `b\\x60`"),
        (None, STALE, UserError, ErrorCode.PUBLISH_BRANCH_MOVED, "Somebody pushed to `b\\x60`"),
        (OURS, STALE, TransientError, ErrorCode.GITHUB_UNAVAILABLE, "is being changed"),
        (OURS, "!\tx:y\t[remote rejected] (failed to lock)", TransientError, ErrorCode.GITHUB_UNAVAILABLE, "acme/shop"),
        (OURS, "!\tx:y\t[remote rejected] (hook declined)", UserError, ErrorCode.PUBLISH_REFUSED, "hook declined"),
        (None, "returned error: 503", TransientError, ErrorCode.GITHUB_UNAVAILABLE, "503"),
        (None, "fatal: Authentication failed for 'https://x'", AppError, ErrorCode.GITHUB_ACCESS_LOST, "acme/shop"),
    ],
)
def test_git_words_tell_why_a_branch_was_not_moved(
    remote: str | None, said: str, kind: type[PipelineError], code: ErrorCode, words: str
) -> None:
    failure = continue_failure(URL, "b`", OURS, remote, said)
    assert (type(failure), failure.code) == (kind, code)
    assert words in failure.message


def start_branch(rig: Rig) -> str:
    """A branch of an earlier run, one commit on top of main. Returns its head."""
    bare = rig.server.path(REPOSITORY)
    git(bare, "update-ref", f"refs/heads/{BRANCH}", git(bare, "rev-parse", "main"))
    return rig.server.commit(REPOSITORY, SPEC, BRANCH)


@pytest.mark.engine
async def test_a_run_adds_its_commits_to_the_branch(rig: Rig) -> None:
    before = start_branch(rig)
    async with rig.workplace() as w:
        assert await w.clone(branch=BRANCH) == before
        made = await w.commits(PLAN, b"", TASKS)
        await w.push(expected=before)
        await w.push(expected=before)
    bare = rig.server.path(REPOSITORY)
    assert rig.server.branches(REPOSITORY)[BRANCH] == made.head
    history = git(bare, "log", "--format=%H %s", f"main..{BRANCH}").split("\n")
    assert history == [f"{made.head} Part 3", f"{made.shas[0]} Part 1", f"{before} a commit"]
    assert made.shas == (made.shas[0], "", made.head)
    assert git(bare, "show", f"{BRANCH}:specs/001-x/spec.md") == "# Spec"
    async with rig.workplace() as resumed:
        # Another worker, which does not know that the push went through.
        assert await resumed.clone(branch=BRANCH, commit=before) == before
        assert await resumed.commits(PLAN, b"", TASKS) == made
        await resumed.push(expected=before)
    assert rig.server.branches(REPOSITORY)[BRANCH] == made.head


@pytest.mark.engine
async def test_what_somebody_pushed_meanwhile_stays(rig: Rig) -> None:
    before = start_branch(rig)
    bare = rig.server.path(REPOSITORY)
    async with rig.workplace() as w:
        await w.clone(branch=BRANCH)
        await w.commit(PLAN)
        theirs = rig.server.commit(REPOSITORY, {**SPEC, "theirs.md": b"x\n"}, BRANCH)
        for at in (theirs, git(bare, "rev-parse", "main")):
            # A commit of theirs on top, then a rewritten branch.
            git(bare, "update-ref", f"refs/heads/{BRANCH}", at)
            with pytest.raises(
                UserError, match=f"Somebody pushed to `{BRANCH}` while the run worked; nothing was"
            ) as no:
                await w.push(expected=before)
            assert no.value.code is ErrorCode.PUBLISH_BRANCH_MOVED
            assert rig.server.branches(REPOSITORY)[BRANCH] == at


@pytest.mark.engine
async def test_a_branch_that_was_deleted_is_not_made_again(rig: Rig) -> None:
    before = start_branch(rig)
    async with rig.workplace() as w:
        await w.clone(branch=BRANCH)
        await w.commit(PLAN)
        git(rig.server.path(REPOSITORY), "update-ref", "-d", f"refs/heads/{BRANCH}")
        with pytest.raises(UserError, match=f"Somebody deleted `{BRANCH}` while the run worked") as refused:
            await w.push(expected=before)
        assert refused.value.code is ErrorCode.PUBLISH_BRANCH_MOVED
    assert BRANCH not in rig.server.branches(REPOSITORY)


@pytest.mark.engine
async def test_commits_that_do_not_follow_the_branch_never_replace_it(rig: Rig) -> None:
    """Even where the lease holds: it would let git throw the branch's commits away."""
    before = start_branch(rig)
    async with rig.workplace() as w:
        await w.clone(branch=BRANCH)
        first = await w.commit(PLAN)
        await w.push(expected=before)
        await w.commit(TASKS)
        for expected in (first, THEIRS):
            with pytest.raises(AppError, match="do not follow") as refused:
                await w.push(expected=expected)
            assert refused.value.code is ErrorCode.RUN_INTERNAL
        for unclear in ("", "main", first[:12], f"{first}\n", f"+{first}"):
            with pytest.raises(ValueError, match="no commit"):
                await w.push(expected=unclear)
    assert rig.server.branches(REPOSITORY)[BRANCH] == first


@pytest.mark.engine
async def test_a_refusal_of_the_server_is_no_moved_branch(rig: Rig) -> None:
    before = start_branch(rig)
    hook = rig.server.path(REPOSITORY) / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: GH013: Repository rule violations found' >&2\nexit 1\n")
    hook.chmod(0o755)
    async with rig.workplace() as w:
        await w.clone(branch=BRANCH)
        await w.commit(PLAN)
        with pytest.raises(UserError, match="GH013") as refused:
            await w.push(expected=before)
        assert refused.value.code is ErrorCode.PUBLISH_REFUSED
        rig.server.status[REPOSITORY] = 503
        with pytest.raises(TransientError):
            await w.push(expected=before)
    assert rig.server.branches(REPOSITORY)[BRANCH] == before
