"""The set-up of a hub from a JSON file, and the state file that tells what came of it.

    {
      "users": [{"login": "alice", "bot": false}],
      "repositories": [{"name": "acme/shop", "private": false, "archived": false, "default_branch": "main",
                        "files": {"README.md": "# Shop", "link": {"symlink": "README.md"}, "logo": {"base64": "AAE="}},
                        "permissions": {"alice": "write"}}],
      "issues": [{"repository": "acme/shop", "title": "Invoices", "body": "Please.", "author": "alice"}],
      "apps": [{"name": "speckit-bot", "manifest": "app.yml", "webhook_url": "http://127.0.0.1:8080/webhooks/github",
                "webhook_secret": "...", "public_key": "app.pub.pem", "repositories": ["acme/shop"]}]
    }

``manifest`` and ``public_key`` are paths (relative to the set-up file) or the content itself (an object; a PEM).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localhub.git_repository import Executable, FileContent, Symlink
from localhub.hub import LocalHub
from localhub.model import App


def apply(hub: LocalHub, setup: Mapping[str, Any], folder: Path) -> None:
    """Make what ``setup`` names. Raises KeyError, ValueError or OSError when it is wrong."""
    for user in setup.get("users", []):
        hub.create_user(user["login"], bot=bool(user.get("bot", False)))
    for wish in setup.get("repositories", []):
        hub.create_repository(
            wish["name"],
            {path: _content(content) for path, content in wish.get("files", {}).items()},
            private=bool(wish.get("private", False)),
            default_branch=wish.get("default_branch", "main"),
            archived=bool(wish.get("archived", False)),
            permissions=wish.get("permissions", {}),
        )
    for issue in setup.get("issues", []):
        hub.create_issue(issue["repository"], issue["title"], issue.get("body"), issue.get("author", ""))
    for app in setup.get("apps", []):
        _register(hub, app, folder)


def _content(written: object) -> FileContent:
    match written:
        case str():
            return written
        case {"symlink": str(target)}:
            return Symlink(target)
        case {"base64": str(encoded), **rest}:
            data = base64.b64decode(encoded)
            return Executable(data) if rest.get("executable") else data
        case _:
            raise ValueError(f"a file's content is a text, a symlink or base64, not {written!r}")


def _register(hub: LocalHub, wish: Mapping[str, Any], folder: Path) -> None:
    manifest, key = wish["manifest"], wish["public_key"]
    if isinstance(manifest, str):
        manifest = yaml.safe_load((folder / manifest).read_text(encoding="utf-8"))
    if "-----BEGIN" not in key:
        key = (folder / key).read_text(encoding="ascii")
    app: App = hub.register_app(
        wish["name"],
        manifest,
        webhook_url=wish.get("webhook_url", ""),
        webhook_secret=wish.get("webhook_secret", ""),
        public_key_pem=key,
    )
    by_owner: dict[str, list[str]] = {}
    for name in wish.get("repositories", []):
        by_owner.setdefault(name.partition("/")[0].lower(), []).append(name)
    for names in by_owner.values():
        hub.install(app, names)


def state_of(hub: LocalHub) -> dict[str, Any]:
    """Ids, addresses and tokens of everything: what the starter of the hub needs to speak as its people."""
    state = hub.state
    return {
        "url": hub.url,
        "api_url": hub.api_url,
        "users": {user.login: {"id": user.id, "type": user.type, "token": user.token} for user in state.users.values()},
        "repositories": {
            repository.full_name: {
                "id": repository.id,
                "private": repository.private,
                "default_branch": repository.default_branch,
                "html_url": f"{hub.url}/{repository.full_name}",
                "clone_url": f"{hub.url}/{repository.full_name}.git",
            }
            for repository in state.repositories.values()
        },
        "issues": [
            {
                "repository": repository.full_name,
                "number": issue.number,
                "title": issue.title,
                "html_url": f"{hub.url}/{repository.full_name}/issues/{issue.number}",
            }
            for repository in state.repositories.values()
            for issue in repository.issues.values()
        ],
        "apps": {
            app.name: {"id": app.id, "slug": app.slug, "client_id": app.client_id, "bot_login": app.bot.login}
            for app in state.apps.values()
        },
        "installations": [
            {
                "id": installation.id,
                "app_id": installation.app.id,
                "account": installation.account.login,
                "repositories": [repository.full_name for repository in installation.repositories],
            }
            for installation in state.installations.values()
        ],
    }
