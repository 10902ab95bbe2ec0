"""What a run learns of a repository by cloning it: its features, how they are numbered, and its branches."""

from __future__ import annotations

import pytest

from db.vocabulary import ErrorCode
from jobs.errors import PipelineError
from tests.jobs.git_server import TOKEN, git
from tests.jobs.workplace import FILES, REPOSITORY, Rig

pytestmark = pytest.mark.engine

OPTIONS = ".specify/init-options.json"


async def test_the_features_of_the_project_are_named(rig: Rig) -> None:
    rig.server.create(
        "acme/features",
        {
            "specs/001-invoices/spec.md": b"x\n",
            "specs/001-invoices/checklists/ux.md": b"x\n",
            "specs/20261122-101500-größe/spec.md": b"x\n",
            "specs/readme.md": b"x\n",
            "specs/a\tb/spec.md": b"x\n",
            "specs/\udcff/spec.md": b"x\n",
            "specsx/002-no/spec.md": b"x\n",
            "api/specs/007-api/spec.md": b"x\n",
            "src/specs/003-no/spec.md": b"x\n",
        },
    )
    async with rig.workplace() as w:
        whole = await w.look("acme/features")
        assert whole.feature_directories == ("001-invoices", "20261122-101500-größe")
        assert (whole.numbering, whole.remote_branches, whole.has_spec_kit) == ("sequential", (), False)
        assert (await w.look("acme/features", project="api")).feature_directories == ("007-api",)
        assert (await w.look("acme/features", project="src/specs")).feature_directories == ()


async def test_features_are_bounded_and_the_newest_stay(rig: Rig) -> None:
    rig.server.create("acme/many")
    bare = rig.server.path("acme/many")
    blob = git(bare, "hash-object", "-w", "--stdin", stdin=b"x\n")
    feature = git(bare, "mktree", stdin=f"100644 blob {blob}\tspec.md\n".encode())
    lines = "".join(f"040000 tree {feature}\t{number:05}-x\n" for number in range(6000))
    specs = git(bare, "mktree", stdin=lines.encode())
    rig.server.commit_tree("acme/many", git(bare, "mktree", stdin=f"040000 tree {specs}\tspecs\n".encode()))
    async with rig.workplace() as w:
        found = (await w.look("acme/many")).feature_directories
    assert (len(found), found[0], found[-1]) == (5000, "01000-x", "05999-x")


NUMBERINGS: list[tuple[bytes | None, str]] = [
    (None, "sequential"),
    (b'{"feature_numbering": "timestamp"}', "timestamp"),
    (b'{"branch_numbering": "timestamp"}', "timestamp"),
    (b'{"feature_numbering": "sequential", "branch_numbering": "timestamp"}', "sequential"),
    (b'{"feature_numbering": null, "branch_numbering": "timestamp"}', "timestamp"),
    (b'{"feature_numbering": ["timestamp"]}', "sequential"),
    (b'["timestamp"]', "sequential"),
    (b"\xff\xfe no json", "sequential"),
    (b"[" * 60_000, "sequential"),
    (b'{"feature_numbering": "timestamp", "x": "' + b"x" * 70_000 + b'"}', "sequential"),
]


async def test_the_numbering_is_what_spec_kit_was_told(rig: Rig) -> None:
    async with rig.workplace() as w:
        for number, (options, numbering) in enumerate(NUMBERINGS):
            name = f"acme/numbering{number}"
            rig.server.create(name, {**FILES, **({OPTIONS: options, f"api/{OPTIONS}": b"{}"} if options else {})})
            assert ((await w.look(name)).numbering, options) == (numbering, options)
        rig.server.create("acme/in-project", {OPTIONS: b"{}", f"a/b/{OPTIONS}": NUMBERINGS[1][0] or b""})
        found = await w.look("acme/in-project", project="a/b")
        assert (found.numbering, found.has_spec_kit) == ("timestamp", True)


async def test_branches_are_listed_only_where_they_are_wanted(rig: Rig) -> None:
    rig.server.private.add(REPOSITORY)
    bare = rig.server.path(REPOSITORY)
    head = git(bare, "rev-parse", "main")
    for branch in ("001-invoices", "speckit/20261122/abc123", "größe"):
        git(bare, "update-ref", f"refs/heads/{branch}", head)
    git(bare, "update-ref", "refs/pull/1/head", head)
    git(bare, "tag", "v1")
    async with rig.workplace() as w:
        assert (await w.look(REPOSITORY)).remote_branches == ()
        requests = len(rig.server.authorizations)
        log = len(w.stdout.content)
        found = await w.look(REPOSITORY, branches=True)
        assert found.remote_branches == ("001-invoices", "größe", "main", "speckit/20261122/abc123")
        assert len(rig.server.authorizations) - requests > requests
        assert b"001-invoices" not in w.stdout.content[log:]
        assert TOKEN.encode() not in w.stdout.content + w.stderr.content
        assert all(rig.server.authorizations)


async def test_branches_are_bounded(rig: Rig) -> None:
    packed = rig.server.path(REPOSITORY) / "packed-refs"
    head = git(packed.parent, "rev-parse", "main")
    async with rig.workplace() as w:
        packed.write_text("".join(f"{head} refs/heads/b{number:05}\n" for number in range(10_200)))
        found = (await w.look(REPOSITORY, branches=True)).remote_branches
        assert (len(found), found[0], found[-1]) == (10_000, "b00000", "b09999")
        packed.write_text("".join(f"{head} refs/heads/b{number:05}{'x' * 190}\n" for number in range(10_200)))
        found = (await w.look(REPOSITORY, branches=True)).remote_branches
        assert 5_000 < len(found) < 10_000
        assert {len(name) for name in found} == {196}


async def test_a_repository_that_cannot_be_fetched_is_told_as_ever(rig: Rig) -> None:
    rig.server.create("acme/empty")
    rig.server.status = {"acme/broken": 502}
    for name, code in {
        "acme/absent": ErrorCode.CLONE_NOT_FOUND,
        "acme/empty": ErrorCode.CLONE_EMPTY_REPOSITORY,
        "acme/broken": ErrorCode.CLONE_FAILED,
    }.items():
        async with rig.workplace() as w:
            with pytest.raises(PipelineError) as refused:
                await w.look(name, branches=True)
            assert refused.value.code is code
            assert TOKEN.encode() not in w.stdout.content + w.stderr.content
