"""Real git against the hub: clone and push, what is refused, and trees git itself would not make."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import Executable, Submodule, Symlink, TreeEntry
from tests.localhub.conftest import Company


async def git(cwd: Path, *arguments: str, header: str | None = None) -> tuple[int, str]:
    """Run git with nobody's configuration; ``header`` is sent with each request. Exit code and all output."""
    cwd.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    if header is not None:
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {header}",
        }
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=cwd,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


def basic(token: str, name: str = "x-access-token") -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


async def clone(company: Company, where: Path, header: str | None = None, repo: str = "acme/shop") -> tuple[int, str]:
    return await git(where, "clone", "-q", f"{company.hub.url}/{repo}.git", "work", header=header)


async def push(
    company: Company, where: Path, header: str | None, path: str = "specs/spec.md", branch: str = "speckit/x"
) -> tuple[int, str]:
    """Commit one file in the clone and push it as a new branch."""
    work = where / "work"
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text("# Spec\n")
    await git(work, "checkout", "-q", "-B", branch)
    await git(work, "add", ".")
    await git(work, "commit", "-q", "-m", "Add it")
    return await git(work, "push", "origin", f"HEAD:refs/heads/{branch}", header=header)


async def test_clone_and_push_with_a_token(company: Company, tmp_path: Path) -> None:
    read = basic(await company.token(company.shop, contents="read"))
    assert await clone(company, tmp_path, read) == (0, "")
    assert (tmp_path / "work" / "README.md").read_text() == "# Shop\n"
    code, said = await push(company, tmp_path, read)
    assert (code, "Write access to repository not granted" in said) == (128, True)
    assert [each.kind for each in company.hub.violations] == ["permission"]
    write = basic(await company.token(company.shop, contents="write"))
    assert (await push(company, tmp_path, write))[0] == 0
    assert set(company.hub.branches(company.shop)) == {"main", "speckit/x"}
    pushes = [each for each in company.hub.requests if each.route == "/{owner}/{repo}.git/git-receive-pack"]
    assert [(each.actor, each.status) for each in pushes] == [("speckit-bot[bot]", 200)]


async def test_a_stranger_is_asked_who_they_are(company: Company, tmp_path: Path) -> None:
    assert (await clone(company, tmp_path / "public"))[0] == 0
    code, said = await clone(company, tmp_path / "private", repo="acme/vault")
    assert (code, "could not read Username" in said) == (128, True)
    async with company.http.get(f"{company.hub.url}/acme/vault.git/info/refs?service=git-upload-pack") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="GitHub"')
    assert company.hub.violations == []


async def test_people_push_by_their_role(company: Company, tmp_path: Path) -> None:
    hub = company.hub
    assert (await clone(company, tmp_path, repo="acme/shop"))[0] == 0
    code, said = await push(company, tmp_path, basic(hub.user("bob").token, "bob"))
    assert (code, "Permission to acme/shop.git denied to bob." in said) == (128, True)
    assert (await push(company, tmp_path, basic(hub.user("alice").token, "alice")))[0] == 0
    bob, mallory = hub.user("bob"), hub.user("mallory")
    assert (await clone(company, tmp_path / "b", basic(bob.token), "acme/vault"))[0] == 0
    code, said = await clone(company, tmp_path / "m", basic(mallory.token), "acme/vault")
    assert (code, "Repository not found" in said) == (128, True)


async def test_bearer_and_dead_tokens_are_refused(company: Company, tmp_path: Path) -> None:
    token = await company.token()
    code, _ = await clone(company, tmp_path / "bearer", f"Bearer {token}", "acme/vault")
    assert code == 128
    company.hub.revoke_tokens()
    assert (await clone(company, tmp_path / "dead", basic(token), "acme/vault"))[0] == 128
    assert {each.status for each in company.hub.requests[-2:]} == {401}


async def test_an_archived_repository_takes_no_push(company: Company, tmp_path: Path) -> None:
    header = basic(await company.token())
    await clone(company, tmp_path, header)
    company.shop.archived = True
    code, said = await push(company, tmp_path, header)
    assert (code, "archived so it is read-only" in said) == (128, True)


async def test_workflows_need_their_permission(company: Company, tmp_path: Path) -> None:
    header = basic(await company.token())
    await clone(company, tmp_path, header)
    code, said = await push(company, tmp_path, header, ".github/workflows/ci.yml")
    assert code == 1
    assert "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml`" in said
    assert set(company.hub.branches(company.shop)) == {"main"}
    person = basic(company.hub.user("alice").token)
    assert (await push(company, tmp_path, person, ".github/workflows/ci.yml"))[0] == 0


async def test_a_protected_branch_takes_no_push(company: Company, tmp_path: Path) -> None:
    company.hub.protect_branch(company.shop, "main")
    header = basic(await company.token())
    await clone(company, tmp_path, header)
    code, said = await push(company, tmp_path, header, branch="main")
    assert (code, "GH006: Protected branch update failed" in said) == (1, True)
    assert (await push(company, tmp_path, header, branch="side"))[0] == 0


async def test_a_large_push_and_negotiation(company: Company, tmp_path: Path) -> None:
    for index in range(30):
        company.hub.commit_files(company.shop, "main", {f"many/{index}": f"{index}"})
    header = basic(await company.token())
    assert (await clone(company, tmp_path, header))[0] == 0
    (tmp_path / "work" / "big").write_bytes(os.urandom(3 << 20))
    assert (await push(company, tmp_path, header))[0] == 0
    for index in range(10):
        company.hub.commit_files(company.shop, "main", {"again": f"{index}"})
    assert (await git(tmp_path / "work", "fetch", "-q", "origin", header=header))[0] == 0


async def test_every_kind_of_tree_can_be_held(company: Company, tmp_path: Path) -> None:
    files: dict[str, bytes | str | Symlink | Submodule | Executable] = {
        "link": Symlink("/etc/passwd"),
        "sub": Submodule(),
        "run.sh": Executable(b"#!/bin/sh\n"),
        "line\nbreak.md": "x",
        "deep/er/file": b"\0",
    }
    company.hub.create_repository("acme/odd", files)
    assert (await clone(company, tmp_path, repo="acme/odd"))[0] == 0
    work = tmp_path / "work"
    assert (work / "link").is_symlink()
    assert (work / "line\nbreak.md").read_text() == "x"
    assert os.access(work / "run.sh", os.X_OK)
    assert (await git(work, "status", "--porcelain"))[1] == ""


@pytest.mark.parametrize("files", [{".git/config": "[core]\n"}, {"../up": "x"}, {".GIT/hooks/post-checkout": "x"}])
async def test_a_poisoned_tree_is_served_and_git_refuses_it(
    company: Company, tmp_path: Path, files: dict[str, str]
) -> None:
    company.hub.create_repository("acme/evil", {"a.md": "a", **files})
    code, said = await clone(company, tmp_path, repo="acme/evil")
    assert (code != 0, "invalid path" in said or "Clone succeeded, but checkout failed" in said) == (True, True)


async def test_a_raw_tree_and_an_empty_repository(company: Company, tmp_path: Path) -> None:
    empty = company.hub.create_repository("acme/empty")
    code, said = await clone(company, tmp_path, repo="acme/empty")
    assert (code, "empty repository" in said) == (0, True)
    blob = empty.git.write_object("blob", b"x")
    company.hub.commit_raw_tree(empty, "main", [TreeEntry("100644", b"a/b", blob)])
    await clone(company, tmp_path / "raw", repo="acme/empty")
    assert (await git(tmp_path / "raw" / "work", "ls-tree", "--name-only", "HEAD"))[1] == "a/b\n"


async def test_a_push_whose_answer_is_lost_happened(company: Company, tmp_path: Path) -> None:
    header = basic(await company.token())
    await clone(company, tmp_path, header)
    company.hub.faults.add("POST", "/acme/shop.git/git-receive-pack", after_write=True)
    assert (await push(company, tmp_path, header))[0] != 0
    assert "speckit/x" in company.hub.branches(company.shop)
    company.hub.faults.add("GET", "/acme/shop.git/info/refs", status=503)
    code, said = await git(tmp_path / "work", "fetch", header=header)
    assert (code, "503" in said) == (128, True)


def children() -> set[str]:
    """Ids of this process's children."""
    return {
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
        if child
    }


async def test_a_hub_that_closes_leaves_no_process(company: Company) -> None:
    before = children()

    async def endless() -> AsyncIterator[bytes]:
        yield b"0032want "
        await asyncio.sleep(60)

    async def ask() -> str:
        url = f"{company.hub.url}/acme/shop.git/git-upload-pack"
        headers = {"Content-Type": "application/x-git-upload-pack-request"}
        async with company.http.post(url, data=endless(), headers=headers) as answer:
            return f"{answer.status} {await answer.text()}"

    asking = asyncio.ensure_future(ask())
    while children() == before:
        assert not asking.done(), f"no git was started: {asking.result()}"
        await asyncio.sleep(0.01)
    await company.hub.close()
    assert children() <= before
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_client_that_goes_away_leaves_no_process(company: Company) -> None:
    before = children()
    company.hub.commit_files(company.shop, "main", {"big": os.urandom(8 << 20)})
    header = {"Authorization": basic(company.hub.user("alice").token)}
    sha = company.hub.branches(company.shop)["main"]
    body = f"0032want {sha}\n00000009done\n".encode()
    url = f"{company.hub.url}/acme/shop.git/git-upload-pack"
    kind = {"Content-Type": "application/x-git-upload-pack-request"}
    async with company.http.post(url, data=body, headers={**header, **kind}) as answer:
        await answer.content.read(1000)
        answer.close()
    deadline = asyncio.get_running_loop().time() + 20
    while not children() <= before and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
    assert children() <= before
