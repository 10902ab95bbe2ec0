"""git over HTTP: ``git http-backend`` behind GitHub's rules about who may clone and push.

The first answer to a stranger is 401, so that git asks for a credential. The receive hook runs on objects in quarantine
and only lists names; no working tree exists here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from localhub import apps, auth, pushes
from localhub.auth import ANONYMOUS, Actor
from localhub.errors import ApiError
from localhub.faults import Fault
from localhub.git_repository import git_environment
from localhub.model import Repository
from localhub.records import RequestRecord
from localhub.state import State

_CHUNK = 64 * 1024
_REALM = {"WWW-Authenticate": 'Basic realm="GitHub"'}
_FORBIDDEN_TOKEN = "Write access to repository not granted."  # noqa: S105 - a sentence
_HOOK = """#!/bin/sh
# Refuses what GitHub refuses. Runs before any reference moves; the new objects are in quarantine.
zero=0000000000000000000000000000000000000000
while read -r old new ref; do
    branch=${ref#refs/heads/}
    while read -r protected; do
        case "$branch" in
            $protected)
                echo "error: GH006: Protected branch update failed for $ref." >&2
                exit 1
                ;;
        esac
    done <"$LOCALHUB_PROTECTED"
    [ "$new" = "$zero" ] && continue
    [ "$LOCALHUB_WORKFLOWS" = yes ] && continue
    for commit in $(git rev-list "$new" --not --all); do
        path=$(git diff-tree --no-commit-id --name-only -r -m --root "$commit" -- .github/workflows | head -n 1)
        if [ -n "$path" ]; then
            what="refusing to allow a GitHub App to create or update workflow"
            echo "$what \\`$path\\` without \\`workflows\\` permission" >&2
            exit 1
        fi
    done
done
exit 0
"""


@dataclass(slots=True)
class _Exchange:
    """One request of git's, as it is served."""

    request: web.Request
    service: str
    path: str
    started: float
    actor: Actor = ANONYMOUS
    status: int = 0


class GitHttp:
    """Serves the repositories of one hub under ``/{owner}/{repo}.git``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._hooks = state.root / "hooks"

    def add_to(self, app: web.Application) -> None:
        """Register the three routes of the smart protocol."""
        app.router.add_get("/{owner}/{repo}.git/info/refs", self._info_refs)
        app.router.add_post("/{owner}/{repo}.git/{service:git-upload-pack|git-receive-pack}", self._service)

    def prepare(self) -> None:
        """Write the hook that every push passes."""
        self._hooks.mkdir(parents=True, exist_ok=True)
        hook = self._hooks / "pre-receive"
        hook.write_text(_HOOK, encoding="utf-8")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)

    async def _info_refs(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.query.get("service", ""))

    async def _service(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.match_info["service"])

    async def _serve(self, request: web.Request, service: str) -> web.StreamResponse:
        exchange = _Exchange(request, service, request.path_qs, time.monotonic())
        fault = self._state.faults.take(request.method, self._route(exchange), exchange.path)
        try:
            return await self._answer(exchange, fault)
        except ApiError as refused:
            exchange.status = refused.status
            if refused.violation is not None:
                self._state.record_violation(refused.violation, f"{request.method} {exchange.path}: {refused.message}")
            return web.Response(status=refused.status, text=f"{refused.message}\n", headers=refused.headers)
        finally:
            self._log(exchange)

    def _route(self, exchange: _Exchange) -> str:
        if exchange.request.method == "GET":
            return f"/{{owner}}/{{repo}}.git/info/refs?service={exchange.service}"
        return f"/{{owner}}/{{repo}}.git/{exchange.service}"

    async def _answer(self, exchange: _Exchange, fault: Fault | None) -> web.StreamResponse:
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and not fault.after_write and (fault.status is not None or not fault.delay):
            if fault.status is None and exchange.request.transport is not None:
                exchange.request.transport.abort()
            raise ApiError(fault.status or 502, "Server Error", headers=fault.headers)
        if exchange.service not in {"git-upload-pack", "git-receive-pack"}:
            raise ApiError(403, "Please upgrade your git client.")
        exchange.actor = self._actor(exchange.request)
        repository = self._judge(exchange)
        before = repository.git.refs()
        lose = fault is not None and fault.after_write
        try:
            return await self._run(exchange, repository, lose)
        finally:
            if exchange.service == "git-receive-pack" and exchange.request.method == "POST":
                pusher = exchange.actor.user or repository.owner
                pushes.references_moved(self._state, repository, before, repository.git.refs(), pusher)

    def _actor(self, request: web.Request) -> Actor:
        """Who git speaks for: HTTP Basic only. Raises ApiError 401."""
        header = request.headers.get("Authorization")
        if not header:
            return ANONYMOUS
        scheme, _, credential = header.partition(" ")
        sentence = "Invalid username or token. Password authentication is not supported for Git operations."
        if scheme.lower() != "basic":
            raise ApiError(401, sentence, headers=_REALM)
        try:
            return auth.from_basic(self._state, credential.strip())
        except ApiError as refused:
            raise ApiError(refused.status if refused.status == 403 else 401, sentence, headers=_REALM) from None

    def _judge(self, exchange: _Exchange) -> Repository:
        """The repository, if the actor may do this to it. Raises ApiError 401, 403 or 404 in GitHub's words."""
        name = f"{exchange.request.match_info['owner']}/{exchange.request.match_info['repo']}"
        actor, write = exchange.actor, exchange.service == "git-receive-pack"
        repository = self._state.repositories.get(name.lower())
        visible = repository is not None and self._state.may(repository, actor.user, "read")
        if actor is ANONYMOUS and (write or not visible):
            raise ApiError(401, "Repository not found.", headers=_REALM)
        if actor.token is not None and repository is not None:
            visible = repository in actor.token.repositories
            if not visible:
                self._state.record_violation("scope", f"{actor.name}: git on {name} with a token not made for it")
        if repository is None or not visible:
            raise ApiError(404, "Repository not found.")
        if actor.token is not None and not apps.covers(actor.token.permissions, "contents", "read"):
            raise ApiError(403, "Resource not accessible by integration", violation="permission")
        if not write:
            return repository
        if actor.token is not None and not apps.covers(actor.token.permissions, "contents", "write"):
            raise ApiError(403, _FORBIDDEN_TOKEN, violation="permission")
        if actor.token is None and not self._state.may(repository, actor.user, "write"):
            raise ApiError(403, f"Permission to {repository.full_name}.git denied to {actor.name}.")
        if repository.archived:
            raise ApiError(403, "This repository was archived so it is read-only.")
        return repository

    def _environment(self, exchange: _Exchange, repository: Repository) -> dict[str, str]:
        request, token = exchange.request, exchange.actor.token
        settings = {
            "http.receivepack": "true",
            "http.uploadpack": "true",
            "core.hooksPath": str(self._hooks),
            "receive.autogc": "false",
            "receive.fsckObjects": "true",
            "receive.denyDeleteCurrent": "refuse",
            "receive.hideRefs": "refs/pull",
            "uploadpack.allowFilter": "true",
            "uploadpack.allowAnySHA1InWant": "true",
        }
        workflows = token is None or apps.covers(token.permissions, "workflows", "write")
        protected = repository.git.path / "protected-branches"
        protected.write_text("".join(f"{name}\n" for name in sorted(repository.protected)), encoding="utf-8")
        tail = "info/refs" if request.method == "GET" else exchange.service
        environment = {
            **git_environment(self._state.root, settings),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(repository.git.path),
            "PATH_INFO": f"/{tail}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "REMOTE_USER": exchange.actor.name,
            "REMOTE_ADDR": request.remote or "127.0.0.1",
            "LOCALHUB_WORKFLOWS": "yes" if workflows else "no",
            "LOCALHUB_PROTECTED": str(protected),
        }
        # A chunked body has no length: git then reads to the end of its input.
        for header, name in _PASSED_ON.items():
            if header in request.headers:
                environment[name] = request.headers[header]
        return environment

    async def _run(self, exchange: _Exchange, repository: Repository, lose: bool) -> web.StreamResponse:
        """Run the backend, pumping both ways at once: git may answer before it has read everything."""
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=self._environment(exchange, repository),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=repository.git.path,
            start_new_session=True,
        )
        feeder = asyncio.ensure_future(_feed(exchange.request, process))
        try:
            response = await self._pump(exchange, process, lose)
            if exchange.status:
                await process.wait()
            return response
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)
            await _reap(process)

    async def _pump(self, exchange: _Exchange, process: asyncio.subprocess.Process, lose: bool) -> web.StreamResponse:
        if process.stdout is None:
            raise RuntimeError("git http-backend has no output")
        try:
            head = await process.stdout.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ApiError(500, "git http-backend: no answer") from None
        status, headers = _cgi_head(head)
        exchange.status = status
        response = web.StreamResponse(status=status, headers=headers)
        if lose:
            # Let git finish, then say nothing: the push happened and the client does not know.
            while await process.stdout.read(_CHUNK):
                pass
            exchange.status = 0
            if exchange.request.transport is not None:
                exchange.request.transport.abort()
            return response
        try:
            await response.prepare(exchange.request)
            while chunk := await process.stdout.read(_CHUNK):
                await response.write(chunk)
            # The end is written by the server, after what follows from a push: a client that is done finds it done.
        except ConnectionResetError:
            # The client went away: nobody is left to be told.
            exchange.status = 0
        return response

    def _log(self, exchange: _Exchange) -> None:
        token = exchange.actor.token
        self._state.requests.append(
            RequestRecord(
                at=self._state.now(),
                method=exchange.request.method,
                path=exchange.path,
                route=self._route(exchange),
                actor=exchange.actor.name,
                installation_id=token.installation.id if token is not None else None,
                token_permissions=dict(token.permissions) if token is not None else {},
                token_repository_ids=tuple(each.id for each in token.repositories) if token is not None else (),
                status=exchange.status,
                seconds=time.monotonic() - exchange.started,
                started=exchange.started,
            )
        )


_PASSED_ON = {
    "Content-Length": "CONTENT_LENGTH",
    "Content-Encoding": "HTTP_CONTENT_ENCODING",
    "Git-Protocol": "GIT_PROTOCOL",
}


async def _feed(request: web.Request, process: asyncio.subprocess.Process) -> None:
    if process.stdin is None:
        return
    try:
        async for chunk in request.content.iter_chunked(_CHUNK):
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # The backend had read enough.
        return
    finally:
        process.stdin.close()


async def _reap(process: asyncio.subprocess.Process) -> None:
    """End the backend and its children if they still run. What they wrote must be read: asyncio waits for the pipe's
    end too."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    while process.stdout is not None and await process.stdout.read(_CHUNK):
        pass
    await process.wait()


def _cgi_head(head: bytes) -> tuple[int, Mapping[str, str]]:
    """The status and headers of a CGI answer."""
    status, headers = 200, {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            continue
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers
