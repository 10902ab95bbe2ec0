"""Cloning and pushing: what a repository and its server can be like, and what a run says then."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.vocabulary import ErrorCode
from jobs.containers.git_failures import fetch_failure, push_failure
from jobs.errors import AppError, PipelineError, TransientError, UserError
from tests.jobs.git_server import TOKEN, git
from tests.jobs.workplace import REPOSITORY, Rig, patch_adding

URL = "https://github.example/acme/shop.git"
SPEC = patch_adding({"specs/a.md": "one"})


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("fatal: repository 'https://x/acme/shop.git/' not found", UserError, ErrorCode.CLONE_NOT_FOUND),
        ("The requested URL returned error: 404", UserError, ErrorCode.CLONE_NOT_FOUND),
        ("fatal: Authentication failed for 'https://x/'", UserError, ErrorCode.CLONE_REFUSED),
        ("fatal: could not read Username for 'https://x': terminal", UserError, ErrorCode.CLONE_REFUSED),
        ("The requested URL returned error: 403", UserError, ErrorCode.CLONE_REFUSED),
        ("fatal: couldn't find remote ref refs/heads/main", UserError, ErrorCode.CLONE_BASE_NOT_FOUND),
        ("fatal: fsck error in packed object", UserError, ErrorCode.CLONE_UNSAFE_TREE),
        ("fatal: write error: No space left on device", UserError, ErrorCode.CLONE_TOO_LARGE),
        ("Could not resolve host: github.example", TransientError, ErrorCode.CLONE_FAILED),
        ("Failed to connect to x port 443: Connection refused", TransientError, ErrorCode.CLONE_FAILED),
        ("The requested URL returned error: 502", TransientError, ErrorCode.CLONE_FAILED),
        ("error: RPC failed; curl 56 GnuTLS recv error", TransientError, ErrorCode.CLONE_FAILED),
        ("fatal: early EOF", TransientError, ErrorCode.CLONE_FAILED),
        ("fatal: something never heard of", AppError, ErrorCode.CLONE_FAILED),
        ("", AppError, ErrorCode.CLONE_FAILED),
    ],
)
def test_git_words_tell_why_a_clone_failed(said: str, kind: type[PipelineError], code: ErrorCode) -> None:
    failure = fetch_failure(URL, "main", None, said)
    assert (type(failure), failure.code) == (kind, code)
    assert "acme/shop" in failure.message


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("!\tx:y\t[rejected] (stale info)", UserError, ErrorCode.PUBLISH_BRANCH_TAKEN),
        ("!\tx:y\t[remote rejected] (reference already exists)", UserError, ErrorCode.PUBLISH_BRANCH_TAKEN),
        (
            "remote: error: GH006: Protected branch update failed.\n!\tx:y\t[remote rejected] (protected branch hook"
            " declined)",
            UserError,
            ErrorCode.PUBLISH_REFUSED,
        ),
        (
            "!\tx:y\t[remote rejected] (refusing to allow a GitHub App to create or update workflow `.github/x` without"
            " `workflows` permission)",
            UserError,
            ErrorCode.PUBLISH_REFUSED,
        ),
        (
            "remote: This repository was archived so it is read-only.\nThe requested URL returned error: 403",
            UserError,
            ErrorCode.PUBLISH_REFUSED,
        ),
        ("fatal: Authentication failed for 'https://x'", AppError, ErrorCode.GITHUB_ACCESS_LOST),
        ("remote: Permission to acme/shop.git denied to bot.", AppError, ErrorCode.GITHUB_ACCESS_LOST),
        ("The requested URL returned error: 404", AppError, ErrorCode.GITHUB_ACCESS_LOST),
        ("The requested URL returned error: 503", TransientError, ErrorCode.GITHUB_UNAVAILABLE),
        ("send-pack: unexpected disconnect while reading", TransientError, ErrorCode.GITHUB_UNAVAILABLE),
        ("error: something new", AppError, ErrorCode.PUBLISH_REFUSED),
    ],
)
def test_git_words_tell_why_a_push_failed(said: str, kind: type[PipelineError], code: ErrorCode) -> None:
    failure = push_failure(URL, "speckit/x", said)
    assert (type(failure), failure.code) == (kind, code)


async def clone_refusal(rig: Rig, name: str, branch: str = "main", commit: str | None = None) -> PipelineError:
    async with rig.workplace() as w:
        with pytest.raises(PipelineError) as refused:
            await w.clone(name, branch, commit)
        assert TOKEN.encode() not in w.stdout.content + w.stderr.content
        assert TOKEN not in refused.value.message
    return refused.value


@pytest.mark.engine
async def test_repositories_that_cannot_be_cloned(rig: Rig) -> None:
    rig.server.create("acme/empty")
    rig.server.status = {"acme/forbidden": 403, "acme/broken": 502, "acme/moved": 301}
    for name, code in {
        "acme/absent": ErrorCode.CLONE_NOT_FOUND,
        "acme/forbidden": ErrorCode.CLONE_REFUSED,
        "acme/empty": ErrorCode.CLONE_EMPTY_REPOSITORY,
        "acme/broken": ErrorCode.CLONE_FAILED,
    }.items():
        assert (await clone_refusal(rig, name)).code is code
    for branch in ("no-such-branch", "-x", "*", "main:refs/heads/other", "a b", "a..b", "", "x\n", "main^", "größe"):
        assert (await clone_refusal(rig, REPOSITORY, branch)).code is ErrorCode.CLONE_BASE_NOT_FOUND
    assert (await clone_refusal(rig, REPOSITORY, "main", "1" * 40)).code is ErrorCode.CLONE_BASE_NOT_FOUND


@pytest.mark.engine
async def test_a_resumed_run_gets_the_tree_it_began_with(rig: Rig) -> None:
    first = git(rig.server.path(REPOSITORY), "rev-parse", "main")
    second = rig.server.commit(REPOSITORY, {"other.md": b"other\n"})
    async with rig.workplace() as w:
        assert await w.clone(commit=first) == first
    async with rig.workplace() as w:
        assert await w.clone() == second


def nested_bomb(bare: Path) -> str:
    blob = git(bare, "hash-object", "-w", "--stdin", stdin=b"x")
    tree = git(bare, "mktree", stdin="".join(f"100644 blob {blob}\tf{n}\n" for n in range(10)).encode())
    for _ in range(9):
        tree = git(bare, "mktree", stdin="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode())
    return tree


def literal_tree(bare: Path, mode: bytes, name: bytes, kind: str) -> str:
    """A tree git itself would not write."""
    blob = git(bare, "hash-object", "-w", "--stdin", stdin=b"x")
    inner = git(bare, "mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
    entry = mode + b" " + name + b"\0" + bytes.fromhex(inner if kind == "tree" else blob)
    return git(bare, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=entry)


@pytest.mark.engine
async def test_trees_that_are_refused(rig: Rig) -> None:
    server = rig.server
    made: dict[str, ErrorCode] = {}
    for number, (mode, name, kind) in enumerate(
        [
            (b"40000", b".git", "tree"),
            (b"40000", b".GIT", "tree"),
            (b"40000", b"git~1", "tree"),
            (b"40000", b".git ", "tree"),
            (b"40000", b"..", "tree"),
            (b"100644", b"a/b", "blob"),
        ]
    ):
        repository = f"evil/dot{number}"
        server.create(repository)
        server.commit_tree(repository, literal_tree(server.path(repository), mode, name, kind))
        made[repository] = ErrorCode.CLONE_UNSAFE_TREE
    for number, (path, content) in enumerate(
        [
            ("120000:specs", b"/etc"),
            ("120000:.specify", b"../x"),
            ("100644:specs", b"file"),
            ("160000:.specify", b"1" * 40),
            ("120000:specs/link", b"/etc/passwd"),
            (".gitmodules", b'[submodule "a"]\n\tpath = "a"\n\turl = --upload-pack=x\n'),
        ]
    ):
        server.create(f"evil/tree{number}", {path: content})
        made[f"evil/tree{number}"] = ErrorCode.CLONE_UNSAFE_TREE
    server.create("evil/bomb")
    server.commit_tree("evil/bomb", nested_bomb(server.path("evil/bomb")))
    made["evil/bomb"] = ErrorCode.CLONE_TOO_LARGE
    for repository, code in made.items():
        assert ((await clone_refusal(rig, repository)).code, repository) == (code, repository)


@pytest.mark.engine
async def test_odd_but_honest_trees_go_all_the_way(rig: Rig) -> None:
    rig.server.create(
        "acme/odd",
        {
            "120000:link": b"/etc/passwd",
            "120000:inside": b"README.md",
            "160000:vendor/lib": b"1" * 40,
            "a\nb": b"newline\n",
            "größe/ß.md": b"x\n",
            "specs/-rf": b"x\n",
            "100755:run.sh": b"#!/bin/sh\n",
            ".gitattributes": b"*.bin filter=lfs\n",
            "large.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "README.md": b"readme\n",
        },
    )
    async with rig.workplace() as w:
        tree = await w.take_in("acme/odd")
        assert await w.paths() == {}
        assert (await w.run("readlink link; cat inside; [ -x run.sh ] && echo x; ls vendor")).message.split() == [
            *("/etc/passwd", "readme", "x", "lib")
        ]
        await w.run("echo new > specs/new.md")
        head = await w.commit(tree.init_patch, await w.job.take_patch(w.output))
        await w.push("acme/odd")
    assert rig.server.branches("acme/odd")["speckit/x/1"] == head


@pytest.mark.engine
async def test_a_branch_of_somebody_else_is_left_alone(rig: Rig) -> None:
    for branch, start in (("speckit/x/1", "main"), ("speckit/x/2", None)):
        bare = rig.server.path(REPOSITORY)
        if start:
            git(bare, "update-ref", f"refs/heads/{branch}", git(bare, "rev-parse", start))
        else:
            rig.server.commit(REPOSITORY, {"foreign.md": b"x\n"}, branch)
        before = rig.server.branches(REPOSITORY)
        async with rig.workplace() as w:
            await w.clone()
            await w.commit(SPEC, branch=branch)
            with pytest.raises(UserError) as refused:
                await w.push(branch=branch)
            assert refused.value.code is ErrorCode.PUBLISH_BRANCH_TAKEN
        assert rig.server.branches(REPOSITORY) == before


@pytest.mark.engine
async def test_a_refused_push_repeats_the_servers_sentence(rig: Rig) -> None:
    hook = rig.server.path(REPOSITORY) / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: GH013: Repository rule violations found' >&2\nexit 1\n")
    hook.chmod(0o755)
    async with rig.workplace() as w:
        await w.clone()
        await w.commit(SPEC)
        with pytest.raises(UserError, match="GH013: Repository rule violations found") as refused:
            await w.push()
        assert refused.value.code is ErrorCode.PUBLISH_REFUSED
        rig.server.status[REPOSITORY] = 403
        with pytest.raises(AppError) as lost:
            await w.push()
        assert lost.value.code is ErrorCode.GITHUB_ACCESS_LOST
        rig.server.status[REPOSITORY] = 503
        with pytest.raises(TransientError) as away:
            await w.push()
        assert away.value.code is ErrorCode.GITHUB_UNAVAILABLE
        rig.server.status.clear()
        hook.unlink()
        await w.push()
    assert "speckit/x/1" in rig.server.branches(REPOSITORY)
