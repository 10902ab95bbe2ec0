"""A git server on loopback for tests: ``git http-backend`` behind the standard library's HTTP server."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "ghs_" + "T0ken-of.the_test" * 6
GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in ``folder`` and return its output."""
    done = subprocess.run(["git", *arguments], cwd=folder, env=GIT, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


class GitServer:
    """Repositories under ``root``, named ``acme/shop``. A private one wants TOKEN."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.base = f"http://127.0.0.1:{port}"
        self.private: set[str] = set()
        self.status: dict[str, int] = {}
        self.authorizations: list[str] = []

    def url(self, name: str) -> str:
        return f"{self.base}/{name}.git"

    def path(self, name: str) -> Path:
        return self.root / f"{name}.git"

    def create(self, name: str, files: Mapping[str, bytes] | None = None, branch: str = "main") -> str:
        """Make a repository with one commit of ``files`` (empty without) and return the commit."""
        bare = self.path(name)
        bare.mkdir(parents=True)
        git(bare, "init", "-q", "--bare", "-b", branch)
        git(bare, "config", "http.receivepack", "true")
        return self.commit(name, files, branch) if files is not None else ""

    def commit(self, name: str, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Put a commit with exactly ``files`` on top of ``branch``; a path may begin with ``MODE:`` for its mode."""
        bare = self.path(name)
        lines = []
        for name_with_mode, content in files.items():
            has_mode = name_with_mode[:6].isdigit()
            mode, path = name_with_mode.split(":", 1) if has_mode else ("100644", name_with_mode)
            blob = content.decode() if mode == "160000" else git(bare, "hash-object", "-w", "--stdin", stdin=content)
            lines.append(f"{mode} {blob}\t{path}\0")
        index = bare / "test-index"
        index.unlink(missing_ok=True)
        environment = {**GIT, "GIT_INDEX_FILE": str(index)}
        subprocess.run(
            ["git", "update-index", "-z", "--index-info"],
            cwd=bare, env=environment, input="".join(lines).encode("utf-8", "surrogateescape"), check=True,
        )  # fmt: skip
        tree = subprocess.run(["git", "write-tree"], cwd=bare, env=environment, capture_output=True, check=True)
        return self.commit_tree(name, tree.stdout.decode().strip(), branch)

    def commit_tree(self, name: str, tree: str, branch: str = "main") -> str:
        bare = self.path(name)
        parent = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", f"refs/heads/{branch}"], cwd=bare, env=GIT, capture_output=True,
            check=False,
        ).stdout.decode().strip()  # fmt: skip
        commit = git(bare, "commit-tree", tree, "-m", "a commit", *(["-p", parent] if parent else []))
        git(bare, "update-ref", f"refs/heads/{branch}", commit)
        return commit

    def branches(self, name: str) -> dict[str, str]:
        lines = git(self.path(name), "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").split(
            "\n"
        )
        return dict(line.split(" ") for line in lines if line)


@contextmanager
def serve(root: Path) -> Iterator[GitServer]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(body)

        def _answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            name = "/".join(path.split("/")[1:3]).removesuffix(".git")
            authorization = self.headers.get("Authorization", "")
            server.authorizations.append(authorization)
            wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
            if status := server.status.get(name):
                self._send(status, b"", {})
            elif not server.path(name).is_dir() or (name in server.private and authorization != wanted):
                self._send(401 if not authorization else 404, b"", {"WWW-Authenticate": 'Basic realm="git"'})
            else:
                self._backend(path, query, body)

        def _backend(self, path: str, query: str, body: bytes) -> None:
            done = subprocess.run(
                ["git", "-c", f"safe.directory={server.root}/*", "http-backend"],
                env={
                    **GIT,
                    "GIT_PROJECT_ROOT": str(server.root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                },
                input=body,
                capture_output=True,
                check=False,
            )
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self._send(int(headers.pop("Status", "200 OK").split()[0]), rest, headers)

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = GitServer(root, http.server_address[1])
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
